"""The book's PyMC models, each built in one place.

The data are a ``pm.Data`` container named ``x``, so that one compiled model serves many datasets.
The priors' ``np.float64(10)`` is deliberate: PyMC takes the logarithm of a plain 10 in single
precision.
"""

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from scipy.special import logsumexp

from mixtures import checks, data
from mixtures.extras import needs

with needs("pymc"):
    import pymc as pm
    import pytensor.tensor as pt


def unordered(x: ArrayLike) -> pm.Model:
    """Build the two-component mixture whose labels mean nothing.

    Parameters
    ----------
    x : array_like, shape [n]
        The observations.

    Returns
    -------
    pymc.Model
        Free variable ``means``, dims (component,), with exchangeable Normal(0, 10) priors. Weights
        1/2 and standard deviations 1 are known.

    Raises
    ------
    ValueError
        If `x` is empty, not one-dimensional or not finite.
    """
    x = data.check(x)
    with pm.Model(coords={"component": [0, 1]}) as model:
        observed = pm.Data("x", x)
        means = pm.Normal(
            "means", mu=0, sigma=np.float64(10), dims="component"
        )
        pm.NormalMixture(
            "obs", w=[0.5, 0.5], mu=means, sigma=1, observed=observed
        )
    return model


def ordered(x: ArrayLike) -> pm.Model:
    """Build the same mixture with the means kept in increasing order.

    Parameters
    ----------
    x : array_like, shape [n]
        The observations.

    Returns
    -------
    pymc.Model
        As `unordered`, but the sampler moves in the space of ``means[0]`` and the log gap, and
        every draw has ``means[0] < means[1]``. The density is that of `unordered` on the ordered
        half plane, not renormalised.

    Raises
    ------
    ValueError
        If `x` is empty, not one-dimensional or not finite.
    """
    x = data.check(x)
    with pm.Model(coords={"component": [0, 1]}) as model:
        observed = pm.Data("x", x)
        means = pm.Normal(
            "means",
            mu=0,
            sigma=np.float64(10),
            dims="component",
            transform=pm.distributions.transforms.ordered,
            initval=np.array([-1.0, 1.0]),
        )
        pm.NormalMixture(
            "obs", w=[0.5, 0.5], mu=means, sigma=1, observed=observed
        )
    return model


def centred(x: ArrayLike) -> pm.Model:
    """Build the ordered mixture from the midpoint of the means and the gap between them.

    Two independent Normal(0, 10) means have an independent midpoint and gap; the same prior on
    increasing means is Normal(0, 10 / sqrt 2) for the midpoint and HalfNormal(10 sqrt 2) for the
    gap. Unlike the density of `ordered` it is normalised, and forward draws from it are in order.

    Parameters
    ----------
    x : array_like, shape [n]
        The observations.

    Returns
    -------
    pymc.Model
        Free variables ``centre`` and ``gap``; ``means``, dims (component,), is computed from them
        and increases.

    Raises
    ------
    ValueError
        If `x` is empty, not one-dimensional or not finite.
    """
    x = data.check(x)
    with pm.Model(coords={"component": [0, 1]}) as model:
        observed = pm.Data("x", x)
        centre = pm.Normal("centre", mu=0, sigma=10 / np.sqrt(2))
        gap = pm.HalfNormal("gap", sigma=10 * np.sqrt(2))
        means = pm.Deterministic(
            "means",
            pt.stack([centre - gap / 2, centre + gap / 2]),
            dims="component",
        )
        pm.NormalMixture(
            "obs", w=[0.5, 0.5], mu=means, sigma=1, observed=observed
        )
    return model


