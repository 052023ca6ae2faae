"""The reader of traces: what ArviZ and PyMC keep of a run, as checked variables and as arrays."""

import zlib
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import xarray as xr

from mixtures import checks

type Names = str | list[str] | tuple[str, ...]
type Source = xr.DataTree | xr.Dataset | xr.DataArray

# what relabel calls the permutations it leaves in the posterior: they say nothing of the mixture
KEPT = "permutation"
# what the log density may be called in the sample statistics
DENSITIES = ("lp", "logp", "lp__")
# a variable with more numbers than this in a component (responsibilities, say) costs a diagnosis
# much and tells it little more
ENTRIES = 64


def posterior_of(tree: xr.DataTree) -> xr.Dataset:
    """Return the posterior of a trace, or say what is wrong with it (ValueError)."""
    if not isinstance(tree, xr.DataTree):
        raise ValueError(f"tree: expected a DataTree, got {type(tree).__name__}")
    if "posterior" not in tree.children:
        there = ", ".join(tree.children) or "none; give the whole trace, not its posterior"
        raise ValueError(f"tree: expected a posterior group, got groups {there}")
    posterior = tree["posterior"].to_dataset()
    if not {"chain", "draw"} <= {*posterior.dims} or 0 in sizes(posterior):
        got = dict(posterior.sizes)
        raise ValueError(f"tree: expected a posterior with dims chain and draw, not 0, got {got}")
    return posterior


def group(tree: xr.DataTree, name: str) -> xr.Dataset:
    """Return a group of a trace; an empty one where it has none of the name."""
    return tree[name].to_dataset() if name in tree.children else xr.Dataset()


def listed(names: Iterable[object]) -> str:
    """Return names as an error message lists them."""
    return ", ".join(map(str, names)) or "none"


def sizes(draws: xr.Dataset | xr.DataArray) -> tuple[int, int]:
    """Return the numbers of chains and of draws in each."""
    return draws.sizes["chain"], draws.sizes["draw"]


def variable(
    posterior: xr.Dataset, name: object, argument: str, dims: Sequence[str] = ("chain", "draw")
) -> xr.DataArray:
    """Return a variable that has these dims, or say what `argument` lacks (ValueError)."""
    if not isinstance(name, str) or name not in posterior.data_vars:
        there = listed(posterior.data_vars)
        raise ValueError(
            f"{argument}: expected a variable of the posterior ({there}), got {name!r}"
        )
    found = posterior[name]
    missing = [dim for dim in dims if dim not in found.dims]
    if missing:
        says = f"expected {name!r} to have dim {missing[0]!r}, got {found.dims}"
        raise ValueError(f"{argument}: {says}")
    return found


def n_component(posterior: xr.Dataset, dims: Sequence[str]) -> int:
    """Return how many components some dims count, or say what is wrong with them (ValueError)."""
    others = [dim for dim in posterior.dims if dim not in ("chain", "draw")]
    for dim in dims:
        if dim not in others:
            says = f"expected dims of the posterior ({listed(others)}), got {dim!r}"
            raise ValueError(f"component_dim: {says}")
    counts = {posterior.sizes[dim] for dim in dims}
    if len(counts) > 1 or 0 in counts:
        got = dict(posterior.sizes)
        raise ValueError(f"component_dim: expected dims of one size, not 0, got {got}")
    return counts.pop()


def by_component(draws: xr.DataArray, component_dim: Hashable) -> np.ndarray:
    """Return draws as an array [chain, draw, component, entry], further dims being entries."""
    array = draws.transpose("chain", "draw", component_dim, ...).to_numpy()
    return array.reshape(*array.shape[:3], -1)


def best_draw(tree: xr.DataTree) -> int:
    """Return the index, chains after one another, of the draw with the highest log density."""
    density = _log_density(tree, sizes(posterior_of(tree)))
    if density is None or np.isnan(density).all():
        names = ", ".join(DENSITIES)
        says = f"expected one, for the sample statistics have no log density ({names})"
        raise ValueError(f"pivot: {says}")
    return int(np.nanargmax(density))


def fingerprint(posterior: xr.Dataset) -> int:
    """Return a number that tells relabellings apart; 0 for draws that have not been relabelled."""
    if KEPT not in posterior:
        return 0
    kept = posterior[KEPT].transpose("chain", "draw", ...).to_numpy()
    return zlib.crc32(np.ascontiguousarray(kept, dtype=np.int64).tobytes())


@dataclass(frozen=True, eq=False)
class Trace:
    """A mixture's draws as arrays.

    Attributes
    ----------
    values : dict of str to numpy.ndarray, shape [chain, draw, component, entry]
        The variables that have labels, those asked for first.
    named : tuple of str
        Those asked for.
    chains : numpy.ndarray, shape [chain]
        What the chains are called.
    log_density : dict of str to numpy.ndarray, shape [chain, draw]
        Log density or likelihood, nats, as far as present.
    divergences : numpy.ndarray, shape [chain], or None
    notes : tuple of str
        What was left out.
    """

    values: dict[Hashable, np.ndarray]
    named: tuple[str, ...]
    chains: np.ndarray
    log_density: dict[str, np.ndarray] = field(default_factory=dict)
    divergences: np.ndarray | None = None
    notes: tuple[str, ...] = ()


