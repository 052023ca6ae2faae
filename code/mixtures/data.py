"""Simulated data, seeded, and the one check that every function asks of data."""

import numpy as np


def check(x, name="x"):
    """Return data as a float array, or say by name what is wrong with them.

    Parameters
    ----------
    x : array_like, shape [n]
        The observations.
    name : str
        What to call them in an error message.

    Returns
    -------
    numpy.ndarray, shape [n]
        A fresh array, so that later changes to `x` change nothing here.

    Raises
    ------
    ValueError
        If `x` is not numeric, not one-dimensional, empty, or holds a NaN or an infinity.
    """
    try:
        array = np.array(x, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: expected a one-dimensional array of numbers, got {type(x).__name__}") from error
    if array.ndim != 1:
        raise ValueError(f"{name}: expected one dimension [n], got shape {list(array.shape)}")
    if array.size == 0:
        raise ValueError(f"{name}: expected at least one observation, got none")
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: expected finite numbers, got {np.count_nonzero(~np.isfinite(array))} NaN or infinite")
    return array


def simulate(seed, n=100, separation=2.0):
    """Draw a dataset from two Gaussians of equal weight and unit standard deviation.

    "Dataset 8" in the book is ``simulate(8)``.

    Parameters
    ----------
    seed : int
        The dataset's number.
    n : int
        How many observations.
    separation : float
        Distance between the two true means, in component standard deviations. They lie at plus and minus half of it.

    Returns
    -------
    numpy.ndarray, shape [n]
        The observations, in the order in which they were drawn.

    Raises
    ------
    ValueError
        If `n` is not a positive whole number, or `separation` is negative or not finite.
    """
    if not isinstance(n, int | np.integer) or n < 1:
        raise ValueError(f"n: expected a positive whole number, got {n!r}")
    if not (np.isfinite(separation) and separation >= 0):
        raise ValueError(f"separation: expected a number >= 0, got {separation!r}")
    rng = np.random.default_rng(seed)
    component = rng.multinomial(1, [0.5, 0.5], n).argmax(axis=1)
    true_means = np.array([-separation / 2, separation / 2])
    return rng.normal(true_means[component], 1.0)
