"""Stephens's algorithm: draws are relabelled so that their membership probabilities agree."""

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from scipy.special import xlogy

from mixtures import checks, doubts, trace
from mixtures.relabel.alternation import Fit, iterate
from mixtures.relabel.apply import permute
from mixtures.relabel.assignment import blocks, cheapest, paid
from mixtures.relabel.request import Request

# a starting draw's probabilities are mixed with this share of the uniform: its zeros say little of
# the other draws
SMOOTHING = 0.1
# log Q is taken of no less than this: a component that no draw ever gives a point costs much
# there, but not infinity
TINY = 1e-300


def stephens(p: ArrayLike, *, max_iterations: int = 100) -> np.ndarray:
    """Relabel the draws so that their probabilities of allocation agree (Stephens's algorithm 2).

    Permutations and Q in turn minimise, until neither can be improved, ::

        sum over t, i, k of  p[t, i, perm[t, k]] * log(p[t, i, perm[t, k]] / Q[i, k])

    the Kullback-Leibler divergence of the relabelled p from Q. The best Q is the mean of the
    relabelled p. Single draws, mixed with a little of the uniform, serve as first Q; the end with
    the smallest divergence is kept. Which label is which is theirs: arbitrary.

    Parameters
    ----------
    p : array_like, shape [draw, n, component]
        The probability that point i belongs to component k; ``p[t, i]`` sums to 1. See
        `memberships`.
    max_iterations : int
        After so many passes through the draws it stops with the warning `NotConverged`, if there is
        no fixed point yet.

    Returns
    -------
    numpy.ndarray of int, shape [draw, component]
        The permutations, for `apply`.

    Raises
    ------
    ValueError
        If `p` has another shape, no draws or points, is NaN, negative or does not sum to 1, or if
        `max_iterations` is not a positive whole number.

    References
    ----------
    Stephens (2000), Journal of the Royal Statistical Society B 62, 795-809, section 4.1,
    doi:10.1111/1467-9868.00265.
    """
    return _to_agreement(_as_probabilities(p), max_iterations).perm


def stephens_of_trace(asked: Request) -> Fit:
    """Return the permutations of a trace, by given probabilities; divergence left, nats."""
    p = _as_probabilities(_of_draws(asked))
    fit = _to_agreement(p, asked.max_iterations)
    # what no permutation changes makes a divergence of the cross entropy, which rounding may take
    # below zero, where the draws all agree
    constant = sum(xlogy(p[rows], p[rows]).sum() for rows in blocks(len(p), p[0].size))
    return fit._replace(objective=max(float(fit.objective or 0.0) + constant, 0.0))


def _to_agreement(p: np.ndarray, max_iterations: int) -> Fit:
    """Return the `Fit`, with the cross entropy for objective."""

    def start(t: int) -> np.ndarray:
        smooth: np.ndarray = (1 - SMOOTHING) * p[t] + SMOOTHING / p.shape[2]
        return smooth

    return iterate(lambda rows, q: _step(p[rows], q), start, len(p), max_iterations)


def _step(p: np.ndarray, q: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
    """Return permutations, cross entropy (nats) and the next Q [n, component].

    Each draw is read once for all three.
    """
    n_draw, n, n_component = p.shape
    log_q = np.log(np.maximum(q, TINY))
    perm, total = np.empty((n_draw, n_component), dtype=int), np.zeros((n_component, n))
    objective = 0.0
    for rows in blocks(n_draw, n * n_component):
        block = p[rows].astype(float, copy=False).transpose(0, 2, 1)
        cost = -(block @ log_q)
        perm[rows] = cheapest(cost)
        objective += paid(cost, perm[rows]).sum()
        total += permute(block, perm[rows]).sum(axis=0)
    return perm, float(objective), total.T / n_draw


def _as_probabilities(p: ArrayLike) -> np.ndarray:
    array = p if isinstance(p, np.ndarray) and p.dtype.kind == "f" else checks.numbers(p, "p")
    if array.ndim != 3 or array.size == 0:
        says = "expected shape [draw, n, component], none of them 0"
        raise ValueError(f"p: {says}, got {[*array.shape]}")
    # so written that NaN is refused as well
    if not array.min() >= 0:
        raise ValueError(f"p: expected probabilities, got {array.min()}")
    for rows in blocks(len(array), array[0].size):
        off = np.abs(array[rows] @ np.ones(array.shape[2]) - 1).max()
        if not off <= doubts.SUM:
            says = "expected each point's probabilities to sum to 1"
            raise ValueError(f"p: {says}, got a sum that is off by {off:.2g}")
    return array


def _of_draws(asked: Request) -> np.ndarray:
    """Return the probabilities that `relabel` was given [draw, n, component]."""
    given, posterior, dims = asked.probabilities, asked.posterior, asked.dims
    if isinstance(given, xr.DataArray):
        _check_draws(posterior, given)
    elif isinstance(given, str):
        given = trace.variable(posterior, given, "probabilities")
    else:
        says = "expected the name of a variable or what memberships returns"
        raise ValueError(f"probabilities: {says}, got {type(given).__name__}")
    own = [dim for dim in dims if dim in given.dims]
    if len(own) != 1 or given.ndim != 4 or not {"chain", "draw"} <= {*given.dims}:
        says = f"expected dims chain, draw, one more and one of {dims}, got {given.dims}"
        raise ValueError(f"probabilities: {says}")
    if trace.sizes(given) != trace.sizes(posterior):
        says = f"expected the posterior's {trace.sizes(posterior)} draws, got {dict(given.sizes)}"
        raise ValueError(f"probabilities: {says}")
    array = given.transpose("chain", "draw", ..., own[0]).to_numpy()
    return array.reshape(-1, *array.shape[2:])


def _check_draws(posterior: xr.Dataset, given: xr.DataArray) -> None:
    """Refuse probabilities of other draws, or of the same draws under other labels."""
    for dim in ("chain", "draw"):
        known = dim in given.coords and dim in posterior.coords
        if (
            known
            and given.sizes.get(dim) == posterior.sizes[dim]
            and not np.array_equal(given[dim].to_numpy(), posterior[dim].to_numpy())
        ):
            raise ValueError(f"probabilities: expected the posterior's own {dim}s, in its order")
    if "labels" in given.attrs and given.attrs["labels"] != trace.fingerprint(posterior):
        says = "expected memberships of this trace, computed since it was last relabelled"
        raise ValueError(f"probabilities: {says}")