def read(tree: Source, var_name: Names, component_dim: str) -> Trace:
    """Return the `Trace` of any ArviZ-like object, or say by name what is wrong (ValueError)."""
    names = checks.names(var_name, "var_name")
    posterior = _any_posterior(tree, names[0])
    for wanted in names:
        _check(posterior, wanted, component_dim)
    asked = {"chain", "draw", component_dim}
    others = [name for name, v in posterior.data_vars.items()
              if name not in (*names, KEPT) and asked <= {*v.dims}]
    values: dict[Hashable, np.ndarray] = {}
    notes = []
    for name in (*names, *others):
        array = by_component(posterior[name], component_dim)
        doubt = _doubt(posterior[name], array, component_dim)
        if name in names or not doubt:
            values[name] = array.astype(float)
        else:
            notes.append(f"{name} is left out: it {doubt}")
    chains, shape = posterior["chain"].to_numpy(), sizes(posterior[names[0]])
    if not isinstance(tree, xr.DataTree):
        return Trace(values, names, chains, notes=tuple(notes))
    densities, divergences = _densities(tree, shape), _divergences(tree, shape)
    return Trace(values, names, chains, densities, divergences, tuple(notes))


def _any_posterior(tree: Source, name: str) -> xr.Dataset:
    if isinstance(tree, xr.DataArray):
        return tree.to_dataset(name=name)
    if isinstance(tree, xr.DataTree):
        return (tree["posterior"] if "posterior" in tree.children else tree).to_dataset()
    if not isinstance(tree, xr.Dataset):
        got = type(tree).__name__
        raise ValueError(f"tree: expected a DataTree, a Dataset or a DataArray, got {got}")
    return tree


def _check(posterior: xr.Dataset, name: str, component_dim: str) -> None:
    """Refuse a variable that cannot be diagnosed."""
    found = variable(posterior, name, "var_name", ())
    for dim in ("chain", "draw"):
        if dim not in found.dims:
            says = f"expected {name!r} to have dims chain and draw, got {found.dims}"
            raise ValueError(f"tree: {says}")
    if component_dim not in found.dims or component_dim in ("chain", "draw"):
        says = f"expected one of the dims {found.dims} of {name!r}, got {component_dim!r}"
        raise ValueError(f"component_dim: {says}")
    count = found.sizes[component_dim]
    if count < 2:
        raise ValueError(f"component_dim: expected at least 2 components, got {count}")
    if found.sizes["draw"] < 4 or found.size == 0:
        got = dict(found.sizes)
        raise ValueError(f"tree: expected at least 1 chain of 4 draws, got sizes {got}")
    if found.dtype.kind not in "biuf" or _pairs(found, component_dim):
        doubt = _doubt(found, by_component(found, component_dim), component_dim)
        says = f"expected real numbers for each component, but {name!r} {doubt}"
        raise ValueError(f"var_name: {says}")


def _pairs(draws: xr.DataArray, component_dim: str) -> bool:
    """Tell whether a variable has a second dim of components, such as a transition matrix."""
    return any(str(component_dim) in str(dim) for dim in draws.dims if dim != component_dim)


def _doubt(draws: xr.DataArray, array: np.ndarray, component_dim: str) -> str:
    if array.dtype.kind not in "biuf":
        return "does not hold real numbers"
    if _pairs(draws, component_dim):
        return "belongs to pairs of components"
    if not np.isfinite(array).all():
        return "has draws that are NaN or infinite"
    many = f"has more than {ENTRIES} numbers in each component"
    return many if array.shape[3] > ENTRIES else ""


def _log_density(tree: xr.DataTree, shape: tuple[int, int]) -> np.ndarray | None:
    """Return the log density [chain, draw] that the sample statistics have of these draws."""
    stats = group(tree, "sample_stats")
    fit = (_of_draws(stats[name], shape) for name in DENSITIES if name in stats)
    return next((density for density in fit if density is not None), None)


def _of_draws(draws: xr.DataArray, shape: tuple[int, int]) -> np.ndarray | None:
    if {*draws.dims} != {"chain", "draw"} or sizes(draws) != shape:
        return None
    return draws.transpose("chain", "draw").to_numpy().astype(float)


def _densities(tree: xr.DataTree, shape: tuple[int, int]) -> dict[str, np.ndarray]:
    """Return log densities [chain, draw] as far as a DataTree has them, and they are finite."""
    found = {"log density": _log_density(tree, shape)}
    parts = [v.sum([dim for dim in v.dims if dim not in ("chain", "draw")])
             for v in group(tree, "log_likelihood").data_vars.values()]
    if parts:
        found["log likelihood"] = _of_draws(sum(parts[1:], parts[0]), shape)
    return {name: v for name, v in found.items() if v is not None and np.isfinite(v).all()}


def _divergences(tree: xr.DataTree, shape: tuple[int, int]) -> np.ndarray | None:
    """Return how many draws of each chain diverged [chain], if a DataTree says so."""
    diverging = group(tree, "sample_stats").get("diverging")
    if diverging is None or diverging.dims != ("chain", "draw") or len(diverging) != shape[0]:
        return None
    counts: np.ndarray = diverging.to_numpy().astype(bool).sum(axis=1)
    return counts
