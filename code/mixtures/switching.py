"""Is it label switching? A diagnosis for the reader's own trace."""

import html
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import xarray as xr

from mixtures import agreement, labels

# a component that most draws give less weight than this takes part in name only: its other parameters follow the prior
EMPTY = 0.01

NONE, BETWEEN, WITHIN = "no sign of switching", "switching between chains", "switching within chains"
OVERLAPPING, COLLAPSED = "overlapping components", "collapsed component"
NOT, NOT_ONLY, UNKNOWN = "not label switching", "not only label switching", "cannot tell"

_RELABEL = "Use label-free summaries as they are, and sort or relabel the draws before any summary by component."
_REPAIR = "Repair the model or the sampling first (priors, parametrisation, longer runs), then diagnose again."
# what to do next, and the page of the book that says how
LINKS = {
    NONE: ("Use label-free summaries as they are; name the components by an order you choose.", "label_switching.html"),
    BETWEEN: (_RELABEL, "ordering.html"),
    WITHIN: (_RELABEL, "ordering.html"),
    OVERLAPPING: ("Ask label-free questions, or fewer components: names mean little here.", "identifiability.html"),
    COLLAPSED: ("Try fewer components, or a prior that keeps weights from zero.", "beyond.html#collapse"),
    NOT: (_REPAIR, "beyond.html#going-wrong"),
    NOT_ONLY: (_REPAIR, "beyond.html#going-wrong"),
    UNKNOWN: ("Sample at least 4 chains of 500 finite draws, then diagnose again.", "label_switching.html"),
}


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """What a trace says about its labels.

    Attributes
    ----------
    verdict : str
        One of the eight that `diagnose` lists.
    summary : str
        The verdict's reason in a sentence.
    evidence : tuple of str
        What was seen.
    unknown : str
        What this trace cannot tell; empty if there is nothing to add.
    next_step, link : str
        What to do, and the page of the book that says how.
    numbers : xarray.Dataset
        By quantity: ``rhat``, bulk ``ess`` (draws), ``alarm`` (the R-hat above which chance is no excuse), ``kind``. By
        chain: ``mode``, ``switches``, ``sound`` (agrees with the others about what has no labels) and, if recorded,
        ``divergences``. ``permutation`` [chain, draw, component] (which component of the draw takes this place)
        and ``overlap`` [component, other] (share of draws). Empty where the trace allows none.
    """

    verdict: str
    summary: str
    evidence: tuple[str, ...]
    unknown: str
    next_step: str
    link: str
    numbers: xr.Dataset

    def __str__(self) -> str:
        parts = [f"{self.verdict[0].upper()}{self.verdict[1:]}. {self.summary}"]
        parts += [f"- {line}" for line in self.evidence]
        parts += [self.unknown, f"Next: {self.next_step} (In the book: {self.link})"]
        wrapped = [textwrap.fill(p, 79, subsequent_indent="  " * p.startswith("- ")) for p in parts if p]
        return "\n".join(wrapped)

    __repr__ = __str__

    def table(self) -> list[tuple[str, float, float]]:
        """Return the worst R-hat and the smallest bulk ESS of each kind of quantity, as (kind, R-hat, ESS) rows."""
        if "rhat" not in self.numbers:
            return []
        kind = self.numbers["kind"].to_numpy()
        rhat, ess = (self.numbers[name].to_numpy() for name in ("rhat", "ess"))
        return [(k, float(rhat[kind == k].max()), float(ess[kind == k].min())) for k in dict.fromkeys(kind)]

    def _repr_html_(self) -> str:
        say = html.escape
        rows = "".join(f"<tr><td>{say(k)}</td><td>{r:.3f}</td><td>{e:.0f}</td></tr>" for k, r, e in self.table())
        head = "<tr><th>quantity</th><th>worst R-hat</th><th>smallest ESS</th></tr>"
        table = f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>" if rows else ""
        seen = "".join(f"<li>{say(line)}</li>" for line in self.evidence)
        more = f"<details><summary>Evidence</summary><ul>{seen}</ul></details>" if seen else ""
        unknown = f"<p>{say(self.unknown)}</p>" if self.unknown else ""
        step = f'<p>Next: {say(self.next_step)} <a href="{say(self.link)}">How</a></p>'
        title = say(self.verdict[0].upper() + self.verdict[1:])
        return f"<div><p><strong>{title}.</strong> {say(self.summary)}</p>{table}{more}{unknown}{step}</div>"


