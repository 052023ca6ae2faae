"""Rules that are compared, and components that are matched across fits."""

import numpy as np
import pytest
import xarray as xr
from mixtures import relabel, switching
from numpy.testing import assert_allclose, assert_array_equal

DIMS = ("chain", "draw", "component")


def fit(centres, seed=0, sd=0.2, chains=4, **more):
    noise = sd * np.random.default_rng(seed).normal(size=(chains, 200, len(centres)))
    return xr.Dataset({"means": (DIMS, np.asarray(centres) + noise)} | more)


def test_agreement_is_the_share_of_draws_named_alike_after_one_renaming():
    rng = np.random.default_rng(3)
    sorted_, turned = np.tile([0, 1, 2], (4, 100, 1)), np.tile([2, 0, 1], (4, 100, 1))
    other = rng.random((4, 100)) < 0.3
    turned[other] = [1, 0, 2]

    def tree(perm):
        kept = xr.DataArray(perm, dims=DIMS, attrs={"method": "order"})
        return xr.Dataset({"permutation": kept})

    agree = relabel.agreement({"a": tree(sorted_), "b": tree(turned), "c": tree(sorted_)})
    assert agree.dims == ("rule", "other", "chain", "draw")
    assert_array_equal(agree.sel(rule="a", other="b"), ~other)
    assert_array_equal(agree.sel(rule="b", other="a"), ~other)
    assert agree.sel(rule="a", other=["a", "c"]).all()


def test_rules_agree_about_what_stands_apart():
    trace = fit([-3, 0, 3])
    by_order = relabel.relabel(trace)
    by_pivot = relabel.relabel(by_order, "pra", pivot=[3, -3, 0])
    assert relabel.agreement({"order": by_order, "pra": by_pivot}).all()


def test_what_cannot_be_compared_is_refused():
    trace = relabel.relabel(fit([-3, 3]))
    for traces, says in (
        ({"a": trace}, "^relabelled: expected two"),
        ({"a": trace, "b": fit([-3, 3])}, "^relabelled.'b'.: expected a trace that relabel"),
        ({"a": trace, "b": relabel.relabel(fit([-3, 0, 3]))},
         "^relabelled.'b'.: expected the draws and components of 'a'")):
        with pytest.raises(ValueError, match=says):
            relabel.agreement(traces)


@pytest.mark.parametrize("chains", [1, 4])
def test_fits_take_the_names_of_the_first(chains):
    weights = np.broadcast_to([0.5, 0.3, 0.2], (chains, 200, 3))
    first = fit([-3, 0, 3], 1, chains=chains, w=(DIMS, weights))
    other = fit([3.1, -2.9, 0.2], 2, chains=chains, w=(DIMS, weights[..., [2, 0, 1]]))
    trees, confidence = switching.align([first, other, first])
    assert_allclose(confidence, 1)
    for tree in trees:
        assert_allclose(tree.posterior["means"].mean(DIMS[:2]), [-3, 0, 3], atol=0.3)
        assert_allclose(tree.posterior["w"].mean(DIMS[:2]), [0.5, 0.3, 0.2])


def test_the_confidence_falls_with_what_is_known():
    shares = [switching.align([fit([-1, 1], 1, sd), fit([1, -1], 2, sd)], least=0.5).confidence[1]
              for sd in (0.2, 0.35)]
    # normal: the gap of 4 has the standard deviation 2 sd, in units that both share
    assert shares[0] > 0.999 and shares[0] >= shares[1] > 0.99


@pytest.mark.parametrize(("second", "says"), [
    (fit([-0.1, 0.1], 2), "expected no sign of switching, got: overlapping components"),
    (fit([-3, 0, 3], 2), "expected .2, 1. components and entries, as fits.0. has, got .3, 1.")])
def test_fits_that_cannot_be_matched_are_refused(second, says):
    with pytest.raises(ValueError, match=says):
        switching.align([fit([-3, 3], 1), second])


def test_a_match_that_few_draws_support_is_refused():
    rng = np.random.default_rng(0)
    one = np.array([[-2.0, 0.0], [2.0, 0.0]]) + 0.2 * rng.normal(size=(4, 200, 2, 2))
    # as far from either of the first fit's components as from the other
    two = np.array([[0.0, -2.0], [0.0, 2.0]]) + 0.2 * rng.normal(size=(4, 200, 2, 2))
    fits = [xr.Dataset({"means": ((*DIMS, "axis"), v)}) for v in (one, two)]
    with pytest.raises(ValueError, match="^fits.1.: its components match .* in 5.% of pairs"):
        switching.align(fits)
