"""Plants falsehoods in the book, one by one: is the book refused? ``make falsehoods`` runs this.

An occasional tool. CHAPTERS names some of the pages, COUNT says how many of each kind in a chapter,
and ROUND makes another choice of places. What is not refused is printed, for a reader to judge:
either a claim is missing, or the edit makes nothing false. Fewer than 95 of 100 are a failure.
"""

import os
import random
import re
import shutil
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from bookbuild.checkout import adopt, settings
from bookbuild.execute import cache, faults, run, seeds
from checkout import CELL, ROOT, STRICT, copied
from nbformat.v4 import new_code_cell

MARK = faults.MARK
TIMEOUT = 1200
# where a sentence begins: after another, or with a paragraph
BEGIN = re.compile(r"\n\n|[.!?:](\{\w+\}`[^`]*`)*\s+(?=[A-Z])")
WORD = re.compile(r"(?<![\w{`$-])[a-z]+(?![\w}`$-])")
VALUE = re.compile(r"\{glue:text\}`[^`]*`")
HIDDEN = re.compile(r"remove-(cell|input)")
PAIRS = [
    ("more", "less"), ("higher", "lower"), ("above", "below"), ("wider", "narrower"),
    ("larger", "smaller"), ("most", "few"), ("better", "worse"), ("first", "second"),
    ("left", "right"), ("ordered", "unordered"), ("never", "always"), ("all", "none"),
    ("within", "outside"), ("half", "third"), ("mean", "variance"), ("two", "three"),
]
TURNED = dict([*PAIRS, *((other, one) for one, other in PAIRS)])


def _swap(one, other):
    return lambda found: found[0].replace(found[1], other if found[1] == one else one)


# what is planted in displayed code, or in the package: what to look for, and what to put there
EDITS = {
    "another dataset": (r"(?<=simulate\()\d+", lambda found: str(int(found[0]) + 1)),
    "another quantile": (r"(quantile\([^\n\[]*\[)0\.\d+", lambda found: f"{found[1]}0.25"),
    "another end": (r"\b(?:arg)?(min|max)(?=\()", _swap("min", "max")),
    "another place": (r"(?<=\w)\[(?:\.{3}, )?([01])\]", _swap("0", "1")),
    "turned round": (r"\[::-1\]", lambda found: ""),
    "another bound": (r" ([<>]) ", _swap("<", ">")),
    "another model": (r"models\.(ordered|unordered)", _swap("ordered", "unordered")),
    "another sign": (r"(?<=[\w)]) ([-+]) (?=\w)", _swap("-", "+")),
    "another summary": (r"\.(mean|std)(?=\()", _swap("mean", "std")),
}
# labels that change places with the next one in their cell
LABELS = {
    "labels of a legend": r"(?<![xy])label=f?(\"[^\"]+\")",
    "labels of axes": r"[xy]label=f?(\"[^\"]+\")",
    "names in a table": r"^ +(\"[^\"]+\")(?=: )",
}
# by hand, in the package: a chapter that rests on the module, the module, what stands there, and
# what is planted
PACKAGE = [
    ("mixture", "data", "[-apart / 2, apart", "[-apart, apart"),
    ("identifiability", "exact/joint", "(self.prior_sd[k]) - 0.5 *", "(self.prior_sd[k]) - 0.4 *"),
    ("identifiability", "exact/barrier", "- joint.log_density(", "+ joint.log_density("),
    ("identifiability", "exact/posterior", "log_evidence + np.log(share)", "log_evidence"),
    ("merging", "exact/joint", "np.log(self.weights[k] / ", "np.log(1 / "),
    ("ordering", "exact/measure", "[centre - gap, centre + gap]", "[centre + gap, centre - gap]"),
    ("ordering", "transforms", "return value[..., 1:].sum(", "return value.sum("),
    ("label_switching", "switching/law", "- parameters[1]", "+ parameters[1]"),
    ("label_switching", "switching/thresholds", "rhat: float = 1.01", "rhat: float = 3.01"),
    ("before_or_after", "models", "[centre - gap / 2, centre + gap", "[centre - gap, centre + gap"),
    ("relabelling", "relabel/order", "np.argsort(draws", "np.argsort(-draws"),
    ("relabelling", "relabel/memberships", "** 2 - np.log(spread)", "** 2 + np.log(spread)"),
    ("must_switch", "exact/measure", "float(np.sum(self._mass *", "float(2 * np.sum(self._mass *"),
    ("variational", "variational/gaussian", "+ 2 * LOG_SQRT_2PI + 1", "+ 2 * LOG_SQRT_2PI"),
    ("variational", "variational/elbo", "energy + log_jacobian +", "energy +"),
]
CAPTION = re.compile(r"    caption: \|\n((?:      .*\n)+)")
# what a rule would plant and what makes nothing false: a page, a part of the line, and why
HARMLESS = [
    ("merging", "data.simulate(0, n=99", "what is said of it holds for other data of one group"),
    ("label_switching", "az.ess(raw).min()", "either label is a raw label"),
    ("before_or_after", "mended.posterior[name]).max()", "either component would do"),
    ("label_switching", "broken[1] += 1.5", "any one chain will do"),
    ("ordering", "silent.hist.m", "all losses are NaN"),
    ("variational", "few = data.simulate(0", "any ten thousand observations will do"),
    ("beyond", "top = log_density.max()", "a constant that is taken off, and put back"),
    ("galaxies", "bad = apart[0]", "any such run shows it"),
    ("old_faithful", 'log_p.max("component")', "a constant that is taken off, and divided out"),
    ("practice", "ax.annotate(", "where an arrow ends"),
    ("practice", "ax.text(", "where a word stands in a chart"),
]


