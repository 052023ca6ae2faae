"""Relabelling by an order: the components of each draw are sorted by one parameter."""

import numpy as np
from numpy.typing import ArrayLike

from mixtures import checks
from mixtures.relabel.alternation import Fit
from mixtures.relabel.request import Request


def by_order(draws: ArrayLike, parameter: int = 0) -> np.ndarray:
    """Sort the components of each draw by one parameter.

    Parameters
    ----------
    draws : array_like, shape [draw, component, parameter] or [draw, component]
        Parameters of the components, finite; chains one after another.
    parameter : int
        Which one to sort by, smallest first. Of equal ones the first stays first.

    Returns
    -------
    numpy.ndarray of int, shape [draw, component]
        The permutations, for `apply`.

    Raises
    ------
    ValueError
        If `draws` has another shape, no draws, NaN or infinities, or if it does not have this
        `parameter`.
    """
    draws = as_draws(draws)
    last = draws.shape[2] - 1
    if not isinstance(parameter, int | np.integer) or not -last - 1 <= parameter <= last:
        says = f"expected a whole number from 0 to {last}, got {parameter!r}"
        raise ValueError(f"parameter: {says}")
    return np.argsort(draws[:, :, parameter], axis=1, kind="stable")


def order_of_trace(asked: Request) -> Fit:
    """Return the permutations of a trace, by one variable."""
    return Fit(by_order(asked.draws(asked.var_name), asked.parameter))


def as_draws(draws: ArrayLike) -> np.ndarray:
    """Return draws as floats [draw, component, parameter], or say what is wrong with them."""
    array = checks.numbers(draws, "draws")
    if array.ndim not in (2, 3) or array.size == 0:
        says = "expected shape [draw, component, parameter], none of them 0"
        raise ValueError(f"draws: {says}, got {[*array.shape]}")
    checks.finite(array, "draws")
    return array if array.ndim == 3 else array[:, :, None]
