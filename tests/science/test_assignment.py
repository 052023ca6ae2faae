"""The cheapest assignments: none cheaper, whichever way they are found."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mixtures.relabel.assignment import ENUMERATED, blocks, cheapest, paid
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import linear_sum_assignment


@given(st.integers(0, 2**31), st.integers(1, 6), st.booleans())
def test_no_permutation_is_cheaper(seed, n_component, ties):
    rng = np.random.default_rng(seed)
    cost = rng.normal(size=(20, n_component, n_component))
    # small whole numbers are often equal
    cost = np.round(cost) if ties else cost
    # on some draws a clear pattern, which takes the short way
    cost[::3] -= 10 * np.eye(n_component)[rng.permutation(n_component)]
    found = paid(cost, cheapest(cost))
    orders = permutations(range(n_component))
    every = [cost[:, list(p), range(n_component)].sum(axis=1) for p in orders]
    assert_allclose(found, np.min(every, axis=0), rtol=0, atol=1e-12)


@pytest.mark.parametrize("n_component", [*range(1, 10), 64, 70])
def test_it_agrees_with_scipy(n_component):
    cost = np.random.default_rng(0).normal(size=(50, n_component, n_component))
    # rows of a solution are the draw's components; what is wanted is which each of the pivot's gets
    expected = [linear_sum_assignment(c.T)[1] for c in cost]
    assert_array_equal(cheapest(cost), expected)


@pytest.mark.parametrize("n_component", [2, ENUMERATED, ENUMERATED + 1, 64])
def test_a_clear_pattern_is_found_with_its_direction(n_component):
    rng = np.random.default_rng(1)
    perm = np.array([rng.permutation(n_component) for _ in range(30)])
    cost = np.ones((30, n_component, n_component))
    for t, row in enumerate(perm):
        cost[t, row, np.arange(n_component)] = 0
    assert_array_equal(cheapest(cost), perm)
    assert_array_equal(paid(cost, perm), 0)


@given(st.integers(0, 5000), st.integers(1, 10**6))
def test_blocks_are_all_draws_once_in_order(n_draw, size):
    draws = [t for rows in blocks(n_draw, size) for t in range(n_draw)[rows]]
    assert draws == list(range(n_draw))
