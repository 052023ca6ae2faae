"""What Sphinx, pandas and pybtex write, put right: for eyes and screen readers."""

import re

from docutils import nodes

MENDS = [
    # pandas heads the corner of a table with nothing
    (re.compile(r'<th (class="blank[^"]*")\s*>&nbsp;</th>'), r"<td \1></td>"),
    # items of a list whose role is for other places, and deprecated
    (re.compile(r'role="doc-biblioentry"'), 'role="listitem"'),
    # a long signature is a list of its parameters, not of definitions without terms
    (re.compile(r'<dl>((?:\s*<dd><em class="sig-param">.*?</em>,</dd>)+)\s*</dl>'),
     lambda found: f'<ul class="sig-params">{re.sub("<(/?)dd>", r"<\1li>", found[1])}</ul>'),
]


def set_minus(app, doctree, docname):
    """Give glued negative numbers a minus sign instead of a hyphen."""
    for glued in doctree.findall(nodes.inline):
        for text in list(glued.findall(nodes.Text)) if "pasted-text" in glued["classes"] else ():
            if text.startswith("-") and text[1:2].isdigit():
                text.parent.replace(text, nodes.Text("−" + text[1:]))


def mend(app, pagename, templatename, context, doctree):
    """Put a page's body right."""
    if "body" in context:
        for pattern, better in MENDS:
            context["body"] = pattern.sub(better, context["body"])
