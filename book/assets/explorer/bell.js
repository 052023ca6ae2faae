// The best mean-field Gaussian at a mode, and its KL divergence from the posterior.
import { newton } from "./posterior.js";

const REACH = 7;

// Points and weights for means over a standard Gaussian in the plane, by the rectangle rule. The log density bends on the
// scale of a component: an axis along which the Gaussian is wider than that needs more points.
function rule(sd) {
  const [[one, h], [other, k]] = sd.map(wide => {
    const size = 2 * Math.ceil(REACH / Math.min(0.6, 0.7 / wide)), spacing = 2 * REACH / size;
    return [Array.from({ length: size }, (_, i) => (i + 0.5) * spacing - REACH), spacing];
  });
  return one.flatMap(a => other.map(b => [a, b, Math.exp(-0.5 * (a * a + b * b)) * h * k / (2 * Math.PI)]))
    .filter(([a, b]) => a * a + b * b <= REACH ** 2);
}

/**
 * Climbs the ELBO from a mode, as `mixtures.variational.best` does. At the top the mean slope of the log density
 * vanishes, and minus its mean curvature along each axis is that axis' precision.
 * @returns {{mean: number[], sd: number[], kl: number}} kl in nats, from the whole posterior
 */
export function best(posterior, mode) {
  const strength = -Math.max(...diagonal(posterior.slopes(...mode).hessian));
  let mean = mode, sd = [1, 1].map(() => 1 / Math.sqrt(Math.max(strength, 0.05 * posterior.x.length)));
  for (let round = 0; round < 500; round++) {
    const { gradient, hessian } = average(posterior, mean, sd), step = newton(gradient, hessian, [1, 1]);
    const wider = diagonal(hessian).map((value, k) => clamp(-0.5 * Math.log(Math.max(-value, posterior.precision)) - Math.log(sd[k])));
    mean = mean.map((m, k) => m + clamp(step[k]));
    sd = sd.map((s, k) => s * Math.exp(0.7 * wider[k]));
    if (Math.max(...step.map(Math.abs), ...wider.map(Math.abs)) < 1e-9) break;
  }
  const energy = rule(sd).reduce((sum, [a, b, w]) => sum + w * posterior.logDensity(mean[0] + sd[0] * a, mean[1] + sd[1] * b), 0);
  const entropy = Math.log(2 * Math.PI * Math.E * sd[0] * sd[1]);
  return { mean, sd, kl: posterior.logEvidence - energy - entropy };
}

const diagonal = ([aa, , bb]) => [aa, bb];
const clamp = step => Math.max(-0.3, Math.min(0.3, step));

function average(posterior, mean, sd) {
  const gradient = [0, 0], hessian = [0, 0, 0];
  for (const [a, b, w] of rule(sd)) {
    const at = posterior.slopes(mean[0] + sd[0] * a, mean[1] + sd[1] * b);
    at.gradient.forEach((value, k) => { gradient[k] += w * value; });
    at.hessian.forEach((value, k) => { hessian[k] += w * value; });
  }
  return { gradient, hessian };
}
