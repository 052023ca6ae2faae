"""Standard errors, against what replicates of the same experiment scatter by."""

import arviz as az
import numpy as np
import pytest
import xarray as xr
from mixtures import mcse

CHAINS, DRAWS, RUNS = 4, 500, 200


def autoregressive(seed, memory):
    """Return draws [run, chain, draw], standard normal, whose neighbours correlate by `memory`."""
    noise = np.random.default_rng(seed).standard_normal((RUNS, CHAINS, DRAWS))
    noise[..., 1:] *= np.sqrt(1 - memory**2)
    for step in range(1, DRAWS):
        noise[..., step] += memory * noise[..., step - 1]
    return noise


STATISTICS = {
    "mean": (mcse.mean, np.mean, lambda draws: draws),
    "sd": (mcse.sd, np.std, lambda draws: draws),
    "share": (mcse.share, np.mean, lambda draws: draws > 1),
    "quantile": (
        lambda draws: mcse.jackknife(lambda flat: np.quantile(flat, 0.8), draws),
        lambda a: np.quantile(a, 0.8), lambda draws: draws),
}


@pytest.mark.parametrize("memory", [0.0, 0.7])
@pytest.mark.parametrize("name", STATISTICS)
def test_an_error_is_what_replicates_scatter_by(name, memory):
    """200 runs know their scatter to 5 %; an error off by 25 % is missed once in a million."""
    error, statistic, prepare = STATISTICS[name]
    runs = prepare(autoregressive(1, memory))
    scatter = np.std([statistic(run) for run in runs], ddof=1)
    assert np.mean([error(run) for run in runs[:40]]) == pytest.approx(scatter, rel=0.25)


def test_the_error_of_rhat_is_about_what_it_scatters_by():
    """R-hat is the larger of two numbers, so about is all that is promised."""
    runs = autoregressive(2, 0.5)
    scatter = np.std([float(az.rhat(run)) for run in runs], ddof=1)
    assert 0.5 < np.mean([mcse.rhat(run) for run in runs[:40]]) / scatter < 2


@pytest.mark.parametrize("always", [False, True])
def test_a_share_of_none_or_all_has_an_error_too(always):
    assert 0 < mcse.share(np.full((4, 1000), always)) < 1e-3


def test_replicates():
    assert mcse.replicates([1.0, 2.0, 3.0]) == pytest.approx(1 / np.sqrt(3))
    with pytest.raises(ValueError, match=r"^values: "):
        mcse.replicates([1.0])


def test_draws_may_have_names_and_need_a_shape():
    draws = autoregressive(3, 0.0)[0]
    named = xr.DataArray(draws.T, dims=("draw", "chain"))
    assert mcse.mean(named) == mcse.mean(draws)
    with pytest.raises(ValueError, match=r"^draws: "):
        mcse.mean(draws[0])
