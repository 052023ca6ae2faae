"""Which label is which, draw by draw: a trace read, its permutations relative to a pivot, and what has no labels.

The private half of ``switching``. Arrays have the axes [chain, draw, component, entry]; an entry is one of a variable's
further numbers, such as a coordinate of a two-dimensional mean.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import xarray as xr
from scipy.sparse.csgraph import connected_components

from mixtures import assignment

type Names = str | list[str] | tuple[str, ...]

# what relabel calls the permutations it leaves in the posterior: they say nothing of the mixture
KEPT = "permutation"
# what the log density may be called in the sample statistics
DENSITIES = ("lp", "logp", "lp__")
# evidence variables with more numbers than this in a component (responsibilities, say) cost much and tell little more
ENTRIES = 64
# starting pivots, and draws that are looked at to choose among them
STARTS, THINNED = 12, 600
# a scale below this share of a variable's overall spread adds nothing to the certainty of an assignment
SMALLEST_SCALE = 1e-3
# 20 to 1: the log odds at which a draw is said to have changed its labels
LOG_ODDS = np.log(20.0)
# two components overlap if in 5 % of the draws their exchange is a matter of at most a quarter of the usual log odds;
# where the posterior has one hump the share is 12 % or more, with humps 4 standard deviations apart it is 6 %
OVERLAP = 0.05
# a chain with this share of its draws under one labelling is said to sit in it, overlap or not
PURE = 0.98


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


def read(tree: xr.DataTree | xr.Dataset | xr.DataArray, var_name: Names, component_dim: str) -> Trace:
    """Return the `Trace` of any ArviZ-like object, or say by name what is wrong with it (ValueError)."""
    names = tuple(var_name) if isinstance(var_name, list | tuple) else (var_name,)
    if not names or not all(isinstance(name, str) for name in names):
        raise ValueError(f"var_name: expected a name or a list of names, got {var_name!r}")
    if isinstance(tree, xr.DataArray):
        posterior = tree.to_dataset(name=names[0])
    elif isinstance(tree, xr.Dataset):
        posterior = tree
    elif isinstance(tree, xr.DataTree):
        posterior = (tree["posterior"] if "posterior" in tree.children else tree).to_dataset()
    else:
        raise ValueError(f"tree: expected a DataTree, a Dataset or a DataArray, got {type(tree).__name__}")
    for wanted in names:
        _check(posterior, wanted, component_dim)
    asked = {"chain", "draw", component_dim}
    others = [n for n, v in posterior.data_vars.items() if n not in (*names, KEPT) and asked <= {*v.dims}]
    values: dict[Hashable, np.ndarray] = {}
    notes = []
    for name in (*dict.fromkeys(names), *others):
        variable = posterior[name]
        array = variable.transpose("chain", "draw", component_dim, ...).to_numpy()
        array = array.reshape(*array.shape[:3], -1)
        doubt = _doubt(variable, array, component_dim)
        if name in names and (array.dtype.kind not in "biuf" or _pairs(variable, component_dim)):
            raise ValueError(f"var_name: expected real numbers for each component, but {name!r} {doubt}")
        if name in names or not doubt:
            values[name] = array.astype(float)
        else:
            notes.append(f"{name} is left out: it {doubt}")
    shape = next(iter(values.values())).shape[:2]
    chains = posterior["chain"].to_numpy()
    log_density, divergences = _statistics(tree, shape) if isinstance(tree, xr.DataTree) else ({}, None)
    return Trace(values, tuple(dict.fromkeys(names)), chains, log_density, divergences, tuple(notes))


def _check(posterior: xr.Dataset, name: str, component_dim: str) -> None:
    if name not in posterior.data_vars:
        there = ", ".join(map(str, posterior.data_vars)) or "none"
        raise ValueError(f"var_name: expected a variable of the posterior ({there}), got {name!r}")
    variable = posterior[name]
    for dim in ("chain", "draw"):
        if dim not in variable.dims:
            raise ValueError(f"tree: expected {name!r} to have dims chain and draw, got {variable.dims}")
    if component_dim not in variable.dims or component_dim in ("chain", "draw"):
        raise ValueError(f"component_dim: expected one of the dims {variable.dims} of {name!r}, got {component_dim!r}")
    if variable.sizes[component_dim] < 2:
        raise ValueError(f"component_dim: expected at least 2 components, got {variable.sizes[component_dim]}")
    if variable.sizes["draw"] < 4 or variable.size == 0:
        raise ValueError(f"tree: expected at least 1 chain of 4 draws, got sizes {dict(variable.sizes)}")


def _pairs(variable: xr.DataArray, component_dim: str) -> bool:
    """Tell whether a variable has a second dim of components, such as a transition matrix."""
    return any(str(component_dim) in str(dim) for dim in variable.dims if dim != component_dim)


def _doubt(variable: xr.DataArray, array: np.ndarray, component_dim: str) -> str:
    if array.dtype.kind not in "biuf":
        return "does not hold real numbers"
    if _pairs(variable, component_dim):
        return "belongs to pairs of components"
    if not np.isfinite(array).all():
        return "has draws that are NaN or infinite"
    return f"has more than {ENTRIES} numbers in each component" if array.shape[3] > ENTRIES else ""


def _statistics(tree: xr.DataTree, shape: tuple[int, ...]) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
    """Return log densities [chain, draw] and divergences [chain] as far as a DataTree has them."""
    densities: dict[str, xr.DataArray] = {}
    divergences = None
    if "sample_stats" in tree.children:
        stats = tree["sample_stats"].to_dataset()
        found = [stats[name] for name in DENSITIES if name in stats]
        if found:
            densities["log density"] = found[0]
        if "diverging" in stats and stats["diverging"].dims == ("chain", "draw"):
            divergences = stats["diverging"].to_numpy().astype(bool).sum(axis=1)
    if "log_likelihood" in tree.children:
        parts = [v.sum([d for d in v.dims if d not in ("chain", "draw")])
                 for v in tree["log_likelihood"].to_dataset().data_vars.values()]
        if parts:
            densities["log likelihood"] = sum(parts[1:], parts[0])
    fits = {}
    for name, v in densities.items():
        if {*v.dims} == {"chain", "draw"} and (v.sizes["chain"], v.sizes["draw"]) == shape and np.isfinite(v).all():
            fits[name] = v.transpose("chain", "draw").to_numpy().astype(float)
    return fits, divergences if divergences is None or divergences.size == shape[0] else None


@dataclass(frozen=True, eq=False)
class Labels:
    """The labelling of every draw.

    Attributes
    ----------
    permutation : numpy.ndarray of int, shape [chain, draw, component]
        ``permutation[c, t, k] = j``: component k of the pivot is component j of draw t. Commonest: 0, 1, 2, ...
    switches : numpy.ndarray of int, shape [chain]
        Changes of labelling within the chain. Draws at less than 20 to 1, or less than half way, do not count.
    mode : numpy.ndarray of int, shape [chain]
        The labelling under which the chain has most draws; 0 is the one of most chains.
    overlap : numpy.ndarray, shape [component, component]
        Share of draws in which the two cannot be told apart.
    twins : numpy.ndarray of bool, shape [component, component]
        Whether the two are equal in most draws.
    """

    permutation: np.ndarray
    switches: np.ndarray
    mode: np.ndarray
    overlap: np.ndarray
    twins: np.ndarray


def relabelled(array: np.ndarray, permutation: np.ndarray) -> np.ndarray:
    """Return an array [chain, draw, component, ...] with its components in the pivot's order."""
    index = permutation.reshape(permutation.shape + (1,) * (array.ndim - permutation.ndim))
    return np.take_along_axis(array, index, axis=2)


