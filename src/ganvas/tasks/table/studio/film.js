// A table's run over time: each column and the pairs that differ most, drawn rows next to real ones.
import { h, get, runPath, whole, turns } from '/static/dom.js';
import { timeline } from '/static/film.js';
import { columnChart, common, commonIn, heatMaps, sketch } from './figures.js';

const FIRST = 24, // columns that are shown at first
  PAIRS = 4, // pairs that are shown
  FAR = 'These differ most, beyond chance';

/** A preview's figures, if they are in order: it may come from anyone. */
function checked(found) {
  const numbers = (list) => Array.isArray(list) && list.every((x) => typeof x === 'number' && x >= 0 && x <= 1);
  const texts = (list) => Array.isArray(list) && list.length > 0 && list.every((x) => typeof x === 'string');
  const isColumn = (c) =>
    c && typeof c.name === 'string' && texts(c.labels) && numbers(c.shares) && numbers([c.missing]);
  const isPair = (p) =>
    Array.isArray(p?.of) &&
    Array.isArray(p.table) &&
    texts(found.sides?.[p.of[0]]) &&
    texts(found.sides?.[p.of[1]]) &&
    p.table.length === found.sides[p.of[0]].length &&
    p.table.every((row) => numbers(row) && row.length === found.sides[p.of[1]].length);
  if (!(found?.rows > 0) || !Array.isArray(found.columns) || !found.columns.every(isColumn)) throw new Error('damaged');
  if (!Array.isArray(found.pairs) || !found.pairs.every(isPair)) throw new Error('damaged');
  return found;
}

/** The table of a pair of both sides, and what they have in common. */
function pairOf(real, drawn, i) {
  const [a, b] = [real.pairs[i].table, drawn.pairs[i].table];
  return { i, a, b, ...common(a.flat(), b.flat(), real.rows, drawn.rows) };
}

export function film(name, before) {
  const known = new Map(), // file -> a promise of its figures
    turn = turns();
  const about = h('p.soft'),
    charts = h('.columns'),
    pairs = h('.columns.wider'),
    chosen = h('select', { id: 'pair', change: () => paint() }),
    more = h('button', { click: () => showAll(), hidden: true });
  let most = FIRST,
    now = null;
  const load = (file) => {
    if (!known.has(file)) known.set(file, get(runPath(name, `/samples/${file}`)).then(checked));
    return known.get(file);
  };
  const showAll = () => {
    most = Infinity;
    paint();
  };
  const names = (real, i) => real.pairs[i].of.map((at) => real.columns[at].name);

  function fillChoice(real) {
    if (chosen.options.length) return;
    chosen.append(h('option', { value: '' }, FAR));
    chosen.append(...real.pairs.map((_, i) => h('option', { value: i }, names(real, i).join(' and '))));
  }
  function paint() {
    if (!now) return;
    const { real, drawn } = now,
      n = real.rows,
      m = drawn.rows;
    about.textContent = `${whole(n)} real rows of the training (grey) and ${whole(m)} drawn ones (coloured).`;
    const shown = real.columns.slice(0, most);
    charts.replaceChildren(...shown.map((column, i) => columnChart(column, drawn.columns[i], commonIn(column, drawn.columns[i], n, m))));
    more.hidden = real.columns.length <= most;
    more.textContent = `Show the other ${real.columns.length - shown.length} columns`;
    fillChoice(real);
    const all = chosen.value ? [pairOf(real, drawn, +chosen.value)] : real.pairs.map((_, i) => pairOf(real, drawn, i));
    all.sort((one, other) => one.share - one.chance - (other.share - other.chance));
    pairs.replaceChildren(
      ...all.slice(0, PAIRS).map(({ i, a, b, ...told }) => {
        const [down, along] = real.pairs[i].of;
        return heatMaps(names(real, i), [real.sides[down], real.sides[along]], a, b, told);
      }),
    );
  }
  async function show({ file }) {
    const isNewest = turn();
    try {
      const [real, drawn] = await Promise.all([load('reals.json'), load(file)]);
      if (!isNewest()) return;
      if (real.columns.length !== drawn.columns.length || real.pairs.length !== drawn.pairs.length)
        throw new Error('unlike');
      now = { real, drawn };
      paint();
    } catch {
      known.delete(file);
      if (isNewest()) about.textContent = 'The data for this moment cannot be read.';
    }
  }
  const view = h(
    'div',
    {},
    about,
    charts,
    h('.row', {}, more),
    h('h3', {}, 'Pairs of columns'),
    h('.row', {}, h('label.grow', { for: 'pair' }, 'Which', chosen)),
    pairs,
  );
  const { parts, ...rest } = timeline('figures', 'rows', before, view, show);
  return { parts: [parts[1], parts[2], parts[0]], ...rest }; // the slider above what may be longer than the page
}

/** What a card shows of a run. */
export async function thumb(place, url) {
  const found = checked(await get(url));
  place.replaceChildren(sketch(found.columns));
}
