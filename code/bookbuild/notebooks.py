"""Chapters as notebooks in which a reader meets no press: to download from the pages, and to launch on Binder."""

import ast
import base64
import hashlib
import re
from pathlib import Path

import nbformat
from nbformat.v4 import new_notebook

from bookbuild import execution, figures, links, words

# the pages show no progress, and whoever runs a notebook wants to see it
SILENCE = re.compile(r"^ *progressbar=False,?\n|,? *progressbar=False", re.MULTILINE)
DATA = re.compile(r"\"(data/[\w.-]+)\"")
IMPORT = re.compile(r"^(from mixtures\.claims import claim)", re.MULTILINE)
# a link from one page to another in what a cell shows
HOME = re.compile(r'(href=")(?=[\w-]+\.html)')
# what a folded cell shows of itself is its first line
FOLDED = {"remove-input": "checks of what the text says", "hide-input": "code of the figure", "hide-cell": "solution"}
DOWNLOADS = {
    "": (".ipynb", "Download the notebook, to run"),
    "-executed": (".ipynb, executed", "Download the notebook with its outputs"),
}
TO_INSTALL = (
    "To run it you need Python 3.12 or later, and once, in a terminal:\n\n```\npip install {}\n```\n\n"
    "This installs JupyterLab too; `jupyter lab` opens the notebook. Numbers of figures and formulas are the book's."
)


def setup(app):
    """Connect to Sphinx."""
    app.connect("builder-inited", gather)
    # after the theme has made its buttons
    app.connect("html-page-context", offer, priority=900)
    app.connect("build-finished", publish)


def gather(app):
    """Read the book once for all pages."""
    app.bookbuild_book = words.read(app.srcdir)


def offer(app, pagename, templatename, context, doctree):
    """Offer a chapter's notebooks at its top, to download and to launch, and none on pages without code to run."""
    buttons = {button.get("label"): button for button in context.get("header_buttons", [])}
    chapter = pagename in app.bookbuild_book.chapters
    if downloads := buttons.get("download-buttons"):
        others = [one for one in downloads["buttons"] if one["label"] != "download-notebook-button"]
        ours = [_button(context["pathto"](place(pagename, kind), 1), *said) for kind, said in DOWNLOADS.items() if chapter]
        downloads["buttons"] = [*ours, *others]
    if launch := buttons.get("launch-buttons"):
        for one in launch["buttons"]:
            one["url"] = one["url"].replace(f"/{pagename}.md", f"/{place(pagename)}")
        if not chapter:
            context["header_buttons"].remove(launch)


def place(page, kind=""):
    """Return where a chapter's notebook lies, as seen from the top of the site, and of the repository on Binder."""
    return f"notebooks/{Path(page).name}{kind}.ipynb"


def notebook(book, page, head, *, site=None, numbers=None, outputs=None, root=".", pictures=None):
    """Return a chapter as a notebook.

    Parameters
    ----------
    book : Book
    page : str
        Its name in the table of contents.
    head : str
        What stands above it, in Markdown.
    site : str, optional
        The address of the published book, for links.
    numbers : dict of (str, str) to float or str, optional
        See `bookbuild.words.Words`.
    outputs : list of list of dict, optional
        Of each code cell, from a run.
    root : path-like, optional
        Where the chapter's data are.
    pictures : pathlib.Path, optional
        Where pictures of outputs are kept; see `bookbuild.figures.as_png`.

    Returns
    -------
    nbformat.NotebookNode
    """
    text, cells, count = words.Words(book, page, numbers, site), [_text(head)], 0
    for cell in book.pages[page].cells:
        if cell.cell_type == "markdown":
            cells.append(_text(text.plain(cell.source)))
            continue
        for name in DATA.findall(cell.source):
            cells.append(_data(name, (Path(root) / page).parent))
        made = _code(SILENCE.sub("", cell.source), cell)
        if count == 0 and numbers is None:
            made.source = IMPORT.sub(r"\1, measured", made.source)
        if outputs:
            made.outputs, made.execution_count = [_bare(output, site, pictures) for output in outputs[count]], count + 1
        cells.append(made)
        if "name" in words.figure(cell):
            cells.append(_text(text.caption(words.figure(cell))))
        count += 1
    if text.cited:
        cells.append(_text(f"## References\n\n{text.references()}"))
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"
    spec = {"kernelspec": book.pages[page].metadata["kernelspec"], "language_info": {"name": "python"}}
    return new_notebook(cells=cells, metadata=spec)


