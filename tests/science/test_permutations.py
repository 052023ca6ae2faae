"""Relabelling by arrays: no permutation is better, and planted switches are undone."""

import warnings
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mixtures import relabel
from mixtures.relabel import alternation, assignment
from numpy.testing import assert_allclose, assert_array_equal
from planted import compose, inverse, soft, some_perm, some_probabilities
from scipy.optimize import linear_sum_assignment
from scipy.special import rel_entr

SEEDS = st.integers(0, 2**31)


def orders(n_component):
    return np.array(list(permutations(range(n_component))))


def mismatches(z, pivot, perm):
    return (relabel.apply_to_allocations(z, perm) != pivot).sum(axis=1)


def divergence(p, q, perm):
    relabelled = np.stack([row[:, order] for row, order in zip(p, perm, strict=True)])
    return rel_entr(relabelled, q).sum(axis=(1, 2))


def mean_of(p, perm):
    return np.stack([row[:, order] for row, order in zip(p, perm, strict=True)]).mean(axis=0)


def majority(z, perm, n_component):
    labels = relabel.apply_to_allocations(z, perm)
    return (labels[..., None] == np.arange(n_component)).sum(axis=0).argmax(axis=1)


# a permutation and its effect


@given(SEEDS, st.integers(1, 5))
def test_applied_and_undone_is_as_before(seed, n_component):
    rng = np.random.default_rng(seed)
    perm = some_perm(rng, 7, n_component)
    for shape in ((7, n_component), (7, n_component, 3), (7, n_component, 2, 2)):
        draws = rng.normal(size=shape)
        there = relabel.apply(draws, perm)
        assert there.dtype == draws.dtype
        assert_array_equal(there[3, 0], draws[3, perm[3, 0]])
        assert_array_equal(relabel.apply(there, inverse(perm)), draws)
    z = rng.integers(0, n_component, (7, 4)).astype(np.int8)
    there = relabel.apply_to_allocations(z, perm)
    assert there.dtype == z.dtype
    assert_array_equal(relabel.apply_to_allocations(there, inverse(perm)), z)


def test_a_cycle_goes_the_right_way_round():
    perm = np.array([[1, 2, 0]])
    assert_array_equal(relabel.apply([["a", "b", "c"]], perm), [["b", "c", "a"]])
    assert_array_equal(relabel.apply_to_allocations([[0, 1, 2]], perm), [[2, 0, 1]])


# each draw for itself


def test_by_order_sorts_and_leaves_equals_in_place():
    assert_array_equal(relabel.by_order([[3.0, 1.0, 2.0], [1.0, 0.0, 1.0]]), [[1, 2, 0], [1, 0, 2]])
    draws = np.random.default_rng(0).normal(size=(50, 4, 3))
    for parameter in (0, 2, -1):
        ordered = relabel.apply(draws, relabel.by_order(draws, parameter))[:, :, parameter]
        assert (np.diff(ordered, axis=1) >= 0).all()


@given(SEEDS, st.integers(1, 4), st.integers(1, 12))
def test_ecr_is_never_beaten_and_agrees_with_a_loop(seed, n_component, n):
    rng = np.random.default_rng(seed)
    z, pivot = rng.integers(0, n_component, (15, n)), rng.integers(0, n_component, n)
    perm = relabel.ecr(z, pivot, components=n_component)
    found = mismatches(z, pivot, perm)
    every = [mismatches(z, pivot, np.tile(order, (15, 1))) for order in orders(n_component)]
    assert_array_equal(found, np.min(every, axis=0))
    for t in range(15):
        table = np.zeros((n_component, n_component))
        np.add.at(table, (pivot, z[t]), 1)
        assert n - table[linear_sum_assignment(-table)].sum() == found[t]


