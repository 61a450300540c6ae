// What a run shows of itself over time.
import { h, runPath, whole } from './dom.js';

const FRAME = 450; // milliseconds per moment during playback

/** A run's pictures on a time slider; `before` describes the first one, `update(pictures)` shows new ones. */
export function film(name, before) {
  const image = h('img.sheet', { alt: 'Pictures that the network makes', width: 560, height: 560 });
  return timeline('picture', 'images', before, image, ({ file }) => {
    const source = runPath(name, `/samples/${file}`);
    if (image.getAttribute('src') !== source) image.src = source;
  });
}

/**
 * Moments of a training on a slider.
 * @param what a moment shows, and `samples` are what the training has seen until then
 * @param shown the element in which `show(moment)` shows one
 */
export function timeline(what, samples, before, shown, show) {
  const when = h('p.soft', {}, `The first ${what} will appear in a moment.`);
  const range = h('input', {
      type: 'range',
      min: 0,
      max: 0,
      value: 0,
      'aria-label': `Time, from the first ${what} to the newest`,
    }),
    play = h('button', {}, 'Play from the start');
  let moments = [],
    newest = true,
    timer = 0;
  const go = (i) => {
    const moment = moments[Math.max(0, Math.min(moments.length - 1, i))];
    if (!moment) return;
    show(moment);
    when.textContent = moment.file.startsWith('fakes_init') ? before : `After ${whole(moment.images)} ${samples}.`;
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
    newest = +range.value === moments.length - 1;
    go(+range.value);
  });
  play.addEventListener('click', () => {
    if (timer) {
      stop();
      return;
    }
    let i = 0;
    newest = false;
    play.textContent = 'Stop playing';
    go(0);
    timer = setInterval(() => {
      i += 1;
      go(i);
      if (i < moments.length - 1) return;
      newest = true;
      stop();
    }, FRAME);
  });
  return {
    parts: [shown, when, h('.row', {}, play, h('.grow', {}, range))],
    update(now) {
      moments = now;
      range.max = Math.max(0, moments.length - 1);
      if (newest) go(moments.length - 1);
    },
    stop,
  };
}
