"""Whether chains agree: quantities by hand, R-hat and ESS by ArviZ on one quantity at a time."""

import numpy as np
import pytest
import xarray as xr
from arviz_stats import ess, rhat
from mixtures.switching import agreement
from mixtures.trace import Trace
from numpy.testing import assert_array_equal
from scipy.stats import chi2, norm, rankdata


def trace(density=None, **values):
    """Return a trace of arrays [chain, draw, component, entry]."""
    n_chain = len(next(iter(values.values())))
    return Trace(values, tuple(values), np.arange(n_chain), density or {})


def quantities(found):
    return {name: (kind, draws.tolist()) for name, kind, draws in found}


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


PLACE = np.array([[[[3.0, 0.0], [1.0, 4.0], [2.0, 9.0]], [[5.0, 1.0], [6.0, 1.0], [4.0, 1.0]]]])
WEIGHT = np.array([[[[0.5], [0.2], [0.3]], [[0.1], [0.2], [0.7]]]])


def test_raw_labels_are_the_entries_as_they_are():
    found = quantities(agreement.raw_labels(trace(place=PLACE, w=WEIGHT)))
    assert found == {
        "place[0, 0]": ("raw labels", [[3, 5]]), "place[0, 1]": ("raw labels", [[0, 1]]),
        "place[1, 0]": ("raw labels", [[1, 6]]), "place[1, 1]": ("raw labels", [[4, 1]]),
        "place[2, 0]": ("raw labels", [[2, 4]]), "place[2, 1]": ("raw labels", [[9, 1]]),
        "w[0]": ("raw labels", [[0.5, 0.1]]), "w[1]": ("raw labels", [[0.2, 0.2]]),
        "w[2]": ("raw labels", [[0.3, 0.7]]),
    }


def test_label_free_quantities_are_sorted_relabelled_summed_and_apart():
    density = np.array([[-3.0, -4.0]])
    order = np.array([[[1, 2, 0], [2, 0, 1]]])
    every = agreement.label_free(trace({"log density": density}, place=PLACE, w=WEIGHT), order)

    def of_kind(wanted):
        return {name: draws[0].tolist() for name, kind, draws in every if kind == wanted}

    assert of_kind("sorted") == {
        "sorted place[0, 0]": [1, 4], "sorted place[0, 1]": [0, 1],
        "sorted place[1, 0]": [2, 5], "sorted place[1, 1]": [4, 1],
        "sorted place[2, 0]": [3, 6], "sorted place[2, 1]": [9, 1],
        "sorted w[0]": [0.2, 0.1], "sorted w[1]": [0.3, 0.2], "sorted w[2]": [0.5, 0.7]}
    assert of_kind("relabelled") == {
        "relabelled place[0, 0]": [1, 4], "relabelled place[0, 1]": [4, 1],
        "relabelled place[1, 0]": [2, 5], "relabelled place[1, 1]": [9, 1],
        "relabelled place[2, 0]": [3, 6], "relabelled place[2, 1]": [0, 1],
        "relabelled w[0]": [0.2, 0.7], "relabelled w[1]": [0.3, 0.1],
        "relabelled w[2]": [0.5, 0.2],
    }
    assert of_kind("sums") == {
        "sum of place[0]": [6, 15], "sum of place[1]": [13, 3]}, "and w sums to one"
    apart = {
        "place": np.sort([[np.hypot(2, 4), np.hypot(1, 9), np.hypot(1, 5)], [1, 1, 2]]).T,
        "w": ([0.1, 0.1], [0.2, 0.5], [0.3, 0.6])}
    assert of_kind("distances") == {
        f"distance {i} in {name}": pytest.approx(d)
        for name, several in apart.items() for i, d in enumerate(several)}
    assert of_kind("log density") == {"log density": [-3, -4]}
    assert len(every) == 9 + 9 + 2 + 6 + 1


def test_of_many_distances_some_are_taken_from_the_smallest_to_the_largest():
    many = Trace({"w": np.random.default_rng(0).normal(size=(1, 4, 8, 1))}, ("w",), np.arange(1))
    far = [q for q in agreement.label_free(many, np.tile(np.arange(8), (1, 4, 1)))
           if q[1] == "distances"]
    assert len(far) == 10 and far[0][0] == "distance 0 in w" and far[-1][0] == "distance 27 in w"


def within(draws):
    """Return the effective draws of half a chain of one quantity [chain, draw], half by half."""
    n = draws.shape[1] // 2
    halves = np.concatenate([(chain[:n], chain[-n:]) for chain in draws])

    def effective(values):
        scores = norm.ppf((rankdata(values).reshape(values.shape) - 0.375) / (values.size + 0.25))
        scores = scores - scores.mean(axis=1, keepdims=True)
        whole = xr.DataArray(scores.reshape(len(draws), 2 * n), dims=("chain", "draw"))
        return np.clip(float(ess(whole, method="mean")) / len(halves), 1, n)

    return min(effective(halves), effective(np.abs(halves - np.median(halves))))


