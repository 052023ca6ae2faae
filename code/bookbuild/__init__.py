"""The press: the Sphinx extension that executes and prints the book.

It knows nothing of mixtures. ``_config.yml`` lists it, so that plain ``jupyter-book build .`` has it too.
"""

from bookbuild import accessibility, bundle, execution, figures, findability, formulas, ledger, links, takeaway, typography


def setup(app):
    """Connect the press to Sphinx."""
    for part in (execution, ledger, links, takeaway, typography, formulas, figures, accessibility, findability, bundle):
        part.setup(app)
    return {"parallel_read_safe": False, "parallel_write_safe": True, "env_version": 1}
