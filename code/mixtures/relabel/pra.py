"""Pivotal reordering: each draw is relabelled to lie nearest to a pivot."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from mixtures import checks
from mixtures.relabel.alternation import Fit
from mixtures.relabel.apply import permute
from mixtures.relabel.assignment import blocks, cheapest
from mixtures.relabel.order import as_draws
from mixtures.relabel.request import Request


def pra(draws: ArrayLike, pivot: ArrayLike) -> np.ndarray:
    """Relabel each draw to lie nearest to a pivot (pivotal reordering).

    Draw t's permutation minimises ``sum_k |draws[t, perm[t, k]] - pivot[k]|^2``, or, which is the
    same, maximises the scalar product of relabelled draw and pivot. The parameters' units matter:
    divide each by a scale of its own (its posterior standard deviation, say) if one in large units
    is not to decide alone.

    Parameters
    ----------
    draws : array_like, shape [draw, component, parameter] or [draw, component]
        Parameters of the components, finite; chains one after another.
    pivot : array_like, shape [component, parameter] or [component]
        For instance the draw with the highest posterior density.

    Returns
    -------
    numpy.ndarray of int, shape [draw, component]
        The permutations, for `apply`.

    Raises
    ------
    ValueError
        If `draws` or `pivot` has another shape, no draws, NaN or infinities.

    References
    ----------
    Marin, Mengersen and Robert (2005), Handbook of Statistics 25,
    doi:10.1016/S0169-7161(05)25016-2; Marin and Robert (2007), Bayesian Core, Springer.
    """
    draws = as_draws(draws)
    return _nearest(draws, _as_pivot(pivot, draws))


def pra_of_trace(asked: Request) -> Fit:
    """Return the permutations of a trace, by one variable or several; squared distance left."""
    names = checks.names(asked.var_name, "var_name")
    parts = [asked.draws(name) for name in names]
    draws = as_draws(np.concatenate(parts, axis=2))
    given: ArrayLike
    if asked.pivot is None:
        given = draws[asked.best_draw()]
    elif isinstance(asked.pivot, Mapping):
        given = _by_name(asked.pivot, names, parts)
    else:
        given = asked.pivot
    pivot = _as_pivot(given, draws)
    perm = _nearest(draws, pivot)
    return Fit(perm, float(((permute(draws, perm) - pivot) ** 2).sum()))


def _by_name(
    pivot: Mapping[str, ArrayLike], names: tuple[str, ...], parts: list[np.ndarray]
) -> np.ndarray:
    """Return a pivot [component, parameter] from one array for each variable."""
    found = []
    for name, part in zip(names, parts, strict=True):
        if name not in pivot:
            expected = ", ".join(names)
            raise ValueError(f"pivot: expected entries {expected}, got none for {name!r}")
        array = checks.numbers(pivot[name], f"pivot[{name!r}]")
        if array.shape[:1] != part.shape[1:2] or array.size != part[0].size:
            got = [*array.shape]
            says = f"expected {part[0].size} numbers for {name!r}, got shape {got}"
            raise ValueError(f"pivot: {says}")
        found.append(array.reshape(len(array), -1))
    return np.concatenate(found, axis=1)


def _as_pivot(pivot: ArrayLike, draws: np.ndarray) -> np.ndarray:
    """Return a checked pivot [component, parameter]."""
    array = checks.numbers(pivot, "pivot")
    array = array[:, None] if array.ndim == 1 else array
    if array.shape != draws.shape[1:]:
        says = f"expected shape [component, parameter] {[*draws.shape[1:]]}"
        raise ValueError(f"pivot: {says}, got {[*array.shape]}")
    return checks.finite(array, "pivot")


def _nearest(draws: np.ndarray, pivot: np.ndarray) -> np.ndarray:
    # the squared distance around the pivot's centre, where rounding does least, without the draws'
    # own squares. The pivot's are no choice either, but with them most components have one
    # nearest, which makes `cheapest` quick
    n_draw, n_component, n_parameter = draws.shape
    centre = pivot.mean(axis=0)
    components, target = (draws - centre).reshape(-1, n_parameter), pivot - centre
    cost = np.empty((len(components), n_component))
    for rows in blocks(len(cost), target.size):
        np.matmul(components[rows], -2 * target.T, out=cost[rows])
    cost += (target**2).sum(axis=1)
    return cheapest(cost.reshape(n_draw, n_component, n_component))
