// A network as small as can be: layers of weights, leaky ReLUs between them, and the derivatives, all written out.

const LEAK = 0.2; // slope of the activation below 0
const [BETA_1, BETA_2, TINY] = [0, 0.99, 1e-8]; // of Adam: no momentum, as is usual in GANs

/** The slope of the activation, from its result: both have the same sign. */
const slope = (value) => (value > 0 ? 1 : LEAK);

/**
 * A fully connected network. Rows of numbers follow each other in a flat array: n rows of `sizes[0]` numbers go
 * in, n rows of the last size come out. All weights are in `weights`, and their gradients, which add up until `learn`,
 * in `gradients`.
 */
export class Network {
  /** @param sizes numbers that go in, units of each hidden layer, numbers that come out */
  constructor(sizes, random) {
    this.sizes = sizes;
    this.layers = [];
    let count = 0;
    for (let l = 1; l < sizes.length; l += 1) {
      const [from, to] = [sizes[l - 1], sizes[l]];
      this.layers.push({ from, to, w: count, b: count + from * to, last: l === sizes.length - 1 });
      count += (from + 1) * to;
    }
    this.weights = new Float64Array(count);
    this.gradients = new Float64Array(count);
    this.mean = new Float64Array(count); // Adam's averages of the gradients ...
    this.square = new Float64Array(count); // ... and of their squares
    this.steps = 0;
    this.room = 0; // rows that fit into the arrays below
    for (const { from, to, w, last } of this.layers) {
      // He et al. 2015: signals keep their size; the output begins small, so that neither network has a strong opinion
      const deviation = last ? 0.5 / Math.sqrt(from) : Math.sqrt(2 / (1 + LEAK ** 2) / from);
      for (let i = 0; i < from * to; i += 1) this.weights[w + i] = deviation * random.normal();
    }
  }

  #reserve(n) {
    if (n <= this.room) return;
    this.room = n;
    const rows = () => this.sizes.map((size) => new Float64Array(n * size));
    this.values = rows(); // of each layer, after its activation
    this.deltas = rows(); // derivatives by what each layer computes before its activation; [0]: by the input
    this.tangents = rows(); // how the values change along a direction of the input
  }

  /** What comes out for n rows; the array is used again by the next call. */
  forward(input, n) {
    this.#reserve(n);
    this.values[0].set(n * this.sizes[0] === input.length ? input : input.subarray(0, n * this.sizes[0]));
    this.layers.forEach(({ from, to, w, b, last }, l) => {
      const [x, y, weights] = [this.values[l], this.values[l + 1], this.weights];
      for (let row = 0; row < n; row += 1) {
        for (let j = 0; j < to; j += 1) {
          let sum = weights[b + j];
          for (let i = 0, at = w + j * from, of = row * from; i < from; i += 1) sum += weights[at + i] * x[of + i];
          y[row * to + j] = last || sum > 0 ? sum : LEAK * sum;
        }
      }
    });
    return this.values.at(-1);
  }

  /**
   * The chain rule, from the last `forward` of n rows backwards.
   * @param outer the derivative of a loss by each number that came out
   * @param learns whether the gradients of the weights are added to `gradients`
   * @returns the derivative of the loss by each number that went in
   */
  backward(outer, n, learns = true) {
    this.deltas.at(-1).set(outer.length === n * this.sizes.at(-1) ? outer : outer.subarray(0, n * this.sizes.at(-1)));
    for (let l = this.layers.length - 1; l >= 0; l -= 1) {
      const { from, to, w, b } = this.layers[l],
        [x, inner, delta, weights] = [this.values[l], this.deltas[l], this.deltas[l + 1], this.weights];
      inner.fill(0, 0, n * from);
      for (let row = 0; row < n; row += 1) {
        const of = row * from;
        for (let j = 0; j < to; j += 1) {
          const d = delta[row * to + j];
          for (let i = 0, at = w + j * from; i < from; i += 1) inner[of + i] += d * weights[at + i];
        }
        if (l > 0) for (let i = 0; i < from; i += 1) inner[of + i] *= slope(x[of + i]);
      }
      if (learns) this.#collect(delta, x, n, from, to, w, b);
    }
    return this.deltas[0];
  }

  /** Add delta x input, over n rows, to the gradients of a layer; without `b` those of its weights alone. */
  #collect(delta, x, n, from, to, w, b = null) {
    const { gradients } = this;
    for (let row = 0; row < n; row += 1) {
      for (let j = 0; j < to; j += 1) {
        const d = delta[row * to + j];
        if (b !== null) gradients[b + j] += d;
        for (let i = 0, at = w + j * from, of = row * from; i < from; i += 1) gradients[at + i] += d * x[of + i];
      }
    }
  }

  /**
   * The slope of a network with one output at n places: the derivative of the output by the input.
   * `punish` can follow: it adds the gradients of a loss that depends on this slope.
   */
  slopes(input, n) {
    this.forward(input, n);
    return this.backward(new Float64Array(n).fill(1), n, false);
  }

  /**
   * @param outer the derivative of a loss by each number that `slopes` gave
   *
   * The slope is a product of all weights, and of the activations' slopes, which do not change with a small change of
   * the weights. So the derivative by one layer's weights is what comes to it from behind (`deltas`) times what comes
   * from the front: `outer`, sent through the layers as if it were a small change of the input.
   */
  punish(outer, n) {
    this.tangents[0].set(outer.subarray(0, n * this.sizes[0]));
    this.layers.forEach(({ from, to, w }, l) => {
      const [x, y, next, { weights }] = [this.tangents[l], this.tangents[l + 1], this.values[l + 1], this];
      this.#collect(this.deltas[l + 1], x, n, from, to, w);
      for (let row = 0; row < n; row += 1) {
        for (let j = 0; j < to; j += 1) {
          let sum = 0;
          for (let i = 0, at = w + j * from, of = row * from; i < from; i += 1) sum += weights[at + i] * x[of + i];
          y[row * to + j] = sum * slope(next[row * to + j]);
        }
      }
    });
  }

  /** One step against the gradients, which are used up (Adam: Kingma and Ba 2015). */
  learn(rate) {
    this.steps += 1;
    const { weights, gradients, mean, square } = this,
      [first, second] = [1 - BETA_1 ** this.steps, 1 - BETA_2 ** this.steps];
    for (let i = 0; i < weights.length; i += 1) {
      const g = gradients[i];
      mean[i] += (1 - BETA_1) * (g - mean[i]);
      square[i] += (1 - BETA_2) * (g * g - square[i]);
      weights[i] -= (rate * mean[i]) / first / (Math.sqrt(square[i] / second) + TINY);
    }
    gradients.fill(0);
  }

  /**
   * A network of other sizes that keeps what this one has learned. A larger one gives the same output: nothing that
   * was there listens to a new unit yet. A smaller one forgets the units that no longer fit.
   */
  resized(sizes, random) {
    const made = new Network(sizes, random);
    made.steps = this.steps;
    this.layers.forEach((old, l) => {
      const now = made.layers[l];
      for (let j = 0; j < Math.min(old.to, now.to); j += 1) {
        for (let i = 0; i < now.from; i += 1) {
          for (const key of ['weights', 'mean', 'square']) {
            made[key][now.w + j * now.from + i] = i < old.from ? this[key][old.w + j * old.from + i] : 0;
          }
        }
        for (const key of ['weights', 'mean', 'square']) made[key][now.b + j] = this[key][old.b + j];
      }
    });
    return made;
  }
}
