"""A miniature book, printed by the press as the book is, to be edited and broken."""

import os
import re
import shutil
import subprocess
import sys
from contextlib import ExitStack, contextmanager

from bookbuild.execute import faults
from bs4 import BeautifulSoup
from checkout import ROOT

STRICT = ("-W", "-n", "--keep-going")
CHAPTERS = ["one", "two", "three"]
HEAD = """---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---
"""
CHAPTER = HEAD + """
# Chapter {name}

The width of {name} is {{glue:text}}`{name}-width:.2f`.{{claim}}`{name}-width`

Chapter one says {{glue:text}}`one.md::one-width:.2f`, give or take.

```{{code-cell}} ipython3
import sys
from pathlib import Path

sys.path.insert(0, "../code")
import tiny
from mixtures.claims import begin, claim

begin("{name}")
print("the width is", tiny.WIDTH)
claim("{name}-width", tiny.WIDTH, expected=1.2, within=0.1, exact=True,
      says="The width of {name} is {{{name}-width:.2f}}.")
with Path("../runs").open("a") as runs:
    runs.write("{name}\\n")
```
"""


# jupyter-book build ., with Ctrl-C as at a terminal wherever the tests run, less the two seconds in
# which jsonschema compiles grammars of addresses that nobody checks here
START = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.modules["rfc3987_syntax"] = None
from jupyter_book.cli.main import main
main()
"""
PRESS = (sys.executable, "-c", START, "build", ".")


class Book:
    """A small book and the command that prints it."""

    def __init__(self, top):
        self.top = top
        shutil.copy(ROOT / "_config.yml", top)
        shutil.copytree(ROOT / "book" / "assets", top / "book" / "assets")
        shutil.copy(ROOT / "book" / "references.bib", top / "book")
        toc = "format: jb-book\nroot: book/index\nchapters:\n"
        toc += "".join(f"  - file: book/{name}\n" for name in (*CHAPTERS, "ledger"))
        self.write("_toc.yml", toc)
        self.write("book/index.md", "# A small book\n\n```{tableofcontents}\n```\n")
        self.write("book/ledger.md", "# The ledger\n\n```{ledger}\n```\n\n```{build-facts}\n```\n")
        self.write("code/tiny.py", "import deep\n\nWIDTH = deep.WIDTH\n")
        self.write("code/deep.py", "WIDTH = 1.25\n")
        self.write("code/unused.py", "WIDTH = 2\n")
        for name in CHAPTERS:
            self.write(f"book/{name}.md", CHAPTER.format(name=name))

    def write(self, name, text):
        """Write a file."""
        path = self.top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def edit(self, name, old, new):
        """Replace the one occurrence of some text in a file."""
        text = (self.top / name).read_text(encoding="utf-8")
        assert text.count(old) == 1
        self.write(name, text.replace(old, new))

    @contextmanager
    def changed(self, *edits):
        """Have files edited for a while; each edit is a name, the old text and the new."""
        with ExitStack() as mended:
            for name, old, new in edits:
                mended.callback(self.write, name, (self.top / name).read_text(encoding="utf-8"))
                self.edit(name, old, new)
            yield

    def environment(self, **more):
        """Return environment variables in which nothing leads to a repository."""
        ours = ("BOOK_SEEDS", "GITHUB_REPOSITORY", "GITHUB_SERVER_URL")
        kept = {name: value for name, value in os.environ.items() if name not in ours}
        return kept | {"GIT_CEILING_DIRECTORIES": str(self.top.parent)} | more

    def build(self, *options, **environ):
        """Print the book; return the exit code, and what was said without colours, on one line."""
        command, environ = [*PRESS, *options], self.environment(**environ)
        both = {"capture_output": True, "text": True, "check": False}
        run = subprocess.run(command, cwd=self.top, env=environ, **both)
        return run.returncode, re.sub(r"\s+", " ", faults.COLOUR.sub("", run.stdout + run.stderr))

    def printed(self, **environ):
        """Print the book, any warning an error; return what was said."""
        code, log = self.build(*STRICT, **environ)
        assert code == 0, log[-3000:]
        return log

    def start(self):
        """Begin to print the book, and return the process."""
        said = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.Popen([*PRESS, *STRICT], cwd=self.top, env=self.environment(), **said)

    def ran(self):
        """Return which chapters were executed since this was last asked, in order."""
        runs = self.top / "runs"
        names = runs.read_text().split() if runs.exists() else []
        runs.unlink(missing_ok=True)
        return sorted(names)

    def page(self, name):
        """Return a printed page."""
        path = self.top / "_build/html/book" / f"{name}.html"
        return BeautifulSoup(path.read_text("utf-8"), "html.parser")

    def ledger(self):
        """Return the cells of the printed ledger, row by row, and where its links lead."""
        rows = self.page("ledger").select("table.ledger tbody tr")
        cells = [[" ".join(cell.text.split()) for cell in row("td")] for row in rows]
        return cells, [row.a["href"] for row in rows]


LEDGER = [
    [name, f"The width of {name} is 1.25.", "1.25", "1.20 ± 0.1", "exact", ""]
    for name in CHAPTERS]


def site(book):
    """Return the bytes of every file of a book's site but Sphinx's own note of its settings."""
    site = book.top / "_build/html"
    paths = [path for path in site.rglob("*") if path.is_file() and path.name != ".buildinfo"]
    return {str(path.relative_to(site)): path.read_bytes() for path in paths}


def differing(one, other):
    """Return the names of the files in which two sites differ."""
    return [name for name in sorted(one.keys() | other.keys()) if one.get(name) != other.get(name)]
