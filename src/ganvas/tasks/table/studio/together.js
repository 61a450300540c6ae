// What `ganvas evaluate` found about all tables of a database together: sentences, tables of figures, numbers of children,
// pairs over a key.
import { h, table } from '/static/dom.js';
import { columnChart, heatMaps } from './figures.js';

const part = ({ title, heads, rows, note }) => [
  h('h3', {}, title),
  table(title, heads, rows, true),
  note ? h('p.soft', {}, note) : null,
];

const count = ({ real, drawn, share, chance }) => columnChart(real, drawn, { share, chance });

const pair = ({ names, labels, real, drawn, share, chance }) => heatMaps(names, labels, real, drawn, { share, chance });

const charts = (title, { words, charts }, kind, one) =>
  charts.length ? [h('h3', {}, title), h('p.soft', {}, words), h(kind, {}, charts.map(one))] : [];

/** The elements that show it. */
export function together({ words, tables, counts, pairs }) {
  return [
    h('ul.remarks', {}, words.map((text) => h('li', {}, text))),
    tables.map(part),
    charts('Child rows per parent row', counts, '.columns', count),
    charts('Pairs of columns over a key', pairs, '.columns.wider', pair),
  ];
}
