// The pictures of a run over time.
import { h, runPath, whole } from './dom.js';

const FRAME = 450; // milliseconds per picture during playback

/** A run's pictures on a time slider; `before` describes the first one, `update(pictures)` shows new ones. */
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
  const show = (i) => {
    const picture = pictures[Math.max(0, Math.min(pictures.length - 1, i))];
    if (!picture) return;
    const source = runPath(name, `/samples/${picture.file}`);
    if (image.getAttribute('src') !== source) image.src = source;
    when.textContent = picture.file.startsWith('fakes_init') ? before : `After ${whole(picture.images)} images.`;
    range.value = i;
    range.setAttribute('aria-valuetext', when.textContent);
  };
  const stop = () => {
    clearInterval(timer);
    timer = 0;
    play.textContent = 'Play from the start';
  };
  range.addEventListener('input', () => {
    stop();
    newest = +range.value === pictures.length - 1;
    show(+range.value);
  });
  play.addEventListener('click', () => {
    if (timer) {
      stop();
      return;
    }
    let i = 0;
    newest = false;
    play.textContent = 'Stop playing';
    show(0);
    timer = setInterval(() => {
      i += 1;
      show(i);
      if (i < pictures.length - 1) return;
      newest = true;
      stop();
    }, FRAME);
  });
  return {
    parts: [image, when, h('.row', {}, play, h('.grow', {}, range))],
    update(now) {
      pictures = now;
      range.max = Math.max(0, pictures.length - 1);
      if (newest) show(pictures.length - 1);
    },
    stop,
  };
}
