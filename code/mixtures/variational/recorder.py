"""What is kept of a fit of ADVI while it runs, and the Gaussians that its parameters stand for."""

from typing import Any

import numpy as np

from mixtures.variational.gaussian import Gaussian


class NonFiniteLoss(FloatingPointError):
    """A fit ran into a loss or a parameter that is no finite number."""


class Recorder:
    """A callback of `pymc.fit` that keeps parameters, and stops where a loss is not finite."""

    def __init__(self, approx: Any, steps: int, every: int | None) -> None:
        self.parameters = {shared.name: shared for shared in approx.params}
        self.last, self.every, self.done = steps, every or steps, 0
        self.frames: list[tuple[int, dict[str, np.ndarray]]] = []
        self.record()

    def __call__(self, approx: Any, losses: np.ndarray, step: int) -> None:
        """Look at the loss before a step, as `pymc.fit` calls it; keep a frame where one is due."""
        loss = float(losses[-1])
        if not np.isfinite(loss):
            raise self.failure(f"loss is {loss}", step)
        self.done = step
        if step % self.every == 0 or step == self.last:
            self.record()

    def failure(self, what: str, step: int) -> NonFiniteLoss:
        """Return the error to raise."""
        return NonFiniteLoss(f"{what} at step {step}: try a smaller learning rate or another start")

    def record(self) -> None:
        """Keep a frame: copies of the parameters, after so many steps."""
        frame = {name: np.array(shared.get_value()) for name, shared in self.parameters.items()}
        if not all(np.isfinite(value).all() for value in frame.values()):
            raise self.failure("a parameter is not finite", self.done)
        self.frames.append((self.done, frame))

    @property
    def steps(self) -> np.ndarray:
        """Steps done at each frame, shape [frame]."""
        return np.array([step for step, _ in self.frames])


def softplus(value: np.ndarray) -> np.ndarray:
    """Return log(1 + exp(value)), shape as given."""
    positive: np.ndarray = np.logaddexp(0, value)
    return positive


def inverse_softplus(value: np.ndarray) -> np.ndarray:
    """Return what `softplus` takes to a positive value, shape as given."""
    return value + np.log(-np.expm1(-value))


def _lower_triangle(packed: np.ndarray) -> np.ndarray:
    """Return PyMC's Cholesky factor [2, 2] from its parameters [3]; softplus on the diagonal."""
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