def diagnose(
    tree: xr.DataTree | xr.Dataset | xr.DataArray, var_name: labels.Names = "means", component_dim: str = "component"
) -> Diagnosis:
    """Tell label switching from its look-alikes, in a trace of any mixture.

    Each draw is relabelled to lie nearest to a pivot. What is left of the chains' disagreement then has nothing to do
    with labels. The verdict is the first that applies:

    - "cannot tell": NaN, constant or too few draws; or a single chain that never switches;
    - "not label switching": chains disagree on label-free quantities, do not move, or had divergences;
    - "not only label switching": the same, and the labels of the sound chains differ too;
    - "switching within chains": a chain changes its labelling on the way;
    - "switching between chains": no chain does, but not all have the same;
    - "collapsed component": one is almost empty, or two are equal;
    - "overlapping components": two cannot be told apart in 5 % or more of the draws;
    - "no sign of switching".

    Only variables with dim `component_dim`, the log density and the divergences are looked at.

    Parameters
    ----------
    tree : xarray.DataTree, xarray.Dataset or xarray.DataArray
        A trace as ArviZ has it, or its posterior, or one variable; dims chain, draw and `component_dim`. Not changed.
    var_name : str or list of str
        The variables that must be there; a DataArray counts as the first. Others with `component_dim` are evidence.
    component_dim : str
        The dim that counts the components, of which there are two or more.

    Returns
    -------
    Diagnosis

    Raises
    ------
    ValueError
        If a variable or a dim is missing, or there are fewer than two components or four draws.
    """
    trace = labels.read(tree, var_name, component_dim)
    named = np.concatenate([trace.values[name] for name in trace.named], axis=3)
    missing = _missing(named, trace.named)
    if missing:
        return _answer(UNKNOWN, missing, trace.notes, xr.Dataset())
    with np.errstate(all="ignore"):
        found = labels.find(trace.values)
        raw, free = agreement.raw_labels(trace), agreement.label_free(trace, found.permutation)
        scores = agreement.convergence(raw + free)
        failing = [q for q in free if q[0] in scores["quantity"] and agreement.fails(scores.sel(quantity=q[0]))]
        moving = np.ptp(named, axis=1).max(axis=(1, 2)) > 0
        sound = agreement.sound_chains(failing, moving)
        if 2 <= sound.sum() < sound.size:
            found = labels.find(trace.values, np.flatnonzero(sound))
    numbers = _numbers(scores, trace, found, sound)
    failures = _failures(trace, scores, failing, moving, sound)
    return _judge(trace, found, numbers, failures, sound)


def _missing(named: np.ndarray, names: tuple[str, ...]) -> str:
    n_chain, n_draw = named.shape[:2]
    bad = int((~np.isfinite(named)).any(axis=(2, 3)).sum())
    if bad:
        return f"{bad} of {n_chain * n_draw} draws of {' or '.join(names)} are NaN or infinite."
    if not np.ptp(named, axis=1).any():
        return f"No chain moves: {' and '.join(names)} never changes within a chain."
    return ""


def _numbers(scores: xr.Dataset, trace: labels.Trace, found: labels.Labels, sound: np.ndarray) -> xr.Dataset:
    numbers = scores.assign_coords(chain=trace.chains)
    numbers["mode"], numbers["switches"], numbers["sound"] = (("chain", v) for v in (found.mode, found.switches, sound))
    numbers["permutation"] = ("chain", "draw", "component"), found.permutation
    numbers["overlap"] = ("component", "other"), found.overlap
    if trace.divergences is not None:
        numbers["divergences"] = "chain", trace.divergences
    return numbers


def _failures(
    trace: labels.Trace, scores: xr.Dataset, failing: Sequence[agreement.Quantity], moving: np.ndarray, sound: np.ndarray
) -> list[str]:
    """Return sentences about what labels cannot explain."""
    lines = []
    if not moving.all():
        lines.append(f"{_chains(trace.chains[~moving])} never move{'s' * int(np.sum(~moving) == 1)}.")
    if failing:
        rhats = [float(scores["rhat"].sel(quantity=q[0])) for q in failing]
        worst = scores.sel(quantity=failing[int(np.argmax(np.nan_to_num(rhats, nan=np.inf)))][0])
        many = "ies disagree" if len(failing) > 1 else "y disagrees"
        lines.append(f"{len(failing)} label-free quantit{many}; the worst, {worst['quantity'].item()}, has R-hat "
                     f"{float(worst['rhat']):.2f} (chance allows {float(worst['alarm']):.2f}).")
        if sound.sum() >= 2:
            lines.append(f"Without {_chains(trace.chains[~sound])} the others agree.")
    if trace.divergences is not None and trace.divergences.sum():
        count = int(trace.divergences.sum())
        lines.append(f"{count} draw{'s' * (count > 1)} diverged: the sampler has missed some part of the posterior.")
    return lines


def _chains(names: np.ndarray) -> str:
    return f"chain{'s' * (len(names) > 1)} " + ", ".join(map(str, names))


