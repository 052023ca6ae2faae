"""Relabelling: no permutation is better, planted switches are undone, and a whole trace is carried along."""

import inspect
import re
from itertools import permutations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from mixtures import assignment, data, iterative, relabel
from mixtures import permutations as rules
from scipy.optimize import linear_sum_assignment
from scipy.special import rel_entr
from scipy.stats import norm

SEEDS = st.integers(0, 2**31)


def orders(n_component):
    return np.array(list(permutations(range(n_component))))


def some_perm(rng, n_draw, n_component):
    return np.array([rng.permutation(n_component) for _ in range(n_draw)])


def inverse(perm):
    return np.argsort(perm, axis=1)


def compose(first, second):
    """Return the permutation that does what `first` does, and then `second`."""
    return np.take_along_axis(first, second, axis=1)


def soft(z, n_component, sure=0.8):
    """Return probabilities that favour the allocations."""
    return np.where(z[..., None] == np.arange(n_component), sure, (1 - sure) / (n_component - 1))


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
        np.testing.assert_array_equal(there[3, 0], draws[3, perm[3, 0]])
        np.testing.assert_array_equal(relabel.apply(there, inverse(perm)), draws)
    z = rng.integers(0, n_component, (7, 4)).astype(np.int8)
    there = relabel.apply_to_allocations(z, perm)
    assert there.dtype == z.dtype
    np.testing.assert_array_equal(relabel.apply_to_allocations(there, inverse(perm)), z)


@given(SEEDS, st.integers(2, 6))
def test_relabelled_allocations_point_at_the_same_values(seed, n_component):
    rng = np.random.default_rng(seed)
    draws, z = rng.normal(size=(9, n_component)), rng.integers(0, n_component, (9, 5))
    perm = some_perm(rng, 9, n_component)
    before = np.take_along_axis(draws, z, axis=1)
    after = np.take_along_axis(relabel.apply(draws, perm), relabel.apply_to_allocations(z, perm), axis=1)
    np.testing.assert_array_equal(after, before)


def test_a_cycle_goes_the_right_way_round():
    perm = np.array([[1, 2, 0]])
    np.testing.assert_array_equal(relabel.apply([["a", "b", "c"]], perm), [["b", "c", "a"]])
    np.testing.assert_array_equal(relabel.apply_to_allocations([[0, 1, 2]], perm), [[2, 0, 1]])


# each draw for itself


@pytest.mark.parametrize("shape", [(3,), (3, 0), (3, 4), (3, 2, 4)])
def test_allocations_have_any_shape(shape):
    z = np.random.default_rng(0).integers(0, 3, shape)
    perm = np.array([[1, 2, 0], [2, 0, 1], [0, 1, 2]])
    done = relabel.apply_to_allocations(z, perm)
    assert done.shape == shape
    # draw by draw: the relabelled label points at the original one
    for own, before, after in zip(perm, z, done, strict=True):
        np.testing.assert_array_equal(own[after], before)


def test_the_largest_label_is_what_the_integers_hold():
    perm = np.arange(128)[None, ::-1]
    np.testing.assert_array_equal(relabel.apply_to_allocations(np.array([[0, 127]], np.int8), perm), [[127, 0]])


def test_by_order_sorts_and_leaves_equals_in_place():
    np.testing.assert_array_equal(relabel.by_order([[3.0, 1.0, 2.0], [1.0, 0.0, 1.0]]), [[1, 2, 0], [1, 0, 2]])
    draws = np.random.default_rng(0).normal(size=(50, 4, 3))
    for parameter in (0, 1, 2):
        ordered = relabel.apply(draws, relabel.by_order(draws, parameter))[:, :, parameter]
        assert (np.diff(ordered, axis=1) >= 0).all()


@given(SEEDS, st.integers(1, 4), st.integers(1, 12))
def test_ecr_is_never_beaten_and_agrees_with_a_loop(seed, n_component, n):
    rng = np.random.default_rng(seed)
    z, pivot = rng.integers(0, n_component, (15, n)), rng.integers(0, n_component, n)
    perm = relabel.ecr(z, pivot, components=n_component)
    found = mismatches(z, pivot, perm)
    every = [mismatches(z, pivot, np.tile(order, (15, 1))) for order in orders(n_component)]
    np.testing.assert_array_equal(found, np.min(every, axis=0))
    for t in range(15):
        table = np.zeros((n_component, n_component))
        np.add.at(table, (pivot, z[t]), 1)
        assert n - table[linear_sum_assignment(-table)].sum() == found[t]


@given(SEEDS, st.integers(1, 4), st.integers(1, 3))
def test_pra_is_never_beaten_and_agrees_with_the_scalar_product(seed, n_component, n_parameter):
    rng = np.random.default_rng(seed)
    draws, pivot = 5 + rng.normal(size=(15, n_component, n_parameter)), 5 + rng.normal(size=(n_component, n_parameter))
    taken = relabel.apply(draws, relabel.pra(draws, pivot))
    every = [draws[:, order] for order in orders(n_component)]
    distance = [((d - pivot) ** 2).sum(axis=(1, 2)) for d in every]
    np.testing.assert_allclose(((taken - pivot) ** 2).sum(axis=(1, 2)), np.min(distance, axis=0))
    product = [(d * pivot).sum(axis=(1, 2)) for d in every]
    np.testing.assert_allclose((taken * pivot).sum(axis=(1, 2)), np.max(product, axis=0))


def test_pra_is_right_far_from_zero():
    draws = np.array([[1.0, 2.0], [2.0, 1.0]]) * 1e-3 + 1e6
    np.testing.assert_array_equal(relabel.pra(draws, draws[0]), [[0, 1], [1, 0]])


@pytest.mark.parametrize("n", [1, 2, 500, 3000])
@pytest.mark.parametrize("n_component", [2, 5, 6, 12])
def test_agreement_is_counted_exactly_with_many_labels_and_points(n, n_component):
    rng = np.random.default_rng(n)
    pivot = rng.integers(0, n_component, n)
    z = np.where(rng.random((300, n)) < 0.3, rng.integers(0, n_component, (300, n)), pivot).astype(np.int16)
    every = relabel.ecr(z, pivot, components=n_component)
    for t in range(0, 300, 50):
        table = np.zeros((n_component, n_component))
        np.add.at(table, (pivot, z[t]), 1)
        best = table[linear_sum_assignment(-table)].sum()
        assert mismatches(z[t : t + 1], pivot, every[t : t + 1])[0] == n - best


# all draws together


def some_probabilities(rng, n_draw, n, n_component, concentration=0.5):
    return rng.dirichlet(np.full(n_component, concentration), (n_draw, n))


@given(SEEDS, st.integers(2, 4), st.integers(1, 12), st.integers(1, 30))
def test_iterative_ecr_ends_where_nothing_can_be_improved(seed, n_component, n, n_draw):
    z = np.random.default_rng(seed).integers(0, n_component, (n_draw, n))
    perm, history = relabel.ecr_iterative(z, components=n_component, history=True)
    pivot = majority(z, perm, n_component)
    found = mismatches(z, pivot, perm)
    every = [mismatches(z, pivot, np.tile(order, (n_draw, 1))) for order in orders(n_component)]
    assert found.sum() == history[-1]
    np.testing.assert_array_equal(found, np.min(every, axis=0))
    assert (np.diff(history) <= 0).all()


@given(SEEDS, st.integers(2, 4), st.integers(1, 12), st.integers(1, 30), st.sampled_from([0.05, 0.5, 5.0]))
def test_stephens_ends_where_nothing_can_be_improved(seed, n_component, n, n_draw, concentration):
    # down to probabilities of 1e-50 and less
    p = some_probabilities(np.random.default_rng(seed), n_draw, n, n_component, concentration)
    perm, history = relabel.stephens(p, history=True)
    q = mean_of(p, perm)
    found = divergence(p, q, perm)
    every = [divergence(p, q, np.tile(order, (n_draw, 1))) for order in orders(n_component)]
    assert found.sum() == pytest.approx(history[-1], abs=1e-9)
    np.testing.assert_allclose(found, np.min(every, axis=0), rtol=1e-9, atol=1e-9)
    assert (np.diff(history) <= 0).all()


