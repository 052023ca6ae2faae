"""The ledger: sentences of the book that are measured, with their errors, whenever it is built.

A claim never stops a chapter. The press refuses a book that holds false ones, and names them all.

**The rule.** A number is *exact* where no sampling seed moves it, *counted* where it says in how
many of several independent trials something happened, and *sampled* otherwise. A sentence about a
sampled or counted number holds only if it would still hold with the number `ROOM` standard errors
nearer to where the sentence becomes false: a false one passes once in three million builds.
"""

import html
import math
import numbers
import os
import re
from collections.abc import Collection
from typing import Any, SupportsFloat

from mixtures import data
from mixtures.extras import needs

with needs("chapters"):
    from IPython.display import display

type Value = str | SupportsFloat

# standard errors between a number and the edge of what its sentence says
ROOM = 5

_MEASURED = re.compile(r"\{([\w-]+)(?::([^{}]*))?\}")

_DATASET = re.compile(r"[Dd]atasets? (\d+)")

_chapter, _names = "(no chapter)", dict[str, str]()
_values: dict[str, str | float] = {}


def begin(chapter: str) -> None:
    """Name the chapter to which the claims that follow belong.

    Parameters
    ----------
    chapter : str
        The name of the chapter's file, without its ending.
    """
    global _chapter
    _chapter = chapter
    for known in (data.DRAWN, _names, _values):
        known.clear()


def seed(number: int) -> int:
    """Return the sampling seed of a chapter's `number`-th random result.

    The environment variable ``BOOK_SEEDS`` moves all of them at once: see ``make claims``.

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
    name: str, value: Value, *, expected: Value | None = None, within: float | None = None,
    above: Value | None = None, below: Value | None = None, one_of: Collection[Value] | None = None,
    se: float | None = None, of: int | None = None, exact: bool = False, says: str,
) -> None:
    """Measure a sentence of the book, and enter both in the ledger.

    Ask for one of: a number ``expected`` and the tolerance ``within``; a bound ``above`` or
    ``below`` or both; a set ``one_of``, for numbers with the tolerance ``within``. Say what the
    number is, with one of ``se``, ``of`` and ``exact``. The value is glued under `name`, for use in
    prose. A false sentence shows itself in red, as does one about a dataset that was not drawn.

    Parameters
    ----------
    name : str
        Unique in the book; letters, digits and hyphens.
    value : float, int or str
        What was measured. One that is not finite makes every sentence false.
    expected : float, int or str, optional
        What the sentence says it is.
    within : float, optional
        The largest distance from `expected`, or from the nearest of `one_of`, at which the sentence
        is still true: a distance that matters to its reader, of a dozen standard errors or more.
    above, below : float, optional
        Strict bounds.
    one_of : collection, optional
        The values that make the sentence true.
    se : float, optional
        Standard error of a sampled number, in its own unit; see `mixtures.mcse`.
    of : int, optional
        For a count, the number of independent trials in which `value` was counted. Its standard
        error is the binomial's, with two successes and two failures added, so that a count of none
        or all has one too (Agresti and Coull, *The American Statistician* 52, 1998).
    exact : bool
        Whether no sampling seed moves the number.
    says : str
        The sentence that ends in the mark ``{claim}`name` ``; ``{name:.2f}`` is a printed value.

    Raises
    ------
    ValueError
        If the call is malformed, or the name was used before. The message names the argument and
        the claim.
    """
    error = _error(name, value, se, of, exact)
    record = _record(name, value, expected, within, above, below, one_of, error, of, says)
    known = _values | {name: record["value"]}
    # braces of a formula hold no name of a claim
    record["says"] = _MEASURED.sub(lambda at: _written(known, at[1], at[2], at[0]), says)
    record["datasets"] = sorted(data.DRAWN)
    if other := {*map(int, _DATASET.findall(says))} - data.DRAWN:
        record |= {"holds": False, "fault": f"this chapter has not drawn dataset {min(other)}"}
    previous = _names.setdefault(name, says)
    if previous != says:
        raise ValueError(f"name: {name!r} is already the name of the claim {previous!r}")
    _values[name] = record["value"]
    # the metadata is that of myst_nb.glue, so that {glue:text}`name` works in prose
    display(
        {"text/plain": repr(record["value"]), "text/html": _shown(record)}, raw=True,
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
        An ellipsis before it is measured.
    """
    return _written(_values, name, form)


