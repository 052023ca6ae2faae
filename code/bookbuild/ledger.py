"""The ledger page: every claim that this build executed, gathered from the outputs of its chapters."""

import os
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from bookbuild import execution


class ledger(nodes.General, nodes.Element):
    """Stands where the table of claims will be."""


class LedgerDirective(SphinxDirective):
    """``{ledger}``: the table of all claims."""

    def run(self):
        """Return the placeholder, to be filled when all chapters are read."""
        self.env.bookbuild_ledger = self.env.docname
        return [ledger()]


class FactsDirective(SphinxDirective):
    """``{build-facts}``: versions and seeds."""

    def run(self):
        """Return the table of the facts."""
        rows = [[nodes.Text(name), nodes.Text(version)] for name, version in execution.versions().items()]
        rows.append([nodes.Text("sampling seeds moved by"), nodes.Text(str(1000 * int(os.environ.get("BOOK_SEEDS", "0"))))])
        return [table(["what", "which"], rows, "build-facts")]


def setup(app):
    """Connect to Sphinx."""
    app.add_node(ledger)
    app.add_directive("ledger", LedgerDirective)
    app.add_directive("build-facts", FactsDirective)
    app.connect("doctree-read", collect)
    app.connect("env-purge-doc", forget)
    app.connect("env-updated", check)
    app.connect("doctree-resolved", fill)


def collect(app, doctree):
    """Keep the claims of a page that has just been read."""
    notebook = execution.executed(app, app.env.docname)
    if notebook is not None:
        found = [output.get("metadata", {}).get("claim") for output in execution.outputs(notebook)]
        _claims(app.env)[app.env.docname] = [claim for claim in found if claim]


def forget(app, env, docname):
    """Drop the claims of a page."""
    _claims(env).pop(docname, None)


def check(app, env):
    """Stop the build when a page holds a fault or a false claim, and name all of them at once; else print the ledger anew."""
    found, owner = execution.all_faults(env), {}
    for docname, claims in sorted(_claims(env).items()):
        for other in sorted({claim["chapter"] for claim in claims} - {Path(docname).name}):
            found.append((docname, f"begin({other!r}) gives the name of another chapter"))
        for claim in claims:
            first = owner.setdefault(claim["name"], claim)
            if first is not claim:
                found.append((docname, f"claim {claim['name']} has the name of one in chapter {first['chapter']}"))
            if not claim["holds"]:
                found.append((docname, f"claim {claim['name']}: {claim['says']!r} is not true: {claim['fault']}"))
    execution.refuse(sorted(found, key=lambda one: one[0]))
    return [env.bookbuild_ledger] if execution.reading(app) and hasattr(env, "bookbuild_ledger") else []


def fill(app, doctree, docname):
    """Put the table of claims where the placeholder stands."""
    for place in list(doctree.findall(ledger)):
        # in the order of the table of contents
        pages = [page for page in _reading_order(app.env) if page in _claims(app.env)]
        rows = [_row(app, docname, page, claim) for page in pages for claim in _claims(app.env)[page]]
        place.replace_self(table(["chapter", "claim", "measured", "expected", "kind", "margin"], rows, "ledger"))


def table(heads, rows, name):
    """Return a docutils table.

    Parameters
    ----------
    heads : list of str
    rows : list of list of docutils.nodes.Node
    name : str
        Its class.

    Returns
    -------
    docutils.nodes.table
    """
    group = nodes.tgroup(cols=len(heads))
    group += [nodes.colspec(colwidth=1) for _ in heads]
    head, body = nodes.thead(), nodes.tbody()
    for part, lines in ((head, [[nodes.Text(h) for h in heads]]), (body, rows)):
        for line in lines:
            part += nodes.row("", *[nodes.entry("", nodes.paragraph("", "", cell)) for cell in line])
        group += part
    return nodes.table("", group, classes=[name])


def _reading_order(env, page=None):
    page = page or env.config.root_doc
    yield page
    for below in env.toctree_includes.get(page, []):
        yield from _reading_order(env, below)


def _row(app, docname, page, claim):
    place = app.builder.get_relative_uri(docname, page) + f"#claim-{claim['name']}"
    link = nodes.reference("", claim["chapter"], refuri=place, internal=True)
    # what no seed moves has no standard error; what never varied among the draws is further than any number of them
    margin = "" if claim["kind"] == "exact" else "∞" if claim["margin"] is None else f"{claim['margin']:.1f}"
    words = (claim["says"], claim["measured"], claim["expected"], claim["kind"], margin)
    return [link, *map(nodes.Text, words)]


def _claims(env):
    if not hasattr(env, "bookbuild_claims"):
        env.bookbuild_claims = {}
    return env.bookbuild_claims
