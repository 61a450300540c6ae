// How long: presets of time as numbers of images, by the speed of a training on this machine.
import { duration, whole } from './dom.js';

export const LENGTHS = [
  ['minute', 'A minute', 60],
  ['ten', 'Ten minutes', 600],
  ['hour', 'An hour', 3600],
];
const WORK = 0.9; // share of the time that goes into steps; the rest into reading data, pictures, a detector
const LEAST = 500; // images

/** A number for people: its first two digits. */
function rounded(n) {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(n)) - 1);
  return Math.max(1, Math.floor(n / unit) * unit);
}

/**
 * What a training of so many seconds gives.
 * @param rate images a second
 * @param stages pairs of a number of images and what has come of it; may be empty
 * @returns images, seconds, the words of the last stage, and whether more would be of no use
 */
export function outcome(seconds, rate, stages) {
  const most = stages.length > 1 ? stages.at(-1)[0] : Infinity,
    wanted = rounded(Math.max(LEAST, rate * seconds * WORK)),
    images = Math.min(most, wanted);
  return { images, seconds: images / rate / WORK, words: reached(images, stages), enough: wanted >= most };
}

/** The words of the last stage that so many images reach. */
export const reached = (images, stages) => stages.filter(([from]) => from <= images).at(-1)?.[1] ?? '';

/** The settings of a training of so many images. */
export const settingsOf = (images, batch) => ({
  images: String(images),
  tick_every: String(Math.max(batch, rounded(images / 50))),
  sample_every: String(Math.max(batch, rounded(images / 10))),
});

/** An outcome as a sentence. */
export function told({ images, seconds, words, enough }, samples) {
  const count = `${whole(images)} ${samples}`;
  return `${count}${enough ? `, about ${duration(seconds)}` : ''}${words ? `: ${words}` : ''}.${enough ? ' A longer training would not help.' : ''}`;
}
