// Curves over rounds, drawn on a canvas.
import { h, short } from '../dom.js';

const MOST = 400; // values of a curve; then each two become one
const HEIGHT = 116;
const LEFT = 40; // room for the numbers of the y axis

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const mean = (a, b) => (a === null || b === null ? (b ?? a) : (a + b) / 2);

/**
 * @param lines [name, name of its colour, dashes] of each curve
 * @param form a value as text; `range`: [lowest, highest] of the y axis, or null for that of the data
 */
export function curves(title, lines, form, range = null) {
  const canvas = h('canvas', { role: 'img', 'aria-label': title });
  const brush = canvas.getContext('2d');
  const values = lines.map(() => h('b', {}, '–'));
  const keys = lines.map(([name, paint, dashes], i) =>
    h(`span.key.${paint}${dashes ? '.dashed' : ''}`, {}, h('i'), name, ' ', values[i]),
  );
  let data = lines.map(() => []),
    at = [], // the round of each value
    every = 1, // measurements for each value
    waiting = 0;

  const stroke = (paint, width, dashes, path) => {
    brush.beginPath();
    path();
    brush.setLineDash(dashes.map((d) => d * devicePixelRatio));
    brush.strokeStyle = colour(paint);
    brush.lineWidth = width * devicePixelRatio;
    brush.stroke();
  };
  const write = (words, x, y, align) => {
    brush.textAlign = align;
    brush.fillText(words, x, y);
  };

  return {
    element: h('figure.curves', {}, h('h3', {}, title), canvas, h('figcaption', {}, keys)),
    clear() {
      data = lines.map(() => []);
      [at, every, waiting] = [[], 1, 0];
    },
    /** Add what was measured after so many rounds; null where there is nothing. */
    add(rounds, row) {
      data.forEach((curve, i) => curve.push(waiting ? mean(curve.pop(), row[i]) : row[i]));
      if (waiting) at.pop();
      at.push(rounds);
      waiting = (waiting + 1) % every;
      if (data[0].length <= MOST) return;
      const half = { length: data[0].length >> 1 },
        pairs = (list, join) => Array.from(half, (_, k) => join(list[2 * k], list[2 * k + 1]));
      data = data.map((curve) => pairs(curve, mean));
      at = pairs(at, (_, later) => later);
      every *= 2;
      waiting = 0;
    },
    /** @param now the newest values; `mark`: a height for a dashed line, and `word` what it means */
    draw(now, mark = null, word = '') {
      const rounds = at.at(-1) ?? 0,
        most = Math.max(rounds, 20);
      now.forEach((value, i) => {
        values[i].textContent = value === null ? '–' : form(value);
      });
      const told = lines.map(([name], i) => `${name} ${values[i].textContent}`).join(', ');
      canvas.setAttribute('aria-label', `${title} after ${rounds} rounds: ${told}`);
      const ratio = devicePixelRatio,
        [width, height] = [Math.round(canvas.clientWidth * ratio), Math.round(HEIGHT * ratio)];
      if (!width) return;
      if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
      brush.clearRect(0, 0, width, height);
      const all = data.flat().filter((v) => v !== null);
      let [low, high] = range ?? [Math.min(0, ...all), Math.max(mark ?? 0, ...all)];
      if (high - low < 1e-6) high = low + 1;
      if (!range) high += 0.06 * (high - low);
      const [left, right, top, bottom] = [LEFT * ratio, width - 4 * ratio, 8 * ratio, height - 16 * ratio];
      const y = (v) => bottom - ((v - low) / (high - low)) * (bottom - top),
        x = (i) => left + (at[i] / most) * (right - left);
      brush.font = `${11 * ratio}px system-ui, sans-serif`;
      brush.fillStyle = colour('--soft');
      for (const v of [low, (low + high) / 2, high]) {
        stroke('--line', 1, [], () => {
          brush.moveTo(left, y(v));
          brush.lineTo(right, y(v));
        });
        write(form(v), left - 5 * ratio, y(v) + 4 * ratio, 'right');
      }
      write('0', left, height - 3 * ratio, 'left');
      write(`${short(most)} rounds`, right, height - 3 * ratio, 'right');
      if (mark !== null) {
        stroke('--soft', 1, [4, 4], () => {
          brush.moveTo(left, y(mark));
          brush.lineTo(right, y(mark));
        });
        write(word, right, y(mark) - 4 * ratio, 'right');
      }
      lines.forEach(([, paint, dashes], n) =>
        stroke(`--${paint}`, 1.8, dashes ?? [], () => {
          let pen = false;
          data[n].forEach((v, i) => {
            if (v === null) pen = false;
            else if (pen) brush.lineTo(x(i), y(v));
            else {
              brush.moveTo(x(i), y(v));
              pen = true;
            }
          });
        }),
      );
      brush.setLineDash([]);
    },
  };
}