def find(values: Mapping[Hashable, np.ndarray], chains: np.ndarray | None = None) -> Labels:
    """Find the labelling of every draw; the pivot, scales and overlap come from the `chains` (indices) alone."""
    x = np.concatenate(list(values.values()), axis=3)
    n_chain, n_draw, n_component, _ = x.shape
    chains = np.arange(n_chain) if chains is None else np.asarray(chains)
    flat = x[chains].reshape(-1, n_component, x.shape[3])
    spread = flat.std(axis=(0, 1))
    moving = spread > 1e-12 * np.abs(flat).max(axis=(0, 1))
    z = (x[..., moving] - flat.mean(axis=(0, 1))[moving]) / spread[moving]
    # no size is left to NumPy, for nothing may move
    pivot, scale = _pivot(z[chains].reshape(chains.size * n_draw, n_component, moving.sum()))
    cost = _cost(z.reshape(n_chain * n_draw, n_component, moving.sum()), pivot, scale)
    # numbers near the largest there are have distances that are none
    chosen = assignment.cheapest(np.nan_to_num(cost))
    of_chains = chosen.reshape(n_chain, n_draw, n_component)[chains].reshape(-1, n_component)
    own, counts = np.unique(of_chains, axis=0, return_counts=True)
    order = np.argsort(own[counts.argmax()])
    chosen, cost = chosen[:, order], cost[:, :, order]
    odds = _swap_odds(cost, chosen).reshape(n_chain, n_draw, n_component, n_component)
    permutation = chosen.reshape(n_chain, n_draw, n_component)
    usual = np.median(odds[chains], axis=(0, 1))
    overlap = (odds[chains] <= np.minimum(usual / 4, 5.0)).mean(axis=(0, 1)) * (1 - np.eye(n_component))
    aligned = relabelled(z, permutation)[chains].reshape(chains.size * n_draw, n_component, moving.sum())
    apart = np.abs(aligned[:, :, None] - aligned[:, None]).max(axis=3, initial=0.0)
    twins = ((apart < SMALLEST_SCALE).mean(axis=0) > 0.5) & ~np.eye(n_component, dtype=bool)
    group = connected_components(overlap >= OVERLAP, directed=False)[1]
    if _stuck_apart(permutation[chains]):
        group = np.arange(n_component)
    switches, mode = _modes(permutation, odds, group, chains)
    return Labels(permutation, switches, mode, overlap, twins)


