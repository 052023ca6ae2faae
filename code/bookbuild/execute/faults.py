"""What may not be printed: a failure, a warning, text on stderr, a claim that is not true."""

import re
from pathlib import PurePosixPath

from nbclient.exceptions import CellExecutionError
from sphinx.errors import ExtensionError

FAILURE = re.compile(r"Traceback \(most recent call last\)|^.*\b\w*Warning: .*$", re.MULTILINE)
# a terminal's colours would hide the words from the pattern
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# the mark of claims at a sentence's end
DATASET = re.compile(r"\b[Dd]atasets? (\d+)")
MARK = re.compile(r"\{claim\}`([^`]*)`")
# what ends a cell from outside; its outputs do not say
ENDED = {
    "CellTimeoutError": "a cell took longer than {} s",
    "DeadKernelError": "its kernel has died; was it short of memory?",
}


def outputs(notebook):
    """Return the outputs of all code cells of a notebook."""
    return [output for cell in notebook["cells"] for output in cell.get("outputs", [])]


def claims(outputs):
    """Return the records of the claims among some outputs: dicts, as ``metadata`` holds them."""
    found = [output.get("metadata", {}).get("claim") for output in outputs]
    return [claim for claim in found if claim]


def in_words(error):
    """Say what an output reports that is an error."""
    return f"{error['ename']}: {error['evalue']}"


def of_end(error, timeout):
    """Say what ended a chapter whose outputs do not tell."""
    name = type(error).__name__
    return f"execution failed: {name}: {ENDED.get(name, str(error)).format(timeout)}"


def of_notebook(notebook, error=None, timeout=None):
    """Return, in words, what is wrong with a notebook, which an error may have stopped."""
    found = []
    for output in outputs(notebook):
        data = output.get("data", {})
        text = "".join(output.get("text", "")) + "".join(data.get("text/plain", ""))
        text = COLOUR.sub("", text)
        if output["output_type"] == "error":
            found.append(in_words(output))
        elif output.get("name") == "stderr":
            found.append(f"text on stderr: {text.strip()}")
        elif warned := FAILURE.search(text):
            found.append(f"warning or traceback in the output: {warned[0].strip()}")
    if error and not isinstance(error, CellExecutionError):
        found.append(of_end(error, timeout))
    return found


def of_claims(chapters):
    """Return pairs of a page and what is wrong with a claim of it."""
    found, owner = [], {}
    for page, notebook in sorted(chapters.items()):
        made = claims(outputs(notebook))
        found += [(page, why) for why in of_captions(notebook) + of_datasets(notebook)]
        for other in sorted({claim["chapter"] for claim in made} - {PurePosixPath(page).name}):
            found.append((page, f"begin({other!r}) gives the name of another chapter"))
        for claim in made:
            name, first = claim["name"], owner.setdefault(claim["name"], claim)
            if first is not claim:
                where = f"has the name of one in chapter {first['chapter']}"
                found.append((page, f"claim {name} {where}"))
            if not claim["holds"]:
                why = f"{claim['says']!r} is not true: {claim['fault']}"
                found.append((page, f"claim {name}: {why}"))
    return found


def of_captions(notebook):
    """Return, in words, which claims of captions were not made between their figure and the next.

    Two captions that have changed places are true sentences, each of the other's figure.
    """
    captioned, measured, after = {}, {}, None
    for cell in notebook["cells"]:
        figure = cell["metadata"].get("mystnb", {}).get("figure", {})
        after = figure.get("name", after)
        names = " ".join(MARK.findall(figure.get("caption", ""))).split()
        captioned |= dict.fromkeys(names, after)
        measured |= {claim["name"]: after for claim in claims(cell.get("outputs", []))}
    why = "was not measured between that figure and the next: does it speak of another?"
    return [
        f"claim {name} in the caption of {figure} {why}"
        for name, figure in captioned.items() if measured.get(name, figure) != figure
    ]


def of_datasets(notebook):
    """Return, in words, which captions and alternative texts name datasets that were not drawn.

    Claims say which were, as far as they have got.
    """
    made = claims(outputs(notebook))
    drawn = {number for claim in made for number in claim.get("datasets", [])}
    found = []
    for cell in notebook["cells"] if made else ():
        shown = cell["metadata"].get("mystnb", {})
        for kind, text in (("caption", shown.get("figure", {}).get("caption", "")),
                           ("alternative text", shown.get("image", {}).get("alt", ""))):
            others = sorted({*map(int, DATASET.findall(text))} - drawn)
            found += [f"{text.strip()!r}, {kind}: this page has not drawn dataset {number}"
                      for number in others]
    return found


def refuse(found):
    """Stop the build if there are any pairs of a page and a fault, and name all of them."""
    if found:
        lines = [f"- {page}.md: {fault}" for page, fault in sorted(found, key=lambda one: one[0])]
        raise ExtensionError("\n".join(["this book cannot be printed:", *lines]))