@pytest.mark.parametrize("seed", range(5))
def test_a_further_pass_of_a_plain_loop_changes_nothing(seed):
    rng = np.random.default_rng(seed)
    z = np.where(rng.random((700, 40)) < 0.4, rng.integers(0, 3, (700, 40)), rng.integers(0, 3, 40))
    z = relabel.apply_to_allocations(z, some_perm(rng, 700, 3))
    p = rng.dirichlet(np.ones(3), (700, 40)) * 0.5 + 0.5 * soft(z, 3)
    by_z, by_p = relabel.ecr_iterative(z), relabel.stephens(p)
    pivot, q = majority(z, by_z, 3), mean_of(p, by_p)
    for t in range(700):
        table = np.array([[np.sum((z[t] == j) & (pivot != k)) for j in range(3)] for k in range(3)])
        assert table[np.arange(3), by_z[t]].sum() == table[linear_sum_assignment(table)].sum()
        cost = rel_entr(p[t][:, None, :], q[:, :, None]).sum(axis=0)
        assert tuple(by_p[t]) == tuple(linear_sum_assignment(cost)[1])


@pytest.mark.parametrize("method", ["ecr_iterative", "stephens"])
def test_the_best_of_several_starts_is_kept(method, monkeypatch):
    better = 0
    for seed in range(10):
        z = np.random.default_rng(seed).integers(0, 3, (40, 15))
        inputs = soft(z, 3) if method == "stephens" else z
        ends = []
        for starts in (1, iterative.STARTS):
            monkeypatch.setattr(iterative, "STARTS", starts)
            ends.append(getattr(relabel, method)(inputs, history=True)[1][-1])
        assert ends[1] <= ends[0] + 1e-9
        better += ends[1] < ends[0] - 1e-9
    assert better > 3


