"""The press: the Sphinx extension that executes the book, prints it, and makes what is taken away.

It knows nothing of what the book is about. ``_config.yml`` lists it, so that plain
``jupyter-book build .`` has it too. ``execute`` runs chapters before anything is read, ``pages``
prints, ``takeaway`` makes notebooks, EPUB and PDF; `checkout` is what all of them know of the book.
"""

from bookbuild import checkout
from bookbuild.execute import cache, run
from bookbuild.pages import bundle, figures, formulas, head, ledger, mend, search, sentences
from bookbuild.takeaway import notebooks, printed

# what happens in a build, in its order
EVENTS = {
    "config-inited": [cache.choose, checkout.add_links, bundle.prepare],
    "builder-inited": [search.without_index, notebooks.gather],
    "env-get-outdated": [ledger.borrowers],
    "env-before-read-docs": [run.prepare],
    "doctree-read": [sentences.join],
    "env-updated": [sentences.refuse],
    "doctree-resolved": [ledger.fill, mend.set_minus],
    "html-page-context": [figures.reserve, mend.mend, head.describe],
    "build-finished": [figures.shorten, head.write, search.write, notebooks.publish],
}
# and before or after all others: what locks the build, and what works on what the theme has added
APART = [
    ("config-inited", cache.begin, 0),
    ("html-page-context", notebooks.offer, 900),
    ("html-page-context", bundle.gather, 900),
    ("build-finished", bundle.bundle, 900),
    ("build-finished", cache.end, 999),
]


def setup(app):
    """Connect the press to Sphinx."""
    for value in checkout.CONFIG:
        app.add_config_value(*value)
    for event, handlers in EVENTS.items():
        for handler in handlers:
            app.connect(event, handler)
    for apart in APART:
        app.connect(*apart)
    app.add_node(sentences.Mark, html=(sentences.print_mark, None))
    app.add_role("claim", sentences.role)
    app.add_role("unmeasured", sentences.reason)
    app.add_directive("ledger", ledger.LedgerDirective)
    app.add_directive("build-facts", ledger.FactsDirective)
    app.add_directive("take-away", printed.TakeAwayDirective)
    app.add_html_math_renderer("built", formulas.INLINE, formulas.BLOCK)
    return {"parallel_read_safe": False, "parallel_write_safe": True, "env_version": 1}
