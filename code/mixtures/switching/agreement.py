"""Whether the chains of a trace agree, on raw labels and on what has none, and which of them do.

A quantity is a triple: its name, its kind and its draws [chain, draw].
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import combinations

import numpy as np
import xarray as xr
from arviz_stats.base.array import array_stats
from scipy.special import ndtri
from scipy.stats import chi2, rankdata

from mixtures.relabel.apply import permute
from mixtures.switching.thresholds import STANDARD, Thresholds
from mixtures.trace import Trace, entry

type Quantity = tuple[str, str, np.ndarray]

# at most so many of the distances between components, from the smallest to the largest
DISTANCES = 10
# a sum that moves by less than this share of what its parts do is a constant, rounded
ROUNDING = 1e-4


def raw_labels(trace: Trace) -> list[Quantity]:
    """Return each entry of each component, under the labels as they are."""
    return [(entry(n, k, e, v.shape[3]), "raw labels", v[:, :, k, e])
            for n, v in trace.values.items() for k in range(v.shape[2]) for e in range(v.shape[3])]


def label_free(trace: Trace, permutation: np.ndarray) -> list[Quantity]:
    """Return (name, kind, draws) of quantities that no exchange of labels changes.

    The relabelled draws are among them: they depend on a draw's components as a set, whatever the
    pivot.
    """
    found: list[Quantity] = []
    for name, v in trace.values.items():
        n_component, n_entry = v.shape[2:]
        for kind, array in (
            ("sorted", np.sort(v, axis=2)), ("relabelled", permute(v, permutation)),
        ):
            found += [(f"{kind} {entry(name, k, e, n_entry)}", kind, array[:, :, k, e])
                      for k in range(n_component) for e in range(n_entry)]
        total = v.sum(axis=2)
        # weights sum to one, but for rounding: to single precision, or to the digits of a file
        told = np.ptp(total, axis=(0, 1)) > ROUNDING * np.ptp(v, axis=(0, 1)).max(axis=0)
        found += [
            (f"sum of {name}" + f"[{e}]" * (n_entry > 1), "sums", total[:, :, e])
            for e in np.flatnonzero(told)
        ]
        pairs = list(combinations(range(n_component), 2))
        far = np.sort([np.linalg.norm(v[:, :, j] - v[:, :, k], axis=2) for j, k in pairs], axis=0)
        some = np.linspace(0, len(far) - 1, min(len(far), DISTANCES)).round().astype(int)
        found += [(f"distance {i} in {name}", "distances", far[i]) for i in some]
    return found + [(name, "log density", draws) for name, draws in trace.log_density.items()]


def convergence(
    quantities: Iterable[Quantity], thresholds: Thresholds = STANDARD
) -> xr.Dataset:
    """Return R-hat, bulk ESS and alarm of the quantities that move.

    A single chain's R-hat is that of its halves.
    """
    moving = [q for q in quantities if _moves(q[2])]
    draws = np.stack([q[2] for q in moving], axis=2)
    n_chain, n_draw, n_quantity = draws.shape
    halves = _halves(draws)
    # of the draws, and of how far they are from the middle: R-hat is the larger of both
    bulk, tail = _scores(halves), _scores(_folded(halves))
    if n_chain > 1:
        parts = [bulk, tail]
    else:
        parts = [_scores(_halves(halves)), _scores(_folded(_halves(halves)))]
    rhat = np.max([_of_each(array_stats.rhat, z, method="identity") for z in parts], axis=0)
    degrees = 2 * n_chain - 1
    # twice as many chances as quantities
    lift = chi2.isf(thresholds.false_alarm / (2 * n_quantity), degrees) / degrees
    within = np.min([_ess_within(bulk), _ess_within(tail)], axis=0)
    alarm = np.clip(np.sqrt(1 + lift / within), thresholds.rhat, thresholds.rhat_few)
    names, kinds = [q[0] for q in moving], [q[1] for q in moving]
    ess = _of_each(array_stats.ess, bulk, method="identity")
    found = {"rhat": rhat, "ess": ess, "alarm": alarm, "kind": np.array(kinds)}
    enough = bool(np.sqrt(1 + lift / (n_draw / 2)) <= thresholds.rhat_few)
    return xr.Dataset(
        {k: ("quantity", v) for k, v in found.items()}, {"quantity": names},
        {"enough_draws": enough},
    )


def _moves(draws: np.ndarray) -> bool:
    return bool(np.ptp(draws) > 1e-9 * np.abs(draws).max())


def _of_each(statistic: Callable[..., np.ndarray], draws: np.ndarray, **more: str) -> np.ndarray:
    """Return a statistic of ArviZ for each quantity of draws [chain, draw, quantity]."""
    return statistic(draws, chain_axis=0, draw_axis=1, **more)


def _halves(draws: np.ndarray) -> np.ndarray:
    """Return the halves of chains, as chains, one after the other."""
    half = draws.shape[1] // 2
    both = np.stack([draws[:, :half], draws[:, -half:]], axis=1)
    return both.reshape(-1, half, draws.shape[2])


def _folded(draws: np.ndarray) -> np.ndarray:
    return np.asarray(np.abs(draws - np.median(draws, axis=(0, 1))))


def _scores(draws: np.ndarray) -> np.ndarray:
    """Return normal scores of the ranks of draws [chain, draw, quantity]."""
    flat = draws.reshape(-1, draws.shape[2])
    scores: np.ndarray = ndtri((rankdata(flat, axis=0) - 0.375) / (len(flat) + 0.25))
    return scores.reshape(draws.shape)


def _ess_within(scores: np.ndarray) -> np.ndarray:
    """Return the effective draws of half a chain, apart from any disagreement between halves."""
    scores = scores - scores.mean(axis=1, keepdims=True)
    n_half, n_draw, n_quantity = scores.shape
    whole = scores.reshape(n_half // 2, 2 * n_draw, n_quantity)
    each = _of_each(array_stats.ess, whole, method="mean") / n_half
    found: np.ndarray = np.clip(np.nan_to_num(each, nan=1.0), 1.0, n_draw)
    return found


def failing(quantities: Sequence[Quantity], scores: xr.Dataset) -> list[Quantity]:
    """Return the quantities on which the chains disagree."""
    # not >: a R-hat that is infinite or NaN is no agreement
    apart = ~(scores["rhat"] <= scores["alarm"]).to_numpy()
    names = {*scores["quantity"].to_numpy()[apart]}
    return [q for q in quantities if q[0] in names]


def sound_chains(
    failing: Sequence[Quantity], moving: np.ndarray, thresholds: Thresholds = STANDARD
) -> np.ndarray:
    """Return which chains agree, after the farthest are left out one by one; none if no two do."""
    keep = moving.copy()
    if not failing:
        return keep
    draws = np.stack([q[2] for q in failing], axis=2)
    scores = _scores(draws)
    place = np.concatenate([scores.mean(axis=1), _scores(np.abs(scores)).mean(axis=1)], axis=1)
    while keep.sum() >= 2:
        left = [(name, kind, array[keep]) for name, kind, array in failing]
        # what is the same number in all draws of these chains is agreed upon
        rest = convergence(left, thresholds) if any(_moves(q[2]) for q in left) else None
        if rest is None or (rest["rhat"] <= rest["alarm"]).all():
            return keep
        kept = np.flatnonzero(keep)
        apart = np.abs(place[kept] - np.median(place[kept], axis=0)).max(axis=1)
        keep[kept[apart.argmax()]] = False
    return np.zeros_like(keep)
