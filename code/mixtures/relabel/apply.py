"""Permutations applied: to arrays, and to all that has labels in a trace."""

from collections.abc import Hashable, Iterable

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from mixtures.trace import KEPT, listed, posterior_of

MEANING = "entry k is the component that k was before any relabelling"


def permute(array: np.ndarray, perm: np.ndarray) -> np.ndarray:
    """Return an array [..., component, ...] in the order of permutations [..., component]."""
    index = perm.reshape(perm.shape + (1,) * (array.ndim - perm.ndim))
    return np.take_along_axis(array, index, axis=perm.ndim - 1)


def rename(z: np.ndarray, perm: np.ndarray) -> np.ndarray:
    """Return labels [draw, n] renamed by permutations [draw, component], in the dtype of `z`."""
    inverse = np.argsort(perm, axis=1).astype(z.dtype)
    return np.take_along_axis(inverse, z.astype(np.intp, copy=False), axis=1)


def apply(draws: ArrayLike, perm: ArrayLike) -> np.ndarray:
    """Apply permutations to draws.

    Parameters
    ----------
    draws : array_like, shape [draw, component, ...]
        Not changed.
    perm : array_like of int, shape [draw, component]
        Permutations, as `by_order` and the others return them.

    Returns
    -------
    numpy.ndarray, shape [draw, component, ...]
        ``result[t, k] = draws[t, perm[t, k]]``, of the same dtype.

    Raises
    ------
    ValueError
        If `perm` has something else than a permutation in each row, or `draws` has other draws or
        components.
    """
    draws, perm = np.asarray(draws), _as_permutation(perm)
    if draws.shape[:2] != perm.shape:
        raise ValueError(
            f"draws: expected shape [draw, component, ...] {[*perm.shape]}, got {[*draws.shape]}"
        )
    return permute(draws, perm)


def apply_to_allocations(z: ArrayLike, perm: ArrayLike) -> np.ndarray:
    """Apply permutations to allocations, whose values, not places, are labels.

    So they take the inverse.

    Parameters
    ----------
    z : array_like of int, shape [draw, ...]
        Not changed.
    perm : array_like of int, shape [draw, component]
        Permutations, as `by_order` and the others return them.

    Returns
    -------
    numpy.ndarray of int, shape [draw, ...]
        Where ``z`` is j, the result is the k with ``perm[t, k] = j``; of the same dtype.

    Raises
    ------
    ValueError
        If `perm` has something else than a permutation in each row, or `z` has other draws, values
        that are not integers, or labels that `perm` does not have.
    """
    z, perm = np.asarray(z), _as_permutation(perm)
    if z.ndim == 0 or len(z) != len(perm):
        raise ValueError(f"z: expected shape [draw, ...] with {len(perm)} draws, got {[*z.shape]}")
    if z.dtype.kind not in "iu":
        raise ValueError(f"z: expected labels that are integers, got {z.dtype}")
    if z.size and (z.min() < 0 or z.max() >= perm.shape[1]):
        raise ValueError(
            f"z: expected labels from 0 to {perm.shape[1] - 1}, got {z.min()} to {z.max()}"
        )
    if perm.shape[1] - 1 > np.iinfo(z.dtype).max:
        raise ValueError(
            f"z: expected integers that can hold {perm.shape[1]} labels, got {z.dtype}"
        )
    return rename(z.reshape(len(z), -1), perm).reshape(z.shape)


def _relabelled(z: np.ndarray, perm: np.ndarray) -> np.ndarray:
    """Return labels [draw, n] relabelled, that may be whole floats and count from 0 or from 1."""
    whole, first = from_zero(z, perm.shape[1])
    new: np.ndarray = apply_to_allocations(whole, perm).astype(z.dtype)
    return np.asarray(new + z.dtype.type(first))


def from_zero(z: np.ndarray, n_component: int) -> tuple[np.ndarray, int]:
    """Return labels as integers that count from 0, and from where they counted before.

    Stan counts from 1, and ArviZ reads its generated quantities as floats. What is no label stays.
    """
    whole = z.astype(np.intp) if z.dtype.kind == "f" and (z == np.round(z)).all() else z
    first = int(whole.size > 0 and whole.dtype.kind in "iu" and whole.max() == n_component)
    return whole - first if first else whole, first


def _as_permutation(perm: ArrayLike) -> np.ndarray:
    perm = np.asarray(perm)
    if perm.ndim != 2 or perm.size == 0 or perm.dtype.kind not in "iu":
        got = f"{perm.dtype} {[*perm.shape]}"
        says = "expected integers of shape [draw, component], none of them 0"
        raise ValueError(f"perm: {says}, got {got}")
    if (np.sort(perm, axis=1) != np.arange(perm.shape[1])).any():
        raise ValueError(f"perm: expected a permutation of 0 to {perm.shape[1] - 1} in each row")
    return perm


