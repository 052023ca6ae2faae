"""What a trace shows about its labels, before anybody judges it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
import xarray as xr
from scipy.stats import rankdata

from mixtures.relabel.apply import permute
from mixtures.switching import agreement, labels
from mixtures.switching.thresholds import Thresholds
from mixtures.trace import Trace

type Pair = tuple[int, int]
# a component, the name of its weight, and that weight's median
type Light = tuple[int, str, float]

# divergences lie together if there are several, and their mean rank in some quantity is so far from
# the middle: among the smallest or the largest tenth
SEVERAL, APART = 5, 0.4
# at most so many entries are looked at one by one
SEPARATE = 16
# how many of its own spreads the draws of a rare component keep from all others
RARE = 4.0


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
    densities : tuple of float
        If chains disagree about what has no labels, and the log density is recorded: its mean in
        each of them, nats.
    separate : int
        If chains disagree, but not on what any one of several entries says by itself: how many
        entries there are. Each may have a mixture of its own.
    divergences : int
        Draws that diverged.
    too_many : bool
        Whether that is so large a share of all that the run has failed.
    place : str
        Where they lie; empty if nowhere in particular.
    switches : int
        Changes of labelling within those chains that agree.
    split : tuple of int
        How many of those chains have each labelling, most first.
    twins : tuple of pairs
        Components that are equal in most draws.
    empty, rare : tuple of (component, name, median)
        Components of almost no weight, and those of them that keep a place of their own.
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
    densities: tuple[float, ...] = ()
    separate: int = 0
    divergences: int = 0
    too_many: bool = False
    place: str = ""
    switches: int = 0
    split: tuple[int, ...] = ()
    twins: tuple[Pair, ...] = ()
    empty: tuple[Light, ...] = ()
    rare: tuple[Light, ...] = ()
    overlaps: tuple[tuple[Pair, float], ...] = ()

    @property
    def fails(self) -> bool:
        """Whether something was seen that labels cannot explain."""
        return bool(self.still or self.worst or self.too_many)


class _Comparison(NamedTuple):
    """The labelling of a trace, and how its chains agree."""

    found: labels.Labels
    scores: xr.Dataset
    free: list[agreement.Quantity]
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
        found, scores, free, failing, moving, sound = _compare(trace, named, thresholds)
        divergences, place = _divergences(trace, free)
        too_many = divergences >= thresholds.diverging * moving.size * n_draw
        fails = failing or not moving.all() or too_many
        if fails and sound.sum() < 2:
            switches, modes = _switches_alone(trace, thresholds), found.mode[:1]
        else:
            switches, modes = int(found.switches[sound].sum()), found.mode[sound]
    empty, rare = _light(trace, found, sound, thresholds)
    pairs = list(combinations(range(len(found.overlap)), 2))
    overlaps = [((j, k), float(found.overlap[j, k])) for j, k in pairs]
    seen = Evidence(
        chains, n_draw, enough=bool(scores.attrs["enough_draws"]), still=_of(chains, ~moving),
        worst=_worst(failing, scores), separate=_separate(trace, failing, thresholds),
        divergences=divergences, too_many=bool(too_many), place=place, switches=switches,
        left_out=_of(chains, ~sound) if failing and sound.sum() >= 2 else (), split=_split(modes),
        densities=tuple(_densities(trace)) if failing else (),
        twins=tuple((j, k) for j, k in pairs if found.twins[j, k]),
        empty=empty, rare=rare,
        overlaps=tuple(one for one in overlaps if one[1] >= thresholds.overlap))
    return seen, _numbers(scores, trace, found, sound)


def _compare(trace: Trace, named: np.ndarray, thresholds: Thresholds) -> _Comparison:
    """Label all draws, compare the chains, and label once more by those that agree."""
    found = labels.find(trace.values, thresholds=thresholds)
    raw, free = agreement.raw_labels(trace), agreement.label_free(trace, found.permutation)
    scores = agreement.convergence(raw + free, thresholds)
    failing = agreement.failing(free, scores)
    moving = np.ptp(named, axis=1).max(axis=(1, 2)) > 0
    sound = agreement.sound_chains(failing, moving, thresholds)
    if 2 <= sound.sum() < sound.size:
        found = labels.find(trace.values, np.flatnonzero(sound), thresholds)
    return _Comparison(found, scores, free, failing, moving, sound)


def _separate(
    trace: Trace, failing: Sequence[agreement.Quantity], thresholds: Thresholds
) -> int:
    """Return how many entries there are, if chains disagree, but on no entry by itself.

    No exchange of labels changes the log density, whatever it exchanges.
    """
    entries = int(trace.values[trace.named[0]].shape[3])
    if not failing or not 1 < entries <= SEPARATE or any(q[1] == "log density" for q in failing):
        return 0
    alike = {name: v for name, v in trace.values.items() if v.shape[3] == entries}
    names = tuple(name for name in trace.named if name in alike)
    for e in range(entries):
        one = Trace({name: v[..., [e]] for name, v in alike.items()}, names, trace.chains)
        found = labels.find(one.values, thresholds=thresholds)
        free = agreement.label_free(one, found.permutation)
        if agreement.failing(free, agreement.convergence(free, thresholds)):
            return 0
    return entries


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


def _divergences(trace: Trace, free: Sequence[agreement.Quantity]) -> tuple[int, str]:
    """Return how many draws diverged, and where among all draws these lie, if they lie together."""
    if trace.diverged is None or not trace.diverged.any():
        return 0, ""
    there = trace.diverged
    ranks = [rankdata(q[2])[there.ravel()].mean() / there.size for q in free]
    most = int(np.argmax(np.abs(np.array(ranks) - 0.5)))
    side = "small" if ranks[most] < 0.5 else "large"
    together = there.sum() >= SEVERAL and abs(ranks[most] - 0.5) > APART
    return int(there.sum()), f"{free[most][0]} is {side}" if together else ""


def _densities(trace: Trace) -> list[float]:
    """Return the mean log density of each chain, if it is recorded."""
    density = trace.log_density.get("log density")
    return [] if density is None else [float(mean) for mean in density.mean(axis=1)]


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


def _light(
    trace: Trace, found: labels.Labels, sound: np.ndarray, thresholds: Thresholds
) -> tuple[tuple[Light, ...], tuple[Light, ...]]:
    """Return the components of almost no weight: those that are empty, and those that are rare.

    An empty one follows its prior; a rare one keeps a place of its own.
    """
    chains = sound if sound.any() else np.ones_like(sound)
    aligned = {name: permute(v, found.permutation)[chains] for name, v in trace.values.items()}
    shares = {name for name, v in aligned.items() if _is_share(v)}
    others = [v for name, v in aligned.items() if name not in shares]
    empty: list[Light] = []
    rare: list[Light] = []
    for name in shares:
        usual = np.median(aligned[name], axis=(0, 1, 3))
        for k in map(int, np.flatnonzero(usual < thresholds.empty)):
            one = (k, str(name), float(usual[k]))
            (rare if any(_stands_apart(v, k) for v in others) else empty).append(one)
    return tuple(empty), tuple(rare)


def _is_share(v: np.ndarray) -> bool:
    return v.shape[3] == 1 and bool((v >= 0).all()) and np.allclose(v.sum(axis=2), 1)


def _stands_apart(v: np.ndarray, k: int) -> bool:
    """Tell whether component k of draws [chain, draw, component, entry] keeps from all others."""
    flat = v.reshape(-1, *v.shape[2:])
    middle, spread = np.median(flat, axis=0), flat[:, k].std(axis=0)
    away = np.abs(np.delete(middle, k, axis=0) - middle[k]) > RARE * spread
    return bool(away.any(axis=1).all())


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
    if densities := _densities(trace):
        numbers["log_density"] = "chain", densities
    if trace.diverged is not None:
        numbers["divergences"] = "chain", trace.diverged.sum(axis=1)
    numbers.attrs["split"] = "-".join(map(str, _split(found.mode)))
    return numbers
