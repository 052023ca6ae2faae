// The two drawings in SVG: the plane of both means, and the data.

/** How many standard deviations an ellipse reaches that holds half, or 95 %, of a Gaussian in the plane. */
const REACHES = [0.5, 0.95].map(share => Math.sqrt(-2 * Math.log(1 - share)));

function make(tag, attributes, text) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

// Round numbers on an axis, about six of them
function ticks(low, high) {
  const rough = (high - low) / 6, ten = 10 ** Math.floor(Math.log10(rough));
  const step = ten * [1, 2, 5, 10].find(k => k * ten >= rough);
  return Array.from({ length: Math.floor(high / step) - Math.ceil(low / step) + 1 }, (_, i) => (Math.ceil(low / step) + i) * step);
}

const label = value => String(Number(value.toFixed(2))).replace("-", "−");

/** From a value of a mean to the unit interval of the plane's axes. */
export const scale = ({ low, high }) => value => (value - low) / (high - low);

/**
 * @param {SVGElement} svg
 * @param {object} found - the worker's answer
 * @param {{ordered: number, bells: number}} shown
 */
export function drawPlane(svg, found, { ordered, bells }) {
  const to = scale(found), unit = 1 / (found.high - found.low), parts = [];
  for (const v of ticks(found.low, found.high)) parts.push(
    make("path", { d: `M${to(v)} 1v.012M0 ${1 - to(v)}h-.012`, class: "axis" }),
    make("text", { x: to(v), y: 1.047, "text-anchor": "middle" }, label(v)),
    make("text", { x: -0.018, y: 1 - to(v) + 0.011, "text-anchor": "end" }, label(v)));
  parts.push(
    make("path", { d: "M0 0V1H1", class: "axis" }), make("path", { d: "M0 1L1 0", class: "diagonal" }),
    make("text", { x: 0.5, y: 1.09, "text-anchor": "middle" }, "μ₁"), make("text", { x: -0.095, y: 0.03 }, "μ₂"));
  const group = make("g", ordered ? { class: "half" } : {});
  for (const { path } of found.contours) group.append(make("path", { d: path, class: "exact" }));
  parts.push(group);
  if (ordered) parts.push(
    make("path", { d: "M0 1L1 0V1Z", class: "left-out" }),
    make("text", { x: 0.97, y: 0.95, "text-anchor": "end" }, "left out: μ₁ > μ₂"));
  else parts.push(make("text", { x: 0.93, y: 0.035, "text-anchor": "end", class: "quiet" }, "μ₁ = μ₂"));
  const visible = ([a, b]) => !ordered || a <= b;
  for (const [a, b] of found.modes.filter(visible)) parts.push(make("circle", { cx: to(a), cy: 1 - to(b), r: 0.008, class: "mode" }));
  if (found.saddle && !ordered) parts.push(cross(...found.saddle.map(to)));
  if (bells) for (const { mean, sd } of found.bells.filter(bell => visible(bell.mean))) parts.push(...REACHES.map(reach =>
    make("ellipse", { cx: to(mean[0]), cy: 1 - to(mean[1]), rx: reach * sd[0] * unit, ry: reach * sd[1] * unit, class: "bell" })),
    make("text", { x: to(mean[0]), y: 1 - to(mean[1] - REACHES[1] * sd[1]) + 0.045, "text-anchor": "middle", class: "bell" }, "q"));
  svg.replaceChildren(...parts);
}

const cross = (a, b, d = 0.013) => make("path", { d: `M${a - d} ${1 - b - d}l${2 * d} ${2 * d}m0 ${-2 * d}l${-2 * d} ${2 * d}`, class: "saddle" });

const WIDTH = 480, BASE = 112, BINS = 0.5;
const bell = (v, mean) => Math.exp(-0.5 * (v - mean) ** 2) / Math.sqrt(2 * Math.PI);

// What to write at which component's top, to its left (-1) or right (1), or once for both above it
const names = ([a, b]) => (Math.abs(a - b) < 0.5 ? [[0, "both", 0]] : [[0, "first", a < b ? -1 : 1], [1, "second", a < b ? 1 : -1]]);

/** The data as bars and as a row of ticks, and the density at the highest mode with its two components. */
export function drawData(svg, { x, weights, modes: [mode] }) {
  const low = Math.floor(Math.min(...x, -4)), high = Math.ceil(Math.max(...x, 4)), to = v => WIDTH * (v - low) / (high - low);
  const bars = Array((high - low) / BINS).fill(0), at = Array.from({ length: 161 }, (_, i) => low + (high - low) * i / 160);
  for (const v of x) bars[Math.floor((v - low) / BINS)] += 1 / x.length / BINS;
  const part = k => v => weights[k] * bell(v, mode[k]), whole = v => part(0)(v) + part(1)(v);
  const tall = Math.max(...bars, ...at.map(whole)), up = density => BASE - 104 * density / tall;
  const curve = f => "M" + at.map(v => `${to(v).toFixed(1)} ${up(f(v)).toFixed(1)}`).join("L");
  svg.replaceChildren(
    ...bars.map((height, i) => make("rect", { x: to(low + i * BINS), y: up(height), width: to(low + BINS) - 1, height: BASE - up(height), class: "bar" })),
    make("path", { d: [...x].map(v => `M${to(v).toFixed(1)} ${BASE + 3}v9`).join(""), class: "rug" }),
    make("path", { d: curve(part(0)), class: "first" }), make("path", { d: curve(part(1)), class: "second" }),
    make("path", { d: curve(whole), class: "exact" }),
    ...names(mode).map(([k, text, side]) => make("text",
      { x: to(mode[k]) + 5 * side, y: up(part(k)(mode[k])) - 4, "text-anchor": ["end", "middle", "start"][side + 1], class: "name" }, text)),
    ...ticks(low, high).map(v => make("text", { x: to(v), y: BASE + 32, "text-anchor": v === low ? "start" : v === high ? "end" : "middle" }, label(v))));
}
