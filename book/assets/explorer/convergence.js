// What chains have done so far: switches, and rank-normalised split R-hat of the first and of the smaller mean.

const KEPT = 4000; // draws of each chain; a longer run is thinned to this many or fewer

/** Looks at the draws of some chains as they come. */
export class Convergence {
  constructor(chains) {
    this.kept = Array.from({ length: chains }, () => []);
    this.below = Array(chains).fill(null);
    Object.assign(this, { draws: 0, switches: 0, every: 1, next: 20, rhat: { first: NaN, smaller: NaN } });
  }

  /** @param {number[][]} means - one draw [2] of each chain */
  add(means) {
    const keep = this.draws++ % this.every === 0;
    means.forEach(([a, b], k) => {
      if (this.below[k] !== null && this.below[k] !== a < b) this.switches++;
      this.below[k] = a < b;
      if (keep) this.kept[k].push([a, b]);
    });
    if (this.kept[0].length < KEPT) return;
    this.every *= 2;
    this.kept = this.kept.map(chain => chain.filter((_, t) => t % 2 === 0));
  }

  /** The counts, and R-hat: computed anew whenever there are a twentieth more draws. */
  summary() {
    if (this.draws >= this.next) {
      this.next = 1.05 * this.draws;
      const of = value => rhat(this.kept.map(chain => chain.map(value)));
      this.rhat = { first: of(([a]) => a), smaller: of(([a, b]) => Math.min(a, b)) };
    }
    return { draws: this.draws, switches: this.switches, rhat: this.rhat };
  }
}

/**
 * R-hat of Vehtari et al. (2021): halves of chains, ranks turned into normal scores, between against within; and once
 * more for distances from the median.
 * @param {number[][]} chains - of equal length
 * @returns {number}
 */
export function rhat(chains) {
  const half = Math.floor(chains[0].length / 2), parts = chains.flatMap(c => [c.slice(0, half), c.slice(-half)]);
  const all = parts.flat().sort((a, b) => a - b), middle = (all[(all.length - 1) >> 1] + all[all.length >> 1]) / 2;
  return Math.max(spread(scores(parts)), spread(scores(parts.map(part => part.map(v => Math.abs(v - middle))))));
}

function scores(parts) {
  const size = parts[0].length, flat = Float64Array.from(parts.flat()), out = new Float64Array(flat.length);
  const order = Uint32Array.from(flat.keys()).sort((i, j) => flat[i] - flat[j]);
  for (let i = 0, j; i < order.length; i = j) { // ties share their mean rank
    for (j = i + 1; j < order.length && flat[order[j]] === flat[order[i]];) j++;
    const score = quantile(((i + j + 1) / 2 - 0.375) / (flat.length + 0.25));
    for (let k = i; k < j; k++) out[order[k]] = score;
  }
  return parts.map((_, p) => out.subarray(p * size, (p + 1) * size));
}

const mean = values => values.reduce((sum, v) => sum + v, 0) / values.length;

function variance(values) {
  const centre = mean(values);
  return values.reduce((sum, v) => sum + (v - centre) ** 2, 0) / (values.length - 1);
}

function spread(parts) {
  const n = parts[0].length;
  return Math.sqrt((n - 1) / n + variance(parts.map(mean)) / mean(parts.map(variance)));
}

// Giles (2010): the inverse error function in single precision, which is plenty for a score
const NEAR = [2.81022636e-8, 3.43273939e-7, -3.5233877e-6, -4.39150654e-6, 0.00021858087, -0.00125372503, -0.00417768164, 0.246640727, 1.50140941];
const FAR = [-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613, 0.00943887047, 1.00167406, 2.83297682];

function quantile(p) {
  const z = 2 * p - 1, w = -Math.log((1 - z) * (1 + z)), [at, by] = w < 5 ? [w - 2.5, NEAR] : [Math.sqrt(w) - 3, FAR];
  return Math.SQRT2 * z * by.reduce((sum, coefficient) => sum * at + coefficient);
}
