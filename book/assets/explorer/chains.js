// Hamiltonian Monte Carlo on the posterior of two means.
import { Generator } from "./random.js";
import { eigen } from "./posterior.js";

/** One chain. With `ordered` it lives where mu1 < mu2, and is reflected at the border. */
export class Chain {
  /**
   * @param {object} posterior - a Posterior
   * @param {number} seed - of the random numbers, and of the coin that chooses the mode to start from
   * @param {boolean} ordered
   */
  constructor(posterior, seed, ordered = false) {
    const { modes } = posterior;
    Object.assign(this, { posterior, ordered, random: new Generator(seed) });
    const sharpest = Math.max(...modes.map(mode => -eigen(posterior.slopes(...mode).hessian).values[1]));
    this.step = 0.3 / Math.sqrt(sharpest);
    const mode = modes[this.random.uniform() < 0.5 ? 0 : Math.min(1, modes.length - 1)];
    this.at = mode.map(m => m + this.step * this.random.normal());
    if (ordered) this.at.sort((a, b) => a - b);
  }

  /** Leapfrog steps over about a quarter of a turn; then accept their end, or stay. Returns the draw [2]. */
  draw() {
    const { posterior, random } = this, size = this.step * (0.8 + 0.4 * random.uniform());
    let [a, b] = this.at, p = random.normal(), q = random.normal(), [ga, gb] = posterior.slopes(a, b).gradient;
    const before = posterior.logDensity(a, b) - 0.5 * (p * p + q * q);
    for (let left = 4 + Math.floor(5 * random.uniform()); left > 0; left--) {
      p += 0.5 * size * ga; q += 0.5 * size * gb;
      a += size * p; b += size * q;
      if (this.ordered && a > b) [a, b, p, q] = [b, a, q, p];
      [ga, gb] = posterior.slopes(a, b).gradient;
      p += 0.5 * size * ga; q += 0.5 * size * gb;
    }
    const after = posterior.logDensity(a, b) - 0.5 * (p * p + q * q);
    if (Math.log(1 - random.uniform()) < after - before) this.at = [a, b];
    return this.at;
  }
}
