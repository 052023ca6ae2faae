"""The search: an index of the book's sections, which answer while a reader types."""

import json
import posixpath
from pathlib import Path

from lxml import html

from bookbuild import checkout

# what a section says is not in these: its code, its marks, what repeats a formula
SILENT = ("headerlink", "claim", "measured", "katex-mathml", "cell_input", "toctree-wrapper")
QUIET = ("self::script or self::style or self::pre or "
         "(self::table and ancestor::div[contains(@class, 'cell_output')])")
HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
# characters of a section that are looked at: entries of the reference are long
LONGEST = 4_000
SECTION, QUESTION, TERM, REFERENCE = "section", "question", "term", "reference"


def without_index(app):
    """Have Sphinx make no index of its own, and print the page of the search all the same."""
    app.builder.search = False
    app.config.html_additional_pages = {"search": "search.html"}


def write(app, exception):
    """Write the sections of all pages, for the script of the search."""
    if exception is not None or app.builder.name != "html":
        return
    found = []
    for name in checkout.pages(app.srcdir):
        address = app.builder.get_target_uri(name)
        page = (Path(app.outdir) / address).read_text("utf-8")
        found += entries(page, address)
    sections = json.dumps(found, ensure_ascii=False, separators=(",", ":"))
    code = f"globalThis.bookSections = {sections};\n".encode()
    path = Path(app.outdir) / "_static" / "sections.js"
    if not path.exists() or path.read_bytes() != code:
        checkout.write(path, code)


def entries(page, address):
    """Return rows of address, title, chapter, kind and text: questions and terms, then sections."""
    article = next(html.fromstring(page).iter("article"), None)
    if article is None:
        return []
    silent = " or ".join(f"contains(concat(' ', @class, ' '), ' {name} ')" for name in SILENT)
    for one in article.xpath(f".//*[{silent} or {QUIET}]"):
        one.drop_tree()
    chapter = _text(next(article.iter("h1"), None))
    lists = {TERM: article.xpath(".//dl[contains(@class, 'glossary')]"),
             QUESTION: article.xpath(".//section[@id='find-your-question']/dl")}
    found = [_described(term, address, kind, chapter)
             for kind, several in lists.items() for one in several for term in one.findall("dt")]
    for one in (one for several in lists.values() for one in several):
        one.drop_tree()
    kind = REFERENCE if article.xpath(".//dl[contains(@class, 'py')]") else SECTION
    sections = article.xpath(".//section[@id]")
    return found + [_section(one, address, kind, chapter) for one in sections]


def _section(section, address, kind, chapter):
    parts = [one for one in section if one.tag != "section"]
    heading = next((one for one in parts if one.tag in HEADINGS), None)
    said = " ".join(_text(one) for one in parts if one is not heading)
    return [f"{address}#{section.get('id')}", _text(heading), chapter, kind, said[:LONGEST].strip()]


def _described(term, address, kind, chapter):
    """Return a row of a term and what is said of it; of a question, where its answer leads."""
    said = next(one for one in term.itersiblings() if one.tag == "dd")
    link = next(said.iter("a"), None) if kind == QUESTION else None
    to = f"{address}#{term.get('id', '')}"
    if link is not None:
        to = posixpath.normpath(posixpath.join(posixpath.dirname(address), link.get("href")))
    return [to, _text(term), chapter, kind, _text(said)]


def _text(element):
    """Return what an element says, without the spaces of its source."""
    return "" if element is None else " ".join(element.text_content().split())
