"""What a chapter says and points to, as plain Markdown that any notebook shows."""

import re
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path

from myst_nb.core.read import is_myst_markdown_notebook, read_myst_markdown_notebook
from pybtex.backends.markdown import Backend
from pybtex.database import BibliographyData, parse_file
from pybtex.style.formatting.unsrt import Style
from sphinx_external_toc.parsing import parse_toc_yaml

TITLE = re.compile(r"^# (.+)$", re.MULTILINE)
LABEL = re.compile(r"^\(([\w-]+)\)=\n+(?:#+ (.+)$)?", re.MULTILINE)
FORMULA = re.compile(r"^```\{math\}\n(?::label: ([\w-]+)\n)?\s*(.*?)^```$", re.MULTILINE | re.DOTALL)
DROPDOWN = re.compile(r"^:::\{dropdown\} ([^\n]+)\n(.*?)^:::$", re.MULTILINE | re.DOTALL)
DEFINITION = re.compile(r"^(\S.*)\n: +(.*(?:\n  .*)*)$", re.MULTILINE)
DIRECTIVE = re.compile(r"^(?::{3,}|`{3,})\{([\w-]+)\}", re.MULTILINE)
ROLE = re.compile(r"\{([a-z:]+)\}`([^`]+)`")
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)\s]+)\)")
NAMED = re.compile(r"(.*?)\s*<(.+)>", re.DOTALL)
VALUE = re.compile(r"(?:(\w+)\.md::)?([\w-]+):?(.*)")
# a page all of whose code is left out has nothing to run
UNSEEN = {"remove-input", "remove-cell"}


@dataclass
class Book:
    """What a chapter's words may point to.

    Attributes
    ----------
    pages : dict of str to nbformat.NotebookNode
        The pages that hold code, by their names in the table of contents and in its order.
    targets : dict of str to (str, str, str)
        For each label, and for each file, the page, the place on it, and what it is called.
    numbers : dict of str to int
        Of figures and of formulas.
    works : pybtex.database.BibliographyData
    """

    pages: dict
    targets: dict
    numbers: dict
    works: object

    @property
    def chapters(self):
        """The names of the pages that show a reader code to run."""
        return [
            name
            for name, notebook in self.pages.items()
            if any(not UNSEEN & set(tags(cell)) for cell in notebook.cells if cell.cell_type == "code")
        ]


def read(root):
    """Return the book below a folder.

    Parameters
    ----------
    root : path-like
        Where ``_toc.yml`` is.

    Returns
    -------
    Book
    """
    root, works = Path(root), BibliographyData()
    for file in sorted((root / "book").glob("*.bib")):
        works.add_entries(parse_file(file).entries.items())
    book, figures, formulas = Book({}, {}, {}, works), count(1), count(1)
    for page in order(parse_toc_yaml(root / "_toc.yml")):
        text = (root / f"{page}.md").read_text("utf-8")
        title = found[1] if (found := TITLE.search(text)) else Path(page).name
        book.targets[f"{Path(page).name}.md"] = (page, "", title)
        for label, heading in LABEL.findall(text):
            book.targets[label] = (page, label, heading or title)
        book.numbers |= {label: next(formulas) for label, _ in FORMULA.findall(text) if label}
        if is_myst_markdown_notebook(text):
            book.pages[page] = read_myst_markdown_notebook(text)
            names = [figure(cell).get("name") for cell in book.pages[page].cells]
            book.numbers |= {name: next(figures) for name in names if name}
    return book


def order(toc, page=None):
    """Yield the pages of a table of contents in its order.

    Parameters
    ----------
    toc : sphinx_external_toc.api.SiteMap
    page : str, optional
        Where to begin.

    Yields
    ------
    str
    """
    page = page or toc.root.docname
    yield page
    for below in toc[page].child_files():
        yield from order(toc, below)


