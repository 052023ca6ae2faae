"""Which component each observation belongs to: probabilities, from draws, and labels."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from mixtures import checks
from mixtures.relabel.assignment import blocks
from mixtures.trace import fingerprint, posterior_of, variable


def memberships(
    tree: xr.DataTree, x: ArrayLike, *, means: str = "means", sigma: str | ArrayLike | None = None,
    weights: str | ArrayLike | None = None, component_dim: str | Sequence[str] = "component",
) -> xr.DataArray:
    """Return the probabilities that each observation came from each component, draw by draw.

    For a mixture of univariate Gaussians whose allocations have been summed out, as in
    ``pm.NormalMixture``::

        p[i, k] = w[k] Normal(x[i]; means[k], sigma[k]) / sum over j of w[j] Normal(x[i]; means[j],
        sigma[j])

    Parameters
    ----------
    tree : xarray.DataTree
        With a posterior group. Not changed.
    x : array_like, shape [n]
        The observations.
    means : str
        The posterior variable with the means, dims (chain, draw, `component_dim`) in any order.
    sigma : str, float or array_like, shape [component], optional
        Standard deviations, in the unit of `x`: the name of a posterior variable, with or without
        `component_dim`, or known numbers. If None, the posterior's ``sigma`` if it has one,
        otherwise 1.
    weights : str or array_like, shape [component], optional
        As `sigma`; they sum to 1. If None, the posterior's ``weights`` if it has them, otherwise
        all are equal.
    component_dim : str or list of str
        The dim that counts the components; several if each variable has its own, the first being
        that of the result.

    Returns
    -------
    xarray.DataArray, dims (chain, draw, obs, component)
        Of these, chain, draw and component have the coordinates of the means. Its attribute
        ``labels`` is a fingerprint of the trace's relabelling, by which `mixtures.relabel.relabel`
        refuses memberships of other labels.

    Raises
    ------
    ValueError
        If a variable or dim is missing, `x` is not one-dimensional or not finite, `sigma` is not
        positive, or `weights` are negative or do not sum to 1.
    """
    posterior, x = posterior_of(tree), checks.observations(x)
    labels = fingerprint(posterior)
    first, *others = [component_dim] if isinstance(component_dim, str) else list(component_dim)
    posterior = _renamed(posterior, first, others)
    dims = ("chain", "draw", first)
    sigma = ("sigma" if "sigma" in posterior.data_vars else 1.0) if sigma is None else sigma
    weights = "weights" if weights is None and "weights" in posterior.data_vars else weights
    centre = variable(posterior, means, "means", dims)
    if {*centre.dims} != {*dims}:
        raise ValueError(f"means: expected dims {dims}, but {means!r} has {centre.dims}")
    centre = centre.transpose(*dims)
    shape = centre.shape
    sd = _parameter(posterior, sigma, "sigma", dims, shape)
    if not (sd > 0).all():
        raise ValueError(f"sigma: expected positive standard deviations, got {sd.min()}")
    w = _parameter(posterior, 1 / shape[2] if weights is None else weights, "weights", dims, shape)
    if not (w >= 0).all() or np.abs(w.sum(axis=1) - 1).max() > 1e-6:
        raise ValueError("weights: expected numbers >= 0 that sum to 1 over the components")
    mu = checks.finite(checks.numbers(centre, "means"), "means").reshape(-1, shape[2])
    p = np.empty((len(mu), len(x), shape[2]))
    for rows in blocks(len(mu), p[0].size):
        p[rows] = _probabilities(x, mu[rows], sd[rows], w[rows])
    coords = {name: c for name, c in centre.coords.items() if {*c.dims} <= {*dims}}
    array = p.reshape(*shape[:2], *p.shape[1:])
    return xr.DataArray(array, coords, (*dims[:2], "obs", first), "memberships", {"labels": labels})


def _renamed(posterior: xr.Dataset, first: str, others: Sequence[str]) -> xr.Dataset:
    """Return a posterior in which all variables count the components by one dim."""
    for other in {*others} & {*posterior.dims}:
        # its own coordinate would only be in the way
        posterior = posterior.drop_vars(other, errors="ignore")
        same = {n: v.rename({other: first}) for n, v in posterior.items() if other in v.dims}
        posterior = posterior.assign(same)
    return posterior


def _probabilities(x: np.ndarray, mu: np.ndarray, sd: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Return probabilities [draw, n, component], from parameters [draw, component]."""
    # of weight 0 the logarithm is minus infinity, which is right
    with np.errstate(divide="ignore"):
        level = np.log(w) - np.log(sd)
    log_p = level[:, None, :] - 0.5 * ((x[:, None] - mu[:, None, :]) / sd[:, None, :]) ** 2
    # the largest becomes 1, so that however far from all components a point lies, something is left
    # to divide by
    log_p -= log_p.max(axis=2, keepdims=True)
    p: np.ndarray = np.exp(log_p, out=log_p)
    p /= p.sum(axis=2, keepdims=True)
    return p


