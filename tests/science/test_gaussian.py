"""Gaussians of two means in three spaces: densities, moments and draws, each by a second route."""

import numpy as np
import pytest
from approximations import ORDERED, SPACES, random_gaussian
from mixtures import variational
from mixtures.variational import Gaussian
from mixtures.variational.gaussian import to_coords
from numpy.testing import assert_allclose
from pymc.distributions import transforms
from scipy.stats import multivariate_normal


def test_the_spaces_are_what_they_say():
    mu = np.array([-1.0, 3.0])
    assert_allclose(to_coords(mu, "raw"), mu)
    assert_allclose(to_coords(mu, "log gap"), [-1, np.log(4)])
    assert_allclose(to_coords(mu, "centred"), [1, np.log(4)])
    assert_allclose(to_coords(mu, "log gap"), transforms.ordered.forward(mu).eval())
    outside = to_coords([[1.0, 1.0], [2.0, 1.0]], "centred")
    assert np.isnan(outside).all()


@pytest.mark.parametrize("space", SPACES)
def test_going_there_and_back_changes_nothing(space):
    coords = np.random.default_rng(0).normal(size=(4, 3, 2))
    q = random_gaussian(0, space)
    assert_allclose(q.to_coords(q.to_means(coords)), coords, atol=1e-12)


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
    assert_allclose(q.means_mean, mean, atol=1e-8)
    assert_allclose(q.means_sd, np.sqrt(np.diag(covariance)), atol=1e-7)
    corr = covariance[0, 1] / np.sqrt(np.prod(np.diag(covariance)))
    assert q.means_corr == pytest.approx(corr, abs=1e-7)


def test_the_raw_density_is_the_normal_one():
    q, mu = random_gaussian(3, "raw"), np.random.default_rng(1).normal(size=(4, 5, 2))
    assert_allclose(q.log_density(mu), multivariate_normal(q.mean, q.covariance).logpdf(mu))
    assert q.entropy == pytest.approx(multivariate_normal(q.mean, q.covariance).entropy())
    assert_allclose([*q.means_mean, *q.means_sd, q.means_corr], [*q.mean, *q.sd, q.corr])


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
    assert draws.dims == ("chain", "draw", "component") and draws.name == "means"
    assert draws.shape == (1, 40_000, 2)
    assert draws.identical(q.sample(40_000, 2)) and not np.array_equal(draws, q.sample(40_000, 3))
    values = draws.values[0]
    error = q.means_sd / np.sqrt(len(values))
    assert (np.abs(values.mean(axis=0) - q.means_mean) < 5 * error).all()
    assert_allclose(values.std(axis=0), q.means_sd, rtol=0.03)
    assert np.corrcoef(values.T)[0, 1] == pytest.approx(q.means_corr, abs=0.03)


def test_the_mixture_of_a_gaussian_and_its_mirror_image_is_symmetric():
    q = Gaussian.of([-1.0, 2.0], [0.3, 0.5], 0.4)
    both = variational.symmetrise(q)
    mu = np.random.default_rng(0).normal(size=(50, 2))
    expected = np.log((np.exp(q.log_density(mu)) + np.exp(q.log_density(mu[:, ::-1]))) / 2)
    assert_allclose(both.log_density(mu), expected)
    assert_allclose(both.log_density(mu[:, ::-1]), expected)
    draws = both.sample(40_000, 1)
    assert draws.dims == ("chain", "draw", "component") and draws.identical(both.sample(40_000, 1))
    values = draws.values[0]
    assert (values[:, 0] < values[:, 1]).mean() == pytest.approx(0.5, abs=5 * 0.5 / np.sqrt(40_000))
    assert_allclose(values.mean(axis=0), 0.5, atol=5 * 1.6 / np.sqrt(40_000))
    assert_allclose(np.sort(values).mean(axis=0), q.mean, atol=0.01)


def test_a_gaussian_may_be_given_by_standard_deviations_and_a_correlation():
    q = Gaussian.of([1, 2], [3, 0.5], -0.5, "centred")
    assert q.covariance.tolist() == [[9, -0.75], [-0.75, 0.25]]
    assert (q.mean.tolist(), q.space) == ([1, 2], "centred")
    assert (q.sd.tolist(), q.corr) == ([3, 0.5], -0.5)
    plain = Gaussian.of([1, 2], [3, 0.5])
    assert (plain.corr, plain.space, Gaussian([1, 2], np.eye(2)).space) == (0, "raw", "raw")