def _pivot(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return centres and scales [component, entry] that no relabelling of draws z [draw, component, entry] moves.

    Assignment, centres and scales in turn each lower the same sum (a classification EM), so it ends; of several
    starting draws the best end is kept, and carried on over all draws.
    """
    thin = z[:: max(1, len(z) // THINNED)]
    starts = np.unique(np.linspace(0, len(thin) - 1, STARTS).astype(int))
    ends = [_fixed_point(thin, thin[start], np.ones_like(thin[start])) for start in starts]
    _, pivot, scale = min(ends, key=lambda end: end[0])
    return _fixed_point(z, pivot, scale)[1:]


def _fixed_point(z: np.ndarray, pivot: np.ndarray, scale: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    previous = None
    for _ in range(100):
        chosen = assignment.cheapest(np.nan_to_num(_cost(z, pivot, scale)))
        if previous is not None and np.array_equal(chosen, previous):
            break
        previous = chosen
        aligned = np.take_along_axis(z, chosen[:, :, None], axis=1)
        pivot, scale = aligned.mean(axis=0), np.maximum(aligned.std(axis=0), SMALLEST_SCALE)
    objective = np.log(scale).sum() + 0.5 * (((aligned - pivot) / scale) ** 2).sum(axis=(1, 2)).mean()
    return objective, pivot, scale


def _cost(z: np.ndarray, pivot: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Return half the standardised squared distance of every component of every draw from every one of the pivot's.

    Shape [draw, component of the draw, component of the pivot]; in nats, as of independent Gaussians.
    """
    precision = 1 / scale**2
    return 0.5 * z**2 @ precision.T - z @ (pivot * precision).T + 0.5 * (pivot**2 * precision).sum(axis=1)


def _swap_odds(cost: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return the log odds against exchanging two labels, shape [draw, component, component]."""
    taken = np.take_along_axis(cost, chosen[:, :, None], axis=1)
    own = np.diagonal(taken, axis1=1, axis2=2)
    odds: np.ndarray = taken + taken.transpose(0, 2, 1) - own[:, :, None] - own[:, None, :]
    return odds


def _stuck_apart(permutation: np.ndarray) -> bool:
    """Tell whether every chain keeps to one labelling, and not all to the same, although components overlap."""
    states = [np.unique(p, axis=0, return_counts=True) for p in permutation]
    pure = all(counts.max() >= PURE * counts.sum() for _, counts in states)
    return pure and len({tuple(own[counts.argmax()]) for own, counts in states}) > 1


def _modes(
    permutation: np.ndarray, odds: np.ndarray, group: np.ndarray, chains: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Count switches and name the mode of each chain; labels within a `group` of components count as one."""
    n_chain, n_draw, n_component = permutation.shape
    state = group[np.argsort(permutation, axis=2)]
    code = np.unique(state.reshape(-1, n_component), axis=0, return_inverse=True)[1].reshape(n_chain, n_draw)
    across = [odds[:, :, k, j] for k, j in combinations(range(n_component), 2) if group[k] != group[j]]
    if not across:
        return np.zeros(n_chain, dtype=int), np.zeros(n_chain, dtype=int)
    margin = np.min(across, axis=0)
    sure = margin >= max(LOG_ODDS, np.median(margin[chains]) / 2)
    # a draw that is not sure keeps the labels of the last that was; those before the first, the first's
    last = np.maximum.accumulate(np.where(sure, np.arange(n_draw), -1), axis=1)
    last = np.where(last < 0, sure.argmax(axis=1)[:, None], last)
    settled = np.where(sure.any(axis=1)[:, None], np.take_along_axis(code, last, axis=1), 0)
    for c in np.flatnonzero(~sure.any(axis=1)):
        settled[c] = np.bincount(code[c]).argmax()
    most = np.array([np.bincount(row).argmax() for row in settled])
    by_size = sorted(set(most), key=lambda m: (-np.sum(most == m), list(most).index(m)))
    return (np.diff(settled, axis=1) != 0).sum(axis=1), np.array([by_size.index(m) for m in most])