def publish(app, exception):
    """Write each chapter into the site as a notebook, as it is and as it was executed."""
    if exception is not None or app.builder.name != "html" or app.config.nb_execution_mode == "off":
        return
    # the theme's copies of the chapters as they left the press
    for copy in (Path(app.outdir) / "_sources").rglob("*.ipynb"):
        copy.unlink()
    book, site, folder = app.bookbuild_book, app.config.html_baseurl or None, Path(app.outdir) / "notebooks"
    digest = _digest(app)
    stamp = Path(app.outdir).parent / ".notebooks"
    if folder.exists() and stamp.exists() and stamp.read_text("utf-8") == digest:
        return
    ran = {page: execution.executed(app, page) for page in book.pages}
    known = {"numbers": {(page, name): value for page, one in ran.items() for name, value in _glued(one)}}
    known |= {"site": site, "root": app.srcdir, "pictures": Path(app.outdir).parent / ".pictures"}
    for page in book.chapters:
        head = f"{origin(book, page, site)} {_installing(app.srcdir)}"
        outputs = [cell.outputs for cell in ran[page].cells if cell.cell_type == "code"]
        for kind, shown in (("", None), ("-executed", outputs)):
            folder.mkdir(exist_ok=True)
            path = Path(app.outdir) / place(page, kind)
            path.write_text(nbformat.writes(notebook(book, page, head, outputs=shown, **known)), "utf-8")
    stamp.write_text(digest, "utf-8")


def _digest(app):
    """Return a name for all that the notebooks depend on; the cache's folder has one for what they were executed with."""
    about = [app.config.html_baseurl, _installing(app.srcdir), app.config.bookbuild_digest, app.config.nb_execution_cache_path]
    digest = hashlib.sha256(repr(about).encode())
    for file in sorted((Path(app.srcdir) / "book").rglob("*")):
        if file.suffix in (".md", ".bib", ".csv"):
            digest.update(file.read_bytes())
    digest.update((Path(app.srcdir) / "_toc.yml").read_bytes())
    return digest.hexdigest()


def origin(book, page, site):
    """Return where a notebook comes from, in Markdown."""
    title = book.targets[f"{Path(page).name}.md"][2]
    name = book.targets["index.md"][2]
    return f"From *[{name}]({site})*: the chapter [{title}]({site}{page}.html)." if site else f"From *{name}*: the chapter *{title}*."


def _installing(root):
    """Say how to get what a notebook imports."""
    repository = links.repository(root)
    where = f"which-component[lab] @ git+{repository}@{links.revision(root)}#subdirectory=code" if repository else "./code[lab]"
    return TO_INSTALL.format(f'"{where}"')


def _button(address, text, tip):
    """Return a download as the theme's buttons are described."""
    return {"type": "link", "url": address, "text": text, "tooltip": tip, "icon": "fas fa-code", "label": "download-notebook-button"}


def _glued(notebook):
    """Yield name and value of each number that a run gave to the prose."""
    for output in execution.outputs(notebook):
        if name := output.get("metadata", {}).get("scrapbook", {}).get("name"):
            yield name, ast.literal_eval(output["data"]["text/plain"])


def _text(source):
    """Return a cell of Markdown; nbformat's own function would check each, and all of them are checked as one notebook."""
    return nbformat.from_dict({"cell_type": "markdown", "metadata": {}, "source": source})


def _run(source, metadata=None):
    """Return a cell of code."""
    cell = {"cell_type": "code", "metadata": metadata or {}, "source": source, "outputs": [], "execution_count": None}
    return nbformat.from_dict(cell)


def _code(source, cell):
    """Return a code cell, folded where it is folded or left out in the page."""
    prompt = cell.metadata.get("mystnb", {}).get("code_prompt_show", "").removeprefix("Show ")
    for tag in FOLDED.keys() & set(words.tags(cell)):
        return _folded(f"# {prompt or FOLDED[tag]}\n{source}", tag)
    return _run(source)


def _folded(source, tag="remove-input"):
    hidden = {"source_hidden": True} | ({"outputs_hidden": True} if tag == "hide-cell" else {})
    return _run(source, {"jupyter": hidden})


def _data(name, folder):
    """Return a cell that writes a data file, so that a notebook needs no other file."""
    text = (folder / name).read_text("utf-8")
    lines = ["# the data, so that this notebook needs no other file", "from pathlib import Path", ""]
    lines += ['Path("data").mkdir(exist_ok=True)', f'Path("{name}").write_text("""\\', f'{text}""");']
    return _folded("\n".join(lines))


def _bare(output, site, pictures):
    """Return an output without what only the press reads, whose links lead to the book and whose pictures need no trust.

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
            data["image/png"], output.metadata["image/png"] = base64.b64encode(picture).decode(), {"width": width}
    return output
