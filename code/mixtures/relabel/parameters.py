"""The parameters of a mixture's components, as arrays that broadcast against its observations."""

from collections.abc import Iterator, Mapping

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from mixtures import checks, trace
from mixtures.relabel.assignment import blocks


class Parameters(Mapping[str, np.ndarray]):
    """The variables of a posterior by name, as arrays [draw, n or 1, component or 1, ...].

    Each is read when it is first asked for.

    Parameters
    ----------
    posterior : xarray.Dataset
        In which one dim counts the components.
    component_dim, obs_dim : str
        What counts the components, and the observations.
    n : int
        How many observations there are.
    """

    def __init__(self, posterior: xr.Dataset, component_dim: str, obs_dim: str, n: int) -> None:
        self.posterior, self.component_dim, self.obs_dim = posterior, component_dim, obs_dim
        self.n = n
        self.n_draw = int(np.prod(trace.sizes(posterior)))
        self.n_component = posterior.sizes[component_dim]
        self._read: dict[str, np.ndarray] = {}

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._read:
            found = trace.variable(self.posterior, name, "log_density")
            usual = ("chain", "draw", self.obs_dim, self.component_dim)
            if found.sizes.get(self.obs_dim, self.n) != self.n:
                got = dict(found.sizes)
                raise ValueError(f"x: expected as many as {name!r} is for, {got}, got {self.n}")
            missing = [dim for dim in usual if dim not in found.dims]
            array = found.expand_dims(missing).transpose(*usual, ...).to_numpy()
            self._read[name] = array.reshape(self.n_draw, *array.shape[2:])
        return self._read[name]

    def __contains__(self, name: object) -> bool:
        return name in self.posterior.data_vars

    def __iter__(self) -> Iterator[str]:
        return (str(name) for name in self.posterior.data_vars)

    def __len__(self) -> int:
        return len(self.posterior.data_vars)

    def given(self, value: str | ArrayLike, name: str) -> np.ndarray:
        """Return a parameter that is a variable's name, or known numbers (ValueError)."""
        if not isinstance(value, str):
            array = checks.numbers(value, name)
            if array.shape not in ((), (self.n_component,)):
                says = f"expected a number or one for each of {self.n_component}"
                raise ValueError(f"{name}: {says}, got shape {[*array.shape]}")
            return checks.finite(array.reshape(1, 1, -1), name)
        found = trace.variable(self.posterior, value, name)
        dims = ("chain", "draw", self.component_dim, self.obs_dim)
        if not {*found.dims} <= {*dims}:
            says = (f"expected no dims beside {dims}, but {value!r} has {found.dims}; one that"
                    " counts the components has to be named in component_dim")
            raise ValueError(f"{name}: {says}")
        return checks.finite(checks.numbers(self[value], name), name)

    def wanted(self, name: str, known: str) -> ValueError:
        """Return what to say where a parameter is not given, and the posterior has none."""
        there = [n for n, v in self.posterior.data_vars.items()
                 if self.component_dim in v.dims and n != trace.KEPT]
        says = f"the posterior has no {name!r}; expected the name of a variable"
        return ValueError(f"{name}: {says} ({trace.listed(there)}), or numbers if known ({known})")

    def in_blocks(self) -> Iterator[tuple[slice, Mapping[str, np.ndarray]]]:
        """Yield slices of the draws, each little work, and their parameters."""
        for rows in blocks(self.n_draw, self.n * self.n_component):
            yield rows, _Rows(self, rows)


class _Rows(Mapping[str, np.ndarray]):
    def __init__(self, whole: Parameters, rows: slice) -> None:
        self._whole, self._rows = whole, rows

    def __getitem__(self, name: str) -> np.ndarray:
        return self._whole[name][self._rows]

    def __iter__(self) -> Iterator[str]:
        return iter(self._whole)

    def __len__(self) -> int:
        return len(self._whole)


def some(array: np.ndarray, rows: slice) -> np.ndarray:
    """Return some draws of a parameter; what is known is the same in all of them."""
    return array if len(array) == 1 else array[rows]
