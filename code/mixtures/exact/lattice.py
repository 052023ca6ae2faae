"""Sums, integrals and interpolation on an evenly spaced lattice.

A smooth density that dies away is fixed by its values at evenly spaced points, up to an error that
falls faster than any power of the spacing: the rectangle rule integrates it, and the cardinal
(sinc) series gives it back in between [Trefethen and Weideman 2014, SIAM Review 56, 385-458]. Both
still hold when points where the density is negligible are left out. Integrals over a half line come
from the integral of the sinc, the sine integral.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import sici

# lower and upper ends of stretches, disjoint and increasing
type Intervals = list[list[float]]


def merge(intervals: Iterable[tuple[float, float]]) -> Intervals:
    """Join overlapping intervals into disjoint, increasing ones.

    Parameters
    ----------
    intervals : iterable of (float, float)
        Lower and upper ends.

    Returns
    -------
    list of [float, float]
    """
    merged: Intervals = []
    for low, high in sorted(intervals):
        if merged and low <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], high)
        else:
            merged.append([low, high])
    return merged


def indices(intervals: Intervals, spacing: float) -> np.ndarray:
    """Return the numbers k of the lattice points k * spacing that cover disjoint intervals.

    Parameters
    ----------
    intervals : list of (float, float)
        Disjoint and increasing.
    spacing : float

    Returns
    -------
    numpy.ndarray of int, shape [points]
    """
    runs = [
        np.arange(np.floor(low / spacing), np.ceil(high / spacing) + 1) for low, high in intervals
    ]
    return np.unique(np.concatenate(runs).astype(int))


def interpolator(at: ArrayLike, points: np.ndarray, spacing: float) -> np.ndarray:
    """Return the matrix that takes values on the lattice to values at other places.

    Parameters
    ----------
    at : array_like, shape [places]
    points : numpy.ndarray, shape [points]
    spacing : float

    Returns
    -------
    numpy.ndarray, shape [places, points]
    """
    weights: np.ndarray = np.sinc((np.asarray(at)[:, None] - points) / spacing)
    return weights


def accumulator(at: ArrayLike, points: np.ndarray, spacing: float) -> np.ndarray:
    """Return the matrix that takes point masses on the lattice to the mass below other places.

    Parameters
    ----------
    at : array_like, shape [places]
    points : numpy.ndarray, shape [points]
    spacing : float

    Returns
    -------
    numpy.ndarray, shape [places, points]
    """
    weights: np.ndarray = (
        0.5 + sici(np.pi * (np.asarray(at)[:, None] - points) / spacing)[0] / np.pi
    )
    return weights


def mean_distance(masses: np.ndarray, points: np.ndarray, spacing: float) -> float:
    """Integrate |t| f(t) over the line, for an f whose point masses on the lattice are given.

    |t| has a kink at 0, which the rectangle rule would feel. t f(t) has none: its integrals over
    the two half lines are subtracted.

    Parameters
    ----------
    masses : numpy.ndarray, shape [points]
        f at the lattice points, times the spacing.
    points : numpy.ndarray, shape [points]
    spacing : float

    Returns
    -------
    float
    """
    below = accumulator([0.0], points, spacing)[0]
    return float(((1 - 2 * below) * points) @ masses)
