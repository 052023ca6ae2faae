"""Equivalence classes: each draw is relabelled so that its allocations agree with a pivot's."""

import numpy as np
from numpy.typing import ArrayLike

from mixtures import checks
from mixtures.relabel.alternation import Fit, iterate
from mixtures.relabel.apply import rename
from mixtures.relabel.assignment import blocks, cheapest, paid
from mixtures.relabel.request import Request


def ecr(z: ArrayLike, pivot: ArrayLike, *, components: int | None = None) -> np.ndarray:
    """Relabel each draw so that its allocations agree with a pivot's in most points.

    Draw t's permutation minimises the number of points i for which the relabelled ``z[t, i]`` is
    not ``pivot[i]``.

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
        If `z` or `pivot` has another shape, no draws or points, or labels that are not whole
        numbers from 0 to K - 1.

    References
    ----------
    Papastamoulis and Iliopoulos (2010), Journal of Computational and Graphical Statistics 19,
    313-331, doi:10.1198/jcgs.2010.09008.
    """
    return _to_pivot(z, pivot, components).perm


def ecr_of_trace(asked: Request) -> Fit:
    """Return the permutations of a trace, by its first allocations; mismatches left."""
    z, first = asked.labels()
    given = z[asked.best_draw()] if asked.pivot is None else np.asarray(asked.pivot) - first
    return _to_pivot(z, given, asked.n_component)


def _to_pivot(z: ArrayLike, pivot: object, components: int | None) -> Fit:
    z, n_component = _as_allocations(z, components)
    pivot = _labels(pivot, "pivot", ("n",), n_component)
    if pivot.shape != z.shape[1:]:
        says = f"expected one label for each of n = {z.shape[1]} points, got {pivot.size}"
        raise ValueError(f"pivot: {says}")
    return Fit(*_assign(z, pivot, n_component))


def ecr_iterative(
    z: ArrayLike, *, components: int | None = None, max_iterations: int = 100
) -> np.ndarray:
    """Relabel as `ecr` does, with a pivot that the draws themselves agree on.

    The pivot is each point's commonest relabelled allocation. Permutations and pivot in turn
    minimise the number of mismatches, over all draws and points, of relabelled allocations and
    pivot, until neither can be improved. Single draws serve as first pivots; the end with fewest
    mismatches is kept. Which label is which is theirs: arbitrary.

    Parameters
    ----------
    z : array_like of int, shape [draw, n]
        Allocations, 0 to K - 1.
    components : int, optional
        K. If None, one more than the largest label in `z`.
    max_iterations : int
        After so many passes through the draws it stops with the warning `NotConverged`, if there
        is no fixed point yet.

    Returns
    -------
    numpy.ndarray of int, shape [draw, component]
        The permutations, for `apply`; for `z` itself, `apply_to_allocations`.

    Raises
    ------
    ValueError
        If `z` has another shape, no draws or points, or labels that are not whole numbers from 0
        to K - 1, or if `max_iterations` is not a positive whole number.

    References
    ----------
    Rodriguez and Walker (2014), Journal of Computational and Graphical Statistics 23, 25-45,
    doi:10.1080/10618600.2012.735624; Papastamoulis (2016), Journal of Statistical Software 69,
    code snippet 1, doi:10.18637/jss.v069.c01.
    """
    return _to_agreement(z, components, max_iterations).perm


def ecr_iterative_of_trace(asked: Request) -> Fit:
    """Return the permutations of a trace, by its first allocations; mismatches left."""
    return _to_agreement(asked.labels()[0], asked.n_component, asked.max_iterations)


def _to_agreement(z: ArrayLike, components: int | None, max_iterations: int) -> Fit:
    z, n_component = _as_allocations(z, components)

    def step(rows: slice, pivot: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
        perm, mismatches = _assign(z[rows], pivot, n_component)
        return perm, mismatches, _majority(z[rows], perm)

    return iterate(step, lambda t: z[t].astype(int), len(z), max_iterations)


def _assign(z: np.ndarray, pivot: np.ndarray, n_component: int) -> tuple[np.ndarray, int]:
    """Return the permutations and all their mismatches."""
    agreement = _contingency(z, pivot, n_component)
    perm = cheapest(-agreement)
    return perm, z.size - int(paid(agreement, perm).sum())


def _contingency(z: np.ndarray, pivot: np.ndarray, n_component: int) -> np.ndarray:
    """Return how many points have label j in the draw and k in the pivot, [draw, j, k].

    The labels become numbers with a digit for each component, so that one product counts several
    of them at a time; a double holds 52 bits exactly, and a digit needs as many as n does.
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
        digits = (sums.astype(int)[:, None] >> shift[:, None]) & (2**bits - 1)
        counts[:, first : first + together] = digits
    return counts


def _majority(z: np.ndarray, perm: np.ndarray) -> np.ndarray:
    """Return the commonest relabelled allocation of each point, [n]; of equals the first."""
    n, n_component = z.shape[1], perm.shape[1]
    offset = n_component * np.arange(n)
    counts = np.zeros(n * n_component, dtype=int)
    for rows in blocks(len(z), n):
        labels = rename(z[rows], perm[rows])
        counts += np.bincount((labels + offset).ravel(), minlength=counts.size)
    return counts.reshape(n, n_component).argmax(axis=1)


def _as_allocations(z: ArrayLike, components: int | None) -> tuple[np.ndarray, int]:
    """Return checked allocations and the number of components."""
    if components is not None:
        checks.whole(components, "components")
    z = _labels(z, "z", ("draw", "n"), components)
    return z, int(z.max()) + 1 if components is None else int(components)


def _labels(
    value: object, name: str, axes: tuple[str, ...], n_component: int | None
) -> np.ndarray:
    array = np.asarray(value)
    if array.ndim != len(axes) or array.size == 0:
        shape = f"shape [{', '.join(axes)}], none of them 0"
        raise ValueError(f"{name}: expected {shape}, got {[*array.shape]}")
    if array.dtype.kind not in "iu":
        raise ValueError(f"{name}: expected labels that are integers, got {array.dtype}")
    least, most = array.min(), array.max()
    if least < 0 or (n_component is not None and most >= n_component):
        top = "any" if n_component is None else n_component - 1
        raise ValueError(f"{name}: expected labels from 0 to {top}, got {least} to {most}")
    # older releases of NumPy take no index of this type
    return array.astype(int) if array.dtype == np.uint64 else array
