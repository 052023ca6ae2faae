"""Each step from a trace to the labelling of its draws, against the same by loops or by hand."""

from itertools import permutations

import numpy as np
import pytest
import xarray as xr
from mixtures import labels
from scipy.stats import norm


def orders(n_component):
    return [list(order) for order in permutations(range(n_component))]


def log_density(z, pivot, scale, order):
    """Return the log density of one draw [component, entry] with its components taken in an order."""
    return norm.logpdf(z[order], pivot, scale).sum()


@pytest.fixture(params=[(2, 1), (3, 2), (4, 1)], ids=lambda p: "{} components of {}".format(*p))
def some(request):
    """Some draws [draw, component, entry], a pivot and scales."""
    n_component, n_entry = request.param
    rng = np.random.default_rng(n_component)
    pivot, scale = rng.normal(0, 2, (n_component, n_entry)), rng.uniform(0.3, 2, (n_component, n_entry))
    return rng.normal(0, 2, (40, n_component, n_entry)), pivot, scale


# the odds


def test_costs_are_those_of_gaussians(some):
    z, pivot, scale = some
    found = labels._cost(z, pivot, scale)
    peak = norm.logpdf(pivot, pivot, scale).sum(axis=1)
    expected = [[[peak[k] - norm.logpdf(one, pivot[k], scale[k]).sum() for k in range(len(pivot))] for one in draw]
                for draw in z]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_the_odds_are_those_of_exchanging_two_labels(some):
    z, pivot, scale = some
    rng = np.random.default_rng(0)
    chosen = np.array([rng.permutation(len(pivot)) for _ in z])
    found = labels._swap_odds(labels._cost(z, pivot, scale), chosen)
    for draw, order, odds in zip(z, chosen, found, strict=True):
        for j in range(len(pivot)):
            for k in range(len(pivot)):
                other = order.copy()
                other[[j, k]] = order[[k, j]]
                before, after = (log_density(draw, pivot, scale, o) for o in (order, other))
                assert odds[j, k] == pytest.approx(before - after, abs=1e-10)


# the pivot


def test_a_fixed_point_is_the_mean_and_the_spread_of_the_draws_nearest_to_it(some):
    z, pivot, scale = some
    objective, centre, spread = labels._fixed_point(z, pivot, scale)
    best = [max(orders(len(pivot)), key=lambda o: log_density(draw, centre, spread, o)) for draw in z]
    aligned = np.array([draw[order] for draw, order in zip(z, best, strict=True)])
    np.testing.assert_allclose(centre, aligned.mean(axis=0))
    np.testing.assert_allclose(spread, aligned.std(axis=0))
    # the mean log density of the draws, but for its sign and a constant
    total = np.mean([log_density(draw, centre, spread, order) for draw, order in zip(z, best, strict=True)])
    assert objective == pytest.approx(-total - centre.size * np.log(2 * np.pi) / 2)


def test_what_does_not_move_has_the_smallest_scale():
    z = np.tile([[0.0], [1.0]], (10, 1, 1))
    _, pivot, scale = labels._fixed_point(z, z[0], np.ones((2, 1)))
    np.testing.assert_array_equal(pivot, [[0], [1]])
    np.testing.assert_array_equal(scale, labels.SMALLEST_SCALE)


def test_the_pivot_is_the_best_end_of_its_starts_carried_on_over_all_draws(monkeypatch):
    """With three starts among 5 of 9 draws, whose ends are worth 3, 1 and 2."""
    z = np.arange(9.0)[:, None, None] * np.ones((1, 2, 1))
    seen = []

    def end(draws, pivot, scale):
        seen.append((len(draws), pivot[0, 0], scale[0, 0]))
        return [3.0, 1.0, 2.0, 0.0][len(seen) - 1], pivot + 100, scale + 1

    monkeypatch.setattr(labels, "_fixed_point", end)
    monkeypatch.setattr(labels, "STARTS", 3)
    monkeypatch.setattr(labels, "THINNED", 4)
    pivot, scale = labels._pivot(z)
    # every second draw; the first, the middle one and the last of them; and the second end, over all
    assert seen == [(5, 0.0, 1.0), (5, 4.0, 1.0), (5, 8.0, 1.0), (9, 104.0, 2.0)]
    assert (pivot == 204).all() and (scale == 3).all()
    seen.clear()
    labels._pivot(z[:3])
    assert [n for n, *_ in seen] == [3, 3, 3, 3], "of so few, all"


