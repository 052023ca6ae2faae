"""Gaussians of two means, for the tests of all that is made of them."""

import numpy as np
from mixtures.variational import Gaussian

SPACES = ("raw", "log gap", "centred")
ORDERED = ("log gap", "centred")
FAMILIES = ("mean-field", "full-rank")


def random_gaussian(seed, space, widest=0.6):
    """Return a Gaussian whose coordinates may be correlated."""
    rng = np.random.default_rng(seed)
    mean, sd, corr = rng.normal(0, 0.8, 2), rng.uniform(0.05, widest, 2), rng.uniform(-0.9, 0.9)
    return Gaussian.of(mean, sd, corr, space)
