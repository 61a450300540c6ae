// The generator alone: sounds of any seed and class, played like an instrument, a map, and the way between two.
import { h, get, post, runPath, whole, say, save, turns, tabs } from '/static/dom.js';
import { mapOf } from './map.js';
import { play, shown } from './sounds.js';

const KEYS = [...'asdfghjklqwertyuiop']; // of the keyboard, for the first sounds on the page
const LATER = 150; // milliseconds of rest before the sound at the slider is drawn
const number = (field) => Math.max(0, Math.floor(+field.value || 0));

/** Drawn sounds, each with a key. Calls `taken(seed, kind)` when one is chosen for the walk. */
function soundsOf(name, model, taken) {
  const { classes } = model,
    turn = turns();
  const list = h('ul.sounds'),
    caption = h('p.soft', { 'aria-live': 'polite' });
  const draws = { change: () => draw() };
  const kinds = h(
    'select.kind',
    { id: 'kind', ...draws },
    h('option', { value: '' }, 'all in turn'),
    classes.map((c) => h('option', { value: c }, c)),
  );
  const seed = h('input', { id: 'seed', type: 'number', min: 0, value: 0, ...draws }),
    count = h(
      'select',
      { id: 'count', ...draws },
      [8, 16, 32].filter((n) => n <= model.most).map((n) => h('option', { value: n, selected: n === 16 }, n)),
    ),
    cut = h('input', { id: 'cut', type: 'range', min: 0.5, max: 4, step: 0.1, value: 4, ...draws });
  let players = [];

  function entry(sound, i) {
    const key = KEYS[i],
      title = sound.kind === null ? `seed ${sound.seed}` : `${sound.kind}, seed ${sound.seed}`;
    const button = h(
      'button.sound',
      { 'aria-label': `Play ${title}`, 'aria-keyshortcuts': key ?? null, click: () => sounds() },
      shown(sound, ''),
      h('span', {}, key ? h('kbd', {}, key) : null, title),
    );
    const sounds = () => {
      button.classList.add('on');
      const ended = () => button.classList.remove('on');
      const one = play(sound.wav);
      one.addEventListener('ended', ended);
      one.addEventListener('error', ended);
    };
    const keep = h('button', { 'aria-label': `Save ${title} as WAV`, click: () => save(sound.wav, `${name}-seed${sound.seed}.wav`) }, 'WAV');
    const take = h('button', { 'aria-label': `Use ${title} in the walk`, click: () => taken(sound.seed, sound.kind) }, 'Walk');
    return { sounds, element: h('li', {}, button, h('.row', {}, keep, take)) };
  }
  async function draw() {
    const isNewest = turn(),
      first = number(seed);
    const asked = {
      seeds: Array.from({ length: +count.value }, (_, i) => first + i),
      kind: kinds.value || null,
      truncation: +cut.value < 4 ? +cut.value : null,
    };
    try {
      const made = await post(runPath(name, '/sounds'), asked);
      if (!isNewest()) return;
      players = made.map(entry);
      list.replaceChildren(...players.map((one) => one.element));
      caption.textContent = `Seeds ${first} to ${first + made.length - 1}. Click one to hear it, or press its key.`;
    } catch (error) {
      if (isNewest()) say(error.message);
    }
  }
  function press(event) {
    if (event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.target.closest?.('input, select, textarea')) return;
    const player = players[KEYS.indexOf(event.key.toLowerCase())];
    if (player) player.sounds();
  }
  document.addEventListener('keydown', press);
  const more = h(
    'button',
    {
      id: 'more',
      click: () => {
        seed.value = number(seed) + +count.value;
        draw();
      },
    },
    'More',
  );
  const element = h(
    'section.card',
    {},
    h('h2', {}, 'Sounds'),
    h(
      '.row',
      {},
      classes.length ? h('label', { for: 'kind' }, 'Class', kinds) : null,
      h('label', { for: 'seed' }, 'First seed', seed),
      h('label', { for: 'count' }, 'Sounds', count),
      more,
    ),
    h('.row', {}, h('label.grow', { for: 'cut' }, 'Typical', cut, 'varied')),
    caption,
    list,
  );
  return { element, draw, close: () => document.removeEventListener('keydown', press) };
}

/** The way between two seeds, each with its own class. */
function walkOf(name, model) {
  const { classes } = model,
    turn = turns();
  const end = (id, title, value) => {
    const seed = h('input', { id, type: 'number', min: 0, value, change: () => draw() });
    const kind = h(
      'select.kind',
      { id: `${id}-kind`, 'aria-label': `${title} class`, change: () => draw() },
      classes.map((c) => h('option', { value: c }, c)),
    );
    if (classes.length) kind.value = classes[value % classes.length];
    const label = h('label', { for: id }, `${title} seed`, seed);
    return { seed, kind, row: h('.row', {}, label, classes.length ? kind : null) };
  };
  const from = end('from', 'From', 0),
    to = end('to', 'To', 1),
    place = h('.walk'),
    caption = h('p.soft', { 'aria-live': 'polite' });
  const way = h('input', {
    id: 'way',
    type: 'range',
    min: 0,
    max: 1,
    step: 0.05,
    value: 0.5,
    'aria-label': 'Position between the two sounds',
    input: () => {
      clearTimeout(timer);
      timer = setTimeout(() => draw(true), LATER);
    },
  });
  let now = null,
    second = false,
    timer = 0;
  async function draw(aloud = false) {
    const isNewest = turn(),
      share = +way.value;
    const asked = {
      ends: [number(from.seed), number(to.seed)],
      kinds: classes.length ? [from.kind.value, to.kind.value] : null,
      share,
    };
    try {
      const made = await post(runPath(name, '/sounds/between'), asked);
      if (!isNewest()) return;
      now = made;
      place.replaceChildren(...shown(made, 'Spectrogram of the sound between the two'));
      caption.textContent = `${Math.round(100 * share)}% of the way.`;
      if (aloud) play(made.wav);
    } catch (error) {
      if (isNewest()) say(error.message);
    }
  }
  const hear = h('button.main', { id: 'hear', click: () => now && play(now.wav) }, 'Play'),
    keep = h('button', { click: () => now && save(now.wav, `${name}-between.wav`) }, 'WAV');
  return {
    draw,
    /** Use a sound as the beginning, the next one as the end. */
    take(seed, kind) {
      const side = second ? to : from;
      side.seed.value = seed;
      if (kind !== null) side.kind.value = kind;
      say(`Seed ${seed} is now the ${second ? 'end' : 'beginning'} of the walk.`);
      second = !second;
      draw();
    },
    element: h(
      'section.card',
      {},
      h('h2', {}, 'From one sound to another'),
      from.row,
      to.row,
      place,
      way,
      caption,
      h('.row', {}, hear, keep),
    ),
    close: () => clearTimeout(timer),
  };
}

export async function page(place, name) {
  const run = await get(runPath(name)),
    model = await get(runPath(name, '/model'));
  const map = mapOf(name, model),
    walk = walkOf(name, model),
    sounds = soundsOf(name, model, walk.take);
  place.append(
    h('h1', {}, 'Play'),
    h(
      'p.soft',
      {},
      `${name}: sounds of ${model.seconds.toFixed(2)} s at ${model.rate / 1000} kHz, after ${whole(model.images)} sounds of training.`,
    ),
    tabs(name, run, 'Play'),
    h('.grid.wide', {}, sounds.element, h('.stack', {}, map.element, walk.element)),
  );
  sounds.draw();
  map.draw();
  walk.draw();
  return () => {
    map.close();
    sounds.close();
    walk.close();
  };
}
