"""The lattice sum: against a plain one, by both routes to the log density, and what it refuses."""

import numpy as np
import pytest
from mixtures import data, quadrature
from mixtures.joint import Joint
from scipy.optimize import brentq
from scipy.stats import multivariate_normal, norm

UNEQUAL = {"weights": (0.4, 0.6), "sigma": (1.0, 1.2), "prior_mean": (1.0, -1.0), "prior_sd": (5.0, 8.0)}


def integrate(x, **setting):
    joint = Joint.of(x, **setting)
    return quadrature.integrate(joint, joint.modes())


@pytest.mark.parametrize("seed", [0, 1, 8])
def test_a_plain_rectangle_rule_gives_the_same_evidence(seed):
    """61 by 61 points over [-4, 4]^2 are already enough for the book's datasets."""
    x, (axis, spacing) = data.simulate(seed), np.linspace(-4, 4, 61, retstep=True)
    likelihood = norm.logpdf(x, axis[:, None], 1)
    height = np.logaddexp(likelihood[:, None], likelihood[None, :]).sum(axis=-1) - x.size * np.log(2)
    height += norm.logpdf(axis, 0, 10)[:, None] + norm.logpdf(axis, 0, 10)
    expected = np.logaddexp.reduce(height.ravel()) + 2 * np.log(spacing)
    assert integrate(x)[0] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("setting", [{}, UNEQUAL], ids=["as in the book", "all unequal"])
@pytest.mark.parametrize("n", [1, 5, 40])
def test_the_masses_are_shares_that_die_out_at_the_ends(setting, n):
    _, axes, spacing, mass = integrate(data.simulate(2, n=n), **setting)
    assert mass.shape == (axes[0].size, axes[1].size) and mass.min() >= 0 and spacing > 0
    assert mass.sum() == pytest.approx(1, abs=1e-12)
    for k in (0, 1):
        assert (np.diff(axes[k]) > 0).all()
        assert mass.sum(axis=1 - k)[[0, -1]].max() < 1e-12


@pytest.mark.parametrize("setting", [{}, UNEQUAL], ids=["as in the book", "all unequal"])
@pytest.mark.parametrize("separation", [0.0, 1.0, 4.0])
def test_many_data_may_be_interpolated_or_not(monkeypatch, setting, separation):
    x = data.simulate(3, n=4500, separation=separation)
    interpolated = integrate(x, **setting)
    monkeypatch.setattr(quadrature, "MANY", x.size + 1)
    plain = integrate(x, **setting)
    assert interpolated[0] == pytest.approx(plain[0], abs=1e-8)
    np.testing.assert_allclose(interpolated[3], plain[3], rtol=0, atol=1e-8 * plain[3].max())


@pytest.mark.parametrize("setting", [{}, UNEQUAL], ids=["as in the book", "all unequal"])
@pytest.mark.parametrize("sizes", [(5, 7), (1, 4), (9, 1)], ids=str)
def test_what_is_interpolated_are_the_values_themselves(setting, sizes):
    """A few points far apart: a wrong end of the interval, or a wrong node, would show."""
    joint = Joint.of(data.simulate(3, n=5000, separation=3.0), **setting)
    mode, spacing = joint.modes()[0], 0.03
    at = [m + spacing * (np.arange(size) - 2) for m, size in zip(mode, sizes, strict=True)]
    reference = joint.log_density(mode)[0]
    found = quadrature._interpolated(joint, reference, at, spacing)
    assert found is not None
    np.testing.assert_allclose(found, joint.on_lattice(*at, np.ones(sizes, dtype=bool), reference), rtol=0, atol=1e-8)


@pytest.mark.parametrize("axis", [0, 1])
def test_what_is_no_polynomial_is_not_interpolated(axis):
    joint = Joint.of(data.simulate(3, n=5000, separation=3.0), sigma=(0.05, 0.05))
    mode = joint.modes()[0]
    at = [m + 1e-4 * np.arange(5) for m in mode]
    assert quadrature._interpolated(joint, joint.log_density(mode)[0], at, 1e-4) is not None
    at[axis] = mode[axis] + np.linspace(-2, 2, 5)
    assert quadrature._interpolated(joint, joint.log_density(mode)[0], at, 1.0) is None


