"""Chapters as notebooks in which a reader meets no press: to download, and to launch."""

import ast
import base64
import re
from pathlib import Path

import jinja2
import nbformat
from nbformat.v4 import new_notebook

from bookbuild import checkout
from bookbuild.execute import cache, faults
from bookbuild.pages import figures
from bookbuild.takeaway import prose

# the pages show no progress, and whoever runs a notebook wants to see it
SILENCE = re.compile(r"^ *progressbar=False,?\n|,? *progressbar=False", re.MULTILINE)
DATA = re.compile(r"\"(data/[\w.-]+)\"")
# a link from one page to another in what a cell shows
HOME = re.compile(r'(href=")(?=[\w-]+\.html)')
# what a folded cell shows of itself is its first line
FOLDED = {"remove-input": "checks of what the text says", "hide-input": "code of the figure"}
FOLDED |= {"hide-cell": "solution", "remove-cell": FOLDED["remove-input"]}
DOWNLOADS = {"": (".ipynb", "Download the notebook, to run")}
DOWNLOADS["-executed"] = (".ipynb, executed", "Download the notebook with its outputs")
# what stands above a notebook
HEAD = jinja2.Template((Path(__file__).parent / "templates/notebook.md").read_text("utf-8"))
# a cell that writes a data file, so that a notebook needs no other file
DATA_CELL = '''# the data, so that this notebook needs no other file
from pathlib import Path

Path("data").mkdir(exist_ok=True)
Path("{}").write_text("""\\
{}""");'''


def gather(app):
    """Read the book once for all pages."""
    app.bookbuild_book = prose.read(app.srcdir)


def offer(app, pagename, templatename, context, doctree):
    """Offer a chapter's notebooks, to download and to launch; none on pages without code to run."""
    buttons = {button.get("label"): button for button in context.get("header_buttons", [])}
    chapter = pagename in app.bookbuild_book.chapters
    if downloads := buttons.get("download-buttons"):
        label = "download-notebook-button"
        ours = [
            {"type": "link", "url": context["pathto"](place(pagename, kind), 1), "text": text,
             "tooltip": tip, "icon": "fas fa-code", "label": label}
            for kind, (text, tip) in DOWNLOADS.items() if chapter
        ]
        others = [one for one in downloads["buttons"] if one["label"] != label]
        downloads["buttons"] = [*ours, *others]
    if launch := buttons.get("launch-buttons"):
        for one in launch["buttons"]:
            one["url"] = one["url"].replace(f"/{pagename}.md", f"/{place(pagename)}")
        if not chapter:
            context["header_buttons"].remove(launch)


def place(page, kind=""):
    """Return where a chapter's notebook lies, seen from the top of the site, and on Binder."""
    return f"notebooks/{Path(page).name}{kind}.ipynb"


def notebook(book, page, site=None, *, install="", numbers=None, outputs=None, pictures=None):
    """Return a chapter of a `bookbuild.takeaway.prose.Book` as a notebook.

    `site` is the address of the published book, `install` what pip is asked for; `outputs` are
    lists, for each code cell that of a run, whose pictures are kept in the folder `pictures`.
    """
    text, count = prose.Prose(book, page, numbers, site), 0
    name, title = (book.targets[f"{Path(one).name}.md"][2] for one in ("index", page))
    cells = [_text(HEAD.render(book=name, title=title, page=page, site=site, install=install))]
    for cell in book.pages[page].cells:
        if cell.cell_type == "markdown":
            cells.append(_text(text.plain(cell.source)))
            continue
        for name in DATA.findall(cell.source):
            content = (book.root / page).parent.joinpath(name).read_text("utf-8")
            cells.append(_run(DATA_CELL.format(name, content), "remove-input"))
        source = SILENCE.sub("", cell.source)
        if count == 0 and numbers is None:
            source = f"{book.settings['bookbuild_measured']}\n{source}"
        made = _code(source, cell)
        if outputs:
            made.outputs = [_bare(output, site, pictures) for output in outputs[count]]
            made.execution_count = count + 1
        cells.append(made)
        if "name" in prose.figure(cell):
            cells.append(_text(text.caption(prose.figure(cell))))
        count += 1
    if text.cited:
        cells.append(_text(f"## References\n\n{text.references()}"))
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"
    spec = {"kernelspec": book.pages[page].metadata["kernelspec"]}
    return new_notebook(cells=cells, metadata=spec | {"language_info": {"name": "python"}})


