"""The book as a PDF, from its printed pages, by a Chromium: ``make pdf`` runs this as a module.

With the word ``browser`` it only gets one where there is none, and says nothing where there is: the
tests that look at pages want it too.
"""

import io
import os
import posixpath
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import pikepdf
import pypdf
from bs4 import BeautifulSoup
from playwright.sync_api import Error, sync_playwright
from pypdf.generic import NameObject, TextStringObject

from bookbuild import checkout
from bookbuild.takeaway import printed

BROWSERS = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
QUIET = ["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking"]
QUIET += ["--disable-component-update", "--disable-sync"]
HOW = "install Chromium or Google Chrome, or set CHROMIUM to the path of one"
# where none is: Playwright's own; and that of Debian and Ubuntu, for whoever may install it
GET = (
    [sys.executable, "-m", "playwright", "install", "--only-shell", "chromium"],
    ["apt-get", "update", "-qq"],
    ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"],
)
# seconds after which a download is given up, and milliseconds for each try to reach a server
PATIENCE, TRY = 300, "10000"
# links that say neither a number nor a term
TO_PAGES = 'a[href^="#"]:not([class]):not(.checked *, .citation *)'
TO_PAGES += ', a[href^="#"]:has(> :is(.std-ref, .std-doc))'
DRAWN = "Promise.all([document.fonts.ready, ...[...document.images].map((one) => one.decode())])"


def start(playwright):
    """Return a running Chromium, this machine's or else Playwright's own, or None."""
    path = next(filter(None, [os.environ.get("CHROMIUM"), *map(shutil.which, BROWSERS)]), None)
    with suppress(Error):
        return playwright.chromium.launch(executable_path=path, args=QUIET)
    return None


def get(playwright):
    """Return a running Chromium, which is installed where there is none, or None."""
    environ = os.environ | {"PLAYWRIGHT_DOWNLOAD_CONNECTION_TIMEOUT": TRY}
    environ["DEBIAN_FRONTEND"] = "noninteractive"
    # no pipe: what a command leaves behind would hold its other end
    quiet = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
    for command in GET:
        if browser := start(playwright):
            return browser
        print(f"no browser found, trying: {' '.join(command)}", file=sys.stderr, flush=True)
        with suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(command, env=environ, timeout=PATIENCE, check=False, **quiet)
    return start(playwright)


def prepare(book, site):
    """Make one page of all chapters: every identifier is its chapter's, every address is whole."""
    for chapter in book:
        article = chapter.article
        for heading in article.select("h1, h2, h3"):
            # a heading that is kept with its text moves on to the next page; its section may not
            for named in [heading.parent, *heading.find_previous_siblings()]:
                if name := named.attrs.pop("id", None):
                    heading.append(BeautifulSoup(f'<span id="{name}"></span>', "html.parser"))
        printed.relink(book, chapter, lambda other, name: f"#{_unique(other, name)}")
        for element in article.select("[id]"):
            element["id"] = _unique(chapter, element["id"])
        for image in article.select("img"):
            path = site / posixpath.dirname(chapter.path) / image["src"]
            image["src"] = path.resolve().as_uri()
        for formula in article.select(".katex"):
            # paper has no room for what screen readers read; what is drawn is said in their stead
            formula["role"] = "img"
            formula["aria-label"] = " ".join(formula.annotation.text.split())
            formula.select_one(".katex-mathml").decompose()
            del formula.select_one(".katex-html")["aria-hidden"]
        # whoever holds paper has to turn to a page
        for link in article.select(TO_PAGES):
            link.append(BeautifulSoup(' <span class="page"></span>', "html.parser"))


def document(book, site, pages):
    """Return the whole book, as `prepare` left it, as one HTML page.

    `pages` has, for each identifier that the contents name, its page.
    """
    for chapter in book:
        for number in chapter.article.select("a > .page"):
            number.string = f"(p. {pages.get(number.parent['href'][1:], 100)})"
    feet = {"contents": "Contents"} | {chapter.name: chapter.title for chapter in book}
    known = {"book": book, "feet": feet, "pages": pages, "edition": checkout.edition()}
    known["sheet"] = (site / "_static" / "book.css").resolve().as_uri()
    return printed.PAPER.get_template("book.html").render(**known)


def print_book(book, site, browser):
    """Return the book as a PDF, printed until the pages in its contents are the pages it has."""
    prepare(book, site)
    page, known = browser.new_page(), {}
    # on a slow machine it takes a while until all figures are there
    page.set_default_timeout(0)
    with tempfile.NamedTemporaryFile(suffix=".html") as file:
        # twice is enough as a rule: the second time a page number may be a digit longer
        for _ in range(6):
            Path(file.name).write_text(document(book, site, known), "utf-8")
            page.goto(Path(file.name).as_uri())
            page.evaluate(f"{DRAWN}.then(() => null)")
            reader = pypdf.PdfReader(io.BytesIO(page.pdf(
                prefer_css_page_size=True, print_background=True, tagged=True, outline=True
            )))
            places, at = reader.named_destinations.items(), reader.get_destination_page_number
            found = {name.removeprefix("/"): at(place) + 1 for name, place in places}
            if found == known:
                return reader
            known = found
    raise RuntimeError("the pages in the contents never agree with those of the chapters")


def finish(reader, book):
    """Return a PDF as bytes that say what the book is, and not when or by what it was printed."""
    writer, facts = pypdf.PdfWriter(clone_from=reader), book[0].facts
    headings = [one.get_text() for chapter in book for one in chapter.article.select("h1, h2, h3")]
    entries = _outline(writer.root_object["/Outlines"])
    # the browser drops the space where a heading goes on in another line
    for entry, title in zip(entries, ["Contents", *headings], strict=True):
        entry[NameObject("/Title")] = TextStringObject(title)
    about = {"/Title": facts["name"], "/Author": facts["author"]["name"]}
    writer.metadata = about | {"/Subject": facts["description"]}
    writer.root_object[NameObject("/Lang")] = TextStringObject(facts["inLanguage"])
    writer.create_viewer_preferences().display_doctitle = True
    written, small, packed = io.BytesIO(), io.BytesIO(), pikepdf.ObjectStreamMode.generate
    writer.write(written)
    # what screen readers are told is more than half of the file, and lies there unpacked
    with pikepdf.open(written) as whole:
        whole.save(small, object_stream_mode=packed, deterministic_id=True)
    return small.getvalue()


def main(only_browser=False, site=printed.SITE):
    """See to a browser, and print the book unless that was all."""
    with sync_playwright() as playwright:
        browser = get(playwright) or sys.exit(f"no browser can be had: {HOW}")
        if not only_browser:
            book = printed.read(site)
            printed.keep(book, ".pdf", finish(print_book(book, site, browser), book))


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
    main(only_browser=sys.argv[1:] == ["browser"])
