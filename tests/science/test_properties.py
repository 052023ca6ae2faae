"""What holds for every input, tried on inputs that Hypothesis makes, and shrinks if one fails."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from mixtures import exact, switching
from mixtures.variational import Gaussian
from mixtures.variational.gaussian import SPACES
from numpy.testing import assert_allclose

SEEDS = st.integers(0, 2**31)

# the exact posterior

small_data = st.lists(st.floats(-4, 4), min_size=1, max_size=12)
setting = st.fixed_dictionaries(
    {"prior_sd": st.floats(0.8, 5)},
    optional={
        "weights": st.floats(0.1, 0.9).map(lambda w: (w, 1 - w)),
        "sigma": st.tuples(st.floats(0.5, 2), st.floats(0.5, 2)),
        "prior_mean": st.tuples(st.floats(-3, 3), st.floats(-3, 3))},
)


def turned(setting, way):
    """Return a setting whose pairs are changed."""
    return {k: way(k, v) if isinstance(v, tuple) else v for k, v in setting.items()}


@settings(max_examples=settings().max_examples * 4 // 10)
@given(small_data, setting, SEEDS)
def test_order_names_and_sign_change_what_they_should_and_nothing_else(x, setting, seed):
    p = exact.posterior(x, **setting)
    shuffled = exact.posterior(np.random.default_rng(seed).permutation(x), **setting)
    swapped = exact.posterior(x, **turned(setting, lambda _, pair: pair[::-1]))
    minus = turned(setting, lambda k, pair: (-pair[0], -pair[1]) if k == "prior_mean" else pair)
    mirrored = exact.posterior(-np.array(x), **minus)
    for other in (shuffled, swapped, mirrored):
        assert other.log_evidence == pytest.approx(p.log_evidence, abs=1e-9)
        assert other.barrier == pytest.approx(p.barrier, abs=1e-6)
    assert_allclose(swapped.raw_mean[::-1], p.raw_mean, atol=1e-8)
    assert_allclose(swapped.mean, p.mean, atol=1e-6)
    assert_allclose(-mirrored.mean[::-1], p.mean, atol=1e-6)
    assert_allclose(mirrored.sd[::-1], p.sd, atol=1e-6)


# the diagnosis


@st.composite
def traces(draw):
    """Return draws [chain, draw, component] whose chains may switch, wander off or stand still."""
    rng = np.random.default_rng(draw(SEEDS))
    chains, n = draw(st.integers(1, 4)), draw(st.integers(16, 120))
    components = draw(st.integers(2, 4))
    means = draw(st.floats(0, 5)) * np.arange(components) + rng.normal(size=(chains, n, components))
    for c in range(chains):
        happens = draw(st.sampled_from(["nothing", "renamed", "switches", "elsewhere", "still"]))
        if happens == "renamed":
            means[c] = means[c][:, rng.permutation(components)]
        elif happens == "switches":
            means[c, n // 2 :] = means[c, n // 2 :][:, rng.permutation(components)]
        elif happens == "elsewhere":
            means[c] += 10
        elif happens == "still":
            means[c] = means[c, 0]
    return xr.DataArray(means, dims=("chain", "draw", "component"), name="means")


@settings(max_examples=settings().max_examples * 3 // 10)
@given(traces(), SEEDS)
def test_a_verdict_does_not_hang_on_names_order_or_units(means, seed):
    found = switching.diagnose(means)
    assert found.verdict in switching.LINKS
    assert found.summary and found.next_step and max(map(len, str(found).splitlines())) <= 79
    rng = np.random.default_rng(seed)
    for other in (
        means.isel(component=rng.permutation(means.sizes["component"])),
        means.isel(chain=rng.permutation(means.sizes["chain"])),
        # a power of two, so that nothing is rounded
        means * 4,
        means.transpose(*rng.permutation(means.dims)),
    ):
        assert switching.diagnose(other).verdict == found.verdict


@example(np.where(np.arange(320).reshape(5, 8, 8) == 0, 0, 1.4e306))
@given(hnp.arrays(float, hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=8)))
def test_any_numbers_are_diagnosed_or_refused_by_name(array):
    means = xr.DataArray(array, dims=("chain", "draw", "component"), name="means")
    try:
        found = switching.diagnose(means)
    except ValueError as error:
        assert str(error).startswith(("tree: ", "component_dim: ", "var_name: "))
    else:
        assert found.verdict in switching.LINKS
        assert np.isfinite(array).all() or found.verdict == switching.UNKNOWN


# variational fits

# wider ones are refused, which is tested elsewhere
@given(
    st.lists(st.floats(), max_size=3), st.lists(st.floats(), max_size=3), st.floats(),
    st.sampled_from([*SPACES, "log", ""]))
def test_a_gaussian_is_one_or_is_refused_by_name(mean, sd, corr, space):
    with np.errstate(all="ignore"):
        try:
            corr_matrix = np.eye(len(sd)) + corr * (1 - np.eye(len(sd)))
            q = Gaussian(mean, np.outer(sd, sd) * corr_matrix, space)
        except ValueError as error:
            expected = ("mean: expected", "covariance: expected", "space: expected")
            assert str(error).startswith(expected)
            return
    assert np.isfinite(q.factor).all() and (np.diag(q.factor) > 0).all()
    assert -1 < q.corr < 1
