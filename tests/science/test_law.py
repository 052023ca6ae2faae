"""Switch rates: the same answer whoever measures, and a law that the numbers obey."""

from concurrent.futures import ThreadPoolExecutor

import distributed
import numpy as np
import pytest
import xarray as xr
from mixtures import data, exact, sampling
from mixtures.switching.law import census, fit
from numpy.testing import assert_allclose

CELLS = [(30, 1.0, 0), (30, 1.5, 1), (30, 2.0, 2)]


@pytest.fixture(scope="module")
def serial():
    return census(CELLS, draws=300)


def test_a_cell_holds_its_barrier_and_its_switches(serial):
    barrier = [exact.posterior(data.simulate(k, n, s)).barrier for n, s, k in CELLS]
    assert_allclose(serial["barrier"], barrier)
    assert serial["steps"].values.tolist() == [4 * 299] * 3
    assert 0 < serial["switches"][0] < serial["steps"][0]
    assert_allclose(serial["rate"], serial["switches"] / serial["steps"])


def test_switches_are_counted_from_the_draws(serial):
    means = sampling.sample(data.simulate(0, 30, 1.0), draws=300, seed=0).posterior["means"]
    difference = np.sign(means.isel(component=1) - means.isel(component=0)).values
    assert int(serial["switches"][0]) == int((difference[:, 1:] != difference[:, :-1]).sum())


def test_threads_change_nothing(serial):
    with ThreadPoolExecutor(2) as pool:
        xr.testing.assert_identical(census(CELLS, draws=300, executor=pool), serial)


@pytest.mark.slow
def test_a_dask_cluster_changes_nothing(serial):
    with (
        distributed.LocalCluster(1, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        found = census(CELLS, draws=300, executor=client.get_executor())
        xr.testing.assert_identical(found, serial)


def test_the_law_is_found_again_in_counts_made_from_it():
    barrier = np.linspace(0.5, 9, 40)
    steps = np.full(40, 400_000)
    switches = np.random.default_rng(1).poisson(steps * 0.28 * np.exp(-0.93 * barrier))
    counts = {"barrier": barrier, "steps": steps, "switches": switches}
    front, slope = fit(xr.Dataset({k: ("cell", v) for k, v in counts.items()}))
    # 380,000 switches: ten standard errors of the one, twenty of the other
    assert front == pytest.approx(0.28, rel=0.03)
    assert slope == pytest.approx(0.93, rel=0.03)


def test_a_law_needs_cells_with_a_barrier_and_a_switch(serial):
    with pytest.raises(ValueError, match="^counted: "):
        fit(serial.isel(cell=[0, 1]))
    with pytest.raises(ValueError, match="^counted: "):
        fit(serial.assign(switches=0 * serial["switches"]))


def test_bad_data_are_refused_by_name(bad_data):
    with pytest.raises(ValueError, match="^x: "):
        sampling.sample(bad_data, draws=10, seed=0)
