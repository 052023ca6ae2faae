"""Where several rules give the same names, and where the choice of the rule decides."""

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import xarray as xr

from mixtures import trace
from mixtures.source import Source
from mixtures.trace import KEPT


def agreement(relabelled: Mapping[str, Source]) -> xr.DataArray:
    """Return in which draws rules of relabelling give the components the same names.

    A name is arbitrary as a whole: what one rule calls the first component, another may call the
    second in every draw. So before two are compared, one of them is renamed in the way, the same in
    all draws, that makes most draws agree.

    Parameters
    ----------
    relabelled : mapping of str to xarray.DataTree, xarray.Dataset or path
        By a name of your choice, what `relabel` made of one trace by different rules; two or more.

    Returns
    -------
    xarray.DataArray of bool, dims (rule, other, chain, draw)
        Its mean over chain and draw is a table of shares.

    Raises
    ------
    ValueError
        If there are fewer than two, or they have no variable ``permutation``, or one of other draws
        or components.

    Examples
    --------
    >>> agree = relabel.agreement({"sorted": by_order, "Stephens": by_data})
    >>> agree.mean(("chain", "draw"))
    """
    if len(relabelled) < 2:
        raise ValueError(f"relabelled: expected two or more traces, got {len(relabelled)}")
    kept = {name: _kept(source, name) for name, source in relabelled.items()}
    first_name, first = next(iter(kept.items()))
    for name, perm in kept.items():
        if perm.shape != first.shape:
            says = f"expected the draws and components of {first_name!r}, {[*first.shape]}"
            raise ValueError(f"relabelled[{name!r}]: {says}, got {[*perm.shape]}")
    names = [*kept]
    same = np.ones((len(names), len(names), *first.shape[:2]), dtype=bool)
    for i, j in combinations(range(len(names)), 2):
        same[i, j] = same[j, i] = _same(kept[names[i]], kept[names[j]])
    coords = {"rule": names, "other": names}
    return xr.DataArray(same, coords, ("rule", "other", "chain", "draw"), "agreement")


def _kept(source: Source, name: str) -> np.ndarray:
    """Return the permutations [chain, draw, component] that `relabel` left in a trace."""
    posterior = trace.posterior_of(source)
    if KEPT not in posterior or "method" not in posterior[KEPT].attrs:
        says = f"expected a trace that relabel returned, with a variable {KEPT!r}"
        raise ValueError(f"relabelled[{name!r}]: {says}")
    return posterior[KEPT].transpose("chain", "draw", ...).to_numpy()


def _same(perm: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return in which draws [chain, draw] two rules agree, one renamed as a whole."""
    # what the one calls the components that the other lists
    renamed = np.take_along_axis(np.argsort(perm, axis=2), other, axis=2)
    flat = renamed.reshape(-1, renamed.shape[2])
    _, place, counts = np.unique(flat, axis=0, return_inverse=True, return_counts=True)
    usual: np.ndarray = place.reshape(perm.shape[:2]) == counts.argmax()
    return usual
