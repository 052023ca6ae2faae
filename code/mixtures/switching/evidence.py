"""What a trace shows about its labels, before anybody judges it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
import xarray as xr

from mixtures.relabel.apply import permute
from mixtures.switching import agreement, labels
from mixtures.switching.thresholds import Thresholds
from mixtures.trace import Trace

type Pair = tuple[int, int]


@dataclass(frozen=True)
class Worst:
    """The label-free quantities on which chains disagree."""

    count: int
    name: str
    rhat: float
    alarm: float


@dataclass(frozen=True)
class Evidence:
    """What was seen in a trace.

    Attributes
    ----------
    chains : tuple of str
        Their names.
    n_draw : int
        Draws in each.
    missing : str
        Why nothing could be looked at; empty if it could.
    enough : bool
        Whether there are enough draws to compare chains.
    still : tuple of str
        Chains that never move.
    worst : Worst, optional
        Where chains disagree about what has no labels, if they do.
    left_out : tuple of str
        Chains without which the others agree.
    divergences : int
        Draws that diverged.
    switches : int
        Changes of labelling within those chains that agree.
    split : tuple of int
        How many of those chains have each labelling, most first.
    twins : tuple of pairs
        Components that are equal in most draws.
    empty : tuple of (component, name, median)
        Components of almost no weight.
    overlaps : dict of pair to share
        Components that cannot be told apart in some of the draws.
    """

    chains: tuple[str, ...]
    n_draw: int
    missing: str = ""
    enough: bool = True
    still: tuple[str, ...] = ()
    worst: Worst | None = None
    left_out: tuple[str, ...] = ()
    divergences: int = 0
    switches: int = 0
    split: tuple[int, ...] = ()
    twins: tuple[Pair, ...] = ()
    empty: tuple[tuple[int, str, float], ...] = ()
    overlaps: tuple[tuple[Pair, float], ...] = ()

    @property
    def fails(self) -> bool:
        """Whether something was seen that labels cannot explain."""
        return bool(self.still or self.worst or self.divergences)


class _Comparison(NamedTuple):
    """The labelling of a trace, and how its chains agree."""

    found: labels.Labels
    scores: xr.Dataset
    failing: list[agreement.Quantity]
    moving: np.ndarray
    sound: np.ndarray


def gather(trace: Trace, thresholds: Thresholds) -> tuple[Evidence, xr.Dataset]:
    """Return the evidence in a trace, and the numbers behind it; see `Diagnosis`."""
    named = np.concatenate([trace.values[name] for name in trace.named], axis=3)
    chains, n_draw = tuple(map(str, trace.chains)), named.shape[1]
    missing = _missing(named, trace.named)
    if missing:
        return Evidence(chains, n_draw, missing), xr.Dataset()
    with np.errstate(all="ignore"):
        found, scores, failing, moving, sound = _compare(trace, named, thresholds)
        fails = failing or not moving.all() or _divergences(trace)
        if fails and sound.sum() < 2:
            switches, modes = _switches_alone(trace, thresholds), found.mode[:1]
        else:
            switches, modes = int(found.switches[sound].sum()), found.mode[sound]
    pairs = list(combinations(range(len(found.overlap)), 2))
    overlaps = [((j, k), float(found.overlap[j, k])) for j, k in pairs]
    seen = Evidence(
        chains, n_draw, enough=bool(scores.attrs["enough_draws"]), still=_of(chains, ~moving),
        worst=_worst(failing, scores), divergences=_divergences(trace), switches=switches,
        left_out=_of(chains, ~sound) if failing and sound.sum() >= 2 else (), split=_split(modes),
        twins=tuple((j, k) for j, k in pairs if found.twins[j, k]),
        empty=_empty(trace, found, sound, thresholds),
        overlaps=tuple(one for one in overlaps if one[1] >= thresholds.overlap))
    return seen, _numbers(scores, trace, found, sound)


def _compare(trace: Trace, named: np.ndarray, thresholds: Thresholds) -> _Comparison:
    """Label all draws, compare the chains, and label once more by those that agree."""
    found = labels.find(trace.values, thresholds=thresholds)
    raw, free = agreement.raw_labels(trace), agreement.label_free(trace, found.permutation)
    scores = agreement.convergence(raw + free, thresholds)
    failing = [q for q in free if q[0] in scores["quantity"]
               and agreement.fails(scores.sel(quantity=q[0]))]
    moving = np.ptp(named, axis=1).max(axis=(1, 2)) > 0
    sound = agreement.sound_chains(failing, moving, thresholds)
    if 2 <= sound.sum() < sound.size:
        found = labels.find(trace.values, np.flatnonzero(sound), thresholds)
    return _Comparison(found, scores, failing, moving, sound)


def _missing(named: np.ndarray, names: tuple[str, ...]) -> str:
    n_chain, n_draw = named.shape[:2]
    bad = int((~np.isfinite(named)).any(axis=(2, 3)).sum())
    if bad:
        return f"{bad} of {n_chain * n_draw} draws of {' or '.join(names)} are NaN or infinite."
    if not np.ptp(named, axis=1).any():
        return f"No chain moves: {' and '.join(names)} never changes within a chain."
    return ""


def _switches_alone(trace: Trace, thresholds: Thresholds) -> int:
    """Return the switches where no two chains agree, so that each is compared with itself alone."""
    return sum(
        int(labels.find({name: v[[c]] for name, v in trace.values.items()},
                        thresholds=thresholds).switches[0])
        for c in range(trace.chains.size))


def _divergences(trace: Trace) -> int:
    return 0 if trace.divergences is None else int(trace.divergences.sum())


def _of(chains: tuple[str, ...], some: np.ndarray) -> tuple[str, ...]:
    return tuple(chains[c] for c in np.flatnonzero(some))


def _worst(failing: Sequence[agreement.Quantity], scores: xr.Dataset) -> Worst | None:
    if not failing:
        return None
    rhats = [float(scores["rhat"].sel(quantity=q[0])) for q in failing]
    name = failing[int(np.argmax(np.nan_to_num(rhats, nan=np.inf)))][0]
    score = scores.sel(quantity=name)
    return Worst(len(failing), name, float(score["rhat"]), float(score["alarm"]))


def _split(modes: np.ndarray) -> tuple[int, ...]:
    return tuple(sorted(np.unique(modes, return_counts=True)[1].tolist(), reverse=True))


def _empty(
    trace: Trace, found: labels.Labels, sound: np.ndarray, thresholds: Thresholds
) -> tuple[tuple[int, str, float], ...]:
    """Return the components of almost no weight, by the variables that are shares."""
    chains = sound if sound.any() else np.ones_like(sound)
    empty = []
    for name, v in trace.values.items():
        if v.shape[3] == 1 and (v >= 0).all() and np.allclose(v.sum(axis=2), 1):
            usual = np.median(permute(v, found.permutation)[chains], axis=(0, 1, 3))
            empty += [(int(k), str(name), float(usual[k]))
                      for k in np.flatnonzero(usual < thresholds.empty)]
    return tuple(empty)


def _numbers(
    scores: xr.Dataset, trace: Trace, found: labels.Labels, sound: np.ndarray
) -> xr.Dataset:
    numbers = scores.assign_coords(chain=trace.chains)
    del numbers.attrs["enough_draws"]
    by_chain = {"mode": found.mode, "switches": found.switches, "sound": sound}
    for name, values in by_chain.items():
        numbers[name] = "chain", values
    numbers["permutation"] = ("chain", "draw", "component"), found.permutation
    numbers["overlap"] = ("component", "other"), found.overlap
    if trace.divergences is not None:
        numbers["divergences"] = "chain", trace.divergences
    numbers.attrs["split"] = "-".join(map(str, _split(found.mode)))
    return numbers