def apply_to_trace(
    tree: xr.DataTree, perm: xr.Variable, dims: tuple[str, ...], allocations: tuple[str, ...],
    record: dict[str, str | float],
) -> xr.DataTree:
    """Return a trace with all that has labels permuted, and the permutation in its posterior.

    Parameters
    ----------
    tree : xarray.DataTree
    perm : xarray.Variable, dims (chain, draw, component)
    dims : tuple of str
        The dims that count the components.
    allocations : tuple of str
        The variables that hold labels.
    record : dict
        Attributes of the kept permutation.
    """
    posterior = posterior_of(tree)
    earlier = _earlier(posterior, dims[0])
    mine = {node.path: node.to_dataset() for node in tree.subtree if _belongs(node, posterior)}
    for group in mine.values():
        _check_sizes(group, posterior, dims)
    for name in allocations:
        _check_allocations(name, mine.values(), posterior, dims)
    groups = {node.path: node.to_dataset(inherit=False) for node in tree.subtree}
    for path in mine:
        changed = {name: _changed(v.variable, name, perm, dims, allocations)
                   for name, v in groups[path].data_vars.items()
                   if {"chain", "draw"} <= {*v.dims}}
        groups[path] = groups[path].assign(changed)
    attrs = {"description": MEANING} | record
    kept = perm
    if earlier is not None:
        # it has been permuted like any other variable, which is just how permutations compose
        kept = groups["/posterior"][KEPT].variable.transpose(*perm.dims)
        attrs["after"] = ", ".join(filter(None, (earlier.get("after"), earlier["method"])))
    new = xr.Variable(perm.dims, kept.to_numpy(), attrs)
    groups["/posterior"] = groups["/posterior"].assign({KEPT: new})
    return xr.DataTree.from_dict(groups, name=tree.name)


def _earlier(posterior: xr.Dataset, dim: str) -> dict[str, str] | None:
    """Return what is kept of an earlier relabelling, if there was one."""
    kept = posterior.get(KEPT)
    if kept is None:
        return None
    if "method" not in kept.attrs or {*kept.dims} != {"chain", "draw", dim}:
        says = f"expected no variable {KEPT!r}, or one that relabel made of the same components"
        raise ValueError(f"tree: {says}")
    return kept.attrs


def _check_sizes(group: xr.Dataset, posterior: xr.Dataset, dims: tuple[str, ...]) -> None:
    for dim in {*dims} & {*group.dims}:
        if group.sizes[dim] != posterior.sizes[dim]:
            says = f"expected {posterior.sizes[dim]} entries of {dim!r} in every group"
            raise ValueError(f"component_dim: {says}")


def _check_allocations(
    name: str, groups: Iterable[xr.Dataset], posterior: xr.Dataset, dims: tuple[str, ...]
) -> None:
    found = [group[name] for group in groups if name in group.data_vars]
    if not found:
        says = f"expected a variable of the posterior ({listed(posterior.data_vars)}), got {name!r}"
        raise ValueError(f"allocations: {says}")
    if any({*dims} & {*v.dims} or not {"chain", "draw"} <= {*v.dims} for v in found):
        says = f"expected {name!r} to have dims chain and draw, and none of {dims}"
        raise ValueError(f"allocations: {says}")


def _belongs(node: xr.DataTree, posterior: xr.Dataset) -> bool:
    """Tell whether a group holds the posterior's draws.

    Chain and draw alone do not tell: prior draws may count alike.
    """
    for part in node.path.split("/"):
        other = part.startswith(("warmup", "prior")) or part.endswith("_prior")
        if other and part != "log_prior":
            return False
    group = node.to_dataset()
    return {"chain", "draw"} <= {*group.dims} and all(
        group.sizes[dim] == posterior.sizes[dim]
        and (dim not in group.coords or dim not in posterior.coords
             or group[dim].equals(posterior[dim]))
        for dim in ("chain", "draw"))


def _changed(
    variable: xr.Variable, name: Hashable, perm: xr.Variable, dims: tuple[str, ...],
    allocations: tuple[str, ...],
) -> xr.Variable:
    """Return a variable with its components permuted, or its labels renamed, if it has any."""
    if name in allocations:
        ordered = variable.transpose("chain", "draw", ...)
        flat = perm.to_numpy().reshape(-1, perm.shape[-1])
        try:
            z = _relabelled(ordered.to_numpy().reshape(len(flat), -1), flat)
        except ValueError as error:
            says = f"{name!r} has no labels of the components ({error})"
            raise ValueError(f"allocations: {says}") from error
        return ordered.copy(data=z.reshape(ordered.shape)).transpose(*variable.dims)
    for dim in dims:
        if dim in variable.dims:
            ordered = variable.transpose("chain", "draw", dim, ...)
            array = ordered.to_numpy()
            moved = permute(array, perm.to_numpy())
            variable = ordered.copy(data=moved).transpose(*variable.dims)
    return variable

