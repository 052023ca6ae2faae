"""Measured sentences: each ends in a mark, which opens to what this build measured.

At the end of a sentence ``{claim}`name other` `` stands for claims that its chapter makes, and that
quote the sentence. Where page and claim say different things, where a claim has no sentence or a
mark no claim, the book is refused: who edits one of the two has to look at the other.
"""

import csv
import re
from functools import cache as once
from html import escape
from itertools import groupby
from pathlib import Path

from docutils import nodes

from bookbuild.execute import cache, faults

# where a sentence ends, unless the text goes on in small letters
END = re.compile(r"[.!?][)”’\"]*\s+(?![a-z])")
QUOTES = str.maketrans("“”‘’−\u00a0", "\"\"''- ")
# why a sentence that could be false bears no claim
REASONS = ("advice", "book", "definition", "example", "proof", "setting", "tool")


class Mark(nodes.Inline, nodes.Element):
    """The mark at a sentence's end: its ``sentence``, ``names`` of claims and their ``records``."""


def role(kind, raw, text, line, inliner, options=None, content=None):
    """``{claim}``: the mark at the end of a measured sentence."""
    return [Mark(raw, names=text.split())], []


def reason(kind, raw, text, line, inliner, options=None, content=None):
    """``{unmeasured}``: why a sentence needs no claim, for authors; it prints nothing."""
    if text in REASONS or text.startswith("see "):
        return [], []
    expected = f"one of {', '.join(REASONS)}, or 'see' and the name of a claim"
    problem = f"{raw}: expected {expected}"
    return [], [inliner.reporter.warning(problem, line=line)]


def join(app, doctree):
    """Give each mark of a page its claims; note where the page and its claims disagree."""
    ran = cache.executed(app, app.env.docname) or {"cells": []}
    records = {claim["name"]: claim for claim in faults.claims(faults.outputs(ran))}
    wrong, left = [], set(records)
    for mark in [*doctree.findall(Mark), *_of_pictures(doctree)]:
        mark["sentence"] = mark.get("sentence") or sentence(mark)
        mark["records"] = [records[name] for name in mark["names"] if name in records]
        said = plain(mark["sentence"])
        for name in mark["names"]:
            at, says = f"{{claim}}`{name}`", records.get(name, {}).get("says")
            if says is None:
                wrong.append(f"{at} ends the sentence {said!r}, and no such claim is made")
            elif plain([nodes.Text(says)]) != said:
                wrong.append(f"claim {name} says {says!r}, and the page says {said!r}")
        left -= set(mark["names"])
    wrong += [f"claim {name}: no sentence of the page ends in {{claim}}`{name}`" for name in left]
    app.env.__dict__.setdefault("bookbuild_parted", {})[app.env.docname] = wrong


def refuse(app, env):
    """Refuse a book in which a page and its claims say different things, and name all of them."""
    parted = getattr(env, "bookbuild_parted", {})
    faults.refuse([(page, why) for page in env.found_docs for why in parted.get(page, ())])


def _of_pictures(doctree):
    """Take the marks out of alternative texts; yield them, each put at the end of a caption."""
    for picture in doctree.findall(nodes.image):
        text = picture.get("alt", "")
        caption = next(iter(picture.parent.findall(nodes.caption)), None)
        for found in faults.MARK.finditer(text):
            before = faults.MARK.sub("", text[: found.start()])
            last = [0, *(end.end() for end in END.finditer(before))][-1]
            mark = Mark(names=found[1].split(), sentence=[nodes.Text(before[last:])])
            if caption is not None:
                caption += mark
            yield mark
        picture["alt"] = faults.MARK.sub("", text)


def sentence(mark):
    """Return the nodes of the sentence that a mark ends."""
    before, found = mark.parent.children[: mark.parent.index(mark)], []
    for are_words, some in groupby(reversed(before), lambda node: isinstance(node, nodes.Text)):
        some = [*some]
        if are_words:
            # each line of a page is a text of its own
            some = [nodes.Text("".join(reversed(some)))]
        for node in some:
            if isinstance(node, Mark):
                return found[::-1]
            if are_words and (ends := [*END.finditer(node)]):
                return [nodes.Text(node[ends[-1].end() :]), *found[::-1]]
            found.append(node.deepcopy())
    return found[::-1]


def plain(words):
    """Return what some nodes say as one line, to be compared: formulas as they are written."""
    said = ""
    for node in words:
        for part in node.findall(lambda one: isinstance(one, nodes.Text)):
            inside = isinstance(part.parent, nodes.math)
            said += f"${part}$" if inside else str(part)
    said = re.sub(r"\s+", " ", said.translate(QUOTES)).strip()
    # the sentence may be in brackets with others, or alone
    if said.startswith("(") and said.count("(") > said.count(")"):
        said = said[1:]
    return said.removesuffix(")") if said.count(")") > said.count("(") else said


def words(record, asked=None):
    """Say what was measured, and how far it is from being refused."""
    said = f"Measured: {record['measured']}; expected: {record['expected']}."
    if record["kind"] != "exact":
        far = record["margin"] is not None and f"{record['margin']:.0f} standard errors"
        said += f" {record['kind'].capitalize()}; room: {far or 'any number of standard errors'}."
    if asked:
        said += f" Under {asked['sets']} sets of seeds it failed {asked['failures']} times."
    return said


@once
def asked_before(path):
    """Return, by claim, what ``make claims`` last wrote on this machine, if it did."""
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as rows:
        return {row["name"]: row for row in csv.DictReader(rows)}


def print_mark(translator, mark):
    """Write a mark as a button, and what it opens."""
    asked = asked_before(Path(translator.builder.outdir).parent / "claims.csv")
    told = [words(record, asked.get(record["name"])) for record in mark["records"]]
    names = [record["name"] for record in mark["records"]]
    if not names:
        raise nodes.SkipNode
    places = "".join(f'<span id="claim-{name}"></span>' for name in names[1:])
    opens = f'id="claim-{names[0]}" type="button" popovertarget="measured-{names[0]}"'
    named = f'aria-label="what was measured" title="{escape(" ".join(told))}"'
    lines = "<br>".join(map(escape, told))
    # a word joiner: no line begins with a mark
    translator.body.append(
        f'{places}&#8288;<button class="claim" {opens} {named}>✓</button>'
        f'<span class="measured" id="measured-{names[0]}" popover>{lines}</span>')
    raise nodes.SkipNode
