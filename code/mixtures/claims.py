"""The ledger: sentences of the book that are measured when it is built, and stop the build when they are not true."""

import html
import json
import math
import numbers
import os

from IPython.display import display

_chapter = "(no chapter)"
_names = {}


class FalseClaim(AssertionError):
    """A sentence of the book is not true."""


def begin(chapter):
    """Name the chapter to which the claims that follow belong.

    Parameters
    ----------
    chapter : str
        The name of the chapter's file, without its ending.
    """
    global _chapter
    _chapter = chapter
    _names.clear()


def seed(number):
    """Return the sampling seed of a chapter's `number`-th random result.

    The environment variable ``BOOK_SEEDS`` moves all of them at once, so that anybody can ask whether the book's claims
    hold by luck: ``make claims`` does.

    Parameters
    ----------
    number : int

    Returns
    -------
    int
    """
    return int(number) + 1000 * int(os.environ.get("BOOK_SEEDS", "0"))


def claim(name, value, *, expected=None, within=None, above=None, below=None, one_of=None, says):
    """Check a sentence of the book against a measured value, and enter both in the ledger.

    Ask for one of: a number ``expected`` and the tolerance ``within``; a bound ``above`` or ``below`` or both; a set
    ``one_of``, for numbers with the tolerance ``within``. The value is glued under `name`, for use in prose.

    Parameters
    ----------
    name : str
        Unique in the book; letters, digits and hyphens.
    value : float, int or str
        What was measured.
    expected : float or int, optional
        What the sentence says it is.
    within : float, optional
        The largest distance from `expected`, or from the nearest of `one_of`, that still counts as true. For a Monte
        Carlo result it is a multiple of its Monte Carlo standard error.
    above, below : float, optional
        Strict bounds.
    one_of : collection, optional
        The values that make the sentence true.
    says : str
        The sentence.

    Raises
    ------
    FalseClaim
        If the sentence is not true. The message names chapter, claim, value, expectation and tolerance.
    ValueError
        If the call is malformed, or the name was used before.
    """
    record = _record(name, value, expected, within, above, below, one_of, says)
    previous = _names.setdefault(name, says)
    if previous != says:
        raise ValueError(f"name: {name!r} is already the name of the claim {previous!r}")
    if not record["holds"] and not os.environ.get("BOOK_CLAIMS_GATHER"):
        raise FalseClaim(
            f"chapter {_chapter}, claim {name}: {says!r} is not true.\n"
            f"Measured {_show(record['value'])}; expected {record['expected']}."
        )
    text = html.escape(f"{says} Measured: {_show(record['value'])}; expected: {record['expected']}.")
    mark = "✓" if record["holds"] else "✗"
    show = f'<details class="claim" id="claim-{name}"><summary title="{text}">{mark}</summary>{text}</details>'
    # the metadata is that of myst_nb.glue, so that {glue:text}`name` works in prose
    display(
        {"text/plain": repr(record["value"]), "text/html": show},
        raw=True,
        metadata={"scrapbook": {"name": name, "mime_prefix": ""}, "claim": record},
    )


def _record(name, value, expected, within, above, below, one_of, says):
    """Check the call, judge the sentence, and return what the ledger keeps."""
    if not (isinstance(name, str) and name and name.replace("-", "").isalnum()):
        raise ValueError(f"name: expected letters, digits and hyphens, got {name!r}")
    if not (isinstance(says, str) and says.strip()):
        raise ValueError(f"says: claim {name}: expected a sentence, got {says!r}")
    forms = [expected is not None, above is not None or below is not None, one_of is not None]
    if sum(forms) != 1:
        raise ValueError(f"expected: claim {name}: give one of expected, above or below, one_of")
    if isinstance(value, numbers.Number) or hasattr(value, "item"):
        value = value.item() if hasattr(value, "item") else value
    if not isinstance(value, str | bool | int | float):
        raise ValueError(f"value: claim {name}: expected a number or a string, got {type(value).__name__}")
    if within is not None and not (isinstance(within, numbers.Real) and 0 < within < math.inf):
        raise ValueError(f"within: claim {name}: expected a positive tolerance, got {within!r}")
    if forms[0] and within is None and not isinstance(value, str | int):
        raise ValueError(f"within: claim {name}: a measured number needs a tolerance")
    record = {"name": name, "chapter": _chapter, "says": says, "value": value, "distance": None}
    if forms[1]:
        low, high = (-math.inf if above is None else float(above)), (math.inf if below is None else float(below))
        holds = low < value < high
        bounds = [f"above {_show(low)}"] * (above is not None) + [f"below {_show(high)}"] * (below is not None)
        text = " and ".join(bounds)
    else:
        targets = [expected] if forms[0] else list(one_of)
        if within is None:
            holds, text = value in targets, " or ".join(_show(t) for t in targets)
        else:
            off = min(abs(value - t) for t in targets)
            record["distance"], holds = float(off / within), bool(off <= within)
            text = f"{' or '.join(_show(t) for t in targets)} ± {within:.1g}"
    record |= {"expected": text, "holds": bool(holds)}
    json.dumps(record)
    return record


def _show(value):
    """Write a number as a reader wants it."""
    if isinstance(value, str | bool | int):
        return str(value)
    return f"{value:.4g}" if abs(value) < 1e4 else f"{value:.6g}"
