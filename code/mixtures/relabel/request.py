"""What `relabel` was asked for, and what its methods take from the trace."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from mixtures import trace
from mixtures.relabel.apply import from_zero
from mixtures.trace import Names

type Pivot = ArrayLike | Mapping[Any, ArrayLike]


@dataclass(frozen=True, eq=False)
class Request:
    """A trace, and the arguments of `relabel` as a method finds them.

    Attributes
    ----------
    tree : xarray.DataTree
    posterior : xarray.Dataset
        Its posterior.
    dims : tuple of str
        The dims that count the components.
    var_name, allocations, parameter, pivot, probabilities, max_iterations
        As `relabel` documents them; `allocations` is a tuple.
    """

    tree: xr.DataTree
    posterior: xr.Dataset
    dims: tuple[str, ...]
    var_name: Names
    allocations: tuple[str, ...]
    parameter: int
    pivot: Pivot | None
    probabilities: str | xr.DataArray | None
    max_iterations: int

    @property
    def n_component(self) -> int:
        """How many components there are."""
        return self.posterior.sizes[self.dims[0]]

    def draws(self, name: object) -> np.ndarray:
        """Return the draws of a variable of the components [draw, component, entry]."""
        found = trace.variable(self.posterior, name, "var_name")
        own = [dim for dim in self.dims if dim in found.dims]
        if len(own) != 1:
            says = f"expected {name!r} to have one dim of components {self.dims}, got {found.dims}"
            raise ValueError(f"var_name: {says}")
        array = trace.by_component(found, own[0])
        return array.reshape(-1, *array.shape[2:])

    def labels(self) -> tuple[np.ndarray, int]:
        """Return the draws of the first of the allocations [draw, n], and the first label."""
        if not self.allocations:
            raise ValueError(
                "allocations: expected the name of a variable, for this method goes by it"
            )
        found = trace.variable(self.posterior, self.allocations[0], "allocations")
        chains, draws = trace.sizes(found)
        array = found.transpose("chain", "draw", ...).to_numpy().reshape(chains * draws, -1)
        return from_zero(array, self.n_component)

    def best_draw(self) -> int:
        """Return the index of the draw with the highest log density."""
        return trace.best_draw(self.tree)
