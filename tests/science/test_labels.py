"""From a trace to the labelling of its draws: against the same by loops, and by hand."""

from itertools import permutations

import numpy as np
import pytest
import xarray as xr
from mixtures import trace
from mixtures.switching import labels
from mixtures.switching.thresholds import STANDARD
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import norm


def orders(n_component):
    return [list(order) for order in permutations(range(n_component))]


def log_density(z, pivot, scale, order):
    """Return the log density of one draw [component, entry] with its components in an order."""
    return norm.logpdf(z[order], pivot, scale).sum()


@pytest.mark.parametrize(("n_component", "n_entry"), [(2, 1), (3, 2), (4, 1)])
def test_the_pivot_is_the_mean_and_the_spread_of_the_draws_nearest_to_it(n_component, n_entry):
    """A fixed point of alternation; `by_loops` takes it for granted."""
    z = np.random.default_rng(n_component).normal(0, 2, (40, n_component, n_entry))
    centre, spread = labels._pivot(z)
    every = orders(n_component)
    best = [max(every, key=lambda o: log_density(draw, centre, spread, o)) for draw in z]
    aligned = np.array([draw[order] for draw, order in zip(z, best, strict=True)])
    assert_allclose(centre, aligned.mean(axis=0))
    assert_allclose(spread, aligned.std(axis=0))


# switches and modes

KEEP, TURN = [0, 1], [1, 0]
SURE, UNSURE = 100.0, 1.0


def modes(orders_by_chain, margins=SURE, group=None):
    """Return switches and modes of two or more components, whose pairs are all equally sure."""
    perm = np.array(orders_by_chain)
    n_component = perm.shape[2]
    odds = np.ones((*perm.shape, n_component)) * np.expand_dims(margins, (-2, -1))
    group = np.arange(n_component) if group is None else np.array(group)
    found = labels._modes(perm, odds, group, np.arange(len(perm)), np.log(20))
    return tuple(part.tolist() for part in found)


def test_a_mode_is_the_labelling_of_most_draws_and_the_commonest_of_chains_is_0():
    assert modes([[KEEP] * 4, [TURN] * 4, [TURN] * 4]) == ([0, 0, 0], [1, 0, 0])
    assert modes([[TURN] * 4, [KEEP] * 4]) == ([0, 0], [0, 1]), "of equally many the first"
    assert modes([[KEEP, TURN, TURN, KEEP, TURN], [KEEP] * 5]) == ([3, 0], [0, 1])
    a, b, c = [0, 1, 2], [1, 2, 0], [2, 0, 1]
    assert modes([[a], [b], [c], [c], [b], [c]]) == ([0] * 6, [2, 1, 0, 0, 1, 0])


def test_a_draw_that_is_not_sure_keeps_the_labels_of_the_last_that_was():
    assert modes([[KEEP, TURN, KEEP, KEEP]], [[SURE, UNSURE, SURE, SURE]])[0] == [0]
    assert modes([[KEEP, TURN, TURN, KEEP]], [[SURE, SURE, UNSURE, SURE]])[0] == [2]
    # those before the first that is sure have its labels
    assert modes([[TURN, TURN, KEEP, KEEP]], [[UNSURE, UNSURE, SURE, SURE]])[0] == [0]
    # and a chain that never is has the mode of most of its draws
    never = [[SURE] * 5, [UNSURE] * 5]
    assert modes([[KEEP] * 5, [TURN, KEEP, TURN, KEEP, TURN]], never) == ([0, 0], [0, 1])


def test_sure_is_20_to_1_and_half_way():
    assert modes([[*[KEEP] * 4, TURN, KEEP]], [[8, 8, 8, 8, 4.01, 8]])[0] == [2]
    assert modes([[*[KEEP] * 4, TURN, KEEP]], [[8, 8, 8, 8, 3.99, 8]])[0] == [0]
    assert modes([[*[KEEP] * 4, TURN, KEEP]], [[4, 4, 4, 4, np.log(20.1), 4]])[0] == [2]
    assert modes([[*[KEEP] * 4, TURN, KEEP]], [[4, 4, 4, 4, np.log(19.9), 4]])[0] == [0]


def test_labels_within_a_group_count_as_one():
    a, b, c = [0, 1, 2], [1, 0, 2], [0, 2, 1]
    assert modes([[a, b, a, b], [b] * 4], group=[0, 0, 1]) == ([0, 0], [0, 0])
    assert modes([[a, b, a, b], [b] * 4], group=[0, 1, 1]) == ([3, 0], [0, 1])
    assert modes([[a, c, a, b], [c] * 4], group=[0, 0, 1]) == ([2, 0], [0, 1])
    assert modes([[a, b], [c, c]], group=[0, 0, 0]) == ([0, 0], [0, 0])


def test_the_least_sure_pair_across_groups_decides():
    perm = np.array([[[0, 1, 2], [0, 2, 1], [0, 1, 2], [0, 1, 2]]])
    odds = np.full((1, 4, 3, 3), SURE)
    odds[0, 1, [0, 1], [1, 0]] = 0.0
    for group, switches in (([0, 0, 1], [2]), ([0, 1, 2], [0])):
        found, _ = labels._modes(perm, odds, np.array(group), np.array([0]), np.log(20))
        assert found == switches