def far_apart(n=(30, 70), at=(-20.0, 20.0)):
    """Two clusters so far apart that the posterior is a Gaussian in closed form, and its mirror image."""
    x = np.concatenate([a + norm.ppf((np.arange(k) + 0.5) / k) for a, k in zip(at, n, strict=True)])
    return x, np.array(n), np.array(at)


@pytest.mark.parametrize("exchangeable", [True, False])
def test_the_lattice_reaches_eight_deviations_from_each_peak_and_is_fine_enough(exchangeable):
    x, n, at = far_apart()
    sigma, prior_sd = np.array([1.0, 1.0 if exchangeable else 1.5]), np.array([10.0, 10.0 if exchangeable else 20.0])
    joint = Joint.of(x, sigma=sigma, prior_sd=prior_sd)
    modes = joint.modes()[: 2 if exchangeable else 1]
    intervals, spacing = quadrature._support(joint, modes, joint.log_density(modes)[0])
    # this component with that cluster
    owner = [[int(mu > 0) for mu in mode] for mode in modes]
    expected, widths = [[], []], []
    for clusters in owner:
        for k, c in enumerate(clusters):
            precision = n[c] / sigma[k] ** 2 + 1 / prior_sd[k] ** 2
            centre, sd = n[c] * at[c] / sigma[k] ** 2 / precision, precision**-0.5
            expected[k].append([centre - 8 * sd, centre + 8 * sd])
            widths.append(sd)
    for k in (0, 1):
        np.testing.assert_allclose(intervals[k], sorted(expected[k]), rtol=0, atol=1e-6)
    assert spacing == pytest.approx(0.4 * min(widths), rel=1e-6)


@pytest.mark.parametrize("sigma", [1.0, 0.25])
def test_where_two_peaks_part_the_lattice_is_as_wide_as_their_common_top(sigma):
    """There the curvature vanishes one way, and the width goes as n^(-1/4)."""
    x = data.simulate(6, n=200)
    middle = x.sum() / (x.size + 2 / 100)
    x = sigma * x * np.sqrt((x.size + 2 / 100) / ((x - middle) ** 2).sum())
    joint = Joint.of(x, sigma=sigma, prior_sd=10 * sigma)
    modes = joint.modes()
    intervals, spacing = quadrature._support(joint, modes, joint.log_density(modes)[0])
    # along the diagonal the precision is n / 2, across it sqrt(n) is taken; each mean lies halfway between
    sd = sigma * np.sqrt((2 / 200 + 1 / np.sqrt(200)) / 2)
    for k in (0, 1):
        np.testing.assert_allclose(intervals[k], [[x.mean() - 8 * sd, x.mean() + 8 * sd]], atol=0.02 * sigma)
    # the mean of one, given the other, has precision n / 4
    assert spacing == pytest.approx(0.4 * sigma / np.sqrt(50), rel=1e-3)


def together(x, sigma, prior_mean, prior_sd):
    """A single Gaussian makes of all data a normal distribution, whose common part is its mean."""
    return multivariate_normal(np.full(x.size, prior_mean), sigma**2 * np.eye(x.size) + prior_sd**2)


@pytest.mark.parametrize("k", [0, 1])
def test_a_component_that_owns_everything_is_a_single_gaussian(k):
    x = data.simulate(7, n=12)
    joint = Joint.of(x, weights=(0.3, 0.7), sigma=(0.8, 1.3), prior_mean=(1.5, -0.5), prior_sd=(0.6, 2.0))
    s, t, m = joint.sigma[k], joint.prior_sd[k], joint.prior_mean[k]
    single = together(x, s, m, t)
    centre, sd, share = quadrature._sole(joint, k)
    assert share == pytest.approx(single.logpdf(x) + 12 * np.log(joint.weights[k]), abs=1e-9)
    # by the rule for the mean of a normal distribution, given another part of it
    pull = np.linalg.solve(single.cov_object.covariance, np.full(12, t**2))
    assert centre == pytest.approx(m + pull @ (x - m), abs=1e-9)
    assert sd**2 == pytest.approx(t**2 - pull.sum() * t**2, abs=1e-9)


