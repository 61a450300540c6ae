// Shares of rows as small charts: a column's bars, and the table of two columns as two heat maps.
import { h, s, percent } from '/static/dom.js';

const WIDE = 320, // of a column's chart, in its own units
  HIGH = 96,
  SPIKE = 2.5, // times the next highest bar: a higher one is cut
  SIDE = 200, // of a heat map
  LONG = 16, // characters of a label there
  LETTER = 6.6; // width of one

const sum = (values) => values.reduce((a, b) => a + b, 0);
const cut = (text) => (text.length <= LONG ? text : `${text.slice(0, LONG - 1)}…`);

/** What two lists of shares have in common, and what they would if both were samples of `one`: n and m rows. */
export function common(one, other, n, m) {
  const spread = (p) => Math.sqrt(Math.max(0, p * (1 - p)) * (1 / n + 1 / m) * (2 / Math.PI));
  return {
    share: 1 - sum(one.map((p, i) => Math.abs(p - other[i]))) / 2,
    chance: 1 - sum(one.map((p, i) => spread((p + other[i]) / 2))) / 2,
  };
}

/** Labels, shares of real rows and of drawn ones; a value that only one side has is a label, too. */
function joined(real, drawn) {
  const labels = real.labels.length >= drawn.labels.length ? real.labels : drawn.labels;
  const of = ({ shares }) => labels.map((_, i) => shares[i] ?? 0);
  return { labels, real: of(real), drawn: of(drawn) };
}

/** A category's values, a pair of bars each. */
function bars({ labels, real, drawn }) {
  const top = Math.max(...real, ...drawn, 1e-9);
  const bar = (share, kind) => {
    const element = h(`i.${kind}`);
    element.style.width = percent(share / top, 1);
    return element;
  };
  return h(
    '.values',
    {},
    labels.map((label, i) => [
      h('span', { title: label }, label),
      h('.pair', {}, bar(real[i], 'is-real'), bar(drawn[i], 'is-drawn')),
      h('span.soft', {}, `${percent(real[i], 1)} | ${percent(drawn[i], 1)}`),
    ]),
  );
}

/** A number's or a date's bars, and the line of drawn rows over them. */
function steps({ labels, real, drawn }, title) {
  const heights = real.map((p, i) => Math.max(p, drawn[i])).sort((a, b) => b - a);
  let top = Math.max(heights[0], 1e-9);
  if (heights.length > 1 && heights[1] > 0 && SPIKE * heights[1] < top) top = SPIKE * heights[1];
  const wide = WIDE / labels.length,
    y = (share) => HIGH - (HIGH - 14) * Math.min(1, share / top);
  const rects = real.map((share, i) =>
    s(
      'rect',
      { class: 'is-real', x: i * wide, y: y(share), width: Math.max(wide - 1, 0.5), height: HIGH - y(share) },
      s('title', {}, `${labels[i]}: ${percent(share, 1)} real, ${percent(drawn[i], 1)} drawn`),
    ),
  );
  const cuts = real.flatMap((share, i) => {
    if (Math.max(share, drawn[i]) <= top) return [];
    const left = i < labels.length / 2;
    const place = { x: left ? (i + 1) * wide + 5 : i * wide - 5, y: 24, 'text-anchor': left ? 'start' : 'end' };
    return [s('text', place, `cut: ${percent(share, 1)} real, ${percent(drawn[i], 1)} drawn`)];
  });
  const path = drawn.map((share, i) => `V${y(share).toFixed(1)}H${((i + 1) * wide).toFixed(1)}`).join('');
  const drawing = s(
    'svg',
    { viewBox: `0 0 ${WIDE} ${HIGH + 1}`, role: 'img', 'aria-label': `${title}: real and drawn rows` },
    rects,
    s('path', { class: 'is-drawn', d: `M0,${HIGH}${path}V${HIGH}` }),
    s('line', { x1: 0, x2: WIDE, y1: HIGH, y2: HIGH }),
    cuts,
  );
  const bare = (label) => label.replace(/^from /, ''),
    end = labels.at(-1);
  const last = end === bare(end) ? end : `${bare(end)} and more`;
  return [drawing, h('.ends', {}, h('span', {}, bare(labels[0])), h('span', {}, last))];
}

