"""The ELBO and the KL divergence of a Gaussian, against closed forms, lattices and draws."""

import numpy as np
import pytest
from approximations import ORDERED, SPACES, random_gaussian
from hypothesis import assume, given
from hypothesis import strategies as st
from mixtures import data, exact, variational
from mixtures.variational import Gaussian
from mixtures.variational.elbo import rule
from numpy.testing import assert_allclose
from scipy.integrate import dblquad

UNEQUAL = {
    "weights": (0.3, 0.7), "sigma": (0.8, 1.2), "prior_mean": (1.0, -1.0), "prior_sd": (3.0, 6.0)}


def lattice(posterior, q, points=401):
    """Return KL(q || target) by a sum over a square lattice in (mu1, mu2)."""
    reach = 9 * q.means_sd
    axes = [np.linspace(m - r, m + r, points) for m, r in zip(q.means_mean, reach, strict=True)]
    mu = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    cell = np.prod([axis[1] - axis[0] for axis in axes])
    log_q = q.log_density(mu)
    inside = log_q > -700
    evidence = posterior.log_evidence if q.space == "raw" else posterior.log_evidence_ordered
    log_p = posterior.log_density(mu[inside]) + posterior.log_evidence - evidence
    return np.sum(np.exp(log_q[inside]) * (log_q[inside] - log_p)) * cell


def monte_carlo(q, posterior, draws=5000, seed=0):
    """Return an estimate of KL(q || target) and its standard error."""
    mu = q.sample(draws, seed).values[0]
    halved = isinstance(q, Gaussian) and q.space != "raw"
    evidence = posterior.log_evidence_ordered if halved else posterior.log_evidence
    ratio = q.log_density(mu) - posterior.joint.log_density(mu) + evidence
    return ratio.mean(), ratio.std() / np.sqrt(draws)


@pytest.mark.parametrize("n", [1, 100, 2500])
@pytest.mark.parametrize("setting", [{}, UNEQUAL], ids=["as in the book", "all unequal"])
def test_the_fast_joint_density_is_the_joint_density(n, setting):
    joint = exact.posterior(data.simulate(8, n=n) + 3, **setting).joint
    near = np.random.default_rng(0).normal(3, 2, (600, 2))
    mu = np.concatenate([near, [[0, 0], [3, 3], [-1e4, 1e4], [2e3, 0]]])
    value, slope = joint.value_and_gradient(mu)
    assert_allclose(value, joint.log_density(mu), rtol=1e-12, atol=1e-10)
    assert_allclose(joint.log_density_fast(mu), value, rtol=1e-12)
    assert_allclose(slope, [joint.gradient(m) for m in mu], rtol=1e-9, atol=1e-8)


def test_the_finest_rules_are_exact_for_moments():
    for level in range(8):
        points, weights = rule(level)
        assert weights.sum() == pytest.approx(1, abs=1e-12)
        assert_allclose(weights @ points**2, 1, atol=1e-11)
        assert_allclose(weights @ points**4, 3, atol=1e-9)


@pytest.mark.parametrize("seed", range(2))
def test_where_the_posterior_is_gaussian_the_divergence_has_a_closed_form(flat, seed):
    q = random_gaussian(seed, "raw", widest=2.0)
    c, m = q.covariance, q.mean
    expected = (np.trace(c) + m @ m - 2 - np.linalg.slogdet(c)[1]) / 2
    assert variational.kl(q, flat) == pytest.approx(expected, abs=1e-8)
    assert variational.kl(Gaussian.of([0, 0], [1, 1]), flat) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("setting", [{}, UNEQUAL], ids=["as in the book", "all unequal"])
def test_the_divergence_is_that_of_a_lattice_in_the_plane(space, setting):
    p = exact.posterior(data.simulate(8, n=40), **setting)
    q = Gaussian.of([-0.4, 1.0] if space == "raw" else [0.1, 0.5], [0.25, 0.2], -0.5, space)
    assert variational.kl(q, p) == pytest.approx(lattice(p, q), abs=1e-6)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("seed", range(4))
def test_the_divergence_agrees_with_draws(posterior, space, seed):
    q = random_gaussian(seed, space)
    estimate, error = monte_carlo(q, posterior, draws=20_000, seed=seed)
    assert abs(variational.kl(q, posterior) - estimate) < 5 * error


def test_the_elbo_and_the_divergence_add_up_to_the_evidence(posterior):
    for space in SPACES:
        q = random_gaussian(1, space)
        total = variational.elbo(q, posterior) + variational.kl(q, posterior)
        evidence = posterior.log_evidence - (np.log(2) if space != "raw" else 0)
        assert total == pytest.approx(evidence, abs=1e-10)
        assert isinstance(variational.kl(q, posterior), float)


P8 = exact.posterior(data.simulate(8))


@given(
    st.tuples(st.floats(-2, 2), st.floats(-2, 2)),
    st.tuples(st.floats(0.02, 0.7), st.floats(0.02, 0.7)),
    st.floats(-0.95, 0.95),
    st.sampled_from(SPACES))
def test_no_divergence_is_negative_and_symmetrising_takes_off_log_2_at_most(mean, sd, corr, space):
    q = Gaussian.of(mean, sd, corr, space)
    try:
        whole, both = variational.kl(q, P8), variational.kl(variational.symmetrise(q), P8)
    except ValueError as error:
        # narrow, across the diagonal: there the mixture has a kink, and no rule settles
        assert "the last two rules differ by" in str(error)
        assert space == "raw" and min(sd) < 0.1 * max(sd)
        assume(False)
    assert whole > 0 and both > 0
    if space == "raw":
        turned = Gaussian.of(mean[::-1], sd[::-1], corr)
        assert variational.kl(turned, P8) == pytest.approx(whole, abs=1e-6)
        assert whole - np.log(2) - 1e-7 <= both <= whole + 1e-7
    else:
        assert both == pytest.approx(whole, abs=1e-9)


@pytest.mark.parametrize("sd", [4, 200])
@pytest.mark.parametrize("space", ORDERED)
def test_what_is_too_wide_is_refused(posterior, space, sd):
    with pytest.raises(ValueError, match="^gaussian: too wide"):
        variational.kl(Gaussian.of([0, 0], [1, sd], space=space), posterior)


def test_a_symmetric_gaussian_gains_nothing_from_its_mirror_image(posterior):
    q = Gaussian.of([0.2, 0.2], [0.5, 0.5], -0.7)
    both = variational.kl(variational.symmetrise(q), posterior)
    assert both == pytest.approx(variational.kl(q, posterior), abs=1e-8)


@pytest.mark.parametrize("apart", [0.2, 1.0])
def test_the_symmetrised_divergence_is_that_of_draws_and_of_iterated_quadrature(posterior, apart):
    q = Gaussian.of([-apart / 2, apart / 2], [0.2, 0.15], 0.3)
    both = variational.symmetrise(q)
    found = variational.kl(both, posterior)
    estimate, error = monte_carlo(both, posterior)
    assert abs(found - estimate) < 5 * error

    def gain(mu2, mu1):
        own, other = q.log_density([mu1, mu2]), q.log_density([mu2, mu1])
        return float(np.exp(own) * np.logaddexp(0, other - own))

    half = apart / 2
    excess = dblquad(gain, -half - 1.6, -half + 1.6, half - 1.2, half + 1.2, epsabs=1e-9)[0]
    assert found == pytest.approx(variational.kl(q, posterior) - np.log(2) + excess, abs=3e-7)
