"""Undo the switching: find each draw's permutation, and carry it out on all that has labels.

By arrays: `by_order`, `pra`, `ecr`, `ecr_iterative` or `stephens` find permutations, `apply` and `apply_to_allocations`
carry them out. By a whole trace: `relabel` does both. A permutation is integer [draw, component], 0-based:
``perm[t, k] = j`` means that the relabelled component k of draw t takes original component j.
"""

import warnings
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from mixtures import data
from mixtures.carry import apply, apply_to_allocations, carried_out
from mixtures.iterative import NotConverged, ecr_iterative, ecr_iterative_fit, stephens, stephens_fit
from mixtures.labels import DENSITIES, Names
from mixtures.memberships import draw_allocations, fingerprint, memberships, posterior_of, variable
from mixtures.permutations import Fit, by_order, ecr, ecr_fit, pra, pra_fit

__all__ = ["NotConverged", "apply", "apply_to_allocations", "by_order", "draw_allocations", "ecr", "ecr_iterative",
           "memberships", "pra", "relabel", "stephens"]

METHODS = ("order", "pra", "ecr", "ecr-iterative", "stephens")

type Pivot = ArrayLike | Mapping[Any, ArrayLike]


def relabel(
    tree: xr.DataTree, method: str = "order", *, var_name: Names = "means", component_dim: Names = "component",
    allocations: Names = (), parameter: int = 0, pivot: Pivot | None = None,
    probabilities: str | xr.DataArray | None = None, max_iterations: int = 100,
) -> xr.DataTree:
    """Relabel a whole trace.

    All variables with `component_dim` are permuted, in every group that belongs to the posterior's draws. Groups of
    other draws (prior, warm-up), other variables, coordinates and the original stay as they are.

    Parameters
    ----------
    tree : xarray.DataTree
        A trace as ArviZ has it, with dims chain and draw in its posterior.
    method : str
        One of

        - "order": sort by `var_name`; see `by_order`.
        - "pra": nearest to `pivot` in the variables `var_name`; see `pra`.
        - "ecr": most like `pivot` in the first of `allocations`; see `ecr`.
        - "ecr-iterative": the same, with a pivot that the draws agree on; see `ecr_iterative`.
        - "stephens": draws agree on `probabilities`; see `stephens`.
    var_name : str or list of str
        For "order" one variable, for "pra" one or several.
    component_dim : str or list of str
        The dims that count the components; several if a variable such as a transition matrix has two.
    allocations : str or list of str
        Integer variables, without `component_dim`, that hold labels from 0: their values are relabelled.
    parameter : int
        For "order": which entry, if `var_name` has further dims.
    pivot : array_like or mapping, optional
        For "pra" shape [component, parameter], or arrays [component, ...] by name of variable; for "ecr" the labels
        [n]. If None, that of the draw with the highest log density in the sample statistics.
    probabilities : str or xarray.DataArray, optional
        For "stephens": variable of the posterior, or result of `memberships`; dims chain, draw, one more, and the
        component's.
    max_iterations : int
        For the iterative methods.

    Returns
    -------
    xarray.DataTree
        Its posterior has a new variable ``permutation``, dims (chain, draw, `component_dim`), whose entry k is the
        component that k was before any relabelling: relabelled once more, permutations are composed. Its attributes:
        ``method``, ``iterations``, ``converged`` (0 or 1), ``objective`` (as the method documents it; not for
        "order") of the last, and ``after`` (the methods before, if any).

    Raises
    ------
    ValueError
        If something is missing, or is not as described above and in the documentation of the method.

    Warns
    -----
    NotConverged
        If an iterative method had no fixed point after `max_iterations`.
    UserWarning
        If another dim of the posterior has as many entries as there are components, and its variables stay as they are.
    """
    posterior, dims = posterior_of(tree), _listed(component_dim, "component_dim")
    if method not in METHODS:
        raise ValueError(f"method: expected one of {', '.join(METHODS)}, got {method!r}")
    for name, value, users in (("pivot", pivot, ("pra", "ecr")), ("probabilities", probabilities, ("stephens",))):
        if value is not None and method not in users:
            raise ValueError(f"{name}: expected none for the method {method!r}")
    n_component = _count(posterior, dims)
    allocations = _listed(allocations, "allocations", empty=True)
    if method == "order":
        # what is no name is refused there
        draws = _draws(posterior, cast(str, var_name), dims, "var_name")
        fit = Fit(by_order(draws, parameter), np.empty(0), np.empty(0), True)
    elif method == "pra":
        fit = _pra(tree, posterior, _listed(var_name, "var_name"), dims, pivot)
    elif method == "stephens":
        fit = stephens_fit(_probabilities(posterior, probabilities, dims), max_iterations)
    else:
        fit = _ecr(tree, posterior, allocations, n_component, method, pivot, max_iterations)
    if fit.perm.shape[1] != n_component:
        raise ValueError(f"component_dim: expected {fit.perm.shape[1]} components as {method!r} has, got {n_component}")
    _warn_of_others(posterior, dims, n_component)
    perm = xr.Variable(("chain", "draw", dims[0]), fit.perm.reshape(*_sizes(posterior), n_component))
    record: dict[str, str | float]
    record = {"method": method, "iterations": max(len(fit.history), 1), "converged": int(fit.converged)}
    record |= {"objective": float(fit.history[-1])} if len(fit.history) else {}
    return carried_out(tree, perm, dims, allocations, record)