@pytest.mark.parametrize(("k", "other"), [(0, 1), (1, 0)])
def test_a_prior_is_covered_where_its_component_may_own_nothing(k, other):
    """Whether it may is known exactly: a single Gaussian's evidence, times the other weight to the power of n."""
    sigma, prior_mean, prior_sd = np.array([1.0, 1.3]), np.array([2.0, -3.0]), np.array([6.0, 9.0])
    seen = set()
    for n in range(6, 70, 4):
        x = 0.3 + norm.ppf((np.arange(n) + 0.5) / n)
        joint = Joint.of(x, sigma=sigma, prior_mean=prior_mean, prior_sd=prior_sd)
        s, t, m = sigma[other], prior_sd[other], prior_mean[other]
        precision = n / s**2 + 1 / t**2
        centre = (x.sum() / s**2 + m / t**2) / precision
        modes = joint.modes()
        share = together(x, s, m, t).logpdf(x) + n * np.log(0.5) - quadrature.integrate(joint, modes)[0]
        intervals, spacing = quadrature._support(joint, modes, joint.log_density(modes)[0])
        low, high = prior_mean[k] - 7.5 * prior_sd[k], prior_mean[k] + 7.5 * prior_sd[k]
        covered = any(a <= low and high <= b for a, b in intervals[k])
        if abs(share - np.log(quadrature.EDGE)) > 2:
            assert covered == (share > np.log(quadrature.EDGE)), n
            seen.add(covered)
        if covered:
            reach = 8 / np.sqrt(precision)
            assert any(a <= centre - reach and centre + reach <= b for a, b in intervals[other])
            assert spacing < 0.4 * (1 + 1e-9) / np.sqrt(precision)
    assert seen == {True, False}


@pytest.mark.parametrize("exchangeable", [True, False])
def test_a_prior_is_covered_from_the_share_on_that_it_may_hold(exchangeable):
    """Peaks that are nearly Gaussian, in small units: the share is told to a quarter of a nat."""
    unit = 0.1
    prior_sd = unit * np.array([10.0, 10.0 if exchangeable else 14.0])

    def look(a):
        x = unit * far_apart(n=(4, 12), at=(-a, a))[0]
        joint = Joint.of(x, sigma=unit, prior_sd=prior_sd)
        alone = together(x, unit, 0.0, prior_sd[1]).logpdf(x)
        modes = joint.modes()
        share = alone + x.size * np.log(0.5) - quadrature.integrate(joint, modes)[0] - np.log(quadrature.EDGE)
        intervals, _ = quadrature._support(joint, modes, joint.log_density(modes)[0])
        return share, len(intervals[0]) == 1 and intervals[0][0][1] == 7.5 * prior_sd[0]

    for wanted in (-0.25, 0.25):
        share, covered = look(brentq(lambda a, wanted=wanted: look(a)[0] - wanted, 2.1, 2.5, xtol=1e-4))
        assert share == pytest.approx(wanted, abs=0.05) and covered == (wanted > 0)


@pytest.mark.parametrize(("k", "other"), [(0, 1), (1, 0)])
def test_a_component_that_may_own_everything_has_its_eight_deviations(monkeypatch, k, other):
    joint = Joint.of(far_apart()[0], prior_mean=(-3.0, 3.0), prior_sd=(5.0, 6.0))
    modes = joint.modes()
    reference = joint.log_density(modes)[0]
    without, _ = quadrature._support(joint, modes, reference)
    monkeypatch.setattr(quadrature, "_sole", lambda _, who: (900.0, 1 / 16, 1e9) if who == other else (0.0, 1.0, -1e9))
    intervals, spacing = quadrature._support(joint, modes, reference)
    assert intervals[other] == [*without[other], [899.5, 900.5]] and spacing == 0.4 / 16
    assert [joint.prior_mean[k] - 7.5 * joint.prior_sd[k], joint.prior_mean[k] + 7.5 * joint.prior_sd[k]] in intervals[k]


def test_a_lattice_too_coarse_is_refined_until_the_sum_has_settled(monkeypatch):
    joint = Joint.of(data.simulate(8), **UNEQUAL)
    modes = joint.modes()
    expected, _, fine, _ = quadrature.integrate(joint, modes)
    plain = quadrature._support
    monkeypatch.setattr(quadrature, "_support", lambda *arguments: (plain(*arguments)[0], 3 * plain(*arguments)[1]))
    evidence, _, spacing, _ = quadrature.integrate(joint, modes)
    assert evidence == pytest.approx(expected, abs=1e-9)
    steps = np.log(spacing / (3 * plain(joint, modes, joint.log_density(modes)[0])[1])) / np.log(0.75)
    assert steps == pytest.approx(round(steps), abs=1e-9) and steps > 1 and spacing < 3 * fine


