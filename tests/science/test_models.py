"""The PyMC models: what they are called, what they compute, which data they refuse."""

from functools import partial

import numpy as np
import pymc as pm
import pytest
import xarray as xr
from mixtures import data, models
from mixtures.exact import Joint
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

# the graph as it is, without a compiler: that takes longer than all that is asked of it
PLAIN = "FAST_COMPILE"
BUILDERS = [models.unordered, models.ordered]
ALL = [*BUILDERS, models.centred, partial(models.mixture, components=3)]


@pytest.fixture(scope="module")
def unordered():
    model = models.unordered(data.simulate(0))
    return model, model.compile_logp(mode=PLAIN)


@pytest.mark.parametrize("build", ALL)
def test_the_data_are_a_container_named_x(build):
    x = data.simulate(0)
    model = build(x)
    assert model.data_vars[0].name == "x"
    assert_array_equal(model["x"].get_value(), x)


@pytest.mark.parametrize(
    "x", [data.simulate(0), data.simulate(8), data.simulate(1, n=1), [0.0, 40.0], np.zeros(7)])
def test_the_density_is_the_one_that_is_integrated_exactly(unordered, x):
    """One compiled function serves all of these datasets, of different sizes: the data are swapped.

    In single precision the prior's log 10 would be off by 3e-8 a mean, hence the tight bound.
    """
    model, logp = unordered
    pm.set_data({"x": x}, model=model)
    mu = np.array([[-1.2, 1.0], [1.0, -1.2], [0.0, 0.0], [9.0, -14.0]])
    got = [logp({"means": m}) for m in mu]
    assert_allclose(got, Joint.of(x).log_density(mu), rtol=1e-13, atol=1e-9)


def test_the_ordered_model_starts_in_order():
    model = models.ordered(data.simulate(0))
    (point,) = model.initial_point().values()
    first, log_gap = point
    assert_allclose([first, first + np.exp(log_gap)], [-1.0, 1.0])


POINTS = [(-0.4, 1.0), (-3.0, 4.0), (0.2, 0.21)]


@pytest.mark.parametrize(("lower", "upper"), POINTS)
def test_the_ordered_density_is_that_of_the_means_times_their_gap(lower, upper):
    x = data.simulate(8)
    logp = models.ordered(x).compile_logp(mode=PLAIN)
    found = logp({"means_ordered__": np.array([lower, np.log(upper - lower)])})
    density = Joint.of(x).log_density([lower, upper]).item()
    assert found == pytest.approx(density + np.log(upper - lower), abs=1e-9)


@pytest.mark.parametrize("build", ALL)
def test_components_are_counted_from_0_and_all_that_has_them_says_so(build):
    model = build(data.simulate(0))
    dims = model.named_vars_to_dims
    assert list(model.coords) == ["component"]
    assert list(model.coords["component"]) == list(range(model["means"].eval().size))
    assert [v.name for v in model.observed_RVs] == ["obs"]
    assert {name: own for name, own in dims.items() if own != ("component",)} == {}
    assert {*dims} == {"means", "weights", "sigma", "concentration"} & {*model.named_vars}


@pytest.mark.parametrize("components", [2, 3])
def test_the_mixture_in_order_is_the_same_mixture_with_increasing_means(components):
    x = data.simulate(0, n=20)
    free, kept = models.mixture(x, components), models.mixture(x, components, ordered=True)
    start = kept.initial_point()
    first, *gaps = start["means_ordered__"]
    assert_allclose(first + np.cumsum([0, *np.exp(gaps)]), np.linspace(-1, 1, components))
    means = np.cumsum(np.arange(1.0, components + 1)) - 3
    scales = np.linspace(-0.2, 0.3, components)
    point = {"weights_simplex__": start["weights_simplex__"], "sigma_log__": scales}
    expected = free.compile_logp(mode=PLAIN)(point | {"means": means})
    log_gaps = np.log(np.diff(means))
    ordered = {"means_ordered__": np.array([means[0], *log_gaps])}
    found = kept.compile_logp(mode=PLAIN)(point | ordered)
    assert found == pytest.approx(expected + log_gaps.sum(), rel=1e-9)


def test_midpoint_and_gap_are_the_ordered_prior_with_its_normaliser():
    """The density of (centre, log gap) is the unordered joint's times K! = 2 times the gap."""
    x = data.simulate(8)
    model = models.centred(x)
    logp = model.compile_logp(mode=PLAIN)
    assert [v.name for v in model.free_RVs] == ["centre", "gap"]
    for lower, upper in POINTS:
        log_gap = np.log(upper - lower)
        point = {"centre": np.array((lower + upper) / 2), "gap_log__": np.array(log_gap)}
        joint = Joint.of(x).log_density([lower, upper])[0]
        assert_allclose(logp(point), joint + np.log(2) + log_gap, atol=1e-9)


@pytest.mark.parametrize("components", [2, 3])
def test_the_mixture_with_nothing_known_has_the_density_it_says(components):
    x = data.simulate(0, n=20)
    model = models.mixture(x, components)
    assert [v.name for v in model.free_RVs] == ["weights", "means", "sigma"]
    assert all(model.named_vars_to_dims[v.name] == ("component",) for v in model.free_RVs)
    rng = np.random.default_rng(components)
    weights, means = rng.dirichlet(np.ones(components)), rng.normal(size=components)
    sigma = rng.uniform(0.5, 2, components)
    point = model.initial_point()
    transform = model.rvs_to_transforms[model["weights"]]
    point["weights_simplex__"] = transform.forward(weights).eval()
    point["means"], point["sigma_log__"] = means, np.log(sigma)
    expected = np.log((weights * stats.norm.pdf(x[:, None], means, sigma)).sum(axis=1)).sum()
    expected += stats.dirichlet.logpdf(weights, np.full(components, 2.0))
    expected += stats.norm.logpdf(means, 0, 10).sum()
    expected += stats.lognorm.logpdf(sigma, 0.5).sum()
    logp = model.compile_logp(jacobian=False, mode=PLAIN)
    assert_allclose(logp(point), expected, rtol=1e-6)


def test_the_concentration_is_that_of_the_weights_prior():
    """The Dirichlet's density at equal weights, in closed form."""
    for a in (0.5, 2.0, 10.0):
        model = models.mixture([0.0], 2, concentration=a)
        found = model.compile_logp([model["weights"]], jacobian=False, mode=PLAIN)({
            "weights_simplex__": np.zeros(1), "means": np.zeros(2), "sigma_log__": np.zeros(2)})
        assert found == pytest.approx(stats.beta.logpdf(0.5, a, a), abs=1e-6)


def test_log_likelihood_is_pymcs():
    x, _ = data.draw(0, 20, [-2, 2], [1, 0.5], [0.3, 0.7])
    rng = np.random.default_rng(0)
    weights, means = rng.dirichlet([2, 2], (2, 3)), rng.normal(size=(2, 3, 2))
    draws = {"weights": weights, "means": means, "sigma": rng.gamma(2, size=(2, 3, 2))}
    posterior = xr.Dataset({k: (("chain", "draw", "component"), v) for k, v in draws.items()})
    tree = xr.DataTree.from_dict({"posterior": posterior})
    with models.mixture(x, 2):
        known = pm.compute_log_likelihood(tree.copy(), progressbar=False).log_likelihood["obs"]
    found = models.log_likelihood(tree, x)
    assert_allclose(found.log_likelihood["obs"], known, rtol=1e-6, atol=1e-6)
    assert found.log_likelihood["obs"].dims == ("chain", "draw", "observation")
    assert "log_likelihood" not in tree.children
