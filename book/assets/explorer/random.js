// NumPy's random generator, so that "dataset 8" means the same numbers here and in Python: SeedSequence and PCG64
// (O'Neill 2014), and the ziggurat with 256 layers (Marsaglia and Tsang 2000).

const WORD = (1n << 64n) - 1n, STATE = (1n << 128n) - 1n;
const MULTIPLIER = 0x2360ed051fc65da44385df649fccf645n;
const POOL = 4;

const folded = value => value ^ (value >>> 16);

// A hash whose constant moves on at each call
function hasher(constant, factor) {
  return value => {
    value ^= constant;
    constant = Math.imul(constant, factor);
    return folded(Math.imul(value, constant));
  };
}

// SeedSequence: spreads a seed below 2^32 over a pool of words, and returns eight words made from it
function words(seed) {
  const hash = hasher(0x43b0d7e5, 0x931e8875);
  const pool = Array.from({ length: POOL }, (_, i) => hash(i === 0 ? seed : 0));
  for (let from = 0; from < POOL; from++) for (let to = 0; to < POOL; to++)
    if (from !== to) pool[to] = folded(Math.imul(0xca01f9dd, pool[to]) - Math.imul(0x4973f715, hash(pool[from])));
  const out = hasher(0x8b51f9dd, 0x58f38ded);
  return Array.from({ length: 2 * POOL }, (_, i) => BigInt(out(pool[i % POOL]) >>> 0));
}

// The right edges of the ziggurat's layers, from the base strip upwards, and its density there. Each layer has one area.
const EDGE = 3.6541528853610088, AREA = 0.0049286732339746549;
const height = x => Math.exp(-0.5 * x * x);
const edges = new Float64Array(256), heights = new Float64Array(256);
edges[255] = EDGE;
for (let i = 255; i > 1; i--) edges[i - 1] = Math.sqrt(-2 * Math.log(AREA / edges[i] + height(edges[i])));
edges.forEach((edge, i) => { heights[i] = height(edge); });
// the base strip, as wide as if the tail were part of a rectangle
edges[0] = AREA / heights[255];
// A layer's share that lies under the curve for certain; the topmost has none
const sure = edges.map((edge, i) => (i === 1 ? 0 : (i === 0 ? EDGE : edges[i - 1]) / edge));
const FINE = 2 ** -52;

/** Random numbers as `numpy.random.default_rng(seed)` gives them, but for rounding in the last digits of normal ones. */
export class Generator {
  #state;
  #increment;

  /** @param {number} seed - a whole number from 0 to 2^32 - 1 */
  constructor(seed) {
    const [a, b, c, d, e, f, g, h] = words(seed);
    this.#increment = ((((f << 32n | e) << 64n | (h << 32n | g)) << 1n) | 1n) & STATE;
    this.#state = (((b << 32n | a) << 64n | (d << 32n | c)) + this.#increment) & STATE;
    this.#step();
  }

  #step() { this.#state = (this.#state * MULTIPLIER + this.#increment) & STATE; }

  /** @returns {bigint} 64 random bits */
  bits() {
    this.#step();
    const mixed = ((this.#state >> 64n) ^ this.#state) & WORD, turn = this.#state >> 122n;
    return ((mixed >> turn) | (mixed << (64n - turn))) & WORD;
  }

  /** @returns {number} from 0 to 1, without 1 */
  uniform() { return Number(this.bits() >> 11n) * 2 ** -53; }

  /** @returns {number} standard normal */
  normal() {
    for (;;) {
      const bits = this.bits(), layer = Number(bits & 255n), sign = bits & 256n ? -1 : 1;
      const share = Number((bits >> 9n) & 0xfffffffffffffn) * FINE, x = share * edges[layer];
      if (share < sure[layer]) return sign * x;
      if (layer === 0) return this.#tail(bits);
      if ((heights[layer - 1] - heights[layer]) * this.uniform() + heights[layer] < height(x)) return sign * x;
    }
  }

  #tail(bits) {
    for (;;) {
      const x = -Math.log1p(-this.uniform()) / EDGE, y = -Math.log1p(-this.uniform());
      if (2 * y > x * x) return (bits >> 17n) & 1n ? -(EDGE + x) : EDGE + x;
    }
  }
}

/**
 * Data from two Gaussians of standard deviation 1, at plus and minus half the separation. With equal weights this is
 * `mixtures.data.simulate(seed, n, separation)`, otherwise `mixtures.data.draw` with the second component first.
 * @param {{seed: number, n: number, separation: number, weights: number[]}} recipe
 * @returns {Float64Array}
 */
export function simulate({ seed, n, separation, weights }) {
  const random = new Generator(seed), border = weights[1] / (weights[0] + weights[1]);
  const first = Array.from({ length: n }, () => random.uniform() >= border);
  return Float64Array.from(first, own => (own ? -0.5 : 0.5) * separation + random.normal());
}