@pytest.mark.parametrize(("n_chain", "n_draw"), [(4, 100), (2, 51), (1, 101)])
def test_scores_are_those_of_arviz_on_each_quantity(n_chain, n_draw):
    slow = 0.3 * noise(n_chain, n_draw, seed=1).cumsum(axis=1)
    every = {
        "quick": noise(n_chain, n_draw), "slow": slow,
        "uneven": np.exp(noise(n_chain, n_draw, seed=2)),
        "tied": np.round(noise(n_chain, n_draw, seed=3))}
    found = agreement.convergence([(name, name.upper(), draws) for name, draws in every.items()])
    assert found["quantity"].values.tolist() == [*every]
    assert found["kind"].values.tolist() == ["QUICK", "SLOW", "UNEVEN", "TIED"]
    degrees = 2 * n_chain - 1
    for name, draws in every.items():
        one = found.sel(quantity=name)
        array = xr.DataArray(draws, dims=("chain", "draw"))
        halves = np.concatenate([draws[:, : n_draw // 2], draws[:, -(n_draw // 2) :]])
        even = xr.DataArray(halves, dims=("chain", "draw"))
        assert float(one["rhat"]) == pytest.approx(float(rhat(array if n_chain > 1 else even)))
        assert float(one["ess"]) == pytest.approx(float(ess(array)))
        lift = np.sqrt(1 + chi2.isf(1e-3 / 8, degrees) / degrees / within(draws))
        assert float(one["alarm"]) == pytest.approx(np.clip(lift, 1.01, 1.1))


def test_the_alarm_lies_between_the_strict_rule_and_the_older_one():
    many, few = (agreement.convergence([("x", "", noise(4, n))]) for n in (20_000, 20))
    assert float(many["alarm"].item()) == 1.01 and float(few["alarm"].item()) == 1.1


@pytest.mark.parametrize("n_chain", [1, 2, 4])
@pytest.mark.parametrize("n_quantity", [1, 3])
def test_draws_are_enough_where_independent_ones_would_keep_below_the_older_rule(
    n_chain, n_quantity
):
    degrees = 2 * n_chain - 1
    half = chi2.isf(1e-3 / (2 * n_quantity), degrees) / degrees / (1.1**2 - 1)
    for n_draw, expected in ((2 * int(np.ceil(half)), True), (2 * int(np.ceil(half)) - 2, False)):
        draws = [noise(n_chain, n_draw, seed=i) for i in range(n_quantity)]
        found = agreement.convergence([(str(i), "", one) for i, one in enumerate(draws)])
        assert found.attrs == {"enough_draws": expected}


def test_what_never_moves_has_no_score():
    still, rounded = np.full((2, 50), 7.0), 7.0 + 1e-10 * noise(2, 50)
    each_its_own = np.repeat([[1.0], [2.0]], 50, axis=1)
    every = {"still": still, "rounded": rounded, "x": noise(2, 50), "small": 1e-12 * noise(2, 50)}
    found = agreement.convergence([(name, "", draws) for name, draws in every.items()])
    assert found["quantity"].values.tolist() == ["x", "small"]
    assert agreement.failing(quantity(noise(2, 50)), found) == []
    with np.errstate(all="ignore"):
        found = agreement.convergence([("own", "", each_its_own), ("x", "", noise(2, 50))])
    assert [name for name, *_ in agreement.failing([("own", "", each_its_own)], found)] == ["own"]


@pytest.mark.parametrize(("value", "alarm", "fails"), [
    (1.0, 1.01, False),
    (1.01, 1.01, False),
    (1.011, 1.01, True),
    (np.inf, 1.1, True),
    (np.nan, 1.1, True),
])
def test_an_r_hat_above_the_alarm_fails_and_so_does_one_that_is_no_number(value, alarm, fails):
    scores = {"rhat": ("quantity", [value]), "alarm": ("quantity", [alarm])}
    found = agreement.failing(quantity(noise(2, 50)), xr.Dataset(scores, {"quantity": ["x"]}))
    assert bool(found) is fails


def quantity(draws):
    return [("x", "", draws)]


def sound(draws):
    """Return which chains of a quantity are sound, all of which move."""
    return agreement.sound_chains(quantity(draws), np.ones(len(draws), dtype=bool)).tolist()


def test_the_farthest_chains_are_left_out_one_by_one():
    draws = noise(5, 200)
    draws[3] += 3
    every, three = np.ones(5, dtype=bool), np.arange(5) != 3
    assert_array_equal(agreement.sound_chains(quantity(draws), every), three)
    draws[0] -= 9
    assert_array_equal(agreement.sound_chains(quantity(draws), every), three & (np.arange(5) != 0))
    assert every.all(), "what it was given is as it was"


@pytest.mark.parametrize("wide", range(4))
def test_a_chain_may_differ_in_width_alone(wide):
    half = noise(4, 250)
    # the centres are the same, but for one that is another by less than chance allows
    draws = np.concatenate([half, -half], axis=1)
    draws[wide - 1] += 0.05
    draws[wide] *= 6
    assert np.flatnonzero(~np.array(sound(draws))).tolist() == [wide]


def test_chains_that_do_not_move_are_not_sound_and_do_not_count():
    draws = noise(4, 200)
    draws[0] += 50
    moving = np.array([False, True, True, True])
    assert agreement.sound_chains([], moving).tolist() == moving.tolist()
    assert agreement.sound_chains(quantity(draws), moving).tolist() == moving.tolist()


def test_no_chain_is_sound_where_no_two_agree():
    draws = noise(4, 200) + 20 * np.arange(4)[:, None]
    assert sound(draws) == [False] * 4
    assert sound(draws[:2]) == [False] * 2
    assert not agreement.sound_chains(quantity(draws), np.array([True, False, False, False])).any()
