"""HTML that screen readers stumble over, put right after the writers of Sphinx, pandas and pybtex."""

import re

MENDS = [
    # pandas heads the corner of a table with nothing
    (re.compile(r'<th (class="blank[^"]*")\s*>&nbsp;</th>'), r"<td \1></td>"),
    # items of a list whose role is for other places, and deprecated
    (re.compile(r'role="doc-biblioentry"'), 'role="listitem"'),
    # a long signature is a list of its parameters, not of definitions without terms
    (
        re.compile(r'<dl>((?:\s*<dd><em class="sig-param">.*?</em>,</dd>)+)\s*</dl>'),
        lambda found: f'<ul class="sig-params">{re.sub("<(/?)dd>", r"<\1li>", found[1])}</ul>',
    ),
]


def setup(app):
    """Connect to Sphinx."""
    app.connect("html-page-context", mend)


def mend(app, pagename, templatename, context, doctree):
    """Put a page's body right."""
    if "body" in context:
        for pattern, better in MENDS:
            context["body"] = pattern.sub(better, context["body"])
