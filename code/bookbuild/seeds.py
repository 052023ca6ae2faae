"""No luck: execute every chapter under sets of seeds and of machines, and see how far each claim is from failing.

Run as ``python -m bookbuild.seeds 24``, or with names of chapters after the number; ``make claims`` does.
"""

import asyncio
import csv
import math
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import NormalDist, fmean, stdev

import nbclient
from myst_nb.core.read import is_myst_markdown_notebook, read_myst_markdown_notebook
from nbclient.exceptions import CellExecutionError, DeadKernelError

from bookbuild import environment, execution

# standard errors of room that a claim asks for, as in mixtures.claims; and standard deviations, over the sets, that have to
# lie between what is measured and what would be refused
ROOM, MARGIN = 5, 5
# what stands in for other processors: each changes the last digits of some results, and so the draws
MACHINES = {
    "this": {},
    "haswell": {"NUMBA_CPU_NAME": "haswell"},
    # names of NumPy 2.4 and later, then those of older ones
    "narrow": {"NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR AVX2 FMA3 AVX512F AVX512_SKX"},
    "blas": {"OPENBLAS_CORETYPE": "Prescott"},
    "skylake": {"NUMBA_CPU_NAME": "skylake-avx512"},
}
# an exact number may move by so much, relative to itself or to one, from machine to machine
EXACT = 1e-6


def chapters(root):
    """Return the paths of the chapters that have code, in the order of their names."""
    return [path for path in sorted((root / "book").glob("*.md")) if is_myst_markdown_notebook(path.read_text("utf-8"))]


def sets(number):
    """Return so many pairs of how far seeds are moved and a machine; the first is the book as it is built here."""
    names = list(MACHINES)
    return [(seeds, names[seeds % len(names)]) for seeds in range(number)]


def measure(path, machine, seeds):
    """Execute a chapter in one kernel, once for each set of seeds, and return what it claims.

    Parameters
    ----------
    path : pathlib.Path
    machine : str
        One of `MACHINES`.
    seeds : list of int
        How far to move the seeds: values of ``BOOK_SEEDS``.

    Returns
    -------
    list of (list of dict, str)
        For each set of seeds the records of `mixtures.claims`, whether they hold or not, and why the chapter did not come
        to its end, if it did not.
    """
    return asyncio.run(_measure(path, MACHINES[machine], seeds))


async def _measure(path, machine, seeds):
    notebook = read_myst_markdown_notebook(path.read_text("utf-8"))
    client = nbclient.NotebookClient(notebook, timeout=1200, resources={"metadata": {"path": str(path.parent)}})
    measured = []
    async with client.async_setup_kernel(env=os.environ | machine, stderr=subprocess.DEVNULL):
        for number in seeds:
            await client.kc.execute_interactive(f"import os; os.environ['BOOK_SEEDS'] = '{number}'", silent=True)
            error = ""
            try:
                for index, cell in enumerate(notebook.cells):
                    cell.pop("outputs", None)
                    await client.async_execute_cell(cell, index)
            except (CellExecutionError, DeadKernelError) as stopped:
                last = execution.COLOUR.sub("", str(stopped)).strip().splitlines()[-1]
                error = f"{path.stem} stops, with seeds {number}: {last}"
            found = [output.get("metadata", {}).get("claim") for output in execution.outputs(notebook)]
            measured.append(([claim for claim in found if claim], error))
    return measured


