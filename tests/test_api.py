"""The reference, book/api.md: every public name of the package has an entry, and a link to where it is explained."""

import ast
import importlib
import inspect
import pkgutil
import re
from pathlib import Path
from typing import NamedTuple

import mixtures
import pytest

BOOK = Path(__file__).parents[1] / "book"
TEXT = (BOOK / "api.md").read_text("utf-8")
ENTRY = re.compile(r"^\.\. auto(?:function|class|exception):: ([\w.]+)|^```\{py:data\} (\w+)$", re.MULTILINE)
MODULE = re.compile(r"^```\{py:module\} ([\w.]+)$", re.MULTILINE)
LINK = re.compile(r"\]\(([\w.-]+)\)(?:, under \*([^*]+)\*)?")
ROW = re.compile(r"^\| `(\w+)` \| .+ \| ([\w, ]+) \|$", re.MULTILINE)
CELL = re.compile(r"^```\{code-cell\}[^\n]*\n(?:---\n.*?^---\n|(?::[^\n]*\n)+)?(.*?)^```$", re.MULTILINE | re.DOTALL)


class Section(NamedTuple):
    """A heading of the third level, what stands below it before the first entry, and the entries' full names."""

    title: str
    module: str
    says: str
    entries: list


def sections(text):
    """Return the sections of the reference, in order."""
    found, module = [], None
    for part in re.split(r"^(?=##+ )", text, flags=re.MULTILINE)[1:]:
        module = named[1] if (named := MODULE.search(part)) else module
        if part.startswith("### "):
            says = re.sub(r"\s+", " ", part.split("\n```")[0].partition("\n")[2])
            entries = [full or f"{module}.{short}" for full, short in ENTRY.findall(part)]
            found.append(Section(part[4:].split("\n")[0], module, says, entries))
    return found


def public(module):
    """Return the full names that a module offers: what it lists, or else the functions and classes it defines."""
    names = getattr(module, "__all__", None) or [
        name
        for name, thing in vars(module).items()
        if (inspect.isfunction(thing) or inspect.isclass(thing)) and thing.__module__ == module.__name__
    ]
    return {f"{module.__name__}.{name}" for name in names if not name.startswith("_")}


def entries(text):
    """Return the full names of all entries."""
    return [name for section in sections(text) for name in section.entries]


def unexplained(text):
    """Yield, in words, what is wrong with the explaining link of any section."""
    for title, _, says, found in sections(text):
        links = LINK.findall(says)
        if not found or not says.strip().startswith("Explained in [") or not links:
            yield f"{title}: no entry, or no link to its explanation below the heading"
        # that labels and pages are there is seen to when the book is built
        for target, heading in links:
            if heading and not re.search(rf"^##+ {re.escape(heading)}$", (BOOK / target).read_text("utf-8"), re.MULTILINE):
                yield f"{title}: no heading {heading!r} in {target}"


def called(text):
    """Yield the full names of what the code of a chapter takes from the package's modules."""
    # lines for the terminal are no Python
    tree = ast.parse(re.sub(r"^!.*$", "", "\n".join(CELL.findall(text)), flags=re.MULTILINE))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    from_package = {alias.name for node in imports if node.module == "mixtures" for alias in node.names}
    for node in imports:
        if node.module and node.module.startswith("mixtures."):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in from_package:
            yield f"mixtures.{node.value.id}.{node.attr}"


DOCUMENTED = MODULE.findall(TEXT)
CHAPTERS = sorted(page for page in BOOK.glob("*.md") if CELL.search(page.read_text("utf-8")))


@pytest.mark.parametrize("name", DOCUMENTED)
def test_every_public_name_has_an_entry_and_no_other(name):
    found = [entry for entry in entries(TEXT) if entry.rpartition(".")[0] == name]
    assert sorted(found) == sorted(public(importlib.import_module(name)))


def test_every_entry_has_a_link_to_its_explanation():
    assert list(unexplained(TEXT)) == []


def test_every_module_is_documented_or_stands_behind_one_that_is():
    modules = {module.name for module in pkgutil.iter_modules(mixtures.__path__)} - {"__main__"}
    doors = {name.removeprefix("mixtures.") for name in DOCUMENTED}
    behind = ROW.findall(TEXT)
    assert sorted([*doors, *(name for name, _ in behind)]) == sorted(modules)
    # the terminal command is a door of its own, and explains itself
    assert {door for _, names in behind for door in names.split(", ")} <= doors | {"terminal"}


@pytest.mark.parametrize("page", CHAPTERS, ids=lambda page: page.stem)
def test_what_a_chapter_calls_has_an_entry(page):
    used = set(called(page.read_text("utf-8")))
    assert len(used) > 2
    ours = {name for name in used if getattr(_thing(name), "__module__", "mixtures").startswith("mixtures")}
    assert sorted(ours - set(entries(TEXT))) == []


def _thing(name):
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("Explained in [](the-law)\n", ""),
        ("*A hundred points*", "*A thousand points*"),
    ],
)
def test_a_link_that_is_lost_or_leads_nowhere_is_noticed(was, becomes):
    assert was in TEXT
    assert list(unexplained(TEXT.replace(was, becomes, 1)))
