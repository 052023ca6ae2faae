"""Relabelling of a whole trace: a method finds permutations, which are applied to all with labels.

A permutation is integer [draw, component], 0-based: ``perm[t, k] = j`` means that the relabelled
component k of draw t takes original component j.
"""

import warnings
from collections.abc import Callable
from typing import NamedTuple

import xarray as xr

from mixtures import checks, doubts, trace
from mixtures.relabel.alternation import Fit
from mixtures.relabel.apply import apply_to_trace
from mixtures.relabel.ecr import ecr_iterative_of_trace, ecr_of_trace
from mixtures.relabel.order import order_of_trace
from mixtures.relabel.pra import pra_of_trace
from mixtures.relabel.request import Pivot, Request
from mixtures.relabel.stephens import stephens_of_trace
from mixtures.source import Source, tree_of
from mixtures.trace import KEPT, Names


class Method(NamedTuple):
    """How a trace is relabelled, and which of `pivot` and `probabilities` that takes."""

    find: Callable[[Request], Fit]
    takes: tuple[str, ...] = ()


METHODS = {
    "order": Method(order_of_trace), "pra": Method(pra_of_trace, ("pivot",)),
    "ecr": Method(ecr_of_trace, ("pivot",)), "ecr-iterative": Method(ecr_iterative_of_trace),
    "stephens": Method(stephens_of_trace, ("probabilities",)),
}


def relabel(
    tree: Source, method: str = "order", *, var_name: Names = "means",
    component_dim: Names = "component", allocations: Names = (), parameter: int | None = None,
    pivot: Pivot | None = None, probabilities: str | xr.DataArray | None = None,
    max_iterations: int = 100, leave: Names = (),
) -> xr.DataTree:
    """Relabel a whole trace.

    All variables with `component_dim` are permuted, in every group that belongs to the posterior's
    draws. Groups of other draws (prior, warm-up), other variables, coordinates and the original
    stay as they are.

    Parameters
    ----------
    tree : xarray.DataTree, xarray.Dataset, InferenceData or path
        A trace as ArviZ has it or saved it, or its posterior, with dims chain and draw.
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
        The dims that count the components; several if a variable such as a transition matrix has
        two.
    allocations : str or list of str
        Variables of whole numbers, without `component_dim`, that hold labels, from 0 or from 1:
        their values are relabelled. They are taken to count from 1 if the largest is the number of
        components.
    parameter : int, optional
        For "order": which entry, if `var_name` has further dims; the first, with a warning, if
        None.
    pivot : array_like or mapping, optional
        For "pra" shape [component, parameter], or arrays [component, ...] by name of variable; for
        "ecr" the labels [n], counted as the draws' are. If None, that of the draw with the highest
        log density in the sample statistics.
    probabilities : str or xarray.DataArray, optional
        For "stephens": variable of the posterior, or result of `memberships`; dims chain, draw, one
        more, and the component's.
    max_iterations : int
        For the iterative methods.
    leave : str or list of str
        Variables that have no labels besides those that `component_dim` counts, whatever they look
        like: no warning of them.

    Returns
    -------
    xarray.DataTree
        Its posterior has a new variable ``permutation``, dims (chain, draw, `component_dim`), whose
        entry k is the component that k was before any relabelling: relabelled once more,
        permutations are composed. Its attributes: ``method``, ``iterations``, ``converged`` (0 or
        1), ``objective`` (as the method documents it; not for "order") and ``allocations`` (if any)
        of the last, and ``after`` (the methods before, if any).

    Raises
    ------
    ValueError
        If something is missing, or is not as described above and in the documentation of the
        method.

    Warns
    -----
    NotConverged
        If an iterative method had no fixed point after `max_iterations`.
    UserWarning
        If a variable that stays as it is may have labels too, and says what to type: it has another
        dim with as many entries as there are components, or one fewer, or holds whole numbers up to
        that, or is a share. Or if "order" goes by the first of several entries unasked.
    """
    tree = tree_of(tree)
    posterior, dims = trace.posterior_of(tree), checks.names(component_dim, "component_dim")
    chosen = METHODS[checks.choice(method, "method", METHODS)]
    for name, value in (("pivot", pivot), ("probabilities", probabilities)):
        if value is not None and name not in chosen.takes:
            raise ValueError(f"{name}: expected none for the method {method!r}")
    count = trace.n_component(posterior, dims)
    labelled = checks.names(allocations, "allocations", empty=True)
    fit = chosen.find(Request(
        tree, posterior, dims, var_name, labelled, parameter or 0, pivot, probabilities,
        max_iterations))
    found = fit.perm.shape[1]
    if found != count:
        says = f"expected {found} components as {method!r} has, got {count}"
        raise ValueError(f"component_dim: {says}")
    perm = fit.perm.reshape(*trace.sizes(posterior), count)
    record: dict[str, str | float] = {
        "method": method, "iterations": fit.iterations, "converged": int(fit.converged)}
    if labelled:
        record["allocations"] = ", ".join(labelled)
    if fit.objective is not None:
        record["objective"] = float(fit.objective)
    kept = xr.Variable(("chain", "draw", dims[0]), perm)
    new = apply_to_trace(tree, kept, dims, labelled, record)
    known = (KEPT, *checks.names(leave, "leave", empty=True))
    for says in _doubts(posterior.drop_vars(known, errors="ignore"), dims, labelled):
        warnings.warn(says, UserWarning, stacklevel=2)
    if method == "order" and parameter is None:
        _warn_of_entries(posterior, str(checks.names(var_name, "var_name")[0]), dims)
    return new


def _doubts(posterior: xr.Dataset, dims: tuple[str, ...], labelled: tuple[str, ...]) -> list[str]:
    """Return sentences about what may have labels too, and is left as it is."""
    said = doubts.pairs(posterior, dims)
    return [f"{name} {why}" for name, why in said.items()] + doubts.of_others(
        posterior, dims, labelled)


def _warn_of_entries(posterior: xr.Dataset, name: str, dims: tuple[str, ...]) -> None:
    """Warn where one entry of several was taken to sort by."""
    further = [dim for dim in posterior[name].dims if dim not in ("chain", "draw", *dims)]
    if any(posterior.sizes[dim] > 1 for dim in further):
        says = (f"{name} is sorted by its first entry of {', '.join(map(str, further))}; say which"
                " by parameter=0. For a mixture in each of them, relabel one by one:"
                f" tree.isel({further[0]}=[0])")
        warnings.warn(says, UserWarning, stacklevel=3)
