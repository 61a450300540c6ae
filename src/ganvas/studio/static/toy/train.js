// The training: an expert that learns to tell real points from forged ones, and a forger that learns from the expert.
import { Network } from './network.js';
import { realPoints, SHAPES } from './points.js';
import { Random } from './random.js';

const softplus = (s) => Math.max(s, 0) + Math.log1p(Math.exp(-Math.abs(s)));
const sigmoid = (s) => 1 / (1 + Math.exp(-s));

/**
 * The losses, as functions of the expert's score s of one point, each with its derivative.
 *   real, fake: what the expert has to make small, on real and on forged points
 *   forger: what the forger has to make small, on its own points
 *   threshold: the score above which the expert says 'real'; null where only pairs can be compared
 *   share: how real the expert takes a point to be, in [0, 1]; null where a score has no zero point
 *   guess: the lowest loss of an expert that cannot tell real from forged; null where there is none
 */
const logistic = {
  real: [(s) => softplus(-s), (s) => -sigmoid(-s)],
  fake: [softplus, sigmoid],
  threshold: 0,
  share: sigmoid,
  guess: 2 * Math.LN2,
};
export const LOSSES = {
  // Goodfellow et al. 2014, equation 1 and section 3
  nonsaturating: {
    ...logistic,
    title: 'Non-saturating (usual)',
    forger: [(s) => softplus(-s), (s) => -sigmoid(-s)],
  },
  minimax: {
    ...logistic,
    title: 'Saturating (the first)',
    forger: [(s) => -softplus(s), (s) => -sigmoid(s)],
  },
  // Mao et al. 2017, equation 9
  leastsquares: {
    title: 'Least squares',
    real: [(s) => 0.5 * (s - 1) ** 2, (s) => s - 1],
    fake: [(s) => 0.5 * s ** 2, (s) => s],
    forger: [(s) => 0.5 * (s - 1) ** 2, (s) => s - 1],
    threshold: 0.5,
    share: (s) => Math.min(1, Math.max(0, s)),
    guess: 0.25,
  },
  // Arjovsky et al. 2017, equation 2; its penalty: Gulrajani et al. 2017, equation 3
  wasserstein: {
    title: 'Wasserstein',
    real: [(s) => -s, () => -1],
    fake: [(s) => s, () => 1],
    forger: [(s) => -s, () => -1],
    threshold: null,
    share: null,
    guess: null,
  },
};

export const DEFAULTS = {
  shape: 'ring',
  loss: 'nonsaturating',
  rateD: 5e-3, // learning rates of the expert and of the forger
  rateG: 2e-3,
  stepsD: 1, // steps of the expert in a round ...
  stepsG: 1, // ... and of the forger
  penalty: 0.02, // weight of the penalty on the expert's slope
  noise: 2, // numbers that the forger makes a point of
  batch: 64,
  width: 32, // units in each hidden layer
  seed: 1,
};
const SHOWN = 256; // points of either kind that are shown and counted

export class Gan {
  /** @param settings as in DEFAULTS, which hold for what is left out; `drawn`: places [x, y] for the shape 'drawn' */
  constructor(settings = {}, drawn = []) {
    this.settings = { ...DEFAULTS, ...settings };
    this.drawn = drawn;
    this.restart();
  }

  /** From the start, with the same seed: the same training again. */
  restart() {
    const { seed, noise, width } = this.settings;
    const [networks, show] = [new Random(seed), new Random(seed + 7919)];
    this.random = new Random(seed + 104729);
    this.generator = new Network([noise, width, width, 2], networks);
    this.discriminator = new Network([2, width, width, 1], networks);
    this.show = { random: show, real: null, noise: show.fill(new Float64Array(SHOWN * noise)) };
    this.rounds = 0;
    this.losses = { d: null, g: null };
    this.showReal();
  }

  /** Change some settings; what both networks have learned is kept. */
  set(changes) {
    const before = { ...this.settings };
    Object.assign(this.settings, changes);
    const { noise, width } = this.settings;
    if (noise !== before.noise) this.show.noise = this.show.random.fill(new Float64Array(SHOWN * noise));
    if (width !== before.width || noise !== before.noise) {
      this.generator = this.generator.resized([noise, width, width, 2], this.random);
    }
    if (width !== before.width) {
      this.discriminator = this.discriminator.resized([2, width, width, 1], this.random);
    }
    if (this.settings.shape !== before.shape) this.showReal();
  }

  /** Choose anew which real points are shown: the shape has changed. */
  showReal() {
    this.show.real = realPoints(this.settings.shape, SHOWN, new Random(this.settings.seed), this.drawn);
  }

