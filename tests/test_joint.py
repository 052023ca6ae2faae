"""The joint density against its formula, its slopes against differences."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mixtures import data, saddles
from mixtures.joint import Joint
from scipy.stats import norm


def formula(x, mu, weights=0.5, sigma=1.0, prior_mean=0.0, prior_sd=10.0):
    """Log p(x, mu) at one point, as it is written down."""
    weights, sigma, prior_mean, prior_sd = (np.broadcast_to(v, 2) for v in (weights, sigma, prior_mean, prior_sd))
    terms = np.log(weights) + norm.logpdf(np.asarray(x)[:, None], mu, sigma)
    return np.logaddexp(*terms.T).sum() + norm.logpdf(mu, prior_mean, prior_sd).sum()


def test_the_log_density_is_the_formula(setting):
    x, mu = data.simulate(8, n=30), np.array([[-1.0, 1.0], [0.3, 0.3], [40.0, -7.0]])
    expected = [formula(x, m, **setting) for m in mu]
    np.testing.assert_allclose(Joint.of(x, **setting).log_density(mu), expected, rtol=1e-13)


@pytest.mark.parametrize("n", [1, 8, 13, 4096, 5003])
@pytest.mark.parametrize("scale", [1, 50])
def test_the_lattice_route_gives_the_same_density(setting, n, scale):
    """Sizes that are and are not multiples of eight and of a block; scales with and without underflowing factors."""
    joint = Joint.of(scale * data.simulate(1, n=n), **setting)
    mu1, mu2 = np.array([-30.0, -1.0, 0.0]), np.array([-0.5, 2.0])
    mask = np.array([[True, False], [True, True], [False, False]])
    reference = joint.log_density([0.0, 2.0])[0]
    got = joint.on_lattice(mu1, mu2, mask, reference)
    points = np.stack(np.meshgrid(mu1, mu2, indexing="ij"), axis=-1)
    np.testing.assert_allclose(got[mask] + reference, joint.log_density(points[mask]), rtol=1e-12)
    assert (got[~mask] == -np.inf).all()


def test_slopes_are_those_of_finite_differences(setting):
    joint = Joint.of(data.simulate(8, n=30), **setting)
    for mu in np.array([[-1.0, 1.0], [0.4, 0.2], [2.0, -3.0]]):
        steps = 1e-5 * np.eye(2)
        slope = [(joint.log_density(mu + h) - joint.log_density(mu - h))[0] / 2e-5 for h in steps]
        np.testing.assert_allclose(joint.gradient(mu), slope, rtol=1e-6, atol=1e-6)
        bend = [(joint.gradient(mu + h) - joint.gradient(mu - h)) / 2e-5 for h in steps]
        np.testing.assert_allclose(joint.hessian(mu), bend, rtol=1e-6, atol=1e-6)


def test_responsibility_is_bayes_rule(setting):
    x, mu = data.simulate(8, n=30), np.array([-1.0, 1.5])
    joint = Joint.of(x, **setting)
    share = joint.weights * norm.pdf(x[:, None], mu, joint.sigma)
    np.testing.assert_allclose(joint.responsibility(mu), share[:, 0] / share.sum(axis=1), rtol=1e-12)


def test_one_logarithm_serves_eight_observations_wherever_none_is_hopelessly_far(monkeypatch):
    """What is far from one mean may be near the other; of what is far from both, the nearer one counts."""
    joint = Joint.of([-11.0, 11.0, 30.0])
    axes = np.linspace(-11.5, -10.5, 5), np.linspace(10.5, 11.5, 4)
    expected = joint.log_density([[a, b] for a in axes[0] for b in axes[1]]).reshape(5, 4)

    def refuse(*_):
        raise AssertionError("one logarithm for each observation")

    monkeypatch.setattr(np, "logaddexp", refuse)
    np.testing.assert_allclose(joint.on_lattice(*axes, np.full((5, 4), True), 0.0), expected, rtol=1e-13)


@pytest.mark.parametrize("unit", [0.05, 1.0, 20.0])
def test_a_climb_from_nearby_takes_as_few_steps_as_newtons(monkeypatch, unit):
    """Values, slopes and curvatures in the same units: five looks at the curvature, and all digits."""
    asked, plain = [], Joint.hessian
    joint = Joint.of(unit * data.simulate(0, n=300, separation=4.0), sigma=(unit, 1.3 * unit), prior_sd=10 * unit)
    mode = joint.modes()[0]
    monkeypatch.setattr(Joint, "hessian", lambda self, mu: asked.append(mu) or plain(self, mu))
    np.testing.assert_allclose(joint.climb(mode + unit * np.array([0.3, -0.2])), mode, rtol=0, atol=1e-11 * unit)
    assert len(asked) <= 5


@pytest.mark.parametrize("n", [60, 3000])
def test_em_alone_comes_to_the_modes_of_data_that_are_clear(monkeypatch, n):
    """Strong priors that pull, and clusters that leave no doubt."""
    joint = Joint.of(data.simulate(1, n=n, separation=12.0), prior_mean=(3.0, -3.0), prior_sd=np.array([1.0, 2.0]) / np.sqrt(n))
    modes = joint.modes()
    monkeypatch.setattr(Joint, "climb", lambda self, start: start)
    np.testing.assert_allclose(joint.modes()[0], modes[0], rtol=0, atol=1e-6 if n < 1000 else 2e-3)


@pytest.mark.parametrize("unit", [1e-8, 1.0, 1e8])
def test_a_climb_that_begins_on_a_pass_leaves_it(unit):
    joint = Joint.of(unit * np.array([-1.5, -1.3, 1.3, 1.5]), sigma=unit, prior_sd=10 * unit)
    np.testing.assert_allclose(joint.gradient(np.zeros(2)) * unit, 0, atol=1e-12)
    end = joint.climb(np.zeros(2))
    np.testing.assert_allclose(joint.gradient(end) * unit, 0, atol=1e-8)
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
    ids=["dataset 0", "dataset 8", "no gap", "outlier", "three far points", "two points", "all equal", "tiny", "huge"],
)
def test_modes_are_maxima_the_highest_first(setting, x):
    joint = Joint.of(x, **setting)
    modes = joint.modes()
    assert (np.diff(joint.log_density(modes)) < 1e-9).all()
    for mode in modes:
        unit = 1 / np.sqrt(-joint.hessian(mode)[[0, 1], [0, 1]])
        np.testing.assert_allclose(joint.gradient(mode) * unit, 0, atol=1e-5)
        assert np.linalg.eigvalsh(joint.hessian(mode)).max() < 0


def test_no_point_of_a_fine_grid_rises_above_the_highest_mode(setting):
    for seed, n, separation in [(0, 1, 2), (1, 2, 4), (2, 5, 0), (3, 12, 3), (4, 60, 1)]:
        joint = Joint.of(data.simulate(seed, n=n, separation=separation), **setting)
        axis = np.linspace(-8, 8, 321)
        height = joint.on_lattice(axis, axis, np.ones((321, 321), dtype=bool), 0.0)
        assert height.max() <= joint.log_density(joint.modes()[:1])[0] + 1e-9


@pytest.mark.parametrize("x", [data.simulate(0), data.simulate(8), [-20.0, 0.0, 20.0], [-3.0, 3.0]])
def test_exchangeable_modes_come_in_mirror_images(x):
    modes = Joint.of(x).modes()
    assert len(modes) % 2 == 0
    np.testing.assert_allclose(modes[::2], modes[1::2, ::-1], rtol=0, atol=1e-12)


def test_symmetric_data_keep_all_four_modes():
    """The middle point may belong to either side; the balanced arrangement in between is a pass, not a mode."""
    modes = Joint.of([-20.0, 0.0, 20.0]).modes()
    expected = np.array([[-20, 10], [10, -20], [-10, 20], [20, -10]])
    assert len(modes) == 4
    for mode in expected:
        assert np.abs(modes - mode).max(axis=1).min() < 0.3


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_modes_and_saddle_follow_the_units(setting, scale):
    """Measured in other units the same data have the same peaks, in those units."""
    x = data.simulate(5, n=40, separation=3.0)
    plain = Joint.of(x, **setting)
    units = {k: np.multiply(v, scale) for k, v in setting.items() if k != "weights"}
    rest = {"sigma": scale, "prior_sd": 10 * scale} | {k: v for k, v in setting.items() if k == "weights"}
    scaled = Joint.of(scale * x, **(rest | units))
    modes = plain.modes()
    np.testing.assert_allclose(scaled.modes() / scale, modes, rtol=1e-6)
    np.testing.assert_allclose(saddles.between(scaled, scaled.modes()) / scale, saddles.between(plain, modes), rtol=1e-6)


@pytest.mark.parametrize("excess", [-0.1, -0.01, -1e-3, 1e-3, 0.01, 0.1])
def test_two_modes_part_where_the_variance_passes_one(excess):
    """On the diagonal the curvature across it is sum (x - m)^2 - n - 2 / prior_sd^2: two modes where it is positive."""
    x = data.simulate(6, n=40)
    middle = x.sum() / (x.size + 2 / 100)
    x = x * np.sqrt((1 + excess) * (x.size + 2 / 100) / ((x - middle) ** 2).sum())
    joint = Joint.of(x)
    modes = joint.modes()
    assert len(modes) == (2 if excess > 0 else 1)
    assert (saddles.between(joint, modes) is None) == (excess < 0)


def test_more_points_than_one_block_of_memory_takes_have_the_same_density():
    joint, mu = Joint.of([0.0, 1.0, 3.0]), np.linspace(-2, 2, 2_000_002).reshape(-1, 2)
    density = joint.log_density(mu)
    some = [0, 500_000, -1]
    np.testing.assert_allclose(density[some], joint.log_density(mu[some]), rtol=1e-13)


def test_thinning_keeps_the_shape_of_the_log_density():
    joint = Joint.of(data.simulate(0, n=50_000), weights=(0.4, 0.6), prior_sd=(0.01, 0.02))
    thin = joint.thinned(1000)
    mu = np.array([[-1.0, 1.0], [0.1, 0.4], [-0.5, -0.2]])
    whole, part = joint.log_density(mu), thin.log_density(mu)
    assert thin.x.size == 1000 and joint.thinned(50_000) is joint
    np.testing.assert_allclose(np.diff(part) * 50, np.diff(whole), rtol=0.01)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        *[("weights", v) for v in (0.3, (0.5, 0.6), (0, 1), (-0.5, 1.5), (np.nan, 0.5), (1e308, 1e308), "half")],
        *[("weights", v) for v in ((0.2, 0.3, 0.5), [], None)],
        *[(k, v) for k in ("sigma", "prior_sd") for v in (0, -1, (1, 0), np.nan, np.inf, 1e-200, 1e200, (1, 2, 3))],
        *[(k, v) for k in ("sigma", "prior_sd", "prior_mean") for v in ("one", ("a", "b"), [[1, 2]], [], {}, 1j)],
        *[("prior_mean", v) for v in (np.nan, np.inf, (0, np.nan), (1, 2, 3), None, 1e200)],
        ("x", [1e200]),
    ],
)
def test_a_bad_argument_is_refused_by_name(argument, value):
    with pytest.raises(ValueError, match=f"^{argument}: "):
        Joint.of(**({"x": [0.0, 1.0]} | {argument: value}))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sigma": -1.0}, "sigma: expected positive, finite numbers, got -1.0"),
        ({"prior_sd": 0.0}, "prior_sd: expected positive, finite numbers, got 0.0"),
        ({"prior_mean": np.inf}, "prior_mean: expected finite numbers, got inf"),
        ({"sigma": [1.0, 2.0, 3.0]}, "sigma: expected one number or one for each component, got shape [3]"),
        ({"weights": [0.5, 0.6]}, "weights: expected two that sum to 1, got [0.5, 0.6]"),
        ({"weights": [1 + 1e-10, 1e-12]}, "weights: expected two that sum to 1, got [1.0000000001, 1e-12]"),
        ({"sigma": [1.0, 2e25]}, "sigma: expected a scale within a factor 1e+25 of 1, got 1 to 2e+25"),
        ({"x": [1.0, 1e12]}, "x: 1e+12 leaves too few digits for a scale of 1; subtract a constant"),
    ],
)
def test_messages_say_what_was_expected_and_what_was_found(arguments, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Joint.of(**({"x": [0.0, 1.0]} | arguments))


@pytest.mark.parametrize("scale", [1e25, 1 / 1e25, 1.5e-25, [1e25], [1e-25, 1.0]])
def test_scales_may_be_as_large_and_as_small_as_is_said(scale):
    np.testing.assert_array_equal(Joint.of([0.0], sigma=scale, prior_sd=scale).sigma, np.broadcast_to(scale, 2))


def test_one_weight_may_be_next_to_nothing():
    np.testing.assert_array_equal(Joint.of([0.0], weights=[1.0, 1e-12]).weights, [1.0, 1e-12])


def test_bad_data_are_refused_by_name(bad_data):
    with pytest.raises(ValueError, match="^x: "):
        Joint.of(bad_data)


@given(st.lists(st.floats(allow_nan=True), min_size=1, max_size=3))
def test_any_weights_are_two_positive_numbers_that_sum_to_one_or_refused(weights):
    if len(weights) < 3 and all(0 < w < 1 for w in weights) and abs(weights[0] + weights[-1] - 1) < 1e-9:
        np.testing.assert_array_equal(Joint.of([0.0], weights=weights).weights, np.broadcast_to(weights, 2))
    else:
        with pytest.raises(ValueError, match="^weights: "):
            Joint.of([0.0], weights=weights)


@pytest.mark.parametrize("name", ["weights", "sigma", "prior_mean", "prior_sd"])
def test_components_are_exchangeable_only_where_all_is_equal(name):
    assert Joint.of([0.0]).exchangeable
    assert not Joint.of([0.0], **{name: (0.25, 0.75)}).exchangeable
