"""The reader of traces: what ArviZ and PyMC keep of a run, as checked variables and as arrays."""

import zlib
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import xarray as xr

from mixtures import checks, doubts
from mixtures.source import Source, tree_of

type Names = str | list[str] | tuple[str, ...]

# what relabel calls the permutations it leaves in the posterior: they say nothing of the mixture
KEPT = "permutation"
# what the log density may be called in the sample statistics
DENSITIES = ("lp", "logp", "lp__")
# fewer draws have no halves to compare
LEAST = 16
# a variable with more numbers than this in a component (responsibilities, say) costs a diagnosis
# much and tells it little more
ENTRIES = 64


def posterior_of(source: Source) -> xr.Dataset:
    """Return the posterior of a trace, or say what is wrong with it (ValueError)."""
    tree = tree_of(source)
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
            raise ValueError(f"component_dim: {says}{doubts.unnamed(posterior)}")
    counts = {posterior.sizes[dim] for dim in dims}
    if len(counts) > 1 or 0 in counts:
        got = {dim: posterior.sizes[dim] for dim in dims}
        raise ValueError(f"component_dim: expected dims of one size, of 1 or more, got {got}")
    return counts.pop()


def one_dim(posterior: xr.Dataset, dims: Sequence[str]) -> xr.Dataset:
    """Return a posterior in which the first of several dims counts the components everywhere.

    Of a variable with two of them, such as a transition matrix, it keeps the diagonal.
    """
    first, *others = dims
    # coordinates of the others would only be in the way
    posterior = posterior.drop_vars({*others} & {*posterior.coords})
    place = xr.DataArray(np.arange(posterior.sizes.get(first, 0)), dims=first)
    changed = {}
    for name, v in posterior.data_vars.items():
        own = [dim for dim in dims if dim in v.dims]
        if len(own) > 1:
            changed[name] = v.isel(dict.fromkeys(own, place))
        elif own and own != [first]:
            changed[name] = v.rename({own[0]: first})
    return posterior.assign(changed)


def by_component(draws: xr.DataArray, component_dim: Hashable) -> np.ndarray:
    """Return draws as an array [chain, draw, component, entry], further dims being entries."""
    array = draws.transpose("chain", "draw", component_dim, ...).to_numpy()
    return array.reshape(*array.shape[:3], -1)


def entry(name: Hashable, k: int, e: int, of: int) -> str:
    """Return what entry `e` of component `k` is called, where there are so many."""
    return f"{name}[{k}]" if of == 1 else f"{name}[{k}, {e}]"


def best_draw(source: Source) -> int:
    """Return the index, chains after one another, of the draw with the highest log density."""
    tree = tree_of(source)
    density = _log_density(tree, sizes(posterior_of(tree)))
    if density is None or np.isnan(density).all():
        names = ", ".join(DENSITIES)
        says = (f"expected one, for the sample statistics have no log density ({names}); a draw"
                ' that you trust will do, as in pivot={"mu": tree.posterior["mu"].values[0, 0]}')
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
    diverged : numpy.ndarray of bool, shape [chain, draw], or None
        Which draws diverged.
    notes : tuple of str
        What was left out, and what may have labels and was not looked at.
    relabelled : bool
        Whether `mixtures.relabel.relabel` made it.
    """

    values: dict[Hashable, np.ndarray]
    named: tuple[str, ...]
    chains: np.ndarray
    log_density: dict[str, np.ndarray] = field(default_factory=dict)
    diverged: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    relabelled: bool = False


def read(
    source: Source, var_name: Names, component_dim: Names, leave: Names = ()
) -> Trace:
    """Return the `Trace` of any ArviZ-like object, or say by name what is wrong (ValueError)."""
    names, dims = checks.names(var_name, "var_name"), checks.names(component_dim, "component_dim")
    if isinstance(source, xr.DataArray):
        source = source.to_dataset(name=names[0])
    tree = tree_of(source)
    whole = (tree["posterior"] if "posterior" in tree.children else tree).to_dataset()
    if len(dims) > 1:
        n_component(whole, dims)
    posterior, first = one_dim(whole, dims), dims[0]
    for wanted in names:
        _check(posterior, wanted, first)
    asked = {"chain", "draw", first}
    others = [name for name, v in posterior.data_vars.items()
              if name not in (*names, KEPT) and asked <= {*v.dims}]
    kept = whole[KEPT].attrs if KEPT in whole else {}
    # what has been relabelled with the components needs no question
    known = *checks.names(leave, "leave", empty=True), *kept.get("allocations", "").split(", ")
    asked_of = whole.drop_vars(known, errors="ignore")
    doubtful = doubts.pairs(asked_of, dims)
    values: dict[Hashable, np.ndarray] = {}
    notes = []
    for name in (*names, *others):
        array = by_component(posterior[name], first)
        doubt = doubtful.get(name) or _doubt(array)
        if name in names or not doubt:
            values[name] = array.astype(float)
        if doubt:
            notes.append(f"{name} {'' if name in names else 'is left out: it '}{doubt}")
    notes += doubts.of_others(asked_of, dims)
    chains, shape = posterior["chain"].to_numpy(), sizes(posterior[names[0]])
    densities, diverged = _densities(tree, shape), _divergences(tree, shape)
    return Trace(values, names, chains, densities, diverged, tuple(notes), "method" in kept)


def _check(posterior: xr.Dataset, name: str, component_dim: str) -> None:
    """Refuse a variable that cannot be diagnosed."""
    found = variable(posterior, name, "var_name", ())
    if {*found.dims} == {"chain", "draw"}:
        says = f"expected {name!r} to have a dim of components, got one number in each draw"
        raise ValueError(f"var_name: {says}{doubts.unnamed(posterior) or '; ' + doubts.stacked()}")
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
    if found.dtype.kind not in "biuf":
        says = f"expected real numbers for each component, but {name!r} holds others"
        raise ValueError(f"var_name: {says}")
    if found.sizes["draw"] < LEAST or found.size == 0:
        got = dict(found.sizes)
        raise ValueError(f"tree: expected at least 1 chain of {LEAST} draws, got sizes {got}")


def _doubt(array: np.ndarray) -> str:
    """Return why an array [chain, draw, component, entry] is no evidence, if it is none."""
    if array.dtype.kind not in "biuf":
        return "does not hold real numbers"
    if not np.isfinite(array).all():
        return "has draws that are NaN or infinite"
    many = f"has more than {ENTRIES} numbers in each component"
    return many if array.shape[3] > ENTRIES else ""


def _log_density(tree: xr.DataTree, shape: tuple[int, int]) -> np.ndarray | None:
    """Return the log density [chain, draw] that the sample statistics have of these draws.

    NumPyro's ``lp`` is minus the log density, as the energy tells: that is minus the log density
    too, plus a kinetic energy of its own.
    """
    stats = group(tree, "sample_stats")
    # draws that came as a table have theirs among the parameters
    places = (there[name] for there in (stats, group(tree, "posterior")) for name in DENSITIES
              if name in there)
    fit = (_of_draws(density, shape) for density in places)
    density = next((density for density in fit if density is not None), None)
    energy = _of_draws(stats["energy"], shape) if "energy" in stats else None
    if density is None or energy is None or not np.isfinite([density, energy]).all():
        return density
    rising = np.sum((density - density.mean()) * (energy - energy.mean())) > 0
    return -density if rising and (energy > density).all() else density


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
    """Return which draws diverged [chain, draw], if the sample statistics say so of these draws."""
    diverging = group(tree, "sample_stats").get("diverging")
    found = None if diverging is None else _of_draws(diverging, shape)
    return None if found is None else found.astype(bool)
