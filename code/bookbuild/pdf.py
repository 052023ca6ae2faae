"""The book as a PDF, from its printed pages, by a Chromium: ``make pdf`` runs this as ``python -m bookbuild.pdf``."""

import io
import posixpath
import sys
import tempfile
from pathlib import Path

import pikepdf
import pypdf
from bs4 import BeautifulSoup
from playwright.sync_api import sync_playwright
from pypdf.generic import NameObject, TextStringObject

from bookbuild import browser, chapters

# links that say neither a number nor a term
TO_PAGES = 'a[href^="#"]:not([class]):not(.checked *, .citation *), a[href^="#"]:has(> :is(.std-ref, .std-doc))'


def prepare(book, site):
    """Make one page of all chapters: every identifier is its chapter's, and every file has its full address.

    Parameters
    ----------
    book : list of bookbuild.chapters.Chapter
    site : pathlib.Path
    """
    for chapter in book:
        for heading in chapter.article.select("h1, h2, h3"):
            # a heading that is kept with its text moves on to the next page; the top of its section may not
            names = [heading.parent, *heading.find_previous_siblings()]
            heading.extend([BeautifulSoup(f'<span id="{named.attrs.pop("id")}"></span>', "html.parser") for named in names if "id" in named.attrs])
        chapters.relink(book, chapter, lambda other, name: f"#{_unique(other, name)}")
        for element in chapter.article.select("[id]"):
            element["id"] = _unique(chapter, element["id"])
        for image in chapter.article.select("img"):
            image["src"] = (site / posixpath.dirname(chapter.path) / image["src"]).resolve().as_uri()
        for formula in chapter.article.select(".katex"):
            # paper has no room for what screen readers read; what is drawn is said in their stead
            formula["role"], formula["aria-label"] = "img", " ".join(formula.annotation.text.split())
            formula.select_one(".katex-mathml").decompose()
            del formula.select_one(".katex-html")["aria-hidden"]
        # whoever holds paper has to turn to a page
        for link in chapter.article.select(TO_PAGES):
            link.append(BeautifulSoup(' <span class="page"></span>', "html.parser"))


def document(book, site, pages):
    """Return the whole book as one HTML page.

    Parameters
    ----------
    book : list of bookbuild.chapters.Chapter
        As `prepare` left them.
    site : pathlib.Path
    pages : dict of str to int
        For each identifier that the contents name, its page.

    Returns
    -------
    str
    """
    sheet = (site / "_static" / "book.css").resolve().as_uri()
    for chapter in book:
        for number in chapter.article.select("a > .page"):
            number.string = f"(p. {pages.get(number.parent['href'][1:], 100)})"
    feet = {"contents": "Contents"} | {chapter.name: chapter.title for chapter in book}
    page = chapters.PAPER.get_template("book.html")
    return page.render(book=book, sheet=sheet, feet=feet, pages=pages, edition=chapters.edition())


def print_book(book, site, browser):
    """Return the book as a PDF, printed until the pages in its contents are the pages it has.

    Parameters
    ----------
    book : list of bookbuild.chapters.Chapter
    site : pathlib.Path
    browser : playwright.sync_api.Browser

    Returns
    -------
    pypdf.PdfReader

    Raises
    ------
    RuntimeError
        If they never are.
    """
    prepare(book, site)
    page, known = browser.new_page(), {}
    # on a slow machine it takes a while until all figures are there
    page.set_default_timeout(0)
    with tempfile.NamedTemporaryFile(suffix=".html") as file:
        # twice is enough as a rule: the second time a page number may be a digit longer
        for _ in range(6):
            Path(file.name).write_text(document(book, site, known), "utf-8")
            page.goto(Path(file.name).as_uri())
            page.evaluate("Promise.all([document.fonts.ready, ...[...document.images].map((image) => image.decode())]).then(() => null)")
            printed = page.pdf(prefer_css_page_size=True, print_background=True, tagged=True, outline=True)
            reader = pypdf.PdfReader(io.BytesIO(printed))
            places = reader.named_destinations.items()
            found = {name.removeprefix("/"): reader.get_destination_page_number(place) + 1 for name, place in places}
            if found == known:
                return reader
            known = found
    raise RuntimeError("the pages in the contents never agree with those of the chapters")


def finish(reader, book):
    """Return a PDF as bytes that say what the book is, and not when or by what it was printed."""
    writer, facts = pypdf.PdfWriter(clone_from=reader), book[0].facts
    headings = [heading.get_text() for chapter in book for heading in chapter.article.select("h1, h2, h3")]
    # the browser drops the space where a heading goes on in another line
    for entry, title in zip(_outline(writer.root_object["/Outlines"]), ["Contents", *headings], strict=True):
        entry[NameObject("/Title")] = TextStringObject(title)
    writer.metadata = {"/Title": facts["name"], "/Author": facts["author"]["name"], "/Subject": facts["description"]}
    writer.root_object[NameObject("/Lang")] = TextStringObject(facts["inLanguage"])
    writer.create_viewer_preferences().display_doctitle = True
    written, small = io.BytesIO(), io.BytesIO()
    writer.write(written)
    # what screen readers are told is more than half of the file, and lies there unpacked
    with pikepdf.open(written) as whole:
        whole.save(small, object_stream_mode=pikepdf.ObjectStreamMode.generate, deterministic_id=True)
    return small.getvalue()


def main(site=chapters.SITE):
    """Print the book."""
    found = browser.get()
    if found is None:
        sys.exit(f"no browser can be had: {browser.HOW}")
    book = chapters.read(site)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=browser.QUIET)
        printed = print_book(book, site, chromium)
        chromium.close()
    chapters.keep(book, ".pdf", finish(printed, book))


def _outline(entry):
    """Yield the entries below one of an outline, each before those below it."""
    below = entry.get("/First")
    while below is not None:
        yield below.get_object()
        yield from _outline(below.get_object())
        below = below.get_object().get("/Next")


def _unique(chapter, name=""):
    """Return an identifier that no other chapter has; a chapter's own is its name."""
    return f"{chapter.name}--{name}" if name else chapter.name


if __name__ == "__main__":
    main()
