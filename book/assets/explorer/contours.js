// Contours that enclose given shares of a density on a lattice, as SVG paths.

/** Shares of the posterior that the contours enclose. */
export const MASSES = [0.5, 0.8, 0.95, 0.99];

/**
 * @param {{first: number, size: number, h: number, density: Float64Array, share: number}} lattice
 * @returns {{levels: number[], low: number, high: number}} the heights of the
 *   contours, but for those that the lattice does not hold, and both ends of the axes
 */
export function summary({ first, size, h, density, share }) {
  const kept = density.filter(d => d * share > 1e-9).sort().reverse(), levels = [];
  let inside = 0, k = 0;
  for (const mass of MASSES) {
    while (k < kept.length && inside < mass) inside += kept[k++] * share;
    if (inside >= mass) levels.push(kept[k - 1]);
  }
  let [low, high] = [Infinity, -Infinity];
  density.forEach((value, at) => {
    if (value < (levels[MASSES.length - 1] ?? kept.at(-1))) return;
    low = Math.min(low, Math.floor(at / size), at % size);
    high = Math.max(high, Math.floor(at / size), at % size);
  });
  const margin = 0.1 * (high - low) + 0.1 / h;
  return { levels, low: (first + low - margin) * h, high: (first + high + margin) * h };
}

/** The density at n by n points of [low, high]², between those of the lattice. */
export function grid({ first, size, h, density }, low, high, n) {
  const out = new Float64Array(n * n), place = k => (low + (high - low) * k / (n - 1)) / h - first;
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) {
    const p = Math.floor(place(i)), q = Math.floor(place(j)), s = place(i) - p, t = place(j) - q;
    if (Math.min(p, q) < 0 || Math.max(p, q) >= size - 1) continue;
    const near = p * size + q, far = near + size;
    out[i * n + j] = (1 - s) * ((1 - t) * density[near] + t * density[near + 1]) + s * ((1 - t) * density[far] + t * density[far + 1]);
  }
  return out;
}

// Which sides of a square a contour joins, by which of its corners lie above: sides are below, right, above, left
const JOINS = [[], [[3, 0]], [[0, 1]], [[3, 1]], [[1, 2]], [[3, 2], [0, 1]], [[0, 2]], [[3, 2]],
  [[2, 3]], [[2, 0]], [[0, 3], [1, 2]], [[2, 1]], [[1, 3]], [[1, 0]], [[0, 3]], []];

/** Marching squares on n by n values: an SVG path in the unit square, its second axis downwards. */
export function path(values, n, level) {
  const parts = [], unit = v => (v / (n - 1)).toFixed(4);
  for (let i = 0; i < n - 1; i++) for (let j = 0; j < n - 1; j++) {
    const at = i * n + j, [a, b, c, d] = [values[at], values[at + n], values[at + n + 1], values[at + 1]];
    const kind = (a > level) | ((b > level) << 1) | ((c > level) << 2) | ((d > level) << 3);
    if (kind === 0 || kind === 15) continue;
    const cut = (from, to) => (level - from) / (to - from);
    const sides = [[i + cut(a, b), j], [i + 1, j + cut(b, c)], [i + cut(d, c), j + 1], [i, j + cut(a, d)]];
    const point = ([x, y]) => `${unit(x)} ${unit(n - 1 - y)}`;
    for (const [from, to] of JOINS[kind]) parts.push(`M${point(sides[from])}L${point(sides[to])}`);
  }
  return parts.join("");
}
