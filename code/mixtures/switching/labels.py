"""Which label is which, draw by draw: permutations relative to a pivot, switches and modes.

Arrays have the axes [chain, draw, component, entry]; an entry is one of a variable's further
numbers, such as a coordinate of a two-dimensional mean.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.sparse.csgraph import connected_components

from mixtures.relabel import alternation, assignment
from mixtures.relabel.apply import permute
from mixtures.switching.thresholds import STANDARD, Thresholds

# starting pivots, and draws and passes that are spent on each to choose among them
STARTS, THINNED, FIRST = 12, 600, 15
# draws that are enough to find a pivot, and passes through them
ENOUGH, PASSES = 2_000, 30
# a scale below this share of a variable's overall spread adds nothing to the certainty of an
# assignment
SMALLEST_SCALE = 1e-3
# spreads from the middle beyond which distances count by their logarithm: a heavy tail would
# outvote what is well known
FAR = 3.0
# how wide the middle eighty per cent of a standard normal distribution are
NORMAL_80 = 2.563


@dataclass(frozen=True, eq=False)
class Labels:
    """The labelling of every draw.

    Attributes
    ----------
    permutation : numpy.ndarray of int, shape [chain, draw, component]
        ``permutation[c, t, k] = j``: component k of the pivot is component j of draw t. Commonest:
        0, 1, 2, ...
    switches : numpy.ndarray of int, shape [chain]
        Changes of labelling within the chain. Draws at less than 20 to 1, or less than half way, do
        not count.
    mode : numpy.ndarray of int, shape [chain]
        The labelling under which the chain has most draws; 0 is the one of most chains.
    overlap : numpy.ndarray, shape [component, component]
        Share of draws in which the two cannot be told apart.
    twins : numpy.ndarray of bool, shape [component, component]
        Whether the two are equal in most draws.
    """

    permutation: np.ndarray
    switches: np.ndarray
    mode: np.ndarray
    overlap: np.ndarray
    twins: np.ndarray


def find(
    values: Mapping[Hashable, np.ndarray], chains: np.ndarray | None = None,
    thresholds: Thresholds = STANDARD,
) -> Labels:
    """Find the labelling of every draw.

    The pivot, its scales and the overlap come from the `chains` (indices) alone.
    """
    x = np.concatenate(list(values.values()), axis=3)
    chains = np.arange(len(x)) if chains is None else np.asarray(chains)
    z = _standardised(x, chains)
    permutation, odds = _assigned(z, chains)
    overlap = _overlap(odds[chains])
    group = connected_components(overlap >= thresholds.overlap, directed=False)[1]
    if _stuck_apart(permutation[chains], thresholds.pure):
        group = np.arange(z.shape[2])
    switches, mode = _modes(permutation, odds, group, chains, np.log(thresholds.odds))
    return Labels(permutation, switches, mode, overlap, _twins(permute(z, permutation)[chains]))


def _standardised(x: np.ndarray, chains: np.ndarray) -> np.ndarray:
    """Return the entries that move, each in its own spread about its own middle.

    The spread is that of the middle eighty per cent, which no heavy tail moves.
    """
    flat = _flat(x[chains])
    low, middle, high = np.quantile(flat, (0.1, 0.5, 0.9), axis=(0, 1))
    # what stands still for most draws has its own standard deviation
    spread = np.where(high > low, (high - low) / NORMAL_80, flat.std(axis=(0, 1)))
    moving = spread > 1e-12 * np.abs(flat).max(axis=(0, 1))
    z: np.ndarray = (x[..., moving] - middle[moving]) / spread[moving]
    beyond = np.maximum(np.abs(z) - FAR, 0)
    return np.asarray(z + np.sign(z) * (np.log1p(beyond) - beyond))


def _flat(z: np.ndarray) -> np.ndarray:
    # no size is left to NumPy, for there may be no entries
    return z.reshape(z.shape[0] * z.shape[1], *z.shape[2:])


def _assigned(z: np.ndarray, chains: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return permutations [chain, draw, component], and the log odds against exchanging two."""
    cost = _cost(_flat(z), *_pivot(_flat(z[chains])))
    # numbers near the largest there are have distances that are none
    chosen = assignment.cheapest(np.nan_to_num(cost))
    n_component = z.shape[2]
    of_chains = chosen.reshape(*z.shape[:3])[chains].reshape(-1, n_component)
    own, counts = np.unique(of_chains, axis=0, return_counts=True)
    order = np.argsort(own[counts.argmax()])
    chosen, cost = chosen[:, order], cost[:, :, order]
    odds = _swap_odds(cost, chosen).reshape(*z.shape[:3], n_component)
    return chosen.reshape(*z.shape[:3]), odds


