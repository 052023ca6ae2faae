// Numbers and sentences: what is shown, for eyes, for screen readers and for tests.

const fixed = (v, digits) => v.toFixed(digits).replace(/^-(?=0\.?0*$)/, "").replace("-", "−");
const point = mean => `(${mean.map(v => fixed(v, 2)).join(", ")})`;
const short = new Intl.NumberFormat("en-GB", { notation: "compact", compactDisplay: "long", maximumSignificantDigits: 2 });
const rounded = new Intl.NumberFormat("en-GB", { maximumSignificantDigits: 2 });
const drawsOf = n => `${whole.format(n)} ${n === 1 ? "draw" : "draws"} of each chain.`;
const whole = new Intl.NumberFormat("en-GB");
const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";
const power = v => `10${String(Math.round(Math.log10(v))).replace("-", "⁻").replace(/\d/g, digit => SUPERSCRIPTS[digit])}`;
const about = v => (v < 1e6 ? rounded.format(v) : v < 1e12 ? short.format(v) : `about ${power(v)}`);
const few = v => (v > 0 && v < 1e-4 ? `about ${power(v)}` : rounded.format(v));
const percent = share => (share > 0 && share < 0.001 ? "< 0.1 %" : share > 0.999 ? "> 99.9 %" : `${fixed(100 * share, share === 0.5 ? 0 : 1)} %`);
const COUNTS = { 2: "Two", 3: "Three", 4: "Four" };
const times = n => (n === 1 ? "once" : `${whole.format(n)} times`);
const hat = v => (Number.isNaN(v) ? "–" : fixed(v, 2));

/** Switches in a draw of one chain by the law; null where the law says nothing. */
export function rate({ front, slope }, { exchangeable, barrier }, ordered) {
  if (ordered) return 0;
  return exchangeable && barrier > 0 ? front * Math.exp(-slope * barrier) : null;
}

/** The exact numbers, as text by their names. */
export function exactNumbers(found, law, ordered) {
  const { modes, barrier, barrierFromTop, shareBelow, exchangeable, bells: [bell] } = found, now = rate(law, found, ordered);
  const passes = barrierFromTop - barrier > 5e-4 ? `${fixed(barrier, 3)}, ${fixed(barrierFromTop, 3)}` : fixed(barrier, 3);
  const seen = ordered ? modes.filter(([a, b]) => a <= b).length : modes.length;
  return {
    evidence: fixed(found.logEvidence + (ordered ? Math.log(shareBelow) : 0), 4),
    barrier: seen < 2 ? "none" : Number.isNaN(barrier) ? "no pass found" : passes,
    wait: ordered ? "never" : now ? about(1 / now) : exchangeable ? "one mode" : "no law",
    modes: String(seen),
    below: ordered ? "all of it" : percent(shareBelow),
    kl: fixed(bell.kl, 4),
  };
}

/** What the chains have done, as text by their names. */
export function chainNumbers({ draws, switches, rhat }, now) {
  return {
    draws: whole.format(draws), switches: whole.format(switches), rhat: hat(rhat.first), "rhat-smaller": hat(rhat.smaller),
    expected: now === null ? "no law" : now === 0 ? "never" : few(expected(draws, now)),
  };
}

/** Switches by the law in so many draws of each of four chains. */
export const expected = (draws, now) => 4 * Math.max(0, draws - 1) * now;

/** What the plane shows, in a sentence or two. */
export function planeSays({ modes, saddle, bells, beyond, contours, barrier, barrierFromTop }, { ordered, bells: drawn }) {
  const kept = modes.filter(([a, b]) => !ordered || a <= b), uneven = barrierFromTop - barrier > 5e-4;
  const peaks = kept.length === 0 ? "No mode lies in the half plane" : kept.length === 1 ? `One mode (●), at ${point(kept[0])}`
    : `${COUNTS[kept.length] ?? kept.length} modes (●), ${uneven ? "the higher" : "the highest"} at ${kept.slice(0, 2).map(point).join(uneven ? ", the lower at " : " and ")}`;
  const deep = uneven ? `, ${fixed(barrier, 2)} nats below the lower and ${fixed(barrierFromTop, 2)} below the higher` : "";
  const pass = saddle && !ordered ? `; the pass (×) between them at ${point(saddle)}${deep}` : "";
  const sides = drawn ? ` q, dashed, is the best mean-field Gaussian${bells.length > 1 && !ordered ? " of each side" : ""}: half and 95 % of its mass.` : "";
  const masses = contours.map(({ mass }) => Math.round(100 * mass)).join(", ").replace(/, (?=\d+$)/, " and ");
  const held = masses && ` The contours hold ${masses} % of the mass.`;
  const rest = beyond > 0.001 ? ` The picture ends where ${percent(beyond)} of the mass still follow: there one mean is back at its prior.` : "";
  return `${peaks}${pass}.${held}${rest}${sides}`;
}

/** What the picture of the data shows. */
export const dataSays = ({ x, weights, modes: [mode] }) =>
  `${x.length} observations from ${fixed(Math.min(...x), 1)} to ${fixed(Math.max(...x), 1)}. Thin line: the mixture with means ${point(mode)}. ` +
  `Thick: its first component (weight ${weights[0]}); thick and dashed: its second (${weights[1]}).`;

/** What the chains have done, in a sentence or two. */
export function chainsSay({ draws, switches, rhat }, ordered) {
  if (!draws) return `No draws yet. ${ordered ? "The chains will stay where μ₁ < μ₂, and are reflected at its border." : "Each chain starts at a mode; a coin chooses which."}`;
  const hops = ordered ? "Labels cannot switch." : `The labels have switched ${times(switches)}.`;
  return `${drawsOf(draws)} ${hops}` + (Number.isNaN(rhat.first) ? "" : ` R-hat is ${hat(rhat.first)} for μ₁, and ${hat(rhat.smaller)} for the smaller mean.`);
}
