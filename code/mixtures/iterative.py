"""Which permutation undoes the switching in each draw, when the pivot, too, has to be found.

With ``permutations`` the private half of ``relabel``, for plain arrays.
"""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import xlogy

from mixtures import data
from mixtures.assignment import blocks, cheapest, paid
from mixtures.permutations import Fit, as_labels, ecr_assign

# starting draws of the iterative methods, and at most how many draws are looked at to choose among them
STARTS, THINNED = 5, 200
# a starting draw's probabilities are mixed with this share of the uniform: its zeros say little of the other draws
SMOOTHING = 0.1
# log Q is taken of no less than this: a component that no draw ever gives a point costs much there, but not infinity
TINY = 1e-300

# permutations, objective and next pivot
type Step = tuple[np.ndarray, float, np.ndarray]


class NotConverged(UserWarning):
    """An iterative method was stopped by `max_iterations` before it came to a fixed point."""


def ecr_iterative(
    z: ArrayLike, *, components: int | None = None, max_iterations: int = 100, history: bool = False
) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
    """Relabel as `ecr` does, with a pivot that the draws themselves agree on.

    The pivot is each point's commonest relabelled allocation. Permutations and pivot in turn minimise the number of
    mismatches, over all draws and points, of relabelled allocations and pivot, until neither can be improved. Single
    draws serve as first pivots; the end with fewest mismatches is kept. Which label is which is theirs: arbitrary.

    Parameters
    ----------
    z : array_like of int, shape [draw, n]
        Allocations, 0 to K - 1.
    components : int, optional
        K. If None, one more than the largest label in `z`.
    max_iterations : int
        After so many passes through the draws it stops with the warning `NotConverged`, if there is no fixed point yet.
    history : bool
        Whether to return the objective, too.

    Returns
    -------
    perm : numpy.ndarray of int, shape [draw, component]
        The permutations, for `apply`; for `z` itself, `apply_to_allocations`.
    mismatches : numpy.ndarray of int, shape [iteration]
        After each iteration, all draws together. Only if `history`.

    Raises
    ------
    ValueError
        If `z` has another shape, no draws or points, or labels that are not whole numbers from 0 to K - 1, or if
        `max_iterations` is not a positive whole number.

    References
    ----------
    Rodriguez and Walker (2014), Journal of Computational and Graphical Statistics 23, 25-45,
    doi:10.1080/10618600.2012.735624; Papastamoulis (2016), Journal of Statistical Software 69, code snippet 1,
    doi:10.18637/jss.v069.c01.
    """
    fit = ecr_iterative_fit(z, max_iterations, components)
    return (fit.perm, fit.history) if history else fit.perm


def ecr_iterative_fit(z: ArrayLike, max_iterations: int, components: int | None = None) -> Fit:
    """As `ecr_iterative`, and say how it went."""
    z, n_component = as_labels(z, components)

    def step(rows: slice, pivot: np.ndarray) -> Step:
        perm, mismatches = ecr_assign(z[rows], pivot, n_component)
        return perm, mismatches, _majority(z[rows], perm)

    return _from_single_draws(step, lambda t: z[t].astype(int), len(z), max_iterations)


def stephens(
    p: ArrayLike, *, max_iterations: int = 100, history: bool = False
) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
    """Relabel the draws so that their probabilities of allocation agree (Stephens's algorithm 2).

    Permutations and Q in turn minimise, until neither can be improved, ::

        sum over t, i, k of  p[t, i, perm[t, k]] * log(p[t, i, perm[t, k]] / Q[i, k])

    the Kullback-Leibler divergence of the relabelled p from Q. The best Q is the mean of the relabelled p. Single
    draws, mixed with a little of the uniform, serve as first Q; the end with the smallest divergence is kept. Which
    label is which is theirs: arbitrary.

    Parameters
    ----------
    p : array_like, shape [draw, n, component]
        The probability that point i belongs to component k; ``p[t, i]`` sums to 1. See `memberships`.
    max_iterations : int
        After so many passes through the draws it stops with the warning `NotConverged`, if there is no fixed point yet.
    history : bool
        Whether to return the objective, too.

    Returns
    -------
    perm : numpy.ndarray of int, shape [draw, component]
        The permutations, for `apply`.
    divergence : numpy.ndarray, shape [iteration]
        In nats, after each iteration, all draws together. Only if `history`.

    Raises
    ------
    ValueError
        If `p` has another shape, no draws or points, is NaN, negative or does not sum to 1, or if `max_iterations` is
        not a positive whole number.

    References
    ----------
    Stephens (2000), Journal of the Royal Statistical Society B 62, 795-809, section 4.1, doi:10.1111/1467-9868.00265.
    """
    fit = stephens_fit(p, max_iterations, entropy=history)
    return (fit.perm, fit.history) if history else fit.perm


