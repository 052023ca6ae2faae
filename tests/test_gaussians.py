"""Gaussians of two means in three spaces: densities, moments, draws and PyMC's parameters, each by a second route."""

from types import SimpleNamespace

import numpy as np
import pytest
from approximations import ORDERED, SPACES, random_gaussian
from mixtures import gaussians, parameters, variational
from mixtures.gaussians import Gaussian
from pymc.distributions import transforms
from scipy.stats import multivariate_normal


def test_the_spaces_are_what_they_say():
    mu = np.array([-1.0, 3.0])
    np.testing.assert_allclose(gaussians.to_coords(mu, "raw"), mu)
    np.testing.assert_allclose(gaussians.to_coords(mu, "log gap"), [-1, np.log(4)])
    np.testing.assert_allclose(gaussians.to_coords(mu, "centred"), [1, np.log(4)])
    np.testing.assert_allclose(gaussians.to_coords(mu, "log gap"), transforms.ordered.forward(mu).eval())
    assert np.isnan(gaussians.to_coords([[1.0, 1.0], [2.0, 1.0]], "centred")).all(axis=-1).tolist() == [True, True]


@pytest.mark.parametrize("space", SPACES)
def test_going_there_and_back_changes_nothing(space):
    coords = np.random.default_rng(0).normal(size=(4, 3, 2))
    q = random_gaussian(0, space)
    np.testing.assert_allclose(q.to_coords(q.to_means(coords)), coords, atol=1e-12)


@pytest.mark.parametrize("space", SPACES)
def test_the_density_integrates_to_one_and_has_the_moments(space):
    q = Gaussian.of([0.3, -0.5], [0.5, 0.35], -0.6, space)
    first = np.linspace(-6, 6, 1201)
    difference = np.linspace(-8, 8, 3201)
    mu1, gap = np.meshgrid(first, difference, indexing="ij")
    mu = np.stack([mu1, mu1 + gap], axis=-1)
    mass = np.exp(q.log_density(mu)) * (first[1] - first[0]) * (difference[1] - difference[0])
    assert mass.sum() == pytest.approx(1, abs=1e-9)
    mean = np.einsum("ij,ijk->k", mass, mu)
    covariance = np.einsum("ij,ijk,ijl->kl", mass, mu - mean, mu - mean)
    np.testing.assert_allclose(q.means_mean, mean, atol=1e-8)
    np.testing.assert_allclose(q.means_sd, np.sqrt(np.diag(covariance)), atol=1e-7)
    assert q.means_corr == pytest.approx(covariance[0, 1] / np.sqrt(np.prod(np.diag(covariance))), abs=1e-7)


def test_the_raw_density_is_the_normal_one():
    q, mu = random_gaussian(3, "raw"), np.random.default_rng(1).normal(size=(4, 5, 2))
    np.testing.assert_allclose(q.log_density(mu), multivariate_normal(q.mean, q.covariance).logpdf(mu))
    assert q.entropy == pytest.approx(multivariate_normal(q.mean, q.covariance).entropy())
    np.testing.assert_allclose([*q.means_mean, *q.means_sd, q.means_corr], [*q.mean, *q.sd, q.corr])


@pytest.mark.parametrize("space", ORDERED)
def test_ordered_spaces_hold_nothing_out_of_order(space):
    q = random_gaussian(0, space)
    assert np.isneginf(q.log_density([[1.0, 1.0], [1.0, 0.0]])).all()
    assert np.isfinite(q.log_density([0.0, 1.0]))
    means = q.sample(1000, 1).values
    assert (means[..., 0] < means[..., 1]).all()


@pytest.mark.parametrize("space", SPACES)
def test_draws_are_seeded_and_have_the_moments(space):
    q = random_gaussian(5, space)
    draws = q.sample(40_000, 2)
    assert draws.dims == ("chain", "draw", "component") and draws.shape == (1, 40_000, 2) and draws.name == "means"
    assert draws.identical(q.sample(40_000, 2)) and not np.array_equal(draws, q.sample(40_000, 3))
    values = draws.values[0]
    error = q.means_sd / np.sqrt(len(values))
    assert (np.abs(values.mean(axis=0) - q.means_mean) < 4 * error).all()
    np.testing.assert_allclose(values.std(axis=0), q.means_sd, rtol=0.03)
    assert np.corrcoef(values.T)[0, 1] == pytest.approx(q.means_corr, abs=0.03)


