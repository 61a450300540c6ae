// The page "How a GAN learns": a whole training in the plane, in the browser.
import { figure, h, percent } from '../dom.js';
import { curves } from './curves.js';
import { Plane } from './draw.js';
import { drawingTool } from './pen.js';
import { settingsPanel, shapePicker } from './settings.js';
import { Show } from './show.js';
import { Gan, LOSSES } from './train.js';
import { CLOSING, LESSONS, OPENING, PHASES, PRESETS, remark, SAME } from './words.js';

const SMOOTH = 0.9; // weight of the past in the average of how often the expert is right

/** The page's own style sheet, loaded. */
const style = () =>
  new Promise((resolve) => {
    const href = '/static/toy/toy.css';
    if (document.head.querySelector(`[href="${href}"]`)) resolve();
    else document.head.append(h('link', { rel: 'stylesheet', href, load: resolve, error: resolve }));
  });

/** A round's parts as a list; `show(index, settings)` marks one, or none for null. */
function roundCard(steps) {
  const words = h('p.phase-words', { role: 'status' });
  const items = PHASES.map(({ who, title }) => h(`li.${who}`, {}, title));
  return {
    element: h('section.card.round', {}, h('h2', {}, 'One round'), h('ol', {}, items), words, steps),
    show(index, settings, more = '') {
      items.forEach((item, i) => {
        if (i === index) item.setAttribute('aria-current', 'step');
        else item.removeAttribute('aria-current');
      });
      const text = (index === null ? '' : PHASES[index].words(settings)) + more;
      if (words.textContent !== text) words.textContent = text;
    },
  };
}

/** What is measured, as curves and words. */
function figures() {
  const losses = curves('Losses', [['Expert', 'expert'], ['Forger', 'forger']], figure);
  const kinds = [['Real', 'expert'], ['Forged', 'forger', [5, 3]]];
  const right = curves('How often the expert is right', kinds, (v) => percent(v), [0, 1]);
  const says = h('p.says');
  const rounds = h('span.pill', {}, '0 rounds');
  let smooth = {}; // how often the expert is right, averaged over the last measurements
  return {
    element: h(
      'section.card.seen',
      {},
      h('.row', {}, h('h2', {}, 'What you see'), rounds),
      says,
      h('.pair-of-curves', {}, losses.element, right.element),
    ),
    clear() {
      losses.clear();
      right.clear();
      smooth = {};
    },
    add(gan, measured) {
      for (const key of ['real', 'fake', 'pairs']) {
        if (measured[key] === undefined) delete smooth[key];
        else smooth[key] = (smooth[key] ?? measured[key]) * SMOOTH + measured[key] * (1 - SMOOTH);
      }
      losses.add(gan.rounds, [gan.losses.d, gan.losses.g]);
      right.add(gan.rounds, [smooth.real ?? smooth.pairs, smooth.fake ?? null]);
    },
    tell(gan, forged, measured) {
      const accuracy = Object.keys(smooth).length ? smooth : measured;
      const { guess } = LOSSES[gan.settings.loss];
      losses.draw([gan.losses.d, gan.losses.g], guess, 'expert that guesses');
      right.draw([accuracy.real ?? accuracy.pairs, accuracy.fake ?? null], 0.5, 'guessing');
      const text = remark(gan, forged, accuracy);
      if (says.textContent !== text) says.textContent = text;
      rounds.textContent = `${gan.rounds.toLocaleString('en')} rounds`;
    },
  };
}

/** A list to choose from, with its title. */
function select(id, title, pairs, change) {
  const options = pairs.map(([value, words]) => h('option', { value }, words));
  const pick = h('select', { id, change: () => change(pick.value) }, options);
  return h('label', { for: id }, title, pick);
}

/** Play, pause, slow motion; `steps`: the buttons for single steps. */
function buttons(show, restart) {
  const play = h('button.main.play', { id: 'toy-play', click: () => set(!show.playing) }, 'Play');
  const tell = (words) => show.round.show(null, show.gan.settings, words);
  const set = (playing) => {
    show.playing = playing;
    play.textContent = playing ? 'Pause' : 'Play';
    if (playing && !show.slow) tell('The two take turns, again and again. Slow motion shows each part of a round.');
    if (!playing && !show.slow) tell('Paused. Play, or take single steps.');
    show.due = 0;
    show.refresh();
  };
  const slowly = (on) => {
    show.slow = on;
    slow.setAttribute('aria-pressed', String(on));
    [show.phase, show.due] = [null, 0];
    set(on || show.playing);
  };
  const slow = h('button', { id: 'toy-slow', 'aria-pressed': 'false', click: () => slowly(!show.slow) }, 'Slow motion');
  const single = (id, who, words) => {
    const step = () => {
      set(false);
      show.single(who);
    };
    return h('button', { id, click: step }, words);
  };
  const singles = [
    single('toy-d', 'expert', 'Expert'),
    single('toy-g', 'forger', 'Forger'),
    single('toy-both', 'both', 'Both'),
  ];
  const learns = [['both', 'both learn'], ['expert', 'only the expert learns'], ['forger', 'only the forger learns']];
  const who = select('toy-who', null, learns, (value) => {
    show.who = value;
  });
  who.firstChild.setAttribute('aria-label', 'Who learns');
  return {
    set,
    tell,
    quick: () => slowly(false),
    bar: [play, slow, h('button', { id: 'toy-restart', click: () => restart() }, 'Restart')],
    steps: h(
      '.row.steps',
      {},
      h('.row', { role: 'group', 'aria-label': 'Single steps' }, h('span', {}, 'One step:'), singles),
      who,
    ),
  };
}

