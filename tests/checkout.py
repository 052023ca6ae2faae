"""The checkout as a thing to be tried: its files copied elsewhere, and the book built there."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PRESS = [Path(sys.executable).with_name("jupyter-book"), "build", "."]
# a code cell of a page
CELL = re.compile(r"^```\{code-cell\}.*?^```$", re.MULTILINE | re.DOTALL)
STRICT = [*PRESS, "-W", "-n", "--keep-going"]


def copied(target):
    """Copy what git knows or would know of the book, as it is now, into a folder; return it."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    told = {"capture_output": True, "encoding": "utf-8", "check": True}
    listed = subprocess.run(command, cwd=ROOT, **told).stdout
    for name in listed.split("\0"):
        if name and (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)
    return target


def build(folder, **circumstances):
    """Build the book in a folder, any warning an error, and return its site."""
    told = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "encoding": "utf-8"}
    run = subprocess.run(STRICT, cwd=folder, check=False, **told, **circumstances)
    said = "\n".join(run.stdout.splitlines()[-60:])
    assert run.returncode == 0, f"the book cannot be built:\n{said}"
    return folder / "_build/html"
