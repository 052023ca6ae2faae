"""How fast are the modules? Run by ``make bench``; nothing here is a test, for tests never depend on timing."""

import re
import resource
import subprocess
import sys
import time
import tracemalloc
from functools import partial
from pathlib import Path

import arviz as az
import numpy as np
import pymc as pm
import pytensor
from mixtures import census, data, exact, iterative, models, relabel
from scipy.optimize import linear_sum_assignment
from scipy.special import xlogy

ROOT = Path(__file__).parents[1]


def posterior():
    """Time the exact posterior, and its peak memory."""
    for n, repeats in ((100, 20), (100_000, 3)):
        x = data.simulate(0, n)
        seconds, peak, _ = measured(partial(exact.posterior, x), repeats)
        print(f"exact posterior, n = {n:<8} {1000 * seconds:9.1f} ms (median of {repeats})   peak {peak / 1e6:.0f} MB")


def loop_pra(draws, pivot):
    perm = np.empty(draws.shape[:2], dtype=int)
    for t, draw in enumerate(draws):
        perm[t] = linear_sum_assignment(-pivot @ draw.T)[1]
    return perm


def loop_ecr(z, pivot, n_component):
    perm = np.empty((len(z), n_component), dtype=int)
    for t, labels in enumerate(z):
        agreement = np.zeros((n_component, n_component))
        np.add.at(agreement, (pivot, labels), 1)
        perm[t] = linear_sum_assignment(-agreement)[1]
    return perm


def loop_stephens(p, q, iterations, divergence):
    """Do so many iterations from a first Q, with the costs [component of Q, component of the draw] of a draw."""
    perm = np.empty((len(p), p.shape[2]), dtype=int)
    for _ in range(iterations):
        log_q, total = np.log(q), np.zeros_like(q)
        for t, draw in enumerate(p):
            perm[t] = linear_sum_assignment(divergence(draw, log_q))[1]
            total += draw[:, perm[t]]
        q = total / len(p)
    return perm


def as_written(draw, log_q):
    return (xlogy(draw, draw)[:, None, :] - draw[:, None, :] * log_q[:, :, None]).sum(axis=0)


def as_product(draw, log_q):
    return -log_q.T @ draw


