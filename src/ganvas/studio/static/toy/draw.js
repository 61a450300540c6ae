// The plane: real and forged points, what the expert says of every place, and where the forged points are pushed.
import { EDGE } from './points.js';
import { LOSSES } from './train.js';

const CELLS = 36; // of the expert's surface, along a side
const TINT = 0.5; // opacity of its strongest colour
const ARROWS = 80; // forged points that get one
const LONGEST = 0.55; // length of an arrow, in units of the plane, that no push reaches
const places = Float64Array.from({ length: 2 * CELLS ** 2 }, (_, k) => {
  const cell = k >> 1,
    along = k % 2 ? CELLS - 1 - Math.floor(cell / CELLS) : cell % CELLS; // rows from the top
  return (2 * (along + 0.5) * EDGE) / CELLS - EDGE;
});

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Red, green and blue of a colour written as #rgb or #rrggbb. */
function parts(hex) {
  const digits = hex.length === 4 ? [...hex.slice(1)].map((d) => d + d) : hex.slice(1).match(/../g);
  return digits.map((d) => parseInt(d, 16));
}

export class Plane {
  constructor(canvas) {
    this.canvas = canvas;
    this.brush = canvas.getContext('2d');
    this.surface = Object.assign(document.createElement('canvas'), { width: CELLS, height: CELLS });
    this.recolour();
  }

  /** Read the page's colours: light or dark. */
  recolour() {
    const names = ['card', 'ink', 'line', 'expert', 'forger'];
    this.colours = Object.fromEntries(names.map((name) => [name, colour(`--${name}`)]));
  }

  /** As many pixels as the screen shows; true where that has changed. */
  resize() {
    const side = Math.round(this.canvas.clientWidth * devicePixelRatio);
    if (!side || side === this.canvas.width) return false;
    this.canvas.width = this.canvas.height = side;
    return true;
  }

  /** The place [x, y] of the plane that a pointer is at. */
  at(event) {
    const box = this.canvas.getBoundingClientRect();
    const scaled = (part) => Math.min(EDGE, Math.max(-EDGE, EDGE * (2 * part - 1)));
    return [scaled((event.clientX - box.left) / box.width), -scaled((event.clientY - box.top) / box.height)];
  }

  /** Ask the expert about every place again. */
  look(gan) {
    const scores = gan.scores(places),
      { share } = LOSSES[gan.settings.loss],
      [low, high] = [Math.min(...scores), Math.max(...scores)];
    const image = new ImageData(CELLS, CELLS),
      [real, forged] = [parts(this.colours.expert), parts(this.colours.forger)];
    scores.forEach((score, i) => {
      const trust = share ? share(score) : (score - low) / (high - low || 1);
      image.data.set(trust > 0.5 ? real : forged, 4 * i);
      image.data[4 * i + 3] = 255 * TINT * Math.abs(2 * trust - 1);
    });
    this.surface.getContext('2d').putImageData(image, 0, 0);
  }

  /**
   * @param scene `real`, `forged`, `pushes`: points and arrows as x, y, ..., or null to leave them out; `surface`:
   *   whether that is shown; `cursor`: a place [x, y] to mark, or null
   */
  draw({ real, forged, pushes, surface, cursor }) {
    const { brush, colours, canvas } = this,
      side = canvas.width,
      scale = side / (2 * EDGE);
    this.x = (x) => side / 2 + scale * x;
    this.y = (y) => side / 2 - scale * y;
    brush.fillStyle = colours.card;
    brush.fillRect(0, 0, side, side);
    if (surface) brush.drawImage(this.surface, 0, 0, side, side);
    this.#axes(side);
    const size = Math.max(2.2, side / devicePixelRatio / 170) * devicePixelRatio;
    if (real) this.#points(real, size, colours.expert, this.#disc);
    if (pushes && forged) this.#arrows(forged, pushes);
    if (forged) this.#points(forged, size, colours.forger, this.#diamond);
    if (cursor) this.#cross(cursor, 6 * size);
  }

  #axes(side) {
    const { brush } = this;
    brush.strokeStyle = this.colours.line;
    brush.lineWidth = devicePixelRatio;
    brush.beginPath();
    brush.moveTo(0, side / 2);
    brush.lineTo(side, side / 2);
    brush.moveTo(side / 2, 0);
    brush.lineTo(side / 2, side);
    brush.stroke();
  }

  #disc = (x, y, size) => {
    this.brush.moveTo(x + size, y);
    this.brush.arc(x, y, size, 0, 2 * Math.PI);
  };

  #diamond = (x, y, size) => {
    const reach = 1.45 * size;
    this.brush.moveTo(x, y - reach);
    this.brush.lineTo(x + reach, y);
    this.brush.lineTo(x, y + reach);
    this.brush.lineTo(x - reach, y);
    this.brush.closePath();
  };

  /** Points with a rim of the background, so that they stand out from a surface of their own colour. */
  #points(points, size, fill, shape) {
    const { brush } = this;
    brush.beginPath();
    for (let i = 0; i < points.length; i += 2) shape(this.x(points[i]), this.y(points[i + 1]), size);
    brush.lineWidth = 1.6 * devicePixelRatio;
    brush.strokeStyle = this.colours.card;
    brush.stroke();
    brush.fillStyle = fill;
    brush.fill();
  }

  /** Arrows from the forged points; a harder push gives a longer one, up to a limit. */
  #arrows(forged, pushes) {
    const { brush } = this,
      head = 4.5 * devicePixelRatio;
    brush.beginPath();
    for (let i = 0; i < 2 * ARROWS; i += 2) {
      const strength = Math.hypot(pushes[i], pushes[i + 1]),
        length = LONGEST / (strength + 0.7); // a push of 0.7 gives half the longest arrow
      if (strength * length < 0.02) continue;
      const [x, y] = [this.x(forged[i]), this.y(forged[i + 1])],
        [toX, toY] = [this.x(forged[i] + length * pushes[i]), this.y(forged[i + 1] + length * pushes[i + 1])],
        angle = Math.atan2(toY - y, toX - x);
      brush.moveTo(x, y);
      brush.lineTo(toX, toY);
      for (const turn of [2.6, -2.6]) {
        brush.moveTo(toX, toY);
        brush.lineTo(toX + head * Math.cos(angle + turn), toY + head * Math.sin(angle + turn));
      }
    }
    brush.lineCap = brush.lineJoin = 'round';
    brush.strokeStyle = this.colours.card;
    brush.lineWidth = 3.4 * devicePixelRatio;
    brush.stroke();
    brush.strokeStyle = this.colours.ink;
    brush.lineWidth = 1.3 * devicePixelRatio;
    brush.stroke();
  }

  #cross([x, y], reach) {
    const { brush } = this;
    brush.beginPath();
    brush.moveTo(this.x(x) - reach, this.y(y));
    brush.lineTo(this.x(x) + reach, this.y(y));
    brush.moveTo(this.x(x), this.y(y) - reach);
    brush.lineTo(this.x(x), this.y(y) + reach);
    brush.strokeStyle = this.colours.ink;
    brush.lineWidth = 2 * devicePixelRatio;
    brush.stroke();
  }
}
