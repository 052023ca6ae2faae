"""Chapters as notebooks for the JupyterLab of Binder, or of one's own machine, where the book is installed.

Run as ``python -m bookbuild.lab FOLDER`` at the top of the book; Binder's postBuild and ``make lab`` do.
"""

import sys
from pathlib import Path

import nbformat

from bookbuild import links, notebooks, words

TO_RUN = (
    "*Run → Run All Cells* runs it. The numbers in its sentences are then those of your run, and what is folded opens at "
    "a click."
)


def write(root, folder, site=None):
    """Write every chapter as a notebook to run, beside the others, where the book is installed.

    A notebook that is there already and differs is kept: it may hold a reader's work.

    Parameters
    ----------
    root : path-like
        The top of the book.
    folder : path-like
        Made where it is missing.
    site : str, optional
        The address of the published book.

    Returns
    -------
    list of pathlib.Path
        The notebooks that were kept.
    """
    book, folder, kept = words.read(root), Path(folder), []
    folder.mkdir(parents=True, exist_ok=True)
    for page in book.chapters:
        path, head = folder / f"{Path(page).name}.ipynb", f"{notebooks.origin(book, page, site)} {TO_RUN}"
        text = nbformat.writes(notebooks.notebook(book, page, head, site=site, root=root))
        if path.exists() and path.read_text("utf-8") != text:
            kept.append(path)
        else:
            path.write_text(text, "utf-8")
    return kept


def main(folder):
    """Write the notebooks, and say which were kept."""
    repository = links.repository(".")
    for path in write(".", folder, links.pages(repository) if repository else None):
        print(f"{path} differs from its chapter and was kept; delete it to have it made anew")


if __name__ == "__main__":
    main(sys.argv[1])
