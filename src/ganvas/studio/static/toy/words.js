// What the page says: the four parts of a round, what can be seen right now, and things to try.
import { percent } from '../dom.js';
import { found, SHAPES, spread } from './points.js';
import { DEFAULTS } from './train.js';

const CLUMP = 0.9; // a spread that is far below that of the real points

const times = (count) => (count > 1 ? `: ${count} times in a row` : '');

/** The parts of a round: whose turn it is, what happens, and from what it learns. */
export const PHASES = [
  {
    who: 'forger',
    title: 'The forger draws',
    words: ({ noise }) =>
      `It gets random numbers (${noise} for each point) and turns them into points: the orange diamonds. The same numbers always give the same point, until the forger learns.`,
  },
  {
    who: 'expert',
    title: 'The expert learns',
    words: ({ batch, stepsD }) =>
      `It gets ${batch} real and ${batch} forged points, and is told which are which. It changes its weights a little, so that real ones score higher and forged ones lower${times(stepsD)}. The forger does not change.`,
  },
  {
    who: 'expert',
    title: 'The expert marks the forgeries',
    words: ({ loss }) =>
      `${loss === 'wasserstein' ? 'Blue: here its score is high. Orange: here it is low.' : 'Blue: here it says “real”. Orange: here it says “forged”.'} Each forged point then gets an arrow that shows which way it would look more real to the expert. That is not always the way to a real point.`,
  },
  {
    who: 'forger',
    title: 'The forger learns',
    words: ({ stepsG }) =>
      `It never sees a real point. The arrows are all it gets. It changes its weights so that the same random numbers give points a little further along them${times(stepsG)}. The expert does not change.`,
  },
];

/** What can be seen, in one or two sentences. */
export function remark(gan, forged, accuracy) {
  const has = found(gan.settings.shape, forged, gan.show.real);
  const { shape } = gan.settings;
  if (!gan.ready) return 'Draw the real points: press and drag in the square, or use the arrow keys and the space bar.';
  if (gan.rounds < 30) return 'Both begin with random weights. The forger makes a cloud, and the expert guesses.';
  const right = accuracy.pairs ?? (accuracy.real + accuracy.fake) / 2,
    often =
      accuracy.pairs === undefined
        ? `The expert is right ${percent(right)} of the time; guessing is 50%.`
        : `Shown a real and a forged point, the expert scores the real one higher ${percent(right)} of the time; guessing is 50%. (With this loss no score means “real”: only pairs can be compared.)`;
  if (has.centres) {
    const [count, all] = has.centres;
    if (count === all) return `The forger has found all ${all} spots. ${often}`;
    if (count <= all / 3 && gan.rounds > 100 && spread(forged) < CLUMP)
      return `Mode collapse: all points in one clump${count ? '' : ', off the spots'}. The forger makes only what fools the expert right now; the expert will notice, and the clump will move on.`;
    return `${count} of ${all} spots found. ${often}`;
  }
  return `The forger covers ${percent(has.share)} of the ${shape === 'drawn' ? 'drawing' : SHAPES[shape].title.toLowerCase()}. ${often}`;
}

/** Complete settings that show something, and what. */
export const PRESETS = [
  {
    title: 'It learns well',
    again: true,
    settings: { ...DEFAULTS },
    words: 'From the start: an expert that learns faster than the forger, and is kept from being too steep.',
  },
  {
    title: 'Mode collapse',
    again: true,
    settings: { shape: 'ring', loss: 'nonsaturating', rateD: 5e-3, rateG: 5e-3, stepsD: 1, stepsG: 10, penalty: 0, noise: 2, batch: 32, width: 32, seed: 5 },
    words:
      'From the start: ten steps of the forger for each one of the expert. It has time to put all its points in the one place that fools the expert right now. The expert notices, the clump jumps, and so on.',
  },
  {
    title: 'Fix it',
    again: false,
    settings: { rateD: 5e-3, rateG: 2e-3, stepsD: 1, stepsG: 1, penalty: 0.02, batch: 64 },
    words:
      'Continues with the same two networks: one step each, the forger’s smaller, and a penalty that keeps the expert’s surface gentle near real points. Soon the clump spreads to all spots.',
  },
];

/** For a lesson: what to try, and what it shows. */
export const LESSONS = [
  ['Who learns from what?', 'Choose slow motion. Say aloud, for each part, which network changes and what it has seen.'],
  ['Only one learns.', 'Let only the expert learn for a while (the list next to the single steps): its surface becomes steep around the spots. Then only the forger: all its points run to where the expert says “real”, and stay there, since nobody corrects the expert.'],
  ['Why is 50% the goal?', 'When forged points are spread exactly like the real ones, nobody can tell them apart. The best expert can only guess, and its loss is 2 × ln 2 ≈ 1.39.'],
  ['Why do the losses not fall to 0?', 'Each network makes the other’s task harder. Steady losses can mean that both learn.'],
  ['One random number.', 'Set “Random numbers per point” to 1: the forger can only bend a line into the plane. See how quickly it crosses the gaps between the spots.'],
  ['No slope, no lesson.', 'Choose the saturating loss, and let only the expert learn for a few seconds: the arrows get short. Where the expert is sure, the forger learns nothing. With the non-saturating loss the arrows stay long.'],
];

export const CLOSING =
  'The idea for this page comes from GAN Lab (Kahng et al. 2018). In Ganvas the same two networks learn from pictures, sounds and tables; they are only larger.';
export const OPENING =
  'Two small networks, live in your browser. The forger makes points that should pass for real; the expert says which are real. Each learns from the other.';
export const SAME = 'The same seed gives the same training; a new one starts over.';
