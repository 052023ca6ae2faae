"""How fast are the modules? Run by ``make bench``; no test, for tests never depend on timing."""

import re
import resource
import subprocess
import sys
import time
import tracemalloc
from functools import partial
from pathlib import Path

import numpy as np
import pymc as pm
import pytensor
import xarray as xr
from mixtures import data, exact, relabel

from tests.checkout import ROOT
from tests.science import planted


def posterior():
    """Time the exact posterior, and its peak memory."""
    for n, repeats in ((100, 20), (100_000, 3)):
        x = data.simulate(0, n)
        seconds, peak, _ = measured(partial(exact.posterior, x), repeats)
        print(f"exact posterior, n = {n:<8} {1000 * seconds:9.1f} ms (median of {repeats})", end="")
        print(f"   peak {peak / 1e6:.0f} MB")


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


def advi_of_minibatches(x, steps=8_000):
    """Fit as the chapter does, and return the means and standard deviations."""
    rate = pytensor.shared(0.05)

    def slower(approximation, losses, step):
        rate.set_value(0.05 * (1e-5 / 0.05) ** (step / steps))
    with pm.Model():
        batch = pm.Minibatch(x, batch_size=500)
        means = pm.Normal("means", 0, np.float64(10), shape=2, initval=np.array([-0.5, 0.5]))
        pm.NormalMixture("obs", [0.5, 0.5], mu=means, sigma=1, observed=batch, total_size=len(x))
        fit = pm.fit(
            steps, obj_optimizer=pm.adam(learning_rate=rate), random_seed=1, progressbar=False,
            start_sigma={"means": np.full(2, 0.01)}, callbacks=[slower])
    return fit.mean.eval(), fit.std.eval()


def peak_memory():
    """Return the most memory this process has had, MB."""
    status = Path("/proc/self/status")
    if status.exists():
        # what getrusage says would include the process that started this one
        return int(re.search(r"VmHWM:\s+(\d+)", status.read_text())[1]) / 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def large():
    """Time a million observations, each way in a process of its own for its peak of memory."""
    ways = {
        "exact posterior, n = 10^6": "exact.posterior(data.simulate(0, 10**6))",
        "minibatch ADVI, n = 10^6": "bench.advi_of_minibatches(data.simulate(0, 10**6))",
        "NUTS, 4 x (500 + 500), n = 10^4": "sampling.sample(data.simulate(0, 10**4), 500, 1)"}
    print("\nmany observations: seconds, compilation and imports included, and peak MB")
    apart("from mixtures import data, exact, sampling; from tests import bench; ", ways)


def apart(begin, ways):
    """Run pieces of code, each in a process of its own, and print its seconds and its peak."""
    for name, call in ways.items():
        code = f"{begin}{call}; print(bench.peak_memory())"
        start = time.perf_counter()
        command, said = [sys.executable, "-c", code], {"capture_output": True, "text": True}
        run = subprocess.run(command, cwd=ROOT, check=True, **said)
        print(f"{name:34} {time.perf_counter() - start:6.1f} {float(run.stdout.split()[-1]):8.0f}")


def relabelling(n_draw=2_000, n=500, n_component=3):
    """Time the relabelling of draws whose labels are planted, and its peak memory."""
    rng = np.random.default_rng(0)
    z = rng.integers(n_component, size=(n_draw, n))
    p = planted.soft(z, n_component)
    draws = rng.normal(np.arange(n_component)[:, None], 0.3, (n_draw, n_component, 2))
    print(f"\nrelabelling {n_draw} draws of {n} points, K = {n_component}: seconds, peak MB")
    for name, run in {
        "ecr": lambda: relabel.ecr(z, z[0]),
        "pra": lambda: relabel.pra(draws, draws[0]),
        "stephens": lambda: relabel.stephens(p),
    }.items():
        seconds, peak, _ = measured(run, 7)
        print(f"{name:46} {seconds:8.4f} {peak / 1e6:6.1f}")


def components(n_component, n_draw):
    """Return draws of three variables, 4 chains, each with the labels turned in its own way."""
    rng, dims = np.random.default_rng(0), ("chain", "draw", "component")
    shape = (4, n_draw, n_component)
    values = {
        "means": 1.5 * np.arange(n_component) + rng.normal(size=shape),
        "sigma": np.exp(rng.normal(0, 0.2, shape)),
        "weights": rng.dirichlet(np.full(n_component, 20), shape[:2])}
    for c in range(4):
        turn = rng.permutation(n_component)
        for v in values.values():
            v[c] = v[c][:, turn]
    return xr.Dataset({name: (dims, v) for name, v in values.items()})


def of_many(n):
    """Average the memberships of many observations, which would take gigabytes draw by draw."""
    return relabel.memberships(components(3, 1_000), np.linspace(-5, 10, n), average=True)


def traces():
    """Time large traces, each in a process of its own for its peak of memory."""
    ways = {
        "diagnose, K = 15, 4 x 10,000": "switching.diagnose(bench.components(15, 10_000))",
        "diagnose, K = 30, 4 x 1,000": "switching.diagnose(bench.components(30, 1_000))",
        "memberships, n = 20,000, 4 x 1,000": "bench.of_many(20_000)"}
    print("\nlarge traces: seconds, imports included, and peak MB")
    apart("from mixtures import switching; from tests import bench; ", ways)


if __name__ == "__main__":
    posterior()
    relabelling()
    traces()
    large()
