"""Numbers from a run, set as the rest of the text is, and as fresh as the run."""

from docutils import nodes
from myst_nb.ext.glue.utils import PendingGlueReference

from bookbuild import execution


def setup(app):
    """Connect to Sphinx."""
    app.connect("doctree-resolved", set_minus)
    app.connect("doctree-read", note)
    app.connect("env-purge-doc", forget)
    app.connect("env-updated", renew)


def set_minus(app, doctree, docname):
    """Give glued negative numbers a minus sign instead of a hyphen."""
    for glued in doctree.findall(lambda n: isinstance(n, nodes.inline) and "pasted-text" in n["classes"]):
        for text in glued.findall(nodes.Text):
            if text.startswith("-") and text[1:2].isdigit():
                text.parent.replace(text, nodes.Text("−" + text[1:]))


def note(app, doctree):
    """Note whether a page pastes numbers from another page."""
    if any(doctree.findall(PendingGlueReference)):
        _pasting(app.env).add(app.env.docname)


def forget(app, env, docname):
    """Drop what was noted of a page."""
    _pasting(env).discard(docname)


def renew(app, env):
    """Have such pages printed anew whenever any page is: the other one may have been executed again."""
    return sorted(_pasting(env)) if execution.reading(app) else []


def _pasting(env):
    if not hasattr(env, "bookbuild_pasting"):
        env.bookbuild_pasting = set()
    return env.bookbuild_pasting
