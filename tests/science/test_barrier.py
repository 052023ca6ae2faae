"""Passes against a flooded grid, and by what makes a point one."""

import numpy as np
import pytest
from mixtures import data
from mixtures.exact import Joint
from mixtures.exact.barrier import barrier_between, saddle_between
from numpy.testing import assert_allclose
from scipy import ndimage


def saddle_by_flooding(joint, modes, size=401):
    """Return the highest level at which the two highest modes lie in one region of a grid."""
    middle, reach = modes[:2].mean(axis=0), np.ptp(modes[:2], axis=0).max() + joint.sigma.max()
    axes = [np.linspace(m - reach, m + reach, size) for m in middle]
    height = joint.on_lattice(*axes, np.ones((size, size), dtype=bool), 0.0)
    first, second = (
        tuple(np.abs(a - m).argmin() for a, m in zip(axes, mode, strict=True)) for mode in modes[:2]
    )
    levels = np.sort(height.ravel())
    low, high = 0, levels.size - 1
    while high - low > 1:
        middle = (low + high) // 2
        region, _ = ndimage.label(height >= levels[middle], np.ones((3, 3)))
        joined = region[first] and region[first] == region[second]
        low, high = (middle, high) if joined else (low, middle)
    return levels[low]


@pytest.mark.parametrize("seed", range(2))
def test_the_saddle_goes_up_one_way_and_down_the_other(setting, seed):
    joint = Joint.of(data.simulate(seed, n=50, separation=3.5), **setting)
    modes = joint.modes()
    assert len(modes) >= 2
    saddle = saddle_between(joint, modes)
    assert_allclose(joint.gradient(saddle), 0, atol=1e-6)
    down, up = np.linalg.eigvalsh(joint.hessian(saddle))
    assert down < 0 < up


@pytest.mark.parametrize("seed", range(6))
def test_a_saddle_that_is_hard_to_find_is_right_or_refused(seed):
    """A narrow and a wide component have many modes, and ways between them that wind."""
    joint = Joint.of(data.simulate(seed, n=10), sigma=(0.1, 3.0))
    modes = joint.modes()
    try:
        saddle = saddle_between(joint, modes)
    except ValueError as error:
        assert str(error).startswith("x: ")
    else:
        curvature = np.linalg.eigvalsh(joint.hessian(saddle))
        assert_allclose(joint.gradient(saddle) / np.abs(curvature).max(), 0, atol=1e-7)
        assert curvature[0] < 0 < curvature[1]
        assert joint.log_density(saddle)[0] < joint.log_density(modes[:2]).min()


def test_the_ridge_between_the_modes_may_jump_from_one_crest_to_another():
    joint = Joint.of([0, 0, 0, 0, 3], weights=(0.75, 0.25), sigma=(0.625, 1), prior_sd=2)
    modes = joint.modes()
    found = joint.log_density(saddle_between(joint, modes))[0]
    assert_allclose(found, saddle_by_flooding(joint, modes), atol=0.01)


@pytest.mark.parametrize("seed", range(1))
def test_the_saddle_is_the_lowest_pass_between_the_modes(setting, seed):
    """Water that rises over an upside-down grid joins the two basins at the saddle."""
    joint = Joint.of(data.simulate(seed, n=50, separation=3.5), **setting)
    modes = joint.modes()
    expected = saddle_by_flooding(joint, modes)
    assert joint.log_density(saddle_between(joint, modes))[0] == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("seed", [0, 1, 8])
def test_the_exchangeable_saddle_lies_on_the_diagonal(seed):
    x = data.simulate(seed)
    joint = Joint.of(x)
    middle = x.sum() / (x.size + 2 / 100)
    assert_allclose(saddle_between(joint, joint.modes()), [middle, middle], rtol=1e-12)


def test_the_barrier_is_the_drop_from_the_lower_of_the_two_highest_modes(setting):
    joint = Joint.of(data.simulate(4, n=50, separation=3.5), **setting)
    modes = joint.modes()
    heights = joint.log_density(np.stack([*modes[:2], saddle_between(joint, modes)]))
    assert barrier_between(joint, modes) == pytest.approx(min(heights[:2]) - heights[2], rel=1e-12)


def test_a_third_mode_does_not_matter_to_the_barrier():
    joint = Joint.of([-20.0, 0.0, 19.0, 20.0], prior_sd=(10.0, 11.0))
    modes = joint.modes()
    assert len(modes) > 2
    heights = joint.log_density(np.stack([*modes[:3], saddle_between(joint, modes)]))
    assert heights[2] < heights[1] - 1
    assert barrier_between(joint, modes) == pytest.approx(heights[1] - heights[3], rel=1e-12)


def test_one_mode_has_no_pass_and_a_barrier_of_zero():
    joint = Joint.of(0.9 * data.simulate(0, n=40, separation=0.0))
    modes = joint.modes()
    assert saddle_between(joint, modes) is None and barrier_between(joint, modes) == 0