# switches and modes

KEEP, TURN = [0, 1], [1, 0]


def modes(orders_by_chain, margins=None, group=None, chains=None):
    """Return switches and modes of two or more components, whose pairs are all equally sure."""
    perm = np.array(orders_by_chain)
    n_component = perm.shape[2]
    odds = np.full((*perm.shape[:2], n_component, n_component), 100.0)
    if margins is not None:
        odds[:] = np.array(margins, dtype=float)[:, :, None, None]
    group = np.arange(n_component) if group is None else np.array(group)
    chains = np.arange(len(perm)) if chains is None else np.array(chains)
    return tuple(found.tolist() for found in labels._modes(perm, odds, group, chains))


def test_a_mode_is_the_labelling_of_most_draws_and_the_commonest_of_chains_is_0():
    assert modes([[KEEP] * 4, [TURN] * 4, [TURN] * 4]) == ([0, 0, 0], [1, 0, 0])
    assert modes([[KEEP] * 4, [TURN] * 4]) == ([0, 0], [0, 1])
    assert modes([[TURN] * 4, [KEEP] * 4]) == ([0, 0], [0, 1]), "of equally many the first"
    assert modes([[KEEP, TURN, TURN, KEEP, TURN], [KEEP] * 5]) == ([3, 0], [0, 1])


def test_three_labellings_are_named_by_how_many_chains_have_them():
    a, b, c = [0, 1, 2], [1, 2, 0], [2, 0, 1]
    assert modes([[a] * 3, [b] * 3, [c] * 3, [c] * 3, [b] * 3, [c] * 3]) == ([0] * 6, [2, 1, 0, 0, 1, 0])


def test_a_draw_that_is_not_sure_keeps_the_labels_of_the_last_that_was():
    sure, unsure = 100.0, 1.0
    assert modes([[KEEP, TURN, KEEP, KEEP]], [[sure, unsure, sure, sure]])[0] == [0]
    assert modes([[KEEP, TURN, KEEP, KEEP]], [[sure, sure, sure, sure]])[0] == [2]
    assert modes([[KEEP, TURN, TURN, KEEP]], [[sure, sure, unsure, sure]])[0] == [2]
    # those before the first that is sure have its labels
    assert modes([[TURN, TURN, KEEP, KEEP]], [[unsure, unsure, sure, sure]])[0] == [0]
    assert modes([[TURN, TURN, KEEP, TURN, KEEP]], [[unsure, sure, sure, unsure, sure]])[0] == [1]


def test_a_chain_that_is_never_sure_has_the_mode_of_most_of_its_draws():
    sure, unsure = [100.0] * 5, [1.0] * 5
    assert modes([[KEEP] * 5, [TURN, KEEP, TURN, KEEP, TURN]], [sure, unsure]) == ([0, 0], [0, 1])
    assert modes([[KEEP] * 5, [TURN, KEEP, KEEP, KEEP, TURN]], [sure, unsure]) == ([0, 0], [0, 0])


def test_sure_is_20_to_1_and_half_way():
    half_way = [[8.0, 8.0, 8.0, 8.0, 4.0, 3.99]]
    assert modes([[KEEP, KEEP, KEEP, KEEP, TURN, KEEP]], half_way)[0] == [1]
    assert modes([[KEEP, KEEP, KEEP, KEEP, KEEP, TURN]], half_way)[0] == [0]
    close = [[4.0, 4.0, 4.0, np.log(20) + 1e-9, 4.0, np.log(20) - 1e-9]]
    assert modes([[KEEP, KEEP, KEEP, TURN, KEEP, KEEP]], close)[0] == [2]
    assert modes([[KEEP, KEEP, KEEP, KEEP, KEEP, TURN]], close)[0] == [0]
    # the usual margin is that of the chains asked for
    margins = [[8.0] * 4, [90.0] * 4]
    assert modes([[KEEP, TURN, KEEP, KEEP], [KEEP] * 4], margins, chains=[0])[0] == [2, 0]
    assert modes([[KEEP, TURN, KEEP, KEEP], [KEEP] * 4], margins, chains=[1])[0] == [0, 0]


