"""Data: the recipe, its seed, and what is refused by name."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mixtures import data


def recipe(seed, n, separation):
    """The recipe as the book states it."""
    rng = np.random.default_rng(seed)
    z = rng.multinomial(1, [0.5, 0.5], n).argmax(1)
    mu = np.array([-separation / 2, separation / 2])
    return rng.normal(mu[z], 1)


@pytest.mark.parametrize("seed", [0, 1, 8, 78])
def test_a_dataset_is_the_recipe_with_its_number_as_seed(seed):
    np.testing.assert_array_equal(data.simulate(seed), recipe(seed, 100, 2.0))


@pytest.mark.parametrize(("n", "separation"), [(1, 2.0), (7, 0), (250, 3.5)])
def test_size_and_separation_enter_the_recipe(n, separation):
    np.testing.assert_array_equal(data.simulate(3, n=n, separation=separation), recipe(3, n, separation))


def test_dataset_8_can_be_drawn_again():
    np.testing.assert_array_equal(data.simulate(8), data.simulate(np.int64(8)))
    assert not np.array_equal(data.simulate(8), data.simulate(9))


def test_drawing_leaves_the_global_generator_alone():
    before = np.random.get_state()[1].copy()
    data.simulate(8)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_many_draws_have_the_moments_of_the_mixture():
    """Mean 0, variance 1 + sep^2 / 4, and for two equal Gaussians the fourth moment 3 + 6 sep^2 / 4 + sep^4 / 16."""
    x = data.simulate(0, n=400_000, separation=3.0)
    powers = np.stack([x, x**2, x**4])
    error = powers.std(axis=1) / np.sqrt(x.size)
    np.testing.assert_array_less(np.abs(powers.mean(axis=1) - [0, 1 + 9 / 4, 3 + 6 * 9 / 4 + 81 / 16]), 4 * error)


@pytest.mark.parametrize("n", [0, -1, 2.5, "10", None, np.nan, [3]])
def test_a_bad_size_is_refused_by_name(n):
    with pytest.raises(ValueError, match="^n: "):
        data.simulate(0, n=n)


@pytest.mark.parametrize("separation", [-1, np.nan, np.inf, "2", None, [2.0], 1j])
def test_a_bad_separation_is_refused_by_name(separation):
    with pytest.raises(ValueError, match="^separation: "):
        data.simulate(0, separation=separation)


@pytest.mark.parametrize("seed", [None, -1, 0.5, "8", [8]])
def test_a_seed_that_would_not_repeat_is_refused_by_name(seed):
    with pytest.raises(ValueError, match="^seed: "):
        data.simulate(seed)


def test_bad_data_are_refused_by_name(bad_data):
    with pytest.raises(ValueError, match="^x: "):
        data.check(bad_data)
    with pytest.raises(ValueError, match="^heights: "):
        data.check(bad_data, name="heights")


@given(st.lists(st.floats(), max_size=8))
def test_a_list_of_floats_passes_unchanged_or_is_refused_by_name(x):
    if x and np.isfinite(x).all():
        np.testing.assert_array_equal(data.check(x), x)
    else:
        with pytest.raises(ValueError, match="^x: "):
            data.check(x)


@pytest.mark.parametrize("x", [[1, 2], (1, 2), range(1, 3), np.array([1, 2], dtype=np.uint8), np.float32([1, 2])])
def test_numbers_of_any_kind_become_floats(x):
    checked = data.check(x)
    assert checked.dtype == float
    np.testing.assert_array_equal(checked, [1.0, 2.0])


def test_checked_data_do_not_follow_later_changes():
    x = np.array([1.0, 2.0])
    checked = data.check(x)
    x[0] = 9.0
    np.testing.assert_array_equal(checked, [1.0, 2.0])


def test_a_drawn_dataset_has_the_moments_of_its_mixture():
    means, sigma, weights = np.array([-3.0, 0.0, 5.0]), np.array([0.5, 1.0, 2.0]), np.array([0.2, 0.5, 0.3])
    x, z = data.draw(0, 20_000, means, sigma, weights)
    assert x.shape == z.shape == (20_000,)
    for k in range(3):
        own = x[z == k]
        assert np.mean(z == k) == pytest.approx(weights[k], abs=0.02)
        assert own.mean() == pytest.approx(means[k], abs=5 * sigma[k] / np.sqrt(own.size))
        assert own.std() == pytest.approx(sigma[k], rel=0.05)


def test_a_drawn_dataset_is_its_seeds():
    one, again, other = (data.draw(seed, 30, [0, 1], [1, 1], [0.5, 0.5]) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert (one[0] != other[0]).any()


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"n": 0}, "n"),
        ({"n": 2.0}, "n"),
        ({"seed": -1}, "seed"),
        ({"means": []}, "means"),
        ({"means": [0, np.nan]}, "means"),
        ({"sigma": [1.0]}, "sigma"),
        ({"sigma": [1.0, 0.0]}, "sigma"),
        ({"weights": [0.5, 0.4]}, "weights"),
        ({"weights": [1.5, -0.5]}, "weights"),
        ({"weights": [0.2, 0.3, 0.5]}, "weights"),
        ({"weights": "ab"}, "weights"),
    ],
)
def test_a_mixture_that_is_none_is_refused_by_name(change, name):
    setting = {"seed": 0, "n": 10, "means": [0, 1], "sigma": [1, 1], "weights": [0.5, 0.5]} | change
    with pytest.raises(ValueError, match=f"^{name}: "):
        data.draw(**setting)


def test_a_share_may_be_nought_and_an_observation_alone():
    x, z = data.draw(3, 1, [0.0, 50.0], [1.0, 1.0], [0.0, 1.0])
    assert x.shape == (1,) and z.tolist() == [1] and abs(x[0] - 50) < 6
    assert data.simulate(3, n=1).shape == (1,)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: data.check([0.0, np.nan, np.inf]), "x: expected finite numbers, got 2 NaN or infinite"),
        (lambda: data.check(["a"]), "x: expected an array of real numbers, got list (<U1 is not real)"),
        (lambda: data.check([1j]), "x: expected an array of real numbers, got list (complex128 is not real)"),
        (lambda: data.draw(0, 3, [0.0], ["a"], [1.0]), "sigma: expected an array of real numbers, got list (<U1 is not real)"),
        (lambda: data.draw(0, 3, [0.0], [1.0], [0.5, 0.5]), "weights: expected one for each of 1 means, got 2"),
    ],
)
def test_messages_say_what_was_found(call, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call()
