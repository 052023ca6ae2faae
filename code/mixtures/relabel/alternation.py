"""Alternation from several starts: permutations that suit a pivot, a pivot that suits them, ..."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np

from mixtures import checks

# starting draws of the iterative methods, and at most how many draws are looked at to choose
# among them
STARTS, THINNED = 5, 200

# from rows of the draws and a pivot to their permutations, the objective and the next pivot
type Step = Callable[[slice, np.ndarray], tuple[np.ndarray, float, np.ndarray]]


class Fit(NamedTuple):
    """What a method found.

    Attributes
    ----------
    perm : numpy.ndarray of int, shape [draw, component]
    objective : float, optional
        What the permutations minimise, as the method documents it.
    iterations : int
        Passes through the draws.
    converged : bool
        Whether another pass would change nothing.
    """

    perm: np.ndarray
    objective: float | None = None
    iterations: int = 1
    converged: bool = True


class NotConverged(UserWarning):
    """An iterative method was stopped by `max_iterations` before it came to a fixed point."""


def iterate(
    step: Step, start: Callable[[int], np.ndarray], n_draw: int, max_iterations: int
) -> Fit:
    """Alternate as the iterative methods do, and warn if that comes to no end."""
    checks.whole(max_iterations, "max_iterations")
    stride = -(-n_draw // THINNED)
    fit, _ = from_several_starts(
        step, start, n_draw, starts=STARTS, stride=stride, max_iterations=max_iterations)
    if not fit.converged:
        says = (f"max_iterations: after {max_iterations} there was no fixed point;"
                " the permutations may still improve")
        warnings.warn(says, NotConverged, skip_file_prefixes=(str(Path(__file__).parent),))
    return fit


def from_several_starts(
    step: Step, start: Callable[[int], np.ndarray], n_draw: int, *, starts: int, stride: int,
    max_iterations: int, first: int | None = None,
) -> tuple[Fit, np.ndarray]:
    """Alternate from each of a few draws over some of them, and from the best end on over all.

    A start at the identity would depend on the labels the draws happen to have, and would never
    leave a pivot that is the same for all labels, as it is if they are switched in exactly half of
    the draws.

    Parameters
    ----------
    step : callable
        Takes a slice of draws and a pivot. Its two halves each lower the same objective.
    start : callable
        Takes the index of a draw, and returns a pivot.
    n_draw, starts : int
        How many draws there are, and how many of them to start from.
    stride : int
        Every so-manieth draw is looked at to choose among the starts.
    max_iterations : int
        Passes through the draws, from each start and over all.
    first : int, optional
        Passes from each start, if not as many.

    Returns
    -------
    Fit
    pivot : numpy.ndarray
        The one that the permutations suit.
    """
    thin = slice(None, None, stride)
    kept = np.arange(n_draw)[thin]
    places = kept[np.unique(np.linspace(0, len(kept) - 1, starts).astype(int))]
    passes = max_iterations if first is None else first
    ends = [_alternate(lambda pivot: step(thin, pivot), start(t), passes) for t in places]
    _, pivot = min(ends, key=lambda end: cast(float, end[0].objective))
    return _alternate(lambda pivot: step(slice(None), pivot), pivot, max_iterations)


def _alternate(
    step: Callable[[np.ndarray], tuple[np.ndarray, float, np.ndarray]], pivot: np.ndarray,
    max_iterations: int,
) -> tuple[Fit, np.ndarray]:
    """Repeat a step until the objective falls no more, or the pivot stays.

    The objective never rises. So where it stays, the permutations are the best for the pivot they
    were found with, and that pivot is the best for them.
    """
    perm, objective = np.empty(0, dtype=int), np.inf
    for iteration in range(1, max_iterations + 1):
        found, value, following = step(pivot)
        if iteration > 1 and not value < objective:
            return Fit(perm, objective, iteration), pivot
        perm, objective = found, value
        if np.array_equal(following, pivot):
            return Fit(perm, objective, iteration), pivot
        pivot = following
    return Fit(perm, objective, max_iterations, converged=False), pivot
