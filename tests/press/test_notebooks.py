"""Chapters as notebooks: their words agree with the pages, and no press is left in them."""

import re
from base64 import b64decode
from io import BytesIO
from pathlib import Path

import nbformat
import pytest
from bookbuild.takeaway import notebooks, prose
from bs4 import BeautifulSoup
from checkout import ROOT
from IPython.core.inputtransformer2 import TransformerManager
from PIL import Image

BOOK = prose.read(ROOT)
SITE = "https://reader.github.io/which/"
PRESS = re.compile(
    r"\{[a-z:]+\}`|:::|```\{|mystnb|progressbar|^\([\w-]+\)=$|\]\([\w-]+\.md", re.MULTILINE)


@pytest.fixture(scope="module")
def pages(site):
    """Return the chapters' pages by their names."""
    return {
        name: BeautifulSoup((site / f"{name}.html").read_bytes(), "lxml") for name in BOOK.chapters}


@pytest.fixture(scope="module")
def downloads(site):
    """Return the chapters as the site offers them, executed, by their names."""
    return {
        name: nbformat.read(site / notebooks.place(name, "-executed"), as_version=4)
        for name in BOOK.chapters}


def sources(notebook, kind):
    """Return the sources of a notebook's cells of one kind."""
    return [cell.source for cell in notebook.cells if cell.cell_type == kind]


def markdown(notebook):
    """Return all Markdown of a notebook."""
    return "\n\n".join(sources(notebook, "markdown"))


def plain(text, numbers=None, site=SITE, page="book/mixture"):
    """Return some words of a chapter as Markdown."""
    return prose.Prose(BOOK, page, numbers if numbers is not None else {}, site).plain(text)


def test_no_press_is_left_and_checks_are_folded(downloads):
    for name, notebook in downloads.items():
        text = markdown(notebook) + "\n".join(sources(notebook, "code"))
        found = PRESS.search(text)
        assert found is None, f"{name}: {text[max(0, found.start() - 60) :][:120]}"
        for cell in notebook.cells:
            if cell.cell_type == "code":
                # without its progress bars, it is Python still
                compile(TransformerManager().transform_cell(cell.source), "cell", "exec")
                folded = cell.metadata.get("jupyter", {}).get("source_hidden")
                assert "claim(" not in cell.source or folded, name
            assert not set(cell.metadata) - {"jupyter"}, name
            kept = {key for one in cell.get("outputs", []) for key in one.get("metadata", {})}
            assert kept <= {"image/png"}, name


def test_nothing_of_the_page_is_lost(downloads, pages):
    for name, page in pages.items():
        text = markdown(downloads[name])
        article = page.select_one("article")
        for heading in article.select("h1, h2, h3"):
            heading.select_one("a.headerlink").extract()
            begins = re.escape(heading.text[:20].split("`")[0][:8])
            assert re.search(rf"^#+ {begins}", text, re.MULTILINE), f"{name}: {heading.text}"
        assert text.count("<details>") == len(article.select("details.sd-dropdown")), name
        formulas = re.findall(r"^\$\$$", text, re.MULTILINE)
        assert len(formulas) == 2 * len(article.select("div.math")), name


def test_numbers_of_figures_and_formulas_are_those_of_the_page(downloads, pages):
    for name, page in pages.items():
        text = markdown(downloads[name])
        captions = [figure.text.strip() for figure in page.select("figcaption .caption-number")]
        numbers = re.findall(r"^\*\*Figure (\d+)\.\*\*", text, re.MULTILINE)
        assert [f"Figure {number}" for number in numbers] == captions, name
        numbers = [re.sub(r"\D", "", one.text) for one in page.select(".eqno")]
        assert re.findall(r"\\tag\{(\d+)\}", text) == numbers, name


def test_measured_numbers_are_those_of_the_page(downloads, pages):
    total = 0
    for name, page in pages.items():
        text = " ".join(markdown(downloads[name]).split())
        for pasted in page.select("article .pasted-text"):
            total += 1
            assert pasted.text.strip() in text, f"{name}: {pasted.text}"
    assert total > 60


