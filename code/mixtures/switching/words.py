"""What a diagnosis says: one table of sentences, and the lines of evidence below them."""

from typing import NamedTuple

import xarray as xr

from mixtures.switching.evidence import Evidence
from mixtures.switching.verdict import (
    BETWEEN,
    COLLAPSED,
    NONE,
    NOT,
    NOT_ONLY,
    OVERLAPPING,
    UNKNOWN,
    WITHIN,
)

_RELABEL = ("Use label-free summaries as they are, and sort or relabel the draws before any summary"
            " by component.")
_REPAIR = ("Repair the model or the sampling first (priors, parametrisation, longer runs), then"
           " diagnose again.")
_UNSEEN = "What this cannot tell: whether there are further modes that no chain has seen."
_ONE_MODE = ("What this cannot tell: chains that all sit in one mode look the same whether the"
             " posterior has no symmetry or all of them missed its mirror images.")


class Row(NamedTuple):
    """What is said of a verdict.

    Attributes
    ----------
    summary : str
        A template of its reason, filled in by `summary`.
    next_step, link : str
        What to do next, and the page of the book that says how.
    unknown : str
        What the trace cannot tell.
    """

    summary: str
    next_step: str
    link: str
    unknown: str = ""


TABLE = {
    NONE: Row(
        "{agree} and on labels.",
        "Use label-free summaries as they are; name the components by an order you choose.",
        "label_switching.html", _ONE_MODE),
    BETWEEN: Row(
        "{agree} and disagree only on labels: label switching, {split} split.",
        _RELABEL, "ordering.html", _UNSEEN),
    WITHIN: Row(
        "{agree}, and labels change within chains {times}: label switching.",
        _RELABEL, "ordering.html", _UNSEEN),
    OVERLAPPING: Row(
        "Two components cannot be told apart in {share:.0%} of the draws. {agree}.",
        "Ask label-free questions, or fewer components: names mean little here.",
        "identifiability.html", _ONE_MODE),
    COLLAPSED: Row(
        "{collapse} {agree}.",
        "Try fewer components, or a prior that keeps weights from zero.",
        "beyond.html#collapse"),
    NOT: Row("{failure} Labels cannot explain it.", _REPAIR, "beyond.html#going-wrong"),
    NOT_ONLY: Row(
        "{failure} The labels differ too, but that is not all.",
        _REPAIR, "beyond.html#going-wrong"),
    UNKNOWN: Row(
        "{doubt}",
        "Sample at least 4 chains of 500 finite draws, then diagnose again.",
        "label_switching.html"),
}
# what to do next, and the page of the book that says how
LINKS = {verdict: (row.next_step, row.link) for verdict, row in TABLE.items()}


def summary(verdict: str, seen: Evidence) -> str:
    """Return the reason of a verdict in a sentence or two."""
    single = len(seen.chains) == 1
    who = "Both halves of the chain agree" if single else f"{len(seen.chains)} chains agree"
    first = next(iter(failures(seen)), "")
    return TABLE[verdict].summary.format(
        agree=f"{who} on every label-free quantity", split="-".join(map(str, seen.split)),
        times=f"{seen.switches} time{'s' * (seen.switches > 1)}",
        share=max((share for _, share in seen.overlaps), default=0.0),
        collapse=next(iter(_collapses(seen)), ""), failure=first[:1].upper() + first[1:],
        doubt=_doubt(seen),
    )


def evidence(verdict: str, seen: Evidence, numbers: xr.Dataset) -> list[str]:
    """Return the lines below the summary: what it has said already is not among them."""
    if seen.missing:
        return []
    by_chain = [", ".join(map(str, numbers[name].to_numpy())) for name in ("switches", "mode")]
    return [
        *failures(seen)[verdict in (NOT, NOT_ONLY) :],
        *_rhats(numbers),
        f"Switches by chain: {by_chain[0]}. Mode by chain: {by_chain[1]}.",
        *_collapses(seen),
        *(f"Components {j} and {k} of the pivot overlap in {share:.0%} of the draws."
          for (j, k), share in seen.overlaps),
    ]


def failures(seen: Evidence) -> list[str]:
    """Return sentences about what labels cannot explain."""
    lines = []
    if seen.still:
        lines.append(f"{_chains(seen.still)} never move{'s' * (len(seen.still) == 1)}.")
    if seen.worst:
        worst = seen.worst
        many = "ies disagree" if worst.count > 1 else "y disagrees"
        lines.append(f"{worst.count} label-free quantit{many}; the worst, {worst.name}, has R-hat "
                     f"{worst.rhat:.2f} (chance allows {worst.alarm:.2f}).")
    if seen.left_out:
        lines.append(f"Without {_chains(seen.left_out)} the others agree.")
    if seen.divergences:
        count = seen.divergences
        lines.append(f"{count} draw{'s' * (count > 1)} diverged: the sampler has missed some part"
                     " of the posterior.")
    return lines


def _doubt(seen: Evidence) -> str:
    if seen.missing:
        return seen.missing
    if not seen.enough:
        return f"{seen.n_draw} draws in each chain are too few to compare chains."
    return "One chain that keeps its labels: another might have chosen others."


def _collapses(seen: Evidence) -> list[str]:
    twins = [f"Components {j} and {k} of the pivot are equal in most draws."
             for j, k in seen.twins]
    return twins + [f"Component {k} of the pivot is almost empty: its median {name} is {usual:.2g}."
                    for k, name, usual in seen.empty]


def _chains(names: tuple[str, ...]) -> str:
    return f"chain{'s' * (len(names) > 1)} {', '.join(names)}"


def _rhats(numbers: xr.Dataset) -> list[str]:
    raw = numbers["kind"] == "raw labels"
    return [
        f"{'Raw labels' if side is raw else 'Label-free'}: R-hat up to "
        f"{float(numbers['rhat'][side].max()):.3f}, bulk ESS from "
        f"{float(numbers['ess'][side].min()):.0f}."
        for side in (raw, ~raw) if side.any()
    ]