def _written(values: dict[str, Any], name: str, form: str | None, without: str = "…") -> str:
    value = f"{values[name]:{form or ''}}" if name in values else without
    return f"−{value[1:]}" if value.startswith("-") else value


def _error(name: str, value: Any, se: Any, of: Any, exact: bool) -> float | None:
    """Return the standard error of a value, or None where it is exact."""
    if (se is not None) + (of is not None) + (exact is True) != 1:
        raise _wrong("se", name, "say what the number is: give its standard error se, or the number"
                     " of trials of, or exact=True where no seed moves it")
    if exact:
        return None
    value = _plain("value", name, value, finite=False)
    if isinstance(value, str | bool):
        raise _wrong("value", name, f"{value!r} has no standard error; count over several runs how"
                     " often it is so, or say exact=True")
    if of is not None:
        of = _plain("of", name, of)
        counts = isinstance(of, int) and isinstance(value, int)
        if not (counts and 0 <= value <= of and of > 0):
            raise _wrong("of", name, f"expected a count among trials, got {value!r} of {of!r}")
        share = (value + 2) / (of + 4)
        return math.sqrt(of * share * (1 - share))
    se = _plain("se", name, se, finite=False)
    # a value that is not finite has no error, and is false for itself
    if isinstance(se, str | bool) or (_finite(value) and not 0 <= se < math.inf):
        raise _wrong("se", name, f"expected a finite number of at least 0, got {se!r}")
    return float(se)


def _wrong(argument: str, name: str, says: str) -> ValueError:
    return ValueError(f"{argument}: claim {name}: {says}")


def _record(
    name: str, value: Any, expected: Value | None, within: float | None, above: Value | None,
    below: Value | None, one_of: Collection[Value] | None, error: float | None, of: int | None,
    says: str,
) -> dict[str, Any]:
    """Check the call, judge the sentence, and return what the ledger keeps, fit for JSON."""
    if not (isinstance(name, str) and name.isascii() and name.replace("-", "").isalnum()):
        raise ValueError(f"name: expected letters, digits and hyphens, got {name!r}")
    if not (isinstance(says, str) and says.strip()):
        raise _wrong("says", name, f"expected a sentence, got {says!r}")
    value = _plain("value", name, value, finite=False)
    targets, low, high = _region(name, value, expected, within, above, below, one_of, error)
    if low is high is None:
        holds, room, text = value in targets, None, " or ".join(_show(t) for t in targets)
    else:
        room = _room(value, low, high)
        # a bound is strict, a tolerance is not; a NaN is on no side
        holds = room >= 0 if targets else room > 0
        if error is not None:
            holds = holds and room >= ROOM * error
        bounds = {"above": low, "below": high}
        sides = [f"{side} {_show(bound)}" for side, bound in bounds.items() if bound is not None]
        about = " or ".join(_show(t, within) for t in targets)
        text = f"{about} ± {within:.2g}" if targets else " and ".join(sides)
    margin = room / error if error and room is not None and math.isfinite(room) else None
    digits = min(filter(None, (within, error)), default=None)
    shown = _show(value, digits)
    kind = "exact" if error is None else "sampled" if of is None else "counted"
    known = {
        "exact": shown, "counted": f"{shown} of {of}", "sampled": f"{shown} (se {error or 0:.2g})",
    }
    record = {
        "name": name, "chapter": _chapter, "says": says,
        "value": value if _finite(value) else str(value), "kind": kind,
        "se": error if error is None or math.isfinite(error) else None, "low": low, "high": high,
        "margin": margin, "measured": known[kind], "expected": text, "holds": bool(holds),
    }
    return record | {"fault": "" if holds else _fault(record)}


