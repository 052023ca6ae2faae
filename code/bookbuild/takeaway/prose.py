"""What a chapter says and points to, as plain Markdown that any notebook shows."""

import re
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from pathlib import Path

from pybtex.backends.markdown import Backend
from pybtex.database import BibliographyData, parse_file
from pybtex.style.formatting.unsrt import Style

from bookbuild import checkout
from bookbuild.execute.cache import chapter

TITLE = re.compile(r"^# (.+)$", re.MULTILINE)
LABEL = re.compile(r"^\(([\w-]+)\)=\n+(?:#+ (.+)$)?", re.MULTILINE)
FORMULA = re.compile(r"(?ms)^```\{math\}\n(?::label: ([\w-]+)\n)?\s*(.*?)^```$")
DROPDOWN = re.compile(r"^:::\{dropdown\} ([^\n]+)\n(.*?)^:::$", re.MULTILINE | re.DOTALL)
DEFINITION = re.compile(r"^(\S.*)\n: +(.*(?:\n  .*)*)$", re.MULTILINE)
DIRECTIVE = re.compile(r"^(?::{3,}|`{3,})\{([\w-]+)\}", re.MULTILINE)
ROLE = re.compile(r"\{([a-z:]+)\}`([^`]+)`")
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)\s]+)\)")
NAMED = re.compile(r"(.*?)\s*<(.+)>", re.DOTALL)
VALUE = re.compile(r"(?:(\w+)\.md::)?([\w-]+):?(.*)")
# a page all of whose code is left out has nothing to run
UNSEEN = {"remove-input", "remove-cell"}
# how works are listed; finding its parts takes a third of a second
style = cache(Style)


@dataclass
class Book:
    """What a chapter's words may point to.

    Pages that hold code are notebooks, by their names and in their order. A target, a label or a
    file, is a page, the place on it, and what it is called. Numbers are of figures and formulas.
    """

    root: Path
    settings: dict
    pages: dict = field(default_factory=dict)
    targets: dict = field(default_factory=dict)
    numbers: dict = field(default_factory=dict)
    works: BibliographyData = field(default_factory=BibliographyData)

    @property
    def chapters(self):
        """The names of the pages that show a reader code to run."""
        return [
            name for name, notebook in self.pages.items()
            if any(c.cell_type == "code" and not UNSEEN & set(tags(c)) for c in notebook.cells)
        ]


def read(root):
    """Return the book below a folder."""
    root, figures, formulas = Path(root), count(1), count(1)
    book = Book(root, checkout.settings(root))
    for file in sorted((root / "book").glob("*.bib")):
        book.works.add_entries(parse_file(file).entries.items())
    for page in checkout.pages(root):
        text = (root / f"{page}.md").read_text("utf-8")
        title = found[1] if (found := TITLE.search(text)) else Path(page).name
        book.targets[f"{Path(page).name}.md"] = (page, "", title)
        for label, heading in LABEL.findall(text):
            book.targets[label] = (page, label, heading or title)
        book.numbers |= {label: next(formulas) for label, _ in FORMULA.findall(text) if label}
        if notebook := chapter(root / f"{page}.md"):
            book.pages[page] = notebook
            names = [figure(cell).get("name") for cell in notebook.cells]
            book.numbers |= {name: next(figures) for name in names if name}
    return book


def tags(cell):
    """Return a cell's tags."""
    return cell.metadata.get("tags", [])


def figure(cell):
    """Return what MyST-NB is told of the figure that a cell draws, or an empty mapping."""
    return cell.metadata.get("mystnb", {}).get("figure", {})


class Prose:
    """A chapter's prose in plain Markdown, with links to the published book, if there is one.

    Numbers are the values of claims by page and name, or None, which leaves places for JupyterLab
    to fill from the reader's own run.
    """

    def __init__(self, book, page, numbers, site):
        self.book, self.page, self.numbers, self.site = book, page, numbers, site
        self.cited = {}

    def plain(self, text):
        """Return MyST prose as Markdown; a `ValueError` names a role or directive without words."""
        for strange in set(DIRECTIVE.findall(text)) - {"math", "dropdown"}:
            self._refuse("directive", strange)
        text = LABEL.sub(lambda found: found[0].split("\n", 1)[1].lstrip("\n"), text)
        text = FORMULA.sub(self._formula, text)
        # JupyterLab on Binder reads MyST's folds and definitions, and other places do not
        if self.numbers is not None:
            text = DEFINITION.sub(r"- \1\\\n  \2", text)
            fold = r"<details><summary>\1</summary>\n\n\2\n</details>"
            text = DROPDOWN.sub(fold, text)
        text = ROLE.sub(self._role, text)
        return LINK.sub(lambda found: self._to(found[2], found[1]) or found[0], text)

    def caption(self, drawn):
        """Return the words below a figure."""
        said = self.plain(drawn["caption"].strip())
        return f"**Figure {self.book.numbers[drawn['name']]}.** {said}"

    def references(self):
        """Return the works cited so far, as a list."""
        works = [self.book.works.entries[key] for key in sorted(self.cited)]
        lines = [work.text.render(Backend()) for work in style().format_entries(works)]
        return "\n".join(f"- {' '.join(line.split())}" for line in lines)

    def _refuse(self, kind, name):
        raise ValueError(f"{self.page}: the {kind} {{{name}}} has no words in a notebook")

    def _formula(self, found):
        number = f" \\tag{{{self.book.numbers[found[1]]}}}" if found[1] else ""
        formula = found[2].strip() + number
        if self.numbers is None:
            # where MyST is read it would give a second number
            return f"```{{math}}\n:enumerated: false\n{formula}\n```\n"
        return f"$$\n{formula}\n$$\n"

    def _role(self, found):
        write = getattr(self, f"_{found[1].replace(':', '_')}", None)
        return write(found[2]) if write else self._refuse("role", found[1])

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
        people = [one.rich_prelast_names + one.rich_last_names for one in entry.persons["author"]]
        names = [" ".join(map(str, parts)) for parts in people]
        who = " and ".join(names) if len(names) < 3 else f"{names[0]} *et al.*"
        return who, entry.fields["year"]

    def _claim(self, text):
        return ""

    _unmeasured = _claim

    def _glue_text(self, text):
        page, name, form = VALUE.fullmatch(text).groups()
        if self.numbers is None:
            return f'{{eval}}`measured("{name}", "{form}")`'
        value = f"{self.numbers[f'book/{page}' if page else self.page, name]:{form}}"
        return f"−{value[1:]}" if value.startswith("-") else value

    def _to(self, target, words):
        """Return a link to a label or a page of the book, or None for any other target."""
        scheme, _, rest = target.partition(":")
        if ours := self.book.settings["myst_url_schemes"].get(scheme):
            return self._away(f"book/{ours.replace('{{path}}', rest)}", words)
        if target.partition("#")[0] not in self.book.targets:
            return None
        page, place, title = self.book.targets[target.partition("#")[0]]
        place = target.partition("#")[2] or place
        if self.numbers is None and page in self.book.chapters:
            return f"[{words or title}]({Path(page).name}.ipynb)"
        return self._away(f"{page}.html{'#' * bool(place)}{place}", words or title)

    def _away(self, address, words):
        return f"[{words}]({self.site}{address})" if self.site else f"*{words}*"
