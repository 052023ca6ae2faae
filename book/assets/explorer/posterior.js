// The posterior of two means, exactly: the numbers of `mixtures.exact`, for scales of 1 and priors centred at 0.
import { integrate } from "./quadrature.js";

const LOG_SQRT_2PI = 0.5 * Math.log(2 * Math.PI);

/** Log densities are in nats, and those of points are not normalised: likelihood times prior. */
export class Posterior {
  /**
   * @param {Float64Array} x - the observations
   * @param {number[]} weights - of the two components
   * @param {number} priorSd - standard deviation of the priors of both means
   */
  constructor(x, weights, priorSd) {
    Object.assign(this, { x, weights, priorSd, precision: priorSd ** -2, exchangeable: weights[0] === weights[1] });
    this.modes = this.#findModes();
    this.saddle = this.modes.length > 1 ? this.#findSaddle() : null;
    Object.assign(this, integrate(this));
  }

  /** Log density at the lower of the two highest modes minus that at the pass; 0 with one mode, NaN where no pass is found. */
  get barrier() { return this.#above(1); }

  /** The same for the highest mode. */
  get barrierFromTop() { return this.#above(0); }

  #above(k) {
    if (this.modes.length > 1 && !this.saddle) return NaN;
    return this.saddle ? Math.max(0, this.logDensity(...this.modes[k]) - this.logDensity(...this.saddle)) : 0;
  }

  logPrior(mu) { return -LOG_SQRT_2PI - Math.log(this.priorSd) - 0.5 * mu * mu * this.precision; }

  logDensity(a, b) {
    const [w, v] = this.weights;
    let total = -this.x.length * LOG_SQRT_2PI, product = 1, count = 0;
    for (const x of this.x) {
      const p = 0.5 * (x - a) ** 2, q = 0.5 * (x - b) ** 2, low = p < q ? p : q;
      total -= low;
      product *= w * Math.exp(low - p) + v * Math.exp(low - q);
      // one logarithm for sixteen observations: their product cannot underflow
      if (++count % 16 === 0) { total += Math.log(product); product = 1; }
    }
    return total + Math.log(product) + this.logPrior(a) + this.logPrior(b);
  }

  /** @returns {{gradient: number[], hessian: number[]}} of the log density; the Hessian as (aa, ab, bb) */
  slopes(a, b) {
    const odds = this.weights[1] / this.weights[0], tau = this.precision;
    let ga = -a * tau, gb = -b * tau, haa = -tau, hab = 0, hbb = -tau;
    for (const x of this.x) {
      const p = x - a, q = x - b, r = 1 / (1 + odds * Math.exp(0.5 * (p * p - q * q))), s = r * (1 - r);
      ga += r * p; gb += (1 - r) * q;
      haa += s * p * p - r; hab -= s * p * q; hbb += s * q * q - (1 - r);
    }
    return { gradient: [ga, gb], hessian: [haa, hab, hbb] };
  }

  // EM from pairs of quantiles of the data, then Newton's steps
  #findModes() {
    const sorted = this.x.slice().sort();
    const levels = [0, 0.15, 0.35, 0.65, 0.85, 1].map((q, i) => sorted[Math.round(q * (sorted.length - 1))] + 0.08 * i - 0.2);
    const starts = levels.flatMap(a => levels.filter(b => (this.exchangeable ? a < b : a !== b)).map(b => [a, b]));
    let peaks = starts.map(start => this.#climb(this.#em(start))).filter(Boolean);
    if (this.exchangeable) peaks = peaks.flatMap(([a, b]) => [[Math.min(a, b), Math.max(a, b)], [Math.max(a, b), Math.min(a, b)]]);
    const apart = 1e-3 / Math.sqrt(this.x.length), found = [];
    for (const peak of peaks)
      if (found.every(mode => Math.max(...mode.map((m, k) => Math.abs(m - peak[k]))) > apart)) found.push(peak);
    return found.sort((one, other) => this.logDensity(...other) - this.logDensity(...one));
  }

  #em(mu, rounds = 25) {
    for (let round = 0; round < rounds; round++) {
      const { gradient } = this.slopes(...mu), mass = this.#mass(...mu);
      mu = mu.map((m, k) => m + gradient[k] / (mass[k] + this.precision));
    }
    return mu;
  }

