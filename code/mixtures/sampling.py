"""The book's sampler: NUTS, compiled once for any number of datasets."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from mixtures import checks, models
from mixtures.extras import needs

with needs("pymc"):
    import nutpie

CHAINS = 4


@cache
def _compiled(build: Callable[..., Any]) -> Any:
    # one compilation serves every dataset; each process of an executor does its own, once
    return nutpie.compile_pymc_model(build(np.zeros(2)))


def sample(
    x: ArrayLike, draws: int, seed: int, tune: int = 500,
    build: Callable[..., Any] = models.unordered, **other: ArrayLike,
) -> xr.DataTree:
    """Sample a model of any dataset with NUTS, compiled once for all of them.

    Parameters
    ----------
    x : array_like, shape [n]
        The observations.
    draws, tune : int
        Kept and discarded draws of each of four chains.
    seed : int
        Seed of the sampler.
    build : callable
        Makes the PyMC model of data that it holds in a ``pm.Data`` named ``x``; see
        `mixtures.models`.
    **other
        Values of the model's further ``pm.Data``, by name.

    Returns
    -------
    xarray.DataTree
        With ``means``, dims (chain, draw, component), in its posterior group.

    Raises
    ------
    ValueError
        If `x` is empty, not one-dimensional or not finite.
    """
    model = _compiled(build).with_data(x=checks.observations(x), **other)
    found: xr.DataTree = nutpie.sample(
        model, draws=draws, tune=tune, chains=CHAINS, seed=seed, save_warmup=False,
        progress_bar=False,
    )
    return found
