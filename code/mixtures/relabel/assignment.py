"""The cheapest one-to-one assignment of draws' components to a pivot's, for many draws at once."""

from collections.abc import Iterator
from functools import cache
from itertools import permutations

import numpy as np
from scipy.optimize import linear_sum_assignment

# up to here all permutations are tried: 120 sums a draw take less time than one call of SciPy
ENUMERATED = 5
# numbers in a block of work: it stays in the cache, and BLAS starts no threads, which cost more
# than they gain here
BLOCK = 2**18


def blocks(n_draw: int, size: int) -> Iterator[slice]:
    """Yield slices that together are all draws, and each short: the work is `size` a draw."""
    step = max(1, BLOCK // size)
    yield from (slice(start, min(start + step, n_draw)) for start in range(0, n_draw, step))


def cheapest(cost: np.ndarray) -> np.ndarray:
    """Return for each draw the permutation with the smallest sum of costs.

    Parameters
    ----------
    cost : numpy.ndarray, shape [draw, component of the draw, component of the pivot]
        Finite.

    Returns
    -------
    numpy.ndarray of int, shape [draw, component]
        ``found[t, k] = j``: component k of the pivot is given component j of draw t, where the sum
        of ``cost[t, found[t, k], k]`` over k is least. If several are equally cheap, one of them.
    """
    n_draw, n_component, _ = cost.shape
    found = np.empty((n_draw, n_component), dtype=int)
    left = np.arange(n_draw)
    if n_component >= ENUMERATED:
        # where each component has a nearest one in the pivot, and no two the same, nothing can be
        # cheaper
        nearest = cost.argmin(axis=2)
        # more than 63 do not fit into an integer, and are never equal to this
        settled = np.bitwise_or.reduce(1 << nearest, axis=1) == 2**n_component - 1
        found[settled] = np.argsort(nearest[settled], axis=1)
        left = np.flatnonzero(~settled)
    if n_component > ENUMERATED:
        for t in left:
            found[t] = linear_sum_assignment(cost[t].T)[1]
        return found
    every, picks = _permutations(n_component)
    for rows in blocks(len(left), picks.size):
        found[left[rows]] = every[(cost[left[rows]].reshape(-1, len(picks)) @ picks).argmin(axis=1)]
    return found


def paid(cost: np.ndarray, perm: np.ndarray) -> np.ndarray:
    """Return what a permutation costs in each draw, shape [draw]; arrays as in `cheapest`."""
    costs: np.ndarray = np.take_along_axis(cost, perm[:, None, :], axis=1).sum(axis=(1, 2))
    return costs


@cache
def _permutations(n_component: int) -> tuple[np.ndarray, np.ndarray]:
    """Return all permutations [permutation, component], and the costs they take, as 0 and 1."""
    every = np.array(list(permutations(range(n_component))))
    picks = (every[:, None, :] == np.arange(n_component)[:, None]).reshape(len(every), -1).T
    return every, np.ascontiguousarray(picks, dtype=float)
