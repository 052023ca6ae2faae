"""The diagnosis of a trace: right on made and on real ones, and clear about what it cannot tell."""

import numpy as np
import pytest
import xarray as xr
from mixtures import data, models, relabel, sampling, switching
from mixtures.switching import BETWEEN, COLLAPSED, NONE, NOT, NOT_ONLY, OVERLAPPING, UNKNOWN, WITHIN
from numpy.testing import assert_array_equal

DIMS = ("chain", "draw", "component")
THREE, FIVE = (-3.0, 0.0, 2.0), (-6.0, -3.0, 0.0, 2.0, 5.0)
CYCLE = (1, 2, 0)


def draws(centres, sd=0.2, chains=4, n=500, seed=0, rho=0.0):
    """Return Gaussian draws [chain, draw, component, ...], autocorrelated within chains."""
    rng = np.random.default_rng(seed)
    centres = np.asarray(centres, dtype=float)
    noise = rng.normal(size=(chains, n, *centres.shape))
    for t in range(1, n):
        noise[:, t] = rho * noise[:, t - 1] + np.sqrt(1 - rho**2) * noise[:, t]
    return centres + np.asarray(sd) * noise


def swap(array, chain, order=(1, 0), start=0, stop=None):
    """Return a copy in which a chain has its labels permuted from one draw to another."""
    copy = array.copy()
    for c in np.atleast_1d(chain):
        copy[c, start:stop] = array[c, start:stop][:, list(order)]
    return copy


def shift(array, chain, by):
    copy = array.copy()
    copy[chain] = copy[chain] + by
    return copy


def trace(*, chains=None, dims=DIMS, diverging=None, lp=None, **variables):
    """Return a DataTree of the variables, with sample statistics as asked for."""
    posterior = xr.Dataset({
        name: (dims + tuple(f"{name}_{i}" for i in range(v.ndim - 3)), v)
        for name, v in variables.items()})
    groups = {"posterior": posterior}
    stats = {k: (DIMS[:2], v) for k, v in (("diverging", diverging), ("lp", lp)) if v is not None}
    if stats:
        groups["sample_stats"] = xr.Dataset(stats)
    return xr.DataTree.from_dict(groups)


def flip(array, chance, seed=1):
    """Return a copy in which K = 2 labels are exchanged at random moments."""
    rng = np.random.default_rng(seed)
    turned = (rng.random(array.shape[:2]) < chance).cumsum(axis=1) % 2 == 1
    copy = array.copy()
    copy[turned] = copy[turned][:, ::-1]
    return copy


def both(variables, change, *args):
    """Apply one relabelling to several variables."""
    return {name: change(v, *args) for name, v in variables.items()}


def some_divergences(count, chains=4, n=500):
    found = np.zeros((chains, n), dtype=bool)
    found[0, :count] = True
    return found


def simplex(alpha, chains=4, n=500, seed=3):
    return np.random.default_rng(seed).dirichlet(alpha, size=(chains, n))


TWO = draws((-1, 1))
TRI = draws(THREE)
QUIN = draws(FIVE)
EIGHT = draws((-1, 1), chains=8)
PAIR = draws((-1, 1), chains=2)
FULL = {
    "means": draws((-1, 1), seed=1), "sigma": draws((1, 2), 0.1, seed=2), "w": simplex((30, 60))}
SIGMA = {"means": draws((0, 0), seed=1), "sigma": draws((1, 3), 0.15, seed=2)}
PLANE = draws([[-1, 0, 1], [1, 0, 0]])
WEIGHTS3 = simplex((20, 30, 50))
LP = draws((-180,), 1.0)[:, :, 0]
MOVED = TWO.copy()
MOVED[3] = draws((-1, 4), chains=1, seed=9)[0]
MERGED = TWO.copy()
MERGED[3] = draws((1, 1), chains=1, seed=9)[0]
DRIFT = TWO.copy()
DRIFT[2] += np.linspace(0, 2, 500)[:, None]
CROSSED = {"means": TWO, "sigma": draws((1, 2), 0.1, seed=2)}
CROSSED["sigma"] = swap(CROSSED["sigma"], 3)
FROZEN = TWO.copy()
FROZEN[1] = FROZEN[1, :1]
EMPTY3 = {"means": draws((-1, 1, 0), (0.2, 0.2, 3.0), seed=4), "w": simplex((500, 500, 1))}
HEAVY = np.abs(np.random.default_rng(6).standard_cauchy(TWO.shape))
RARE = {"means": draws((0, 12), (0.01, 0.2), seed=1), "w": simplex((4980, 20))}
TWINS = np.concatenate([TWO, TWO[:, :, 1:]], axis=2)
STUCK3 = swap(TRI, 3, CYCLE)
GROUPS = draws([[-1, -2, 0], [1, 3, 3]])
GROUPS[1, :, :, 0] = GROUPS[1, :, ::-1, 0]
GROUPS[2, :, :, 1] = GROUPS[2, :, ::-1, 1]
SPREAD = TWO.copy()
SPREAD[1] = draws((-1, 1), 0.8, chains=1, seed=5)[0]
OVERLAP3 = draws((0.0, 0.1, 5.0))