@pytest.mark.parametrize("scale", [1.0, 1e6])
def test_the_lattice_grows_where_its_outermost_points_hold_something(scale):
    """By a quarter of the stretch, at that end alone; the masses may have any sum."""
    intervals, spacing = [[[0.0, 4.0], [10.0, 18.0]], [[-6.0, 0.0]]], 0.5
    axes = [np.r_[0:9, 20:37], np.arange(-12, 1)]
    mass = np.zeros((26, 13))
    mass[4, 6], mass[16, 6] = scale, scale
    assert quadrature._lengthen(intervals, axes, mass, spacing) == intervals
    mass[8, 5] = mass[9, 5] = 1e-12 * scale
    mass[0, 7] = mass[25, 7] = 1e-14 * scale
    assert quadrature._lengthen(intervals, axes, mass, spacing) == [[[0.0, 5.0], [8.0, 18.0]], [[-6.0, 0.0]]]
    mass[4, 0] = mass[4, 12] = 1e-12 * scale
    assert quadrature._lengthen(intervals, axes, mass, spacing)[1] == [[-7.5, 1.5]]


@pytest.mark.parametrize("setting", [{}, UNEQUAL], ids=["as in the book", "all unequal"])
def test_a_tile_is_summed_where_its_middle_is_high_enough(monkeypatch, setting):
    joint = Joint.of(data.simulate(8), **setting)
    modes = joint.modes()
    reference = joint.log_density(modes)[0]
    spacing = 0.05
    axes = [np.arange(-100, 101), np.arange(-100, 101) if not setting else np.arange(-90, 111)]
    mass = quadrature._mass(joint, reference, axes, spacing)
    middles = [[(8 * np.floor(i / 8) + 3.5) * spacing for i in axis] for axis in axes]
    height = joint.log_density([[a, b] for a in middles[0] for b in middles[1]]).reshape(mass.shape) - reference
    assert 0 < np.count_nonzero(height > -quadrature.NEGLIGIBLE) < 0.5 * mass.size
    np.testing.assert_array_equal(mass > 0, height > -quadrature.NEGLIGIBLE)
    points = [[a * spacing, b * spacing] for a in axes[0] for b in axes[1]]
    expected = np.exp(joint.log_density(points).reshape(mass.shape) - reference) * spacing**2
    np.testing.assert_allclose(mass, np.where(mass > 0, expected, 0), rtol=1e-9)
    # of exchangeable components half of the points are asked for
    asked = np.count_nonzero(mass if setting else np.triu(mass))
    monkeypatch.setattr(quadrature, "LARGEST", asked)
    quadrature._mass(joint, reference, axes, spacing)
    monkeypatch.setattr(quadrature, "LARGEST", asked - 1)
    with pytest.raises(ValueError, match=f"^x: evidence not settled to 1e-10 nats on {asked} points$"):
        quadrature._mass(joint, reference, axes, spacing)


@pytest.fixture
def asked(monkeypatch):
    """A list of the sizes of the lattices at which a log density is asked for."""
    sizes, plain = [], Joint.on_lattice

    def noted(self, mu1, mu2, mask, reference):
        sizes.append((len(mu1), len(mu2)))
        return plain(self, mu1, mu2, mask, reference)

    monkeypatch.setattr(Joint, "on_lattice", noted)
    return sizes


def test_many_data_are_asked_for_at_a_few_nodes_of_each_block(asked):
    joint = Joint.of(data.simulate(3, n=5000, separation=3.0))
    mode, spacing = joint.modes()[0], 0.01
    reference = joint.log_density(mode)[0]
    a, b = np.rint(mode / spacing).astype(int)
    # one number is left out within the first stretch: that makes two of them
    axes = [np.r_[a - 4 : a + 5, a + 6 : a + 9, b - 2 : b + 3], np.r_[a - 4 : a + 5, b - 2 : b + 3]]
    matters = np.random.default_rng(0).random((17, 14)) < 0.8
    matters[:9, :9] = False
    plain = joint.on_lattice(*(spacing * axis for axis in axes), matters, reference)
    del asked[:]
    found = quadrature._height(joint, reference, axes, spacing, matters)
    assert asked == [(16, 16)] * 5
    np.testing.assert_array_equal(np.isfinite(found), matters)
    np.testing.assert_allclose(found[matters], plain[matters], rtol=0, atol=1e-8)


