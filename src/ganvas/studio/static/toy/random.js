// Random numbers that follow from a seed: the same start gives the same training on every machine.

/** 32 bits of state; each number is the state's count, mixed until no bit of the result resembles the next one's. */
export class Random {
  constructor(seed) {
    this.state = seed >>> 0;
    this.spare = null;
  }
  /** A number in [0, 1). */
  uniform() {
    this.state = (this.state + 0x9e3779b9) >>> 0;
    let x = this.state;
    x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
    x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
    return ((x ^ (x >>> 15)) >>> 0) / 2 ** 32;
  }
  /** A whole number from 0 to n - 1. */
  below(n) {
    return Math.floor(this.uniform() * n);
  }
  /** A number of the normal distribution with mean 0 and standard deviation 1 (Box and Muller 1958, two at a time). */
  normal() {
    if (this.spare !== null) {
      const kept = this.spare;
      this.spare = null;
      return kept;
    }
    const length = Math.sqrt(-2 * Math.log(1 - this.uniform())),
      angle = 2 * Math.PI * this.uniform();
    this.spare = length * Math.sin(angle);
    return length * Math.cos(angle);
  }
  /** Fill an array with normal numbers. */
  fill(array) {
    for (let i = 0; i < array.length; i += 1) array[i] = this.normal();
    return array;
  }
}
