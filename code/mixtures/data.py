"""Simulated data, seeded; the checks of data, numbers and seeds come from ``checks``."""

import numpy as np
from numpy.typing import ArrayLike

from mixtures import checks
from mixtures.checks import generator, numbers
from mixtures.checks import observations as check

__all__ = ["check", "draw", "generator", "numbers", "simulate"]

# the numbers of the datasets so far: a claim that names another is about other data than it says
DRAWN: set[int] = set()


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
        Distance between the two true means, in component standard deviations. They lie at plus and
        minus half of it.

    Returns
    -------
    numpy.ndarray, shape [n]
        The observations, in the order in which they were drawn.

    Raises
    ------
    ValueError
        If `seed` or `n` is not a whole number, or `separation` is not a number, negative or not
        finite.
    """
    checks.whole(n, "n")
    apart = numbers(separation, "separation")
    if apart.ndim or not (np.isfinite(apart) and apart >= 0):
        raise ValueError(f"separation: expected >= 0, got {separation!r}")
    rng = generator(seed)
    DRAWN.add(int(seed))
    component = rng.multinomial(1, [0.5, 0.5], n).argmax(axis=1)
    true_means = np.array([-apart / 2, apart / 2])
    x: np.ndarray = rng.normal(true_means[component], 1.0)
    return x


def draw(
    seed: int, n: int, means: ArrayLike, sigma: ArrayLike, weights: ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
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
        If `seed` or `n` is not a whole number, or the parameters are not finite, differ in length,
        hold a `sigma` that is not positive, or `weights` that are negative or do not sum to 1.
    """
    checks.whole(n, "n")
    means, sigma, weights = (
        check(v, name) for v, name in ((means, "means"), (sigma, "sigma"), (weights, "weights"))
    )
    for name, value in (("sigma", sigma), ("weights", weights)):
        if value.shape != means.shape:
            raise ValueError(
                f"{name}: expected one for each of {means.size} means, got {value.size}"
            )
    if sigma.min() <= 0:
        raise ValueError(f"sigma: expected positive standard deviations, got {sigma.min():g}")
    if weights.min() < 0 or abs(weights.sum() - 1) > 1e-9:
        raise ValueError(f"weights: expected shares >= 0 that sum to 1, got {weights.tolist()}")
    rng = generator(seed)
    z = rng.choice(means.size, n, p=weights)
    return rng.normal(means[z], sigma[z]), z
