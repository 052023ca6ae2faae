"""What a page says of itself: what it may load, and what search engines and link previews read.

A page on GitHub Pages cannot set headers, so its Content-Security-Policy stands in a meta element; of
what it could say, only ``frame-ancestors`` and reports have no force there.
"""

import base64
import hashlib
import html
import json
import posixpath
import re
from pathlib import Path
from xml.sax.saxutils import escape

from docutils import nodes

from bookbuild.execute import cache, faults

# the one script that stands in the page itself: the page would jump if it came later
SCRIPT = (Path(__file__).parent / "templates" / "mode.js").read_text("utf-8")
DIGEST = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
# the page's own host, and nothing else; figures and formulas are placed by styles of their own
POLICY = (
    f"default-src 'none'; script-src 'self' 'sha256-{DIGEST}'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'"
)
CARD = "_static/card.png"
TAG = re.compile(r"<[^>]*>")
SITEMAP = """<?xml version="1.0" encoding="UTF-8"?>
<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">
{}
</urlset>
"""


def setup(app):
    """Connect to Sphinx."""
    app.connect("html-page-context", describe)
    app.connect("build-finished", write)


def describe(app, pagename, templatename, context, doctree):
    """Give the page's template its policy, its description, and both as a learning resource."""
    context["mode_script"], context["policy"] = SCRIPT, POLICY
    found = doctree.findall(nodes.meta) if doctree else ()
    said = next((meta["content"] for meta in found if meta.get("name") == "description"), None)
    context["description"] = said
    context["card"] = posixpath.join(app.config.html_baseurl, CARD)
    context["resource"] = resource(app.config, pagename, context) if said else None


def resource(config, pagename, context):
    """Return a page in the words of schema.org, as JSON that may stand in a script element.

    `context` is that of the page's template: title, description and, if known, address.
    """
    kind = "LearningResource"
    book = {"@type": ["Book", kind], "name": config.html_title, "inLanguage": config.language}
    title = html.unescape(TAG.sub("", context["title"]))
    chapter = {"@type": ["Chapter", kind], "name": title, "isPartOf": book}
    page = {"@context": "https://schema.org"} | (book if pagename == config.root_doc else chapter)
    page |= {"description": context["description"], "isAccessibleForFree": True}
    page["author"] = {"@type": "Organization", "name": config.author}
    page["learningResourceType"] = "interactive textbook"
    if context.get("pageurl"):
        page["url"] = context["pageurl"]
    # a description may not end the element
    return json.dumps(page, ensure_ascii=False).replace("<", "\\u003c")


def write(app, exception):
    """Write the picture of the book, and where the book's address is known the sitemap."""
    if exception is not None or app.builder.name != "html":
        return
    notebook = cache.executed(app, app.config.root_doc)
    for output in faults.outputs(notebook or {"cells": []}):
        if output.get("metadata", {}).get("card"):
            picture = base64.b64decode(output["data"]["image/png"])
            (Path(app.outdir) / CARD).write_bytes(picture)
    if base := app.config.html_baseurl:
        pages = [app.builder.get_target_uri(page) for page in sorted(app.env.found_docs)]
        addresses = [posixpath.join(base, page) for page in pages]
        (Path(app.outdir) / "sitemap.xml").write_text(sitemap(addresses), "utf-8")


def sitemap(addresses):
    """Return some addresses in the protocol of sitemaps.org."""
    lines = [f"<url><loc>{escape(address)}</loc></url>" for address in addresses]
    return SITEMAP.format("\n".join(lines))
