"""How often does NUTS swap the labels? Counted over many datasets, and set against the barrier."""

from collections.abc import Iterable
from concurrent.futures import Executor

import numpy as np
import xarray as xr
from scipy.optimize import minimize

from mixtures import data, exact
from mixtures.sampling import CHAINS, sample


def measure(
    n: int, separation: float, dataset: int, draws: int = 4_000, seed: int = 0
) -> tuple[float, int, int]:
    """Sample one dataset without an ordering, and count how often the labels swap.

    Parameters
    ----------
    n : int
        Observations.
    separation : float
        Distance between the true means, in component standard deviations.
    dataset : int
        Seed of the data, as in `mixtures.data.simulate`.
    draws : int
        Draws of each of four chains.
    seed : int
        Seed of the sampler.

    Returns
    -------
    barrier : float
        Nats.
    switches : int
        Pairs of successive draws, over all chains, with the two means in opposite order.
    steps : int
        All pairs of successive draws.

    Raises
    ------
    ValueError
        If `n`, `separation` or `dataset` is not as `mixtures.data.simulate` asks.
    """
    x = data.simulate(dataset, n, separation)
    means = sample(x, draws, seed).posterior["means"].values
    in_order = means[..., 0] < means[..., 1]
    return exact.barrier(x), int(np.count_nonzero(np.diff(in_order, axis=1))), CHAINS * (draws - 1)


def census(
    cells: Iterable[tuple[int, float, int]], draws: int = 4_000, seed: int = 0,
    executor: Executor | None = None,
) -> xr.Dataset:
    """Measure barrier and switch rate over many datasets.

    Parameters
    ----------
    cells : iterable of (int, float, int)
        Number of observations, separation and dataset of each.
    draws : int
        Draws of each of four chains.
    seed : int
        The i-th cell is sampled with seed + i, so that the answer does not depend on who measures
        what.
    executor : concurrent.futures.Executor, optional
        Where to run; here and now if None. A cluster is used by handing over Dask's
        ``client.get_executor()``.

    Returns
    -------
    xarray.Dataset, dims (cell,)
        ``n``, ``separation``, ``dataset``, ``barrier`` (nats), ``switches``, ``steps`` and ``rate``
        (switches a step).

    Raises
    ------
    ValueError
        If there are no cells, or one is not made of three numbers.
    """
    rows = [tuple(cell) for cell in cells]
    if not rows or any(len(row) != 3 for row in rows):
        raise ValueError("cells: expected at least one (n, separation, dataset)")
    n, separation, dataset = zip(*rows, strict=True)
    run = map if executor is None else executor.map
    seeds = [seed + i for i in range(len(rows))]
    found = list(run(measure, n, separation, dataset, [draws] * len(rows), seeds))
    barrier, switches, steps = (np.array(column) for column in zip(*found, strict=True))
    columns = {
        "n": n, "separation": separation, "dataset": dataset, "barrier": barrier,
        "switches": switches, "steps": steps, "rate": switches / steps,
    }
    return xr.Dataset({name: ("cell", np.asarray(column)) for name, column in columns.items()})


def fit(counted: xr.Dataset) -> tuple[float, float]:
    """Fit switches ~ Poisson(steps * front * exp(-slope * barrier)) by maximum likelihood.

    Rates of escape over a barrier fall exponentially with its height, as Arrhenius found for
    chemical reactions. Cells without a switch count too: they say that the rate is low.

    Parameters
    ----------
    counted : xarray.Dataset
        As returned by `census`; cells without a barrier are left out.

    Returns
    -------
    front : float
        Switches a step that the law gives at barrier 0.
    slope : float
        1 if the rate is proportional to exp(-barrier).

    Raises
    ------
    ValueError
        If fewer than three cells have a barrier, or none has a switch.
    """
    some = counted.isel(cell=np.flatnonzero(counted["barrier"] > 0))
    if some.sizes["cell"] < 3 or not some["switches"].any():
        raise ValueError(
            "counted: expected three cells or more with a barrier, and a switch in one of them"
        )
    barrier, switches, steps = (
        some[name].values.astype(float) for name in ("barrier", "switches", "steps")
    )

    def loss(parameters: np.ndarray) -> float:
        log_mean = np.log(steps) + parameters[0] - parameters[1] * barrier
        return float(np.sum(np.exp(log_mean) - switches * log_mean))

    found = minimize(
        loss, [np.log(0.3), 1.0], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-8}
    )
    return float(np.exp(found.x[0])), float(found.x[1])