def _pivot(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return centres and scales [component, entry] that no relabelling of draws z moves.

    Assignment, centres and scales of draws [draw, component, entry] in turn each lower the same
    sum: a classification EM.
    """

    def step(rows: slice, pivot: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
        draws = z[rows]
        chosen = assignment.cheapest(np.nan_to_num(_cost(draws, *pivot)))
        aligned = permute(draws, chosen)
        centre, scale = aligned.mean(axis=0), np.maximum(aligned.std(axis=0), SMALLEST_SCALE)
        distance = (((aligned - centre) / scale) ** 2).sum(axis=(1, 2)).mean()
        return chosen, float(np.log(scale).sum() + 0.5 * distance), np.stack([centre, scale])

    def start(t: int) -> np.ndarray:
        return np.stack([z[t], np.ones_like(z[t])])

    # of very many draws some thousands tell as much
    z = z[:: max(1, len(z) // ENOUGH)]
    stride = max(1, len(z) // THINNED)
    _, (centre, scale) = alternation.from_several_starts(
        step, start, len(z), starts=STARTS, stride=stride, max_iterations=PASSES, first=FIRST)
    return centre, scale


def _cost(z: np.ndarray, pivot: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Return half the standardised squared distances of components from those of the pivot.

    Shape [draw, component of the draw, component of the pivot]; in nats, as of independent
    Gaussians.
    """
    precision = 1 / scale**2
    return (
        0.5 * z**2 @ precision.T
        - z @ (pivot * precision).T
        + 0.5 * (pivot**2 * precision).sum(axis=1)
    )


def _swap_odds(cost: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return the log odds against exchanging two labels, shape [draw, component, component]."""
    taken = np.take_along_axis(cost, chosen[:, :, None], axis=1)
    own = np.diagonal(taken, axis1=1, axis2=2)
    odds: np.ndarray = taken + taken.transpose(0, 2, 1) - own[:, :, None] - own[:, None, :]
    return odds


def _overlap(odds: np.ndarray) -> np.ndarray:
    """Return the share of draws in which two components cannot be told apart."""
    usual = np.median(odds, axis=(0, 1))
    share = (odds <= np.minimum(usual / 4, 5.0)).mean(axis=(0, 1))
    overlap: np.ndarray = share * (1 - np.eye(len(share)))
    return overlap


def _twins(aligned: np.ndarray) -> np.ndarray:
    """Return which components are equal in most of the relabelled draws."""
    flat = _flat(aligned)
    apart = np.abs(flat[:, :, None] - flat[:, None]).max(axis=3, initial=0.0)
    twins: np.ndarray = (apart < SMALLEST_SCALE).mean(axis=0) > 0.5
    return twins & ~np.eye(len(twins), dtype=bool)


def _stuck_apart(permutation: np.ndarray, pure: float = STANDARD.pure) -> bool:
    """Tell whether every chain keeps to one labelling, and not all to the same.

    Then components that overlap are different all the same.
    """
    states = [np.unique(p, axis=0, return_counts=True) for p in permutation]
    kept = all(counts.max() >= pure * counts.sum() for _, counts in states)
    return kept and len({tuple(own[counts.argmax()]) for own, counts in states}) > 1


def _modes(
    permutation: np.ndarray, odds: np.ndarray, group: np.ndarray, chains: np.ndarray,
    sure_from: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Count switches and name the mode of each chain.

    Labels within a `group` of components count as one; log odds are sure from `sure_from` on.
    """
    n_chain, n_draw, n_component = permutation.shape
    state = group[np.argsort(permutation, axis=2)]
    code = np.unique(state.reshape(-1, n_component), axis=0, return_inverse=True)[1].reshape(
        n_chain, n_draw
    )
    across = [
        odds[:, :, k, j] for k, j in combinations(range(n_component), 2) if group[k] != group[j]
    ]
    if not across:
        return np.zeros(n_chain, dtype=int), np.zeros(n_chain, dtype=int)
    margin = np.min(across, axis=0)
    sure = margin >= max(sure_from, np.median(margin[chains]) / 2)
    # a draw that is not sure keeps the labels of the last that was; those before the first, the
    # first's
    last = np.maximum.accumulate(np.where(sure, np.arange(n_draw), -1), axis=1)
    last = np.where(last < 0, sure.argmax(axis=1)[:, None], last)
    labelling = np.where(sure.any(axis=1)[:, None], np.take_along_axis(code, last, axis=1), 0)
    for c in np.flatnonzero(~sure.any(axis=1)):
        labelling[c] = np.bincount(code[c]).argmax()
    most = np.array([np.bincount(row).argmax() for row in labelling])
    by_size = sorted(set(most), key=lambda m: (-np.sum(most == m), list(most).index(m)))
    return (np.diff(labelling, axis=1) != 0).sum(axis=1), np.array([by_size.index(m) for m in most])
