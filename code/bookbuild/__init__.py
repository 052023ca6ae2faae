"""The press: the Sphinx extension that executes the book, prints it, and makes what is taken away.

It knows nothing of what the book is about. ``_config.yml`` lists it, so that plain
``jupyter-book build .`` has it too. ``execute`` runs chapters before anything is read, ``pages``
prints, ``takeaway`` makes notebooks, EPUB and PDF; `checkout` is what all of them know of the book.
"""

from bookbuild import checkout
from bookbuild.execute import cache, run
from bookbuild.pages import bundle, figures, formulas, head, ledger, mend
from bookbuild.takeaway import notebooks, printed


def setup(app):
    """Connect the press to Sphinx."""
    for part in (cache, run, checkout, ledger, formulas, figures, head, mend):
        part.setup(app)
    for part in (notebooks, printed, bundle):
        part.setup(app)
    return {"parallel_read_safe": False, "parallel_write_safe": True, "env_version": 2}
