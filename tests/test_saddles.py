"""Passes against a flooded grid, and by what makes a point one."""

import numpy as np
import pytest
from mixtures import data, saddles
from mixtures.joint import Joint
from scipy import ndimage
from scipy.optimize import minimize_scalar


def saddle_by_flooding(joint, modes, size=401):
    """The highest level at which the two highest modes lie in one connected region of a grid."""
    middle, reach = modes[:2].mean(axis=0), np.ptp(modes[:2], axis=0).max() + joint.sigma.max()
    axes = [np.linspace(m - reach, m + reach, size) for m in middle]
    height = joint.on_lattice(*axes, np.ones((size, size), dtype=bool), 0.0)
    first, second = (tuple(np.abs(a - m).argmin() for a, m in zip(axes, mode, strict=True)) for mode in modes[:2])
    levels = np.sort(height.ravel())
    low, high = 0, levels.size - 1
    while high - low > 1:
        middle = (low + high) // 2
        region, _ = ndimage.label(height >= levels[middle], np.ones((3, 3)))
        joined = region[first] and region[first] == region[second]
        low, high = (middle, high) if joined else (low, middle)
    return levels[low]


@pytest.mark.parametrize("seed", range(6))
def test_the_saddle_goes_up_one_way_and_down_the_other(setting, seed):
    joint = Joint.of(data.simulate(seed, n=50, separation=3.5), **setting)
    modes = joint.modes()
    assert len(modes) >= 2
    saddle = saddles.between(joint, modes)
    np.testing.assert_allclose(joint.gradient(saddle), 0, atol=1e-6)
    down, up = np.linalg.eigvalsh(joint.hessian(saddle))
    assert down < 0 < up


@pytest.mark.parametrize("seed", range(12))
def test_a_saddle_that_is_hard_to_find_is_right_or_refused(seed):
    """A narrow and a wide component have many modes, and ways between them that wind."""
    joint = Joint.of(data.simulate(seed, n=10), sigma=(0.1, 3.0))
    modes = joint.modes()
    try:
        saddle = saddles.between(joint, modes)
    except ValueError as error:
        assert str(error).startswith("x: ")
    else:
        curvature = np.linalg.eigvalsh(joint.hessian(saddle))
        np.testing.assert_allclose(joint.gradient(saddle) / np.abs(curvature).max(), 0, atol=1e-7)
        assert curvature[0] < 0 < curvature[1]
        assert joint.log_density(saddle)[0] < joint.log_density(modes[:2]).min()


@pytest.mark.parametrize("seed", range(3))
def test_the_saddle_is_the_lowest_pass_between_the_modes(setting, seed):
    """Water that rises over an upside-down grid joins the two basins at the saddle."""
    joint = Joint.of(data.simulate(seed, n=50, separation=3.5), **setting)
    modes = joint.modes()
    expected = saddle_by_flooding(joint, modes)
    assert joint.log_density(saddles.between(joint, modes))[0] == pytest.approx(expected, abs=0.02)


def test_an_exchangeable_saddle_is_level_whatever_the_prior():
    joint = Joint.of(data.simulate(8), sigma=0.7, prior_mean=2.0, prior_sd=0.3)
    np.testing.assert_allclose(joint.gradient(saddles.between(joint, joint.modes())), 0, atol=1e-9)


def test_the_ridge_is_the_highest_line_between_the_modes(setting):
    """Looked for at each place in turn, by a method of its own."""
    joint = Joint.of(data.simulate(2, n=50, separation=3.5), **setting)
    modes = joint.modes()
    along = modes[1] - modes[0]
    frame = np.stack([along, [-along[1], along[0]]])
    t = np.linspace(0, 1, 7)
    across, height = saddles._ridge(joint, modes[0], frame, t)
    for place, found, high in zip(t, across, height, strict=True):
        best = minimize_scalar(
            lambda a, place=place: -joint.log_density(modes[0] + np.array([place, a]) @ frame)[0],
            bracket=(found - 0.1, found + 0.1), tol=1e-10,
        )
        assert found == pytest.approx(best.x, abs=3e-6)
        assert high == pytest.approx(-best.fun, abs=1e-6)


@pytest.mark.parametrize("seed", [0, 1, 8])
def test_the_exchangeable_saddle_lies_on_the_diagonal(seed):
    x = data.simulate(seed)
    joint = Joint.of(x)
    np.testing.assert_allclose(saddles.between(joint, joint.modes()), np.repeat(x.sum() / (x.size + 2 / 100), 2), rtol=1e-12)


def test_the_barrier_is_the_drop_from_the_lower_of_the_two_highest_modes(setting):
    joint = Joint.of(data.simulate(4, n=50, separation=3.5), **setting)
    modes = joint.modes()
    heights = joint.log_density(np.stack([*modes[:2], saddles.between(joint, modes)]))
    assert saddles.barrier(joint, modes) == pytest.approx(min(heights[:2]) - heights[2], rel=1e-12)


def test_a_third_mode_does_not_matter_to_the_barrier():
    joint = Joint.of([-20.0, 0.0, 19.0, 20.0], prior_sd=(10.0, 11.0))
    modes = joint.modes()
    assert len(modes) > 2
    heights = joint.log_density(np.stack([*modes[:3], saddles.between(joint, modes)]))
    assert heights[2] < heights[1] - 1
    assert saddles.barrier(joint, modes) == pytest.approx(heights[1] - heights[3], rel=1e-12)


def test_one_mode_has_no_pass_and_a_barrier_of_zero():
    joint = Joint.of(0.9 * data.simulate(0, n=40, separation=0.0))
    assert saddles.between(joint, joint.modes()) is None and saddles.barrier(joint, joint.modes()) == 0


def test_steps_that_do_not_end_find_no_saddle():
    class Slope(Joint):
        def gradient(self, mu):
            return np.array([0.1, 0.1])

        def hessian(self, mu):
            return np.diag([-1.0, 1.0])

    joint = Joint.of(data.simulate(8), prior_sd=(10.0, 11.0))
    slope = Slope(joint.x, joint.weights, joint.sigma, joint.prior_mean, joint.prior_sd)
    with pytest.raises(ValueError, match="^x: no saddle found between the two highest modes$"):
        saddles.between(slope, joint.modes())


def test_a_low_barrier_is_told_from_none():
    joint = Joint.of(data.simulate(0, n=40, separation=0.0))
    modes = joint.modes()
    middle = joint.log_density(saddles.between(joint, modes))[0]
    assert 0 < saddles.barrier(joint, modes) < 0.5
    assert saddles.barrier(joint, modes) == pytest.approx(joint.log_density(modes)[1] - middle, abs=1e-12)