def _region(
    name: str, value: Any, expected: Value | None, within: float | None, above: Value | None,
    below: Value | None, one_of: Collection[Value] | None, error: float | None,
) -> tuple[list[Any], float | None, float | None]:
    """Return what makes the sentence true: values, and the bounds of what is near the nearest."""
    sides = {"above": above, "below": below}
    bounds = {side: _plain(side, name, bound) for side, bound in sides.items() if bound is not None}
    if (expected is not None) + bool(bounds) + (one_of is not None) != 1:
        raise _wrong("expected", name, "give one of expected, above or below, one_of")
    is_real = isinstance(within, numbers.Real) and not isinstance(within, bool)
    if within is not None and (bounds or not is_real or not 0 < within < math.inf):
        raise _wrong("within", name, f"expected a positive tolerance, got {within!r}")
    if expected is not None:
        targets = [_plain("expected", name, expected)]
    elif one_of is not None:
        if not isinstance(one_of, Collection) or isinstance(one_of, str) or not len(one_of):
            raise _wrong("one_of", name, f"expected a collection of values, got {one_of!r}")
        targets = [_plain("one_of", name, target) for target in one_of]
    else:
        targets = []
    words = [v for v in (value, *targets, *bounds.values()) if isinstance(v, str)]
    if words and (bounds or within is not None or len(words) <= len(targets)):
        says = f"a string is not near, above, below or equal to a number: {words[0]!r}"
        raise _wrong("value", name, says)
    if targets and within is None and (isinstance(value, float) or error is not None):
        raise _wrong("within", name, "a measured number needs a tolerance")
    if within is None:
        return targets, bounds.get("above"), bounds.get("below")
    nearest = min(targets, key=lambda target: abs(value - target)) if _finite(value) else targets[0]
    return targets, nearest - within, nearest + within


def _room(value: float, low: float | None, high: float | None) -> float:
    """Return how far a value lies inside its bounds; negative outside, NaN if it is not finite."""
    if not _finite(value):
        return math.nan
    below = value - low if low is not None else math.inf
    return float(min(below, high - value if high is not None else math.inf))


def _fault(record: dict[str, Any]) -> str:
    """Say why a sentence does not hold."""
    why = f"measured {record['measured']}, expected {record['expected']}"
    if record["margin"] is not None and record["margin"] > 0:
        why += f"; it holds by {record['margin']:.1f} standard errors, and {ROOM} are asked"
    return why


def _shown(record: dict[str, Any]) -> str:
    """Return what a notebook shows: the sentence and what was measured, in red if it is false."""
    mark, colour = ("✓", "inherit") if record["holds"] else ("✗ not true here:", "#c00000")
    line = html.escape(f"{mark} {record['says']} ({record['fault'] or record['measured']})")
    return f'<div class="claim" style="color: {colour}">{line}</div>'


def _plain(argument: str, name: str, value: Any, finite: bool = True) -> Any:
    """Return a number or a string as Python's own, whatever library it comes from."""
    if getattr(value, "ndim", None) == 0:
        value = value.item()
    if not isinstance(value, str | bool | int | float) or (finite and not _finite(value)):
        shown = repr(value) if isinstance(value, float) else type(value).__name__
        raise _wrong(argument, name, f"expected a number or a string, got {shown}")
    return value


def _finite(value: str | float) -> bool:
    return isinstance(value, str) or math.isfinite(value)


def _show(value: str | float, within: float | None = None) -> str:
    """Write a number as a reader wants it: to two digits of its tolerance or error."""
    if isinstance(value, str | bool | int) or not math.isfinite(value):
        return str(value)
    if within:
        return f"{value:z.{max(0, 1 - math.floor(math.log10(within)))}f}"
    return f"{value:.4g}" if abs(value) < 1e4 else f"{value:.6g}"
