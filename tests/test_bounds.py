"""The ELBO and the KL divergence of a Gaussian, against closed forms, lattices and draws."""

import numpy as np
import pytest
from approximations import ORDERED, SPACES, random_gaussian
from hypothesis import assume, given
from hypothesis import strategies as st
from mixtures import bounds, data, exact, variational
from mixtures.gaussians import Gaussian
from scipy.integrate import dblquad
from scipy.stats import multivariate_normal

UNEQUAL = {"weights": (0.3, 0.7), "sigma": (0.8, 1.2), "prior_mean": (1.0, -1.0), "prior_sd": (3.0, 6.0)}


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
    mu = np.concatenate([np.random.default_rng(0).normal(3, 2, (40, 2)), [[0, 0], [3, 3], [-1e4, 1e4], [2e3, 0]]])
    value, slope = bounds.log_joint(joint, mu, slopes=True)
    np.testing.assert_allclose(value, joint.log_density(mu), rtol=1e-12, atol=1e-10)
    np.testing.assert_allclose(bounds.log_joint(joint, mu), value, rtol=0)
    np.testing.assert_allclose(slope, [joint.gradient(m) for m in mu], rtol=1e-9, atol=1e-8)


def test_many_points_are_taken_in_turns(posterior):
    mu = np.random.default_rng(0).normal(size=(1300, 2))
    value, slope = bounds.log_joint(posterior.joint, mu, slopes=True)
    np.testing.assert_allclose(value, posterior.joint.log_density(mu))
    np.testing.assert_allclose(slope, [posterior.joint.gradient(m) for m in mu], atol=1e-9)


def test_rules_are_the_finer_and_the_wider_the_higher_their_level():
    for level in range(4):
        points, weights = bounds.rule(level)
        spacing, reach = 0.8 * 0.75**level, 8 + level / 2
        # all points of a square lattice about the origin that lie within reach, whatever rounding does on the circle
        steps = np.round(points / spacing)
        np.testing.assert_allclose(points, steps * spacing, atol=1e-12)
        off = {(i, j): spacing * np.hypot(i, j) - reach for i in range(-40, 41) for j in range(-40, 41)}
        found = {*map(tuple, steps.astype(int).tolist())}
        assert len(points) == len(found) and {at for at, by in off.items() if by < -1e-9} <= found
        assert all(off[at] < 1e-9 for at in found)
        assert {(-i, -j) for i, j in found} == {(j, i) for i, j in found} == found
        np.testing.assert_allclose(weights, multivariate_normal([0, 0]).pdf(points) * spacing**2)


def stepwise(*values):
    """Return a function whose integral by the first rule is the first value, by the second the second, and so on."""
    left = list(enumerate(values))

    def function(points):
        level, value = left.pop(0)
        return np.full(len(points), value / bounds.rule(level)[1].sum())

    return function


def test_two_rules_that_agree_suffice_and_the_first_of_them_is_named():
    assert bounds.settle(stepwise(1.0, 1.0)) == (pytest.approx(1, abs=1e-12), 0)
    assert bounds.settle(stepwise(3.0, 2.0, 2.0 + 9e-9)) == (pytest.approx(2 + 9e-9, abs=1e-12), 1)
    assert bounds.settle(stepwise(2.0, 2.0 + 1.1e-8, 4.0, 4.0)) == (pytest.approx(4, abs=1e-12), 2)
    # of large numbers a millionth of a millionth
    assert bounds.settle(stepwise(-1e6, -1e6 + 9e-7))[1] == 0
    assert bounds.settle(stepwise(1e6, 1e6 + 1.2e-6, 0.0, 0.0))[1] == 2
    assert bounds.settle(stepwise(np.inf, 0.0, 0.0))[1] == 1
    assert bounds.settle(stepwise(*range(9), 0.5, 0.5))[1] == 9


