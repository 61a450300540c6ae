// How far a run is, as tiles.
import { h, whole, figure, duration } from './dom.js';

/** What is shown until the first step. */
export const startingText = (samples = 'data') =>
  `Starting: reading the ${samples === 'images' ? 'pictures' : samples}, building the networks ...`;

/** How far a run is: a tile each for images, epoch, speed and times; `now` is its newest log line or progress. */
export function tilesOf(part, now = null, total = 0, running = false, more = {}) {
  const speed = now?.images_per_second,
    left = Math.max(0, total - (now?.images ?? 0)) / Math.max(speed ?? 0, 1e-9);
  const shown = {
    [`${part.samples} seen`]: total ? `${whole(now?.images)} of ${whole(total)}` : '–',
    epoch: figure(now?.epoch),
    [`${part.samples} per second`]: !speed ? '–' : speed < 10 ? figure(speed) : whole(speed),
    'training time': now ? duration(now.seconds) : '–',
    'time left': !running || !speed ? '–' : left ? duration(left) : 'finishing ...',
    ...more,
  };
  return Object.entries(shown).map(([k, v]) => h('div', {}, h('dt', {}, k), h('dd', {}, v)));
}