CASES = {
    # all chains in the same mode
    "same mode": (trace(means=TWO), NONE),
    "same mode, 2 chains": (trace(means=PAIR), NONE),
    "same mode, K = 5": (trace(means=QUIN), NONE),
    "same mode, three variables": (trace(**FULL), NONE),
    "same mode, unequal scales": (trace(means=draws((-1, 1), (0.05, 0.4))), NONE),
    # some divergences, a tail that is heavy, and a component that is rare
    "one divergence": (trace(means=TWO, diverging=some_divergences(1)), NONE),
    "a heavy tail": (trace(means=TWO, scale=HEAVY), NONE),
    "rare": (trace(**RARE), NONE),
    # stuck
    "stuck 3-1": (trace(means=swap(TWO, 3)), BETWEEN),
    "stuck 2-2": (trace(means=swap(TWO, [1, 2])), BETWEEN),
    "stuck 1-1": (trace(means=swap(PAIR, 1)), BETWEEN),
    "stuck, K = 3, four modes": (
        trace(means=swap(swap(STUCK3, 2, (2, 0, 1)), 1, (1, 0, 2))), BETWEEN),
    "stuck, K = 5": (
        trace(means=swap(swap(QUIN, 3, (4, 2, 0, 1, 3)), 1, (1, 0, 2, 3, 4))), BETWEEN),
    "stuck, three variables": (trace(**both(FULL, swap, 2)), BETWEEN),
    "stuck, beside a heavy tail": (trace(means=swap(TWO, 1), scale=swap(HEAVY, 1)), BETWEEN),
    "stuck, K = 3 with weights": (
        trace(**both({"means": TRI, "w": WEIGHTS3}, swap, 3, CYCLE)), BETWEEN),
    "stuck, only sigma has labels": (trace(**both(SIGMA, swap, [0, 3])), BETWEEN),
    "stuck, means in space": (trace(means=swap(PLANE, 1)), BETWEEN),
    "stuck, two of three overlap": (trace(means=swap(OVERLAP3, 3, (2, 1, 0))), BETWEEN),
    # switching within chains
    "one switch": (trace(means=swap(TWO, 1, stop=180)), WITHIN),
    "one switch, near the end": (trace(means=swap(TWO, 1, start=490)), WITHIN),
    "at every other draw": (trace(means=flip(TWO, 0.5)), WITHIN),
    "one switch, K = 3, cycle": (trace(means=swap(TRI, 1, CYCLE, start=250)), WITHIN),
    "three variables, switching": (trace(**both(FULL, flip, 0.01)), WITHIN),
    "stuck and switching": (trace(means=swap(swap(TWO, 3), 0, start=300)), WITHIN),
    "one chain, switching": (trace(means=flip(TWO[:1], 0.05)), WITHIN),
    "two of three overlap, third switches": (
        trace(means=swap(OVERLAP3, 3, (2, 1, 0), start=250)), WITHIN),
    # overlap
    "gap 0": (trace(means=draws((0, 0))), OVERLAPPING),
    "gap of 2 standard deviations": (trace(means=draws((0, 0.4))), OVERLAPPING),
    "two of three overlap": (trace(means=OVERLAP3), OVERLAPPING),
    # collapse
    "almost no weight": (trace(**EMPTY3), COLLAPSED),
    "twins": (trace(means=TWINS), COLLAPSED),
    # failures that labels do not explain
    "another place": (trace(means=shift(TWO, 3, 2.5)), NOT),
    "another place, 2 chains": (trace(means=shift(PAIR, 1, 1.0)), NOT),
    "another place, 8 chains": (trace(means=shift(EIGHT, 5, 1.0)), NOT),
    "drift": (trace(means=DRIFT), NOT),
    "frozen chain": (trace(means=FROZEN), NOT),
    "wider chain": (trace(means=SPREAD), NOT),
    "many divergences": (trace(means=TWO, diverging=some_divergences(20)), NOT),
    "lp disagrees": (trace(means=TWO, lp=shift(LP, 2, -8.0)), NOT),
    "paired otherwise": (trace(**CROSSED), NOT),
    "sigma elsewhere": (trace(means=TWO, sigma=shift(FULL["sigma"], 1, 1.0)), NOT),
    "a coordinate elsewhere": (trace(means=shift(PLANE, 1, [0, 1.5, 0])), NOT),
    # both
    "stuck, merged in a chain": (trace(means=swap(MERGED, 0)), NOT_ONLY),
    "stuck, divergences": (trace(means=swap(TWO, 3), diverging=some_divergences(20)), NOT_ONLY),
    "stuck, lp disagrees": (trace(means=swap(TWO, 3), lp=shift(LP, 2, -8.0)), NOT_ONLY),
    # too little to tell, or to be asked: a mixture in each group
    "groups": (trace(means=GROUPS), UNKNOWN),
    "groups, and divergences": (trace(means=GROUPS, diverging=some_divergences(20)), NOT),
    "one chain": (trace(means=TWO[:1]), UNKNOWN),
    "few draws": (trace(means=draws((-1, 1), n=20)), UNKNOWN),
    "sixteen draws": (trace(means=draws((-1, 1), n=16)), UNKNOWN),
    "constant": (trace(means=np.zeros((4, 500, 2))), UNKNOWN),
    "one NaN": (
        trace(means=np.where(np.arange(4000).reshape(TWO.shape) == 7, np.nan, TWO)), UNKNOWN),
}


