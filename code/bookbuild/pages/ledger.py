"""The ledger page: every claim of the book, gathered from the outputs of its chapters."""

import os
import re
from collections import Counter
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from bookbuild import checkout
from bookbuild.execute import cache, faults
from bookbuild.pages import sentences

HEADS = ["chapter", "claim", "measured", "expected", "kind", "margin"]
# pages that show what others have measured
BORROWS = re.compile(r"^```\{ledger\}|\{glue:\w+\}`\w+\.md::", re.MULTILINE)


class LedgerDirective(SphinxDirective):
    """``{ledger}``: the table of all claims, in the order of the book.

    ``{ledger} summary`` is a sentence on how many there are instead.
    """

    optional_arguments = 1

    def run(self):
        """Return the table or a paragraph."""
        app, claims, rows = self.env.app, [], []
        for page in checkout.pages(app.srcdir):
            place = app.builder.get_relative_uri(self.env.docname, page)
            notebook = cache.executed(app, page) or {"cells": []}
            made = faults.claims(faults.outputs(notebook))
            claims += made
            rows += [_row(place, claim) for claim in made]
        if self.arguments == ["summary"]:
            return [nodes.paragraph("", summary(claims))]
        return [table(HEADS, rows, "ledger")]


class FactsDirective(SphinxDirective):
    """``{build-facts}``: versions and seeds."""

    def run(self):
        """Return the table of the facts."""
        facts = cache.versions(self.config.bookbuild_versions)
        facts["sampling seeds moved by"] = str(1000 * int(os.environ.get("BOOK_SEEDS", "0")))
        rows = [[nodes.Text(name), nodes.Text(value)] for name, value in facts.items()]
        return [table(["what", "which"], rows, "build-facts")]


def borrowers(app, env, added, changed, removed):
    """Have pages that show measurements of others read anew whenever any page is."""
    if not (added or changed or removed):
        return []
    texts = {page: Path(env.doc2path(page)).read_text("utf-8") for page in env.found_docs}
    return [page for page, text in texts.items() if BORROWS.search(text)]


def summary(claims):
    """Say how many claims there are, of which kinds, and which of them is nearest to refusal."""
    kinds = Counter(claim["kind"] for claim in claims)
    count = ", ".join(f"{number} {kind}" for kind, number in kinds.most_common())
    said = f"{len(claims)} claims: {count}."
    if thin := [claim for claim in claims if claim["margin"] is not None]:
        least = min(thin, key=lambda claim: claim["margin"])
        said += f" The thinnest margin is {least['margin']:.1f}, of a claim in {least['chapter']}."
    return said


def table(heads, rows, name):
    """Return a docutils table with some heads, rows of nodes, and a class."""
    group = nodes.tgroup("", *[nodes.colspec(colwidth=1) for _ in heads], cols=len(heads))
    head, body = nodes.thead(), nodes.tbody()
    for part, lines in ((head, [[nodes.Text(h) for h in heads]]), (body, rows)):
        for line in lines:
            entries = [nodes.entry("", nodes.paragraph("", "", cell)) for cell in line]
            part += nodes.row("", *entries)
        group += part
    # what is said in a ledger is word for word what was claimed
    return nodes.table("", group, classes=[name], support_smartquotes=False)


def fill(app, doctree, docname):
    """Put into the ledger the sentences of the pages, formulas and all."""
    rows = [line for line in doctree.findall(nodes.inline) if "claim" in line]
    if not rows:
        return
    said = {}
    for page in checkout.pages(app.srcdir):
        for mark in app.env.get_doctree(page).findall(sentences.Mark):
            said |= {record["name"]: mark["sentence"] for record in mark["records"]}
    for row in rows:
        if words := said.get(row["claim"]):
            row.children = []
            row += [part for word in words for part in _bare(word)]


def _bare(node):
    """Return a node without links and such: text and formulas, in the style they have."""
    kept = nodes.Text, nodes.math, nodes.emphasis, nodes.strong, nodes.literal
    # `mend` gives a pasted number its minus
    if isinstance(node, kept) or "pasted-text" in node.get("classes", ()):
        return [node.deepcopy()]
    return [part for child in node.children for part in _bare(child)]


def _row(page, claim):
    place = f"{page}#claim-{claim['name']}"
    link = nodes.reference("", claim["chapter"], refuri=place, internal=True)
    # no seed moves what is exact; what never varied is further than any number of standard errors
    far = "∞" if claim["margin"] is None else f"{claim['margin']:.1f}"
    margin = "" if claim["kind"] == "exact" else far
    words = (claim["measured"], claim["expected"], claim["kind"], margin)
    # `fill` puts the sentence here, as its page has it, when all pages have been read
    says = nodes.inline("", claim["says"], claim=claim["name"])
    return [link, says, *map(nodes.Text, words)]
