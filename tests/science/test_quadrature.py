"""The lattice sum: against a plain one, and by both routes to the log density."""

import numpy as np
import pytest
from mixtures import data
from mixtures.exact import Joint, quadrature
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import norm

UNEQUAL = {
    "weights": (0.4, 0.6), "sigma": (1.0, 1.2), "prior_mean": (1.0, -1.0), "prior_sd": (5.0, 8.0)}


def integrate(x, **setting):
    joint = Joint.of(x, **setting)
    return quadrature.integrate(joint, joint.modes())


@pytest.mark.parametrize("seed", [0, 1, 8])
def test_a_plain_rectangle_rule_gives_the_same_evidence(seed):
    """61 by 61 points over [-4, 4]^2 are already enough for the book's datasets."""
    x, (axis, spacing) = data.simulate(seed), np.linspace(-4, 4, 61, retstep=True)
    likelihood = norm.logpdf(x, axis[:, None], 1)
    height = np.logaddexp(likelihood[:, None], likelihood[None, :]).sum(axis=-1)
    height -= x.size * np.log(2)
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
@pytest.mark.parametrize("separation", [0.0, 4.0])
def test_many_data_may_be_interpolated_or_not(monkeypatch, setting, separation):
    x = data.simulate(3, n=4500, separation=separation)
    interpolated = integrate(x, **setting)
    monkeypatch.setattr(quadrature, "MANY", x.size + 1)
    plain = integrate(x, **setting)
    assert interpolated[0] == pytest.approx(plain[0], abs=1e-8)
    assert_allclose(interpolated[3], plain[3], rtol=0, atol=1e-8 * plain[3].max())


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
    expected = joint.on_lattice(*at, np.ones(sizes, dtype=bool), reference)
    assert_allclose(found, expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize("axis", [0, 1])
def test_what_is_no_polynomial_is_not_interpolated(axis):
    joint = Joint.of(data.simulate(3, n=5000, separation=3.0), sigma=(0.05, 0.05))
    mode = joint.modes()[0]
    at = [m + 1e-4 * np.arange(5) for m in mode]
    assert quadrature._interpolated(joint, joint.log_density(mode)[0], at, 1e-4) is not None
    at[axis] = mode[axis] + np.linspace(-2, 2, 5)
    assert quadrature._interpolated(joint, joint.log_density(mode)[0], at, 1.0) is None


def test_a_lattice_too_coarse_is_refined_until_the_sum_has_settled(monkeypatch):
    joint = Joint.of(data.simulate(8), **UNEQUAL)
    modes = joint.modes()
    expected, _, fine, _ = quadrature.integrate(joint, modes)
    support = quadrature._support

    def coarse(*arguments):
        points, spacing = support(*arguments)
        return points, 3 * spacing

    monkeypatch.setattr(quadrature, "_support", coarse)
    evidence, _, spacing, _ = quadrature.integrate(joint, modes)
    assert evidence == pytest.approx(expected, abs=1e-9)
    assert spacing < 3 * fine


@pytest.mark.parametrize("n", [1, 6, 100])
def test_half_a_lattice_serves_exchangeable_components(n):
    """Priors that differ in the fourteenth digit are not exchangeable, and are summed in full."""
    x = data.simulate(4, n=n)
    half, full = integrate(x, prior_sd=5.0), integrate(x, prior_sd=(5.0, 5.0 * (1 + 1e-14)))
    assert half[0] == pytest.approx(full[0], abs=1e-10)
    assert_array_equal(half[3], half[3].T)


def test_a_component_may_own_no_observation():
    """A tiny weight: its mean keeps nearly its prior, far beyond the data."""
    x, weights = data.simulate(5, n=10), (1e-6, 1 - 1e-6)
    _, axes, spacing, mass = integrate(x, weights=weights, prior_sd=10.0)
    at, share = axes[0] * spacing, mass.sum(axis=1)
    assert at[0] < -70 and at[-1] > 70
    assert np.sqrt(share @ at**2 - (share @ at) ** 2) == pytest.approx(10, rel=1e-3)
