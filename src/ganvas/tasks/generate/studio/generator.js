// The generator alone: pictures of any seed and class, a map of its latent space, a morph, and writing.
import { h, send, get, picture, runPath, whole, say, busy, save, turns, tabs, titleOf } from '/static/dom.js';
import { latentMap } from '/static/map.js';
import { Painter, local } from './painter.js';
import { writing } from './write.js';

const COLUMNS = 8;

const number = (field) => Math.max(0, Math.floor(+field.value || 0));
const canvas = (model, label) =>
  h('canvas.big', { width: model.size, height: model.size, role: 'img', 'aria-label': label });

/** A sheet of pictures. Calls `taken(seed, class)` when one is clicked, `changed()` when another class is chosen. */
function sheetOf(name, model, taken, changed) {
  const { classes } = model,
    turn = turns();
  const sheet = h('img.sheet', { alt: '' }),
    caption = h('p.soft', { 'aria-live': 'polite' });
  let shown = null, // what the sheet shows: its first seed, their number, the class
    url = '';
  const draws = { change: () => draw() };
  const kinds = h(
    'select',
    {
      id: 'kind',
      change: () => {
        draw();
        changed();
      },
    },
    h('option', { value: '' }, 'all in turn'),
    classes.map((c) => h('option', { value: c }, c)),
  );
  const seed = h('input', { id: 'seed', type: 'number', min: 0, value: 0, ...draws }),
    count = h(
      'select',
      { id: 'count', ...draws },
      [16, 64, 128].map((n) => h('option', { value: n, selected: n === 64 }, n)),
    ),
    cut = h('input', { id: 'cut', type: 'range', min: 0.5, max: 4, step: 0.1, value: 4, ...draws });
  const request = ({ first, n, kind }) => ({
    seeds: Array.from({ length: n }, (_, i) => first + i),
    kind: kind || null,
    truncation: +cut.value < 4 ? +cut.value : null,
    columns: COLUMNS,
  });
  async function draw() {
    const isNewest = turn(),
      now = { first: number(seed), n: +count.value, kind: kinds.value };
    try {
      const made = await picture(runPath(name, '/sheet'), request(now));
      if (!isNewest()) {
        URL.revokeObjectURL(made);
        return;
      }
      URL.revokeObjectURL(url);
      [url, shown] = [made, now];
      sheet.src = url;
      sheet.alt = `${now.n} pictures, from seed ${now.first} on${now.kind ? `, class ${now.kind}` : ''}`;
      const chosen = model.selector
        ? ' Each is the best of several drawn near its seed; the map and the morph draw the seeds themselves.'
        : '';
      caption.textContent = `Seeds ${now.first} to ${now.first + now.n - 1}. Click a picture to use it in “From one picture to another”.${chosen}`;
      png.removeAttribute('aria-disabled');
    } catch (error) {
      if (isNewest()) say(error.message);
    }
  }
  sheet.addEventListener('click', (event) => {
    if (!shown) return;
    const box = sheet.getBoundingClientRect(),
      rows = Math.ceil(shown.n / COLUMNS);
    const across = Math.floor(((event.clientX - box.left) / box.width) * COLUMNS),
      down = Math.floor(((event.clientY - box.top) / box.height) * rows);
    const i = Math.min(shown.n - 1, across + COLUMNS * down);
    taken(shown.first + i, shown.kind || classes[i % classes.length]);
  });
  const file = (end) => `${titleOf(name)}-seed${shown.first}.${end}`;
  const png = h('button', { 'aria-disabled': 'true', click: () => shown && save(url, file('png')) }, 'PNG');
  const zip = h(
    'button',
    {
      id: 'zip',
      click: () =>
        busy(zip, async () => {
          if (!shown) return;
          const made = URL.createObjectURL(await (await send(runPath(name, '/zip'), request(shown))).blob());
          save(made, file('zip'));
          setTimeout(() => URL.revokeObjectURL(made), 60_000);
        }),
    },
    'Zip of PNGs',
  );
  const more = h(
    'button',
    {
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
    h('h2', {}, 'Pictures'),
    h(
      '.row',
      {},
      classes.length ? h('label', { for: 'kind' }, 'Class', kinds) : null,
      h('label', { for: 'seed' }, 'First seed', seed),
      h('label', { for: 'count' }, 'Pictures', count),
      more,
    ),
    h('.row', {}, h('label.grow', { for: 'cut' }, 'Typical', cut, 'varied')),
    sheet,
    caption,
    h('.row', {}, png, zip),
  );
  return { element, draw, kind: () => kinds.value || classes[0] };
}

/** A map between four seeds to drag through. */
function mapOf(name, model, kind) {
  const big = canvas(model, 'The picture at this place of the map'),
    painter = new Painter(name, model, big),
    caption = h('p.soft', {}, 'Drag, or use the arrow keys.');
  const kinds = (corners) => (kind() ? corners.map(kind) : []);
  const map = latentMap(
    (corners, x, y) => painter.paint(corners, kinds(corners), x, y),
    () => '', // the corners are seen
    (corners) => picture(runPath(name, '/map'), { corners, kinds: kind() ? kinds(corners) : null }),
  );
  const timer = setInterval(() => {
    const rate = painter.rate(),
      of = kind() ? ` Class ${kind()}.` : '';
    caption.textContent =
      rate > 1
        ? `${rate} pictures in the last second, drawn ${painter.local ? 'in this browser' : 'by the server'}.${of}`
        : `Drag, or use the arrow keys.${of}`;
  }, 500);
  return {
    painter,
    move: map.move,
    paint: map.paint,
    element: (button) =>
      h(
        'section.card',
        {},
        h('h2', {}, 'A map to drag through'),
        h('.map-row', {}, map.element, big),
        caption,
        h('.row', {}, map.shuffle, button),
      ),
    focus: () => map.element.focus(),
    close() {
      clearInterval(timer);
      map.close();
      painter.close();
    },
  };
}

/** A morph between two seeds, each with its own class. */
function morphOf(name, model) {
  const { classes } = model;
  const end = (id, title, value) => {
    const seed = h('input', { id, type: 'number', min: 0, value, change: () => morph() });
    const kind = h(
      'select',
      { id: `${id}-kind`, 'aria-label': `${title} class`, change: () => morph() },
      classes.map((c) => h('option', { value: c }, c)),
    );
    if (classes.length) kind.value = classes[value % classes.length];
    return {
      seed,
      kind,
      row: h('.row', {}, h('label', { for: id }, `${title} seed`, seed), classes.length ? kind : null),
    };
  };
  const from = end('from', 'From', 0),
    to = end('to', 'To', 1);
  const way = h('input', {
      id: 'way',
      type: 'range',
      min: 0,
      max: 1,
      step: 0.01,
      value: 0.5,
      'aria-label': 'Place between the two pictures',
      input: () => morph(),
    }),
    between = canvas(model, 'The picture between the two'),
    painter = new Painter(name, model, between);
  const morph = () => {
    const [a, b] = [number(from.seed), number(to.seed)];
    const [k, l] = [from.kind.value, to.kind.value];
    painter.paint([a, b, a, b], classes.length ? [k, l, k, l] : [], +way.value, 0);
  };
  let second = false;
  return {
    painter,
    morph,
    /** Use a picture as the beginning, the next one as the end. */
    take(seed, kind) {
      const place = second ? to : from;
      place.seed.value = seed;
      if (kind) place.kind.value = kind;
      say(`Seed ${seed} is now the ${second ? 'end' : 'beginning'} of the morph.`);
      second = !second;
      morph();
    },
    element: h('section.card.morph', {}, h('h2', {}, 'From one picture to another'), from.row, to.row, between, way),
  };
}

export async function page(place, name) {
  const run = await get(runPath(name)),
    model = await get(runPath(name, '/model'));
  const morph = morphOf(name, model);
  const sheet = sheetOf(name, model, morph.take, () => {
    map.move();
    map.paint();
  });
  const map = mapOf(name, model, sheet.kind);
  let loaded = null,
    over = false;
  const quick = h(
    'button',
    {
      id: 'local',
      click: () =>
        busy(quick, async () => {
          quick.textContent = 'Preparing the network; the first time this takes a while …';
          try {
            loaded = await local(name, model);
          } finally {
            quick.textContent = 'Draw in this browser (about 4 MB)';
          }
          if (over) {
            loaded.session.release();
            return;
          }
          map.painter.local = morph.painter.local = loaded;
          say('Pictures are now drawn in this browser.');
          quick.hidden = true;
          map.focus();
          map.move();
          morph.morph();
        }),
    },
    'Draw in this browser (about 4 MB)',
  );
  const write = model.writes ? writing(name, model.classes) : null;
  place.append(
    h('h1', {}, 'The forger'),
    h(
      'p.soft',
      {},
      `${run.title ?? name}: it has never seen a real picture; it learned only from the expert’s verdicts. Trained on ${whole(model.images)} images.`,
    ),
    tabs(name, run, 'Forger'),
    h('.grid.wide', {}, sheet.element, h('.stack', {}, map.element(quick), morph.element)),
    ...(write ? [write.element] : []),
  );
  sheet.draw();
  map.paint();
  map.move();
  morph.morph();
  write?.write().catch((error) => say(error.message));
  return () => {
    over = true;
    map.close();
    morph.painter.close();
    loaded?.session.release();
  };
}
