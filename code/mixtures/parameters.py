"""The parameters of PyMC's Gaussian approximations, and the Gaussians they stand for. The private half of ``advi``."""

from typing import Any

import numpy as np

from mixtures.gaussians import Gaussian


def softplus(value: np.ndarray) -> np.ndarray:
    """Return log(1 + exp(value)), shape as given."""
    positive: np.ndarray = np.logaddexp(0, value)
    return positive


def inverse_softplus(value: np.ndarray) -> np.ndarray:
    """Return what `softplus` takes to a positive value, shape as given."""
    return value + np.log(-np.expm1(-value))


def _lower_triangle(packed: np.ndarray) -> np.ndarray:
    """Return PyMC's Cholesky factor [2, 2] from its parameters [3], with a softplus on the diagonal."""
    factor = np.zeros((2, 2))
    factor[np.tril_indices(2)] = packed
    np.fill_diagonal(factor, softplus(np.diag(factor)))
    return factor


def to_gaussian(frame: dict[str, np.ndarray], space: str) -> Gaussian:
    """Return the Gaussian of a fit's parameters, by name as PyMC has them."""
    if "rho" in frame:
        return Gaussian.of(frame["mu"], softplus(frame["rho"]), space=space)
    factor = _lower_triangle(frame["L_tril"])
    return Gaussian(frame["mu"], factor @ factor.T, space)


def install(gaussian: Gaussian, approx: Any) -> None:
    """Set the parameters of an approximation to those of a Gaussian."""
    parameters, factor = {shared.name: shared for shared in approx.params}, gaussian.factor
    parameters["mu"].set_value(gaussian.mean)
    diagonal = inverse_softplus(np.diag(factor))
    if "rho" in parameters:
        parameters["rho"].set_value(diagonal)
    else:
        parameters["L_tril"].set_value(np.array([diagonal[0], factor[1, 0], diagonal[1]]))
