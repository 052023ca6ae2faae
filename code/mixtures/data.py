"""Simulated data, seeded, and the checks that every function asks of data, numbers and seeds."""

import numpy as np
from numpy.typing import ArrayLike


def numbers(value: ArrayLike, name: str) -> np.ndarray:
    """Return a fresh float array, or say by name that the value cannot be made into one.

    Parameters
    ----------
    value : array_like
        Real numbers, of any shape.
    name : str
        What to call them in an error message.

    Returns
    -------
    numpy.ndarray of float, of the same shape

    Raises
    ------
    ValueError
        If `value` is ragged, or holds what is no real number. NaN and infinities pass.
    """
    try:
        array = np.array(value)
        if array.dtype.kind in "cmMSUV":
            raise TypeError(f"{array.dtype} is not real")
        return array.astype(float)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{name}: expected an array of real numbers, got {type(value).__name__} ({error})") from error


def generator(seed: int, name: str = "seed") -> np.random.Generator:
    """Return the random generator of a whole number, or say by name that the seed is none.

    Parameters
    ----------
    seed : int
        At least 0.
    name : str
        What to call it in an error message.

    Returns
    -------
    numpy.random.Generator

    Raises
    ------
    ValueError
        If `seed` is not a whole number of 0 or more.
    """
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise ValueError(f"{name}: expected a whole number >= 0, got {seed!r}")
    return np.random.default_rng(seed)


def check(x: ArrayLike, name: str = "x") -> np.ndarray:
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
    array = numbers(x, name)
    if array.ndim != 1:
        raise ValueError(f"{name}: expected one dimension [n], got shape {list(array.shape)}")
    if array.size == 0:
        raise ValueError(f"{name}: expected at least one observation, got none")
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: expected finite numbers, got {np.sum(~np.isfinite(array))} NaN or infinite")
    return array


def simulate(seed: int, n: int = 100, separation: float = 2.0) -> np.ndarray:
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
        If `seed` or `n` is not a whole number, or `separation` is not a number, negative or not finite.
    """
    if not isinstance(n, int | np.integer) or n < 1:
        raise ValueError(f"n: expected a positive whole number, got {n!r}")
    apart = numbers(separation, "separation")
    if apart.ndim or not (np.isfinite(apart) and apart >= 0):
        raise ValueError(f"separation: expected >= 0, got {separation!r}")
    rng = generator(seed)
    component = rng.multinomial(1, [0.5, 0.5], n).argmax(axis=1)
    true_means = np.array([-apart / 2, apart / 2])
    x: np.ndarray = rng.normal(true_means[component], 1.0)
    return x


def draw(seed: int, n: int, means: ArrayLike, sigma: ArrayLike, weights: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Draw a dataset from any mixture of Gaussians.

    Parameters
    ----------
    seed : int
        Of the random generator, at least 0.
    n : int
        How many observations.
    means, sigma, weights : array_like, shape [component]
        The components' means, standard deviations and shares; the shares sum to 1.

    Returns
    -------
    x : numpy.ndarray, shape [n]
        The observations.
    z : numpy.ndarray of int, shape [n]
        The component from which each of them came.

    Raises
    ------
    ValueError
        If `seed` or `n` is not a whole number, or the parameters are not finite, differ in length, hold a `sigma` that
        is not positive, or `weights` that are negative or do not sum to 1.
    """
    if not isinstance(n, int | np.integer) or n < 1:
        raise ValueError(f"n: expected a positive whole number, got {n!r}")
    means, sigma, weights = (check(v, name) for v, name in ((means, "means"), (sigma, "sigma"), (weights, "weights")))
    for name, value in (("sigma", sigma), ("weights", weights)):
        if value.shape != means.shape:
            raise ValueError(f"{name}: expected one for each of {means.size} means, got {value.size}")
    if sigma.min() <= 0:
        raise ValueError(f"sigma: expected positive standard deviations, got {sigma.min():g}")
    if weights.min() < 0 or abs(weights.sum() - 1) > 1e-9:
        raise ValueError(f"weights: expected shares >= 0 that sum to 1, got {weights.tolist()}")
    rng = generator(seed)
    z = rng.choice(means.size, n, p=weights)
    return rng.normal(means[z], sigma[z]), z
