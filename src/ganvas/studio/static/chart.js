// Curves over images seen.
import { h, short, figure } from './dom.js';

const HEIGHT = 210;
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

/**
 * A chart; `update(xs, [ys, ...])` sets the data.
 * @param curves [label, name of its colour, dashes] of each
 * @param options `range` of y, `form` of its numbers, `words` below the chart, `x`: what has been seen
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
    points: { show: (plot, i) => plot.data[i].filter((y) => y !== null).length === 1 }, // no line can be seen
    value: value(form),
  });
  let plot,
    sizes,
    data = [[], ...curves.map(() => [])],
    over = false;
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
        series: [{ label: options.x ?? 'images', value: value(short) }, ...curves.map(drawn)],
      };
      plot = new Plot(shape, data, place);
      plot.setLegend({ idx: data[0].length - 1 });
      sizes = new ResizeObserver(() => place.clientWidth && plot.setSize({ width: place.clientWidth, height: HEIGHT }));
      sizes.observe(place);
    })
    .catch(() => place.append('The chart could not be drawn.'));
  const caption = options.words ? h('figcaption.soft', {}, options.words) : null;
  return {
    element: h('figure.card', {}, h('h3', {}, title), place, caption),
    update(xs, ys) {
      data = [xs, ...ys];
      plot?.setData(data);
      plot?.setLegend({ idx: xs.length - 1 });
      const last = ys.map((y, i) => `${curves[i][0]} ${form(y.at(-1))}`).join(', ');
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