@pytest.mark.parametrize("turned", [False, True])
def test_a_block_that_is_no_polynomial_is_asked_for_in_full(asked, turned):
    joint = Joint.of(data.simulate(3, n=5000, separation=3.0), sigma=(0.5, 1.5))
    mode, spacing = joint.modes()[0], 0.01
    reference = joint.log_density(mode)[0]
    a, b = np.rint(mode / spacing).astype(int)
    axes = [np.r_[a - 200 : a + 200], np.r_[b - 4 : b + 5, b + 20 : b + 22]]
    if turned:
        axes = [np.r_[a - 4 : a + 5], np.r_[b - 200 : b + 200]]
    matters = np.random.default_rng(0).random([axis.size for axis in axes]) < 0.5
    plain = joint.on_lattice(*(spacing * axis for axis in axes), matters, reference)
    del asked[:]
    found = quadrature._height(joint, reference, axes, spacing, matters)
    assert asked[3] == (9, 400) if turned else asked[3] == (400, 9)
    np.testing.assert_allclose(found[matters], plain[matters], rtol=1e-12)
    assert (found[~matters] == -np.inf).all()


@pytest.mark.parametrize("n", [1, 6, 100])
def test_half_a_lattice_serves_exchangeable_components(n):
    """Priors that differ in the fourteenth digit are not exchangeable, and are summed in full."""
    x = data.simulate(4, n=n)
    half, full = integrate(x, prior_sd=5.0), integrate(x, prior_sd=(5.0, 5.0 * (1 + 1e-14)))
    assert half[0] == pytest.approx(full[0], abs=1e-10)
    np.testing.assert_array_equal(half[3], half[3].T)


def test_a_component_may_own_no_observation():
    """A tiny weight: its mean keeps nearly its prior, far beyond the data."""
    _, axes, spacing, mass = integrate(data.simulate(5, n=10), weights=(1e-6, 1 - 1e-6), prior_sd=10.0)
    at, share = axes[0] * spacing, mass.sum(axis=1)
    assert at[0] < -70 and at[-1] > 70
    assert np.sqrt(share @ at**2 - (share @ at) ** 2) == pytest.approx(10, rel=1e-3)


@pytest.mark.parametrize(
    ("x", "setting"),
    [
        (1e6 * data.simulate(0, n=5), {}),
        (data.simulate(0, n=5), {"sigma": 1e-9}),
        (data.simulate(0, n=5), {"prior_sd": 1e4}),
        (data.simulate(0, n=5), {"prior_sd": 1e12}),
        (data.simulate(0, n=12), {"sigma": (0.05, 3.0)}),
    ],
    ids=["data far beyond the prior", "sigma of 1e-9", "prior of 1e4", "prior of 1e12", "scales far apart"],
)
def test_sums_that_cannot_be_settled_are_refused_by_name(x, setting):
    with pytest.raises(ValueError, match="^x: "):
        integrate(x, **setting)


def test_a_lattice_too_large_to_store_is_refused_before_it_is_summed(monkeypatch):
    class Reached(Exception):
        pass

    def reach(*_):
        raise Reached

    joint = Joint.of(data.simulate(0))
    modes = joint.modes()
    intervals, spacing = quadrature._support(joint, modes, joint.log_density(modes)[0])
    rows, columns = (sum(high - low for low, high in some) / spacing for some in intervals)
    monkeypatch.setattr(quadrature, "_mass", reach)
    monkeypatch.setattr(quadrature, "LARGEST", rows * columns / 8.0001)
    with pytest.raises(ValueError, match=f"^x: evidence not settled to 1e-10 nats on {rows:.3g} x {columns:.3g} points$"):
        quadrature.integrate(joint, modes)
    monkeypatch.setattr(quadrature, "LARGEST", rows * columns / 7.9999)
    with pytest.raises(Reached):
        quadrature.integrate(joint, modes)


def test_a_peak_too_high_to_keep_its_last_digits_is_refused():
    """At five million nats the tenth decimal is lost to rounding, though the sum would seem to settle."""
    with pytest.raises(ValueError, match=r"^x: log density -5\.06e\+06 nats at the mode, too far from zero .* scale of sigma and of the prior\?$"):
        integrate([4500.0], prior_sd=1.0)
