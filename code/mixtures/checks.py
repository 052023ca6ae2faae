"""The checks of arguments: each returns what it accepts, or says by name what is wrong."""

from collections.abc import Collection

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
        got = f"{type(value).__name__} ({error})"
        raise ValueError(f"{name}: expected an array of real numbers, got {got}") from error


def finite(array: np.ndarray, name: str) -> np.ndarray:
    """Return an array of any shape as it is, or say by name that some of it is NaN or infinite."""
    bad = int(np.sum(~np.isfinite(array)))
    if bad:
        raise ValueError(f"{name}: expected finite numbers, got {bad} NaN or infinite")
    return array


def observations(x: ArrayLike, name: str = "x") -> np.ndarray:
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
        raise ValueError(f"{name}: expected one dimension [n], got shape {[*array.shape]}")
    if array.size == 0:
        raise ValueError(f"{name}: expected at least one observation, got none")
    return finite(array, name)


def pair(value: ArrayLike, name: str, positive: bool = False) -> np.ndarray:
    """Return one number or two as a float array [component], or say by name what is wrong."""
    array = numbers(value, name)
    if array.shape not in [(), (1,), (2,)]:
        got = [*array.shape]
        raise ValueError(f"{name}: expected one number or one for each component, got shape {got}")
    if not np.isfinite(array).all() or (positive and (array <= 0).any()):
        kind = "positive, finite" if positive else "finite"
        raise ValueError(f"{name}: expected {kind} numbers, got {value!r}")
    return np.broadcast_to(array, 2).copy()


def whole(value: object, name: str, least: int = 1) -> int:
    """Return a whole number of at least so much as Python's own, or say by name that it is none."""
    is_whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not isinstance(value, int | np.integer) or not is_whole or value < least:
        kind = "a positive whole number" if least == 1 else f"a whole number >= {least}"
        raise ValueError(f"{name}: expected {kind}, got {value!r}")
    return int(value)


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
    return np.random.default_rng(whole(seed, name, least=0))


def choice(value: object, name: str, among: Collection[str]) -> str:
    """Return one of the words to choose from, or say by name what they are."""
    if not isinstance(value, str) or value not in among:
        raise ValueError(f"{name}: expected one of {', '.join(map(repr, among))}, got {value!r}")
    return value


def names(value: object, argument: str, empty: bool = False) -> tuple[str, ...]:
    """Return a name, or a list of them, as a tuple without repetitions; `empty` lists may pass."""
    found = (value,) if isinstance(value, str) else value
    if (
        not isinstance(found, list | tuple)
        or not (found or empty)
        or not all(isinstance(name, str) for name in found)
    ):
        shown = repr(value) if isinstance(found, list | tuple) else type(value).__name__
        raise ValueError(f"{argument}: expected a name or a list of names, got {shown}")
    return tuple(dict.fromkeys(found))