def copies(x: ArrayLike, copies: int, ordered: bool = False) -> pm.Model:
    """Build a model of independent copies of `unordered` or `ordered`, all of the same data.

    Parameters
    ----------
    x : array_like, shape [n]
        The observations.
    copies : int
        How many, at least 1.
    ordered : bool
        Whether to keep the means of each copy in increasing order.

    Returns
    -------
    pymc.Model
        Free variable ``means``, shape [copy, component].

    Raises
    ------
    ValueError
        If `x` is empty, not one-dimensional or not finite, or `copies` not a whole number of 1 or
        more.
    """
    x, copies = data.check(x), checks.whole(copies, "copies")
    settings: dict[str, Any] = {}
    if ordered:
        settings = {
            "transform": pm.distributions.transforms.ordered,
            "initval": np.tile([-1.0, 1.0], (copies, 1)),
        }
    with pm.Model() as model:
        observed = pm.Data("x", np.broadcast_to(x, (copies, x.size)).copy())
        means = pm.Normal("means", mu=0, sigma=np.float64(10), shape=(copies, 2), **settings)
        pm.NormalMixture("obs", w=[0.5, 0.5], mu=means[:, None, :], sigma=1, observed=observed)
    return model


def mixture(
    x: ArrayLike,
    components: int,
    ordered: bool = False,
    concentration: float = 2.0,
) -> pm.Model:
    """Build a mixture whose weights, means and scales are all unknown.

    Parameters
    ----------
    x : array_like, shape [n]
        The observations, on a scale where 1 is a plausible standard deviation of a component.
    components : int
        At least 2.
    ordered : bool
        Whether to keep the means in increasing order. If not, the labels mean nothing.
    concentration : float
        Of the weights' symmetric Dirichlet prior. Kept in a ``pm.Data`` named ``concentration``,
        dims (component,).

    Returns
    -------
    pymc.Model
        Free variables ``weights``, ``means`` and ``sigma``, each with dims (component,) and an
        exchangeable prior.

    Raises
    ------
    ValueError
        If `x` is empty, not one-dimensional or not finite, `components` is not a whole number of at
        least 2, or `concentration` is not positive.
    """
    x = data.check(x)
    components = checks.whole(components, "components", least=2)
    if not 0 < concentration < np.inf:
        raise ValueError(
            f"concentration: expected a positive number, got {concentration!r}"
        )
    increasing = {
        "transform": pm.distributions.transforms.ordered,
        "initval": np.linspace(-1, 1, components),
    }
    with pm.Model(coords={"component": np.arange(components)}) as model:
        observed = pm.Data("x", x)
        a = pm.Data(
            "concentration",
            np.full(components, float(concentration)),
            dims="component",
        )
        weights = pm.Dirichlet("weights", a=a, dims="component")
        means = pm.Normal(
            "means",
            mu=0,
            sigma=np.float64(10),
            dims="component",
            **(increasing if ordered else {}),
        )
        sigma = pm.LogNormal("sigma", mu=0, sigma=0.5, dims="component")
        pm.NormalMixture(
            "obs", w=weights, mu=means, sigma=sigma, observed=observed
        )
    return model


def log_likelihood(tree: xr.DataTree, x: ArrayLike) -> xr.DataTree:
    """Return a trace with the log likelihood of each observation, as ArviZ's LOO wants it.

    PyMC's ``compute_log_likelihood`` gives the same, and compiles the model once more.

    Parameters
    ----------
    tree : xarray.DataTree
        With ``weights``, ``means`` and ``sigma``, dims (chain, draw, component), in its posterior
        group. Not changed.
    x : array_like, shape [n]
        The observations.

    Returns
    -------
    xarray.DataTree
        A copy, whose group ``log_likelihood`` holds ``obs``, dims (chain, draw, observation), in
        nats.

    Raises
    ------
    ValueError
        If `x` is empty, not one-dimensional or not finite.
    """
    x = xr.DataArray(data.check(x), dims="observation")
    posterior = tree["posterior"].to_dataset()
    weights, means, sigma = (posterior[name] for name in ("weights", "means", "sigma"))
    terms = np.log(weights / sigma) - 0.5 * (((x - means) / sigma) ** 2 + np.log(2 * np.pi))
    total = xr.apply_ufunc(logsumexp, terms, input_core_dims=[["component"]], kwargs={"axis": -1})
    whole = tree.copy()
    whole["log_likelihood"] = xr.Dataset({"obs": total})
    return whole
