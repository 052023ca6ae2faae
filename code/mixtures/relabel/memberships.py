"""Which component each observation belongs to: probabilities, from draws, and labels."""

from collections.abc import Callable, Mapping

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from mixtures import checks, doubts, trace
from mixtures.relabel.assignment import blocks
from mixtures.relabel.parameters import Parameters, some
from mixtures.source import Source
from mixtures.trace import Names

type LogDensity = Callable[[np.ndarray, Mapping[str, np.ndarray]], np.ndarray]
type Given = str | ArrayLike | None


def memberships(
    source: Source, x: ArrayLike, log_density: LogDensity | None = None, *, means: str = "means",
    sigma: Given = None, precision: Given = None, weights: Given = None,
    component_dim: Names = "component", obs_dim: str = "obs", average: bool = False,
) -> xr.DataArray:
    """Return the probabilities that each observation came from each component, draw by draw.

    For a mixture whose allocations have been summed out, as in ``pm.NormalMixture``::

        p[i, k] = w[k] f(x[i]; theta[k]) / sum over j of w[j] f(x[i]; theta[j])

    Components are univariate Gaussians, unless `log_density` says what else they are. Nothing is
    assumed of scales and weights: they are variables of the posterior, or given.

    Parameters
    ----------
    source : xarray.DataTree, xarray.Dataset, InferenceData or path
        A trace. Not changed.
    x : array_like, shape [n] or [n, coordinate]
        The observations.
    log_density : callable, optional
        Takes the observations, [n, 1] or [n, 1, coordinate], and the posterior's variables by name,
        as arrays [draw, n or 1, component or 1, ...]; returns log densities [draw, n, component],
        in nats, up to a number that all components share. Such as ``lambda x, theta:
        stats.poisson.logpmf(x, theta["rate"])``, or what `multivariate_normal` returns.
    means : str
        For Gaussians: the variable with the means, with `component_dim` and perhaps `obs_dim`, as
        in a mixture of regressions.
    sigma, precision : str, float or array_like, shape [component], optional
        For Gaussians, one of them: standard deviations in the unit of `x`, or one over their
        squares; the name of a variable, or known numbers. If None, the posterior's ``sigma``.
    weights : str or array_like, shape [component], optional
        They sum to 1 over the components: the name of a variable, or known numbers. If None, the
        posterior's ``weights``.
    component_dim : str or list of str
        The dim that counts the components; several if each variable has its own, the first being
        that of the result.
    obs_dim : str
        The dim that counts the observations, in the result and in variables that have it.
    average : bool
        Whether to return the average over all draws, for which all of them need not fit in memory.

    Returns
    -------
    xarray.DataArray, dims (chain, draw, obs, component) or, averaged, (obs, component)
        With the posterior's coordinates. Its attribute ``labels`` is a fingerprint of the trace's
        relabelling, by which `mixtures.relabel.relabel` refuses memberships of other labels.

    Raises
    ------
    ValueError
        If a variable or dim is missing, scales or weights are neither there nor given, `x` is not
        finite or has another shape, scales are not positive, `weights` are negative or do not sum
        to 1, or a density is NaN, or zero for all components.
    """
    posterior, dims = trace.posterior_of(source), checks.names(component_dim, "component_dim")
    count, labels = trace.n_component(posterior, dims), trace.fingerprint(posterior)
    if log_density is None:
        x = checks.observations(x)
    x = checks.finite(checks.numbers(x, "x"), "x")
    if x.ndim not in (1, 2) or x.size == 0:
        raise ValueError(f"x: expected shape [n] or [n, coordinate], got {[*x.shape]}")
    theta = Parameters(trace.one_dim(posterior, dims), dims[0], obs_dim, len(x))
    if log_density is None:
        log_density = _normal(theta, means, sigma, precision)
    elif sigma is not None or precision is not None:
        raise ValueError("sigma: expected no scales beside log_density, which has its own")
    w = _weights(theta, weights)
    chains, n_draw = trace.sizes(posterior)
    shape = (theta.n_draw, len(x), count)
    p = np.zeros(shape[1:]) if average else np.empty(shape)
    for rows, block in theta.in_blocks():
        log_p = _of_block(log_density, x, block)
        size = (rows.stop - rows.start, *shape[1:])
        found = _probabilities(log_p, some(w, rows), size)
        if average:
            p += found.sum(axis=0) / theta.n_draw
        else:
            p[rows] = found
    kept = (obs_dim, dims[0]) if average else ("chain", "draw", obs_dim, dims[0])
    array = p if average else p.reshape(chains, n_draw, *shape[1:])
    coords = {name: c for name, c in theta.posterior.coords.items()
              if {*c.dims} <= {*kept} and c.sizes.get(obs_dim, len(x)) == len(x)}
    return xr.DataArray(array, coords, kept, "memberships", {"labels": labels})