def publish(app, exception):
    """Write each chapter into the site as a notebook, as it is and as it was executed."""
    config, out = app.config, Path(app.outdir)
    if exception or app.builder.name != "html" or config.nb_execution_mode != "cache":
        return
    # the theme's copies of the chapters as they left the press
    for copy in (out / "_sources").rglob("*.ipynb"):
        copy.unlink()
    book, site, stamp = app.bookbuild_book, config.html_baseurl or None, out.parent / ".notebooks"
    install = _installing(app.srcdir, config.bookbuild_package)
    # pages are printed whenever anything else changes that notebooks depend on
    if not app.bookbuild_files["css_files"] and stamp.exists() and stamp.read_text() == install:
        return
    (out / "notebooks").mkdir(exist_ok=True)
    ran = {page: cache.executed(app, page) for page in book.pages}
    numbers = {(page, name): value for page, one in ran.items() for name, value in _glued(one)}
    known = {"install": install, "numbers": numbers, "pictures": out.parent / ".pictures"}
    for page in book.chapters:
        outputs = [cell.outputs for cell in ran[page].cells if cell.cell_type == "code"]
        for kind, shown in (("", None), ("-executed", outputs)):
            made = notebook(book, page, site, outputs=shown, **known)
            (out / place(page, kind)).write_text(nbformat.writes(made), "utf-8")
    stamp.write_text(install)


def write(root, folder, site=None):
    """Write every chapter as a notebook to run where the book is installed; return those kept.

    A notebook that is there already and differs is kept: it may hold a reader's work.
    """
    book, folder, kept = prose.read(root), Path(folder), []
    folder.mkdir(parents=True, exist_ok=True)
    for page in book.chapters:
        path = folder / f"{Path(page).name}.ipynb"
        text = nbformat.writes(notebook(book, page, site))
        if path.exists() and path.read_text("utf-8") != text:
            kept.append(path)
        else:
            path.write_text(text, "utf-8")
    return kept


def main(folder):
    """Write what JupyterLab opens on Binder and with ``make lab``; say what was kept."""
    site = (url := checkout.repository()) and checkout.address(url)
    for kept in write(".", folder, site):
        print(f"{kept} differs from its chapter and was kept; delete it to have it made anew")


def _installing(root, package):
    """Say how to get what a notebook imports."""
    if repository := checkout.repository(root):
        return f"{package} @ git+{repository}@{checkout.revision(root)}#subdirectory=code"
    return f"./code{package[package.index('[') :]}"


def _glued(notebook):
    """Yield name and value of each number that a run gave to the prose."""
    for output in faults.outputs(notebook):
        if name := output.get("metadata", {}).get("scrapbook", {}).get("name"):
            yield name, ast.literal_eval(output["data"]["text/plain"])


def _text(source):
    """Return a cell of Markdown; nbformat's own function would check each by itself."""
    return nbformat.from_dict({"cell_type": "markdown", "metadata": {}, "source": source})


def _code(source, cell):
    """Return a code cell, folded where it is folded or left out in the page."""
    prompt = cell.metadata.get("mystnb", {}).get("code_prompt_show", "").removeprefix("Show ")
    for tag in FOLDED.keys() & set(prose.tags(cell)):
        return _run(f"# {prompt or FOLDED[tag]}\n{source}", tag)
    return _run(source)


def _run(source, tag=""):
    """Return a cell of code, folded if it has a tag."""
    hidden = {"source_hidden": True} | ({"outputs_hidden": True} if tag == "hide-cell" else {})
    cell = {"cell_type": "code", "source": source, "outputs": [], "execution_count": None}
    return nbformat.from_dict(cell | {"metadata": {"jupyter": hidden} if tag else {}})


def _bare(output, site, pictures):
    """Return an output that needs no trust, without what only the press reads, linked to the book.

    JupyterLab shows the SVG of a notebook that somebody else has run only when told to trust it.
    """
    output = nbformat.from_dict(output)
    data = output.get("data")
    if data:
        output.metadata = {}
        if site and "text/html" in data:
            data["text/html"] = HOME.sub(rf"\1{site}book/", "".join(data["text/html"]))
        if drawn := data.pop("image/svg+xml", None):
            picture, width = figures.as_png("".join(drawn), pictures)
            data["image/png"] = base64.b64encode(picture).decode()
            output.metadata["image/png"] = {"width": width}
    return output
