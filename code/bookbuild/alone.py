"""One build at a time in a checkout, and none that takes up what another left half done."""

import errno
from pathlib import Path

from sphinx.application import ENV_PICKLE_FILENAME
from sphinx.util import logging

try:
    import fcntl
except ImportError:
    # Windows has none, and nobody waits there
    fcntl = None

logger = logging.getLogger(__name__)
UNFINISHED = "a build has begun, and not come to its end\n"


def setup(app):
    """Connect to Sphinx."""
    # before anything is read, and after all has been written
    app.connect("config-inited", begin, priority=0)
    app.connect("build-finished", end, priority=999)


def begin(app, config):
    """Wait for other builds to end, and forget what one that was killed knew of pages it may not have written."""
    folder = Path(app.outdir).parent
    # the system gives the lock back when this process ends, however it ends
    lock = app.bookbuild_lock = (folder / ".lock").open("a+")
    if fcntl:
        _wait(lock)
    lock.seek(0)
    if lock.read():
        # without these, Sphinx reads and prints everything; what was executed stays in the cache
        (Path(app.doctreedir) / ENV_PICKLE_FILENAME).unlink(missing_ok=True)
        (Path(app.outdir) / ".buildinfo").unlink(missing_ok=True)
    _note(lock, UNFINISHED)


def end(app, exception):
    """Note that nothing is half done; or say what Sphinx says in the last of a hundred lines, where there was no room."""
    if exception is None:
        _note(app.bookbuild_lock, "")
    elif _full(exception):
        logger.error("the disk is full: make room and build again; chapters that have run are kept")


def _full(error):
    """Return whether an error, or what led to it, is a want of room."""
    while error is not None:
        # the second is SQLite's
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "disk is full" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def _wait(lock):
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        logger.info("another build of this checkout is running; waiting for its end")
        fcntl.flock(lock, fcntl.LOCK_EX)


def _note(lock, words):
    lock.truncate(0)
    lock.write(words)
    lock.flush()
