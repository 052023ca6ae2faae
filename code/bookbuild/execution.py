"""How chapters are executed: a cache that notices every change, and a page that may not hide a failure."""

import hashlib
import json
import os
import platform
import re
import shutil
from contextlib import suppress
from importlib import metadata
from pathlib import Path

import nbformat
from jupyter_cache import get_cache
from jupyter_cache.cache.db import get_version
from sphinx.application import ENV_PICKLE_FILENAME
from sphinx.errors import ExtensionError

from bookbuild import environment

# what a chapter's outputs can depend on, besides its cells and the shared code
COMPUTES_WITH = (
    *("arviz", "arviz-base", "arviz-plots", "arviz-stats", "ipykernel", "ipython", "llvmlite", "matplotlib"),
    *("matplotlib-inline", "numba", "numpy", "nutpie", "pandas", "pymc", "pytensor", "scipy", "seaborn", "xarray"),
)
FAILURE = re.compile(r"Traceback \(most recent call last\)|^.*\b\w*Warning: .*$", re.MULTILINE)
# a terminal's colours would hide the words from the pattern
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# of `settled`, raised when it is edited: outputs are in the cache as it left them
SETTLED = 1
# where an object lies in memory, and the name that pandas gives to a table with a style
ADDRESS = re.compile(r"(?<=\w) at 0x[0-9a-f]+(?=>)")
STYLER = re.compile(r"\bT_[0-9a-f]{5}(?=[_\"\s])")

# what ends a cell from outside; its outputs do not say
ENDED = {
    "CellTimeoutError": "a cell took longer than {} s",
    "DeadKernelError": "its kernel has died; was it short of memory?",
}


def setup(app):
    """Connect to Sphinx."""
    # environment variables of the chapters' kernels, where the reader has set no others
    app.add_config_value("bookbuild_environment", {}, "", dict)
    app.connect("config-inited", choose_cache)
    # MyST-NB's reports on chapters that fail: those of an earlier build are no part of this one
    app.connect("builder-inited", lambda app: shutil.rmtree(Path(app.outdir) / "reports", ignore_errors=True))
    app.connect("doctree-read", inspect)
    app.connect("env-purge-doc", forget)
    app.connect("build-finished", reread)


def versions():
    """Return the installed version of each package that chapters compute with, and Python's."""
    found = {"python": platform.python_version()}
    for name in COMPUTES_WITH:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "absent"
    return found


