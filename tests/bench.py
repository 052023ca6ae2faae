"""How fast is it? Run by ``make bench``; nothing here is a test, for tests never depend on timing."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

from mixtures import data, exact

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


if __name__ == "__main__":
    posterior()
    book()