def test_links_lead_to_the_published_book():
    assert plain("[so](label_switching.md)") == f"[so]({SITE}book/label_switching.html)"
    assert plain("[](three-fates)") == f"[Three fates]({SITE}book/label_switching.html#three-fates)"
    assert plain("[so](explorer:data=8)") == f"[so]({SITE}book/explorer.html#data=8)"
    assert plain("[so](https://example.org/)") == "[so](https://example.org/)"
    assert plain("[so](three-fates)", site=None) == "*so*"


def test_links_on_binder_lead_to_the_notebook_beside():
    on_binder = prose.Prose(BOOK, "book/mixture", None, SITE).plain
    assert on_binder("[so](three-fates)") == "[so](label_switching.ipynb)"
    assert on_binder("[so](glossary.md)") == f"[so]({SITE}book/glossary.html)"


def test_roles_are_words():
    numbers = {("book/mixture", "low"): -0.456, ("book/ordering", "many"): 12345}
    said = plain("{glue:text}`low:.2f`, {glue:text}`ordering.md::many:,`", numbers)
    assert said == "−0.46, 12,345"
    assert plain("{term}`modes <mode>`, {term}`mode`") == "modes, mode"
    assert plain("{numref}`fig-data` and {eq}`eq-likelihood`") == "Figure 4 and (2)"
    assert plain("{cite:t}`vehtari2021`; {cite}`stephens2000,redner1984`") == (
        "Vehtari *et al.* [2021]; [Stephens, 2000; Redner and Walker, 1984]")
    for what, text in (("role {doc}", "`mixture`"), ("directive {note}", "\nMind.\n:::")):
        said = re.escape(f"book/mixture: the {what} has no words in a notebook")
        with pytest.raises(ValueError, match=said):
            plain(("" if what.startswith("role") else ":::") + what.split()[1] + text)


def test_definitions_are_a_list():
    said = plain("`a < b`\n: It is\n  so.\n\nC\n: No.")
    assert said == "- `a < b`\\\n  It is\n  so.\n\n- C\\\n  No."


def test_outputs_of_a_download_need_no_trust_and_lead_to_the_book(downloads):
    shown = {"text/html": 'A <a href="ordering.html#a">B</a>'}
    link = {"output_type": "display_data", "data": shown, "metadata": {"claim": {}}}
    html = notebooks._bare(link, SITE, None)["data"]["text/html"]
    assert html == f'A <a href="{SITE}book/ordering.html#a">B</a>'
    assert notebooks._bare(link, None, None) == link | {"metadata": {}}
    pictures = [
        output
        for notebook in downloads.values() for cell in notebook.cells
        for output in cell.get("outputs", []) if "image/png" in output.get("data", {})]
    assert len(pictures) > 40
    for picture in pictures:
        assert "image/svg+xml" not in picture["data"]
        with Image.open(BytesIO(b64decode(picture["data"]["image/png"]))) as drawn:
            assert abs(drawn.width - 2 * picture.metadata["image/png"]["width"]) <= 2
            assert len(drawn.getcolors(256)) > 2


def test_numbers_wait_for_the_readers_run_on_binder(tmp_path):
    notebooks.write(ROOT, tmp_path)
    for name in BOOK.chapters:
        notebook = nbformat.read(tmp_path / f"{Path(name).name}.ipynb", as_version=4)
        source = (ROOT / f"{name}.md").read_text("utf-8")
        assert markdown(notebook).count("{eval}`measured(") == source.count("{glue:text}`"), name
        assert "measured" in sources(notebook, "code")[0], name
        assert "pip install" not in notebook.cells[0].source, name


def test_a_readers_work_is_kept(tmp_path, capsys):
    notebooks.write(ROOT, tmp_path)
    mine = tmp_path / "mixture.ipynb"
    mine.write_text("mine", "utf-8")
    assert notebooks.write(ROOT, tmp_path) == [mine]
    assert mine.read_text("utf-8") == "mine"
    mine.unlink()
    assert notebooks.write(ROOT, tmp_path) == []


def test_data_come_with_the_notebook(downloads, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("galaxies", "old_faithful"):
        cells = sources(downloads[f"book/{name}"], "code")
        exec(next(source for source in cells if "write_text" in source), {})
        data = f"data/{name}.csv"
        assert Path(data).read_text("utf-8") == (ROOT / "book" / data).read_text("utf-8")
