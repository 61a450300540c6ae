// A map between four seeds to drag through, by pointer and by keyboard.
import { h, say, turns } from './dom.js';

const SEEDS = 1024; // from which corners are taken
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const STEP = 0.04; // of the map, for a key

/**
 * A map whose corners are seeds.
 * @param moved is called with each new place: `(corners, x, y)`, x and y in 0 to 1
 * @param label of a corner, from its seed and its number
 * @param background draws the map from its corners: the address of a picture, or a promise of it; null: none
 */
export function latentMap(moved, label = (seed) => `seed ${seed}`, background = null) {
  const isTurn = turns();
  let url = '';
  const corners = [1, 2, 3, 4],
    spot = h('i'),
    names = corners.map(() => h('b'));
  let x = 0.5,
    y = 0.5;
  const drag = (event) => {
    const box = element.getBoundingClientRect();
    move((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
  };
  const element = h(
    '.map',
    {
      tabindex: 0,
      role: 'slider',
      'aria-label': 'Map of the latent space between four seeds',
      'aria-valuemin': 0,
      'aria-valuemax': 100,
      'aria-valuenow': 50,
      pointerdown: (event) => {
        element.setPointerCapture(event.pointerId);
        drag(event);
      },
      pointermove: (event) => event.buttons && drag(event),
      keydown: (event) => {
        const step = STEPS[event.key];
        if (!step) return;
        event.preventDefault();
        move(x + STEP * step[0], y + STEP * step[1]);
      },
    },
    names,
    spot,
  );
  const title = () =>
    names.forEach((name, i) => {
      name.textContent = label(corners[i], i);
    });
  function move(toX = x, toY = y) {
    [x, y] = [toX, toY].map((v) => Math.min(1, Math.max(0, v)));
    spot.style.left = `${100 * x}%`;
    spot.style.top = `${100 * y}%`;
    element.setAttribute('aria-valuenow', Math.round(100 * x));
    element.setAttribute('aria-valuetext', `${Math.round(100 * x)}% to the right, ${Math.round(100 * y)}% down`);
    moved([...corners], x, y);
  }
  /** Draw the map itself, after its corners or what they stand for have changed. */
  async function paint() {
    if (!background) return;
    const isNewest = isTurn();
    try {
      const made = await background([...corners]);
      if (!isNewest()) {
        URL.revokeObjectURL(made);
        return;
      }
      element.style.backgroundImage = `url("${made}")`;
      element.classList.add('drawn');
      URL.revokeObjectURL(url);
      url = made;
    } catch (error) {
      if (isNewest()) say(error.message);
    }
  }
  function close() {
    isTurn(); // what is still to come is too late
    URL.revokeObjectURL(url);
  }
  const shuffle = h(
    'button',
    {
      click: () => {
        corners.forEach((_, i) => {
          corners[i] = Math.floor(Math.random() * SEEDS);
        });
        title();
        move();
        paint();
      },
    },
    'New corners',
  );
  title();
  return { element, shuffle, move, title, paint, close };
}