def test_many_draws_are_taken_in_turns_and_none_is_lost(monkeypatch):
    rng = np.random.default_rng(2)
    z, p = rng.integers(3, size=(40, 9)), rng.dirichlet([0.5] * 3, (40, 9))
    draws = rng.normal(size=(40, 3, 2))

    def answers():
        yield relabel.pra(draws, draws[0])
        yield relabel.ecr(z, z[0])
        yield from relabel.ecr_iterative(z, history=True)
        yield from relabel.stephens(p, history=True)

    at_once = list(answers())
    monkeypatch.setattr(assignment, "BLOCK", 60)
    for one, other in zip(at_once, answers(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_iterative_ecr_takes_a_component_that_no_draw_has():
    z = np.random.default_rng(0).integers(3, size=(20, 15))
    perm = relabel.ecr_iterative(z, components=5)
    assert perm.shape == (20, 5) and (np.sort(perm, axis=1) == np.arange(5)).all()
    pivot = majority(z, perm, 5)
    best = relabel.ecr(z, pivot, components=5)
    np.testing.assert_array_equal(mismatches(z, pivot, perm), mismatches(z, pivot, best))


def test_a_fit_has_the_pivot_it_was_given():
    z, draws = np.array([[0, 1, 1], [1, 0, 0]]), np.array([[0.0, 1.0], [1.1, 0.1]])
    np.testing.assert_array_equal(rules.ecr_fit(z, z[1]).pivot, z[1])
    np.testing.assert_array_equal(rules.pra_fit(draws, draws[1]).pivot, draws[1][:, None])


def test_many_equal_components_keep_their_order():
    draws = np.random.default_rng(0).integers(3, size=(5, 200)).astype(float)
    for draw, order in zip(draws, relabel.by_order(draws), strict=True):
        assert order.tolist() == sorted(range(200), key=draw.__getitem__)


def test_a_parameter_may_be_counted_from_the_end():
    draws = np.random.default_rng(1).normal(size=(6, 3, 4))
    for parameter in range(4):
        np.testing.assert_array_equal(relabel.by_order(draws, parameter), relabel.by_order(draws, parameter - 4))
    for parameter in (-5, 4):
        with pytest.raises(ValueError, match=f"^parameter: expected a whole number from 0 to 3, got {parameter}$"):
            relabel.by_order(draws, parameter)


@pytest.mark.parametrize(
    ("draws", "pivot", "message"),
    [
        (np.zeros((5, 3, 2)), np.zeros((2, 3)), "pivot: expected shape [component, parameter] [3, 2], got [2, 3]"),
        (np.zeros((5, 3, 2)), "abc", "pivot: expected an array of real numbers, got str (<U3 is not real)"),
        ([[0.0, np.nan], [np.inf, 1.0], [2.0, 3.0]], [0.0, 1.0], "draws: expected finite numbers, got 2 NaN or infinite"),
        (np.zeros((4, 2)), [np.nan, 1.0], "pivot: expected finite numbers, got 1 NaN or infinite"),
    ],
)
def test_messages_of_pra_say_what_was_found(draws, pivot, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        relabel.pra(draws, pivot)


def steps(*objectives):
    """A step that finds these one after another, each with the next whole number as the next pivot but for the last."""
    left = iter(enumerate(objectives))

    def step(pivot):
        at, objective = next(left)
        return np.array([at]), objective, np.array([min(at + 1, len(objectives) - 1)])

    return step


def test_a_search_ends_where_the_pivot_stays():
    fit = iterative._alternate(steps(5.0, 4.0), np.array([0]), 100)
    assert fit.converged is True
    assert (fit.perm.tolist(), fit.pivot.tolist(), fit.history.tolist()) == ([1], [1], [5.0, 4.0])


@pytest.mark.parametrize("last", [4.0, 4.0 + 1e-9])
def test_a_search_ends_where_the_objective_stays(last):
    fit = iterative._alternate(steps(5.0, 4.0, last, 1.0), np.array([0]), 100)
    assert fit.converged is True
    assert (fit.perm.tolist(), fit.pivot.tolist(), fit.history.tolist()) == ([1], [2], [5.0, 4.0, 4.0])


def test_a_search_that_is_cut_short_returns_what_it_has():
    fit = iterative._alternate(steps(5.0, 4.0, 3.0), np.array([0]), 2)
    assert fit.converged is False
    assert (fit.perm.tolist(), fit.history.tolist()) == ([1], [5.0, 4.0])


def test_an_objective_that_rises_is_a_mistake():
    with pytest.raises(ArithmeticError, match=r"^the objective rose from 4\.0 to 4\.1$"):
        iterative._alternate(steps(6.0, 5.0, 4.0, 4.1), np.array([0]), 100)


@pytest.mark.parametrize(
    ("z", "components", "message"),
    [
        ([0, 1], None, "z: expected shape [draw, n], none of them 0, got [2]"),
        ([[0, -1]], None, "z: expected labels from 0 to any, got -1 to 0"),
        ([[0, 3]], 3, "z: expected labels from 0 to 2, got 0 to 3"),
        ([[0.0, 1.0]], None, "z: expected labels that are integers, got float64"),
        ([[0, 1]], 0, "components: expected a positive whole number, got 0"),
    ],
)
def test_messages_of_allocations_say_what_was_found(z, components, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        relabel.ecr_iterative(z, components=components)


@pytest.mark.parametrize(
    ("pivot", "message"),
    [
        (np.zeros((2, 2), dtype=int), "pivot: expected shape [n], none of them 0, got [2, 2]"),
        ([0, 1], "pivot: expected one label for each of n = 3 points, got 2"),
        ([0, 1, 2], "pivot: expected labels from 0 to 1, got 0 to 2"),
    ],
)
def test_messages_of_ecr_say_what_was_found(pivot, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        relabel.ecr([[0, 1, 1], [1, 0, 0]], pivot)


def test_zeros_and_ones_are_probabilities():
    rng = np.random.default_rng(0)
    z = rng.integers(0, 3, 50)
    switch = some_perm(rng, 200, 3)
    hard = soft(relabel.apply_to_allocations(np.tile(z, (200, 1)), switch), 3, sure=1.0)
    perm, history = relabel.stephens(hard, history=True)
    assert history[-1] == 0
    assert (compose(switch, perm) == compose(switch, perm)[0]).all()


@pytest.mark.parametrize("method", ["ecr_iterative", "stephens"])
def test_stopped_early_is_said(method):
    rng = np.random.default_rng(0)
    # more draws than are looked at for the start, which all have another pattern than the rest
    seldom = np.arange(60) % 4
    usual = np.where(np.arange(60) < 20, (seldom + 1) % 4, seldom)
    z = np.where(rng.random((3000, 60)) < 0.5, rng.integers(0, 4, (3000, 60)), usual)
    z[:: -(-3000 // iterative.THINNED)] = seldom
    z = relabel.apply_to_allocations(z, some_perm(rng, 3000, 4))
    inputs = soft(z, 4) if method == "stephens" else z
    run = getattr(relabel, method)
    perm, history = run(inputs, history=True)
    assert len(history) > 1
    for limit in range(1, len(history)):
        with pytest.warns(relabel.NotConverged, match=f"^max_iterations: after {limit} "):
            short = run(inputs, max_iterations=limit, history=True)
        assert len(short[1]) == limit
        assert issubclass(relabel.NotConverged, UserWarning)
    exact, same = run(inputs, max_iterations=len(history), history=True)
    np.testing.assert_array_equal(exact, perm)
    np.testing.assert_array_equal(same, history)


def test_the_warning_points_at_who_asked():
    p = some_probabilities(np.random.default_rng(0), 2000, 20, 3)
    with pytest.warns(relabel.NotConverged) as seen:
        relabel.stephens(p, max_iterations=1)
    assert seen[0].filename == __file__


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


CASES = [(2, False), (2, True), (3, False), (3, True), (5, False), (6, False), (6, True)]


@pytest.mark.parametrize(("n_component", "half"), CASES)
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
        np.testing.assert_array_equal(compose(switch, perm), np.tile(np.arange(n_component), (60, 1)))
    for perm in (relabel.ecr_iterative(labels), relabel.stephens(p), relabel.pra(draws, draws[5])):
        left = compose(switch, perm)
        np.testing.assert_array_equal(left, np.tile(left[0], (60, 1)))


@pytest.mark.parametrize("n_component", [2, 3, 6])
@pytest.mark.parametrize("seed", range(3))
def test_other_labels_change_the_answer_by_one_renaming(n_component, seed):
    rng = np.random.default_rng(seed)
    _, z, truth, switch = planted(n_component, n_draw=700, seed=seed)
    p = soft(z, n_component) * 0.7 + 0.3 * some_probabilities(rng, 700, 40, n_component)
    moved, moved_p = relabel.apply_to_allocations(z, switch), np.take_along_axis(p, switch[:, None, :], axis=2)
    draws = rng.normal(size=(700, n_component, 2))
    pairs = [
        (relabel.ecr(z, truth), compose(switch, relabel.ecr(moved, truth))),
        (relabel.pra(draws, draws[0]), compose(switch, relabel.pra(relabel.apply(draws, switch), draws[0]))),
        (relabel.by_order(draws), compose(switch, relabel.by_order(relabel.apply(draws, switch)))),
        (relabel.ecr_iterative(z), compose(switch, relabel.ecr_iterative(moved))),
        (relabel.stephens(p), compose(switch, relabel.stephens(moved_p))),
    ]
    for before, after in pairs:
        # compose(inverse(before), after)[t] is the renaming in draw t
        renaming = compose(inverse(before), after)
        np.testing.assert_array_equal(renaming, np.tile(renaming[0], (700, 1)))


@pytest.mark.parametrize("n_draw", [2, 400, 2002])
@pytest.mark.parametrize("method", ["ecr_iterative", "stephens"])
def test_exactly_balanced_switches_are_no_tie(method, n_draw):
    z = np.tile(np.repeat([0, 1], 20), (n_draw, 1))
    z[::2] = 1 - z[::2]
    perm, history = getattr(relabel, method)(soft(z, 2) if method == "stephens" else z, history=True)
    assert history[-1] == pytest.approx(0, abs=1e-8)
    assert (perm[::2] == perm[0]).all() and (perm[1::2] == 1 - perm[0][None]).all()


def test_one_component_is_left_as_it_is():
    zero = np.zeros((4, 1), dtype=int)
    z = np.zeros((4, 3), dtype=int)
    for perm in (
        relabel.by_order(np.ones((4, 1))), relabel.pra(np.ones((4, 1)), [1.0]), relabel.ecr(z, z[0]),
        relabel.ecr_iterative(z), relabel.stephens(np.ones((4, 3, 1))),
    ):
        np.testing.assert_array_equal(perm, zero)


def test_inputs_are_left_alone():
    rng = np.random.default_rng(0)
    z, p, draws = rng.integers(0, 3, (20, 9)), some_probabilities(rng, 20, 9, 3), rng.normal(size=(20, 3, 2))
    perm = some_perm(rng, 20, 3)
    inputs = (z, p, draws, perm)
    copies = [a.copy() for a in inputs]
    for a in inputs:
        a.flags.writeable = False
    relabel.ecr(z, z[0]), relabel.ecr_iterative(z), relabel.stephens(p), relabel.pra(draws, draws[0])
    relabel.by_order(draws), relabel.apply(draws, perm), relabel.apply_to_allocations(z, perm)
    for a, b in zip(inputs, copies, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64", "uint64"])
def test_integers_of_any_size_are_labels(dtype):
    z = np.random.default_rng(0).integers(0, 3, (30, 20))
    small = z.astype(dtype)
    np.testing.assert_array_equal(relabel.ecr(small, small[0]), relabel.ecr(z, z[0]))
    perm = relabel.ecr_iterative(small)
    np.testing.assert_array_equal(perm, relabel.ecr_iterative(z))
    done = relabel.apply_to_allocations(small, perm)
    assert done.dtype == dtype
    np.testing.assert_array_equal(done, relabel.apply_to_allocations(z, perm))


def test_single_precision_probabilities_will_do():
    p = some_probabilities(np.random.default_rng(0), 40, 30, 3)
    np.testing.assert_array_equal(relabel.stephens(p.astype(np.float32)), relabel.stephens(p))


# a whole trace


def trace(n_component=3, extra=True):
    """Return a trace whose variables tell by their values which component they were made for, and its switches."""
    rng = np.random.default_rng(0)
    switch = some_perm(rng, 2 * 50, n_component)
    means = np.arange(n_component) * 5.0 + rng.normal(0, 0.1, (100, n_component))
    points = rng.permutation(np.arange(12) % n_component)
    z = relabel.apply_to_allocations(np.tile(points, (100, 1)), switch)
    ids = relabel.apply(np.tile(np.arange(n_component), (100, 1)), switch)
    move = 10 * ids[:, :, None] + ids[:, None, :]

    def shaped(a):
        return a.reshape(2, 50, *a.shape[1:])

    coords = {"chain": [3, 7], "draw": np.arange(50) * 2, "component": [f"c{k}" for k in range(n_component)]}
    posterior = xr.Dataset(
        {
            "means": (("chain", "draw", "component"), shaped(relabel.apply(means, switch)), {"units": "m"}),
            "turned": (("component", "other", "draw", "chain"), shaped(np.stack([ids, -ids], 2)).transpose(2, 3, 1, 0)),
            "move": (("chain", "to", "draw", "component"), shaped(move).transpose(0, 3, 1, 2).astype(np.int8)),
            "z": (("chain", "obs", "draw"), shaped(z).transpose(0, 2, 1).astype(np.int16)),
            "p": (("chain", "draw", "obs", "component"), shaped(soft(z, n_component))),
            "total": (("chain", "draw"), shaped(means.sum(axis=1))),
        },
        coords, {"created_by": "a test"},
    )
    lp = np.zeros((2, 50))
    lp[1, 20] = 1
    stats = xr.Dataset({"lp": (("draw", "chain"), lp.T)}, {k: coords[k] for k in ("chain", "draw")})
    priors = posterior[["means"]].copy(deep=True)
    groups = {"posterior": posterior, "sample_stats": stats, "observed_data": xr.Dataset({"x": ("obs", np.zeros(12))})}
    if extra:
        groups |= {
            "log_prior": posterior[["means"]] * 1.0, "posterior_predictive": posterior[["z", "turned"]].copy(deep=True),
            "prior": priors, "prior_predictive": priors, "sample_stats_prior": priors, "warmup_posterior": priors,
            "constant_data": xr.Dataset({"c": ("component", np.arange(n_component))}),
            "predictions": posterior[["means"]].isel(draw=slice(10)),
        }
    return xr.DataTree.from_dict(groups, name="a tree"), switch, means, points


WAYS = {
    "order": {},
    "pra": {"var_name": ["means"], "pivot": {"means": [0.0, 5.0, 10.0]}},
    "ecr": {"pivot": "points"},
    "ecr-iterative": {},
    "stephens": {"probabilities": "p"},
    "pra from the best draw": {"method": "pra"},
    "ecr from the best draw": {"method": "ecr"},
}


@pytest.mark.parametrize("way", WAYS)
def test_everything_in_a_trace_is_relabelled_alike(way):
    tree, switch, means, points = trace()
    before = tree.copy(deep=True)
    arguments = {"method": way} | WAYS[way]
    if isinstance(arguments.get("pivot"), str):
        arguments["pivot"] = points
    result = relabel.relabel(tree, component_dim=["component", "to"], allocations="z", **arguments)
    xr.testing.assert_identical(tree, before)
    assert result.name == "a tree" and set(result.children) == set(tree.children)
    kept = result.posterior["permutation"]
    assert kept.dims == ("chain", "draw", "component")
    perm = kept.to_numpy().reshape(100, 3)
    left = compose(switch, perm)
    np.testing.assert_array_equal(left, np.tile(left[0], (100, 1)))
    if way in ("order", "pra", "ecr"):
        np.testing.assert_array_equal(left[0], [0, 1, 2])
    ids = left[0]
    after = result.posterior
    np.testing.assert_array_equal(after["means"].to_numpy().reshape(100, 3), means[:, ids])
    assert (after["turned"].isel(other=0).transpose(..., "component").to_numpy() == ids).all()
    assert (after["turned"].isel(other=1).transpose(..., "component").to_numpy() == -ids).all()
    move = after["move"].transpose("chain", "draw", "component", "to").to_numpy()
    assert (move == 10 * ids[:, None] + ids).all()
    z = after["z"].transpose("chain", "draw", "obs").to_numpy()
    assert (ids[z] == points).all()
    assert (after["p"].argmax("component").to_numpy() == z).all()
    xr.testing.assert_identical(after["total"], tree.posterior["total"])
    for name in tree.posterior.data_vars:
        for what in ("dims", "dtype", "attrs", "name"):
            assert getattr(after[name], what) == getattr(tree.posterior[name], what)
    for name, coord in tree.posterior.coords.items():
        xr.testing.assert_identical(after.coords[name], coord)
    assert after.attrs == tree.posterior.attrs
    xr.testing.assert_equal(result["log_prior/means"], after["means"])
    xr.testing.assert_equal(result["posterior_predictive/z"], after["z"])
    xr.testing.assert_equal(result["posterior_predictive/turned"], after["turned"])
    for name in ("prior", "prior_predictive", "sample_stats_prior", "warmup_posterior", "constant_data", "predictions",
                 "sample_stats", "observed_data"):
        xr.testing.assert_identical(result[name].to_dataset(), tree[name].to_dataset())
    assert kept.attrs["method"] == arguments["method"]
    assert kept.attrs["converged"] == 1 and kept.attrs["iterations"] >= 1
    objective = set() if way == "order" else {"objective"}
    assert set(kept.attrs) == {"description", "method", "converged", "iterations"} | objective
    assert {type(v) for v in kept.attrs.values()} <= {int, float, str}


def test_the_objective_is_the_methods_own():
    tree, _, means, points = trace()
    kept = relabel.relabel(tree, "pra", pivot=[[0.0], [5.0], [10.0]]).posterior["permutation"]
    assert kept.attrs["objective"] == pytest.approx(((means - [0, 5, 10]) ** 2).sum())
    wrong = np.where(np.arange(12) == 3, (points + 1) % 3, points)
    kept = relabel.relabel(tree, "ecr", allocations=["z"], pivot=wrong).posterior["permutation"]
    assert kept.attrs["objective"] == 100
    kept = relabel.relabel(tree, "stephens", probabilities=tree.posterior["p"].transpose("obs", ...))
    assert kept.posterior["permutation"].attrs["objective"] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("best", [(0, 3), (1, 20)])
def test_the_pivot_is_the_best_draw_unless_told(best):
    tree = trace()[0]
    density = tree.sample_stats["lp"].transpose("chain", "draw").copy(data=np.zeros((2, 50)))
    density[best] = 1
    tree["sample_stats"] = tree.sample_stats.to_dataset().assign(lp=density.transpose())
    pivot = tree.posterior["means"].values[best]
    expected = relabel.relabel(tree, "pra", pivot=pivot[:, None])
    xr.testing.assert_identical(relabel.relabel(tree, "pra"), expected)


def test_the_order_of_a_variables_dims_is_free():
    tree = trace()[0]
    p = tree.posterior["p"]
    for component_first in (p.transpose("component", ...), p.transpose("chain", "draw", "component", "obs")):
        done = relabel.relabel(tree, "stephens", probabilities=component_first)
        xr.testing.assert_identical(done, relabel.relabel(tree, "stephens", probabilities=p))
    turned = xr.DataTree.from_dict({"posterior": tree.posterior.to_dataset().transpose("obs", "other", "to", ...)})
    for parameter, sign in ((0, 1), (1, -1)):
        ids = relabel.relabel(turned, var_name="turned", parameter=parameter).posterior["turned"].isel(other=0)
        assert (ids == xr.DataArray([0, 1, 2][::sign], dims="component")).all()


def test_probabilities_without_coordinates_are_taken_in_order():
    tree = trace()[0]
    bare = tree.posterior["p"].drop_vars(["chain", "draw", "component"])
    done = relabel.relabel(tree, "stephens", probabilities=bare)
    xr.testing.assert_identical(done, relabel.relabel(tree, "stephens", probabilities="p"))


@pytest.mark.parametrize("n_component", [1, 3])
def test_a_group_of_one_label_in_each_draw_is_relabelled(n_component):
    rng = np.random.default_rng(0)
    means = np.sort(rng.normal(size=(2, 5, n_component)))
    tree = xr.DataTree.from_dict({
        "posterior": xr.Dataset({"means": (("chain", "draw", "component"), means[..., ::-1])}),
        "posterior_predictive": xr.Dataset({"z": (("chain", "draw"), np.zeros((2, 5), dtype=int))}),
    })
    done = relabel.relabel(tree, allocations="z")
    np.testing.assert_array_equal(done.posterior["means"], means)
    assert (done["posterior_predictive/z"] == n_component - 1).all()


COORDS = {"none": {}, "as they are": {"draw": np.arange(5)}, "of later draws": {"draw": np.arange(5, 10)}}


@pytest.mark.parametrize(
    ("posterior", "group", "moves"),
    [
        ("none", "none", True), ("none", "of later draws", True), ("of later draws", "none", True),
        ("as they are", "of later draws", False), ("of later draws", "of later draws", True),
    ],
)
def test_a_group_belongs_to_the_posterior_unless_its_draws_are_others(posterior, group, moves):
    variables = {"means": (("chain", "draw", "component"), np.tile([1.0, 0.0], (2, 5, 1)))}
    tree = xr.DataTree.from_dict({
        "posterior": xr.Dataset(variables, COORDS[posterior]), "predictions": xr.Dataset(variables, COORDS[group])})
    done = relabel.relabel(tree)["predictions/means"]
    assert (done == ([0.0, 1.0] if moves else [1.0, 0.0])).all()


def test_a_group_of_fewer_draws_stays_as_it_is():
    variables = {"means": (("chain", "draw", "component"), np.tile([1.0, 0.0], (2, 5, 1)))}
    fewer = xr.Dataset(variables).isel(draw=slice(3))
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset(variables), "predictions": fewer})
    xr.testing.assert_identical(relabel.relabel(tree)["predictions"].to_dataset(), fewer)


def test_coordinates_of_the_whole_tree_stay_there():
    tree = trace()[0]
    tree = xr.DataTree.from_dict({"/": xr.Dataset(coords={"draw": np.arange(50) * 2})} | {
        name: group.to_dataset() for name, group in tree.children.items() if name != "predictions"})
    done = relabel.relabel(tree)
    assert [*done.to_dataset().coords] == ["draw"]
    assert "draw" not in done["sample_stats"].to_dataset(inherit=False).coords


@pytest.mark.parametrize("method", ["ecr", "ecr-iterative"])
def test_a_component_that_has_no_observation_keeps_its_place(method):
    tree, _, _, points = trace()
    few = tree.posterior["z"].clip(max=1)
    tree["posterior"] = tree.posterior.to_dataset().assign(z=few)
    done = relabel.relabel(tree, method, allocations="z", pivot=np.clip(points, 0, 1) if method == "ecr" else None)
    assert done.posterior["permutation"].shape == (2, 50, 3)


def test_the_iterations_are_as_many_as_the_methods_own_unless_told():
    default = [inspect.signature(run).parameters["max_iterations"].default
               for run in (relabel.relabel, relabel.stephens, relabel.ecr_iterative)]
    assert len({*default}) == 1
    assert relabel.relabel(trace()[0]).posterior["permutation"].attrs["iterations"] == 1


def test_a_single_draw_is_relabelled():
    tree = xr.DataTree.from_dict({"posterior": trace()[0].posterior.to_dataset().isel(chain=[0], draw=[0])})
    means = relabel.relabel(tree, "pra", pivot={"means": [0, 5, 10]}).posterior["means"]
    assert (means.diff("component") > 0).all()
    with pytest.raises(ValueError, match="^pivot: expected 3 numbers for 'means', got shape"):
        relabel.relabel(tree, "pra", pivot={"means": [0, 5]})


def test_relabelled_twice_keeps_what_the_components_were_at_first():
    tree, switch, _, points = trace()
    once = relabel.relabel(tree, "pra", pivot=[[5.0], [10.0], [0.0]])
    twice = relabel.relabel(once, "order")
    assert (twice.posterior["permutation"] != once.posterior["permutation"]).any()
    for result in (once, twice):
        perm = result.posterior["permutation"].to_numpy().reshape(100, 3)
        again = relabel.apply(tree.posterior["means"].to_numpy().reshape(100, 3), perm)
        np.testing.assert_array_equal(again.reshape(2, 50, 3), result.posterior["means"])
    assert twice.posterior["permutation"].attrs["method"] == "order"
    assert twice.posterior["permutation"].attrs["after"] == "pra"
    thrice = relabel.relabel(twice, "ecr", allocations="z", pivot=points)
    assert thrice.posterior["permutation"].attrs["after"] == "pra, order"


def test_the_permutation_survives_being_saved(tmp_path):
    pytest.importorskip("zarr")
    tree = trace(extra=False)[0]
    tree["posterior"] = xr.DataTree(tree.posterior.to_dataset().drop_vars("component"))
    result = relabel.relabel(tree, "ecr-iterative", allocations="z")
    result.to_zarr(tmp_path / "trace.zarr", consolidated=False)
    with xr.open_datatree(tmp_path / "trace.zarr", engine="zarr", consolidated=False) as read:
        xr.testing.assert_identical(read["posterior/permutation"].load(), result["posterior/permutation"])
    result.posterior["permutation"].to_netcdf(tmp_path / "permutation.nc", engine="scipy")
    with xr.open_dataarray(tmp_path / "permutation.nc", engine="scipy") as read:
        xr.testing.assert_equal(read.load(), result["posterior/permutation"])
        assert dict(read.attrs) == dict(result["posterior/permutation"].attrs)


def test_an_entry_or_several_variables_decide():
    rng = np.random.default_rng(0)
    place = rng.normal(size=(2, 20, 3, 2))
    sigma = rng.normal(size=(2, 20, 3))
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset(
        {"place": (("chain", "draw", "component", "axis"), place), "sigma": (("chain", "draw", "component"), sigma)})})
    for parameter in (0, 1):
        done = relabel.relabel(tree, var_name="place", parameter=parameter).posterior["place"].isel(axis=parameter)
        assert (done.diff("component") >= 0).all()
    pivot = {"sigma": sigma[0, 0], "place": place[0, 0]}
    done = relabel.relabel(tree, "pra", var_name=["place", "sigma"], pivot=pivot)
    flat = np.concatenate([place, sigma[..., None]], axis=3).reshape(40, 3, 3)
    expected = relabel.pra(flat, flat[0]).reshape(2, 20, 3)
    np.testing.assert_array_equal(done.posterior["permutation"], expected)
    array = np.concatenate([pivot["place"], pivot["sigma"][:, None]], axis=1)
    same = relabel.relabel(tree, "pra", var_name=["place", "sigma"], pivot=array)
    xr.testing.assert_identical(same, done)


def test_a_trace_that_did_not_come_to_rest_says_so():
    p = some_probabilities(np.random.default_rng(0), 2000, 20, 3)[None]
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset({"p": (("chain", "draw", "obs", "component"), p)})})
    with pytest.warns(relabel.NotConverged) as seen:
        result = relabel.relabel(tree, "stephens", probabilities="p", max_iterations=2)
    assert seen[0].filename == __file__
    assert result.posterior["permutation"].attrs["converged"] == 0
    assert result.posterior["permutation"].attrs["iterations"] == 2
    _, history = relabel.stephens(p[0], history=True)
    settled = relabel.relabel(tree, "stephens", probabilities="p").posterior["permutation"].attrs
    assert (settled["converged"], settled["iterations"]) == (1, len(history))
    assert settled["objective"] == pytest.approx(history[-1])


# memberships


def mixture(sigma=True):
    rng = np.random.default_rng(0)
    variables = {"means": (("chain", "component", "draw"), rng.normal(0, 3, (2, 3, 7)))}
    variables["sd"] = (("draw", "chain"), rng.uniform(0.5, 2, (7, 2)))
    variables["sds"] = (("component", "draw", "chain"), rng.uniform(0.5, 2, (3, 7, 2)))
    variables["w"] = (("chain", "draw", "component"), rng.dirichlet(np.ones(3), (2, 7)))
    coords = {"chain": [1, 2], "component": ["a", "b", "c"]}
    return xr.DataTree.from_dict({"posterior": xr.Dataset(variables, coords)})


@pytest.mark.parametrize("sigma", [1.0, 0.7, [0.5, 1.0, 2.0], "sd", "sds"])
@pytest.mark.parametrize("weights", [None, [0.2, 0.0, 0.8], "w"])
def test_memberships_are_bayes_rule(sigma, weights):
    tree, x = mixture(), np.array([-4.0, 0.0, 0.3, 2.0])
    before = tree.copy(deep=True)
    p = relabel.memberships(tree, x, sigma=sigma, weights=weights)
    xr.testing.assert_identical(tree, before)
    post = tree.posterior
    sd = post[sigma] if isinstance(sigma, str) else xr.DataArray(np.broadcast_to(sigma, 3), dims="component")
    w = post[weights] if weights == "w" else xr.DataArray(np.ones(3) if weights is None else weights, dims="component")
    for c in range(2):
        for d in range(7):
            at = {"chain": c, "draw": d}
            mu, s, v = (a.isel(at, missing_dims="ignore").to_numpy() for a in (post["means"], sd, w))
            density = v * norm.pdf(x[:, None], mu, s)
            expected = density / density.sum(axis=1, keepdims=True)
            np.testing.assert_allclose(p.isel(at), expected, rtol=1e-10, atol=1e-300)
    assert p.dims == ("chain", "draw", "obs", "component")
    np.testing.assert_allclose(p.sum("component"), 1, rtol=1e-12)
    assert list(p["component"].to_numpy()) == ["a", "b", "c"] and list(p["chain"].to_numpy()) == [1, 2]


def test_memberships_are_named_and_keep_the_coordinates_of_draws_and_components():
    tree = mixture()
    tree["posterior"] = tree.posterior.to_dataset().assign_coords(
        rank=(("chain", "draw", "component"), np.arange(42).reshape(2, 7, 3)), other=("draw", np.arange(7)))
    p = relabel.memberships(tree, [0.0])
    assert p.name == "memberships"
    assert {*p.coords} == {"chain", "component", "rank", "other"}
    xr.testing.assert_equal(p, relabel.memberships(tree, [0.0], sigma=1.0))


def test_memberships_of_a_single_draw_are_those_of_many():
    tree = mixture()
    one = xr.DataTree.from_dict({"posterior": tree.posterior.to_dataset().isel(chain=[1], draw=[2])})
    xr.testing.assert_allclose(
        relabel.memberships(one, [0.0, 1.0]), relabel.memberships(tree, [0.0, 1.0]).isel(chain=[1], draw=[2]))


def test_memberships_are_stable_far_out():
    means = xr.DataArray([[[-1.0, 1.0], [-1e6, 1e6], [1.0, 1.0]]], dims=("chain", "draw", "component"))
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset({"means": means})})
    p = relabel.memberships(tree, [-1e8, 0.0, 1e8], sigma=1e-3)
    np.testing.assert_array_equal(p[0, 0, [0, 2]], [[1, 0], [0, 1]])
    np.testing.assert_array_equal(p[0, :, 1], [[0.5, 0.5]] * 3)
    assert np.isfinite(p).all()