@pytest.mark.parametrize("name", CASES)
def test_a_constructed_trace_is_diagnosed_and_shown(name):
    tree, verdict = CASES[name]
    diagnosis = switching.diagnose(tree)
    text, page = str(diagnosis), diagnosis._repr_html_()
    assert diagnosis.verdict == verdict, text
    assert max(map(len, text.splitlines())) <= 79 and text.lower().startswith(verdict)
    assert diagnosis.link in text and f'href="{diagnosis.link}"' in page
    assert "nan" not in page.replace("NaN", "")


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("change", "verdict"), [
    (lambda x: x, NONE),
    (lambda x: swap(x, 3), BETWEEN),
    (lambda x: flip(x, 0.01), WITHIN),
    (lambda x: shift(x, 3, 1.0), NOT)])
def test_the_verdict_does_not_hang_on_the_noise(change, verdict, seed):
    means = change(draws((-1, 1), seed=seed, rho=0.3))
    assert switching.diagnose(trace(means=means)).verdict == verdict


def nuts(build, dataset, seed, separation=2.0):
    x = data.simulate(dataset, separation=separation)
    return sampling.sample(x, draws=500, seed=seed, tune=400, build=build)


def by_hand(tree):
    """Return what a person sees in two means: which is the upper, where the gap is usual."""
    gap = tree.posterior["means"].diff("component").squeeze("component").to_numpy()
    sides = [np.sign(chain[np.abs(chain) > np.median(np.abs(gap)) / 2]) for chain in gap]
    if any(len(set(side)) == 2 for side in sides):
        fate = WITHIN
    else:
        fate = BETWEEN if len({side[0] for side in sides}) == 2 else NONE
    if tree.sample_stats["diverging"].any():
        return NOT if fate == NONE else NOT_ONLY
    return fate


# dataset 0 has a barrier that no chain passes; of dataset 8 a chain may
@pytest.mark.parametrize(("dataset", "fates"), [(0, {NONE, BETWEEN}), (8, {NONE, BETWEEN, WITHIN})])
def test_a_run_of_nutpie_has_the_fate_that_one_sees(dataset, fates):
    for seed in range(4):
        tree = nuts(models.unordered, dataset, seed)
        diagnosis = switching.diagnose(tree)
        assert diagnosis.verdict == by_hand(tree), str(diagnosis)
        assert diagnosis.verdict in fates


@pytest.mark.parametrize(("build", "dataset", "separation", "verdict"), [
    (models.ordered, 0, 2.0, NONE),
    (models.ordered, 8, 2.0, NONE),
    # one true component, fitted with two; in order, a run in thirteen has a divergence
    (models.unordered, 0, 0.0, OVERLAPPING)])
def test_a_run_whose_fate_is_known_is_diagnosed(build, dataset, separation, verdict):
    diagnosis = switching.diagnose(nuts(build, dataset, 0, separation))
    assert diagnosis.verdict == verdict, str(diagnosis)


def test_dataset_and_array_are_traces_too():
    dataset = trace(means=swap(TWO, 3)).posterior.to_dataset()
    means = dataset["means"]
    for tree in (dataset, means, means.transpose(..., "chain"), xr.DataTree(dataset)):
        assert switching.diagnose(tree).verdict == BETWEEN
    assert switching.diagnose(means.rename("mu"), component_dim="component").verdict == BETWEEN


