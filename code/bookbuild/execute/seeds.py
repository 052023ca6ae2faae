"""No luck: chapters under sets of seeds and of machines, and how far claims are from failing.

``make claims`` runs this as a module, with the number of sets and the names of chapters.
"""

import math
import sys
from pathlib import Path
from statistics import NormalDist, fmean, stdev

import pandas as pd

from bookbuild import checkout
from bookbuild.execute import cache, faults, run

# standard errors of room that a claim asks for, in the book's ledger too, as
# tests/press/test_seeds.py sees; and standard deviations, over the sets, between what is measured
# and what would be refused
ROOM, MARGIN = 5, 5
# an exact number may move by so much, relative to itself or to one, from machine to machine
EXACT = 1e-6
# seconds for a cell
TIMEOUT = 1200


def chapters(root="."):
    """Return the paths of the pages that have code, by their names, in the order of the book."""
    paths = {Path(page).name: Path(root) / f"{page}.md" for page in checkout.pages(root)}
    return {name: path for name, path in paths.items() if cache.chapter(path)}


def machines(number, settings):
    """Return pairs of a machine's environment and the sets of seeds, of so many, for it.

    The first set is the book as it is built here, on the first machine.
    """
    kinds = [{}, *settings["bookbuild_machines"]]
    sets = [list(range(number))[first :: len(kinds)] for first in range(len(kinds))]
    return [(kind, seeds) for kind, seeds in zip(kinds, sets, strict=True) if seeds]


def measure(path, machine, seeds):
    """Return what a chapter claims in an environment, for each value of ``BOOK_SEEDS``.

    Each is a pair: the records of the claims, whether they hold or not, and why the chapter did not
    come to its end, if it did not.
    """
    environments = [{"BOOK_SEEDS": str(number)} | machine for number in seeds]
    ran = run.execute_under(cache.chapter(path), path, TIMEOUT, environments)
    return [
        (faults.claims(outputs), error and f"{path.stem} stops, with seeds {number}: {error}")
        for number, (outputs, error) in zip(seeds, ran, strict=True)
    ]


def measure_all(paths, kinds):
    """Return what `measure` does for all chapters and machines, side by side."""
    jobs = [(path, *kind) for path in paths for kind in kinds]
    done = run.side_by_side(jobs, lambda job: measure(*job))
    return [one for _, several in done for one in several]


def tally(measured):
    """Sum up each claim over the sets in which it was measured, a list of records for each set.

    Of each claim there are its chapter, name, kind, sentence, values, how often it failed, mean and
    standard deviation of its values, its mean standard error, its margin (`MARGIN` or more is
    asked), and whether it moves although it is said to be exact.
    """
    records = {}
    for claims in measured:
        for claim in claims:
            records.setdefault(claim["name"], []).append(claim)
    return [_row(same) for same in records.values()]


def _row(same):
    first, values = same[0], [claim["value"] for claim in same]
    row = {key: first[key] for key in ("chapter", "name", "kind", "says")}
    row |= {"sets": len(same), "failures": sum(not claim["holds"] for claim in same)}
    row |= {"values": values, "moves": False}
    row |= {"mean": math.nan, "sd": 0.0, "se": 0.0, "margin": math.inf}
    if first["kind"] == "exact":
        row["moves"] = any(_apart(value, values[0]) for value in values)
        return row
    if not all(isinstance(value, int | float) for value in values):
        # a value that is not finite is kept as a word; it counts as a failure above
        return row | {"margin": -math.inf}
    row |= {"mean": fmean(values), "sd": _spread(values)}
    row["se"] = fmean(claim["se"] for claim in same)
    for sign, side in ((1, "low"), (-1, "high")):
        if first[side] is not None:
            # how far each value is from where a build would refuse it
            slack = [sign * (claim["value"] - claim[side]) - ROOM * claim["se"] for claim in same]
            spread = _spread(slack)
            margin = fmean(slack) / spread if spread else math.copysign(math.inf, fmean(slack))
            row["margin"] = min(row["margin"], margin)
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
    """Return the chance that one build refuses a claim, of seeds of its own: a normal estimate."""
    return 1 - math.prod(NormalDist().cdf(row["margin"]) for row in rows)


def report(rows, target):
    """Print a line for each claim, thinnest margin last, and write all of it as a table."""
    table = pd.DataFrame(rows).sort_values(["failures", "margin"], ascending=[True, False])
    table.to_csv(target, index=False)
    seen = table[(table.kind != "exact") | (table.failures > 0) | table.moves]
    print(seen.drop(columns=["kind", "says", "values", "moves"]).to_string(index=False))


def main(number, names):
    """Measure the claims of all chapters or of some; return the exit status."""
    found = chapters()
    if missing := set(names) - found.keys():
        sys.exit(f"no chapters {' '.join(sorted(missing))}; there are {' '.join(found)}")
    settings = checkout.settings()
    checkout.adopt(settings)
    kinds = machines(number, settings)
    chosen = [path for name, path in found.items() if not names or name in names]
    measured = measure_all(chosen, kinds)
    rows = tally(claims for claims, _ in measured)
    target = Path("_build", "claims.csv")
    target.parent.mkdir(exist_ok=True)
    report(rows, target)
    wrong = sorted({error for _, error in measured if error})
    wrong += [f"{row['chapter']}: {row['name']} {why}" for row in rows if (why := amiss(row))]
    print(f"{len(rows)} claims, {number} sets of seeds on {len(kinds)} machines; table in {target}")
    print(f"chance that one build meets a false alarm: about {alarm(rows):.1e}")
    if wrong:
        print("\n".join(["these hold by luck, or not at all:", *(f"- {line}" for line in wrong)]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
