"""Which permutation undoes the switching in each draw, in one pass: by an order, or by the likeness to a pivot.

With ``iterative`` the private half of ``relabel``, for plain arrays. A permutation is integer [draw, component],
0-based: ``perm[t, k] = j`` means that the relabelled component k of draw t takes original component j.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from mixtures import data
from mixtures.assignment import blocks, cheapest, paid


class Fit(NamedTuple):
    """What a method found: permutations, its last pivot, the objective after each iteration, and if it is at rest."""

    perm: np.ndarray
    pivot: np.ndarray
    history: np.ndarray
    converged: bool


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
        If `draws` has another shape, no draws, NaN or infinities, or if it does not have this `parameter`.
    """
    draws = as_draws(draws)
    last = draws.shape[2] - 1
    if not isinstance(parameter, int | np.integer) or not -last - 1 <= parameter <= last:
        raise ValueError(f"parameter: expected a whole number from 0 to {last}, got {parameter!r}")
    return np.argsort(draws[:, :, parameter], axis=1, kind="stable")


def pra(draws: ArrayLike, pivot: ArrayLike) -> np.ndarray:
    """Relabel each draw to lie nearest to a pivot (pivotal reordering).

    Draw t's permutation minimises ``sum_k |draws[t, perm[t, k]] - pivot[k]|^2``, or, which is the same, maximises the
    scalar product of relabelled draw and pivot. The parameters' units matter: divide each by a scale of its own (its
    posterior standard deviation, say) if one in large units is not to decide alone.

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
    Marin, Mengersen and Robert (2005), Handbook of Statistics 25, doi:10.1016/S0169-7161(05)25016-2; Marin and Robert
    (2007), Bayesian Core, Springer.
    """
    return _nearest(*_comparable(draws, pivot))


def pra_fit(draws: ArrayLike, pivot: ArrayLike) -> Fit:
    """As `pra`, and say how far it leaves the draws from the pivot."""
    draws, pivot = _comparable(draws, pivot)
    perm = _nearest(draws, pivot)
    distance = (np.take_along_axis(draws, perm[:, :, None], axis=1) - pivot) ** 2
    return Fit(perm, pivot, np.array([distance.sum()]), True)