def _listed(value: Names, argument: str, empty: bool = False) -> tuple[str, ...]:
    names = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list | tuple) else None
    if names is None or not (names or empty) or not all(isinstance(name, str) for name in names):
        shown = repr(value) if names is not None else type(value).__name__
        raise ValueError(f"{argument}: expected a name or a list of names, got {shown}")
    return tuple(dict.fromkeys(names))


def _warn_of_others(posterior: xr.Dataset, dims: tuple[str, ...], n_component: int) -> None:
    """Warn of variables that may have labels too, under a dim of their own, as PyMC makes without ``dims``."""
    for name, v in posterior.data_vars.items():
        if {"chain", "draw"} <= {*v.dims} and not {*dims} & {*v.dims}:
            alike = [dim for dim in v.dims if dim not in ("chain", "draw") and v.sizes[dim] == n_component]
            if alike:
                says = f"{name} stays as it is; if its dim {alike[0]!r} counts the components, name it in component_dim"
                warnings.warn(says, UserWarning, stacklevel=3)


def _sizes(posterior: xr.Dataset) -> tuple[int, int]:
    return posterior.sizes["chain"], posterior.sizes["draw"]


def _count(posterior: xr.Dataset, dims: tuple[str, ...]) -> int:
    for dim in dims:
        if dim not in posterior.dims or dim in ("chain", "draw"):
            there = ", ".join(str(d) for d in posterior.dims if d not in ("chain", "draw")) or "none"
            raise ValueError(f"component_dim: expected dims of the posterior ({there}), got {dim!r}")
    counts = {posterior.sizes[dim] for dim in dims}
    if len(counts) > 1 or 0 in counts:
        raise ValueError(f"component_dim: expected dims of one size, not 0, got {dict(posterior.sizes)}")
    return counts.pop()


def _draws(posterior: xr.Dataset, name: str, dims: tuple[str, ...], argument: str) -> np.ndarray:
    """Return a variable's draws [draw, component, entry]."""
    found = variable(posterior, name, argument, ("chain", "draw"))
    own = [dim for dim in dims if dim in found.dims]
    if len(own) != 1:
        raise ValueError(f"{argument}: expected {name!r} to have one dim of components {dims}, got {found.dims}")
    array = found.transpose("chain", "draw", own[0], ...).to_numpy()
    return array.reshape(array.shape[0] * array.shape[1], array.shape[2], -1)


