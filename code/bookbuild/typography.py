"""Numbers from a run, set as the rest of the text is."""

from docutils import nodes


def setup(app):
    """Connect to Sphinx."""
    app.connect("doctree-resolved", set_minus)


def set_minus(app, doctree, docname):
    """Give glued negative numbers a minus sign instead of a hyphen."""
    for glued in doctree.findall(lambda n: isinstance(n, nodes.inline) and "pasted-text" in n["classes"]):
        for text in glued.findall(nodes.Text):
            if text.startswith("-") and text[1:2].isdigit():
                text.parent.replace(text, nodes.Text("−" + text[1:]))
