"""The lattice sum: against a plain one, by both routes to the log density, and what it refuses."""

import numpy as np
import pytest
from mixtures import data, quadrature
from mixtures.joint import Joint
from scipy.stats import norm

pytestmark = pytest.mark.filterwarnings("error")

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


def test_a_peak_too_high_to_keep_its_last_digits_is_refused():
    """At five million nats the tenth decimal is lost to rounding, though the sum would seem to settle."""
    with pytest.raises(ValueError, match="^x: log density .* too far from zero"):
        integrate([4500.0], prior_sd=1.0)
