// Heavy work, off the main thread: the exact posterior when something has changed, and draws as they are asked for.
import { best } from "./bell.js";
import { Chain } from "./chains.js";
import { MASSES, grid, path, summary } from "./contours.js";
import { Convergence } from "./convergence.js";
import { Posterior } from "./posterior.js";
import { simulate } from "./random.js";

const GRID = 140, CHAINS = 4;
let posterior, chains, convergence, run;

const tasks = {
  compute({ id, recipe, prior }) {
    posterior = new Posterior(simulate(recipe), recipe.weights, prior);
    const { x, weights, modes, saddle, barrier, barrierFromTop, logEvidence, shareBelow, beyond, exchangeable, lattice } = posterior;
    const { levels, low, high } = framed(summary(lattice)), values = grid(lattice, low, high, GRID);
    const contours = levels.map((level, k) => ({ mass: MASSES[k], path: path(values, GRID, level) }));
    return {
      ...{ id, x, weights, modes, saddle, barrier, barrierFromTop, logEvidence, shareBelow, beyond, exchangeable },
      ...{ low, high, contours, bells: bells() },
    };
  },

  begin({ seed, ordered, ...message }) {
    run = message.run;
    chains = Array.from({ length: CHAINS }, (_, k) => new Chain(posterior, CHAINS * seed + k, ordered));
    convergence = new Convergence(CHAINS);
  },

  advance({ draws }) {
    const values = new Float32Array(2 * CHAINS * draws);
    for (let t = 0; t < draws; t++) {
      const means = chains.map(chain => chain.draw());
      values.set(means.flat(), 2 * CHAINS * t);
      convergence.add(means);
    }
    return { run, values, ...convergence.summary() };
  },
};

// a mode may hold so little mass that no contour reaches it, and chains start there all the same: it is in the picture
function framed({ levels, low, high }) {
  const places = [...posterior.modes, posterior.saddle ?? []].flat(), margin = 3 / Math.sqrt(posterior.x.length * Math.min(...posterior.weights));
  return { levels, low: Math.min(low, ...places.map(v => v - margin)), high: Math.max(high, ...places.map(v => v + margin)) };
}

// the best mean-field Gaussian on each side that has a mode; one mode on the border counts for the upper left
function bells() {
  const below = posterior.modes.find(([a, b]) => a <= b), above = posterior.modes.find(([a, b]) => a > b);
  const one = below && best(posterior, below);
  if (one && above && posterior.exchangeable)
    return [one, { mean: one.mean.toReversed(), sd: one.sd.toReversed(), kl: one.kl }];
  return [one, above && best(posterior, above)].filter(Boolean);
}

onmessage = ({ data: { task, ...rest } }) => {
  try {
    const answer = tasks[task](rest);
    if (answer) postMessage({ task, ...answer }, answer.values ? [answer.values.buffer] : []);
  } catch (error) {
    postMessage({ task: "failed", id: rest.id, text: String(error.message ?? error) });
  }
};
