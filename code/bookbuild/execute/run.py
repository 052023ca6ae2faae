"""Chapters executed, side by side, each in its kernel: for a build, and for ``make claims``.

Before Sphinx reads a page, all chapters whose outputs are not in the cache run, and each is kept
when it ends: a build that is killed loses none that has run. When all have ended, every fault is
named at once; if there is none, MyST-NB finds all outputs in the cache.
"""

import os
from contextlib import closing
from queue import Empty, SimpleQueue
from threading import Thread

from jupyter_cache.executors.utils import single_nb_execution
from jupyter_core.utils import ensure_event_loop
from nbclient.exceptions import DeadKernelError
from nbformat.v4 import new_code_cell, new_notebook
from sphinx.util import logging

from bookbuild.execute import cache, faults

logger = logging.getLogger(__name__)
# a kernel takes about a gigabyte, and two waste nothing even on one core
AT_ONCE = min(max(os.cpu_count() or 1, 2), 4)
# in how many pieces a text comes is chance; and kernels have warnings that are none of a build's
NBCLIENT = {"coalesce_streams": True, "extra_arguments": ["--log-level=ERROR"]}


def prepare(app, env, docnames):
    """Have the outputs of all chapters in the cache, or refuse the book and name every fault."""
    if app.config.nb_execution_mode != "cache" or not docnames:
        return
    paths = {name: env.doc2path(name) for name in sorted(env.found_docs)}
    chapters = {name: found for name, path in paths.items() if (found := cache.chapter(path))}
    folder, timeout = app.config.nb_execution_cache_path, app.config.nb_execution_timeout
    ran = {name: cache.find(folder, chapter) for name, chapter in chapters.items()}
    # those with most code first: they take longest, and the last one should not run alone
    missing = sorted((name for name in ran if not ran[name]), key=lambda n: -len(code(chapters[n])))
    if missing:
        logger.info("executing %d chapters, %d at a time", len(missing), min(AT_ONCE, len(missing)))
    found, stopped = [], {}
    runs = side_by_side(missing, lambda name: execute(chapters[name], paths[name], timeout))
    for name, (error, seconds) in runs:
        if error is None:
            cache.keep(folder, paths[name], chapters[name], seconds)
            logger.info("%s has run, in %.0f s", name, seconds)
        ran[name], stopped[name] = chapters[name], error
    for name, chapter in ran.items():
        wrong = faults.of_notebook(chapter, stopped.get(name), timeout)
        found += [(name, fault) for fault in wrong]
    faults.refuse(found + faults.of_claims(ran))


def code(chapter):
    """Return the code cells of a notebook."""
    return [cell for cell in chapter.cells if cell.cell_type == "code"]


def execute(chapter, path, timeout, allow_errors=False):
    """Execute a notebook in its folder; return what stopped it, or None, and its seconds."""
    try:
        # Jupyter leaves the event loop of a thread open
        with closing(ensure_event_loop()):
            ran = single_nb_execution(
                chapter, os.path.dirname(path), timeout, allow_errors, **NBCLIENT
            )
    except DeadKernelError as error:
        # jupyter-cache returns the other two ends, an error and a want of time
        return error, 0
    return ran.err, ran.time


def execute_under(chapter, path, timeout, environments):
    """Execute a chapter again and again in one kernel, each time under other environment variables.

    Yield for each a pair: the outputs, up to those of a cell that raises, and what stopped the
    chapter, in words, which is empty if nothing did.
    """
    cells, length = [], len(code(chapter)) + 1
    for variables in environments:
        cells.append(new_code_cell(f"import os\nos.environ.update({variables!r})"))
        cells += [new_code_cell(cell.source, metadata=cell.metadata) for cell in code(chapter)]
    whole = new_notebook(cells=cells, metadata=chapter.metadata)
    ended, _ = execute(whole, path, timeout, allow_errors=True)
    for start in range(0, len(cells), length):
        outputs, error = [], ""
        for cell in cells[start : start + length]:
            outputs += cell.outputs
            raised = [one for one in cell.outputs if one.output_type == "error"]
            if raised or (ended and cell.execution_count is None):
                error = faults.in_words(raised[0]) if raised else faults.of_end(ended, timeout)
                break
        yield outputs, error


def side_by_side(jobs, work):
    """Do some jobs in threads, `AT_ONCE` at a time; yield each with its result, as they end."""
    todo, done = SimpleQueue(), SimpleQueue()
    for job in jobs:
        todo.put(job)

    def worker():
        while True:
            try:
                job = todo.get_nowait()
            except Empty:
                return
            try:
                done.put((job, work(job), None))
            except Exception as error:
                done.put((job, None, error))

    for _ in range(min(AT_ONCE, len(jobs))):
        # a daemon ends with the process, however that ends, and its kernel follows
        Thread(target=worker, daemon=True).start()
    for _ in jobs:
        job, result, error = done.get()
        if error:
            raise error
        yield job, result
