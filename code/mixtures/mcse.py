"""Standard errors of what chapters measure, each in the unit of what it belongs to.

Draws are xarray with dims (chain, draw), or arrays of that shape; what is not about draws takes the
values of independent replicates: datasets, seeds, fits.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from arviz_stats.base.array import array_stats
from numpy.typing import ArrayLike

from mixtures.checks import numbers


def mean(draws: ArrayLike) -> float:
    """Return the Monte Carlo standard error of the mean of a quantity.

    Parameters
    ----------
    draws : array_like, shape [chain, draw]

    Returns
    -------
    float
    """
    return float(array_stats.mcse(_chains(draws), method="mean"))


def sd(draws: ArrayLike) -> float:
    """Return the Monte Carlo standard error of the standard deviation of a quantity.

    Parameters
    ----------
    draws : array_like, shape [chain, draw]

    Returns
    -------
    float
    """
    return float(array_stats.mcse(_chains(draws), method="sd"))


def share(events: ArrayLike) -> float:
    """Return the Monte Carlo standard error of the share of draws in which something is so.

    It is the binomial's for the effective number of draws, with two successes and two failures
    added, so that a share of none or all has an error too.

    Parameters
    ----------
    events : array_like of bool, shape [chain, draw]

    Returns
    -------
    float
    """
    events = _chains(events)
    effective = float(events.size)
    if 0 < events.mean() < 1:
        effective = min(effective, float(array_stats.ess(events, method="mean")))
    p = (effective * events.mean() + 2) / (effective + 4)
    return float(np.sqrt(p * (1 - p) / effective))


def rhat(draws: ArrayLike) -> float:
    """Return about how far R-hat moves from seed to seed where chains agree.

    With `m` chains of effective size `e` each, R-hat exceeds one by about (F - 1) / 2e, where
    (m - 1) F is chi-squared with m - 1 degrees of freedom: the means of chains scatter by chance.

    Parameters
    ----------
    draws : array_like, shape [chain, draw]

    Returns
    -------
    float
    """
    draws = _chains(draws)
    chains = len(draws)
    effective = float(array_stats.ess(draws, method="bulk")) / chains
    return float(np.sqrt(2 / (chains - 1)) / (2 * effective))


def replicates(values: ArrayLike) -> float:
    """Return the standard error of the mean of independent replicates.

    Parameters
    ----------
    values : array_like, shape [replicate]
        At least two.

    Returns
    -------
    float
    """
    values = numbers(values, "values")
    if values.ndim != 1 or values.size < 2:
        raise ValueError(f"values: expected two replicates or more, got shape {values.shape}")
    return float(values.std(ddof=1) / np.sqrt(values.size))


def jackknife(function: Callable[..., Any], *draws: ArrayLike, batches: int = 20) -> float:
    """Return the standard error of any smooth function of draws, by leaving out batches.

    One batch is left out at a time. Batches are stretches of the chains, much longer than draws
    remember (Künsch, *The Annals of Statistics* 17, 1989). Where chains do not mix with one
    another, a chain is a batch: give as many batches as there are chains.

    Parameters
    ----------
    function : callable
        Takes as many arrays as there are `draws`, flat over chains and draws, and returns a number.
    *draws : array_like, shape [chain, draw, ...]
        All of the same chains and draws.
    batches : int
        A multiple of the number of chains.

    Returns
    -------
    float
    """
    arrays = [np.asarray(d) for d in draws]
    flat = [a.reshape(-1, *a.shape[2:]) for a in arrays]
    parts = np.array_split(np.arange(len(flat[0])), batches)
    left = [float(function(*(np.delete(a, part, axis=0) for a in flat))) for part in parts]
    return float(np.sqrt((batches - 1) * np.var(left)))


def _chains(draws: ArrayLike) -> np.ndarray:
    """Return draws as a float array [chain, draw]."""
    if isinstance(draws, xr.DataArray):
        draws = draws.transpose("chain", "draw")
    array = numbers(np.asarray(draws), "draws")
    if array.ndim != 2:
        raise ValueError(
            f"draws: expected one quantity, with shape [chain, draw], got {array.shape}"
        )
    return array
