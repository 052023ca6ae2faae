// The moving part, on canvases: the latest draws in the plane, and traces of the first mean, a chain a row.
import { scale } from "./pictures.js";

const CHAINS = 4, SHOWN = 800, DOTS = 250, LEFT = 22;

/** Keeps the latest draws of each chain in a ring, and draws them. */
export class Traces {
  constructor(dots, lines) {
    Object.assign(this, { dots, lines });
    this.clear();
  }

  clear() {
    this.ring = new Float32Array(2 * CHAINS * SHOWN);
    this.count = 0;
  }

  /** @param {Float32Array} values - draws, each of four chains, each of two means */
  add(values) {
    const size = 2 * CHAINS;
    for (let at = Math.max(0, values.length - size * SHOWN); at < values.length; at += size)
      this.ring.set(values.subarray(at, at + size), size * (this.count++ % SHOWN));
  }

  #mean(t, chain, k) { return this.ring[2 * (CHAINS * (t % SHOWN) + chain) + k]; }

  /** @param {object} found - the worker's answer; @param {CSSStyleDeclaration} style - with the colours */
  draw(found, style) {
    const of = name => style.getPropertyValue(`--${name}`), to = scale(found), colour = of("draws");
    this.#drawDots(to, colour, of("page"));
    this.#drawLines(to, { colour, text: of("exact"), ground: of("field") }, found.saddle?.[0]);
  }

  #drawDots(to, colour, page) {
    const pen = this.dots.getContext("2d"), { width } = this.dots, last = this.count - 1;
    pen.clearRect(0, 0, width, width);
    if (last < 0) return;
    const place = (t, chain) => [width * to(this.#mean(t, chain, 0)), width * (1 - to(this.#mean(t, chain, 1)))];
    pen.fillStyle = colour;
    pen.globalAlpha = 0.3;
    for (let t = Math.max(0, this.count - DOTS); t < last; t++) for (let chain = 0; chain < CHAINS; chain++) {
      const [a, b] = place(t, chain);
      pen.fillRect(a - 2.5, b - 2.5, 5, 5);
    }
    pen.globalAlpha = 1;
    pen.font = "bold 26px sans-serif"; pen.textAlign = "center"; pen.textBaseline = "middle";
    for (let chain = 0; chain < CHAINS; chain++) { // where each chain is now, with its number
      const [a, b] = place(last, chain);
      pen.beginPath(); pen.arc(a, b, 18, 0, 2 * Math.PI);
      pen.fillStyle = colour; pen.fill();
      pen.fillStyle = page; pen.fillText(chain + 1, a, b + 1);
    }
  }

  #drawLines(to, { colour, text, ground }, border) {
    const canvas = this.lines, fine = devicePixelRatio || 1, { clientWidth: width, clientHeight: height } = canvas;
    if (canvas.width !== Math.round(width * fine) || canvas.height !== Math.round(height * fine))
      [canvas.width, canvas.height] = [Math.round(width * fine), Math.round(height * fine)];
    const pen = canvas.getContext("2d"), row = height / CHAINS, from = Math.max(0, this.count - SHOWN);
    pen.setTransform(fine, 0, 0, fine, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.font = "13px sans-serif"; pen.textBaseline = "middle";
    for (let chain = 0; chain < CHAINS; chain++) {
      const level = value => row * chain + 3 + (row - 6) * Math.max(0, Math.min(1, 1 - to(value)));
      if (chain % 2) { pen.fillStyle = ground; pen.fillRect(0, row * chain, width, row); }
      pen.fillStyle = text;
      pen.fillText(chain + 1, 4, row * (chain + 0.5));
      if (border !== undefined) {
        pen.setLineDash([2, 4]); pen.strokeStyle = text; pen.lineWidth = 0.7;
        pen.beginPath(); pen.moveTo(LEFT, level(border)); pen.lineTo(width, level(border)); pen.stroke();
        pen.setLineDash([]);
      }
      pen.strokeStyle = colour; pen.lineWidth = 1.2;
      pen.beginPath();
      for (let t = from; t < this.count; t++) pen.lineTo(LEFT + (width - LEFT) * (t - from) / SHOWN, level(this.#mean(t, chain, 0)));
      pen.stroke();
    }
  }
}
