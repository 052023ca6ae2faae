"""The printed pages as chapters to carry away, without what only a browser can do: what EPUB and PDF are made from."""

import json
import os
import posixpath
import re
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urldefrag, urljoin, urlsplit

import jinja2
from bs4 import BeautifulSoup

from bookbuild import links

SITE = Path("_build/html")
# the words of code that have a colour, in the names that Pygments gives them
COLOURED = {"k", "kc", "kd", "kn", "kr", "ow", "s", "s1", "s2", "sa", "sd", "se", "si", "m", "mf", "mi", "mh", "c", "c1", "cm", "nf", "nc", "nd"}
# links into the page and what works by scripts; `program` is the class of what is nothing without them
LEFT_OUT = ".headerlink, .program, .take-away, .toctree-wrapper, .sd-summary-state-marker, script, link, input, label"
PAPER = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).with_name("paper")), autoescape=True, undefined=jinja2.StrictUndefined
)


@dataclass
class Chapter:
    """A page of the site: its path there, its article, and what it says of itself in the words of schema.org.

    Its sections are pairs of an identifier and a title.
    """

    path: str
    article: BeautifulSoup
    facts: dict
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
    """Return the chapters of a printed site, in the order in which its pages name one another as the next.

    Parameters
    ----------
    site : pathlib.Path

    Returns
    -------
    list of Chapter
    """
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

    Parameters
    ----------
    book : list of Chapter
    chapter : Chapter
    place : callable
        Returns the address of a chapter and an identifier in it, which may be empty.
    """
    paths = {other.path: other for other in book}
    for link in chapter.article.select("a[href]"):
        path, fragment = urldefrag(urljoin(chapter.path, link["href"]))
        if urlsplit(path).scheme:
            continue
        # what has an equals sign is the state of a program, and programs are on the site alone
        if path in paths and "=" not in fragment:
            link["href"] = place(paths[path], fragment)
        elif path in paths and "url" in paths[path].facts:
            link["href"] = f"{paths[path].facts['url']}#{fragment}"
        else:
            link.unwrap()


def edition(root="."):
    """Return the moment of the book's last change, which makes two printings of the same book the same."""
    seconds = os.environ.get("SOURCE_DATE_EPOCH") or links._git(root, "log", "-1", "--format=%ct")
    return datetime.fromtimestamp(int(seconds or 0), UTC)


def file_name(title, ending):
    """Return what the file of a book is called."""
    return "-".join(re.findall(r"\w+", title.lower())) + ending


def keep(book, ending, content):
    """Write a finished book beside the site, say where, and never leave half of one."""
    path = SITE.with_name(file_name(book[0].facts["name"], ending))
    new = path.with_suffix(f"{ending}.new")
    new.write_bytes(content)
    os.replace(new, path)
    print(f"{path}: {len(content) / 1e6:.1f} MB")


def _still(chapter):
    """Open what folds, stop what moves, and leave out what only a browser needs."""
    article = chapter.article
    for element in article.select(LEFT_OUT):
        element.decompose()
    chapter.sections = [(heading.find_parent("section")["id"], heading.get_text()) for heading in article.select("h2")]
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
        if "url" in chapter.facts:
            told.append(BeautifulSoup('<p>On the web: <a href="{0}">{0}</a></p>'.format(chapter.facts["url"]), "html.parser"))
    for code in article.select("details.hide"):
        code.summary.decompose()
        code.unwrap()
    for solution in article.select("details.sd-dropdown"):
        solution.name, solution["class"] = "div", "solution"
        head = solution.summary
        head.name, head["class"] = "p", ["solution-title"]
    for fold in article.select("details"):
        fold["open"] = ""


def _mark_claims(book):
    """Turn the marks of claims into a line of ticks, each of which leads to its line in the ledger."""
    new = BeautifulSoup("", "html.parser").new_tag
    lines = {}
    for chapter in book:
        for row in chapter.article.select("table.ledger tbody tr"):
            row["id"] = f"ledger-{urldefrag(row.a['href'])[1]}"
            lines[row["id"]] = chapter.path
    for chapter in book:
        for cell in chapter.article.select(".cell_output:has(.claim)"):
            checked = new("p", attrs={"class": "checked"})
            checked.append("Checked at this build:")
            for claim in cell.select(".output > .claim"):
                line = f"ledger-{claim['id']}"
                # from the top of the site, as a page in a folder sees it
                up = "../" * chapter.path.count("/")
                label = {"aria-label": claim.summary["title"]}
                tick = new("a", attrs={"id": claim["id"], "href": f"{up}{lines[line]}#{line}", **label}, string="✓")
                claim.parent.decompose()
                checked.extend([" ", tick])
            cell.append(checked)
