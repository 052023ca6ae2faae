"""The book as an EPUB, from its printed pages: ``make epub`` runs this as a module."""

import io
import posixpath
import uuid
import zipfile

from bs4 import BeautifulSoup
from PIL import Image

from bookbuild import checkout
from bookbuild.takeaway import printed

# a page of a book stands upright
COVER, GROUND = (1200, 1600), "#00609b"
# what stands between a function and what it is applied to; browsers leave no space for it
APPLIED, SPACE = "\u2061", '<mspace width="0.1667em"></mspace>'
MEDIA = {".css": "text/css", ".png": "image/png"}
MEDIA |= {".svg": "image/svg+xml", ".xhtml": "application/xhtml+xml"}
# zip files know of no time before it
NO_DATE = (1980, 1, 1, 0, 0, 0)


def content(book, site):
    """Return the files of the book by their names; pictures come from the printed site."""
    files = {"cover.png": cover(site / "_static" / "card.png")}
    files |= {name: _print(name, book=book) for name in ("cover.xhtml", "nav.xhtml")}
    files["book.css"] = _print("epub.css")
    for chapter in book:
        printed.relink(book, chapter, lambda to, name: f"{to.name}.xhtml{'#' * bool(name)}{name}")
        for image in chapter.article.select("img"):
            path = posixpath.normpath(posixpath.join(posixpath.dirname(chapter.path), image["src"]))
            image["src"] = f"images/{posixpath.basename(path)}"
            files[image["src"]] = (site / path).read_bytes()
        as_xml(chapter.article)
        files[f"{chapter.name}.xhtml"] = _print("chapter.xhtml", book=book, chapter=chapter)
    return files


def as_xml(article):
    """Make an article fit to be XML: formulas in MathML, drawings in SVG, and both say so."""
    for formula in article.select(".katex"):
        math = formula.math.extract()
        # the formula in LaTeX is for readers that cannot show the other
        math["alttext"] = " ".join(math.annotation.extract().text.split())
        math.semantics.unwrap()
        for function in math.find_all("mo", string=APPLIED):
            if getattr(function.find_next_sibling(), "text", "(") not in "([|":
                function.insert_after(BeautifulSoup(SPACE, "html.parser"))
        formula.replace_with(math)
    for frame in article.select(".katex-display"):
        frame.unwrap()
    for drawing in article.select("svg"):
        # names in XML know small letters from capitals, and in HTML they do not
        drawing["xmlns"] = "http://www.w3.org/2000/svg"
        drawing["viewBox"] = drawing.attrs.pop("viewbox")


def cover(card):
    """Return the card beside links to the book upright, with more room, as PNG."""
    page = Image.new("RGB", COVER, GROUND)
    page.paste("white", (0, COVER[1] // 8, COVER[0], COVER[1] * 7 // 8))
    with Image.open(card) as picture:
        page.paste(picture.convert("RGB"), (0, (COVER[1] - picture.height) // 3))
    written = io.BytesIO()
    page.quantize(32).save(written, "PNG", optimize=True)
    return written.getvalue()


def package(book, files):
    """Return the EPUB of these files as bytes, the same for the same files."""
    items = {
        name: {"media": MEDIA[posixpath.splitext(name)[1]], "properties": _properties(name, text)}
        for name, text in sorted(files.items())
    }
    facts = book[0].facts
    about = {"book": book, "items": items, "edition": checkout.edition()}
    about["identifier"] = uuid.uuid5(uuid.NAMESPACE_URL, facts.get("url", facts["name"]))
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        # readers know an EPUB by its first bytes
        first = zipfile.ZipInfo("mimetype", NO_DATE)
        archive.writestr(first, "application/epub+zip", zipfile.ZIP_STORED)
        rest = {"META-INF/container.xml": _print("container.xml")}
        rest["book/package.opf"] = _print("package.opf", **about)
        for name, text in (rest | {f"book/{name}": files[name] for name in items}).items():
            archive.writestr(zipfile.ZipInfo(name, NO_DATE), text, zipfile.ZIP_DEFLATED)
    return written.getvalue()


def _properties(name, text):
    """Return what an EPUB must know of a file before it opens it."""
    known = {"cover.png": ["cover-image"], "nav.xhtml": ["nav"]}.get(name, [])
    holds = {"mathml": b"<math", "svg": b"<svg"} if name.endswith(".xhtml") else {}
    return " ".join(known + [found for found, mark in holds.items() if mark in text])


def _print(name, **values):
    return printed.PAPER.get_template(name).render(**values).encode()


if __name__ == "__main__":
    BOOK = printed.read()
    printed.keep(BOOK, ".epub", package(BOOK, content(BOOK, printed.SITE)))
