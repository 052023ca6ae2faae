"""Chapters as notebooks in which a reader meets no press: to download from the pages, and to launch on Binder."""

import ast
import re
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from bookbuild import execution, figures, links, words

# the pages show no progress, and whoever runs a notebook wants to see it
SILENCE = re.compile(r"^ *progressbar=False,?\n|,? *progressbar=False", re.MULTILINE)
DATA = re.compile(r"\"(data/[\w.-]+)\"")
IMPORT = re.compile(r"^(from mixtures\.claims import claim)", re.MULTILINE)
# what a folded cell shows of itself is its first line
FOLDED = {"remove-input": "checks of what the text says", "hide-input": "code of the figure", "hide-cell": "solution"}
TO_INSTALL = (
    "To run it you need Python 3.12 or later, and once, in a terminal:\n\n```\npip install {}\n```\n\n"
    "This installs JupyterLab too; `jupyter lab` opens the notebook."
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
    chapter, kept = pagename in app.bookbuild_book.chapters, []
    for button in context.get("header_buttons", []):
        if button.get("label") == "download-buttons":
            others = [one for one in button["buttons"] if one["label"] != "download-notebook-button"]
            button["buttons"] = [*(_downloads(context["pathto"], pagename) if chapter else ()), *others]
        for one in button.get("buttons", []) if button.get("label") == "launch-buttons" else ():
            one["url"] = one["url"].replace(f"/{pagename}.md", f"/{place(pagename)}")
        if chapter or button.get("label") != "launch-buttons":
            kept.append(button)
    context["header_buttons"] = kept


def place(page, kind=""):
    """Return where a chapter's notebook lies, as seen from the top of the site, and of the repository on Binder."""
    return f"notebooks/{Path(page).name}{kind}.ipynb"


def _downloads(pathto, page):
    for kind, text, label in (("", ".ipynb", "download-notebook-button"), ("-executed", ".ipynb, executed", "download-executed-button")):
        tip = "Download the notebook with its outputs" if kind else "Download the notebook, to run"
        yield {"type": "link", "url": pathto(place(page, kind), 1), "text": text, "icon": "fas fa-code", "tooltip": tip, "label": label}


def notebook(book, page, head, *, site=None, numbers=None, outputs=None, root="."):
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

    Returns
    -------
    nbformat.NotebookNode
    """
    text, cells, count = words.Words(book, page, numbers, site), [new_markdown_cell(head)], 0
    for cell in book.pages[page].cells:
        if cell.cell_type == "markdown":
            cells.append(new_markdown_cell(text.plain(cell.source)))
            continue
        for name in DATA.findall(cell.source):
            cells.append(_data(name, (Path(root) / page).parent))
        made = _code(SILENCE.sub("", cell.source), cell)
        if count == 0 and numbers is None:
            made.source = IMPORT.sub(r"\1, measured", made.source)
        if outputs:
            made.outputs, made.execution_count = [_bare(output) for output in outputs[count]], count + 1
        cells.append(made)
        if "name" in words.figure(cell):
            cells.append(new_markdown_cell(text.caption(words.figure(cell))))
        count += 1
    if text.cited:
        cells.append(new_markdown_cell(f"## References\n\n{text.references()}"))
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"
    spec = {"kernelspec": book.pages[page].metadata["kernelspec"], "language_info": {"name": "python"}}
    return new_notebook(cells=cells, metadata=spec)


def publish(app, exception):
    """Write each chapter into the site as a notebook, as it is and as it was executed."""
    if exception is not None or app.builder.name != "html":
        return
    # the theme's copies of the chapters as they left the press
    for copy in (Path(app.outdir) / "_sources").rglob("*.ipynb"):
        copy.unlink()
    book, site = app.bookbuild_book, app.config.html_baseurl or None
    ran = {page: execution.executed(app, page) for page in book.pages}
    numbers = {(page, name): value for page, one in ran.items() for name, value in _glued(one)}
    pip = f'"which-component[lab] @ git+{{}}@{links.revision(app.srcdir)}#subdirectory=code"'
    repository = links.repository(app.srcdir)
    install = TO_INSTALL.format(pip.format(repository) if repository else '"./code[lab]"')
    for page in book.chapters:
        head = f"{origin(book, page, site)} {install}"
        for kind in ("", "-executed"):
            made = notebook(
                book, page, head, site=site, numbers=numbers, root=app.srcdir,
                outputs=[cell.outputs for cell in ran[page].cells if cell.cell_type == "code"] if kind else None,
            )
            path = Path(app.outdir) / place(page, kind)
            path.parent.mkdir(exist_ok=True)
            path.write_text(nbformat.writes(made), "utf-8")


def origin(book, page, site):
    """Return where a notebook comes from, in Markdown."""
    title = book.targets[f"{Path(page).name}.md"][2]
    name = book.targets["index.md"][2]
    return f"From *[{name}]({site})*: the chapter [{title}]({site}{page}.html)." if site else f"From *{name}*: the chapter *{title}*."


def _glued(notebook):
    """Yield name and value of each number that a run gave to the prose."""
    for output in execution.outputs(notebook):
        if name := output.get("metadata", {}).get("scrapbook", {}).get("name"):
            yield name, ast.literal_eval(output["data"]["text/plain"])


def _code(source, cell):
    """Return a code cell, folded where it is folded or left out in the page."""
    prompt = cell.metadata.get("mystnb", {}).get("code_prompt_show", "").removeprefix("Show ")
    for tag in FOLDED.keys() & set(words.tags(cell)):
        return _folded(f"# {prompt or FOLDED[tag]}\n{source}", tag)
    return new_code_cell(source)


def _folded(source, tag="remove-input"):
    hidden = {"source_hidden": True} | ({"outputs_hidden": True} if tag == "hide-cell" else {})
    return new_code_cell(source, metadata={"jupyter": hidden})


def _data(name, folder):
    """Return a cell that writes a data file, so that a notebook needs no other file."""
    text = (folder / name).read_text("utf-8")
    lines = ["# the data, so that this notebook needs no other file", "from pathlib import Path", ""]
    lines += ['Path("data").mkdir(exist_ok=True)', f'Path("{name}").write_text("""\\', f'{text}""");']
    return _folded("\n".join(lines))


def _bare(output):
    """Return an output without what only the press reads, and with a picture as short as the page's."""
    output = nbformat.from_dict(output)
    if "data" in output:
        output.metadata = {}
        if picture := output.data.get("image/svg+xml"):
            output.data["image/svg+xml"] = figures.short("".join(picture))
    return output