def _best_draw(tree: xr.DataTree, posterior: xr.Dataset) -> int:
    """Return the index, chains after one another, of the draw with the highest log density."""
    stats = tree["sample_stats"].to_dataset() if "sample_stats" in tree.children else xr.Dataset()
    for name in DENSITIES:
        if name in stats and {*stats[name].dims} == {"chain", "draw"}:
            density = stats[name].transpose("chain", "draw").to_numpy()
            if density.shape == _sizes(posterior) and not np.isnan(density).all():
                return int(np.nanargmax(density))
    raise ValueError(f"pivot: expected one, for the sample statistics have no log density ({', '.join(DENSITIES)})")


def _pra(
    tree: xr.DataTree, posterior: xr.Dataset, names: tuple[str, ...], dims: tuple[str, ...], pivot: Pivot | None
) -> Fit:
    parts = [_draws(posterior, name, dims, "var_name") for name in names]
    draws = np.concatenate(parts, axis=2)
    if pivot is None:
        return pra_fit(draws, draws[_best_draw(tree, posterior)])
    if isinstance(pivot, Mapping):
        given = {str(name): pivot[name] for name in pivot}
        missing = [name for name in names if name not in given]
        if missing:
            raise ValueError(f"pivot: expected entries {', '.join(names)}, got none for {missing[0]!r}")
        arrays = [data.numbers(given[name], f"pivot[{name!r}]") for name in names]
        for name, array, part in zip(names, arrays, parts, strict=True):
            if array.shape[:1] != part.shape[1:2] or array.size != part[0].size:
                raise ValueError(f"pivot: expected {part[0].size} numbers for {name!r}, got shape {[*array.shape]}")
        return pra_fit(draws, np.concatenate([a.reshape(len(a), -1) for a in arrays], axis=1))
    return pra_fit(draws, pivot)


def _ecr(
    tree: xr.DataTree, posterior: xr.Dataset, allocations: tuple[str, ...], n_component: int, method: str,
    pivot: Pivot | None, max_iterations: int,
) -> Fit:
    if not allocations:
        raise ValueError(f"allocations: expected the name of a variable, for the method {method!r} goes by it")
    found = variable(posterior, allocations[0], "allocations", ("chain", "draw"))
    z = found.transpose("chain", "draw", ...).to_numpy().reshape(found.sizes["chain"] * found.sizes["draw"], -1)
    if method == "ecr":
        return ecr_fit(z, z[_best_draw(tree, posterior)] if pivot is None else pivot, n_component)
    return ecr_iterative_fit(z, max_iterations, n_component)


def _probabilities(posterior: xr.Dataset, given: str | xr.DataArray | None, dims: tuple[str, ...]) -> np.ndarray:
    """Return probabilities [draw, n, component]."""
    if not isinstance(given, str | xr.DataArray):
        says = f"probabilities: expected the name of a variable or what memberships returns, got {type(given).__name__}"
        raise ValueError(says)
    if isinstance(given, xr.DataArray):
        _same_draws(posterior, given)
    else:
        given = variable(posterior, given, "probabilities", ("chain", "draw"))
    own = [dim for dim in dims if dim in given.dims]
    if len(own) != 1 or given.ndim != 4 or not {"chain", "draw"} <= {*given.dims}:
        raise ValueError(f"probabilities: expected dims chain, draw, one more and one of {dims}, got {given.dims}")
    if (given.sizes["chain"], given.sizes["draw"]) != _sizes(posterior):
        raise ValueError(f"probabilities: expected the posterior's {_sizes(posterior)} draws, got {dict(given.sizes)}")
    array = given.transpose("chain", "draw", ..., own[0]).to_numpy()
    return array.reshape(-1, *array.shape[2:])


def _same_draws(posterior: xr.Dataset, given: xr.DataArray) -> None:
    """Refuse probabilities of other draws, or of the same draws under other labels."""
    for dim in ("chain", "draw"):
        known = dim in given.coords and dim in posterior.coords and given.sizes.get(dim) == posterior.sizes[dim]
        if known and not np.array_equal(given[dim].to_numpy(), posterior[dim].to_numpy()):
            raise ValueError(f"probabilities: expected the posterior's own {dim}s, in its order")
    if "labels" in given.attrs and given.attrs["labels"] != fingerprint(posterior):
        raise ValueError("probabilities: expected memberships of this trace, computed since it was last relabelled")
