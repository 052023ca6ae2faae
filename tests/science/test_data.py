"""Data: the recipe, its seed, and what is refused by name."""

import numpy as np
import pytest
from mixtures import data
from numpy.testing import assert_allclose, assert_array_equal, assert_array_less


def recipe(seed, n, separation):
    """Return the recipe as the book states it."""
    rng = np.random.default_rng(seed)
    z = rng.multinomial(1, [0.5, 0.5], n).argmax(1)
    mu = np.array([-separation / 2, separation / 2])
    return rng.normal(mu[z], 1)


@pytest.mark.parametrize(
    ("seed", "n", "separation"),
    [(0, 100, 2.0), (8, 100, 2.0), (3, 1, 2.0), (3, 7, 0), (3, 250, 3.5)])
def test_a_dataset_is_the_recipe_with_its_number_as_seed(seed, n, separation):
    expected = recipe(seed, n, separation)
    found = data.simulate(np.int64(seed), n=n, separation=separation)
    assert_allclose(found, expected, rtol=1e-14)


def test_drawing_leaves_the_global_generator_alone():
    before = np.random.get_state()[1].copy()
    data.simulate(8)
    assert_array_equal(np.random.get_state()[1], before)


def test_many_draws_have_the_moments_of_the_mixture():
    """Of two equal Gaussians at -s and s: 0, 1 + s^2, and the fourth, 3 + 6 s^2 + s^4."""
    x = data.simulate(0, n=400_000, separation=3.0)
    powers = np.stack([x, x**2, x**4])
    error = powers.std(axis=1) / np.sqrt(x.size)
    expected = [0, 1 + 1.5**2, 3 + 6 * 1.5**2 + 1.5**4]
    assert_array_less(np.abs(powers.mean(axis=1) - expected), 5 * error)


@pytest.mark.parametrize(
    "x", [[1, 2], (1, 2), range(1, 3), np.array([1, 2], dtype=np.uint8), np.float32([1, 2])])
def test_numbers_of_any_kind_become_floats(x):
    checked = data.check(x)
    assert checked.dtype == float
    assert_array_equal(checked, [1.0, 2.0])


def test_checked_data_do_not_follow_later_changes():
    x = np.array([1.0, 2.0])
    checked = data.check(x)
    x[0] = 9.0
    assert_array_equal(checked, [1.0, 2.0])


def test_a_drawn_dataset_has_the_moments_of_its_mixture():
    means, sigma, weights = np.array([[-3.0, 0.0, 5.0], [0.5, 1.0, 2.0], [0.2, 0.5, 0.3]])
    x, z = data.draw(0, 20_000, means, sigma, weights)
    assert x.shape == z.shape == (20_000,)
    for k in range(3):
        own = x[z == k]
        error = np.sqrt(weights[k] * (1 - weights[k]) / x.size)
        assert np.mean(z == k) == pytest.approx(weights[k], abs=5 * error)
        assert own.mean() == pytest.approx(means[k], abs=5 * sigma[k] / np.sqrt(own.size))
        assert own.std() == pytest.approx(sigma[k], rel=5 / np.sqrt(2 * own.size))


def test_a_share_may_be_nought_and_an_observation_alone():
    x, z = data.draw(3, 1, [0.0, 50.0], [1.0, 1.0], [0.0, 1.0])
    assert x.shape == (1,) and z.tolist() == [1] and abs(x[0] - 50) < 6
    assert data.simulate(3, n=1).shape == (1,)