@given(SEEDS, st.integers(1, 4), st.integers(1, 3))
def test_pra_is_never_beaten_and_agrees_with_the_scalar_product(seed, n_component, n_parameter):
    rng = np.random.default_rng(seed)
    draws = 5 + rng.normal(size=(15, n_component, n_parameter))
    pivot = 5 + rng.normal(size=(n_component, n_parameter))
    taken = relabel.apply(draws, relabel.pra(draws, pivot))
    every = [draws[:, order] for order in orders(n_component)]
    distance = [((d - pivot) ** 2).sum(axis=(1, 2)) for d in every]
    assert_allclose(((taken - pivot) ** 2).sum(axis=(1, 2)), np.min(distance, axis=0))
    product = [(d * pivot).sum(axis=(1, 2)) for d in every]
    assert_allclose((taken * pivot).sum(axis=(1, 2)), np.max(product, axis=0))


def test_pra_is_right_far_from_zero():
    draws = np.array([[1.0, 2.0], [2.0, 1.0]]) * 1e-3 + 1e6
    assert_array_equal(relabel.pra(draws, draws[0]), [[0, 1], [1, 0]])


# all draws together


@given(SEEDS, st.integers(1, 4), st.integers(1, 12), st.integers(1, 30))
def test_iterative_ecr_ends_where_nothing_can_be_improved(seed, n_component, n, n_draw):
    z = np.random.default_rng(seed).integers(0, n_component, (n_draw, n))
    perm = relabel.ecr_iterative(z, components=n_component)
    pivot = majority(z, perm, n_component)
    found = mismatches(z, pivot, perm)
    every = [mismatches(z, pivot, np.tile(order, (n_draw, 1))) for order in orders(n_component)]
    assert_array_equal(found, np.min(every, axis=0))


@given(
    SEEDS, st.integers(1, 4), st.integers(1, 12), st.integers(1, 30),
    st.sampled_from([0.05, 0.5, 5.0]))
def test_stephens_ends_where_nothing_can_be_improved(seed, n_component, n, n_draw, concentration):
    # down to probabilities of 1e-50 and less
    p = some_probabilities(np.random.default_rng(seed), n_draw, n, n_component, concentration)
    perm = relabel.stephens(p)
    q = mean_of(p, perm)
    found = divergence(p, q, perm)
    every = [divergence(p, q, np.tile(order, (n_draw, 1))) for order in orders(n_component)]
    assert_allclose(found, np.min(every, axis=0), rtol=1e-9, atol=1e-9)


def test_many_draws_are_taken_in_turns_and_none_is_lost(monkeypatch):
    rng = np.random.default_rng(2)
    z, p = rng.integers(3, size=(40, 9)), rng.dirichlet([0.5] * 3, (40, 9))
    draws = rng.normal(size=(40, 3, 2))

    def answers():
        yield relabel.pra(draws, draws[0])
        yield relabel.ecr(z, z[0])
        yield relabel.ecr_iterative(z)
        yield relabel.stephens(p)

    at_once = list(answers())
    monkeypatch.setattr(assignment, "BLOCK", 60)
    for one, other in zip(at_once, answers(), strict=True):
        assert_array_equal(one, other)


