"""How fast is it? Run by ``make bench``; nothing here is a test, for tests never depend on timing."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import tracemalloc
from functools import partial
from pathlib import Path

import numpy as np
from mixtures import data, exact, iterative, relabel
from scipy.optimize import linear_sum_assignment
from scipy.special import xlogy

ROOT = Path(__file__).parents[1]


def timed(command, cwd, compiled):
    """Run a command with its own folder for compiled models, and return the seconds it took."""
    environment = os.environ | {"PYTENSOR_FLAGS": f"base_compiledir={compiled}", "MPLBACKEND": "agg"}
    start = time.perf_counter()
    run = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if run.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{run.stdout[-3000:]}{run.stderr[-3000:]}")
    return seconds


def book():
    """Time the cold build, the rebuild without a change, and the source note as a script."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for name in listed.splitlines():
            if (ROOT / name).is_file():
                target = work / "book" / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, target)
        build = [Path(sys.executable).with_name("jupyter-book"), "build", ".", "-W", "-n", "--keep-going"]
        note = timed([sys.executable, ROOT / "tests" / "source_note.py"], work, work / "compiled-note")
        cold = timed(build, work / "book", work / "compiled-book")
        again = timed(build, work / "book", work / "compiled-book")
    print(f"source note as one script, cold    {note:7.1f} s")
    print(f"book, cold, once installed         {cold:7.1f} s   {cold / note:.2f} of the script")
    print(f"book, nothing changed              {again:7.1f} s")


def posterior():
    """Time the exact posterior, and its peak memory."""
    for n, repeats in ((100, 20), (100_000, 3)):
        x = data.simulate(0, n)
        seconds = []
        for _ in range(repeats):
            start = time.perf_counter()
            exact.posterior(x)
            seconds.append(time.perf_counter() - start)
        tracemalloc.start()
        exact.posterior(x)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        print(f"exact posterior, n = {n:<8} {1000 * min(seconds):9.1f} ms (best of {repeats})   peak {peak / 1e6:.0f} MB")


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


if __name__ == "__main__":
    posterior()
    relabelling()
    book()
