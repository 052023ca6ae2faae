// Integrals over the plane of the two means, by the rectangle rule: for smooth peaks it gives nearly all digits.

const LOG_SQRT_2PI = 0.5 * Math.log(2 * Math.PI);
const REACH = 9; // standard deviations beyond all data, where a component takes no part
const TAIL = 8.5, SHOWN = 3.5; // standard deviations of the prior
const LONGEST = 600; // lattice points from the middle of a picture
const TILE = 8, NEGLIGIBLE = -60; // a tile whose middle is lower than this many nats is left out

/**
 * @param {object} posterior - with x, weights, priorSd, precision, modes, logDensity and logPrior
 * @returns {{logEvidence: number, shareBelow: number, beyond: number, lattice: object}} log p(x), P(mu1 < mu2), and the density on a
 *   lattice: `density[i * size + j]` at ((first + i) h, (first + j) h), with the highest mode at 1, and the factor
 *   `share` that makes it a share of the mass; and `beyond`, the share of the mass that is not on it
 */
export function integrate(posterior) {
  const h = 0.4 / Math.sqrt(posterior.x.length + posterior.precision), near = within(posterior, REACH, h);
  const longer = Math.min(SHOWN * posterior.priorSd, LONGEST * h);
  // a mean that may own no observation wanders over its prior: show that
  return near.beyond > 1e-3 && longer > REACH ? within(posterior, longer, h) : near;
}

function within(posterior, reach, h) {
  const { x } = posterior, first = Math.floor((Math.min(...x) - reach) / h);
  const size = Math.ceil((Math.max(...x) + reach) / h) - first + 1;
  const top = posterior.logDensity(...posterior.modes[0]);
  const density = onLattice(posterior, first, size, h, top), [above, below] = tails(posterior, first, size, h, top);
  let whole = above + below;
  const gap = new Float64Array(2 * size - 1); // the mass at each mu1 - mu2
  for (let i = 0, at = 0; i < size; i++) for (let j = 0; j < size; j++, at++) gap[i - j + size - 1] += density[at];
  for (const mass of gap) whole += mass;
  return {
    logEvidence: top + Math.log(whole * h * h),
    shareBelow: posterior.exchangeable ? 0.5 : (upToMiddle(gap) + below) / whole,
    beyond: (above + below) / whole,
    lattice: { first, size, h, density, share: 1 / whole },
  };
}

// exp(log density - top) on the lattice, from logarithms of both components' terms for each point and observation
function onLattice(posterior, first, size, h, top) {
  const { x, weights } = posterior, n = x.length, density = new Float64Array(size * size);
  const prior = new Float64Array(size), terms = new Float64Array(size * n);
  const [logW, logV] = weights.map(Math.log), base = -n * LOG_SQRT_2PI - top;
  for (let i = 0; i < size; i++) {
    const mu = (first + i) * h;
    prior[i] = posterior.logPrior(mu);
    for (let k = 0; k < n; k++) terms[i * n + k] = -0.5 * (x[k] - mu) ** 2;
  }
  const height = (i, j) => {
    let total = base + prior[i] + prior[j], product = 1;
    for (let k = 0, a = i * n, b = j * n; k < n; k++, a++, b++) {
      const p = terms[a] + logW, q = terms[b] + logV;
      total += p > q ? p : q;
      product *= 1 + Math.exp(-Math.abs(p - q));
      if ((k & 31) === 31) { total += Math.log(product); product = 1; }
    }
    return total + Math.log(product);
  };
  const middle = start => Math.min(size - 1, start + TILE / 2), end = start => Math.min(size, start + TILE);
  for (let u = 0; u < size; u += TILE) for (let v = posterior.exchangeable ? u : 0; v < size; v += TILE) {
    if (height(middle(u), middle(v)) < NEGLIGIBLE) continue;
    for (let i = u; i < end(u); i++) for (let j = v; j < end(v); j++) {
      density[i * size + j] = Math.exp(height(i, j));
      if (posterior.exchangeable) density[j * size + i] = density[i * size + j];
    }
  }
  return density;
}

// Beyond the lattice one mean is back at its prior and the other has all data: the mass where mu1 > mu2, and where mu1 < mu2
function tails(posterior, first, size, h, top) {
  const { x, weights, priorSd } = posterior, n = x.length, last = Math.ceil(TAIL * priorSd / h);
  const alone = weights.map(weight => {
    let sum = 0;
    for (let i = 0; i < size; i++) {
      const mu = (first + i) * h;
      let total = posterior.logPrior(mu) + n * (Math.log(weight) - LOG_SQRT_2PI) - top;
      for (const v of x) total -= 0.5 * (v - mu) ** 2;
      sum += Math.exp(total);
    }
    return sum;
  });
  let up = 0, down = 0; // prior mass beyond either end
  for (let i = first + size; i <= last; i++) up += Math.exp(posterior.logPrior(i * h));
  for (let i = first - 1; i >= -last; i--) down += Math.exp(posterior.logPrior(i * h));
  return [up * alone[1] + down * alone[0], up * alone[0] + down * alone[1]];
}

// The integral of a smooth function from the left to the middle of its lattice: the trapezium rule, corrected for the
// cut by the slopes there (Euler and Maclaurin)
function upToMiddle(values) {
  const zero = (values.length - 1) / 2, at = k => values[zero + k] ?? 0;
  let sum = at(0) / 2;
  for (let k = 1; k <= zero; k++) sum += at(-k);
  const slope = (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / 12, third = (at(2) - 2 * at(1) + 2 * at(-1) - at(-2)) / 2;
  return sum - slope / 12 + third / 720;
}