@pytest.mark.parametrize("method", ["ecr_iterative", "stephens"])
def test_stopped_early_is_said(method):
    rng = np.random.default_rng(0)
    # more draws than are looked at for the start, which all have another pattern than the rest
    seldom = np.arange(60) % 4
    usual = np.where(np.arange(60) < 20, (seldom + 1) % 4, seldom)
    z = np.where(rng.random((3000, 60)) < 0.5, rng.integers(0, 4, (3000, 60)), usual)
    z[:: -(-3000 // alternation.THINNED)] = seldom
    inputs = soft(z, 4) if method == "stephens" else z
    run = getattr(relabel, method)
    with pytest.warns(relabel.NotConverged, match="^max_iterations: after 1 "):
        run(inputs, max_iterations=1)
    for enough in range(2, 100):
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            perm = run(inputs, max_iterations=enough)
        if not said:
            break
    assert_array_equal(perm, run(inputs))


# switches that were planted


def planted(n_component, n_draw=60, seed=0, half=False):
    """Return means and allocations of components far apart, and the switches they were given."""
    rng = np.random.default_rng(seed)
    switch = some_perm(rng, n_draw, n_component)
    if half:
        switch = np.tile(np.arange(n_component), (n_draw, 1))
        switch[1::2, :2] = [1, 0]
    clean = np.arange(n_component) * 5.0 + rng.normal(0, 0.3, (n_draw, n_component))
    truth = rng.permutation(np.arange(40) % n_component)
    z = np.tile(truth, (n_draw, 1))
    moved = rng.random(z.shape) < 0.1
    z[moved] = rng.integers(0, n_component, moved.sum())
    return clean, z, truth, switch


@pytest.mark.parametrize(("n_component", "half"), [(2, False), (2, True), (3, False), (6, True)])
def test_a_planted_switch_is_undone(n_component, half):
    clean, z, truth, switch = planted(n_component, half=half)
    draws, labels = relabel.apply(clean, switch), relabel.apply_to_allocations(z, switch)
    p = soft(labels, n_component)
    # what each method returns undoes the switch: exactly, or up to one renaming of all draws
    for perm in (
        relabel.by_order(draws),
        relabel.pra(draws, np.arange(n_component) * 5.0),
        relabel.ecr(labels, truth, components=n_component),
    ):
        assert_array_equal(compose(switch, perm), np.tile(np.arange(n_component), (60, 1)))
    for perm in (relabel.ecr_iterative(labels), relabel.stephens(p), relabel.pra(draws, draws[5])):
        left = compose(switch, perm)
        assert_array_equal(left, np.tile(left[0], (60, 1)))


@pytest.mark.parametrize(("n_component", "seed"), [(2, 0), (3, 1), (6, 2)])
def test_other_labels_change_the_answer_by_one_renaming(n_component, seed):
    rng = np.random.default_rng(seed)
    _, z, truth, switch = planted(n_component, n_draw=250, seed=seed)
    p = soft(z, n_component) * 0.7 + 0.3 * some_probabilities(rng, 250, 40, n_component)
    moved = relabel.apply_to_allocations(z, switch)
    moved_p = np.take_along_axis(p, switch[:, None, :], axis=2)
    draws = rng.normal(size=(250, n_component, 2))
    turned = relabel.apply(draws, switch)
    pairs = [
        (relabel.ecr(z, truth), compose(switch, relabel.ecr(moved, truth))),
        (relabel.pra(draws, draws[0]), compose(switch, relabel.pra(turned, draws[0]))),
        (relabel.by_order(draws), compose(switch, relabel.by_order(turned))),
        (relabel.ecr_iterative(z), compose(switch, relabel.ecr_iterative(moved))),
        (relabel.stephens(p), compose(switch, relabel.stephens(moved_p))),
    ]
    for before, after in pairs:
        # compose(inverse(before), after)[t] is the renaming in draw t
        renaming = compose(inverse(before), after)
        assert_array_equal(renaming, np.tile(renaming[0], (250, 1)))


@pytest.mark.parametrize("n_draw", [2, 400, 2002])
@pytest.mark.parametrize("method", ["ecr_iterative", "stephens"])
def test_exactly_balanced_switches_are_no_tie(method, n_draw):
    z = np.tile(np.repeat([0, 1], 20), (n_draw, 1))
    z[::2] = 1 - z[::2]
    perm = getattr(relabel, method)(soft(z, 2) if method == "stephens" else z)
    assert (perm[::2] == perm[0]).all() and (perm[1::2] == 1 - perm[0][None]).all()


@pytest.mark.parametrize("dtype", ["int8", "uint64"])
def test_integers_of_any_size_are_labels(dtype):
    z = np.random.default_rng(0).integers(0, 3, (30, 20))
    small = z.astype(dtype)
    assert_array_equal(relabel.ecr(small, small[0]), relabel.ecr(z, z[0]))
    perm = relabel.ecr_iterative(small)
    assert_array_equal(perm, relabel.ecr_iterative(z))
    done = relabel.apply_to_allocations(small, perm)
    assert done.dtype == dtype
    assert_array_equal(done, relabel.apply_to_allocations(z, perm))