def test_memberships_serve_stephens_and_drawn_allocations_serve_ecr():
    tree, switch, _, _ = trace(extra=False)
    x = np.repeat([0.0, 5.0, 10.0], 8)
    p = relabel.memberships(tree, x, sigma=1.0)
    done = relabel.relabel(tree, "stephens", probabilities=p).posterior["permutation"].to_numpy().reshape(100, 3)
    left = compose(switch, done)
    assert (left == left[0]).all()
    posterior = tree.posterior.to_dataset().drop_vars("z").drop_dims("obs").assign(s=relabel.draw_allocations(p, 1))
    tree = xr.DataTree.from_dict({"posterior": posterior})
    done = relabel.relabel(tree, "ecr-iterative", allocations="s").posterior
    left = compose(switch, done["permutation"].to_numpy().reshape(100, 3))
    assert (left == left[0]).all()
    assert (np.diff(done["s"].to_numpy().reshape(100, -1), axis=0) == 0).mean() > 0.95


def test_drawn_allocations_have_their_probabilities():
    p = xr.DataArray(np.broadcast_to([[0.2, 0.0, 0.8], [0.0, 1.0, 0.0]], (4, 5000, 2, 3)),
                     dims=("chain", "draw", "obs", "component"), coords={"chain": [4, 5, 6, 7]})
    z = relabel.draw_allocations(p, 3)
    assert z.dims == ("chain", "draw", "obs") and z.dtype.kind == "i"
    assert list(z["chain"].to_numpy()) == [4, 5, 6, 7]
    share = [(z.isel(obs=0) == k).mean().item() for k in range(3)]
    # five standard errors of a share of 20000
    np.testing.assert_allclose(share, [0.2, 0.0, 0.8], atol=5 * np.sqrt(0.16 / 20_000))
    assert (z.isel(obs=1) == 1).all()
    xr.testing.assert_identical(relabel.draw_allocations(p, 3), z)
    assert relabel.draw_allocations(p.transpose("component", ...), 3).equals(z)
    assert (relabel.draw_allocations(p, 4) != z).any()
    assert z.name == "allocations"
    labelled = relabel.draw_allocations(p.assign_coords(component=["a", "b", "c"]), 3)
    assert "component" not in labelled.coords