def of_words(text):
    """Yield edits of a page's claimed sentences: kind, place, what stands there, what is to."""
    for mark in MARK.finditer(text):
        start = max([0, *(at.end() for at in BEGIN.finditer(text, 0, mark.start()))])
        for word in WORD.finditer(text, start, mark.start()):
            if word[0] in TURNED:
                yield "a word turned round", word.start(), word[0], TURNED[word[0]]
        values = VALUE.finditer(text, start, mark.start())
        for first, second in pairwise(values):
            old = text[first.start() : second.end()]
            new = second[0] + text[first.end() : second.start()] + first[0]
            yield "two values exchanged", first.start(), old, new


def of_code(text):
    """Yield edits of a page's displayed code."""
    for cell in CELL.finditer(text):
        head = re.match(r".*\n(---\n(?s:.*?)\n---\n|(:.*\n)*)", cell[0])[0]
        if HIDDEN.search(head) or "import " in cell[0]:
            continue
        body, start = cell[0][len(head) :], cell.start() + len(head)
        for kind, (pattern, new) in EDITS.items():
            for found in re.finditer(pattern, body):
                before = body[: found.end()].rpartition("\n")[2]
                # how far an axis reaches, which seed is used and on which panel a label stands are
                # nobody's claims; nor is a name in quotes
                idle = "linspace" in before or "seed(" in before or "axes[" in before
                if not idle and before.count('"') % 2 == 0:
                    yield kind, start + found.start(), found[0], new(found)
        for kind, pattern in LABELS.items():
            places = [*re.finditer(pattern, body, re.MULTILINE)]
            for first, second in pairwise(places):
                old = body[first.start(1) : second.end(1)]
                between = body[first.end(1) : second.start(1)]
                yield kind, start + first.start(1), old, second[1] + between + first[1]


def of_captions(text):
    """Yield exchanges of the captions of two figures that follow each other, if both claim."""
    for first, second in pairwise(CAPTION.finditer(text)):
        if MARK.search(first[1]) and MARK.search(second[1]):
            between = text[first.end() : second.start(1)]
            old, new = first[1] + between + second[1], second[1] + between + first[1]
            yield "captions exchanged", first.start(1), old, new


def planted(text, edit):
    """Return a text with an edit."""
    _, at, old, new = edit
    assert text[at : at + len(old)] == old
    return text[:at] + new + text[at + len(old) :]


def refused(root, page):
    """Return what a build would say against a page of a checkout, whose chapter runs for it."""
    path = root / "book" / f"{page}.md"
    notebook = cache.chapter(path)
    # not the package of this checkout, which the environment has installed
    here = f"import sys\nsys.path.insert(0, {str(root / 'code')!r})"
    notebook.cells.insert(0, new_code_cell(here))
    error, _ = run.execute(notebook, str(path), TIMEOUT)
    wrong = faults.of_notebook(notebook, error, TIMEOUT)
    return wrong + [why for _, why in faults.of_claims({f"book/{page}": notebook})]


