"""Variational inference on the two means: ADVI, the best Gaussian there is, how good any is."""

from mixtures.variational.advi import Fit, Fits, fit, fits
from mixtures.variational.best import best, curvature
from mixtures.variational.elbo import elbo, kl
from mixtures.variational.gaussian import Gaussian, Symmetrised, symmetrise
from mixtures.variational.importance import Importance, importance
from mixtures.variational.recorder import NonFiniteLoss

__all__ = [
    "Fit", "Fits", "Gaussian", "Importance", "NonFiniteLoss", "Symmetrised", "best", "curvature",
    "elbo", "fit", "fits", "importance", "kl", "symmetrise",
]
