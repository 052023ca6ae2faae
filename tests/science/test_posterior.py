"""The exact posterior against sums over all allocations, known values, and laws of probability."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mixtures import data, exact
from numpy.testing import assert_allclose
from scipy.special import logsumexp
from scipy.stats import norm


def four(weights=0.5, sigma=1.0, prior_mean=0.0, prior_sd=10.0):
    every = (weights, sigma, prior_mean, prior_sd)
    return (np.broadcast_to(np.asarray(v, dtype=float), 2) for v in every)


def by_allocations(x, **setting):
    """Every figure in closed form, for small n.

    Given which component each observation came from, the two means are independent Gaussians; the
    posterior is their mixture over all 2^n allocations. Moments of the smaller and the larger of
    two Gaussians: Clark (1961).
    """
    x = np.asarray(x, dtype=float)
    weights, sigma, prior_mean, prior_sd = four(**setting)
    z = np.array(list(itertools.product([0, 1], repeat=x.size)))
    log_share, mean, sd = np.zeros(len(z)), [], []
    for k in (0, 1):
        own = z == k
        precision = own.sum(axis=1) / sigma[k] ** 2 + 1 / prior_sd[k] ** 2
        m = (own @ x / sigma[k] ** 2 + prior_mean[k] / prior_sd[k] ** 2) / precision
        log_share += (own * (np.log(weights[k]) + norm.logpdf(x, m[:, None], sigma[k]))).sum(axis=1)
        log_share += norm.logpdf(m, prior_mean[k], prior_sd[k])
        log_share += 0.5 * np.log(2 * np.pi / precision)
        mean.append(m)
        sd.append(precision**-0.5)
    share = np.exp(log_share - log_share.max())
    share /= share.sum()
    (a, b), spread = mean, np.hypot(*sd)
    t = (a - b) / spread
    # each by its own formula: their sum less the one loses the other where they lie far apart
    smaller, larger = (
        a * norm.cdf(s * t) + b * norm.cdf(-s * t) + s * spread * norm.pdf(t) for s in (-1, 1))
    centre = np.array([share @ a, share @ b, share @ smaller, share @ larger])

    def square(c, sign):
        first, second = (a - c) ** 2 + sd[0] ** 2, (b - c) ** 2 + sd[1] ** 2
        kink = sign * (a + b - 2 * c) * spread * norm.pdf(t)
        return first * norm.cdf(sign * t) + second * norm.cdf(-sign * t) + kink

    variance = [
        share @ (sd[0] ** 2 + (a - centre[0]) ** 2),
        share @ (sd[1] ** 2 + (b - centre[1]) ** 2),
        share @ square(centre[2], -1),
        share @ square(centre[3], 1)]
    # the covariance of smaller and larger within an allocation is E[(a - b)+] E[(b - a)+]
    above, below = (spread * (norm.pdf(t) + s * t * norm.cdf(s * t)) for s in (1, -1))
    covariance = (
        share @ ((a - centre[0]) * (b - centre[1])),
        share @ (above * below + (smaller - centre[2]) * (larger - centre[3])))
    gap = share @ (norm.cdf(0.5, a - b, spread) - norm.cdf(-0.5, a - b, spread))
    return figures(logsumexp(log_share), share @ norm.cdf(-t), centre, variance, covariance, gap)


def figures(log_evidence, share_ordered, mean, variance, covariance, gap):
    sd = np.sqrt(variance)
    return {
        "log_evidence": log_evidence,
        "share_ordered": share_ordered,
        "raw_mean": mean[:2],
        "raw_sd": sd[:2],
        "raw_corr": covariance[0] / sd[:2].prod(),
        "mean": mean[2:],
        "sd": sd[2:],
        "corr": covariance[1] / sd[2:].prod(),
        "gap": gap,
    }


def assert_agree(posterior, truth):
    """1e-8 in log evidence; 1e-6 in all else, means and deviations in units of the widest."""
    assert posterior.log_evidence == pytest.approx(truth["log_evidence"], abs=1e-8)
    if truth["share_ordered"] > 1e-8:
        ordered = truth["log_evidence"] + np.log(truth["share_ordered"])
        assert posterior.log_evidence_ordered == pytest.approx(ordered, abs=1e-6)
    unit = max(truth["raw_sd"])
    for name in ("raw_mean", "raw_sd", "mean", "sd"):
        found = getattr(posterior, name)
        assert_allclose(found / unit, truth[name] / unit, rtol=0, atol=1e-6, err_msg=name)
    for name in ("raw_corr", "corr"):
        assert getattr(posterior, name) == pytest.approx(truth[name], abs=1e-6), name
    assert posterior.gap_cdf(0.5) == pytest.approx(truth["gap"], abs=1e-9)


SMALL = {
    "one observation": ([1.7], {}),
    "one observation, unequal weights": ([-4.0], {"weights": (0.9, 0.1), "sigma": (0.5, 2.0)}),
    "two observations": ([-0.4, 2.1], {}),
    "three far observations": ([-20.0, 0.0, 20.0], {}),
    "an outlier, unequal": (
        [*data.simulate(2, n=8), 30.0], {"weights": (0.3, 0.7), "sigma": (1.0, 2.0)}),
    "all equal": ([2.0] * 7, {}),
    "tiny units": (1e-6 * data.simulate(3, n=7), {"sigma": 1e-6, "prior_sd": 1e-5}),
    "large units": (1e6 * data.simulate(3, n=7), {"sigma": 1e6, "prior_sd": 1e7}),
    "a thousand sigmas apart": (1e3 * data.simulate(3, n=5), {}),
    "very unequal sigmas": ([-1.0, 0.02, 2.5], {"sigma": (0.1, 3.0), "prior_sd": 2.0}),
    "very unequal weights": (data.simulate(4, n=9), {"weights": (0.95, 0.05)}),
    "priors apart": (data.simulate(5, n=9), {"prior_mean": (-3.0, 3.0)}),
    "priors against the data": (
        [-2.0, -1.5, 2.0, 2.5], {"prior_mean": (3.0, -3.0), "prior_sd": 1.0}),
    "a tight prior": (data.simulate(6, n=9), {"prior_sd": 0.1}),
    "thirteen, all unequal": (data.simulate(9, n=13, separation=3), {
        "weights": (0.3, 0.7), "sigma": (0.7, 1.6), "prior_mean": (2.0, -1.0), "prior_sd": (2, 7)}),
}


@pytest.mark.parametrize(("x", "setting"), SMALL.values(), ids=SMALL)
def test_small_data_agree_with_the_sum_over_all_allocations(x, setting):
    assert_agree(exact.posterior(x, **setting), by_allocations(x, **setting))


@pytest.mark.parametrize("excess", [-1e-6, 0, 1e-2])
def test_nothing_is_lost_where_two_modes_part(excess):
    """There the peak is flat one way, and much wider than its curvature says."""
    x = data.simulate(6, n=12)
    middle = x.sum() / (x.size + 2 / 100)
    x = x * np.sqrt((1 + excess) * (x.size + 2 / 100) / ((x - middle) ** 2).sum())
    posterior = exact.posterior(x)
    assert_agree(posterior, by_allocations(x))
    assert 0 <= posterior.barrier < 1e-2


# as recorded when the book was begun, so that no change moves a figure unseen; references of their
# own are above and below. dataset: barrier, log Z, E lower, E upper, sd lower, sd upper, corr,
# P(gap < 0.5), each to the digits that are given
TABLE = {
    0: ("22.511", "-184.48796", "-1.24730", "0.98590", ".16517", ".19305", ".1819", "5.9e-10"),
    1: ("13.039", "-176.6611", "-1.0441", "0.8680", ".1717", ".1894", ".0733", "4.0e-6"),
    8: ("5.418", "-170.7292", "-0.4093", "1.0174", ".1887", ".1927", "-.165", ".00496")}


@pytest.mark.parametrize("seed", TABLE)
def test_the_figures_of_the_book_come_out_to_all_their_digits(seed):
    p = exact.posterior(data.simulate(seed))
    got = [p.barrier, p.log_evidence, *p.mean, *p.sd, p.corr, p.gap_cdf(0.5)]
    for value, text in zip(got, TABLE[seed], strict=True):
        digits, _, power = text.partition("e")
        half_a_digit = 0.5 * 10.0 ** (int(power or 0) - len(digits.partition(".")[2]))
        assert value == pytest.approx(float(text), abs=1.001 * half_a_digit)


@pytest.mark.parametrize("setting", [{}, {"weights": (0.3, 0.7)}])
def test_the_barrier_alone_is_that_of_the_posterior(setting):
    for x in (data.simulate(0), data.simulate(3, n=20, separation=0) / 2):
        whole = exact.posterior(x, **setting)
        assert exact.barrier(x, **setting) == pytest.approx(whole.barrier, abs=1e-10)


def test_an_ordered_share_too_small_to_tell_is_refused():
    p = exact.posterior([-9.0, -8.0, 8.0, 9.0], prior_mean=(8.0, -8.0), prior_sd=0.5)
    with pytest.raises(ValueError, match="^x: "):
        float(p.log_evidence_ordered)


UNEQUAL = {
    "weights": (0.3, 0.7), "sigma": (0.8, 1.2), "prior_mean": (1.0, -1.0), "prior_sd": (3.0, 6.0)}


@pytest.mark.parametrize("setting", [{}, UNEQUAL], ids=["as in the book", "all unequal"])
def test_the_predictive_density_is_a_ratio_of_evidences(setting):
    x = data.simulate(8, n=20)
    p = exact.posterior(x, **setting)
    for new in (-5.0, 0.3, 2.0, 11.0):
        both = exact.posterior(np.append(x, new), **setting)
        ratio = np.exp(both.log_evidence - p.log_evidence)
        assert p.predictive([new])[0] == pytest.approx(ratio, rel=1e-8)


@pytest.mark.parametrize(
    "setting", [{}, {"weights": (0.3, 0.7), "sigma": (1.0, 1.3)}], ids=["equal", "unequal"])
def test_a_hundred_thousand_observations_obey_the_laplace_approximation(setting):
    """At this size its error, of the order of 1/n, is smaller than what any figure shows."""
    p = exact.posterior(data.simulate(0, n=100_000), **setting)
    height = p.joint.log_density(p.modes)
    curvature = np.array([-p.joint.hessian(mode) for mode in p.modes])
    mass = height + np.log(2 * np.pi) - 0.5 * np.linalg.slogdet(curvature)[1]
    laplace = np.logaddexp.reduce(mass)
    assert p.log_evidence == pytest.approx(laplace, abs=1e-3)
    order = np.argsort(p.modes[0])
    assert_allclose(p.mean, p.modes[0, order], atol=1e-3)
    sd = np.sqrt(np.diag(np.linalg.inv(curvature[0])))
    assert_allclose(p.sd, sd[order], rtol=1e-2)


@pytest.mark.parametrize(
    ("x", "setting"),
    [
        (1e6 * data.simulate(0, n=5), {}),
        ([1e20, -1e20], {}),
        (data.simulate(0, n=5), {"sigma": 1e-9}),
        (data.simulate(0, n=5), {"prior_sd": 1e4}),
        (data.simulate(0, n=12), {"sigma": (0.05, 3.0)}),
        # five million nats: rounding takes the tenth decimal, though the sum would seem to settle
        ([4500.0], {"prior_sd": 1.0}),
    ],
    ids=["data far beyond the prior", "data at 1e20", "sigma of 1e-9", "prior of 1e4",
         "scales far apart", "peak too high"],
)
def test_what_cannot_be_computed_to_all_digits_is_refused(x, setting):
    with pytest.raises(ValueError, match="^x: "):
        exact.posterior(x, **setting)


numbers = st.floats(-3, 3) | st.sampled_from(
    [0.0, 1e-6, -1e-6, 30.0, 1e3, 1e6, -1e6, 1e18, np.nan, np.inf])
positive = st.floats(0.3, 3) | st.sampled_from([1e-6, 1e6, 0.0, -1.0, np.nan])
shares = st.floats(0.05, 0.95).map(lambda w: (w, 1 - w)) | st.sampled_from(
    [0.5, (0.5, 0.4), (np.nan, 1.0), (0.0, 1.0)])


@settings(max_examples=settings().max_examples * 4 // 10)
@given(
    st.lists(numbers, max_size=5),
    st.fixed_dictionaries(
        {},
        optional={
            "weights": shares,
            "sigma": positive | st.tuples(positive, positive),
            "prior_mean": st.floats(-3, 3) | st.tuples(numbers, numbers),
            "prior_sd": positive | st.tuples(positive, positive)},
    ),
)
def test_any_input_gives_the_right_answer_or_is_refused_by_name(x, setting):
    """Priors are no wider than a few units, so that the lattices stay small."""
    setting = {"prior_sd": 3.0} | setting
    try:
        p = exact.posterior(x, **setting)
    except ValueError as error:
        assert str(error).startswith(("x: ", "weights: ", "sigma: ", "prior_mean: ", "prior_sd: "))
    else:
        assert_agree(p, by_allocations(x, **setting))


@pytest.mark.parametrize("far", [1e3, -1e6])
def test_means_that_lie_very_far_apart_keep_their_spread(far):
    """The component near the observation has a mixture's own posterior; the other its prior."""
    p = exact.posterior([0.0], prior_sd=1.0, prior_mean=[0.0, far])
    near = 0 if far > 0 else 1
    assert_allclose(p.sd, np.sqrt([0.5, 1.0])[[near, 1 - near]], rtol=1e-6)
    assert abs(p.corr) < 1e-6