def harmless(page, text, edit):
    """Whether an edit of a page is known to make nothing false."""
    _, at, old, _ = edit
    line = text[text.rfind("\n", 0, at) + 1 : text.find("\n", at + len(old))]
    return any(page == where and part in line for where, part, _ in HARMLESS)


def chosen(edits, count, rng):
    """Return some edits of each kind, at most so many, none that overlap."""
    found, kept = sorted(edits), []
    rng.shuffle(found)
    taken = Counter()
    for edit in found:
        kind, at, old, new = edit
        apart = all(at + len(old) < other or at > other + len(was) for _, other, was, _ in kept)
        if old != new and taken[kind] < count and apart:
            taken[kind] += 1
            kept.append(edit)
    return kept


def try_words(edits):
    """Build the book once with all edits of words; yield each edit and whether it is refused."""
    with TemporaryDirectory() as folder:
        root = copied(Path(folder))
        shutil.copytree(ROOT / "_build/.jupyter_cache", root / "_build/.jupyter_cache")
        # from the end of a page, so that places before it stay
        for page, edit in sorted(edits, key=lambda one: -one[1][1]):
            path = root / "book" / f"{page}.md"
            path.write_text(planted(path.read_text("utf-8"), edit), "utf-8")
        told = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "encoding": "utf-8"}
        said = subprocess.run(STRICT, cwd=root, check=False, **told).stdout
    for page, edit in edits:
        names = MARK.search((ROOT / f"book/{page}.md").read_text("utf-8"), edit[1])[1]
        yield page, edit, [name for name in names.split() if f"claim {name} says" in said]


def try_code(job):
    """Run a chapter with an edit of its code, or of a module that it rests on."""
    page, file, edit = job
    with TemporaryDirectory() as folder:
        root = copied(Path(folder))
        path = root / file
        path.write_text(planted(path.read_text("utf-8"), edit), "utf-8")
        return refused(root, page)


def plant(pages, count, rng):
    """Return what to plant: (page, edit) in words, and (page, file, edit) in code."""
    words, code = [], []
    for page in pages:
        file = f"book/{page}.md"
        text = (ROOT / file).read_text("utf-8")
        words += [(page, edit) for edit in chosen(of_words(text), 3 * count, rng)]
        edits = [edit for edit in of_code(text) if not harmless(page, text, edit)]
        code += [(page, file, edit) for edit in chosen(edits, count, rng)]
        code += [(page, file, edit) for edit in chosen(of_captions(text), count, rng)]
    for page, module, old, new in PACKAGE:
        file = f"code/mixtures/{module}.py"
        if page in pages:
            at = (ROOT / file).read_text("utf-8").index(old)
            code.append((page, file, ("in the package", at, old, new)))
    return words, code


def main():
    """Plant falsehoods in all chapters, or in some; print what is not refused, and how much is."""
    adopt(settings(ROOT))
    count, number = (int(os.environ.get(name, 1)) for name in ("COUNT", "ROUND"))
    pages = os.environ.get("CHAPTERS", " ".join(seeds.chapters(ROOT))).split()
    words, code = plant(pages, count, random.Random(number))
    found = [(f"book/{page}.md", edit, why) for page, edit, why in try_words(words)]
    found += [(file, edit, why) for (_, file, edit), why in run.side_by_side(code, try_code)]
    tried = Counter(kind for _, (kind, *_), _ in found)
    seen = Counter(kind for _, (kind, *_), why in found if why)
    for file, (kind, at, old, new), why in found:
        if not why:
            line = 1 + (ROOT / file).read_text("utf-8").count("\n", 0, at)
            print(f"- {file}:{line}: {kind}, and nothing is said: {old!r} -> {new!r}")
    for kind, several in sorted(tried.items()):
        print(f"{kind}: {seen[kind]} of {several} refused")
    print(f"{seen.total()} of {tried.total()} planted falsehoods are refused")
    sys.exit(seen.total() < 0.95 * tried.total())


if __name__ == "__main__":
    main()
