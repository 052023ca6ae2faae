"""The outputs of chapters, kept for as long as nothing that they depend on changes.

jupyter-cache looks at a chapter's code cells alone. Here each state of shared code, data, versions
and environment has a cache of its own. One build at a time may use the folder of all of them.
"""

import atexit
import errno
import hashlib
import json
import os
import platform
import re
import shutil
import traceback
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

from filelock import FileLock, Timeout
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from jupyter_cache.cache.db import get_version
from myst_nb.core.read import is_myst_markdown_notebook, read_myst_markdown_notebook
from sphinx.application import ENV_PICKLE_FILENAME
from sphinx.util import logging

from bookbuild import checkout

logger = logging.getLogger(__name__)
# raised when `settled` is edited: outputs are in the cache as it left them
SETTLED = 2
# where an object lies in memory, and the name that pandas gives to a table with a style
ADDRESS = re.compile(r"(?<=\w) at 0x[0-9a-f]+(?=>)")
STYLER = re.compile(r"\bT_[0-9a-f]{5}(?=[_\"\s])")
# in the words of the system, and of SQLite
FULL = re.compile(f"{os.strerror(errno.ENOSPC)}|{os.strerror(errno.EDQUOT)}|disk is full")


def begin(app, config):
    """Wait for other builds of this checkout, and forget what one that failed knew of pages."""
    folder = Path(app.outdir).parent
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        logger.info("another build of this checkout is running; waiting for its end")
        lock.acquire()
    # until this process ends; the system opens the lock of one that is killed
    atexit.register(lock.release)
    if _unfinished(app).exists():
        # without these, Sphinx reads and prints everything; what was executed stays in the cache
        (Path(app.doctreedir) / ENV_PICKLE_FILENAME).unlink(missing_ok=True)
        for note in folder.glob("*/.buildinfo"):
            note.unlink()
    _unfinished(app).touch()


def end(app, exception):
    """Note that nothing is half done; or say plainly that there was no room."""
    if exception is None and app.builder.name == "html":
        # a build with warnings has to warn again, and gets its status after this event
        atexit.register(lambda: app.statuscode or _unfinished(app).unlink(missing_ok=True))
    elif FULL.search("".join(traceback.format_exception(exception))):
        logger.error("the disk is full: make room and build again; what has run is kept")


def choose(app, config):
    """Give the chapters their environment, and the cache that goes with it."""
    checkout.adopt(config)
    build = Path(app.outdir).parent
    if not os.access(Path.home(), os.W_OK):
        # Jupyter, IPython and what chapters import keep things there, and complain on stderr
        (build / "home").mkdir(exist_ok=True)
        os.environ["HOME"] = str(build / "home")
    name = fingerprint(Path(app.srcdir), config.bookbuild_versions, config.bookbuild_environment)
    cache = build / ".jupyter_cache" / name
    if cache.exists() and not get_version(cache):
        # the version is written last: this cache was begun, and never ready to be used
        shutil.rmtree(cache)
    config.nb_execution_cache_path = str(cache)


def versions(packages):
    """Return Python's version and that of each of some packages, by name."""
    return {"python": platform.python_version(), **{n: metadata.version(n) for n in packages}}


def fingerprint(root, packages=(), variables=()):
    """Return a short name for all that outputs depend on, the cells of chapters aside.

    That is shared code and data below `root`, and versions and environment variables by name.
    """
    around = {name: os.environ.get(name) for name in ("BOOK_SEEDS", *variables)}
    digest = hashlib.sha256(json.dumps([SETTLED, versions(packages), around]).encode())
    # the press itself is no part of it: tests/book/test_prose.py sees that no chapter imports it
    press = root / "code" / "bookbuild"
    files = [file for file in (root / "code").rglob("*.py") if press not in file.parents]
    files += [file for file in (root / "book" / "data").rglob("*") if file.is_file()]
    for file in sorted(files):
        digest.update(f"{file.relative_to(root).as_posix()}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]


def chapter(path):
    """Return the notebook in a file as MyST-NB reads it, or None where it is none."""
    text = Path(path).read_text("utf-8") if Path(path).suffix == ".md" else ""
    return read_myst_markdown_notebook(text) if is_myst_markdown_notebook(text) else None


def executed(app, page):
    """Return the notebook behind a page with its outputs, or None where there are none."""
    notebook = chapter(app.env.doc2path(page))
    if notebook is None or app.config.nb_execution_mode != "cache":
        return None
    return find(app.config.nb_execution_cache_path, notebook)


def find(folder, notebook):
    """Return a notebook with its outputs from a cache, or None where they are not in it."""
    with opened(folder) as cache:
        try:
            record = cache.match_cache_notebook(notebook)
        except KeyError:
            return None
        try:
            return cache.merge_match_into_notebook(notebook)[1]
        except (OSError, ValueError, KeyError):
            # the cache notes an entry before it writes it, and a build can be killed between the
            # two; jupyter-cache 1.0 itself removes an entry only if it is whole
            shutil.rmtree(Path(cache.path, "executed", record.hashkey), ignore_errors=True)
            return None


@contextmanager
def opened(folder):
    """Give a cache, and close its database, which jupyter-cache 1.0 leaves open."""
    cache = get_cache(folder)
    try:
        yield cache
    finally:
        cache.db.dispose()


def keep(folder, path, notebook, seconds):
    """Put the executed notebook of a file into a cache, as MyST-NB does."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = settled(cell.outputs)
    bundle = CacheBundleIn(notebook, path, data={"execution_seconds": seconds})
    with opened(folder) as cache:
        cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)


def settled(outputs):
    """Return a cell's outputs without what changes from run to run although nothing has changed.

    That is where Python keeps an object, and the names that pandas gives to tables.
    """
    for data in (output.get("data", {}) for output in outputs):
        if "text/plain" in data:
            data["text/plain"] = ADDRESS.sub("", data["text/plain"])
        if "text/html" in data:
            plain = STYLER.sub("", data["text/html"])
            name = f"T_{hashlib.sha256(plain.encode()).hexdigest()[:8]}"
            data["text/html"] = STYLER.sub(name, data["text/html"])
    return outputs


def _unfinished(app):
    """Return the path of a file that is there while a build runs, and after one that failed."""
    return Path(app.outdir).parent / ".unfinished"
