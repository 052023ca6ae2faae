"""The printed pages as chapters to carry away, without what only a browser can do.

EPUB and PDF are made from them; ``{take-away}`` links to both on a site that holds them.
"""

import json
import posixpath
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urldefrag, urljoin, urlsplit

import jinja2
from bs4 import BeautifulSoup
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from bookbuild import checkout

SITE = Path("_build/html")
FORMS = {".epub": ("EPUB", " for e-readers,"), ".pdf": ("PDF", " for paper.")}
# the words of code that have a colour, in the names that Pygments gives them
COLOURED = {"k", "kc", "kd", "kn", "kr", "ow", "s", "s1", "s2", "sa", "sd", "se", "si", "m", "mf"}
COLOURED |= {"mi", "mh", "c", "c1", "cm", "nf", "nc", "nd"}
# links into the page and what works by scripts; what is a `program` is nothing without them
LEFT_OUT = ".headerlink, .program, .take-away, .toctree-wrapper, .sd-summary-state-marker"
LEFT_OUT += ", script, link, input, label"
TEMPLATES = jinja2.FileSystemLoader(Path(__file__).with_name("templates"))
PAPER = jinja2.Environment(loader=TEMPLATES, autoescape=True, undefined=jinja2.StrictUndefined)


class TakeAwayDirective(SphinxDirective):
    """``{take-away}``: links to the EPUB and the PDF, or nothing where the site has none."""

    def run(self):
        """Return a paragraph."""
        if not self.config.bookbuild_take_away:
            return []
        found = nodes.paragraph("", "Take it with you:", classes=["take-away"])
        for ending, (name, purpose) in FORMS.items():
            file = file_name(self.config.html_title, ending)
            address = "../" * self.env.docname.count("/") + file
            link = nodes.reference("", name, refuri=address, internal=True)
            found += [nodes.Text(" "), link, nodes.Text(purpose)]
        return [found]


@dataclass
class Chapter:
    """A page of the site; its facts are what it says of itself, in the words of schema.org."""

    path: str
    article: BeautifulSoup
    facts: dict
    # pairs of an identifier and a title
    sections: list = field(default_factory=list)
    styles: list = field(default_factory=list)

    @property
    def name(self):
        """Return what the file is called, without folder and ending."""
        return posixpath.splitext(posixpath.basename(self.path))[0]

    @property
    def title(self):
        """Return the title as text."""
        return self.article.h1.get_text()


def read(site=SITE):
    """Return the chapters of a printed site, as its pages name one another as the next."""
    if not (site / "index.html").is_file():
        sys.exit(f"no pages in {site}: run `make book` first")
    found, path = [], re.search(r"url=([^\"]+)", (site / "index.html").read_text("utf-8"))[1]
    while path:
        page = BeautifulSoup((site / path).read_bytes(), "html.parser")
        facts = json.loads(page.select_one("script[type='application/ld+json']").text)
        found.append(Chapter(path, page.select_one("article"), facts))
        following = page.select_one("link[rel=next]")
        path = following and urljoin(path, following["href"])
    for chapter in found:
        _still(chapter)
    _mark_claims(found)
    return found


def relink(book, chapter, place):
    """Turn a chapter's links between pages into links within a book.

    `place` returns the address of a chapter and an identifier in it, which may be empty.
    """
    paths = {other.path: other for other in book}
    for link in chapter.article.select("a[href]"):
        path, fragment = urldefrag(urljoin(chapter.path, link["href"]))
        if urlsplit(path).scheme:
            continue
        # an equals sign is in the state of a program, and programs are on the site alone
        if path in paths and "=" not in fragment:
            link["href"] = place(paths[path], fragment)
        elif path in paths and "url" in paths[path].facts:
            link["href"] = f"{paths[path].facts['url']}#{fragment}"
        else:
            link.unwrap()


def file_name(title, ending):
    """Return what the file of a book is called."""
    return "-".join(re.findall(r"\w+", title.lower())) + ending


def keep(book, ending, content):
    """Write a finished book beside the site, and say where."""
    path = SITE.with_name(file_name(book[0].facts["name"], ending))
    checkout.write(path, content)
    print(f"{path}: {len(content) / 1e6:.1f} MB")


def _still(chapter):
    """Open what folds, stop what moves, and leave out what only a browser needs."""
    article, url = chapter.article, chapter.facts.get("url")
    for element in article.select(LEFT_OUT):
        element.decompose()
    chapter.sections = [(h2.find_parent("section")["id"], h2.get_text()) for h2 in article("h2")]
    for style in article.select("style"):
        chapter.styles.extend(filter(None, [style.text.strip()]))
        style.decompose()
    for word in article.select("pre span, code span, .sig span span"):
        # a PDF has a record for each, which doubles its size
        if COLOURED.isdisjoint(word.get("class", [])):
            word.unwrap()
    for image in article.select("img"):
        del image["loading"], image["decoding"]
    # readers without scripts are told why something is missing, and so are these
    for told in article.select("noscript"):
        told.name, told["class"] = "div", "note"
        link = f'<p>On the web: <a href="{url}">{url}</a></p>' if url else ""
        told.append(BeautifulSoup(link, "html.parser"))
    for code in article.select("details.hide"):
        code.summary.decompose()
        code.unwrap()
    for solution in article.select("details.sd-dropdown"):
        solution.name, solution["class"] = "div", "solution"
        solution.summary.attrs["class"], solution.summary.name = ["solution-title"], "p"
    for fold in article.select("details"):
        fold["open"] = ""


def _mark_claims(book):
    """Turn the marks of claims into links to their lines in the ledger."""
    new = BeautifulSoup("", "html.parser").new_tag
    lines = {}
    for chapter in book:
        for row in chapter.article.select("table.ledger tbody tr"):
            row["id"] = f"ledger-{urldefrag(row.a['href'])[1]}"
            lines[row["id"]] = chapter.path
    for chapter in book:
        # from the top of the site, as a page in a folder sees it
        up = "../" * chapter.path.count("/")
        for told in chapter.article.select(".measured"):
            told.decompose()
        for mark in chapter.article.select("button.claim"):
            line = f"ledger-{mark['id']}"
            attributes = {"id": mark["id"], "href": f"{up}{lines[line]}#{line}", "class": "claim"}
            mark.replace_with(new("a", attrs=attributes | {"title": mark["title"]}, string="✓"))
