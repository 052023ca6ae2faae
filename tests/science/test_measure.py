"""The measure that a posterior is: marginals, moments, gaps, cells and draws agree."""

import numpy as np
import pytest
from mixtures import data, exact
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import kstest

UNEQUAL = {"weights": (0.3, 0.7), "sigma": (0.8, 1.2), "prior_mean": (1.0, -1.0)}
POSTERIORS = {
    "dataset 8": (data.simulate(8), {}),
    "one observation": ([0.7], {"prior_sd": 3.0}),
    "all unequal": (data.simulate(8, n=15), UNEQUAL | {"prior_sd": (2.0, 3.0)})}


@pytest.fixture(scope="module", params=POSTERIORS.values(), ids=POSTERIORS)
def posterior(request):
    x, setting = request.param
    return exact.posterior(x, **setting)


def wide(posterior, points=2001):
    """Return an axis that holds the posterior of both means, and its spacing."""
    reach = 9 * np.max(posterior.joint.prior_sd)
    return np.linspace(-reach, reach, points, retstep=True)


@pytest.mark.parametrize("component", [0, 1])
def test_marginals_integrate_to_one_and_have_the_moments(posterior, component):
    at, spacing = wide(posterior)
    for density, mean, sd in (
        (posterior.marginal(component, at), posterior.raw_mean, posterior.raw_sd),
        (posterior.ordered_marginal(component, at), posterior.mean, posterior.sd),
    ):
        mass = density * spacing
        assert mass.min() >= 0
        assert mass.sum() == pytest.approx(1, abs=1e-9)
        assert mass @ at == pytest.approx(mean[component], abs=1e-8)
        variance = mass @ (at - mean[component]) ** 2
        assert variance == pytest.approx(sd[component] ** 2, abs=1e-7)


def test_the_gridded_density_integrates_to_one_and_has_the_moments(posterior):
    density = posterior.density
    mass = density * density.attrs["cell_area"]
    assert density.name == "density" and density.dims == ("mu1", "mu2")
    assert float(density.min()) >= 0
    for axis, coarse in ((density.mu1, posterior._at1), (density.mu2, posterior._at2)):
        assert_allclose(np.diff(axis) ** 2, density.attrs["cell_area"], rtol=1e-6)
        assert_array_equal(axis[::4], coarse)
    assert float(mass.sum()) == pytest.approx(1, abs=1e-9)
    assert float((mass * density.mu1).sum()) == pytest.approx(posterior.raw_mean[0], abs=1e-8)
    assert float((mass * density.mu2).sum()) == pytest.approx(posterior.raw_mean[1], abs=1e-8)
    # the smaller mean has a kink on the diagonal, which costs digits
    smaller = float((mass * np.minimum(density.mu1, density.mu2)).sum())
    assert smaller == pytest.approx(posterior.mean[0], abs=1e-2)


def test_the_gap_distribution_rises_from_zero_to_one(posterior):
    gaps = np.linspace(0, 20 * np.max(posterior.joint.prior_sd), 2001)
    below = posterior.gap_cdf(gaps)
    assert posterior.gap_cdf(-1.0) == 0 and posterior.gap_cdf(0.0) == 0
    assert below[-1] == pytest.approx(1, abs=1e-12)
    assert np.diff(below).min() > -1e-12
    # the mean of a positive number is the area above its distribution function
    mean = np.trapezoid(1 - below, gaps)
    assert mean == pytest.approx(posterior.mean[1] - posterior.mean[0], abs=2e-3)


def test_the_gap_distribution_takes_any_shape():
    p = exact.posterior(data.simulate(8))
    assert isinstance(p.gap_cdf(1), float)
    table = p.gap_cdf([[0.5, 1.0], [2.0, 3.0]])
    assert table.shape == (2, 2) and table[0, 1] == pytest.approx(p.gap_cdf(1.0), abs=1e-14)


def test_counted_cells_give_probabilities_to_the_size_of_a_cell():
    p = exact.posterior(data.simulate(8))
    near = p.probability(lambda a, b: np.abs(a - b) < 1.2)
    assert near == pytest.approx(p.gap_cdf(1.2), abs=2e-3)
    assert p.probability(lambda a, b: a < b) == pytest.approx(0.5, abs=2e-3)
    assert p.probability(lambda a, b: True) == pytest.approx(1, abs=1e-9)
    product = p.raw_corr * p.raw_sd.prod() + p.raw_mean.prod()
    assert p.expectation(lambda a, b: a * b) == pytest.approx(product, abs=1e-8)
    # so many cells that they are counted in turns
    assert p.probability(lambda a, b: True, fineness=48) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("draws", [1, 500])
def test_drawing_is_seeded_and_may_be_put_in_order(draws):
    p = exact.posterior(data.simulate(8))
    means = p.sample(draws, 3)
    assert means.dims == ("chain", "draw", "component") and means.name == "means"
    assert {name: values.values.tolist() for name, values in means.coords.items()} == {
        "chain": [0], "draw": list(range(draws)), "component": [0, 1]}
    assert means.identical(exact.posterior(data.simulate(8)).sample(draws, 3))
    assert not np.array_equal(means, p.sample(draws, 4))
    assert_array_equal(p.sample(draws, 3, ordered=True), np.sort(means, axis=-1))


@pytest.mark.parametrize(("dataset", "sigma"), [(0, 1.0), (8, 1e-6)])
def test_no_probability_of_a_cell_exceeds_the_step_above_it(dataset, sigma):
    """Or rejection would draw too rarely there; and were the steps much too high, reject most."""
    p = exact.posterior(sigma * data.simulate(dataset), sigma=sigma, prior_sd=10 * sigma)
    _, share = p._proposals(np.random.default_rng(1), 100_000, p._step())
    assert 0.8 < share.max() < 1
    assert share.mean() > 0.5


# as rare as five standard errors
CHANCE = 6e-7


def test_draws_follow_the_exact_distributions(posterior):
    """A distribution function that is off by three per cent anywhere would be noticed."""
    draws = posterior.sample(20_000, seed=1).values[0]
    ordered = posterior.sample(20_000, seed=2, ordered=True).values[0]
    reach = 12 * posterior.raw_sd.max()
    ends = posterior.raw_mean.min() - reach, posterior.raw_mean.max() + reach
    at, spacing = np.linspace(*ends, 3001, retstep=True)
    for density, values in (
        *[(posterior.marginal(k, at), draws[:, k]) for k in (0, 1)],
        *[(posterior.ordered_marginal(k, at), ordered[:, k]) for k in (0, 1)],
    ):
        below = (np.cumsum(density) - density / 2) * spacing
        assert kstest(values, lambda v, below=below: np.interp(v, at, below)).pvalue > CHANCE
    gaps = np.linspace(0, at[-1] - at[0], 3001)
    below = posterior.gap_cdf(gaps)
    for values in (np.abs(np.diff(draws)), np.diff(ordered)):
        assert kstest(values.ravel(), lambda v: np.interp(v, gaps, below)).pvalue > CHANCE


def test_draws_are_independent():
    draws = exact.posterior(data.simulate(8)).sample(20_000, seed=5).values[0, :, 0]
    for lag in (1, 2, 10):
        assert abs(np.corrcoef(draws[:-lag], draws[lag:])[0, 1]) < 5 / np.sqrt(20_000)
