// The pictures of a run over time.
import { h, at, whole } from './dom.js';

const FRAME = 450; // milliseconds of a picture while time plays

/** The pictures of a run on a slider of time, `before` says what the first shows; `update(pictures)` when there are more. */
export function film(name, before) {
  const image = h('img.sheet', { alt: 'Pictures that the network makes', width: 560, height: 560 }),
    when = h('p.soft', {}, 'The first picture comes in a moment.');
  const range = h('input', {
      type: 'range',
      min: 0,
      max: 0,
      value: 0,
      'aria-label': 'Time, from the first picture to the newest',
    }),
    play = h('button', {}, 'Play from the start');
  let pictures = [],
    newest = true,
    timer = 0;
  const look = (i) => {
    const found = pictures[Math.max(0, Math.min(pictures.length - 1, i))];
    if (!found) return;
    const source = at(name, `/samples/${found.file}`);
    if (image.getAttribute('src') !== source) image.src = source;
    when.textContent = found.file.startsWith('fakes_init') ? before : `After ${whole(found.images)} images.`;
    range.value = i;
    range.setAttribute('aria-valuetext', when.textContent);
  };
  const halt = () => {
    clearInterval(timer);
    timer = 0;
    play.textContent = 'Play from the start';
  };
  range.addEventListener('input', () => {
    halt();
    newest = +range.value === pictures.length - 1;
    look(+range.value);
  });
  play.addEventListener('click', () => {
    if (timer) {
      halt();
      return;
    }
    let i = 0;
    newest = false;
    play.textContent = 'Stop playing';
    look(0);
    timer = setInterval(() => {
      i += 1;
      look(i);
      if (i < pictures.length - 1) return;
      newest = true;
      halt();
    }, FRAME);
  });
  return {
    parts: [image, when, h('.row', {}, play, h('.grow', {}, range))],
    update(now) {
      pictures = now;
      range.max = Math.max(0, pictures.length - 1);
      if (newest) look(pictures.length - 1);
    },
    halt,
  };
}