def test_labels_within_a_group_count_as_one():
    a, b, c = [0, 1, 2], [1, 0, 2], [0, 2, 1]
    assert modes([[a, b, a, b], [b] * 4], group=[0, 0, 1]) == ([0, 0], [0, 0])
    assert modes([[a, b, a, b], [b] * 4], group=[0, 1, 1]) == ([3, 0], [0, 1])
    assert modes([[a, c, a, b], [c] * 4], group=[0, 0, 1]) == ([2, 0], [0, 1])
    assert modes([[a, b], [c, c]], group=[0, 0, 0]) == ([0, 0], [0, 0])
    counts = labels._modes(np.array([[a, b]]), np.zeros((1, 2, 3, 3)), np.zeros(3, dtype=int), np.array([0]))
    assert [array.dtype.kind for array in counts] == ["i", "i"]


def test_only_pairs_across_groups_can_be_unsure():
    """The odds of components 0 and 1 are poor, and they are one group: the others are sure all the same."""
    perm = np.array([[[0, 1, 2], [0, 2, 1], [0, 1, 2], [0, 1, 2]]])
    odds = np.full((1, 4, 3, 3), 100.0)
    odds[..., 0, 1] = odds[..., 1, 0] = 0.0
    find = labels._modes
    assert find(perm, odds, np.array([0, 0, 1]), np.array([0]))[0] == [2]
    assert find(perm, odds, np.array([0, 1, 2]), np.array([0]))[0] == [0]


def test_the_least_sure_pair_decides():
    perm = np.array([[[0, 1, 2], [1, 2, 0], [0, 1, 2], [0, 1, 2]]])
    odds = np.full((1, 4, 3, 3), 100.0)
    for j, k in ((0, 1), (0, 2), (1, 2)):
        less = odds.copy()
        less[0, 1, [j, k], [k, j]] = 1.0
        assert labels._modes(perm, less, np.arange(3), np.array([0]))[0] == [0]
    assert labels._modes(perm, odds, np.arange(3), np.array([0]))[0] == [2]


def test_stuck_apart_is_to_keep_to_one_labelling_and_not_all_to_the_same():
    def stuck(*shares):
        chains = [[TURN] * round(100 * share) + [KEEP] * round(100 * (1 - share)) for share in shares]
        return labels._stuck_apart(np.array(chains))

    assert stuck(0, 1) and stuck(0.02, 0.98) and stuck(1, 0, 0)
    assert not stuck(0, 0) and not stuck(1, 1) and not stuck(0.01, 0.02)
    assert not stuck(0.03, 1) and not stuck(0, 0.97) and not stuck(0.5, 0.5)


# the whole


def by_loops(x, chains):
    """Return the labelling of draws [chain, draw, component, entry]: permutation, odds, overlap and twins."""
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
    overlap, twins = np.zeros((n_component, n_component)), np.zeros((n_component, n_component), dtype=bool)
    for j, k in np.ndindex(*overlap.shape):
        if j != k:
            mine = odds[chains, :, j, k]
            overlap[j, k] = np.mean(mine <= min(np.median(mine) / 4, 5))
            apart = [np.abs(z[c, t, best[c, t, j]] - z[c, t, best[c, t, k]]).max() for c in chains for t in range(n_draw)]
            twins[j, k] = np.mean(np.array(apart) < labels.SMALLEST_SCALE) > 0.5
    return best, odds, overlap, twins


def compare(values, chains):
    """Set the labelling of draws against that by loops."""
    found = labels.find(values, np.array(chains))
    best, odds, overlap, twins = by_loops(np.concatenate([*values.values()], axis=3), chains)
    np.testing.assert_array_equal(found.permutation, best)
    np.testing.assert_allclose(found.overlap, overlap, atol=1e-12)
    np.testing.assert_array_equal(found.twins, twins)
    # chained overlaps are one group
    group = np.arange(len(overlap))
    if not labels._stuck_apart(best[chains]):
        for j, k in np.argwhere(overlap >= labels.OVERLAP):
            group[group == group[k]] = group[j]
    switches, mode = labels._modes(best, odds, group, np.array(chains))
    np.testing.assert_array_equal(found.switches, switches)
    np.testing.assert_array_equal(found.mode, mode)


