// Drawing the real points: with a pointer, or with the arrow keys and the space bar.
import { EDGE } from './points.js';

const MOST = 3000; // places that are kept
const APART = 0.05; // between two places of a stroke
const STRIDE = 0.15; // of an arrow key
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

/** `use(on)` allows drawing on the canvas; places go to `gan.drawn`, and `changed` is called. */
export function drawingTool(canvas, plane, gan, changed) {
  let on = false,
    last = null,
    spot = [0, 0];
  const add = (place) => {
    if (gan.drawn.length < MOST) gan.drawn.push(place);
    gan.showReal();
    changed();
  };
  /** Places along a line from the last one: a quick pointer leaves no gaps. */
  const stroke = (to) => {
    const from = last ?? to,
      steps = Math.max(1, Math.ceil(Math.hypot(to[0] - from[0], to[1] - from[1]) / APART));
    for (let i = 1; i <= steps; i += 1) add([0, 1].map((k) => from[k] + ((to[k] - from[k]) * i) / steps));
    last = to;
  };
  const end = () => {
    last = null;
  };
  canvas.addEventListener('pointerdown', (event) => {
    if (!on) return;
    canvas.setPointerCapture(event.pointerId);
    stroke(plane.at(event));
  });
  canvas.addEventListener('pointermove', (event) => {
    if (on && last) stroke(plane.at(event));
  });
  for (const kind of ['pointerup', 'pointercancel']) canvas.addEventListener(kind, end);
  canvas.addEventListener('keydown', (event) => {
    if (!on || !(event.key in KEYS || event.key === ' ')) return;
    event.preventDefault();
    if (event.key === ' ') add([...spot]);
    else spot = spot.map((v, k) => Math.min(EDGE, Math.max(-EDGE, v + STRIDE * KEYS[event.key][k])));
    changed();
  });
  for (const kind of ['focus', 'blur']) canvas.addEventListener(kind, changed);
  return {
    /** The place that the keys have reached, while the canvas has the focus. */
    get cursor() {
      return on && document.activeElement === canvas ? spot : null;
    },
    use(allowed) {
      on = allowed;
      end();
      canvas.classList.toggle('draws', on);
      if (on) canvas.tabIndex = 0;
      else canvas.removeAttribute('tabindex');
      canvas.setAttribute('role', on ? 'application' : 'img');
      canvas.setAttribute(
        'aria-label',
        on
          ? 'Draw the real points: drag, or move with the arrow keys and set a point with the space bar'
          : 'Real points, forged points, and what the expert says of each place',
      );
    },
  };
}
