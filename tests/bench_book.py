"""What does the book cost, beside the note it began with? Run by ``make bench`` (ROUNDS=3).

Each round runs the source note as a script and then the book, both with nothing compiled before, in
the same minutes on the same machine: a machine's speed changes over the hours, and a ratio of
neighbours does not. Everything is a whole process.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path
from statistics import median

import psutil
from checkout import ROOT, STRICT, copied

PROSE, LINE = "book/mixture.md", "\nOne more line.\n"
KINDS = ("import", "compile", "run", "plot")


def timed(command, cwd, **environ):
    """Run a command; return its seconds and the most memory that its processes had together, MB."""
    peak, start = 0, time.perf_counter()
    out = {"stderr": subprocess.STDOUT, "cwd": cwd, "env": os.environ | environ}
    with tempfile.TemporaryFile("w+") as said:
        run = subprocess.Popen(command, stdout=said, **out)
        while run.returncode is None:
            try:
                # to look takes a while too, of processes that map much
                run.wait(5)
            except subprocess.TimeoutExpired:
                peak = max(peak, memory(run.pid))
        seconds = time.perf_counter() - start
        if run.returncode:
            said.seek(0)
            sys.exit(f"{' '.join(map(str, command))} failed:\n{said.read()[-3000:]}")
    # a round takes many minutes
    what = f"{Path(command[0]).name} {Path(command[1]).name} in {Path(cwd).name}"
    print(f"{seconds:8.1f} s  {what}", file=sys.stderr, flush=True)
    return seconds, peak


def memory(pid):
    """Return what a process and all below it have, each page once, MB."""
    total = 0
    try:
        family = psutil.Process(pid)
        for process in [family, *family.children(recursive=True)]:
            # processes share pages of libraries: Linux counts a share of each
            total += getattr(process.memory_full_info(), "pss", 0) or process.memory_info().rss
    except psutil.Error:
        pass
    return total / 1e6


def append(path, line):
    """Add a line to a file."""
    path.write_text(path.read_text("utf-8") + line, "utf-8")


def measure(work):
    """Do one round; return seconds by name, the cold build's memory, and each chapter's by kind."""
    clocks, ipython, found = work / "clocks", work / "ipython", {}
    (ipython / "profile_default/startup").mkdir(parents=True)
    clocks.mkdir()
    shutil.copy(ROOT / "tests/clock.py", ipython / "profile_default/startup/00-clock.py")
    plain = {"MPLBACKEND": "agg", "PYTENSOR_FLAGS": f"base_compiledir={work / 'note'}"}
    compiled = {"PYTENSOR_FLAGS": f"numba__fastmath=False,cxx=,base_compiledir={work / 'compiled'}"}
    note = [sys.executable, ROOT / "tests/source_note.py"]
    found["note, cold"], _ = timed(note, work, **plain)
    book = copied(work / "book")
    counted = compiled | {"IPYTHONDIR": str(ipython), "CLOCK": str(clocks)}
    found["book, cold"], peak = timed(STRICT, book, **counted)
    chapters = {path.stem: json.loads(path.read_text("utf-8")) for path in clocks.iterdir()}
    found["note, warm"], _ = timed(note, work, **plain)
    found["nothing changed"], _ = timed(STRICT, book, **compiled)
    append(book / PROSE, LINE)
    found["prose"], _ = timed(STRICT, book, **compiled)
    append(book / "code/mixtures/plots/animation.py", "# one more line\n")
    found["shared module"], _ = timed(STRICT, book, **compiled)
    site = sum(file.stat().st_size for file in (book / "_build/html").rglob("*") if file.is_file())
    return found, peak, chapters, site


def heaviest(count=10):
    """Return the largest installed distributions and their size in MB."""
    sizes = {}
    for one in metadata.distributions():
        files = (one.locate_file(file) for file in one.files or [])
        sizes[one.name] = sum(file.stat().st_size for file in files if file.is_file()) / 1e6
    return sorted(sizes.items(), key=lambda pair: -pair[1])[:count], sum(sizes.values())


def main(rounds):
    """Measure and print."""
    done = []
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            done.append(measure(Path(folder)))
        times = ", ".join(f"{name} {time:.1f}" for name, time in done[-1][0].items())
        print(f"round {number + 1} of {rounds}: {times}", flush=True)

    def seconds(name):
        return median(times[name] for times, *_ in done)

    def ratio(one, other):
        return median(times[one] / times[other] for times, *_ in done)

    print(f"\nmedian of {rounds} rounds on {os.cpu_count()} cores{'':19} seconds    ratio")
    for one, other, words in (
        ("book, cold", "note, cold", "whole book cold / source note cold"),
        ("shared module", "note, warm", "shared module edited / source note warm"),
        ("prose", "note, warm", "prose edited / the same"),
        ("nothing changed", "note, warm", "nothing changed / the same"),
    ):
        print(f"{words:46} {seconds(one):6.1f} / {seconds(other):5.1f}  {ratio(one, other):5.2f}")
    peak = median(peak for _, peak, *_ in done)
    print(f"{'memory at the most, of all processes, cold':46} {peak:6.0f} MB")
    print(f"{'the site':46} {done[-1][3] / 1e6:6.1f} MB")
    heads = " ".join(f"{kind:>8}" for kind in KINDS)
    print(f"\nchapter, cold: seconds{'':8} {heads}      all")
    rows = {}
    for name in done[-1][2]:
        every = [chapters[name] for _, _, chapters, _ in done]
        counts = [median(chapter.get(kind, 0) for chapter in every) for kind in KINDS]
        rows[name] = [*counts, sum(counts)]
    for name, row in sorted(rows.items(), key=lambda pair: -pair[1][-1]):
        print(f"{name:30} " + " ".join(f"{count:8.1f}" for count in row))
    sums = [sum(column) for column in zip(*rows.values(), strict=True)]
    print(f"{'all':30} " + " ".join(f"{count:8.1f}" for count in sums))
    largest, total = heaviest()
    sizes = ", ".join(f"{name} {size:.0f}" for name, size in largest)
    print(f"\ninstalled: {total:.0f} MB, of which {sizes}")


if __name__ == "__main__":
    main(int(os.environ.get("ROUNDS", "3")))