def _of_block(
    log_density: LogDensity, x: np.ndarray, block: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Return log densities [draw, n, component] of some draws, or say what they failed on."""
    try:
        return np.asarray(log_density(np.expand_dims(x, 1), block))
    except ValueError as error:
        says = (f"failed on observations of shape {[*x.shape]} ({error}); of one number each, x has"
                " shape [n]")
        raise ValueError(f"log_density: {says}") from error


def multivariate_normal(
    means: str = "means", *, covariance: str | None = None, cholesky: str | None = None
) -> LogDensity:
    """Return the log density of multivariate Gaussian components, for `memberships`.

    Parameters
    ----------
    means : str
        The variable with the means: dims chain, draw, the component's and a coordinate's.
    covariance, cholesky : str
        One of them: the variable with covariance matrices, or with their lower Cholesky factors,
        which are matrices too, not packed. Without a dim of components, all of them share it.

    Returns
    -------
    callable

    Raises
    ------
    ValueError
        If not one of `covariance` and `cholesky` is given.
    """
    if (covariance is None) == (cholesky is None):
        raise ValueError("covariance: expected this or cholesky, and not both")

    def log_density(x: np.ndarray, theta: Mapping[str, np.ndarray]) -> np.ndarray:
        factor = np.linalg.cholesky(theta[covariance]) if covariance else theta[str(cholesky)]
        spread = np.log(np.diagonal(factor, axis1=-2, axis2=-1)).sum(axis=-1)
        z = np.linalg.inv(factor) @ (x - theta[means])[..., None]
        return np.asarray(-0.5 * np.sum(z**2, axis=(-2, -1)) - spread)

    return log_density


def _normal(theta: Parameters, means: str, sigma: Given, precision: Given) -> LogDensity:
    """Return the log density of Gaussians whose parameters are variables, or known."""
    trace.variable(theta.posterior, means, "means", (theta.component_dim,))
    theta.given(means, "means")
    if sigma is not None and precision is not None:
        raise ValueError("precision: expected none beside sigma")
    if sigma is None and precision is None and "sigma" not in theta:
        raise theta.wanted("sigma", "sigma=1; for other families see log_density")
    name = "sigma" if precision is None else "precision"
    value = precision if precision is not None else "sigma" if sigma is None else sigma
    scale = theta.given(value, name)
    if not (scale > 0).all():
        raise ValueError(f"{name}: expected positive numbers, got {scale.min()}")

    def log_density(x: np.ndarray, block: Mapping[str, np.ndarray]) -> np.ndarray:
        at, spread = block[means], block[value] if isinstance(value, str) else scale
        if name == "precision":
            spread = spread**-0.5
        return np.asarray(-0.5 * ((x - at) / spread) ** 2 - np.log(spread))

    return log_density


def _weights(theta: Parameters, weights: Given) -> np.ndarray:
    """Return weights [draw or 1, n or 1, component]."""
    if weights is None and "weights" not in theta:
        equal = ", ".join([f"1/{theta.n_component}"] * theta.n_component)
        raise theta.wanted("weights", f"[{equal}]")
    w = theta.given("weights" if weights is None else weights, "weights")
    if w.shape[2] == 1 < theta.n_component:
        says = "expected a number for each component, got one for all; see reshape.complete"
        raise ValueError(f"weights: {says}")
    off = np.abs(w.sum(axis=2) - 1).max()
    if not (w >= 0).all() or off > doubts.SUM:
        says = "expected numbers >= 0 that sum to 1 over the components"
        raise ValueError(f"weights: {says}, got a sum that is off by {off:.2g}")
    return w


def _probabilities(log_p: np.ndarray, w: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return probabilities [draw, n, component], from log densities and weights that broadcast."""
    # of weight 0 the logarithm is minus infinity, which is right
    with np.errstate(divide="ignore"):
        log_w = np.log(w)
    try:
        p = np.broadcast_to(log_p + log_w, shape).copy()
    except ValueError as error:
        says = f"expected shape [draw, n, component] {[*shape]}, got {[*log_p.shape]}"
        raise ValueError(f"log_density: {says}") from error
    # the largest becomes 1, so that however far from all components a point lies, something is left
    # to divide by
    largest = p.max(axis=2, keepdims=True)
    if not np.isfinite(largest).all():
        says = "expected a finite number for one component or more of each observation"
        raise ValueError(f"log_density: {says}, got {largest[~np.isfinite(largest)][0]}")
    p -= largest
    np.exp(p, out=p)
    p /= p.sum(axis=2, keepdims=True)
    return p


def draw_allocations(
    p: xr.DataArray, seed: int, *, component_dim: str | None = None
) -> xr.DataArray:
    """Draw an allocation of each observation, from its membership probabilities.

    Parameters
    ----------
    p : xarray.DataArray, dims (chain, draw, obs, `component_dim`)
        Probabilities, as `memberships` returns them.
    seed : int
        Of the random generator, at least 0.
    component_dim : str, optional
        The dim that counts the components; if None, ``component``, or else the last of `p`.

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
    if component_dim is None:
        component_dim = "component" if "component" in p.dims else str(p.dims[-1])
    if component_dim not in p.dims:
        says = f"expected one of the dims {p.dims} of p, got {component_dim!r}"
        raise ValueError(f"component_dim: {says}")
    last = p.transpose(..., component_dim)
    flat = last.to_numpy().reshape(-1, last.shape[-1])
    off = np.abs(flat.sum(axis=1) - 1)
    if flat.size == 0 or not (flat.min() >= 0 and off.max() <= doubts.SUM):
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
