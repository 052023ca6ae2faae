"""What is kept of a fit of ADVI while it runs."""

from typing import Any

import numpy as np


class NonFiniteLoss(FloatingPointError):
    """A fit ran into a loss or a parameter that is no finite number."""


class Recorder:
    """A callback of `pymc.fit` that keeps copies of the parameters, and stops a fit whose loss is not finite."""

    def __init__(self, approx: Any, steps: int, every: int | None) -> None:
        self.parameters = {shared.name: shared for shared in approx.params}
        self.last, self.every, self.done = steps, every or steps, 0
        self.frames: list[tuple[int, dict[str, np.ndarray]]] = []
        self.record()

    def __call__(self, approx: Any, losses: np.ndarray, step: int) -> None:
        """Look at the loss before this step, as `pymc.fit` calls it; keep a frame where one is due."""
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