  // how many observations each component holds
  #mass(a, b) {
    const odds = this.weights[1] / this.weights[0];
    let first = 0;
    for (const x of this.x) first += 1 / (1 + odds * Math.exp(0.5 * ((x - a) ** 2 - (x - b) ** 2)));
    return [first, this.x.length - first];
  }

  // Up on all sides; null where that ends on a pass
  #climb(mu) {
    for (let i = 0; i < 200; i++) {
      const { gradient, hessian } = this.slopes(...mu), step = newton(gradient, hessian, [1, 1]);
      const longest = Math.max(...step.map(Math.abs));
      mu = mu.map((m, k) => m + step[k] * Math.min(1, 0.3 / longest));
      if (longest < 1e-12) break;
    }
    return eigen(this.slopes(...mu).hessian).values[0] < 0 ? mu : null;
  }

  // In closed form where paths between mirror images must cross the diagonal; else the lowest point of the ridge
  // between the modes, and steps that go down along it and up across it
  #findSaddle() {
    const { x, modes: [low, high] } = this;
    if (this.exchangeable) return Array(2).fill(x.reduce((s, v) => s + v, 0) / (x.length + 2 * this.precision));
    const along = high.map((h, k) => h - low[k]);
    const place = (t, u) => [low[0] + t * along[0] - u * along[1], low[1] + t * along[1] + u * along[0]];
    const ticks = Array.from({ length: 21 }, (_, i) => (i - 10) / 10);
    let [t, u, dt, du] = [0.5, 0, 0.5, 1];
    for (let round = 0; round < 12; round++, dt /= 3, du /= 3) {
      const ridge = ticks.map(i => ticks.map(j => [this.logDensity(...place(t + dt * i, u + du * j)), t + dt * i, u + du * j])
        .reduce((best, next) => (next[0] > best[0] ? next : best)));
      [, t, u] = ridge.reduce((best, next) => (next[0] < best[0] ? next : best));
    }
    // where the ridge leads astray, from points on the straight line
    return this.#pass(place(t, u)) ?? ticks.map(i => this.#pass(place(0.5 + 0.5 * i, 0))).filter(Boolean)
      .sort((one, other) => this.logDensity(...other) - this.logDensity(...one))[0] ?? null;
  }

  // Down one way and up the other; null where that does not end on a pass
  #pass(mu) {
    let longest;
    for (let i = 0; i < 100; i++) {
      const { gradient, hessian } = this.slopes(...mu), step = newton(gradient, hessian, [-1, 1]);
      longest = Math.max(...step.map(Math.abs));
      mu = mu.map((m, k) => m + step[k] * Math.min(1, 0.25 / longest));
      if (longest < 1e-12) break;
    }
    const { values: [up, down] } = eigen(this.slopes(...mu).hessian);
    return longest < 1e-6 && up > 0 && down < 0 ? mu : null;
  }
}

/** Newton's step: along the Hessian's axes, the more curved upwards first, up (1) or down (-1) as the signs say. */
export function newton(gradient, hessian, signs) {
  const { values, vectors } = eigen(hessian), step = [0, 0];
  vectors.forEach((axis, k) => {
    const size = signs[k] * (gradient[0] * axis[0] + gradient[1] * axis[1]) / Math.max(Math.abs(values[k]), 1e-9);
    step[0] += size * axis[0]; step[1] += size * axis[1];
  });
  return step;
}

/** Eigenvalues, largest first, and eigenvectors of the symmetric matrix (aa, ab, bb). */
export function eigen([aa, ab, bb]) {
  const mean = (aa + bb) / 2, half = Math.hypot((aa - bb) / 2, ab), angle = 0.5 * Math.atan2(2 * ab, aa - bb);
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  return { values: [mean + half, mean - half], vectors: [[c, s], [-s, c]] };
}
