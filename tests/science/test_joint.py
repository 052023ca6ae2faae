"""The joint density against its formula, its slopes against differences."""

import numpy as np
import pytest
from mixtures import data
from mixtures.exact import Joint
from mixtures.exact.barrier import saddle_between
from numpy.testing import assert_allclose
from scipy.stats import norm


def formula(x, mu, weights=0.5, sigma=1.0, prior_mean=0.0, prior_sd=10.0):
    """Log p(x, mu) at one point, as it is written down."""
    terms = np.log(np.broadcast_to(weights, 2)) + norm.logpdf(np.asarray(x)[:, None], mu, sigma)
    return np.logaddexp(*terms.T).sum() + norm.logpdf(mu, prior_mean, prior_sd).sum()


def test_the_log_density_is_the_formula(setting):
    x, mu = data.simulate(8, n=30), np.array([[-1.0, 1.0], [0.3, 0.3], [40.0, -7.0]])
    expected = [formula(x, m, **setting) for m in mu]
    assert_allclose(Joint.of(x, **setting).log_density(mu), expected, rtol=1e-13)


@pytest.mark.parametrize("n", [1, 8, 5003])
@pytest.mark.parametrize("scale", [1, 50])
def test_the_lattice_route_gives_the_same_density(setting, n, scale):
    """Sizes that are and are not multiples of eight and of a block; factors that underflow."""
    joint = Joint.of(scale * data.simulate(1, n=n), **setting)
    mu1, mu2 = np.array([-30.0, -1.0, 0.0]), np.array([-0.5, 2.0])
    mask = np.array([[True, False], [True, True], [False, False]])
    reference = joint.log_density([0.0, 2.0])[0]
    got = joint.on_lattice(mu1, mu2, mask, reference)
    points = np.stack(np.meshgrid(mu1, mu2, indexing="ij"), axis=-1)
    assert_allclose(got[mask] + reference, joint.log_density(points[mask]), rtol=1e-12)
    assert (got[~mask] == -np.inf).all()


def test_slopes_are_those_of_finite_differences(setting):
    joint = Joint.of(data.simulate(8, n=30), **setting)
    for mu in np.array([[-1.0, 1.0], [0.4, 0.2], [2.0, -3.0]]):
        steps = 1e-5 * np.eye(2)
        slope = [(joint.log_density(mu + h) - joint.log_density(mu - h))[0] / 2e-5 for h in steps]
        assert_allclose(joint.gradient(mu), slope, rtol=1e-6, atol=1e-6)
        bend = [(joint.gradient(mu + h) - joint.gradient(mu - h)) / 2e-5 for h in steps]
        assert_allclose(joint.hessian(mu), bend, rtol=1e-6, atol=1e-6)


def test_responsibility_is_bayes_rule(setting):
    x, mu = data.simulate(8, n=30), np.array([-1.0, 1.5])
    joint = Joint.of(x, **setting)
    share = joint.weights * norm.pdf(x[:, None], mu, joint.sigma)
    assert_allclose(joint.responsibility(mu), share[:, 0] / share.sum(axis=1), rtol=1e-12)


@pytest.mark.parametrize("unit", [1e-8, 1.0, 1e8])
def test_a_climb_that_begins_on_a_pass_leaves_it(unit):
    joint = Joint.of(unit * np.array([-1.5, -1.3, 1.3, 1.5]), sigma=unit, prior_sd=10 * unit)
    assert_allclose(joint.gradient(np.zeros(2)) * unit, 0, atol=1e-12)
    end = joint.climb(np.zeros(2))
    assert_allclose(joint.gradient(end) * unit, 0, atol=1e-8)
    assert np.linalg.eigvalsh(joint.hessian(end)).max() * unit**2 < -0.5


@pytest.mark.parametrize(
    "x",
    [
        data.simulate(0),
        data.simulate(8),
        data.simulate(3, n=12, separation=0),
        np.append(data.simulate(2, n=20), 30.0),
        np.array([-20.0, 0.0, 20.0]),
        np.array([-3.0, 3.0]),
        np.zeros(6),
        1e-6 * data.simulate(4, n=9),
        1e3 * data.simulate(4, n=9),
    ],
    ids=["dataset 0", "dataset 8", "no gap", "outlier", "three far points", "two points",
         "all equal", "tiny", "huge"],
)
def test_modes_are_maxima_the_highest_first(setting, x):
    joint = Joint.of(x, **setting)
    modes = joint.modes()
    assert (np.diff(joint.log_density(modes)) < 1e-9).all()
    for mode in modes:
        unit = 1 / np.sqrt(-joint.hessian(mode)[[0, 1], [0, 1]])
        assert_allclose(joint.gradient(mode) * unit, 0, atol=1e-5)
        assert np.linalg.eigvalsh(joint.hessian(mode)).max() < 0


def test_no_point_of_a_fine_grid_rises_above_the_highest_mode(setting):
    for seed, n, separation in [(0, 1, 2), (1, 2, 4), (2, 5, 0), (3, 12, 3), (4, 60, 1)]:
        joint = Joint.of(data.simulate(seed, n=n, separation=separation), **setting)
        axis = np.linspace(-8, 8, 321)
        height = joint.on_lattice(axis, axis, np.ones((321, 321), dtype=bool), 0.0)
        assert height.max() <= joint.log_density(joint.modes()[:1])[0] + 1e-9


@pytest.mark.parametrize("excess", [-0.1, -1e-3, 1e-3, 0.1])
def test_two_modes_part_where_the_variance_passes_one(excess):
    """Across the diagonal the curvature is sum (x - m)^2 - n - 2 / prior_sd^2: two modes if > 0."""
    x = data.simulate(6, n=40)
    middle = x.sum() / (x.size + 2 / 100)
    x = x * np.sqrt((1 + excess) * (x.size + 2 / 100) / ((x - middle) ** 2).sum())
    joint = Joint.of(x)
    modes = joint.modes()
    assert len(modes) == (2 if excess > 0 else 1)
    assert (saddle_between(joint, modes) is None) == (excess < 0)


def test_thinning_keeps_the_shape_of_the_log_density():
    joint = Joint.of(data.simulate(0, n=50_000), weights=(0.4, 0.6), prior_sd=(0.01, 0.02))
    thin = joint.thinned(1000)
    mu = np.array([[-1.0, 1.0], [0.1, 0.4], [-0.5, -0.2]])
    whole, part = joint.log_density(mu), thin.log_density(mu)
    assert thin.x.size == 1000 and joint.thinned(50_000) is joint
    assert_allclose(np.diff(part) * 50, np.diff(whole), rtol=0.01)


@pytest.mark.parametrize("name", ["weights", "sigma", "prior_mean", "prior_sd"])
def test_components_are_exchangeable_only_where_all_is_equal(name):
    assert Joint.of([0.0]).exchangeable
    assert not Joint.of([0.0], **{name: (0.25, 0.75)}).exchangeable
