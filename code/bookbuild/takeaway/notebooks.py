"""Chapters as notebooks in which a reader meets no press: to download from the pages, and to launch.

``python -m bookbuild.takeaway.notebooks FOLDER``, at the top of the book, writes those for a
JupyterLab where the book is installed; Binder's postBuild and ``make lab`` run it.
"""

import ast
import base64
import hashlib
import re
import sys
from pathlib import Path

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
FOLDED = {
    "remove-input": "checks of what the text says",
    "hide-input": "code of the figure",
    "hide-cell": "solution",
}
DOWNLOADS = {
    "": (".ipynb", "Download the notebook, to run"),
    "-executed": (".ipynb, executed", "Download the notebook with its outputs"),
}
TO_INSTALL = """To run it you need Python 3.12 or later, and once, in a terminal:

```
pip install "{}"
```

This installs JupyterLab too; `jupyter lab` opens the notebook. \
Numbers of figures and formulas are the book's."""
TO_RUN = (
    "*Run → Run All Cells* runs it. The numbers in its sentences are then those of your run, and "
    "what is folded opens at a click."
)
# a cell that writes a data file, so that a notebook needs no other file
DATA_CELL = '''# the data, so that this notebook needs no other file
from pathlib import Path

Path("data").mkdir(exist_ok=True)
Path("{}").write_text("""\\
{}""");'''


def setup(app):
    """Connect to Sphinx."""
    app.connect("builder-inited", gather)
    # after the theme has made its buttons
    app.connect("html-page-context", offer, priority=900)
    app.connect("build-finished", publish)


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


def notebook(book, page, head, root, *, site=None, numbers=None, outputs=None, pictures=None):
    """Return a chapter of a `bookbuild.takeaway.prose.Book` as a notebook, with some words above.

    `root` is the top of the book, `site` the address of the published one, for links; `numbers` are
    those of `bookbuild.takeaway.prose.Prose`; `outputs` are lists, for each code cell that of a run,
    whose pictures are kept in the folder `pictures`.
    """
    text, cells, count = prose.Prose(book, page, numbers, site), [_text(head)], 0
    for cell in book.pages[page].cells:
        if cell.cell_type == "markdown":
            cells.append(_text(text.plain(cell.source)))
            continue
        for name in DATA.findall(cell.source):
            content = (Path(root) / page).parent.joinpath(name).read_text("utf-8")
            cells.append(_folded(DATA_CELL.format(name, content)))
        made = _code(SILENCE.sub("", cell.source), cell)
        if count == 0 and numbers is None:
            made.source = f"{book.settings['bookbuild_measured']}\n{made.source}"
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
    config, out, root = app.config, Path(app.outdir), app.srcdir
    if exception or app.builder.name != "html" or config.nb_execution_mode != "cache":
        return
    # the theme's copies of the chapters as they left the press
    for copy in (out / "_sources").rglob("*.ipynb"):
        copy.unlink()
    book, site, folder = app.bookbuild_book, config.html_baseurl or None, out / "notebooks"
    install = _installing(root, config.bookbuild_package)
    # all that notebooks depend on; the cache's folder is named by what they were executed with
    about = [site, install, config.bookbuild_digest, config.nb_execution_cache_path]
    digest = hashlib.sha256(repr(about).encode())
    files = [f for f in Path(root, "book").rglob("*") if f.suffix in (".md", ".bib", ".csv")]
    for file in sorted([*files, Path(root, "_toc.yml")]):
        digest.update(file.read_bytes())
    stamp = out.parent / ".notebooks"
    if folder.exists() and stamp.exists() and stamp.read_text("utf-8") == digest.hexdigest():
        return
    folder.mkdir(exist_ok=True)
    ran = {page: cache.executed(app, page) for page in book.pages}
    numbers = {(page, name): value for page, one in ran.items() for name, value in _glued(one)}
    for page in book.chapters:
        head = f"{origin(book, page, site)} {install}"
        outputs = [cell.outputs for cell in ran[page].cells if cell.cell_type == "code"]
        for kind, shown in (("", None), ("-executed", outputs)):
            made = notebook(
                book, page, head, root, site=site, numbers=numbers, outputs=shown,
                pictures=out.parent / ".pictures",
            )
            (out / place(page, kind)).write_text(nbformat.writes(made), "utf-8")
    stamp.write_text(digest.hexdigest(), "utf-8")


def write(root, folder, site=None):
    """Write every chapter as a notebook to run where the book is installed; return those kept.

    A notebook that is there already and differs is kept: it may hold a reader's work.
    """
    book, folder, kept = prose.read(root), Path(folder), []
    folder.mkdir(parents=True, exist_ok=True)
    for page in book.chapters:
        path, head = folder / f"{Path(page).name}.ipynb", f"{origin(book, page, site)} {TO_RUN}"
        text = nbformat.writes(notebook(book, page, head, root, site=site))
        if path.exists() and path.read_text("utf-8") != text:
            kept.append(path)
        else:
            path.write_text(text, "utf-8")
    return kept


def origin(book, page, site):
    """Return where a notebook comes from, in Markdown."""
    name, title = (book.targets[f"{Path(one).name}.md"][2] for one in ("index", page))
    if not site:
        return f"From *{name}*: the chapter *{title}*."
    return f"From *[{name}]({site})*: the chapter [{title}]({site}{page}.html)."


def _installing(root, package):
    """Say how to get what a notebook imports."""
    repository, extra = checkout.repository(root), package[package.index("[") :]
    commit = f"{package} @ git+{repository}@{checkout.revision(root)}#subdirectory=code"
    return TO_INSTALL.format(commit if repository else f"./code{extra}")


def _glued(notebook):
    """Yield name and value of each number that a run gave to the prose."""
    for output in faults.outputs(notebook):
        if name := output.get("metadata", {}).get("scrapbook", {}).get("name"):
            yield name, ast.literal_eval(output["data"]["text/plain"])


def _text(source):
    """Return a cell of Markdown; nbformat's own function would check each by itself."""
    return nbformat.from_dict({"cell_type": "markdown", "metadata": {}, "source": source})


def _run(source, **metadata):
    """Return a cell of code."""
    cell = {"cell_type": "code", "source": source, "outputs": [], "execution_count": None}
    return nbformat.from_dict(cell | {"metadata": metadata})


def _code(source, cell):
    """Return a code cell, folded where it is folded or left out in the page."""
    prompt = cell.metadata.get("mystnb", {}).get("code_prompt_show", "").removeprefix("Show ")
    for tag in FOLDED.keys() & set(prose.tags(cell)):
        return _folded(f"# {prompt or FOLDED[tag]}\n{source}", tag)
    return _run(source)


def _folded(source, tag="remove-input"):
    outputs = {"outputs_hidden": True} if tag == "hide-cell" else {}
    return _run(source, jupyter={"source_hidden": True} | outputs)


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


if __name__ == "__main__":
    REPOSITORY = checkout.repository()
    SITE = checkout.address(REPOSITORY) if REPOSITORY else None
    for kept in write(".", sys.argv[1], SITE):
        print(f"{kept} differs from its chapter and was kept; delete it to have it made anew")
