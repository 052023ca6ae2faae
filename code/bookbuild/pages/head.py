"""What a page says of itself: what it may load, and what search engines and link previews read."""

import base64
import hashlib
import json
import posixpath
from pathlib import Path
from xml.sax.saxutils import escape

from docutils import nodes

from bookbuild.execute import cache, faults

# the one script that stands in the page itself: the page would jump if it came later
SCRIPT = (Path(__file__).parent / "templates" / "mode.js").read_text("utf-8")
DIGEST = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
CARD = "_static/card.png"
XML = '<?xml version="1.0" encoding="UTF-8"?>'
URLSET = '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">'


def describe(app, pagename, templatename, context, doctree):
    """Give the page's template its script, its description, the book's card, and a filter."""
    found = doctree.findall(nodes.meta) if doctree else ()
    said = (meta["content"] for meta in found if meta.get("name") == "description")
    context |= {"mode_script": SCRIPT, "mode_digest": DIGEST, "description": next(said, None)}
    context |= {"author": app.config.author, "as_json": as_json}
    context["card"] = posixpath.join(app.config.html_baseurl, CARD)


def as_json(text):
    """Return a text as JSON that may stand in a script element, which it may not end."""
    return json.dumps(text, ensure_ascii=False).replace("<", "\\u003c")


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
    return "\n".join([XML, URLSET, *lines, "</urlset>", ""])
