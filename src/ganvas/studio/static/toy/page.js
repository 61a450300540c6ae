// The page "How a GAN learns": a whole training in the plane, in the browser.
import { figure, h, percent } from '../dom.js';
import { curves } from './curves.js';
import { drawingTool } from './pen.js';
import { Plane } from './draw.js';
import { found } from './points.js';
import { settingsPanel, shapePicker } from './settings.js';
import { Gan, LOSSES } from './train.js';
import { LESSONS, PHASES, PRESETS, remark } from './words.js';

const BUSY = 9; // milliseconds of a frame that training may take when it is to be fast
const PHASE = 2600; // milliseconds of a part of a round in slow motion
const GLIDE = 900; // milliseconds in which points move to where the forger now puts them
const CALM = 500; // milliseconds between two pictures for those who want little motion
const TOLD = 300; // milliseconds between two changes of the words

const style = () =>
  new Promise((resolve) => {
    const href = '/static/toy/toy.css';
    if (document.head.querySelector(`[href="${href}"]`)) resolve();
    else document.head.append(h('link', { rel: 'stylesheet', href, load: resolve, error: resolve }));
  });

/** A round's parts as a list; `show(index, settings)` marks one, or all for null. */
function roundCard() {
  const words = h('p.phase-words', { role: 'status' });
  const items = PHASES.map(({ who, title }) => h(`li.${who}`, {}, title));
  return {
    element: h('section.card.round', {}, h('h2', {}, 'One round'), h('ol', {}, items), words),
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
  const right = curves('How often the expert is right', [['Real', 'expert'], ['Forged', 'forger', [5, 3]]], (v) => percent(v), [0, 1]);
  const says = h('p.says');
  const rounds = h('span.pill', {}, '0 rounds');
  return {
    element: h('section.card.seen', {}, h('.row', {}, h('h2', {}, 'What you see'), rounds), says, h('.pair-of-curves', {}, losses.element, right.element)),
    clear() {
      losses.clear();
      right.clear();
    },
    add(gan, accuracy) {
      losses.add([gan.losses.d, gan.losses.g]);
      right.add([accuracy.real ?? accuracy.pairs, accuracy.fake ?? null]);
    },
    tell(gan, forged, accuracy) {
      const { guess } = LOSSES[gan.settings.loss];
      losses.draw([gan.losses.d, gan.losses.g], guess, 'expert that guesses');
      right.draw([accuracy.real ?? accuracy.pairs, accuracy.fake ?? null], 0.5, 'guessing');
      const text = remark(gan, found(gan.settings.shape, forged, gan.show.real), accuracy);
      if (says.textContent !== text) says.textContent = text;
      rounds.textContent = `${gan.rounds.toLocaleString('en')} rounds`;
    },
  };
}

/** The time between frames: trains, moves through the parts of a round, draws. */
class Show {
  constructor(gan, plane, parts) {
    Object.assign(this, { gan, plane, ...parts });
    this.still = matchMedia('(prefers-reduced-motion: reduce)');
    this.layers = { real: true, forged: true, pushes: true, surface: true };
    [this.playing, this.slow, this.fast, this.who] = [false, false, false, 'both'];
    [this.phase, this.due, this.from, this.moved, this.drawn, this.told] = [null, 0, null, 0, -CALM, -TOLD];
    this.stale = true; // the expert has to be asked again
    this.frame = requestAnimationFrame(this.#tick);
  }

  close() {
    cancelAnimationFrame(this.frame);
  }

  /** Draw anew soon, even while nothing is trained. */
  refresh() {
    this.stale = true;
    this.drawn = this.told = -TOLD - CALM;
  }

  /** One step of one network, or of both, and the words for it. */
  step(who = this.who) {
    const { gan } = this;
    if (!gan.ready) return;
    if (who === 'both') gan.round();
    else if (who === 'expert') gan.learnExpert();
    else gan.learnForger();
    if (who !== 'both') gan.rounds += 1;
    this.stale = true;
  }

  /** A step on demand: the points glide, and the list says what was learned. */
  single(who) {
    this.from = this.gan.forged();
    this.moved = performance.now();
    this.step(who);
    this.#measure();
    const { d, g } = this.gan.losses,
      told = { expert: ` Its loss on this batch: ${figure(d)}.`, forger: ` Its loss on this batch: ${figure(g)}.` };
    if (who === 'both') this.round.show(null, this.gan.settings, `One round: the expert learned (loss ${figure(d)}), then the forger (loss ${figure(g)}).`);
    else this.round.show(who === 'expert' ? 1 : 3, this.gan.settings, told[who]);
    this.phase = null;
    this.refresh();
  }

  /** The next part of a round, in slow motion. */
  #advance(now) {
    const { gan } = this;
    this.phase = this.phase === null ? 0 : (this.phase + 1) % PHASES.length;
    this.due = now + PHASE;
    const { who } = PHASES[this.phase];
    if (this.phase === 1 && this.who !== 'forger') for (let i = 0; i < gan.settings.stepsD; i += 1) gan.learnExpert();
    if (this.phase === 3 && this.who !== 'expert') {
      this.from = gan.forged();
      this.moved = now;
      gan.learnForger();
    }
    if (this.phase === 3) {
      gan.rounds += 1;
      this.#measure();
    }
    const idle = this.who !== 'both' && this.who !== who && this.phase % 2 ? ' (It is not allowed to learn now.)' : '';
    this.round.show(this.phase, gan.settings, idle);
    this.refresh();
  }

  #measure() {
    this.figures.add(this.gan, this.gan.accuracy(this.gan.forged()));
  }

  #train(now) {
    if (this.slow) {
      if (now >= this.due) this.#advance(now);
      return;
    }
    const end = performance.now() + BUSY;
    do this.step();
    while (this.fast && performance.now() < end);
    this.#measure();
  }

  #tick = (now) => {
    this.frame = requestAnimationFrame(this.#tick);
    if (this.playing && this.gan.ready) this.#train(now);
    const resized = this.plane.resize(),
      glides = this.from && !this.still.matches && now - this.moved < GLIDE;
    if (!glides) this.from = null;
    const pause = this.still.matches && this.playing ? CALM : 0;
    if ((this.stale || resized || glides || this.from) && now - this.drawn >= pause) this.#draw(now);
  };

  #draw(now) {
    const { gan, plane, layers } = this,
      forged = gan.forged(),
      turn = this.playing && this.slow ? this.phase : null;
    if (layers.surface) plane.look(gan);
    const pushes = layers.pushes && (turn === null || turn >= 2) ? gan.pushes(forged) : null;
    const part = this.from ? Math.min(1, Math.max(0, (now - this.moved) / GLIDE)) : 1;
    const between = part < 1 ? forged.map((to, i) => this.from[i] + part * (to - this.from[i])) : forged;
    plane.draw({
      real: layers.real && gan.ready ? gan.show.real : null,
      forged: layers.forged ? between : null,
      pushes: part < 1 ? null : pushes,
      surface: layers.surface,
      cursor: this.pen?.cursor ?? null,
    });
    [this.stale, this.drawn] = [part < 1, now];
    if (now - this.told >= (this.still.matches ? CALM : TOLD)) {
      this.told = now;
      this.figures.tell(gan, forged, gan.accuracy(forged));
    } else if (!this.playing) this.stale = true; // the words follow
  }
}

