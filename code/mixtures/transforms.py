"""The ordered transform, from scratch: what PyMC's own does, in three lines of mathematics."""
# PyMC has no annotations, and PyTensor few:
# mypy: allow-subclassing-any, allow-untyped-calls, no-warn-return-any

from typing import Any

from mixtures.extras import needs

with needs("pymc"):
    import pytensor.tensor as pt
    from pymc.distributions.transforms import Transform
    from pytensor.tensor.variable import TensorVariable

type Tensor = TensorVariable[Any, Any]


class Increasing(Transform):
    """Take an increasing vector to its first entry and the logarithms of its gaps, and back.

    The last axis counts the components. PyMC's ``pm.distributions.transforms.ordered`` does the
    same; this one is here to be read, and to be checked against it.
    """

    name = "increasing"
    ndim_supp = 1

    def forward(self, value: Tensor, *inputs: Tensor) -> Tensor:
        """Return (lower, log gap, ...) of an increasing vector."""
        log_gaps = pt.log(pt.diff(value, axis=-1))
        return pt.concatenate([value[..., :1], log_gaps], axis=-1)

    def backward(self, value: Tensor, *inputs: Tensor) -> Tensor:
        """Return the increasing vector of (lower, log gap, ...)."""
        gaps = pt.exp(value[..., 1:])
        steps = pt.concatenate([value[..., :1], gaps], axis=-1)
        return pt.cumsum(steps, axis=-1)

    def log_jac_det(self, value: Tensor, *inputs: Tensor) -> Tensor:
        """Return the log factor by which `backward` stretches volumes."""
        return value[..., 1:].sum(axis=-1)