def _comparable(draws: ArrayLike, pivot: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return checked draws [draw, component, parameter] and pivot [component, parameter]."""
    draws, pivot = as_draws(draws), data.numbers(pivot, "pivot")
    pivot = pivot[:, None] if pivot.ndim == 1 else pivot
    if pivot.shape != draws.shape[1:]:
        raise ValueError(f"pivot: expected shape [component, parameter] {[*draws.shape[1:]]}, got {[*pivot.shape]}")
    _finite(pivot, "pivot")
    return draws, pivot


def _nearest(draws: np.ndarray, pivot: np.ndarray) -> np.ndarray:
    # the squared distance around the pivot's centre, where rounding does least, without the draws' own squares. The
    # pivot's are no choice either, but with them most components have one nearest, which makes `cheapest` quick
    n_draw, n_component, n_parameter = draws.shape
    centre = pivot.mean(axis=0)
    components, target = (draws - centre).reshape(-1, n_parameter), pivot - centre
    cost = np.empty((len(components), n_component))
    for rows in blocks(len(cost), target.size):
        np.matmul(components[rows], -2 * target.T, out=cost[rows])
    cost += (target**2).sum(axis=1)
    return cheapest(cost.reshape(n_draw, n_component, n_component))


def ecr(z: ArrayLike, pivot: ArrayLike, *, components: int | None = None) -> np.ndarray:
    """Relabel each draw so that its allocations agree with a pivot's in most points (equivalence classes).

    Draw t's permutation minimises the number of points i for which the relabelled ``z[t, i]`` is not ``pivot[i]``.

    Parameters
    ----------
    z : array_like of int, shape [draw, n]
        Allocations, 0 to K - 1.
    pivot : array_like of int, shape [n]
        One good allocation, such as that of the draw with the highest posterior density.
    components : int, optional
        K. If None, one more than the largest label in `z`.

    Returns
    -------
    numpy.ndarray of int, shape [draw, component]
        The permutations, for `apply`; for `z` itself, `apply_to_allocations`.

    Raises
    ------
    ValueError
        If `z` or `pivot` has another shape, no draws or points, or labels that are not whole numbers from 0 to K - 1.

    References
    ----------
    Papastamoulis and Iliopoulos (2010), Journal of Computational and Graphical Statistics 19, 313-331,
    doi:10.1198/jcgs.2010.09008.
    """
    return ecr_fit(z, pivot, components).perm


def ecr_fit(z: ArrayLike, pivot: object, components: int | None = None) -> Fit:
    """As `ecr`, and count what it leaves unlike the pivot."""
    z, n_component = as_labels(z, components)
    pivot = _labels(pivot, "pivot", ("n",), n_component)
    if pivot.shape != z.shape[1:]:
        raise ValueError(f"pivot: expected one label for each of n = {z.shape[1]} points, got {pivot.size}")
    perm, mismatches = ecr_assign(z, pivot, n_component)
    return Fit(perm, pivot, np.array([mismatches]), True)


def ecr_assign(z: np.ndarray, pivot: np.ndarray, n_component: int) -> tuple[np.ndarray, int]:
    """Return the permutations and all their mismatches."""
    agreement = _contingency(z, pivot, n_component)
    perm = cheapest(-agreement)
    return perm, z.size - int(paid(agreement, perm).sum())


def _contingency(z: np.ndarray, pivot: np.ndarray, n_component: int) -> np.ndarray:
    """Return how many points have label j in the draw and k in the pivot, [draw, j, k].

    The labels become numbers with a digit for each component, so that one product counts several of them at a time;
    a double holds 52 bits exactly, and a digit needs as many as n does.
    """
    n_draw, n = z.shape
    bits = n.bit_length()
    together = max(1, 52 // bits)
    in_pivot = (pivot[:, None] == np.arange(n_component)).astype(float)
    counts = np.empty((n_draw, n_component, n_component))
    for first in range(0, n_component, together):
        shift = bits * np.arange(min(together, n_component - first))
        digit = np.zeros(n_component)
        digit[first : first + together] = 2.0**shift
        sums = np.empty((n_draw, n_component))
        for rows in blocks(n_draw, n * n_component):
            # the labels have been checked; to clip them is quicker than to check them again
            np.matmul(np.take(digit, z[rows], mode="clip"), in_pivot, out=sums[rows])
        counts[:, first : first + together] = (sums.astype(int)[:, None] >> shift[:, None]) & (2**bits - 1)
    return counts


def as_draws(draws: ArrayLike, name: str = "draws") -> np.ndarray:
    """Return draws as floats [draw, component, parameter], or say by name what is wrong with them."""
    array = data.numbers(draws, name)
    if array.ndim not in (2, 3) or array.size == 0:
        raise ValueError(f"{name}: expected shape [draw, component, parameter], none of them 0, got {[*array.shape]}")
    _finite(array, name)
    return array if array.ndim == 3 else array[:, :, None]


def _finite(array: np.ndarray, name: str) -> None:
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: expected finite numbers, got {np.sum(~np.isfinite(array))} NaN or infinite")


def _labels(value: object, name: str, axes: tuple[str, ...], n_component: int | None = None) -> np.ndarray:
    array = np.asarray(value)
    shape = f"shape [{', '.join(axes)}], none of them 0"
    if array.ndim != len(axes) or array.size == 0:
        raise ValueError(f"{name}: expected {shape}, got {[*array.shape]}")
    if array.dtype.kind not in "iu":
        raise ValueError(f"{name}: expected labels that are integers, got {array.dtype}")
    least, most = array.min(), array.max()
    if least < 0 or (n_component is not None and most >= n_component):
        top = "any" if n_component is None else n_component - 1
        raise ValueError(f"{name}: expected labels from 0 to {top}, got {least} to {most}")
    # older releases of NumPy take no index of this type
    return array.astype(int) if array.dtype == np.uint64 else array


def as_labels(z: ArrayLike, components: int | None) -> tuple[np.ndarray, int]:
    """Return checked allocations and the number of components."""
    if components is not None and (not isinstance(components, int | np.integer) or components < 1):
        raise ValueError(f"components: expected a positive whole number, got {components!r}")
    z = _labels(z, "z", ("draw", "n"), components)
    return z, int(z.max()) + 1 if components is None else int(components)
