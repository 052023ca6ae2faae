"""The press: the Sphinx extension that executes and prints the book.

It knows nothing of mixtures. ``_config.yml`` lists it, so that plain ``jupyter-book build .`` has it too.
"""

from bookbuild import (
    accessibility,
    ahead,
    alone,
    bundle,
    execution,
    figures,
    findability,
    formulas,
    ledger,
    links,
    notebooks,
    policy,
    takeaway,
    typography,
)

READING = (alone, execution, ahead, ledger, links, takeaway, typography)
PRINTING = (formulas, figures, accessibility, findability, policy, notebooks, bundle)


def setup(app):
    """Connect the press to Sphinx."""
    for part in (*READING, *PRINTING):
        part.setup(app)
    return {"parallel_read_safe": False, "parallel_write_safe": True, "env_version": 1}