/** The buttons below the plane. */
function buttons(show, restart) {
  const { gan, round } = show;
  const play = h('button.main.play', { id: 'toy-play', click: () => set(!show.playing) }, 'Play');
  const set = (playing) => {
    show.playing = playing;
    play.textContent = playing ? 'Pause' : 'Play';
    if (playing && !show.slow) round.show(null, gan.settings, 'The two take turns, over and over. Slow motion shows each part of a round.');
    if (!playing && !show.slow) round.show(null, gan.settings, 'Paused. Make single steps, or play on.');
    show.due = 0;
    show.refresh();
  };
  const slow = h('button', { id: 'toy-slow', 'aria-pressed': 'false', click: () => slowly(!show.slow) }, 'Slow motion');
  const slowly = (on) => {
    show.slow = on;
    slow.setAttribute('aria-pressed', String(on));
    [show.phase, show.due] = [null, 0];
    set(on || show.playing);
  };
  const single = (id, who, words) => h('button', { id, click: () => { set(false); show.single(who); } }, words);
  const select = (id, title, pairs, change) => {
    const pick = h('select', { id, change: () => change(pick.value) }, pairs.map(([value, words]) => h('option', { value }, words)));
    return h('label', { for: id }, title, pick);
  };
  return {
    set,
    element: h(
      '.bar-of-buttons',
      {},
      h('.row', {}, play, slow, h('button', { id: 'toy-restart', click: () => restart() }, 'Restart'),
        select('toy-speed', 'Speed', [['', '1 round a picture'], ['fast', 'as fast as it can']], (value) => { show.fast = Boolean(value); })),
      h('.row', { role: 'group', 'aria-label': 'Single steps' }, h('span.soft', {}, 'One step:'), single('toy-d', 'expert', 'Expert'), single('toy-g', 'forger', 'Forger'), single('toy-both', 'both', 'Both'),
        select('toy-who', 'Who learns', [['both', 'both, in turn'], ['expert', 'only the expert'], ['forger', 'only the forger']], (value) => { show.who = value; })),
    ),
  };
}

