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
UNSEEN = "What this cannot tell: whether there are further modes that no chain has seen."
ONE_MODE = ("What this cannot tell: chains that all sit in one mode look the same whether the"
             " posterior has no symmetry or all of them missed its mirror images.")


# how many lines of a kind a report has
LISTED = 3
# effective draws below which they are called few: Vehtari et al., Bayesian Analysis 16 (2021)
FEW = 400


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
        "label_switching.html", ONE_MODE),
    BETWEEN: Row(
        "{agree} and disagree only on labels: label switching, {split} split.",
        _RELABEL, "relabelling.html#which-relabelling", UNSEEN),
    WITHIN: Row(
        "{agree}, and labels change within chains {times}: label switching.",
        _RELABEL, "relabelling.html#which-relabelling", UNSEEN),
    OVERLAPPING: Row(
        "Two components cannot be told apart in {share:.0%} of the draws. {agree}.",
        "Ask label-free questions, or fewer components: names mean little here.",
        "identifiability.html", ONE_MODE),
    COLLAPSED: Row(
        "{collapse} {agree}.",
        "Try fewer components, or a prior that keeps weights from zero.",
        "beyond.html#collapse"),
    NOT: Row("{failure} Labels cannot explain it.", _REPAIR, "practice.html#not-switching"),
    NOT_ONLY: Row(
        "{failure} The labels differ too, but that is not all.",
        _REPAIR, "practice.html#not-switching"),
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


def next_step(verdict: str, seen: Evidence) -> str:
    """Return what to do next."""
    if verdict == UNKNOWN and seen.separate:
        return "Diagnose and relabel the entries one by one: tree.isel(...)."
    return TABLE[verdict].next_step


def evidence(verdict: str, seen: Evidence, numbers: xr.Dataset) -> list[str]:
    """Return the lines below the summary: what it has said already is not among them."""
    if seen.missing:
        return []
    by_chain = [", ".join(map(str, numbers[name].to_numpy())) for name in ("switches", "mode")]
    return [
        *failures(seen)[verdict in (NOT, NOT_ONLY) :],
        *_densities(seen),
        *_rhats(numbers),
        *_few_draws(verdict, numbers),
        f"Switches by chain: {by_chain[0]}. Mode by chain: {by_chain[1]}.",
        *_collapses(seen),
        *_overlaps(seen),
        *(f"Component {k} of the pivot is rare: its median {name} is {usual:.2g}. It keeps a place"
          " of its own, in the data or by its prior." for k, name, usual in seen.rare),
        *_few_divergences(seen),
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
    if seen.too_many:
        lines.append(f"{_diverged(seen)}: the sampler has missed some part of the posterior.")
    return lines


def _densities(seen: Evidence) -> list[str]:
    if not seen.densities:
        return []
    listed = ", ".join(f"{mean:.1f}" for mean in seen.densities)
    return [f"Mean log density by chain: {listed}."]


def _few_draws(verdict: str, numbers: xr.Dataset) -> list[str]:
    free = numbers["ess"][numbers["kind"] != "raw labels"]
    if verdict in (NOT, NOT_ONLY, UNKNOWN) or not free.size or float(free.min()) >= FEW:
        return []
    return [f"Something label-free has fewer than {FEW} effective draws: run longer, then report."]


def _few_divergences(seen: Evidence) -> list[str]:
    if not seen.divergences or seen.too_many:
        return []
    return [f"{_diverged(seen)}: too few to spoil what agrees, but look there."]


def _diverged(seen: Evidence) -> str:
    count, where = seen.divergences, f", where {seen.place}" * bool(seen.place)
    return (f"{count} of {len(seen.chains) * seen.n_draw} draws diverged{where}")


def _overlaps(seen: Evidence) -> list[str]:
    """Return a line for each of the worst pairs, and how many more there are."""
    worst = sorted(seen.overlaps, key=lambda pair: -pair[1])
    lines = [f"Components {j} and {k} of the pivot overlap in {share:.0%} of the draws."
             for (j, k), share in worst]
    return _first(lines, "So do {} more pairs: see numbers['overlap'].")


def _doubt(seen: Evidence) -> str:
    if seen.missing:
        return seen.missing
    if not seen.enough:
        return f"{seen.n_draw} draws in each chain are too few to compare chains."
    if seen.separate:
        return (f"Chains disagree, but not on any of the {seen.separate} entries of a component by"
                " itself. Either each entry has a mixture of its own, whose labels switch by"
                " themselves; or these are coordinates of one point, and it is not label"
                " switching.")
    return "One chain that keeps its labels: another might have chosen others."


def _collapses(seen: Evidence) -> list[str]:
    twins = [f"Components {j} and {k} of the pivot are equal in most draws."
             for j, k in seen.twins]
    empty = [f"Component {k} of the pivot is almost empty: its median {name} is {usual:.2g}."
             for k, name, usual in sorted(seen.empty, key=lambda one: one[2])]
    return _first(twins, "So are {} more pairs.") + _first(empty, "So are {} more components.")


def _first(lines: list[str], more: str) -> list[str]:
    """Return the first lines, and how many more there are."""
    left = len(lines) - LISTED
    return lines[:LISTED] + [more.format(left)] * (left > 0)


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
