"""The book's PyMC models, each built in one place.

The data are a ``pm.Data`` container named ``x``, so that one compiled model serves many datasets. The priors'
``np.float64(10)`` is deliberate: PyMC takes the logarithm of a plain 10 in single precision.
"""

import numpy as np
import pymc as pm

from mixtures import data


def unordered(x):
    """Build the two-component mixture whose labels mean nothing.

    Parameters
    ----------
    x : array_like, shape [n]
        The observations.

    Returns
    -------
    pymc.Model
        Free variable ``means``, dims (component,), with exchangeable Normal(0, 10) priors. Weights 1/2 and standard
        deviations 1 are known.

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


def ordered(x):
    """Build the same mixture with the means kept in increasing order.

    Parameters
    ----------
    x : array_like, shape [n]
        The observations.

    Returns
    -------
    pymc.Model
        As `unordered`, but the sampler moves in the space of ``means[0]`` and the log gap, and every draw has
        ``means[0] < means[1]``. The density is that of `unordered` on the ordered half plane, not renormalised.

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
