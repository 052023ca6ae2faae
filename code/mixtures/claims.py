"""The ledger: sentences of the book that are measured when it is built, and stop the build when they are not true."""

import html
import math
import numbers
import os
from collections.abc import Collection
from typing import Any, SupportsFloat

from IPython.display import display

# a number of any library, or a string
type Value = str | SupportsFloat

_chapter = "(no chapter)"
_names: dict[str, str] = {}
_values: dict[str, str | float] = {}


class FalseClaim(AssertionError):
    """A sentence of the book is not true."""


def begin(chapter: str) -> None:
    """Name the chapter to which the claims that follow belong.

    Parameters
    ----------
    chapter : str
        The name of the chapter's file, without its ending.
    """
    global _chapter
    _chapter = chapter
    _names.clear()
    _values.clear()


def seed(number: int) -> int:
    """Return the sampling seed of a chapter's `number`-th random result.

    The environment variable ``BOOK_SEEDS`` moves all of them at once, so that anybody can ask whether the book's claims
    hold by luck: ``make claims`` does.

    Parameters
    ----------
    number : int
        Which result of the chapter; each its own.

    Returns
    -------
    int
    """
    return int(number) + 1000 * int(os.environ.get("BOOK_SEEDS", "0"))


def claim(
    name: str, value: Value, *, expected: Value | None = None, within: float | None = None, above: Value | None = None,
    below: Value | None = None, one_of: Collection[Value] | None = None, says: str,
) -> None:
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
            f"Measured {record['value']}; expected {record['expected']}."
        )
    _values[name] = record["value"]
    sentence, figures = html.escape(says), html.escape(f"Measured: {record['measured']}; expected: {record['expected']}.")
    mark = "✓" if record["holds"] else "✗"
    # the page shows the mark alone until it is opened; a notebook, which has no style of the book's, shows the sentence too
    summary = f'<summary title="{sentence} {figures}">{mark}<span class="says"> {sentence}</span></summary>'
    show = f'<details class="claim" id="claim-{name}">{summary}{figures}</details>'
    # the metadata is that of myst_nb.glue, so that {glue:text}`name` works in prose
    display(
        {"text/plain": repr(record["value"]), "text/html": show},
        raw=True,
        metadata={"scrapbook": {"name": name, "mime_prefix": ""}, "claim": record},
    )


def measured(name: str, form: str = "") -> str:
    """Return a claim's value as the prose of a notebook shows it.

    Parameters
    ----------
    name : str
        The claim's.
    form : str, optional
        A format, as after the colon in an f-string.

    Returns
    -------
    str
        An ellipsis where the claim has not been measured yet.
    """
    value = f"{_values[name]:{form}}" if name in _values else "…"
    return f"−{value[1:]}" if value.startswith("-") else value


def _record(
    name: str, value: Any, expected: Value | None, within: float | None, above: Value | None, below: Value | None,
    one_of: Collection[Value] | None, says: str,
) -> dict[str, Any]:
    """Check the call, judge the sentence, and return what the ledger keeps, fit for JSON."""
    if not (isinstance(name, str) and name.isascii() and name.replace("-", "").isalnum()):
        raise ValueError(f"name: expected letters, digits and hyphens, got {name!r}")
    if not (isinstance(says, str) and says.strip()):
        raise ValueError(f"says: claim {name}: expected a sentence, got {says!r}")
    sides = {"above": above, "below": below}
    bounds = {side: _plain(side, name, bound) for side, bound in sides.items() if bound is not None}
    if (expected is not None) + bool(bounds) + (one_of is not None) != 1:
        raise ValueError(f"expected: claim {name}: give one of expected, above or below, one_of")
    value = _plain("value", name, value, finite=False)
    real = isinstance(within, numbers.Real)
    if within is not None and (bounds or not (real and 0 < within < math.inf)):
        raise ValueError(f"within: claim {name}: expected a positive tolerance around a number, got {within!r}")
    if bounds:
        targets, texts = list(bounds.values()), [f"{side} {_show(bound)}" for side, bound in bounds.items()]
    elif expected is not None:
        targets = [_plain("expected", name, expected)]
    elif isinstance(one_of, Collection) and not isinstance(one_of, str) and len(one_of):
        targets = [_plain("one_of", name, target) for target in one_of]
    else:
        raise ValueError(f"one_of: claim {name}: expected a collection of values, got {one_of!r}")
    words = [v for v in (value, *targets) if isinstance(v, str)]
    if words and (bounds or within is not None or len(words) <= len(targets)):
        raise ValueError(f"value: claim {name}: a string is not near, above, below or equal to a number: {words[0]!r}")
    if not bounds and within is None and isinstance(value, float):
        raise ValueError(f"within: claim {name}: a measured number needs a tolerance")
    distance = None
    if bounds:
        holds = bounds.get("above", -math.inf) < value < bounds.get("below", math.inf)
        text = " and ".join(texts)
    elif within is None:
        holds, text = value in targets, " or ".join(_show(t) for t in targets)
    else:
        distance = float(min(abs(value - t) for t in targets) / within)
        # a NaN is at no distance
        holds = distance <= 1
        text = f"{' or '.join(_show(t, within) for t in targets)} ± {within:.2g}"
    return {
        "name": name,
        "chapter": _chapter,
        "says": says,
        "value": value if _finite(value) else str(value),
        "measured": _show(value, within),
        "expected": text,
        "distance": distance if distance is not None and math.isfinite(distance) else None,
        "holds": bool(holds),
    }


def _plain(argument: str, name: str, value: Any, finite: bool = True) -> Any:
    """Return a number or a string as Python's own, whatever library it comes from."""
    if getattr(value, "ndim", None) == 0:
        value = value.item()
    if not isinstance(value, str | bool | int | float) or (finite and not _finite(value)):
        shown = repr(value) if isinstance(value, float) else type(value).__name__
        raise ValueError(f"{argument}: claim {name}: expected a number or a string, got {shown}")
    return value


def _finite(value: str | float) -> bool:
    return isinstance(value, str) or math.isfinite(value)


def _show(value: str | float, within: float | None = None) -> str:
    """Write a number as a reader wants it: to two digits of its tolerance."""
    if isinstance(value, str | bool | int) or not math.isfinite(value):
        return str(value)
    if within is not None:
        return f"{value:.{max(0, 1 - math.floor(math.log10(within)))}f}"
    return f"{value:.4g}" if abs(value) < 1e4 else f"{value:.6g}"