@pytest.mark.parametrize("chains", [[0, 1, 2], [0, 2]])
@pytest.mark.parametrize("gap", [0.5, 2.0, 6.0])
@pytest.mark.parametrize("n_component", [2, 3])
def test_the_labelling_is_that_of_loops(n_component, gap, chains):
    rng = np.random.default_rng(n_component)
    means = rng.normal(0, 1, (3, 40, n_component, 1)) + gap * np.arange(n_component)[:, None]
    scales = rng.normal(5, 0.1, (3, 40, n_component, 2)) + np.arange(n_component)[:, None] * [0.3, 0.0]
    means[:, ::7], scales[:, ::7] = means[:, ::7, ::-1], scales[:, ::7, ::-1]
    means[1] += 3
    compare({"means": means, "sigma": scales}, chains)


@pytest.mark.parametrize("chains", [[0, 1, 2], [0, 2]])
def test_the_labelling_of_chains_stuck_apart_is_that_of_loops(chains):
    """Their components overlap and their labels count all the same; a chain that is left out is surer than they are."""
    x = np.random.default_rng(1).normal(0, 1, (3, 60, 3, 1)) + np.array([[0], [4.5], [14]])
    x[1] *= 5
    x[2] = x[2, :, [1, 0, 2]].transpose(1, 0, 2)
    compare({"x": x}, chains)


def test_what_is_sure_is_so_by_the_chains_that_count():
    """The others lie so far apart that, were they asked, nothing in the first would be sure."""
    x = np.random.default_rng(1).normal(0, 1, (3, 60, 2, 1)) + np.array([[0], [6]])
    x[1:, :, 1] += 60
    x[0, 30:] = x[0, 30:, ::-1].copy()
    compare({"x": x}, [0])
    assert labels.find({"x": x}, np.array([0])).switches[0] == 1


def test_log_odds_of_5_are_an_overlap_wherever_the_usual_ones_are():
    x = np.random.default_rng(1).normal(0, 1, (1, 400, 2, 1)) + np.array([[0], [6]])
    x[0, :60, 1, 0] = x[0, :60, 0, 0] + np.linspace(0, 6, 60)
    compare({"x": x}, [0])


def test_where_nothing_moves_all_labels_are_kept():
    still = labels.find({"x": np.tile([[0.0], [3.0]], (2, 9, 1, 1))})
    assert (still.permutation == [0, 1]).all() and still.switches.tolist() == still.mode.tolist() == [0, 0]


def test_twins_are_equal_in_most_draws_and_in_all_entries():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, 100, 3, 2)) * 0.1 + np.array([[0, 0], [3, 0], [6, 0]])
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
        np.testing.assert_array_equal(alone.permutation, both.permutation)
        np.testing.assert_array_equal(alone.overlap, both.overlap)
    small = labels.find({"x": 1e-15 * moving, "still": large})
    np.testing.assert_array_equal(small.overlap, alone.overlap)


def test_the_labelling_is_right_far_from_zero():
    x = np.random.default_rng(0).normal(size=(2, 50, 2, 1)) + np.array([[0.0], [2.0]])
    np.testing.assert_array_equal(labels.find({"x": x + 1e8}).overlap, labels.find({"x": x}).overlap)


def test_relabelled_takes_each_draws_components_in_the_pivots_order():
    array = np.arange(12).reshape(1, 2, 3, 2)
    found = labels.relabelled(array, np.array([[[1, 2, 0], [0, 2, 1]]]))
    np.testing.assert_array_equal(found[0, 0], array[0, 0, [1, 2, 0]])
    np.testing.assert_array_equal(found[0, 1], array[0, 1, [0, 2, 1]])
    np.testing.assert_array_equal(labels.relabelled(array[..., 0], np.array([[[1, 2, 0], [0, 2, 1]]])), found[..., 0])


# a trace read

DIMS = ("chain", "draw", "component")


def tree(stats=None, likelihood=None, **variables):
    groups = {"posterior": xr.Dataset(variables, {"chain": [3, 7]}), "sample_stats": stats, "log_likelihood": likelihood}
    return xr.DataTree.from_dict({name: group for name, group in groups.items() if group is not None})


def values(*shape):
    return np.random.default_rng(0).normal(size=(2, 4, *shape))