def test_stuck_apart_is_to_keep_to_one_labelling_and_not_all_to_the_same():
    def stuck(*shares):
        turned = [round(100 * share) for share in shares]
        chains = [[TURN] * n + [KEEP] * (100 - n) for n in turned]
        return labels._stuck_apart(np.array(chains))

    assert stuck(0, 1) and stuck(0.02, 0.98) and stuck(1, 0, 0)
    assert not stuck(0, 0) and not stuck(0.01, 0.02) and not stuck(0.03, 1) and not stuck(0.5, 0.5)


# the whole


def by_loops(x, chains):
    """Return the labelling of draws [chain, draw, component, entry], by loops over all of them."""
    n_chain, n_draw, n_component, _ = x.shape
    known = x[chains].reshape(-1, x.shape[3])
    z = (x - known.mean(axis=0)) / known.std(axis=0)
    pivot, scale = labels._pivot(z[chains].reshape(-1, *x.shape[2:]))
    best = np.array([[max(orders(n_component), key=lambda o: log_density(z[c, t], pivot, scale, o))
                      for t in range(n_draw)] for c in range(n_chain)])
    own = [tuple(order) for c in chains for order in best[c]]
    # the pivot's components in the order in which most draws have them
    usual = np.argsort(max(sorted(set(own)), key=own.count))
    best, pivot, scale = best[:, :, usual], pivot[usual], scale[usual]
    odds = np.zeros((n_chain, n_draw, n_component, n_component))
    for c, t, j, k in np.ndindex(*odds.shape):
        other = best[c, t].copy()
        other[[j, k]] = other[[k, j]]
        pair = [log_density(z[c, t], pivot, scale, o) for o in (best[c, t], other)]
        odds[c, t, j, k] = pair[0] - pair[1]
    overlap = np.zeros((n_component, n_component))
    for j, k in permutations(range(n_component), 2):
        mine = odds[chains, :, j, k]
        overlap[j, k] = np.mean(mine <= min(np.median(mine) / 4, 5))
    # chained overlaps are one group
    group = np.arange(len(overlap))
    if not labels._stuck_apart(best[chains]):
        for j, k in np.argwhere(overlap >= STANDARD.overlap):
            group[group == group[k]] = group[j]
    return best, overlap, *labels._modes(best, odds, group, np.array(chains), np.log(20))


def some_draws(n_component, gap):
    """Return two variables whose labels are turned now and then, in chains of different places."""
    rng = np.random.default_rng(n_component)
    means = rng.normal(0, 1, (3, 40, n_component, 1)) + gap * np.arange(n_component)[:, None]
    scales = rng.normal(5, 0.1, (3, 40, n_component, 2)) + np.outer(range(n_component), [0.3, 0.0])
    means[:, ::7], scales[:, ::7] = means[:, ::7, ::-1], scales[:, ::7, ::-1]
    means[1] += 3
    return {"means": means, "sigma": scales}


def stuck_draws():
    """Return draws of chains that are stuck apart; the one to be left out is the surest."""
    x = np.random.default_rng(1).normal(0, 1, (3, 60, 3, 1)) + np.array([[0], [4.5], [14]])
    x[1] *= 5
    x[2] = x[2, :, [1, 0, 2]].transpose(1, 0, 2)
    return {"x": x}


DRAWS = {
    f"{k} components, gap {gap}": some_draws(k, gap) for k in (2, 3) for gap in (0.5, 2.0, 6.0)}
DRAWS["stuck apart"] = stuck_draws()


@pytest.mark.parametrize("chains", [[0, 1, 2], [0, 2]])
@pytest.mark.parametrize("draws", DRAWS)
def test_the_labelling_is_that_of_loops(draws, chains):
    found = labels.find(DRAWS[draws], np.array(chains))
    joined = np.concatenate([*DRAWS[draws].values()], axis=3)
    best, overlap, switches, mode = by_loops(joined, chains)
    assert_array_equal(found.permutation, best)
    assert_allclose(found.overlap, overlap, atol=1e-12)
    assert_array_equal(found.switches, switches)
    assert_array_equal(found.mode, mode)


def test_where_nothing_moves_all_labels_are_kept():
    still = labels.find({"x": np.tile([[0.0], [3.0]], (2, 9, 1, 1))})
    assert (still.permutation == [0, 1]).all()
    assert still.switches.tolist() == still.mode.tolist() == [0, 0]


def test_twins_are_equal_in_most_draws_and_in_all_entries():
    x = np.random.default_rng(0).normal(0, 0.1, (1, 100, 3, 2)) + [[0, 0], [3, 0], [6, 0]]
    x[0, :51, 2] = x[0, :51, 1]
    assert np.argwhere(labels.find({"x": x}).twins).tolist() == [[1, 2], [2, 1]]
    x[0, 0, 2] += 1
    assert not labels.find({"x": x}).twins.any()
    x[0, :90, 2, 0] = x[0, :90, 1, 0]
    assert not labels.find({"x": x}).twins.any(), "in one entry of two"


