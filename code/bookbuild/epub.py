"""The book as an EPUB, from its printed pages: ``make epub`` runs this as ``python -m bookbuild.epub``."""

import io
import posixpath
import uuid
import zipfile

from bs4 import BeautifulSoup
from PIL import Image

from bookbuild import chapters

# a page of a book stands upright
COVER = (1200, 1600)
GROUND = "#00609b"
# what stands between a function and what it is applied to; browsers leave no space for it
APPLIED = "\u2061"
MEDIA = {".css": "text/css", ".png": "image/png", ".svg": "image/svg+xml", ".xhtml": "application/xhtml+xml"}
# zip files know of no time before it
NO_DATE = (1980, 1, 1, 0, 0, 0)


def content(book, site):
    """Return the files of the book by their names.

    Parameters
    ----------
    book : list of bookbuild.chapters.Chapter
    site : pathlib.Path
        The printed pages, for their pictures.

    Returns
    -------
    dict of str to bytes
    """
    files = {"cover.png": cover(site / "_static" / "card.png"), "cover.xhtml": _print("cover.xhtml", book=book)}
    files |= {"book.css": _print("epub.css"), "nav.xhtml": _print("nav.xhtml", book=book)}
    for chapter in book:
        chapters.relink(book, chapter, lambda other, name: f"{other.name}.xhtml" + (f"#{name}" if name else ""))
        for image in chapter.article.select("img"):
            picture = site / posixpath.normpath(posixpath.join(posixpath.dirname(chapter.path), image["src"]))
            image["src"] = f"images/{picture.name}"
            files[image["src"]] = picture.read_bytes()
        as_xml(chapter.article)
        files[f"{chapter.name}.xhtml"] = _print("chapter.xhtml", book=book, chapter=chapter)
    return files


def as_xml(article):
    """Make an article fit to be XML: formulas in MathML, drawings in SVG, and both say so.

    Parameters
    ----------
    article : bs4.Tag
    """
    for formula in article.select(".katex"):
        math = formula.math.extract()
        # the formula in LaTeX is for readers that cannot show the other
        math["alttext"] = " ".join(math.annotation.extract().text.split())
        math.semantics.unwrap()
        for function in math.find_all("mo", string=APPLIED):
            if getattr(function.find_next_sibling(), "text", "(") not in "([|":
                function.insert_after(BeautifulSoup('<mspace width="0.1667em"></mspace>', "html.parser"))
        formula.replace_with(math)
    for frame in article.select(".katex-display"):
        frame.unwrap()
    for drawing in article.select("svg"):
        # names in XML know small letters from capitals, and in HTML they do not
        drawing["xmlns"], drawing["viewBox"] = "http://www.w3.org/2000/svg", drawing.attrs.pop("viewbox")


def cover(card):
    """Return the picture of the book upright, as PNG: the card that other sites show beside links to it, with more room."""
    page = Image.new("RGB", COVER, GROUND)
    page.paste("white", (0, COVER[1] // 8, COVER[0], COVER[1] * 7 // 8))
    with Image.open(card) as picture:
        page.paste(picture.convert("RGB"), (0, (COVER[1] - picture.height) // 3))
    written = io.BytesIO()
    page.quantize(32).save(written, "PNG", optimize=True)
    return written.getvalue()


def package(book, files):
    """Return the EPUB of these files as bytes, the same for the same files."""
    items = {name: {"media": MEDIA[posixpath.splitext(name)[1]], "properties": _properties(name, files[name])} for name in sorted(files)}
    identifier = uuid.uuid5(uuid.NAMESPACE_URL, book[0].facts.get("url", book[0].facts["name"]))
    described = _print("package.opf", book=book, items=items, identifier=identifier, edition=chapters.edition())
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        # readers know an EPUB by its first bytes
        archive.writestr(zipfile.ZipInfo("mimetype", NO_DATE), "application/epub+zip", zipfile.ZIP_STORED)
        rest = {"META-INF/container.xml": _print("container.xml"), "book/package.opf": described}
        for name, text in [*rest.items(), *((f"book/{name}", files[name]) for name in items)]:
            archive.writestr(zipfile.ZipInfo(name, NO_DATE), text, zipfile.ZIP_DEFLATED)
    return written.getvalue()


def _properties(name, text):
    """Return what an EPUB must know of a file before it opens it."""
    holds = {"mathml": b"<math", "svg": b"<svg"} if name.endswith(".xhtml") else {}
    known = {"cover.png": ["cover-image"], "nav.xhtml": ["nav"]}
    return " ".join(known.get(name, []) + [found for found, mark in holds.items() if mark in text])


def _print(name, **values):
    return chapters.PAPER.get_template(name).render(**values).encode()


if __name__ == "__main__":
    BOOK = chapters.read()
    chapters.keep(BOOK, ".epub", package(BOOK, content(BOOK, chapters.SITE)))