def test_one_component_has_all_allocations():
    p = xr.DataArray(np.ones((1, 1, 1, 1)), dims=("chain", "draw", "obs", "component"))
    assert relabel.draw_allocations(p, 0).values.tolist() == [[[0]]]


@pytest.mark.parametrize(("random", "p", "label"), [(0.0, [0.0, 1.0], 1), (1 - 1e-7, [0.5, 0.5 - 5e-7, 0.0], 1)])
def test_what_is_impossible_is_not_drawn(random, p, label, monkeypatch):
    """Neither by the least random number, nor by the largest where rounding has left the sum below 1."""

    class Extreme:
        def random(self, size):
            return np.full(size, random)

    monkeypatch.setattr(data, "generator", lambda seed: Extreme())
    array = xr.DataArray(np.array(p)[None, None, None], dims=("chain", "draw", "obs", "component"))
    assert relabel.draw_allocations(array, 0).item() == label


def test_a_fingerprint_is_of_the_permutations_and_not_of_the_order_of_dims():
    tree = trace()[0]
    assert relabel.fingerprint(tree.posterior) == 0
    once = relabel.relabel(tree).posterior
    assert relabel.fingerprint(once) != 0
    for dims in (("draw", "chain", "component"), ("component", "draw", "chain")):
        assert relabel.fingerprint(once.to_dataset().transpose(*dims, ...)) == relabel.fingerprint(once)
    small = once.to_dataset().assign(permutation=once["permutation"].astype("int8"))
    assert relabel.fingerprint(small) == relabel.fingerprint(once)