def test_what_does_not_move_says_nothing_and_is_no_obstacle():
    rng = np.random.default_rng(0)
    moving = rng.normal(size=(2, 50, 2, 1)) * 0.1 + np.array([[0.0], [0.2]])
    alone = labels.find({"x": moving})
    assert 0 < alone.overlap[0, 1] < 1
    # nor is rounding a movement
    large = np.full((2, 50, 2, 1), 1e6)
    for still in (0 * large, large, large * (1 + 1e-13 * rng.random((2, 50, 2, 1)))):
        both = labels.find({"x": moving, "still": still})
        assert_array_equal(alone.permutation, both.permutation)
        assert_array_equal(alone.overlap, both.overlap)


# a trace read

DIMS = ("chain", "draw", "component")


def tree(stats=None, likelihood=None, **variables):
    posterior = xr.Dataset(variables, {"chain": [3, 7]})
    groups = {"posterior": posterior, "sample_stats": stats, "log_likelihood": likelihood}
    return xr.DataTree.from_dict({k: group for k, group in groups.items() if group is not None})


def read_means(stats=None, likelihood=None):
    return trace.read(tree(stats, likelihood, means=(DIMS, values(2))), "means", "component")


def values(*shape):
    return np.random.default_rng(0).normal(size=(2, 16, *shape))


def test_variables_are_read_in_their_order_with_entries_last():
    wide, b, a = values(2, 4, 3), values(2) > 0, values(2)
    turned = ("row", "draw", "chain", "column", "component")
    read = trace.read(tree(
        wide=(turned, wide.transpose(3, 1, 0, 4, 2)), b=(DIMS, b), a=(DIMS, a),
        total=(DIMS[:2], values()), permutation=(DIMS, values(2)),
        other=(("component", "row"), np.ones((2, 4))),
    ), ["a", "b", "a"], "component")
    assert [*read.values] == ["a", "b", "wide"] and read.named == ("a", "b")
    assert_array_equal(read.values["a"], a[..., None])
    assert_array_equal(read.values["wide"], wide.reshape(2, 16, 2, 12))
    assert {array.dtype for array in read.values.values()} == {np.dtype(float)}
    assert read.chains.tolist() == [3, 7]
    assert (read.log_density, read.diverged, read.notes) == ({}, None, ())


def test_what_is_left_out_is_named_unless_it_was_asked_for():
    holed, many = values(2), values(2, 65)
    holed[0, 0, 0] = many[0, 0, 0, 0] = np.nan
    of = tree(
        means=(DIMS, values(2)), words=(DIMS, np.full((2, 16, 2), "a")),
        move=((*DIMS, "component_to"), values(2, 2)), holed=(DIMS, holed),
        many=((*DIMS, "obs"), values(2, 65)), enough=((*DIMS, "other"), values(2, 64)))
    read = trace.read(of, "means", "component")
    assert [note.split()[0] for note in read.notes] == ["words", "move", "holed", "many"]
    assert [*read.values] == ["means", "enough"]
    read = trace.read(tree(many=((*DIMS, "obs"), many)), "many", "component")
    assert_array_equal(read.values["many"], many)


def statistics(**variables):
    of_draws = {k: v if isinstance(v, tuple) else (DIMS[:2], v) for k, v in variables.items()}
    return xr.Dataset(of_draws)


@pytest.mark.parametrize("name", ["lp", "logp", "lp__"])
def test_the_log_density_is_read_by_any_of_its_names(name):
    read = read_means(statistics(**{name: (("draw", "chain"), values().T)}))
    assert_array_equal(read.log_density["log density"], values())


def test_the_log_likelihood_is_the_sum_over_all_observations():
    y = values(3).transpose(2, 1, 0)
    parts = xr.Dataset({"y": (("obs", "draw", "chain"), y), "w": (DIMS[:2], values())})
    read = read_means(likelihood=parts)
    assert_allclose(read.log_density["log likelihood"], values(3).sum(axis=2) + values())


@pytest.mark.parametrize(
    "density", [np.where(values() == values().max(), np.nan, values()),
                (("chain", "step"), values()),
                (("chain", "draw"), values()[:, :3]), (("chain", "draw", "k"), values(2))])
def test_a_log_density_of_other_draws_is_left_out(density):
    read = read_means(statistics(lp=density))
    assert read.log_density == {}


def test_divergences_are_counted_in_each_chain():
    diverging = np.zeros((2, 16), dtype=int)
    diverging[1, :3] = 2
    read = read_means(statistics(diverging=diverging))
    for dims, values_ in ((DIMS[:2], diverging), (DIMS[1::-1], diverging.T)):
        read = read_means(statistics(diverging=(dims, values_)))
        assert read.diverged.sum(axis=1).tolist() == [0, 3] and read.log_density == {}
    for other in ((("chain", "draw"), diverging[:1]), ("chain", diverging[:, 0])):
        assert read_means(statistics(diverging=other)).diverged is None
