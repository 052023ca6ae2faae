"""What search engines and link previews read: descriptions, structured data, a sitemap and a picture."""

import base64
import html
import json
import posixpath
import re
from pathlib import Path
from xml.sax.saxutils import escape

from docutils import nodes

from bookbuild import execution

CARD = "_static/card.png"
TAG = re.compile(r"<[^>]*>")


def setup(app):
    """Connect to Sphinx."""
    app.connect("html-page-context", describe)
    app.connect("build-finished", write)


def describe(app, pagename, templatename, context, doctree):
    """Give the page's template its description, and the page as a learning resource in the words of schema.org."""
    found = doctree.findall(nodes.meta) if doctree else ()
    context["description"] = next((meta["content"] for meta in found if meta.get("name") == "description"), None)
    context["card"] = posixpath.join(app.config.html_baseurl, CARD)
    context["resource"] = resource(app.config, pagename, context) if context["description"] else None


def resource(config, pagename, context):
    """Return a page as a learning resource, as JSON that may stand in a script element.

    Parameters
    ----------
    config : sphinx.config.Config
    pagename : str
    context : dict
        Of the page's template: its title, description and, where the book's address is known, its own.

    Returns
    -------
    str
    """
    book = {"@type": ["Book", "LearningResource"], "name": config.html_title, "inLanguage": config.language}
    whole = pagename == config.root_doc
    title = html.unescape(TAG.sub("", context["title"]))
    page = book if whole else {"@type": ["Chapter", "LearningResource"], "name": title, "isPartOf": book}
    page = {"@context": "https://schema.org", **page, "description": context["description"], "isAccessibleForFree": True}
    page |= {"author": {"@type": "Organization", "name": config.author}, "learningResourceType": "interactive textbook"}
    if context.get("pageurl"):
        page["url"] = context["pageurl"]
    # a description may not end the element
    return json.dumps(page, ensure_ascii=False).replace("<", "\\u003c")


def write(app, exception):
    """Write the picture of the book, the words to search, and where the book's address is known the sitemap."""
    if exception is not None or app.builder.name != "html":
        return
    notebook = execution.executed(app, app.config.root_doc)
    for output in execution.outputs(notebook or {"cells": []}):
        if output.get("metadata", {}).get("card"):
            (Path(app.outdir) / CARD).write_bytes(base64.b64decode(output["data"]["image/png"]))
    index = Path(app.outdir) / "searchindex.js"
    written = index.read_text("utf-8")
    if (tidy := tidied(written)) != written:
        index.write_text(tidy, "utf-8")
    if app.config.html_baseurl:
        pages = [posixpath.join(app.config.html_baseurl, app.builder.get_target_uri(page)) for page in sorted(app.env.found_docs)]
        (Path(app.outdir) / "sitemap.xml").write_text(sitemap(pages), "utf-8")


def tidied(written):
    """Return Sphinx's search index in order, and without words that no page has any more.

    Sphinx adds the words of a page when it prints it, and never takes one away.

    Parameters
    ----------
    written : str
        A script with one call.

    Returns
    -------
    str
    """
    call = "Search.setIndex("
    index = json.loads(written.removeprefix(call).removesuffix(")"))
    for kind in ("alltitles", "indexentries", "objects", "terms", "titleterms"):
        places = {word: sorted(at, key=str) if isinstance(at, list) else at for word, at in index[kind].items()}
        index[kind] = {word: at for word, at in places.items() if at != []}
    return f"{call}{json.dumps(index, sort_keys=True, separators=(',', ':'))})"


def sitemap(addresses):
    """Return the addresses as a sitemap, in the protocol of sitemaps.org."""
    lines = [f"<url><loc>{escape(address)}</loc></url>" for address in addresses]
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">'
    return "\n".join([head, *lines, "</urlset>", ""])