def _judge(
    trace: labels.Trace, found: labels.Labels, numbers: xr.Dataset, failures: list[str], sound: np.ndarray
) -> Diagnosis:
    """Weigh the evidence, and put it into words."""
    n_chain, enough = sound.size, numbers.attrs.pop("enough_draws")
    if failures and sound.sum() < 2:
        # no two chains agree, so that each can only be compared with itself
        with np.errstate(all="ignore"):
            own = [labels.find({n: v[[c]] for n, v in trace.values.items()}) for c in range(n_chain)]
        switches, modes = np.array([o.switches[0] for o in own]), np.zeros(1, dtype=int)
    else:
        switches, modes = found.switches[sound], found.mode[sound]
    counts = np.unique(modes, return_counts=True)[1]
    split = "-".join(map(str, sorted(counts, reverse=True)))
    pairs = [(j, k) for j, k in combinations(range(len(found.overlap)), 2)]
    overlapping = [(j, k) for j, k in pairs if found.overlap[j, k] >= labels.OVERLAP]
    collapsed = _collapsed(trace, found, sound, pairs)
    moved = switches.sum() or counts.size > 1
    who = f"{n_chain} chains agree" if n_chain > 1 else "Both halves of the chain agree"
    agree = f"{who} on every label-free quantity"
    if not enough:
        verdict, summary = UNKNOWN, f"{found.permutation.shape[1]} draws in each chain are too few to compare chains."
    elif failures:
        verdict = NOT_ONLY if moved else NOT
        but = "The labels differ too, but that is not all." if moved else "Labels cannot explain it."
        summary = f"{failures[0]} {but}"
        summary = summary[0].upper() + summary[1:]
    elif switches.sum():
        times = f"{switches.sum()} time{'s' * int(switches.sum() > 1)}"
        verdict, summary = WITHIN, f"{agree}, and labels change within chains {times}: label switching."
    elif counts.size > 1:
        verdict, summary = BETWEEN, f"{agree} and disagree only on labels: label switching, {split} split."
    elif collapsed:
        verdict, summary = COLLAPSED, f"{collapsed[0]} {agree}."
    elif overlapping:
        share = max(found.overlap[j, k] for j, k in overlapping)
        verdict, summary = OVERLAPPING, f"Two components cannot be told apart in {share:.0%} of the draws. {agree}."
    elif n_chain == 1:
        verdict, summary = UNKNOWN, "One chain that keeps its labels: another might have chosen others."
    else:
        verdict, summary = NONE, f"{agree} and on labels."
    evidence = failures[verdict in (NOT, NOT_ONLY) :] + _rhats(numbers)
    by_chain = [", ".join(map(str, v)) for v in (found.switches, found.mode)]
    evidence.append(f"Switches by chain: {by_chain[0]}. Mode by chain: {by_chain[1]}.")
    evidence += collapsed
    evidence += [f"Components {j} and {k} of the pivot overlap in {found.overlap[j, k]:.0%} of the draws."
                 for j, k in overlapping]
    numbers.attrs.update(verdict=verdict, split="-".join(map(str, np.sort(np.bincount(found.mode))[::-1])))
    return _answer(verdict, summary, (*evidence, *trace.notes), numbers)


def _collapsed(
    trace: labels.Trace, found: labels.Labels, sound: np.ndarray, pairs: Iterable[tuple[int, int]]
) -> list[str]:
    chains = sound if sound.any() else np.ones_like(sound)
    lines = [f"Components {j} and {k} of the pivot are equal in most draws." for j, k in pairs if found.twins[j, k]]
    for name, v in trace.values.items():
        if v.shape[3] == 1 and (v >= 0).all() and np.allclose(v.sum(axis=2), 1):
            usual = np.median(labels.relabelled(v, found.permutation)[chains], axis=(0, 1, 3))
            lines += [f"Component {k} of the pivot is almost empty: its median {name} is {usual[k]:.2g}."
                      for k in np.flatnonzero(usual < EMPTY)]
    return lines


def _rhats(numbers: xr.Dataset) -> list[str]:
    raw = numbers["kind"] == "raw labels"
    return [f"{'Raw labels' if side is raw else 'Label-free'}: R-hat up to {float(numbers['rhat'][side].max()):.3f}, "
            f"bulk ESS from {float(numbers['ess'][side].min()):.0f}." for side in (raw, ~raw) if side.any()]


def _answer(verdict: str, summary: str, evidence: Iterable[str], numbers: xr.Dataset) -> Diagnosis:
    unknown = ""
    if verdict in (NONE, OVERLAPPING):
        unknown = ("What this cannot tell: chains that all sit in one mode look the same whether the posterior has no "
                   "symmetry or all of them missed its mirror images.")
    elif verdict in (BETWEEN, WITHIN):
        unknown = "What this cannot tell: whether there are further modes that no chain has seen."
    return Diagnosis(verdict, summary, tuple(evidence), unknown, *LINKS[verdict], numbers)