def stephens_fit(p: ArrayLike, max_iterations: int, entropy: bool = True) -> Fit:
    """Return the `Fit`; its history lacks the sum of p log p, which no permutation changes, unless `entropy`."""
    p = _as_probabilities(p)

    def start(t: int) -> np.ndarray:
        smooth: np.ndarray = (1 - SMOOTHING) * p[t] + SMOOTHING / p.shape[2]
        return smooth

    fit = _from_single_draws(lambda rows, q: _stephens_step(p[rows], q), start, len(p), max_iterations)
    if not entropy:
        return fit
    constant = sum(xlogy(p[rows], p[rows]).sum() for rows in blocks(len(p), p[0].size))
    # rounding may take it below zero, where the draws all agree
    return fit._replace(history=np.maximum(fit.history + constant, 0.0))


def _from_single_draws(
    step: Callable[[slice, np.ndarray], Step], start: Callable[[int], np.ndarray], n_draw: int, max_iterations: int
) -> Fit:
    """Alternate from each of a few draws over some of them, and from the best end on over all.

    A start at the identity would depend on the labels the draws happen to have, and would never leave a Q that is
    uniform, as it is if the labels are switched in exactly half of the draws.
    """
    if not isinstance(max_iterations, int | np.integer) or max_iterations < 1:
        raise ValueError(f"max_iterations: expected a positive whole number, got {max_iterations!r}")
    thin = slice(None, None, -(-n_draw // THINNED))
    kept = np.arange(n_draw)[thin]
    starts = kept[np.unique(np.linspace(0, len(kept) - 1, STARTS).astype(int))]
    ends = [_alternate(lambda pivot: step(thin, pivot), start(t), max_iterations) for t in starts]
    pivot = min(ends, key=lambda end: end.history[-1]).pivot
    fit = _alternate(lambda pivot: step(slice(None), pivot), pivot, max_iterations)
    if not fit.converged:
        says = f"max_iterations: after {max_iterations} there was no fixed point; the permutations may still improve"
        warnings.warn(says, NotConverged, skip_file_prefixes=(str(Path(__file__).parent),))
    return fit


def _alternate(step: Callable[[np.ndarray], Step], pivot: np.ndarray, max_iterations: int) -> Fit:
    """Repeat a step, from a pivot to permutations, objective and next pivot, until the objective stays as it is.

    The step's two halves each minimise the same objective. So it never rises, and where it stays, the permutations are
    the best for the pivot they were found with, and that pivot is the best for them.
    """
    history: list[float] = []
    perm = np.empty(0, dtype=int)
    for _ in range(max_iterations):
        found, objective, following = step(pivot)
        if history and not objective < history[-1]:
            if not objective <= history[-1] + 1e-9 * abs(history[-1]):
                raise ArithmeticError(f"the objective rose from {history[-1]} to {objective}")
            return Fit(perm, pivot, np.array([*history, history[-1]]), True)
        history.append(objective)
        perm = found
        if np.array_equal(following, pivot):
            return Fit(perm, pivot, np.array(history), True)
        pivot = following
    return Fit(perm, pivot, np.array(history), False)


def _majority(z: np.ndarray, perm: np.ndarray) -> np.ndarray:
    """Return the commonest relabelled allocation of each point, [n]; of equally common ones the first."""
    n, n_component = z.shape[1], perm.shape[1]
    inverse, offset = np.argsort(perm, axis=1), n_component * np.arange(n)
    counts = np.zeros(n * n_component, dtype=int)
    for rows in blocks(len(z), n):
        labels = np.take_along_axis(inverse[rows], z[rows].astype(np.intp, copy=False), axis=1)
        counts += np.bincount((labels + offset).ravel(), minlength=counts.size)
    return counts.reshape(n, n_component).argmax(axis=1)


def _stephens_step(p: np.ndarray, q: np.ndarray) -> Step:
    """Return permutations, cross entropy (nats) and the next Q [n, component]; each draw is read once for all three."""
    n_draw, n, n_component = p.shape
    log_q = np.log(np.maximum(q, TINY))
    perm, total, objective = np.empty((n_draw, n_component), dtype=int), np.zeros((n_component, n)), 0.0
    for rows in blocks(n_draw, n * n_component):
        block = p[rows].astype(float, copy=False).transpose(0, 2, 1)
        cost = -(block @ log_q)
        perm[rows] = cheapest(cost)
        objective += paid(cost, perm[rows]).sum()
        total += block[np.arange(len(block))[:, None], perm[rows]].sum(axis=0)
    return perm, float(objective), total.T / n_draw


def _as_probabilities(p: ArrayLike) -> np.ndarray:
    array = p if isinstance(p, np.ndarray) and p.dtype.kind == "f" else data.numbers(p, "p")
    if array.ndim != 3 or array.size == 0:
        raise ValueError(f"p: expected shape [draw, n, component], none of them 0, got {[*array.shape]}")
    # so written that NaN is refused as well
    if not array.min() >= 0:
        raise ValueError(f"p: expected probabilities, got {array.min()}")
    for rows in blocks(len(array), array[0].size):
        off = np.abs(array[rows] @ np.ones(array.shape[2]) - 1).max()
        if not off <= 1e-6:
            raise ValueError(f"p: expected each point's probabilities to sum to 1, got a sum that is off by {off:.2g}")
    return array