class Words:
    """A chapter's prose in plain Markdown.

    Parameters
    ----------
    book : Book
    page : str
    numbers : dict of (str, str) to float or str, or None
        The values of claims by page and name; None leaves a place that JupyterLab fills from the reader's own run.
    site : str or None
        The address of the published book.
    """

    def __init__(self, book, page, numbers, site):
        self.book, self.page, self.numbers, self.site = book, page, numbers, site
        self.cited = {}

    def plain(self, text):
        """Return MyST prose as Markdown that any notebook shows.

        Raises
        ------
        ValueError
            If the text has a role or a directive that has no words here.
        """
        for strange in set(DIRECTIVE.findall(text)) - {"math", "dropdown"}:
            raise ValueError(f"{self.page}: the directive {{{strange}}} has no words in a notebook")
        text = LABEL.sub(lambda found: found[0].split("\n", 1)[1].lstrip("\n"), text)
        text = FORMULA.sub(self._formula, text)
        # JupyterLab on Binder reads MyST's folds and definitions, and other places do not
        if self.numbers is not None:
            text = DEFINITION.sub(r"- \1\\\n  \2", text)
            text = DROPDOWN.sub(r"<details><summary>\1</summary>\n\n\2\n</details>", text)
        return LINK.sub(self._link, ROLE.sub(self._role, text))

    def caption(self, drawn):
        """Return the words below a figure."""
        return f"**Figure {self.book.numbers[drawn['name']]}.** {self.plain(drawn['caption'].strip())}"

    def references(self):
        """Return the works cited so far, as a list."""
        works = [self.book.works.entries[key] for key in sorted(self.cited)]
        return "\n".join(f"- {' '.join(work.text.render(Backend()).split())}" for work in _style().format_entries(works))

    def _formula(self, found):
        formula = found[2].strip() + (f" \\tag{{{self.book.numbers[found[1]]}}}" if found[1] else "")
        if self.numbers is None:
            # where MyST is read it would give a second number
            return f"```{{math}}\n:enumerated: false\n{formula}\n```\n"
        return f"$$\n{formula}\n$$\n"

    def _role(self, found):
        write = getattr(self, f"_{found[1].replace(':', '_')}", None)
        if write is None:
            raise ValueError(f"{self.page}: the role {{{found[1]}}} has no words in a notebook")
        return write(found[2])

    def _term(self, text):
        named = NAMED.fullmatch(text)
        return named[1] if named else text

    def _ref(self, text):
        named = NAMED.fullmatch(text)
        return self._to(named[2], named[1]) if named else self._to(text, "")

    def _numref(self, label):
        return f"Figure {self.book.numbers[label]}"

    def _eq(self, label):
        return f"({self.book.numbers[label]})"

    def _cite(self, keys):
        return f"[{'; '.join(', '.join(self._work(key)) for key in keys.split(','))}]"

    _cite_p = _cite

    def _cite_t(self, key):
        return "{} [{}]".format(*self._work(key))

    def _work(self, key):
        self.cited[key] = None
        entry = self.book.works.entries[key]
        names = [" ".join(map(str, person.rich_prelast_names + person.rich_last_names)) for person in entry.persons["author"]]
        return " and ".join(names) if len(names) < 3 else f"{names[0]} *et al.*", entry.fields["year"]

    def _glue_text(self, text):
        page, name, form = VALUE.fullmatch(text).groups()
        if self.numbers is None:
            return f'{{eval}}`measured("{name}", "{form}")`'
        value = f"{self.numbers[f'book/{page}' if page else self.page, name]:{form}}"
        return f"−{value[1:]}" if value.startswith("-") else value

    def _link(self, found):
        return self._to(found[2], found[1]) or found[0]

    def _to(self, target, words):
        """Return a link to a label or a page of the book, or None for any other target."""
        if target.startswith("explorer:"):
            page, place, title = "book/explorer", target.removeprefix("explorer:"), ""
        elif target.partition("#")[0] in self.book.targets:
            page, place, title = self.book.targets[target.partition("#")[0]]
            place = target.partition("#")[2] or place
        else:
            return None
        words = words or title
        if self.numbers is None and page in self.book.chapters:
            return f"[{words}]({Path(page).name}.ipynb)"
        return f"[{words}]({self.site}{page}.html{'#' * bool(place)}{place})" if self.site else f"*{words}*"


@cache
def _style():
    """Return how works are listed; finding its parts takes a third of a second."""
    return Style()


def tags(cell):
    """Return a cell's tags."""
    return cell.metadata.get("tags", [])


def figure(cell):
    """Return what MyST-NB is told of the figure that a cell draws, or an empty mapping."""
    return cell.metadata.get("mystnb", {}).get("figure", {})