def test_the_mixture_of_a_gaussian_and_its_mirror_image_is_symmetric():
    q = Gaussian.of([-1.0, 2.0], [0.3, 0.5], 0.4)
    both = variational.symmetrise(q)
    mu = np.random.default_rng(0).normal(size=(50, 2))
    expected = np.log((np.exp(q.log_density(mu)) + np.exp(q.log_density(mu[:, ::-1]))) / 2)
    np.testing.assert_allclose(both.log_density(mu), expected)
    np.testing.assert_allclose(both.log_density(mu[:, ::-1]), expected)
    draws = both.sample(40_000, 1)
    assert draws.dims == ("chain", "draw", "component") and draws.identical(both.sample(40_000, 1))
    values = draws.values[0]
    assert (values[:, 0] < values[:, 1]).mean() == pytest.approx(0.5, abs=0.01)
    np.testing.assert_allclose(values.mean(axis=0), 0.5, atol=4 * 1.6 / np.sqrt(40_000))
    np.testing.assert_allclose(np.sort(values).mean(axis=0), q.mean, atol=0.01)


@pytest.mark.parametrize("space", ORDERED)
def test_the_mirror_image_of_an_ordered_gaussian_is_disjoint(space):
    q = random_gaussian(1, space)
    both = variational.symmetrise(q)
    for mu in ([0.2, 0.9], [0.9, 0.2]):
        assert both.log_density(mu) == pytest.approx(float(q.log_density(np.sort(mu))) - np.log(2))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("mean", v) for v in ([0.0], [0.0, np.nan], [[0.0, 1.0]], "ab", None)],
        *[("covariance", v) for v in ([1, 1], [[1, 2], [2, 1]], [[1, 0], [0.5, 1]], [[-1, 0], [0, 1]], 0 * np.eye(2))],
        *[("space", v) for v in ("ordered", None, ["raw"])],
    ],
)
def test_a_malformed_gaussian_is_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f"^{name}: "):
        Gaussian(**({"mean": [0.0, 1.0], "covariance": np.eye(2)} | {name: value}))


@pytest.mark.parametrize(("name", "value"), [("draws", 0), ("draws", 2.5), ("seed", -1), ("seed", None)])
def test_bad_sampling_arguments_are_refused_by_name(name, value):
    q = random_gaussian(0, "raw")
    for thing in (q, variational.symmetrise(q)):
        with pytest.raises(ValueError, match=f"^{name}: "):
            thing.sample(**({"draws": 9, "seed": 1} | {name: value}))


@pytest.mark.parametrize("space", SPACES)
def test_the_density_is_the_normal_one_of_the_coordinates_over_the_jacobian(space):
    q = random_gaussian(4, space)
    mu = np.sort(np.random.default_rng(1).normal(size=(4, 5, 2)))
    gap = 1 if space == "raw" else mu[..., 1] - mu[..., 0]
    expected = multivariate_normal(q.mean, q.covariance).logpdf(gaussians.to_coords(mu, space)) - np.log(gap)
    np.testing.assert_allclose(q.log_density(mu), expected)


@pytest.mark.parametrize("change", [gaussians.to_means, gaussians.to_coords])
@pytest.mark.parametrize("space", SPACES)
def test_a_change_of_space_returns_floats_of_its_own(change, space):
    before = np.array([[1, 3]])
    after = change(before, space)
    assert after.dtype == float and change([1, 3], space).tolist() == after[0].tolist()
    after[:] = 0
    assert before.tolist() == [[1, 3]] and change(before.astype(float), space) is not before


def test_a_gap_too_large_for_a_number_is_infinite():
    assert gaussians.to_means([0.0, 1e4], "centred").tolist() == [-np.inf, np.inf]


def test_draws_are_one_chain_that_counts_from_0():
    draws = gaussians.to_draws(np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))
    assert {name: c.values.tolist() for name, c in draws.coords.items()} == {
        "chain": [0], "draw": [0, 1, 2], "component": [0, 1]}
    assert draws.values.tolist() == [[[1, 2], [3, 4], [5, 6]]]