/** What is what in the picture, each with a box to hide it. */
function legend(show) {
  const box = (key, words, mark) => {
    const input = h('input', {
      type: 'checkbox',
      checked: true,
      change: () => {
        show.layers[key] = input.checked;
        show.refresh();
      },
    });
    return h('label', {}, input, h(`i.mark.${mark}`), words);
  };
  return h(
    '.legend',
    {},
    box('real', 'real points', 'is-real-point'),
    box('forged', 'forged points', 'is-forged-point'),
    box('pushes', 'where they are pushed', 'is-push'),
    box('surface', 'the expert says: forged … real', 'is-surface'),
  );
}

/** Complete settings to start or to continue with. */
function presetList(start) {
  const items = PRESETS.map((preset, i) => {
    const about = h('p.soft', { id: `toy-preset-${i}-about` }, preset.words);
    const button = { id: `toy-preset-${i}`, click: () => start(preset), 'aria-describedby': about.id };
    return h('li', {}, h('button', button, preset.title), about);
  });
  return h('section.card', {}, h('h2', {}, 'See it fail, then fix it'), h('ul.presets', {}, items));
}

function lessons() {
  const words = LESSONS.map(([title, text]) => [h('dt', {}, title), h('dd', {}, text)]);
  return h('section.card', {}, h('h2', {}, 'Try this in class'), h('dl.lessons', {}, words), h('p.soft', {}, CLOSING));
}

export async function toy(place) {
  await style();
  const gan = new Gan(),
    canvas = h('canvas.plane'),
    plane = new Plane(canvas),
    show = new Show(gan, plane, figures());
  const change = (changes) => {
    gan.set(changes);
    panel.show(gan.settings);
    picker.show(gan.settings.shape);
    wipe.hidden = gan.settings.shape !== 'drawn';
    show.pen.use(gan.settings.shape === 'drawn');
    show.refresh();
  };
  const restart = (settings = {}) => {
    gan.set(settings);
    gan.restart();
    show.figures.clear();
    show.phase = show.from = null;
    change({});
  };
  const clear = () => {
    gan.drawn.length = 0;
    gan.showReal();
    show.refresh();
  };
  const panel = settingsPanel(change),
    picker = shapePicker(change),
    wipe = h('button', { id: 'toy-clear', hidden: true, click: clear }, 'Clear the drawing'),
    bar = buttons(show, restart);
  show.pen = drawingTool(canvas, plane, gan, () => show.refresh());
  show.round = roundCard(bar.steps);
  const start = ({ again, settings, words }) => {
    if (again) restart({ ...settings });
    else change(settings);
    bar.quick();
    bar.set(true);
    bar.tell(words);
    stage.scrollIntoView({ block: 'nearest' });
  };
  const seed = h('input', {
    type: 'number',
    id: 'toy-seed',
    min: 1,
    max: 9999,
    step: 1,
    value: gan.settings.seed,
    change: () => {
      seed.value = Math.min(9999, Math.max(1, Math.round(+seed.value) || 1));
      restart({ seed: +seed.value });
    },
  });
  const speeds = [['', 'one round per frame'], ['fast', 'as fast as possible']];
  const speed = select('toy-speed', 'Speed', speeds, (value) => {
    show.fast = Boolean(value);
  });
  const top = h('.row', {}, bar.bar, picker.element, wipe);
  const stage = h('section.card.stage', { 'aria-label': 'The plane' }, top, canvas, legend(show));
  place.append(
    h('h1', {}, 'How a GAN learns'),
    h('p.soft', {}, OPENING),
    h('.toy', {}, stage, h('.stack', {}, show.round.element, show.figures.element)),
    presetList(start),
    h(
      'section.card',
      {},
      h('h2', {}, 'Change it while it learns'),
      panel.element,
      h('.row.steps', {}, speed, h('label', { for: 'toy-seed' }, 'Seed', seed), h('span.soft', {}, SAME)),
    ),
    lessons(),
  );
  change({});
  bar.tell('Press Play, or take one step at a time.');
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const recolour = () => {
    plane.recolour();
    show.refresh();
  };
  dark.addEventListener('change', recolour);
  return () => {
    show.close();
    dark.removeEventListener('change', recolour);
  };
}