def test_names_of_variables_and_dims_are_free():
    tree = trace(mu=swap(TWO, 3), tau=swap(FULL["sigma"], 3), dims=("chain", "draw", "cluster"))
    assert switching.diagnose(tree, ["mu", "tau"], "cluster").verdict == BETWEEN
    assert switching.diagnose(tree, "tau", "cluster").verdict == BETWEEN


def test_chains_and_log_likelihood_are_read():
    tree = trace(means=TWO)
    likelihood = xr.DataArray(-LP[:, :, None] * np.ones(3), dims=("chain", "draw", "obs"))
    likelihood[1] += 5
    tree["log_likelihood"] = xr.DataTree(xr.Dataset({"y": likelihood}))
    tree["posterior"] = xr.DataTree(tree.posterior.to_dataset().assign_coords(chain=[4, 5, 6, 7]))
    diagnosis = switching.diagnose(tree)
    assert diagnosis.verdict == NOT
    assert any("chain 5" in line for line in diagnosis.evidence)


def test_the_numbers_say_what_was_seen():
    turned = swap(swap(TRI, 3, CYCLE), 1, (1, 0, 2), start=100, stop=200)
    numbers = switching.diagnose(trace(means=turned, diverging=some_divergences(0))).numbers
    assert list(numbers["switches"]) == [0, 2, 0, 0]
    assert list(numbers["mode"]) == [0, 0, 0, 1]
    assert list(numbers["divergences"]) == [0, 0, 0, 0]
    assert numbers.attrs == {"verdict": WITHIN, "split": "3-1"}
    restored = np.take_along_axis(turned, numbers["permutation"].to_numpy(), axis=2)
    assert_array_equal(restored, TRI)
    assert float(numbers["rhat"].sel(quantity="sorted means[0]")) < 1.01
    assert float(numbers["rhat"].sel(quantity="means[0]")) > 1.3


@pytest.mark.parametrize(("chains", "rhat"), [(3, 1.528), ([1, 2], 1.733)])
def test_a_stuck_run_has_the_r_hat_of_its_split(chains, rhat):
    """Ranks of two groups that do not touch: known, but for the noise within them."""
    worst = {kind: r for kind, r, _ in switching.diagnose(trace(means=swap(TWO, chains))).table()}
    assert worst["raw labels"] == pytest.approx(rhat, abs=0.003)
    assert worst["sorted"] < 1.01


def test_the_input_is_left_alone():
    tree = trace(**both(FULL, swap, 3), lp=LP, diverging=some_divergences(2))
    before = tree.copy(deep=True)
    switching.diagnose(tree)
    xr.testing.assert_identical(tree, before)


def test_every_verdict_has_a_link_and_is_documented():
    assert set(switching.LINKS) == {verdict for _, verdict in CASES.values()}
    for verdict in switching.LINKS:
        assert f'"{verdict}"' in switching.diagnose.__doc__


@pytest.mark.parametrize(
    ("name", "says"), [("one NaN", "1 of 2000 draws of means"), ("constant", "means")])
def test_a_trace_that_tells_nothing_says_why(name, says):
    diagnosis = switching.diagnose(CASES[name][0])
    assert says in diagnosis.summary and not diagnosis.numbers and diagnosis.table() == []


def test_a_chain_that_never_moves_is_named():
    diagnosis = switching.diagnose(CASES["frozen chain"][0])
    assert diagnosis.summary.startswith("Chain 1 ")
    assert diagnosis.numbers["sound"].values.tolist() == [True, False, True, True]


@pytest.mark.parametrize("method", ["order", "pra"])
def test_a_relabelled_trace_is_diagnosed_by_its_parameters_alone(method):
    """What relabel keeps of its own work says nothing of the mixture."""
    means = flip(draws((-1.0, 1.0)), 0.01)
    done = relabel.relabel(trace(means=means, lp=draws(0.0)), method)
    assert "permutation" in done.posterior
    assert switching.diagnose(done).verdict == NONE


def test_chain_that_stands_where_all_components_are_equal_is_no_obstacle():
    still = np.concatenate([draws((-1.0, 1.0), chains=1), np.ones((1, 500, 2))])
    assert switching.diagnose(trace(means=still)).verdict == NOT


def test_chains_that_keep_different_numbers_are_told_apart():
    """What never moves within a chain has neither a variance nor an R-hat."""
    means, fixed = draws((-1.0, 1.0)), np.zeros((4, 500, 2))
    fixed[3] = 1.0
    found = switching.diagnose(trace(means=means, fixed=fixed))
    assert found.verdict == NOT
    assert found.numbers["sound"].values.tolist() == [True, True, True, False]