/** What is what in the picture, each with a box to hide it. */
function legend(show) {
  const box = (key, words, mark) =>
    h('label', {}, h('input', { type: 'checkbox', checked: true, change: (event) => { show.layers[key] = event.target.checked; show.refresh(); } }), h(`i.mark.${mark}`), words);
  return h(
    '.legend',
    {},
    box('real', 'real points', 'is-real-point'),
    box('forged', 'forged points', 'is-forged-point'),
    box('pushes', 'where they are pushed', 'is-push'),
    box('surface', 'the expert says: forged … real', 'is-surface'),
  );
}

export async function toy(place) {
  await style();
  const gan = new Gan(),
    canvas = h('canvas.plane', { role: 'img', 'aria-label': 'Real points, forged points, and what the expert says of each place' });
  const plane = new Plane(canvas),
    parts = { round: roundCard(), figures: figures() },
    show = new Show(gan, plane, parts);
  const panel = settingsPanel((changes) => change(changes)),
    picker = shapePicker((changes) => change(changes, true));
  const wipe = h('button', { id: 'toy-clear', hidden: true, click: () => { gan.drawn.length = 0; gan.showReal(); show.refresh(); } }, 'Clear the drawing');
  const change = (changes, shape = false) => {
    gan.set(changes);
    panel.show(gan.settings);
    picker.show(gan.settings.shape);
    wipe.hidden = gan.settings.shape !== 'drawn';
    show.pen.use(gan.settings.shape === 'drawn');
    if (shape) parts.figures.tell(gan, gan.forged(), gan.accuracy(gan.forged()));
    show.refresh();
  };
  const restart = (settings = {}) => {
    gan.set(settings);
    gan.restart();
    parts.figures.clear();
    show.phase = show.from = null;
    change({}, true);
  };
  show.pen = drawingTool(canvas, plane, gan, () => show.refresh());
  const bar = buttons(show, restart);
  const seed = h('input', { type: 'number', id: 'toy-seed', min: 1, max: 9999, step: 1, value: gan.settings.seed, change: () => restart({ seed: Math.min(9999, Math.max(1, Math.round(+seed.value) || 1)) }) });
  const presets = PRESETS.map(({ title, again, settings, words }, i) => {
    const start = () => {
      if (again) restart({ ...settings });
      else change(settings);
      bar.set(true);
    };
    return h('li', {}, h('button', { id: `toy-preset-${i}`, click: start, 'aria-describedby': `toy-preset-${i}-about` }, title), h('p.soft', { id: `toy-preset-${i}-about` }, words));
  });
  place.append(
    h('h1', {}, 'How a GAN learns'),
    h('p.soft', {}, 'Two small networks, learning live in your browser. The forger makes points and wants them to pass for real. The expert looks at points and says which are real. Each learns from the other.'),
    h('.toy', {},
      h('section.card.stage', { 'aria-label': 'The plane' }, h('.row', {}, picker.element, wipe), canvas, legend(show), bar.element),
      h('.stack', {}, parts.round.element, parts.figures.element)),
    h('section.card', {}, h('h2', {}, 'See it fail, and heal it'), h('ul.presets', {}, presets)),
    h('section.card', {}, h('h2', {}, 'Change it while it learns'), panel.element, h('.row', {}, h('label', { for: 'toy-seed' }, 'Seed (a new one starts over; the same one gives the same training)', seed))),
    h('section.card', {}, h('h2', {}, 'To try in class'), h('dl.lessons', {}, LESSONS.map(([title, words]) => [h('dt', {}, title), h('dd', {}, words)])),
      h('p.soft', {}, 'The idea of such a page is that of GAN Lab (Kahng et al. 2018). In Ganvas the same two play on pictures, sounds and tables: only the networks are larger.')),
  );
  change({}, true);
  parts.round.show(null, gan.settings, 'Press Play, or take one step at a time.');
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
