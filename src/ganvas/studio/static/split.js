// Before and after on one picture, with a divider to drag.
import { h } from './dom.js';

const STEP = 5; // percent of the width, for a key
const KEYS = { ArrowLeft: -STEP, ArrowDown: -STEP, ArrowRight: STEP, ArrowUp: STEP, PageDown: -20, PageUp: 20 };

/**
 * A picture before (left of the divider) and after (right of it).
 * @param pixels show small pictures in squares
 * @param more buttons next to those that show it whole or pixel by pixel
 */
export function split(before, after, pixels, ...more) {
  const made = h('img', { src: after, alt: 'After', draggable: 'false' }),
    over = h('.over', {}, h('img', { src: before, alt: 'Before', draggable: 'false' }));
  const divider = h('.divider', {
    tabindex: 0,
    role: 'slider',
    'aria-label': 'Divider: before on its left, after on its right',
    'aria-valuemin': 0,
    'aria-valuemax': 100,
    keydown: (event) => {
      const ends = { Home: 0, End: 100 };
      if (!(event.key in KEYS) && !(event.key in ends)) return;
      event.preventDefault();
      cut(ends[event.key] ?? at + KEYS[event.key]);
    },
  });
  let at = 50;
  function cut(percent) {
    at = Math.min(100, Math.max(0, percent));
    over.style.clipPath = `inset(0 ${100 - at}% 0 0)`;
    divider.style.left = `${at}%`;
    divider.setAttribute('aria-valuenow', Math.round(at));
    divider.setAttribute('aria-valuetext', `${Math.round(at)}% of the picture before`);
  }
  const drag = (event) => {
    const box = picture.getBoundingClientRect();
    cut((100 * (event.clientX - box.left)) / box.width);
  };
  const picture = h(
    `.split${pixels ? '.pixels' : ''}`,
    {
      pointerdown: (event) => {
        if (event.pointerType !== 'mouse' && event.target !== divider) return; // a finger scrolls
        if (event.button) return;
        event.preventDefault();
        divider.focus({ preventScroll: true });
        picture.setPointerCapture(event.pointerId);
        drag(event);
      },
      pointermove: (event) => picture.hasPointerCapture(event.pointerId) && drag(event),
      click: drag, // a tap
    },
    made,
    over,
    divider,
  );
  const view = h('.view', {}, picture);
  const zooms = [
    ['Fit', false],
    ['1:1', true],
  ].map(([text, whole]) =>
    h('button', { 'aria-pressed': String(!whole), click: () => zoom(whole) }, text),
  );
  /** One pixel of the picture for one of the screen, or the whole picture. */
  function zoom(whole) {
    zooms.forEach((button, i) => button.setAttribute('aria-pressed', (i === 1) === whole));
    view.classList.toggle('whole', whole);
    picture.style.width = whole ? `${made.naturalWidth / (devicePixelRatio || 1)}px` : '';
    if (!whole) return;
    view.scrollLeft = (view.scrollWidth - view.clientWidth) / 2;
    view.scrollTop = (view.scrollHeight - view.clientHeight) / 2;
    cut((100 * (view.scrollLeft + view.clientWidth / 2)) / picture.clientWidth);
  }
  made.addEventListener('load', () => {
    picture.style.maxWidth = `calc(75vh * ${made.naturalWidth / made.naturalHeight})`;
  });
  cut(50);
  return h('div', {}, view, h('.row', {}, h('.zoom', { role: 'group', 'aria-label': 'Zoom' }, zooms), more));
}
