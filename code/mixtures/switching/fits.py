"""Components matched across fits: refits, subsets of the data, a simulation's replicates."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr

from mixtures import checks, trace
from mixtures.relabel.apply import apply_to_trace
from mixtures.relabel.assignment import cheapest
from mixtures.source import Source, tree_of
from mixtures.switching.diagnosis import diagnose
from mixtures.switching.thresholds import STANDARD, Thresholds
from mixtures.switching.verdict import NONE, UNKNOWN
from mixtures.trace import Names

# draws of each fit that are compared, each with each
COMPARED = 100


class Aligned(NamedTuple):
    """Fits whose components bear the names of the first fit's.

    Attributes
    ----------
    trees : list of xarray.DataTree
        In the order given; the first as it was.
    confidence : numpy.ndarray, shape [fit]
        The share of pairs of draws, one of the first fit and one of this, in which the components
        so matched are the nearest.
    """

    trees: list[xr.DataTree]
    confidence: np.ndarray


def align(
    fits: Sequence[Source], var_name: Names = "means", component_dim: Names = "component", *,
    allocations: Names = (), least: float = 0.95, thresholds: Thresholds = STANDARD,
) -> Aligned:
    """Give the components of several fits the names that they have in the first.

    Each fit has to have settled names of its own: relabel it first. Where components overlap, a
    rule gave them their names and not the data, so that nothing could be matched; such fits are
    refused, and so are matches that few pairs of draws support.

    Parameters
    ----------
    fits : sequence of xarray.DataTree, xarray.Dataset, InferenceData or path
        Two or more traces; not changed.
    var_name : str or list of str
        The variables to match by, each divided by its standard deviation within components.
    component_dim : str or list of str
        The dims that count the components.
    allocations : str or list of str
        Variables that hold labels, to rename too.
    least : float
        The least confidence with which fits are matched.
    thresholds : Thresholds
        Where the diagnosis of each fit draws its lines.

    Returns
    -------
    Aligned
        The traces, and the confidence of each.

    Raises
    ------
    ValueError
        If there are fewer than two fits, or they differ in their numbers of components, or one
        shows switching, overlapping or collapsed components or no convergence, or has a confidence
        below `least`.

    Examples
    --------
    >>> trees, confidence = switching.align([first, second], var_name=["means", "sigma"])
    """
    if len(fits) < 2:
        raise ValueError(f"fits: expected two or more, got {len(fits)}")
    names = checks.names(var_name, "var_name")
    dims = checks.names(component_dim, "component_dim")
    labelled = checks.names(allocations, "allocations", empty=True)
    # once: some may be files
    trees = [tree_of(fit) for fit in fits]
    draws = [_settled(tree, i, names, dims, thresholds) for i, tree in enumerate(trees)]
    named, confidence = trees[:1], np.ones(len(fits))
    for i, (tree, own) in enumerate(zip(trees[1:], draws[1:], strict=True), 1):
        if own.shape[1:] != draws[0].shape[1:]:
            says = f"expected {[*draws[0].shape[1:]]} components and entries, as fits[0] has"
            raise ValueError(f"fits[{i}]: {says}, got {[*own.shape[1:]]}")
        match, confidence[i] = _match(draws[0], own)
        if confidence[i] < least:
            says = f"its components match those of fits[0] in {confidence[i]:.0%} of pairs of draws"
            raise ValueError(f"fits[{i}]: {says} only, expected {least:.0%} or more; either there"
                             " are other components in it, or they are not known well enough")
        sizes = trace.sizes(trace.posterior_of(tree))
        perm = xr.Variable(("chain", "draw", dims[0]), np.tile(match, (*sizes, 1)))
        named.append(apply_to_trace(tree, perm, dims, labelled, {"method": "align"}))
    return Aligned(named, confidence)


def _settled(
    fit: xr.DataTree, i: int, names: tuple[str, ...], dims: tuple[str, ...], thresholds: Thresholds
) -> np.ndarray:
    """Return some draws [draw, component, entry] of a fit whose components have names."""
    found = diagnose(fit, names, dims, thresholds=thresholds)
    single = found.numbers.sizes.get("chain") == 1 and found.verdict == UNKNOWN
    if found.verdict != NONE and not single:
        says = f"expected no sign of switching, got: {found.verdict}. {found.summary}"
        raise ValueError(f"fits[{i}]: {says} Relabel it first, or ask label-free questions")
    values = trace.read(fit, names, dims).values
    flat = np.concatenate([values[name] for name in names], axis=3)
    flat = flat.reshape(-1, *flat.shape[2:])
    some: np.ndarray = flat[np.linspace(0, len(flat) - 1, min(len(flat), COMPARED)).astype(int)]
    return some


def _match(first: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the permutation of another fit's components that most pairs of draws ask for."""
    scale = np.sqrt((first.var(axis=0) + other.var(axis=0)).mean(axis=0))
    first, other = (draws / np.where(scale > 0, scale, 1) for draws in (first, other))
    apart = other[:, None, :, None] - first[None, :, None]
    cost = (apart**2).sum(axis=-1).reshape(-1, other.shape[1], first.shape[1])
    found, counts = np.unique(cheapest(cost), axis=0, return_counts=True)
    return found[counts.argmax()], float(counts.max() / counts.sum())
