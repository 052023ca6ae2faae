"""Chapters executed side by side, while Sphinx still reads them one by one.

Sphinx reads a book page by page, and MyST-NB executes a chapter when its turn comes. Here all chapters whose outputs are
not in the cache are started at once, as many as there are cores, and each goes into the cache when it ends: a build that is
killed loses none that has run. MyST-NB finds it there when its turn comes; messages and failures remain MyST-NB's.
"""

import os
import shutil
import sys
import threading
from concurrent.futures import Future
from pathlib import Path
from queue import Empty, SimpleQueue

from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from jupyter_cache.cache.db import NbCacheRecord
from jupyter_cache.executors.utils import ExecutionResult, single_nb_execution
from myst_nb.core.execute import cache as reader
from myst_nb.core.read import is_myst_markdown_notebook, read_myst_markdown_notebook
from nbclient.exceptions import DeadKernelError
from sphinx.util import logging

from bookbuild import execution, nursery

logger = logging.getLogger(__name__)
# a kernel of this book takes about a gigabyte, and two waste nothing even on one core
AT_LEAST, AT_MOST = 2, 4
# chapters that end together are written one after the other
KEEPING = threading.Lock()


def setup(app):
    """Connect to Sphinx."""
    # what kernels import before there is a chapter for them
    app.add_config_value("bookbuild_preload", [], "", list)
    app.connect("env-before-read-docs", start)


def start(app, env, docnames):
    """Start the chapters that are to be read and have no outputs in the cache."""
    reader.single_nb_execution = single_nb_execution
    if app.config.nb_execution_mode != "cache":
        return
    todo, runs = SimpleQueue(), {}
    # those with most code first: they take longest, and the last one should not run alone
    chapters = sorted(missing(app, docnames), key=lambda one: -len(_code(one[1])))
    # Sphinx reads in the order of this list, which it lends: first what need not wait
    places = {app.env.path2doc(path): place for place, (path, _) in enumerate(chapters)}
    docnames.sort(key=lambda name: places.get(name, -1))
    for path, notebook in chapters:
        runs[app.env.path2doc(path)] = run = Future()
        todo.put((path, notebook, run))
    workers = min(len(runs), max(os.cpu_count() or 1, AT_LEAST), AT_MOST)
    options = {"allow_errors": False, "timeout": app.config.nb_execution_timeout}
    if runs:
        logger.info("executing %d chapters, %d at a time", len(runs), workers)
        if sys.platform == "linux":
            kernels = nursery.Nursery(app.config.bookbuild_preload)
            options["kernel_manager_class"] = nursery.manager(kernels)
            # where a build does not come to its end, the process notices that nobody is there to ask
            app.connect("build-finished", lambda app, exception: kernels.close())
    for _ in range(workers):
        # a daemon ends with the build, however that ends, and its kernel with it
        threading.Thread(target=work, args=(todo, app.config.nb_execution_cache_path, options), daemon=True).start()
    # before MyST-NB looks into the cache
    app.connect("source-read", lambda app, docname, source: runs[docname].result() if docname in runs else None)
    reader.single_nb_execution = lambda notebook, **options: fetch(runs.get(app.env.docname), notebook, **options)


def missing(app, docnames):
    """Yield path and notebook of the chapters among some pages whose outputs are not in the cache."""
    cache = get_cache(app.config.nb_execution_cache_path)
    for path in (Path(app.env.doc2path(name)) for name in docnames):
        text = path.read_text("utf-8") if path.suffix == ".md" else ""
        if is_myst_markdown_notebook(text):
            notebook = read_myst_markdown_notebook(text)
            if not _kept(cache, notebook):
                yield path, notebook


def _kept(cache, notebook):
    """Return whether the outputs of a notebook are in the cache, having dropped an entry that cannot be read.

    The cache notes an entry before it writes it, and a build can be killed between the two.
    """
    try:
        record = cache.match_cache_notebook(notebook)
    except KeyError:
        return False
    try:
        cache.get_cache_bundle(record.pk)
    except (OSError, ValueError, KeyError):
        shutil.rmtree(Path(cache.path, "executed", record.hashkey), ignore_errors=True)
        NbCacheRecord.remove_record(record.pk, cache.db)
        return False
    return True


def work(todo, cache, options):
    """Execute one chapter after the other, with options of `single_nb_execution`, and keep those that succeed in a cache."""
    while True:
        try:
            path, notebook, run = todo.get_nowait()
        except Empty:
            return
        try:
            result = single_nb_execution(notebook, cwd=str(path.parent), **options)
            if not result.err:
                keep(cache, path, adopt(notebook, result), result.time)
        except DeadKernelError as error:
            # as jupyter-cache does for other failures, so that the other chapters are heard too
            run.set_result(ExecutionResult(notebook, str(path.parent), 0, error, str(error)))
        except Exception as error:
            run.set_exception(error)
        else:
            run.set_result(result)
            logger.info("%s has run, in %.0f s", path.stem, result.time)


def keep(cache, path, notebook, seconds):
    """Put an executed notebook into the cache, as MyST-NB does."""
    bundle = CacheBundleIn(notebook, str(path), data={"execution_seconds": seconds})
    with KEEPING:
        get_cache(cache).cache_notebook_bundle(bundle, check_validity=False, overwrite=True)


def fetch(run, notebook, **options):
    """Give a notebook the outputs of its run, and return the result as jupyter-cache's own function does."""
    result = run.result() if run else single_nb_execution(notebook, **options)
    adopt(notebook, result)
    return result


def adopt(notebook, result):
    """Give a notebook the outputs of a run; return it."""
    for cell, ran in zip(_code(notebook), _code(result.nb), strict=True):
        cell.outputs, cell.execution_count = execution.settled(ran.outputs), ran.execution_count
    notebook.metadata |= result.nb.metadata
    return notebook


def _code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]