# what is refused

Z, P, D = np.array([[0, 1, 1], [1, 0, 0]]), np.full((2, 3, 2), 0.5), np.array([[0.0, 1.0], [1.0, 0.0]])
OFF = P.copy()
OFF[1, 2] = [0.6, 0.5]
NEGATIVE = P.copy()
NEGATIVE[0, 0] = [-0.5, 1.5]
HOLE = np.where(np.arange(12).reshape(P.shape) == 3, np.nan, P)
TREE = trace(extra=False)[0]
NO_DENSITY = xr.DataTree.from_dict({"posterior": TREE.posterior.to_dataset()})
CLASH = xr.DataTree.from_dict({"posterior": TREE.posterior.to_dataset().assign(permutation=TREE.posterior["total"])})
NAN = xr.DataTree.from_dict({"posterior": TREE.posterior.to_dataset() * np.nan})
NO_DRAWS = xr.DataTree.from_dict({"posterior": TREE.posterior.to_dataset().isel(draw=[])})
R = relabel.relabel

BAD = {
    "apply: a row is no permutation": (relabel.apply, (D, [[0, 0], [1, 0]]), {}, "perm"),
    "apply: not integers": (relabel.apply, (D, [[0.0, 1.0], [1.0, 0.0]]), {}, "perm"),
    "apply: one row": (relabel.apply, (D, [0, 1]), {}, "perm"),
    "apply: other draws": (relabel.apply, (D, [[0, 1]]), {}, "draws"),
    "apply: other components": (relabel.apply, (D, [[0, 1, 2], [0, 1, 2]]), {}, "draws"),
    "apply: no draws": (relabel.apply, (np.zeros((0, 2)), np.zeros((0, 2), int)), {}, "perm"),
    "allocations: other draws": (relabel.apply_to_allocations, (Z, [[0, 1]]), {}, "z"),
    "allocations: too large": (relabel.apply_to_allocations, (Z + 1, [[0, 1], [0, 1]]), {}, "z"),
    "allocations: negative": (relabel.apply_to_allocations, (Z - 1, [[0, 1], [0, 1]]), {}, "z"),
    "allocations: too many labels for the integer": (
        relabel.apply_to_allocations, (np.zeros((1, 3), np.int8), [range(200)]), {}, "z"),
    "allocations: not integers": (relabel.apply_to_allocations, (Z * 1.0, [[0, 1], [0, 1]]), {}, "z"),
    "order: one dim": (relabel.by_order, ([0.0, 1.0],), {}, "draws"),
    "order: four dims": (relabel.by_order, (np.zeros((2, 2, 2, 2)),), {}, "draws"),
    "order: no draws": (relabel.by_order, (np.zeros((0, 2)),), {}, "draws"),
    "order: NaN": (relabel.by_order, (D * np.nan,), {}, "draws"),
    "order: words": (relabel.by_order, ([["a", "b"]],), {}, "draws"),
    "order: no such parameter": (relabel.by_order, (D, 1), {}, "parameter"),
    "order: half a parameter": (relabel.by_order, (D, 0.5), {}, "parameter"),
    "pra: infinite": (relabel.pra, (D + np.inf, D[0]), {}, "draws"),
    "pra: other K": (relabel.pra, (D, [0.0, 1.0, 2.0]), {}, "pivot"),
    "pra: other parameters": (relabel.pra, (D, [[0.0, 1.0], [0.0, 1.0]]), {}, "pivot"),
    "pra: pivot NaN": (relabel.pra, (D, [0.0, np.nan]), {}, "pivot"),
    "pra: no draws": (relabel.pra, (np.zeros((0, 2)), D[0]), {}, "draws"),
    "ecr: one dim": (relabel.ecr, (Z[0], Z[0]), {}, "z"),
    "ecr: no draws": (relabel.ecr, (Z[:0], Z[0]), {}, "z"),
    "ecr: no points": (relabel.ecr, (Z[:, :0], Z[0, :0]), {}, "z"),
    "ecr: negative": (relabel.ecr, (Z - 1, Z[0]), {}, "z"),
    "ecr: not integers": (relabel.ecr, (Z * 1.0, Z[0]), {}, "z"),
    "ecr: NaN": (relabel.ecr, (Z * np.nan, Z[0]), {}, "z"),
    "ecr: too large": (relabel.ecr, (Z, Z[0]), {"components": 1}, "z"),
    "ecr: no components": (relabel.ecr, (Z, Z[0]), {"components": 0}, "components"),
    "ecr: half components": (relabel.ecr, (Z, Z[0]), {"components": 2.5}, "components"),
    "ecr: pivot of other n": (relabel.ecr, (Z, Z[0, :2]), {}, "pivot"),
    "ecr: pivot of other K": (relabel.ecr, (Z, [0, 1, 2]), {}, "pivot"),
    "ecr: pivot of two dims": (relabel.ecr, (Z, Z), {}, "pivot"),
    "ecr: pivot not integers": (relabel.ecr, (Z, Z[0] * 1.0), {}, "pivot"),
    "iterative: no draws": (relabel.ecr_iterative, (Z[:0],), {}, "z"),
    "iterative: not integers": (relabel.ecr_iterative, (Z * 1.0,), {}, "z"),
    "iterative: no iterations": (relabel.ecr_iterative, (Z,), {"max_iterations": 0}, "max_iterations"),
    "stephens: half an iteration": (relabel.stephens, (P,), {"max_iterations": 1.5}, "max_iterations"),
    "stephens: two dims": (relabel.stephens, (P[0],), {}, "p"),
    "stephens: no draws": (relabel.stephens, (P[:0],), {}, "p"),
    "stephens: off": (relabel.stephens, (OFF,), {}, "p"),
    "stephens: a little off": (relabel.stephens, (P + 2e-6,), {}, "p"),
    "stephens: negative": (relabel.stephens, (NEGATIVE,), {}, "p"),
    "stephens: NaN": (relabel.stephens, (HOLE,), {}, "p"),
    "stephens: infinite": (relabel.stephens, (P + np.inf,), {}, "p"),
    "stephens: words": (relabel.stephens, ([[["a"]]],), {}, "p"),
    "trace: unknown method": (R, (TREE, "kmeans"), {}, "method"),
    "trace: no tree": (R, (TREE.posterior.to_dataset(),), {}, "tree"),
    "trace: no posterior": (R, (xr.DataTree(),), {}, "tree"),
    "trace: no draws": (R, (NO_DRAWS,), {}, "tree"),
    "trace: permutation of another kind": (R, (CLASH,), {}, "tree"),
    "trace: missing variable": (R, (TREE,), {"var_name": "mu"}, "var_name"),
    "trace: without component": (R, (TREE,), {"var_name": "total"}, "var_name"),
    "trace: a list for order": (R, (TREE,), {"var_name": ["means"]}, "var_name"),
    "trace: no names": (R, (TREE, "pra"), {"var_name": []}, "var_name"),
    "trace: missing dim": (R, (TREE,), {"component_dim": "cluster"}, "component_dim"),
    "trace: chain for a dim": (R, (TREE,), {"component_dim": "chain"}, "component_dim"),
    "trace: dims of two sizes": (R, (TREE,), {"component_dim": ["component", "obs"]}, "component_dim"),
    "trace: parameter": (R, (TREE,), {"parameter": 3}, "parameter"),
    "trace: NaN": (R, (NAN,), {}, "draws"),
    "trace: pivot for order": (R, (TREE,), {"pivot": [1, 2, 3]}, "pivot"),
    "trace: probabilities for order": (R, (TREE,), {"probabilities": "p"}, "probabilities"),
    "trace: no density for pra": (R, (NO_DENSITY, "pra"), {}, "pivot"),
    "trace: no density for ecr": (R, (NO_DENSITY, "ecr"), {"allocations": "z"}, "pivot"),
    "trace: pivot without name": (R, (TREE, "pra"), {"pivot": {"mu": [0, 1, 2]}}, "pivot"),
    "trace: pivot of other K": (R, (TREE, "pra"), {"pivot": {"means": [0, 1]}}, "pivot"),
    "trace: no allocations": (R, (TREE, "ecr"), {}, "allocations"),
    "trace: missing allocations": (R, (TREE,), {"allocations": "s"}, "allocations"),
    "trace: missing allocations for ecr": (R, (TREE, "ecr-iterative"), {"allocations": "s"}, "allocations"),
    "trace: allocations with component": (R, (TREE,), {"allocations": "means"}, "allocations"),
    "trace: allocations not integers": (R, (TREE,), {"allocations": "total"}, "allocations"),
    "trace: no probabilities": (R, (TREE, "stephens"), {}, "probabilities"),
    "trace: probabilities without points": (R, (TREE, "stephens"), {"probabilities": "means"}, "probabilities"),
    "trace: probabilities of other draws": (
        R, (TREE, "stephens"), {"probabilities": TREE.posterior["p"].isel(draw=slice(9))}, "probabilities"),
    "memberships: no tree": (relabel.memberships, (None, [0.0]), {}, "tree"),
    "memberships: x": (relabel.memberships, (TREE, [np.nan]), {}, "x"),
    "memberships: means": (relabel.memberships, (TREE, [0.0]), {"means": "mu"}, "means"),
    "memberships: means of two dims": (relabel.memberships, (TREE, [0.0]), {"means": "turned"}, "means"),
    "memberships: means NaN": (relabel.memberships, (NAN, [0.0]), {}, "means"),
    "memberships: dim": (relabel.memberships, (TREE, [0.0]), {"component_dim": "cluster"}, "means"),
    "memberships: sigma 0": (relabel.memberships, (TREE, [0.0]), {"sigma": 0.0}, "sigma"),
    "memberships: sigma NaN": (relabel.memberships, (TREE, [0.0]), {"sigma": np.nan}, "sigma"),
    "memberships: sigma of other K": (relabel.memberships, (TREE, [0.0]), {"sigma": [1.0, 1.0]}, "sigma"),
    "memberships: sigma missing": (relabel.memberships, (TREE, [0.0]), {"sigma": "tau"}, "sigma"),
    "memberships: sigma of other dims": (relabel.memberships, (TREE, [0.0]), {"sigma": "p"}, "sigma"),
    "memberships: weights": (relabel.memberships, (TREE, [0.0]), {"weights": [0.5, 0.5, 0.5]}, "weights"),
    "memberships: negative": (relabel.memberships, (TREE, [0.0]), {"weights": [-0.5, 0.5, 1.0]}, "weights"),
    "draw: an array": (relabel.draw_allocations, (P, 0), {}, "p"),
    "draw: off": (relabel.draw_allocations, (TREE.posterior["p"] * 1.1, 0), {}, "p"),
    "draw: NaN": (relabel.draw_allocations, (TREE.posterior["p"] * np.nan, 0), {}, "p"),
    "draw: dim": (relabel.draw_allocations, (TREE.posterior["p"], 0), {"component_dim": "k"}, "component_dim"),
    "draw: seed": (relabel.draw_allocations, (TREE.posterior["p"], -1), {}, "seed"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_by_name(name):
    run, arguments, keywords, argument = BAD[name]
    with pytest.raises(ValueError, match=f"^{argument}: .*"):
        run(*arguments, **keywords)


def unlabelled_dims():
    """Return a trace as PyMC makes it without dims: each variable counts the components by a dim of its own."""
    rng = np.random.default_rng(5)
    swap = rng.random((2, 50)) < 0.5
    values = {"means": [-3.0, 3.0], "sigma": [1.0, 2.0], "weights": [0.3, 0.7]}
    posterior = {}
    for name, pair in values.items():
        array = np.where(swap[..., None], pair[::-1], pair) + (0.01 * rng.normal(size=(2, 50, 1)) if name == "means" else 0)
        posterior[name] = (("chain", "draw", f"{name}_dim_0"), array)
    return xr.DataTree.from_dict({"posterior": xr.Dataset(posterior)})


def test_a_variable_left_behind_under_a_dim_of_its_own_is_warned_of():
    one = pytest.warns(UserWarning, match="sigma stays as it is; if its dim 'sigma_dim_0' counts")
    with one, pytest.warns(UserWarning, match="weights stays"):
        relabel.relabel(unlabelled_dims(), "order", component_dim="means_dim_0")


def test_the_warning_of_a_variable_left_behind_points_at_who_asked():
    tree = unlabelled_dims()
    tree["posterior"] = tree.posterior.to_dataset().drop_vars("weights")
    with pytest.warns(UserWarning, match="sigma stays") as seen:
        relabel.relabel(tree, "order", component_dim="means_dim_0")
    assert [one.filename for one in seen] == [__file__]


def test_as_many_draws_as_components_are_no_dim_of_components():
    tree = xr.DataTree.from_dict({"posterior": trace()[0].posterior.to_dataset().isel(chain=[0], draw=slice(3))})
    assert relabel.relabel(tree, component_dim=["component", "to"]).posterior.sizes["draw"] == 3


@pytest.mark.parametrize("names", [["a", "b"], [1, 0]])
def test_several_dims_may_have_coordinates_of_their_own(names):
    tree, dims = unlabelled_dims(), ["means_dim_0", "sigma_dim_0", "weights_dim_0"]
    named = tree.posterior.to_dataset().assign_coords(means_dim_0=[0, 1], sigma_dim_0=names)
    p = relabel.memberships(xr.DataTree.from_dict({"posterior": named}), [0.2], component_dim=dims)
    np.testing.assert_array_equal(p, relabel.memberships(tree, [0.2], component_dim=dims))
    assert p["means_dim_0"].values.tolist() == [0, 1]


def test_several_dims_are_relabelled_together():
    tree, dims = unlabelled_dims(), ["means_dim_0", "sigma_dim_0", "weights_dim_0"]
    p = relabel.memberships(tree, [-3.0, 3.0], component_dim=dims)
    assert p.dims == ("chain", "draw", "obs", "means_dim_0")
    for options in ({"method": "order"}, {"method": "stephens", "probabilities": p}):
        done = relabel.relabel(tree, component_dim=dims, **options).posterior
        assert np.ptp(done["sigma"].values[..., 0]) == 0
        assert np.ptp(done["weights"].values[..., 0]) == 0


def test_memberships_take_scales_and_weights_of_the_posterior_unless_told():
    tree = unlabelled_dims()
    dims = ["means_dim_0", "sigma_dim_0", "weights_dim_0"]
    named = relabel.memberships(tree, [0.2], sigma="sigma", weights="weights", component_dim=dims)
    xr.testing.assert_equal(relabel.memberships(tree, [0.2], component_dim=dims), named)
    told = relabel.memberships(tree, [0.2], sigma=1.0, weights=[0.5, 0.5], component_dim=dims)
    assert np.abs(told - named).max() > 0.05


def test_memberships_of_other_labels_or_other_draws_are_refused():
    tree = unlabelled_dims()
    dims = ["means_dim_0", "sigma_dim_0", "weights_dim_0"]
    tree["posterior"] = tree["posterior"].to_dataset().assign_coords(chain=[0, 1], draw=np.arange(50))
    p = relabel.memberships(tree, [-3.0, 3.0], component_dim=dims)
    once = relabel.relabel(tree, "order", component_dim=dims)
    with pytest.raises(ValueError, match="^probabilities: expected memberships of this trace"):
        relabel.relabel(once, "stephens", probabilities=p, component_dim=dims)
    again = relabel.memberships(once, [-3.0, 3.0], component_dim=dims)
    twice = relabel.relabel(once, "stephens", probabilities=again, component_dim=dims)
    assert np.ptp(twice.posterior["sigma"].values[..., 0]) == 0
    with pytest.raises(ValueError, match="^probabilities: expected the posterior's own chains"):
        relabel.relabel(tree, "stephens", probabilities=p.isel(chain=[1, 0]), component_dim=dims)
    with pytest.raises(ValueError, match="^probabilities: .*got ndarray"):
        relabel.relabel(tree, "stephens", probabilities=p.values, component_dim=dims)


def test_a_pivot_may_be_one_draw_of_the_posterior():
    tree, dims = unlabelled_dims(), ["means_dim_0", "sigma_dim_0", "weights_dim_0"]
    pivot = tree["posterior"].to_dataset().isel(chain=0, draw=0)
    done = relabel.relabel(tree, "pra", var_name=["means", "sigma"], pivot=pivot, component_dim=dims).posterior
    assert np.ptp(done["weights"].values[..., 0]) == 0


def test_allocations_given_as_an_array_are_refused_by_what_they_are():
    with pytest.raises(ValueError, match="^allocations: .*got ndarray"):
        relabel.relabel(unlabelled_dims(), "order", component_dim="means_dim_0", allocations=np.zeros(3))
