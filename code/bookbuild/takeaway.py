"""Links to the EPUB and the PDF, on a site that holds them."""

import os

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from bookbuild import chapters

FORMS = ((".epub", "EPUB", " for e-readers"), (".pdf", "PDF", " for paper"))


class take_away(nodes.General, nodes.Element):
    """Stands where the links will be."""


class TakeAwayDirective(SphinxDirective):
    """``{take-away}``: the links, or nothing where the site holds no such files."""

    def run(self):
        """Return the placeholder."""
        return [take_away()]


def setup(app):
    """Connect to Sphinx."""
    # `make site` says so, and puts the files there
    app.add_config_value("bookbuild_take_away", lambda config: os.environ.get("BOOK_TAKE_AWAY") == "1", "html")
    app.add_node(take_away)
    app.add_directive("take-away", TakeAwayDirective)
    app.connect("doctree-resolved", fill)


def fill(app, doctree, docname):
    """Put the links where the placeholder stands, or nothing."""
    for place in list(doctree.findall(take_away)):
        place.replace_self(links(app.config.html_title, docname) if app.config.bookbuild_take_away else [])


def links(title, docname):
    """Return a paragraph of links from a page to the files of the book, which lie at the top of the site."""
    found = nodes.paragraph("", "Take it with you:", classes=["take-away"])
    for ending, name, purpose in FORMS:
        address = "../" * docname.count("/") + chapters.file_name(title, ending)
        found += [nodes.Text(" "), nodes.reference("", name, refuri=address, internal=True), nodes.Text(f"{purpose},")]
    found[-1] = nodes.Text(f"{purpose}.")
    return found
