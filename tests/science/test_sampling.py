"""Is NUTS on the ordered model calibrated? Datasets from its own prior, and the exact posterior.

Simulation-based calibration [Talts et al. 2018, arXiv:1804.06788] draws parameters from the prior
and data from the model; the rank of the parameters among the draws of their posterior is then
uniform. Here the rank that an infinite run would give is known, so that a run is judged dataset by
dataset, and not by the shape of a histogram alone.
"""

import arviz as az
import numpy as np
import pytest
import xarray as xr
from mixtures import data, exact, models, sampling
from scipy.stats import chi2, kstest

DRAWS, CHAINS = 500, 4
# as rare as five standard errors
CHANCE = 6e-7


@pytest.fixture(scope="module", params=[30, pytest.param(200, marks=pytest.mark.slow)])
def ranks(request):
    """Return shares below the truth, exact ones and effective draws, each [dataset, quantity]."""
    rng = np.random.default_rng(1)
    below, exactly = [], []
    for k in range(request.param):
        # two labels that mean nothing, drawn from the prior of models.ordered and put in order
        lower, upper = np.sort(rng.normal(0, 10, 2))
        x, _ = data.draw(1000 + k, 50, [lower, upper], [1, 1], [0.5, 0.5])
        means = sampling.sample(x, DRAWS, seed=k, build=models.ordered).posterior["means"].values
        gap = means[..., 1] - means[..., 0]
        below.append([means[..., 0] < lower, means[..., 1] < upper, gap < upper - lower])
        p = exact.posterior(x)
        gap = p.gap_cdf(upper - lower)
        exactly.append([below_exactly(p, 0, lower), below_exactly(p, 1, upper), gap])
    below = np.array(below, dtype=float)
    # of the shares themselves, for they are judged; one of no or all draws counts as half as many
    ess = az.ess(xr.DataArray(below, dims=("dataset", "quantity", "chain", "draw")), method="mean")
    ess = np.nan_to_num(np.asarray(ess, dtype=float), nan=CHAINS * DRAWS / 2)
    return below.mean(axis=(2, 3)), np.array(exactly), ess


def below_exactly(p, component, truth):
    """Return the exact probability that the lower or the upper mean is below a value."""
    nodes, weights = np.polynomial.legendre.leggauss(60)
    low = p.mean[component] - 12 * p.sd[component]
    if truth <= low:
        return 0.0
    half = (min(truth, p.mean[component] + 12 * p.sd[component]) - low) / 2
    return float(half * weights @ p.ordered_marginal(component, low + half * (nodes + 1)))


def test_ranks_are_uniform(ranks):
    """The exact posterior is calibrated, and so are its draws."""
    share, exactly, _ = ranks
    expected = len(share) / 10
    for drawn, exact_rank in zip(share.T, exactly.T, strict=True):
        assert kstest(exact_rank, "uniform").pvalue > CHANCE
        counts = np.histogram(drawn, bins=10, range=(0, 1))[0]
        assert chi2.sf(np.sum((counts - expected) ** 2 / expected), 9) > CHANCE


def test_each_rank_is_the_exact_one_but_for_monte_carlo_error(ranks):
    share, exactly, ess = ranks
    # a share of no or all draws has an error too
    error = np.sqrt(np.maximum(exactly * (1 - exactly), 1 / ess) / ess)
    z = (share - exactly) / error
    # of as many as 600, six standard errors are one in a million
    assert np.abs(z).max() < 6
    # over all neither a bias, of more than 0.9 standard errors (0.35 of 200), nor too large errors
    assert np.abs(z.mean(axis=0)).max() < 5 / np.sqrt(len(z))
    # as if the quantities of a dataset had but one among them: z**2 has variance 2
    assert (z**2).mean() < 1 + 5 * np.sqrt(2 / len(z))