def measure_all(jobs):
    """Do several jobs of `measure`, two at a time, for a chapter computes on one core; return what all of them return."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        return [one for several in pool.map(measure, *zip(*jobs, strict=True)) for one in several]


def tally(measured):
    """Sum up each claim over the sets in which it was measured.

    Parameters
    ----------
    measured : iterable of list of dict
        The claims of one chapter under one set.

    Returns
    -------
    list of dict
        For each claim its chapter, name, kind, sentence, values, how often it failed, mean and standard deviation of its
        values, its mean standard error, its margin (`MARGIN` or more is asked), and the chance that a build refuses it.
    """
    records = {}
    for claims in measured:
        for claim in claims:
            records.setdefault(claim["name"], []).append(claim)
    return [_row(same) for same in records.values()]


def _row(same):
    first, values = same[0], [claim["value"] for claim in same]
    row = {key: first[key] for key in ("chapter", "name", "kind", "says")}
    row |= {"sets": len(same), "failures": sum(not claim["holds"] for claim in same), "values": values}
    row |= {"mean": math.nan, "sd": 0.0, "se": 0.0, "margin": math.inf, "chance": 0.0, "moves": False}
    if first["kind"] == "exact":
        row["moves"] = any(_apart(value, values[0]) for value in values)
        return row
    if not all(isinstance(value, int | float) for value in values):
        # a value that is not finite is kept as a word; it counts as a failure above
        return row | {"margin": -math.inf, "chance": 1.0}
    row |= {"mean": fmean(values), "se": fmean(claim["se"] for claim in same), "sd": _spread(values)}
    for sign, side in ((1, "low"), (-1, "high")):
        if first[side] is not None:
            # how far each value is from where a build would refuse it
            slack = [sign * (claim["value"] - claim[side]) - ROOM * claim["se"] for claim in same]
            spread = _spread(slack)
            margin = fmean(slack) / spread if spread else math.copysign(math.inf, fmean(slack))
            row["margin"] = min(row["margin"], margin)
            row["chance"] += NormalDist().cdf(-margin)
    return row


def _spread(values):
    return stdev(values) if len(values) > 1 else 0.0


def _apart(value, other):
    if isinstance(value, str) or isinstance(other, str):
        return value != other
    return abs(value - other) > EXACT * max(1, abs(other))


def amiss(row):
    """Return, in words, what is wrong with a claim, or nothing."""
    if row["failures"]:
        return f"fails in {row['failures']} of {row['sets']} sets"
    if row["moves"]:
        return "is said to be exact, and moves: give its standard error"
    if row["margin"] < MARGIN:
        return f"has a margin of {row['margin']:.1f} standard deviations, below {MARGIN}"
    return ""


def alarm(rows):
    """Return the chance that one build, with seeds of its own, refuses any claim; a normal estimate."""
    return 1 - math.prod(1 - min(1.0, row["chance"]) for row in rows)


def report(rows, target):
    """Print a line for each claim, thinnest margin last, and write all that was found as a table."""
    columns = ("chapter", "name", "kind", "failures", "sets", "mean", "sd", "se", "margin", "says", "values")
    with target.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for row in rows:
            shown = {key: f"{row[key]:.6g}" for key in ("mean", "sd", "se", "margin")}
            values = "; ".join(f"{v:.6g}" if isinstance(v, float) else str(v) for v in row["values"])
            writer.writerow((row | shown | {"values": values})[column] for column in columns)
    print("failures  sets        mean          sd          se  margin  claim")
    for row in sorted(rows, key=lambda row: (not row["failures"], row["margin"]), reverse=True):
        if row["kind"] != "exact" or row["failures"] or row["moves"]:
            print(f"{row['failures']:8} {row['sets']:5} {row['mean']:11.5g} {row['sd']:11.3g} {row['se']:11.3g} "
                  f"{row['margin']:7.1f}  {row['chapter']}: {row['name']}")


def main(number, names):
    """Measure the claims of all chapters, or of some, under so many sets; return the exit status."""
    root = Path.cwd()
    found = [path for path in chapters(root) if not names or path.stem in names]
    if not found or not set(names) <= {path.stem for path in found}:
        sys.exit(f"no chapters {' '.join(names)} below book/: run this at the top of the book")
    environment.adopt(environment.settings(root))
    jobs = []
    for path in found:
        for machine in MACHINES:
            seeds = [one for one, at in sets(number) if at == machine]
            if seeds:
                jobs.append((path, machine, seeds))
    measured = measure_all(jobs)
    rows = tally(claims for claims, _ in measured)
    stopped = sorted({error for _, error in measured if error})
    target = root / "_build" / "claims.csv"
    target.parent.mkdir(exist_ok=True)
    report(rows, target)
    wrong = stopped + [f"{row['chapter']}: {row['name']} {why}" for row in rows if (why := amiss(row))]
    machines = len({machine for _, machine, _ in jobs})
    print(f"{len(rows)} claims, {number} sets of seeds on {machines} machines; table in {target.relative_to(root)}")
    print(f"chance that one build meets a false alarm: {alarm(rows):.1e}")
    if wrong:
        print("\n".join(["these hold by luck, or not at all:", *(f"- {line}" for line in wrong)]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
