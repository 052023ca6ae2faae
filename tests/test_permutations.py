"""Relabelling by arrays: no permutation is better, and planted switches are undone."""

import re
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mixtures import assignment, iterative, relabel
from mixtures import permutations as rules
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