def fingerprint(root, settings=()):
    """Return a short name for all that outputs depend on, the cells aside.

    Parameters
    ----------
    root : pathlib.Path
        The top of the book.
    settings : iterable of str
        Names of environment variables that outputs depend on, too.

    Returns
    -------
    str
    """
    variables = {name: os.environ.get(name) for name in settings}
    digest = hashlib.sha256(json.dumps([SETTLED, versions(), os.environ.get("BOOK_SEEDS", "0"), variables]).encode())
    # the press itself is no part of it: chapters may not import it, and tests/test_prose.py sees to that
    shared = [file for file in (root / "code").rglob("*.py") if "bookbuild" not in file.relative_to(root).parts]
    for file in sorted(f for f in [*shared, *(root / "book" / "data").rglob("*")] if f.is_file()):
        digest.update(f"{file.relative_to(root).as_posix()}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]


def choose_cache(app, config):
    """Point the execution cache to a folder of its own for this code and these versions.

    jupyter-cache looks at the code cells alone; an edit in a shared module would leave stale figures in the book.
    """
    settings = config.bookbuild_environment
    environment.adopt(settings)
    if not os.access(Path.home(), os.W_OK):
        # Jupyter, IPython, PyTensor and matplotlib keep things there, and complain on stderr where they cannot
        home = Path(app.outdir).parent / "home"
        home.mkdir(exist_ok=True)
        os.environ["HOME"] = str(home)
    cache = Path(app.outdir).parent / ".jupyter_cache" / fingerprint(Path(app.srcdir), settings)
    if cache.exists() and not get_version(cache):
        # the version is written last: this cache was begun, and never ready to be used
        shutil.rmtree(cache)
    config.nb_execution_cache_path = str(cache)


def executed(app, docname):
    """Return the executed notebook behind a page as a dict, or None where the page is not a notebook."""
    if "exec_data" not in getattr(app.env, "nb_metadata", {}).get(docname, {}):
        return None
    notebook = nbformat.read(Path(app.outdir).parent / "jupyter_execute" / f"{docname}.ipynb", as_version=4)
    # myst-nb leaves the outputs out of this file whenever it takes them from the cache
    with suppress(KeyError):
        _, notebook = get_cache(app.config.nb_execution_cache_path).merge_match_into_notebook(notebook)
    return notebook


def outputs(notebook):
    """Yield the outputs of a notebook's code cells."""
    for cell in notebook["cells"]:
        yield from cell.get("outputs", [])


def settled(outputs):
    """Return the outputs of a cell without what changes from run to run although nothing has changed.

    That is where Python keeps an object, the names that pandas gives to tables, and in how many pieces a text came.

    Parameters
    ----------
    outputs : list of nbformat.NotebookNode

    Returns
    -------
    list of nbformat.NotebookNode
    """
    joined = []
    for output in outputs:
        last = joined[-1] if joined else {}
        if output["output_type"] == last.get("output_type") == "stream" and output["name"] == last["name"]:
            last["text"] += output["text"]
        else:
            joined.append(output)
    for output in joined:
        data = output.get("data", {})
        if "text/plain" in data:
            data["text/plain"] = ADDRESS.sub("", data["text/plain"])
        if "text/html" in data:
            plain = STYLER.sub("", data["text/html"])
            data["text/html"] = STYLER.sub(f"T_{hashlib.sha256(plain.encode()).hexdigest()[:8]}", data["text/html"])
    return joined


def faults(notebook):
    """Yield, in words, what in a notebook's outputs must not be printed.

    Parameters
    ----------
    notebook : dict
        In nbformat 4.

    Yields
    ------
    str
    """
    for output in outputs(notebook):
        data = output.get("data", {})
        text = "".join(output.get("text", "")) + "".join(data.get("text/plain", ""))
        text = COLOUR.sub("", text)
        if output["output_type"] == "error":
            yield f"{output['ename']}: {output['evalue']}"
        elif output.get("name") == "stderr":
            yield f"text on stderr: {text.strip()}"
        elif found := FAILURE.search(text):
            yield f"warning or traceback in the output: {found[0].strip()}"


def inspect(app, doctree):
    """Note the faults of a page that has just been read."""
    docname = app.env.docname
    notebook = executed(app, docname)
    if notebook is not None:
        error = app.env.nb_metadata[docname]["exec_data"]["error"]
        if error in ENDED:
            found = [f"execution failed: {error}: {ENDED[error].format(app.config.nb_execution_timeout)}"]
        else:
            found = list(faults(notebook)) or [f"execution failed: {error}"] * bool(error)
        _noted(app.env)[docname] = found


def forget(app, env, docname):
    """Drop what was noted of a page, and note that it will be read or is gone."""
    app.bookbuild_reading = True
    _noted(env).pop(docname, None)


def reading(app):
    """Return whether this build has read or dropped any page; if not, all pages stand as they were printed."""
    return getattr(app, "bookbuild_reading", False)


def all_faults(env):
    """Return pairs of a page and a fault that its outputs hold."""
    return [(docname, fault) for docname, faults in sorted(_noted(env).items()) for fault in faults]


def refuse(found):
    """Stop the build when anything was found; `found` holds pairs of a page and what is wrong with it.

    Sphinx then keeps no memory of having read the pages.
    """
    if found:
        lines = [f"- {docname}.md: {fault}" for docname, fault in found]
        raise ExtensionError("\n".join(["this book cannot be printed:", *lines]))


def reread(app, exception):
    """Delete the saved environment after a warning, as Sphinx does after an error: the next build must warn again."""
    if app._warncount:
        (Path(app.doctreedir) / ENV_PICKLE_FILENAME).unlink(missing_ok=True)


def _noted(env):
    if not hasattr(env, "bookbuild_faults"):
        env.bookbuild_faults = {}
    return env.bookbuild_faults