def measured(run, repeats):
    """Return the median of the seconds, the peak of memory in bytes, and the result."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        found = run()
        seconds.append(time.perf_counter() - start)
    tracemalloc.start()
    run()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return np.median(seconds), peak, found


def switched(n_draw, n, n_component):
    """Return means and spreads, allocations and their probabilities of a mixture, with switches at random."""
    rng = np.random.default_rng(0)
    centre = 2.5 * np.arange(n_component)
    x = rng.normal(rng.permutation(np.resize(centre, n)), 1.0)
    draws = np.stack([rng.normal(centre, 0.3, (n_draw, n_component)), rng.normal(1, 0.1, (n_draw, n_component))], 2)
    draws = relabel.apply(draws, rng.permuted(np.tile(np.arange(n_component), (n_draw, 1)), axis=1))
    p, z = np.empty((n_draw, n, n_component)), np.empty((n_draw, n), dtype=int)
    for t in range(n_draw):
        density = np.exp(-0.5 * ((x[:, None] - draws[t, :, 0]) / draws[t, :, 1]) ** 2) / draws[t, :, 1]
        p[t] = density / density.sum(axis=1, keepdims=True)
        z[t] = (rng.random(n)[:, None] > p[t].cumsum(axis=1)[:, :-1]).sum(axis=1)
    return draws, z, p


def relabelling():
    """Time the relabelling, and its peak memory, against plain loops over the draws."""
    for n_draw, n, n_component, repeats in ((2_000, 500, 3, 15), (20_000, 500, 5, 7)):
        print(f"\nrelabelling {n_draw} draws of {n} points, K = {n_component}: seconds (median), peak MB, ratio")
        draws, z, p = switched(n_draw, n, n_component)
        fit = iterative.stephens_fit(p, 100, entropy=False)
        first = 0.9 * p[0] + 0.1 / n_component
        plain = {
            "ecr": (lambda: relabel.ecr(z, z[0]), lambda: loop_ecr(z, z[0], n_component)),
            "pra": (lambda: relabel.pra(draws, draws[0]), lambda: loop_pra(draws, draws[0])),
        }
        for way in (as_written, as_product):
            name = f"stephens, {len(fit.history)} iterations, loop {way.__name__.replace('_', ' ')}"
            loop = partial(loop_stephens, p, first, len(fit.history), way)
            plain[name] = (lambda: relabel.stephens(p), loop)
        for name, (ours, loop) in plain.items():
            seconds, peak, _ = measured(ours, repeats)
            slow, loop_peak, _ = measured(loop, 3)
            both = f"{seconds:8.4f} {peak / 1e6:6.1f}   loop {slow:8.3f} {loop_peak / 1e6:6.1f}"
            print(f"{name:46} {both}   {slow / seconds:5.1f}")


def effective():
    """Time effective draws: ordering in the model against sorting afterwards, once compiled."""
    print("\neffective draws of the gap a second, 4 chains of 5000 draws: sorted, ordered, midpoint and gap")
    for name, x in {"far": data.simulate(0), "touching": data.simulate(8), "merged": data.simulate(0, separation=0.5)}.items():
        rates = []
        for build in (models.unordered, models.ordered, models.centred):
            census.sample(x, 10, 0, build=build)
            seconds, _, run = measured(lambda build=build: census.sample(x, 5_000, 1, build=build), 3)
            gap = np.ptp(run.posterior["means"].values, axis=-1)
            rates.append(float(az.ess(gap)) / seconds)
        print(f"{name:10} {rates[0]:9.0f} {rates[1]:9.0f} {rates[2]:9.0f}")


def advi_of_minibatches(x, steps=8_000):
    """Fit as the chapter does, and return the means and standard deviations."""
    rate = pytensor.shared(0.05)
    with pm.Model():
        batch = pm.Minibatch(x, batch_size=500)
        means = pm.Normal("means", 0, np.float64(10), shape=2, initval=np.array([-0.5, 0.5]))
        pm.NormalMixture("obs", [0.5, 0.5], mu=means, sigma=1, observed=batch, total_size=len(x))
        fit = pm.fit(
            steps, obj_optimizer=pm.adam(learning_rate=rate), start_sigma={"means": np.full(2, 0.01)}, random_seed=1,
            callbacks=[lambda a, losses, i: rate.set_value(0.05 * (1e-5 / 0.05) ** (i / steps))], progressbar=False,
        )
    return fit.mean.eval(), fit.std.eval()


def peak_memory():
    """Return the most memory this process has had, MB."""
    status = Path("/proc/self/status")
    if status.exists():
        # what getrusage says would include the process that started this one
        return int(re.search(r"VmHWM:\s+(\d+)", status.read_text())[1]) / 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def large():
    """Time a million observations, each way in a process of its own for its peak of memory, compilation included."""
    ways = {
        "exact posterior, n = 10^6": "exact.posterior(data.simulate(0, 10**6))",
        "minibatch ADVI, n = 10^6": "bench.advi_of_minibatches(data.simulate(0, 10**6))",
        "NUTS, 4 x (500 + 500), n = 10^4": "census.sample(data.simulate(0, 10**4), 500, 1)",
    }
    print("\nmany observations: seconds, compilation and imports included, and peak MB of the process")
    for name, call in ways.items():
        code = f"from mixtures import census, data, exact; from tests import bench; {call}; print(bench.peak_memory())"
        start = time.perf_counter()
        run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
        print(f"{name:34} {time.perf_counter() - start:6.1f} {float(run.stdout.split()[-1]):8.0f}")


if __name__ == "__main__":
    posterior()
    relabelling()
    effective()
    large()
