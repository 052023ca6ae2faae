"""No lucky seeds: execute every chapter with other sampling seeds, and count how often each claim holds.

Run as ``python -m bookbuild.seeds 10``; ``make claims`` does.
"""

import asyncio
import csv
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import nbclient
from myst_nb.core.read import is_myst_markdown_notebook, read_myst_markdown_notebook

from bookbuild import execution

# an honest claim with a tolerance of four standard errors fails in one set of seeds out of sixteen thousand
MAY_FAIL = 1


def chapters(root):
    """Return the paths of the chapters that have code, in the order of their names."""
    return [path for path in sorted((root / "book").glob("*.md")) if is_myst_markdown_notebook(path.read_text("utf-8"))]


def measure(path, seeds):
    """Execute a chapter with its seeds moved, and return its claims.

    Parameters
    ----------
    path : pathlib.Path
    seeds : int
        How far to move them: the value of ``BOOK_SEEDS``.

    Returns
    -------
    list of dict
        The records of `mixtures.claims`, whether they hold or not.
    """
    os.environ |= {"BOOK_SEEDS": str(seeds), "BOOK_CLAIMS_GATHER": "1"}
    notebook = read_myst_markdown_notebook(path.read_text("utf-8"))
    client = nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(path.parent)}})
    asyncio.run(client.async_execute())
    found = [output.get("metadata", {}).get("claim") for output in execution.outputs(notebook)]
    return [claim for claim in found if claim]


def tally(measured):
    """Count how often each claim held.

    Parameters
    ----------
    measured : iterable of list of dict
        The claims of one chapter under one set of seeds.

    Returns
    -------
    dict of str to dict
        For each claim's name its chapter, sentence, how many sets it was measured in and held in, and the values found.
    """
    table = {}
    for claims in measured:
        for claim in claims:
            row = table.setdefault(
                claim["name"],
                {"chapter": claim["chapter"], "says": claim["says"], "sets": 0, "held": 0, "farthest": 0.0, "values": []},
            )
            row["sets"] += 1
            row["held"] += claim["holds"]
            row["farthest"] = max(row["farthest"], claim["distance"] or 0.0)
            row["values"].append(claim["value"])
    return table


def main(sets):
    """Measure all claims with `sets` sets of seeds, write and print the table, and return the exit status."""
    root = Path.cwd()
    jobs = [(path, number) for number in range(1, sets + 1) for path in chapters(root)]
    if not jobs:
        sys.exit("no chapters below book/: run this at the top of the book")
    # two at a time: a chapter is single-threaded while it compiles
    with ProcessPoolExecutor(max_workers=2) as pool:
        table = tally(pool.map(measure, *zip(*jobs, strict=True)))
    target = root / "_build" / "claims.csv"
    target.parent.mkdir(exist_ok=True)
    with target.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["chapter", "claim", "held", "sets", "farthest (tolerances)", "says", "values"])
        for name, row in table.items():
            values = "; ".join(f"{v:.6g}" if isinstance(v, float) else str(v) for v in row["values"])
            writer.writerow([row["chapter"], name, row["held"], row["sets"], f"{row['farthest']:.2f}", row["says"], values])
            print(f"{row['held']:3} of {row['sets']}  {row['farthest']:5.2f}  {row['chapter']}: {name}")
    failed = [name for name, row in table.items() if row["sets"] - row["held"] > MAY_FAIL]
    print(f"{len(table)} claims, {sets} sets of seeds; table in {target.relative_to(root)}")
    if failed:
        print("these do not hold by more than luck: " + ", ".join(failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
