"""The reference, book/api.md: every public name has an entry, and a link to its explanation."""

import importlib
import inspect
import pkgutil
import re

import mixtures
import pytest
from checkout import ROOT

BOOK = ROOT / "book"
TEXT = (BOOK / "api.md").read_text("utf-8")
ENTRY = re.compile(
    r"^\.\. auto(?:function|class|exception):: ([\w.]+)|^```\{py:data\} (\w+)$", re.MULTILINE)
MODULE = re.compile(r"^```\{py:module\} ([\w.]+)$", re.MULTILINE)
ROW = re.compile(r"^\| `([\w.]+)` \| .+ \| ([\w., ]+) \|$", re.MULTILINE)


def public(module):
    """Return the full names that a module offers: what it lists, or else what it defines."""
    names = getattr(module, "__all__", None) or [
        name
        for name, thing in vars(module).items()
        if inspect.isfunction(thing) or inspect.isclass(thing)
        if thing.__module__ == module.__name__]
    return {f"{module.__name__}.{name}" for name in names if not name.startswith("_")}


DOCUMENTED = re.split(r"^(?=```\{py:module\} )", TEXT, flags=re.MULTILINE)[1:]
SECTIONS = [
    (MODULE.search(part)[1], section)
    for part in DOCUMENTED for section in re.split(r"^### .*$", part, flags=re.MULTILINE)[1:]
]
ENTRIES = [
    full or f"{module}.{short}"
    for module, section in SECTIONS for full, short in ENTRY.findall(section)]


@pytest.mark.parametrize("name", MODULE.findall(TEXT))
def test_every_public_name_has_an_entry_and_no_other(name):
    found = [entry for entry in ENTRIES if entry.rpartition(".")[0] == name]
    assert sorted(found) == sorted(public(importlib.import_module(name)))


def test_every_section_has_a_link_to_its_explanation():
    assert [section for _, section in SECTIONS if "](" not in section.split("\n```")[0]] == []


def test_every_module_is_documented_or_stands_behind_one_that_is():
    found = {module.name for module in pkgutil.walk_packages(mixtures.__path__, "mixtures.")}
    modules = {name.removeprefix("mixtures.") for name in found} - {"__main__"}
    doors = {name.removeprefix("mixtures.") for name in MODULE.findall(TEXT)}
    behind = ROW.findall(TEXT)
    assert sorted([*doors, *(name for name, _ in behind)]) == sorted(modules)
    # the terminal command is a door of its own, and explains itself
    assert {door for _, names in behind for door in names.split(", ")} <= doors | {"terminal"}