def test_variables_are_read_in_their_order_with_entries_last():
    wide, b, a = values(2, 2, 3), values(2), values(2)
    read = labels.read(tree(
        wide=(("row", "draw", "chain", "column", "component"), wide.transpose(3, 1, 0, 4, 2)), b=(DIMS, b), a=(DIMS, a),
        total=(DIMS[:2], values()), permutation=(DIMS, values(2)), pairs=(("component", "component_to"), np.ones((2, 2)))
    ), ["a", "b", "a"], "component")
    assert [*read.values] == ["a", "b", "wide"] and read.named == ("a", "b")
    np.testing.assert_array_equal(read.values["a"], a[..., None])
    np.testing.assert_array_equal(read.values["wide"], wide.reshape(2, 4, 2, 6))
    assert read.chains.tolist() == [3, 7]
    assert (read.log_density, read.divergences, read.notes) == ({}, None, ())


def test_chains_without_names_are_counted():
    assert labels.read(xr.DataArray(values(2), dims=DIMS), "x", "component").chains.tolist() == [0, 1]


def test_whole_numbers_and_truths_are_numbers():
    read = labels.read(tree(n=(DIMS, values(2) > 0), u=(DIMS, values(2).astype(np.uint8))), "n", "component")
    assert {array.dtype for array in read.values.values()} == {np.dtype(float)}


def test_what_is_left_out_is_named_with_its_reason():
    holed = values(2)
    holed[0, 0, 0] = np.nan
    read = labels.read(tree(
        means=(DIMS, values(2)), words=(DIMS, np.full((2, 4, 2), "a")), move=((*DIMS, "component_to"), values(2, 2)),
        holed=(DIMS, holed), many=((*DIMS, "obs"), values(2, 65)), enough=((*DIMS, "other"), values(2, 64)),
    ), "means", "component")
    assert read.notes == (
        "words is left out: it does not hold real numbers",
        "move is left out: it belongs to pairs of components",
        "holed is left out: it has draws that are NaN or infinite",
        "many is left out: it has more than 64 numbers in each component",
    )
    assert [*read.values] == ["means", "enough"]


def test_what_is_asked_for_is_read_with_its_holes_and_its_many_numbers():
    many = values(2, 65)
    many[0, 0, 0] = np.nan
    read = labels.read(tree(many=((*DIMS, "obs"), many)), "many", "component")
    np.testing.assert_array_equal(read.values["many"], many)
    assert read.notes == ()


def statistics(**variables):
    return xr.Dataset({name: v if isinstance(v, tuple) else (("chain", "draw"), v) for name, v in variables.items()})


def test_the_log_density_is_read_by_any_of_its_names():
    density = values()
    for name in ("lp", "logp", "lp__"):
        read = labels.read(tree(statistics(**{name: density}), means=(DIMS, values(2))), "means", "component")
        np.testing.assert_array_equal(read.log_density["log density"], density)
    both = statistics(logp=density, lp=(("draw", "chain"), 2 * density.T))
    read = labels.read(tree(both, means=(DIMS, values(2))), "means", "component")
    np.testing.assert_array_equal(read.log_density["log density"], 2 * density)


def test_the_log_likelihood_is_the_sum_over_all_observations():
    parts = xr.Dataset({"y": (("obs", "draw", "chain"), values(3).transpose(2, 1, 0)), "w": (DIMS[:2], values())})
    read = labels.read(tree(likelihood=parts, means=(DIMS, values(2))), "means", "component")
    np.testing.assert_allclose(read.log_density["log likelihood"], values(3).sum(axis=2) + values())
    assert labels.read(tree(likelihood=xr.Dataset(), means=(DIMS, values(2))), "means", "component").log_density == {}


@pytest.mark.parametrize(
    "density", [np.where(values() == values().max(), np.nan, values()), (("chain", "step"), values()),
                (("chain", "draw"), values()[:, :3]), (("chain", "draw"), values()[:1]), (("chain", "draw", "k"), values(2))],
)
def test_a_log_density_of_other_draws_is_left_out(density):
    read = labels.read(tree(statistics(lp=density), means=(DIMS, values(2))), "means", "component")
    assert read.log_density == {}


def test_divergences_are_counted_in_each_chain():
    diverging = np.zeros((2, 4), dtype=int)
    diverging[1, :3] = 2
    read = labels.read(tree(statistics(diverging=diverging), means=(DIMS, values(2))), "means", "component")
    assert read.divergences.tolist() == [0, 3] and read.log_density == {}
    for other in ((("chain", "draw"), diverging[:1]), (("draw", "chain"), diverging.T), ("chain", diverging[:, 0])):
        read = labels.read(tree(statistics(diverging=other), means=(DIMS, values(2))), "means", "component")
        assert read.divergences is None