  #noise() {
    const { batch, noise } = this.settings;
    return this.random.fill(new Float64Array(batch * noise));
  }

  /** Is there something to learn? Not before something has been drawn. */
  get ready() {
    return SHAPES[this.settings.shape] !== SHAPES.drawn || this.drawn.length > 0;
  }

  /** The expert learns one step: high scores for real points, low ones for forged points. */
  learnExpert() {
    const { batch: n, shape, loss, penalty, rateD } = this.settings,
      { real, fake } = LOSSES[loss],
      expert = this.discriminator;
    const reals = realPoints(shape, n, this.random, this.drawn),
      forged = this.generator.forward(this.#noise(), n);
    const both = new Float64Array(4 * n);
    both.set(reals);
    both.set(forged.subarray(0, 2 * n), 2 * n);
    const scores = expert.forward(both, 2 * n),
      outer = new Float64Array(2 * n);
    let sum = 0;
    for (let i = 0; i < 2 * n; i += 1) {
      const [value, derivative] = i < n ? real : fake;
      sum += value(scores[i]) / n;
      outer[i] = derivative(scores[i]) / n;
    }
    expert.backward(outer, 2 * n);
    if (penalty > 0) this.#punish(both, n, loss === 'wasserstein');
    expert.learn(rateD);
    this.losses.d = sum;
  }

  /**
   * The penalty on the expert's slope. On real points it should be flat (R1: Mescheder et al. 2018, equation 9); under
   * the Wasserstein loss it should be 1 between real and forged points (Gulrajani et al. 2017).
   */
  #punish(both, n, between) {
    const places = both.slice(0, 2 * n);
    if (between) {
      for (let i = 0; i < n; i += 1) {
        const part = this.random.uniform();
        for (const k of [2 * i, 2 * i + 1]) places[k] += part * (both[2 * n + k] - both[k]);
      }
    }
    const slopes = this.discriminator.slopes(places, n).slice(0, 2 * n);
    for (let i = 0; i < n; i += 1) {
      const length = Math.hypot(slopes[2 * i], slopes[2 * i + 1]);
      const factor = (2 * this.settings.penalty * (between ? 1 - 1 / Math.max(length, 1e-9) : 1)) / n;
      slopes[2 * i] *= factor;
      slopes[2 * i + 1] *= factor;
    }
    this.discriminator.punish(slopes, n);
  }

  /** The forger learns one step: its points should get high scores. The expert is asked, and does not change. */
  learnForger() {
    const { batch: n, rateG } = this.settings;
    this.losses.g = this.#forgersLoss(this.generator.forward(this.#noise(), n), n);
    this.generator.backward(this.discriminator.deltas[0].subarray(0, 2 * n), n);
    this.generator.learn(rateG);
  }

  /** The forger's loss at n points; the derivative by the points is left in the expert's `deltas`. */
  #forgersLoss(points, n) {
    const [value, derivative] = LOSSES[this.settings.loss].forger,
      scores = this.discriminator.forward(points, n),
      outer = new Float64Array(n);
    let sum = 0;
    for (let i = 0; i < n; i += 1) {
      sum += value(scores[i]) / n;
      outer[i] = derivative(scores[i]) / n;
    }
    this.discriminator.backward(outer, n, false);
    return sum;
  }

  /** One round: the expert's steps, then the forger's. */
  round() {
    for (let i = 0; i < this.settings.stepsD; i += 1) this.learnExpert();
    for (let i = 0; i < this.settings.stepsG; i += 1) this.learnForger();
    this.rounds += 1;
  }

  /** The forged points that are shown: always of the same noise, so that one can follow them. */
  forged() {
    return this.generator.forward(this.show.noise, SHOWN).slice(0, 2 * SHOWN);
  }

  /** Where each of n points would have to go for the forger's loss to fall, per point: x, y, x, y, ... */
  pushes(points) {
    const n = points.length / 2;
    this.#forgersLoss(points, n);
    return this.discriminator.deltas[0].slice(0, 2 * n).map((d) => -d * n);
  }

  /** The expert's scores of n points. */
  scores(points) {
    return this.discriminator.forward(points, points.length / 2).slice(0, points.length / 2);
  }

  /** How often the expert is right on the points that are shown, as shares; one number where pairs are compared. */
  accuracy(forged) {
    const [real, fake] = [this.scores(this.show.real), this.scores(forged)],
      { threshold } = LOSSES[this.settings.loss];
    const share = (of) => of.filter(Boolean).length / SHOWN;
    if (threshold === null) return { pairs: share(Array.from(real, (s, i) => s > fake[i])) };
    return {
      real: share(Array.from(real, (s) => s > threshold)),
      fake: share(Array.from(fake, (s) => s <= threshold)),
    };
  }
}
