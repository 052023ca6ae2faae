"""Traces brought into one shape: a variable for each parameter, and a dim of the components."""

from collections.abc import Sequence

import xarray as xr

from mixtures import checks, doubts, trace
from mixtures.source import Source, tree_of


def stack(
    source: Source, component_dim: str = "component", **variables: Sequence[str]
) -> xr.DataTree:
    """Make one variable of those that a trace has for each component.

    brms, JAGS and many models in PyMC have ``mu1`` and ``mu2``. `relabel` needs one variable whose
    dim counts the components.

    Parameters
    ----------
    source : xarray.DataTree, xarray.Dataset, InferenceData or path
        A trace; not changed.
    component_dim : str
        What to call the new dim.
    **variables : list of str
        By the new name, such as ``means``, the variables of the posterior, in the order of the
        components. They are taken out.

    Returns
    -------
    xarray.DataTree

    Raises
    ------
    ValueError
        If a variable is missing or named twice, or they differ in their dims, or the posterior has
        the new name or dim already, with other entries.

    Examples
    --------
    >>> tree = reshape.stack(tree, means=["mu1", "mu2"], sigma=["sigma1", "sigma2"])
    """
    posterior = trace.posterior_of(source)
    new = {}
    for name, parts in variables.items():
        parts = checks.names(parts, name)
        found = [_with_dims_of(name, trace.variable(posterior, part, name)) for part in parts]
        if len({(v.dims, v.shape) for v in found}) > 1:
            dims = "; ".join(f"{part}: {v.dims}" for part, v in zip(parts, found, strict=True))
            raise ValueError(f"{name}: expected variables with the same dims, got {dims}")
        new[name] = xr.concat(found, component_dim, coords="minimal", compat="override")
    parts = [part for several in variables.values() for part in several]
    return _with(source, new, parts, component_dim)


def complete(
    source: Source, name: str, component_dim: str = "component", *, last: float | None = None,
    new: str = "",
) -> xr.DataTree:
    """Add the entry of the last component to a variable that has one for all others.

    For a weight that is one number, for weights or fractions of all but the last, and for the
    coefficients of a softmax whose last class is the reference.

    Parameters
    ----------
    source : xarray.DataTree, xarray.Dataset, InferenceData or path
        A trace; not changed.
    name : str
        The variable: dims (chain, draw), or one more.
    component_dim : str
        What to call the dim of the new one.
    last : float, optional
        What the last component has: 0 for a reference class. If None, one minus the sum of the
        others.
    new : str
        A name for the new variable, if not `name`.

    Returns
    -------
    xarray.DataTree
        The new variable takes the place of the other.

    Raises
    ------
    ValueError
        If the variable is missing or has more dims, or, without `last`, an entry would be negative;
        or if the posterior has the new name or dim already, with other entries.

    Examples
    --------
    >>> tree = reshape.complete(tree, "theta", new="weights")  # theta and 1 - theta
    """
    old = trace.variable(trace.posterior_of(source), name, "name")
    further = [dim for dim in old.dims if dim not in ("chain", "draw")]
    if len(further) > 1:
        says = f"expected dims chain, draw and one more, but {name!r} has {old.dims}"
        raise ValueError(f"name: {says}")
    first = old.rename({further[0]: component_dim}) if further else old.expand_dims(component_dim)
    first = first.drop_vars(component_dim, errors="ignore")
    rest = 1 - first.sum(component_dim)
    if last is not None:
        rest = xr.full_like(rest, last)
    elif float(rest.min()) < -doubts.SUM:
        says = f"expected shares that sum to 1 or less, but {name!r} exceeds it; is there a last?"
        raise ValueError(f"name: {says}")
    whole = xr.concat([first, rest], component_dim, coords="minimal", compat="override")
    return _with(source, {new or name: whole}, [name], component_dim)


def _with_dims_of(name: str, part: xr.DataArray) -> xr.DataArray:
    """Return a variable whose dims are numbered for another: theta1_dim_0 is theta_dim_0."""
    own = f"{part.name}_dim_"
    new = {dim: f"{name}_dim_{str(dim).removeprefix(own)}" for dim in part.dims
           if str(dim).startswith(own)}
    return part.drop_vars(new, errors="ignore").rename(new)


def _with(
    source: Source, new: dict[str, xr.DataArray], old: Sequence[str], component_dim: str
) -> xr.DataTree:
    """Return a trace whose posterior has new variables in place of old ones."""
    tree, posterior = tree_of(source), trace.posterior_of(source)
    left = posterior.drop_vars(old)
    size = {v.sizes[component_dim] for v in new.values()} | (
        {left.sizes[component_dim]} if component_dim in left.dims else set())
    taken = [name for name in new if name in left.variables]
    if len(size) > 1 or taken:
        why = f"a variable {taken[0]!r}" if taken else f"{component_dim!r} of sizes {sorted(size)}"
        raise ValueError(f"component_dim: expected one number of components, got {why}")
    order = {name: v.transpose("chain", "draw", component_dim, ...) for name, v in new.items()}
    groups = {node.path: node.to_dataset(inherit=False) for node in tree.subtree}
    groups["/posterior"] = left.assign(order)
    return xr.DataTree.from_dict(groups, name=tree.name)
