"""Sixty traces of fifteen families, as samplers leave them: sound, stuck, switching and broken."""

from warnings import catch_warnings

import numpy as np
import pytest
import xarray as xr
from mixtures import relabel, reshape, switching

CD = ("chain", "draw")
CHAINS, N = 4, 300
COORDS = {"axis": ["x", "y"], "other": ["x", "y"], "answer": ["yes", "no", "?"],
          "class": ["A", "B", "C"]}


def noise(*shape, seed=0):
    return 0.05 * np.random.default_rng(seed).normal(size=(CHAINS, N, *shape))


def about(truth, seed=0):
    """Return draws about some positive numbers."""
    truth = np.asarray(truth, dtype=float)
    return truth * np.exp(noise(*truth.shape, seed=seed))


def shares(truth, seed=0):
    found = about(truth, seed)
    return found / found.sum(axis=-1, keepdims=True)


THREE, COV = [0.5, 0.3, 0.2], [[[1.0, 0.3], [0.3, 2.0]], [[2.0, -0.5], [-0.5, 1.0]]]
STAY = [[0.8, 0.15, 0.05], [0.1, 0.7, 0.2], [0.3, 0.1, 0.6]]
ANSWERS = [[[0.8, 0.1, 0.1], [0.6, 0.2, 0.2]], [[0.1, 0.8, 0.1], [0.3, 0.5, 0.2]],
           [[0.2, 0.2, 0.6], [0.1, 0.3, 0.6]]]
K = "component"
# dims that count the components; what to sort by; draws by name, with the dims of each
FAMILIES = {
    "two Gaussians": ((K,), "means", {
        "means": ((K,), noise(2) + [-1, 1]), "sigma": ((K,), about([1, 2])),
        "weights": ((K,), shares([0.3, 0.7]))}),
    "five Gaussians": ((K,), "means", {
        "means": ((K,), noise(5) + np.arange(5)), "weights": ((K,), shares(np.arange(1, 6)))}),
    "counts": ((K,), "rate", {
        "rate": ((K,), about([1.2, 2.7])), "weights": ((K,), shares([0.4, 0.6]))}),
    "overdispersed counts": ((K,), "mu", {
        "mu": ((K,), about([2, 9, 30])), "alpha": ((K,), about([3, 1, 2]))}),
    "proportions": ((K,), "a", {"a": ((K,), about([2, 8])), "b": ((K,), about([6, 3]))}),
    "heavy tails": ((K,), "means", {
        "means": ((K,), np.random.default_rng(1).standard_t(2, (CHAINS, N, 2)) / 20 + [-2, 2]),
        "nu": ((K,), about([2, 20]))}),
    "the plane": ((K,), "centre", {
        "centre": ((K, "axis"), noise(2, 2) + [[-1, 0], [1, 0]]),
        "covariance": ((K, "axis", "other"), about(COV))}),
    "regressions": ((K,), "slope", {
        "slope": ((K,), noise(2) + [-1, 1]), "intercept": ((K,), noise(2, seed=1) + [0.5, 0])}),
    "hidden states": (("state", "next"), "means", {
        "means": (("state",), noise(3) + [-1, 0, 1]),
        "P": (("state", "next"), shares(STAY)), "start": (("state",), shares(THREE))}),
    "annotators": (("class",), "pi", {
        "pi": (("class",), np.sort(shares(THREE), axis=2)),
        "answers": (("class", "annotator", "answer"), shares(ANSWERS))}),
    "latent classes": (("kind",), "prevalence", {
        "prevalence": (("kind",), np.sort(shares([0.2, 0.8]), axis=2)),
        "theta": (("kind", "item"), about([[0.9, 0.7, 0.1, 0.5], [0.2, 0.3, 0.6, 0.5]]))}),
    "no names but numbers": (("mu_dim_0", "tau_dim_0"), "mu", {
        "mu": (("mu_dim_0",), noise(2) + [0, 3]), "tau": (("tau_dim_0",), about([4, 1]))}),
    "a shared scale": ((K,), "means", {
        "means": ((K,), noise(3) + [-1, 0, 1]), "sigma": ((), about(1.0))}),
    "a mixture of experts": ((K,), "means", {
        "means": ((K,), noise(3) + [0, 1, 2]),
        "gate": ((K, "x"), noise(3, 2) + [[0, 0], [1, -1], [2, 1]])}),
    "spread in both": ((K,), "sigma", {
        "sigma": ((K,), about([1, 3])), "means": ((K,), noise(2))}),
}
SITUATIONS = {
    "sound": switching.NONE, "stuck": switching.BETWEEN, "switching": switching.WITHIN,
    "broken": switching.NOT}


def dataset(dims, draws):
    found = xr.Dataset({name: ((*CD, *own), v) for name, (own, v) in draws.items()})
    return found.assign_coords({dim: c for dim, c in COORDS.items() if dim in found.dims})


def made(dims, by, draws, situation):
    """Return a trace with labels from 0 sorted by a variable, and what a sampler made of it."""
    draws = {name: (own, v.copy()) for name, (own, v) in draws.items()}
    if situation == "broken":
        # one chain has a component elsewhere, which is no matter of labels
        draws[by][1][2][:, -1] *= 1.5
    right = dataset(dims, draws).copy(deep=True)
    turn = slice(0, N) if situation == "stuck" else slice(N // 3, 2 * N // 3)
    if situation in ("stuck", "switching"):
        for own, v in draws.values():
            for axis in (own.index(dim) for dim in dims if dim in own):
                v[1, turn] = np.flip(v[1, turn], axis=1 + axis)
    return right, dataset(dims, draws)


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_told_and_undone(family, situation):
    dims, by, draws = FAMILIES[family]
    right, found = made(dims, by, draws, situation)
    told = switching.diagnose(found, by, [*dims])
    assert told.verdict == SITUATIONS[situation], told
    with catch_warnings(action="ignore", category=UserWarning):
        new = relabel.relabel(found, var_name=by, component_dim=[*dims]).posterior
    xr.testing.assert_equal(new.to_dataset().drop_vars("permutation"), right)


def test_there_are_sixty():
    assert len(FAMILIES) * len(SITUATIONS) == 60


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_variable_for_each_component_comes_right_too(situation):
    dims, by, draws = FAMILIES["two Gaussians"]
    right, found = made(dims, by, draws, situation)
    names = {name: [f"{name}1", f"{name}2"] for name in draws}
    apart = xr.Dataset({f"{name}{k + 1}": v.isel(component=k)
                        for name, v in found.items() for k in (0, 1)})
    stacked = reshape.stack(apart, **names)
    assert switching.diagnose(stacked).verdict == SITUATIONS[situation]
    new = relabel.relabel(stacked).posterior.to_dataset().drop_vars("permutation")
    xr.testing.assert_equal(new, right)