/** What a column's drawn rows have in common with the real ones: n and m rows. */
export function commonIn(real, drawn, n, m) {
  const both = joined(real, drawn);
  return common([...both.real, real.missing], [...both.drawn, drawn.missing], n, m);
}

/** A column's chart, with what both sides have in common. */
export function columnChart(real, drawn, { share, chance }) {
  const both = joined(real, drawn);
  const missing = real.missing || drawn.missing;
  const told = `${percent(share, 1)} in common; other real rows about ${percent(chance, 1)}`;
  return h(
    '.column',
    {},
    h('h4', {}, real.name),
    h('p.soft', {}, h(share < chance - 0.03 ? 'strong.far' : 'span', {}, told), missing ? `. Missing: ${percent(real.missing, 1)} real, ${percent(drawn.missing, 1)} drawn` : ''),
    real.kind === 'category' ? bars(both) : steps(both, real.name),
  );
}

/** A few columns without words, for a card. */
export function sketch(columns) {
  const high = 80;
  const charts = columns.slice(0, 6).map(({ shares }, i) => {
    const top = Math.max(...shares, 1e-9),
      wide = 140 / shares.length,
      x = 10 + 160 * (i % 2),
      y = 15 + 100 * Math.floor(i / 2);
    return shares.map((share, j) => {
      const tall = (high * share) / top;
      return s('rect', { x: x + j * wide, y: y + high - tall, width: Math.max(0.5, wide - 1), height: tall });
    });
  });
  return s('svg', { viewBox: '0 0 320 320', class: 'sketch', 'aria-hidden': 'true' }, charts.flat());
}

/** The table of two columns as heat maps of real and of drawn rows. */
export function heatMaps(names, [down, along], real, drawn, { share, chance }) {
  const used = (size, has) => [...Array(size).keys()].filter(has);
  const tables = [real, drawn];
  const rows = used(down.length, (i) => tables.some((table) => table[i].some((p) => p > 0))),
    places = used(along.length, (j) => tables.some((table) => table.some((row) => row[j] > 0)));
  const wide = SIDE / places.length,
    high = SIDE / rows.length,
    longest = (labels, chosen) => Math.max(...chosen.map((i) => cut(labels[i]).length));
  const left = 12 + LETTER * longest(down, rows),
    below = 14 + 0.8 * LETTER * longest(along, places),
    top = Math.max(...tables.flat(2), 1e-9);
  const map = (table, title) => {
    const cells = rows.flatMap((i, y) =>
      places.map((j, x) =>
        s(
          'rect',
          {
            x: left + x * wide,
            y: y * high,
            width: wide,
            height: high,
            'fill-opacity': (0.03 + 0.97 * Math.sqrt(table[i][j] / top)).toFixed(3),
          },
          s('title', {}, `${names[0]}: ${down[i]}, ${names[1]}: ${along[j]}: ${percent(table[i][j], 2)}`),
        ),
      ),
    );
    const texts = rows.map((i, y) =>
      s('text', { x: left - 6, y: (y + 0.5) * high + 4, 'text-anchor': 'end' }, cut(down[i])),
    );
    const turned = places.map((j, x) =>
      s(
        'text',
        { transform: `translate(${left + (x + 0.6) * wide},${SIDE + 12}) rotate(-50)`, 'text-anchor': 'end' },
        cut(along[j]),
      ),
    );
    return h(
      'figure',
      {},
      s(
        'svg',
        { viewBox: `0 0 ${left + SIDE + 4} ${SIDE + below}`, role: 'img', 'aria-label': `${title}: ${names.join(' and ')}` },
        cells,
        texts,
        turned,
      ),
      h('figcaption.soft', {}, title),
    );
  };
  return h(
    '.column',
    {},
    h('h4', {}, `${names[0]} and ${names[1]}`),
    h('p.soft', {}, `${percent(share, 1)} in common; other real rows about ${percent(chance, 1)}. Across: ${names[1]}.`),
    h('.heat', {}, map(real, 'real rows'), map(drawn, 'drawn rows')),
  );
}