def test_draws_are_the_factor_times_normal_ones():
    q = random_gaussian(2, "centred")
    z = np.random.default_rng(9).normal(size=(7, 2))
    expected = gaussians.to_means(q.mean + np.array([np.linalg.cholesky(q.covariance) @ one for one in z]), "centred")
    np.testing.assert_allclose(q.sample(7, 9).values[0], expected)
    assert q.sample(np.int64(1), np.int64(9)).shape == (1, 1, 2)


def test_half_of_the_draws_of_a_mixture_are_exchanged():
    q, rng = random_gaussian(2, "raw"), np.random.default_rng(9)
    expected = q.draw(1000, rng)
    swap = rng.random(1000) < 0.5
    expected[swap] = np.flip(expected[swap], axis=1)
    np.testing.assert_array_equal(variational.symmetrise(q).sample(1000, 9).values[0], expected)


def test_a_gaussian_may_be_given_by_standard_deviations_and_a_correlation():
    q = Gaussian.of([1, 2], [3, 0.5], -0.5, "centred")
    assert (q.mean.tolist(), q.covariance.tolist(), q.space) == ([1, 2], [[9, -0.75], [-0.75, 0.25]], "centred")
    assert (q.sd.tolist(), q.corr) == ([3, 0.5], -0.5)
    plain = Gaussian.of([1, 2], [3, 0.5])
    assert (plain.corr, plain.space, Gaussian([1, 2], np.eye(2)).space) == (0, "raw", "raw")


def test_rounding_is_no_asymmetry_and_a_line_is_no_plane():
    Gaussian([0, 0], [[1, 0.5], [0.5 + 1e-11, 1]])
    for covariance in ([[1, 0.5], [0.5 + 1e-8, 1]], [[1, 0], [1e-12, 1]], [[1, 1], [1, 1]], [[1, 0], [0, 0]],
                       [[1, -2], [-2, 1]]):
        with pytest.raises(ValueError, match="^covariance: expected symmetric and positive definite"):
            Gaussian([0, 0], covariance)


# PyMC's parameters


def test_softplus_is_undone():
    values = np.array([-40.0, -1.0, 0.0, 3.0, 30.0])
    np.testing.assert_allclose(parameters.softplus(values), np.log1p(np.exp(values)))
    np.testing.assert_allclose(parameters.inverse_softplus(parameters.softplus(values)), values)
    assert parameters.softplus(np.array(1e4)) == 1e4 and parameters.inverse_softplus(np.array(1e4)) == 1e4


def test_a_fits_parameters_are_a_gaussian():
    plus = {value: np.log1p(np.exp(value)) for value in (-1.0, 0.5)}
    q = parameters.to_gaussian({"mu": np.array([1.0, 2.0]), "rho": np.array([*plus])}, "centred")
    assert (q.mean.tolist(), q.corr, q.space) == ([1, 2], 0, "centred")
    np.testing.assert_allclose(q.sd, [*plus.values()])
    q = parameters.to_gaussian({"mu": np.array([1.0, 2.0]), "L_tril": np.array([-1.0, 0.3, 0.5])}, "log gap")
    assert (q.mean.tolist(), q.space) == ([1, 2], "log gap")
    np.testing.assert_allclose(q.factor, [[plus[-1.0], 0], [0.3, plus[0.5]]])


@pytest.mark.parametrize(("name", "corr"), [("rho", 0.0), ("L_tril", -0.4)])
def test_a_gaussian_is_installed_as_parameters_that_stand_for_it(name, corr):
    class Shared:
        def __init__(self, name):
            self.name = name

        def set_value(self, value):
            self.value = value

    approx = SimpleNamespace(params=[Shared("mu"), Shared(name)])
    q = Gaussian.of([1.0, -2.0], [0.3, 4.0], corr)
    parameters.install(q, approx)
    again = parameters.to_gaussian({shared.name: shared.value for shared in approx.params}, "raw")
    np.testing.assert_allclose(again.mean, q.mean)
    np.testing.assert_allclose(again.covariance, q.covariance)
