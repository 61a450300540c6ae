// Curves over images seen.
import { h, short, figure } from './dom.js';

const HEIGHT = 210;
const FEW = 20; // moments up to which each is shown as a point: a line of so few may not be seen
const dark = matchMedia('(prefers-color-scheme: dark)');
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

let plotting;
function plotter() {
  plotting ??= new Promise((resolve, reject) => {
    const load = () => resolve(window.uPlot);
    document.head.append(h('link', { rel: 'stylesheet', href: '/static/uPlot.min.css' }));
    document.head.append(h('script', { src: '/static/uPlot.iife.min.js', load, error: reject }));
  });
  return plotting;
}

/** A dashed line across a chart at a height, with a word above it. */
function dashes(plot, height, word) {
  const { ctx, bbox } = plot,
    y = plot.valToPos(height, 'y', true);
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = colour('--soft');
  ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.stroke();
  ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
  ctx.textAlign = 'right';
  ctx.fillText(word, bbox.left + bbox.width - 4 * devicePixelRatio, y - 4 * devicePixelRatio);
  ctx.restore();
}

/**
 * A chart; `update(xs, [ys, ...])` sets the data.
 * @param curves [label, name of its colour, dashes] of each
 * @param options `range` of y, `form` of its numbers, `words` below the chart, `x`: what has been seen,
 *   `mark`: [height, words] of a dashed line
 */
export function chart(title, curves, options = {}) {
  const place = h('.chart', { role: 'img', 'aria-label': title });
  const form = options.form ?? figure;
  const value = (show) => (_, v) => (v === null || v === undefined ? '–' : show(v));
  const line = { stroke: () => colour('--line'), width: 1 };
  const axis = { stroke: () => colour('--soft'), grid: line, ticks: line };
  const drawn = ([label, name, dash]) => ({
    label,
    dash,
    stroke: () => colour(name),
    width: 2,
    spanGaps: true,
    points: { show: (plot, i) => plot.data[i].filter((y) => y !== null).length < FEW },
    value: value(form),
  });
  let plot,
    sizes,
    data = [[], ...curves.map(() => [])],
    over = false;
  /** Where each series has its last value: that of a shorter run stands further left. */
  const newest = () => data.map((one) => one.findLastIndex((y) => y !== null));
  /** Where the pointer is elsewhere, the legend shows the last values. */
  const idle = (made) => {
    if ((made.cursor.left ?? -1) < 0) made.setLegend({ idxs: newest() });
  };
  const redraw = () => plot?.redraw();
  dark.addEventListener('change', redraw);
  plotter()
    .then((Plot) => {
      if (over) return;
      const shape = {
        width: Math.max(260, place.clientWidth || 320),
        height: HEIGHT,
        cursor: { drag: { x: true, y: false } },
        scales: { x: { time: false }, y: options.range ? { range: options.range } : {} },
        axes: [
          { ...axis, values: (_, v) => v.map(short) },
          { ...axis, size: 48, values: (_, v) => v.map(form) },
        ],
        hooks: { draw: options.mark ? [(made) => dashes(made, ...options.mark)] : [], setCursor: [idle] },
        series: [{ label: options.x ?? 'images', value: value(short) }, ...curves.map(drawn)],
      };
      plot = new Plot(shape, data, place);
      idle(plot);
      sizes = new ResizeObserver(() => {
        if (place.clientWidth) plot.setSize({ width: place.clientWidth, height: HEIGHT });
        idle(plot);
      });
      sizes.observe(place);
    })
    .catch(() => place.append('The chart could not be drawn.'));
  const caption = options.words ? h('figcaption.soft', {}, options.words) : null;
  return {
    element: h('figure.card', {}, h('h3', {}, title), place, caption),
    update(xs, ys) {
      data = [xs, ...ys];
      plot?.setData(data);
      if (plot) idle(plot);
      const last = ys.map((y, i) => `${curves[i][0]} ${form(y.findLast((one) => one !== null))}`).join(', ');
      place.setAttribute('aria-label', `${title}: now ${last}`);
    },
    close() {
      over = true;
      dark.removeEventListener('change', redraw);
      sizes?.disconnect();
      plot?.destroy();
    },
  };
}