def test_an_integral_that_does_not_settle_is_refused():
    with pytest.raises(ValueError, match=r"^gaussian: too wide .*, the last two rules differ by 2\.0e\+00 nats$"):
        bounds.settle(stepwise(*2 * np.arange(bounds.LEVELS)))


def test_the_finest_rules_are_exact_for_moments():
    for level in range(8):
        points, weights = bounds.rule(level)
        assert weights.sum() == pytest.approx(1, abs=1e-12)
        np.testing.assert_allclose(weights @ points**2, 1, atol=1e-11)
        np.testing.assert_allclose(weights @ points**4, 3, atol=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_where_the_posterior_is_gaussian_the_divergence_has_a_closed_form(flat, seed):
    q = random_gaussian(seed, "raw", widest=2.0)
    expected = (np.trace(q.covariance) + q.mean @ q.mean - 2 - np.linalg.slogdet(q.covariance)[1]) / 2
    assert variational.kl(q, flat) == pytest.approx(expected, abs=1e-8)
    assert variational.kl(Gaussian.of([0, 0], [1, 1]), flat) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("setting", [{}, UNEQUAL], ids=["as in the book", "all unequal"])
def test_the_divergence_is_that_of_a_lattice_in_the_plane(space, setting):
    p = exact.posterior(data.simulate(8, n=40), **setting)
    q = Gaussian.of([-0.4, 1.0] if space == "raw" else [0.1, 0.5], [0.25, 0.2], -0.5, space)
    assert variational.kl(q, p) == pytest.approx(lattice(p, q), abs=1e-6)


@pytest.mark.parametrize("space", SPACES)
def test_the_divergence_agrees_with_draws(posterior, space):
    for seed in range(20):
        q = random_gaussian(seed, space)
        estimate, error = monte_carlo(q, posterior, seed=seed)
        assert abs(variational.kl(q, posterior) - estimate) < 4 * error, seed


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
    st.sampled_from(SPACES),
)
def test_no_divergence_is_negative_and_symmetrising_takes_off_log_2_at_most(mean, sd, corr, space):
    q = Gaussian.of(mean, sd, corr, space)
    try:
        whole, both = variational.kl(q, P8), variational.kl(variational.symmetrise(q), P8)
    except ValueError as error:
        # narrow, across the diagonal: there the mixture has a kink, and no rule settles
        assert "the last two rules differ by" in str(error) and space == "raw" and min(sd) < 0.1 * max(sd)
        assume(False)
    assert whole > 0 and both > 0
    if space == "raw":
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
    assert variational.kl(variational.symmetrise(q), posterior) == pytest.approx(variational.kl(q, posterior), abs=1e-8)


@pytest.mark.parametrize("apart", [0.2, 0.6, 1.0, 2.2])
def test_the_symmetrised_divergence_is_that_of_draws_and_of_iterated_quadrature(posterior, apart):
    q = Gaussian.of([-apart / 2, apart / 2], [0.2, 0.15], 0.3)
    both = variational.symmetrise(q)
    found = variational.kl(both, posterior)
    estimate, error = monte_carlo(both, posterior)
    assert abs(found - estimate) < 4 * error

    def gain(mu2, mu1):
        own, other = q.log_density([mu1, mu2]), q.log_density([mu2, mu1])
        return float(np.exp(own) * np.logaddexp(0, other - own))

    excess = dblquad(gain, -apart / 2 - 1.6, -apart / 2 + 1.6, apart / 2 - 1.2, apart / 2 + 1.2, epsabs=1e-9)[0]
    assert found == pytest.approx(variational.kl(q, posterior) - np.log(2) + excess, abs=3e-7)


def test_labels_that_mean_something_are_not_symmetrised():
    p = exact.posterior(data.simulate(8), weights=(0.4, 0.6))
    with pytest.raises(ValueError, match="^posterior: "):
        variational.kl(variational.symmetrise(Gaussian.of([-1, 1], [0.2, 0.2])), p)