def draw_allocations(
    p: xr.DataArray, seed: int, *, component_dim: str = "component"
) -> xr.DataArray:
    """Draw an allocation of each observation, from its membership probabilities.

    Parameters
    ----------
    p : xarray.DataArray, dims (chain, draw, obs, `component_dim`)
        Probabilities, as `memberships` returns them.
    seed : int
        Of the random generator, at least 0.
    component_dim : str
        The dim that counts the components.

    Returns
    -------
    xarray.DataArray of int, dims (chain, draw, obs)
        Labels, counted from 0.

    Raises
    ------
    ValueError
        If `p` is no DataArray, has no dim `component_dim`, is NaN, negative or does not sum to 1,
        or `seed` is not a whole number.
    """
    if not isinstance(p, xr.DataArray):
        raise ValueError(f"p: expected a DataArray, got {type(p).__name__}")
    if component_dim not in p.dims:
        says = f"expected one of the dims {p.dims} of p, got {component_dim!r}"
        raise ValueError(f"component_dim: {says}")
    last = p.transpose(..., component_dim)
    flat = last.to_numpy().reshape(-1, last.shape[-1])
    if flat.size == 0 or not (flat.min() >= 0 and np.abs(flat.sum(axis=1) - 1).max() <= 1e-6):
        says = f"expected probabilities that sum to 1 over {component_dim!r}, at least one of them"
        raise ValueError(f"p: {says}")
    rng = checks.generator(seed)
    z = np.empty(len(flat), dtype=int)
    for rows in blocks(len(flat), flat.shape[1]):
        bound = flat[rows].cumsum(axis=1)
        # times their sum, which rounding may have left a little below 1
        z[rows] = (rng.random(len(bound))[:, None] * bound[:, -1:] >= bound[:, :-1]).sum(axis=1)
    labels = last.isel({component_dim: 0}, drop=True)
    return labels.copy(data=z.reshape(labels.shape)).rename("allocations")


def _parameter(
    posterior: xr.Dataset, value: str | ArrayLike, name: str, dims: tuple[str, str, str],
    shape: tuple[int, ...],
) -> np.ndarray:
    """Return a parameter [draw, component] that was given as numbers or as a variable's name."""
    if isinstance(value, str):
        found = variable(posterior, value, name, dims[:2])
        array = checks.numbers(found.transpose(*dims, ..., missing_dims="ignore"), name)
        if not {*found.dims} <= {*dims}:
            raise ValueError(
                f"{name}: expected no dims beside {dims}, but {value!r} has {found.dims}"
            )
        array = array if dims[2] in found.dims else array[:, :, None]
    else:
        array = checks.numbers(value, name)
        if array.shape not in ((), shape[2:]):
            raise ValueError(
                f"{name}: expected a number or one for each of {shape[2]},"
                f" got shape {[*array.shape]}"
            )
    checks.finite(array, name)
    return np.broadcast_to(array, shape).reshape(-1, shape[2])
