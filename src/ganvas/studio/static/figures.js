// What `ganvas evaluate` measured of a run: the newest value of each metric, next to what real samples get.
import { h, figure, percent, short, table } from './dom.js';

/** A card for a run's page, which is hidden until something is measured; `samples`: what many of them are called. */
export function measured(samples) {
  const place = h('div'),
    element = h('section.card.film', { hidden: true }, h('h2', {}, `How good are the ${samples}?`), place);
  return {
    element,
    /** @param rows lines of metrics.jsonl, oldest first; only those of metrics are shown */
    update(rows) {
      const newest = new Map();
      for (const row of rows) if (row.title && typeof row.value === 'number' && row.protocol) newest.set(row.metric, row);
      element.hidden = !newest.size;
      if (!newest.size) return;
      const form = (row, value) => (row.share && typeof value === 'number' ? percent(value, 1) : figure(value));
      const cells = [...newest.values()].map((row) => [row.title, form(row, row.value), form(row, row.floor), row.better]);
      const images = Math.max(...[...newest.values()].map((row) => row.images ?? 0));
      place.replaceChildren(
        table('Metrics', ['Metric', 'Drawn', 'Real', 'Better'], cells, true),
        h('p.soft', {}, `Real: what real ${samples} get on the same metric. Measured by ganvas evaluate after ${short(images)} ${samples} of training.`),
      );
    },
  };
}
