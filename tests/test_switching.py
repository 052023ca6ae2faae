"""The diagnosis of a trace: right on constructed ones and on real ones, and clear about what it cannot tell."""

import numpy as np
import nutpie
import pymc as pm
import pytest
import xarray as xr
from mixtures import data, models, relabel, switching
from mixtures.switching import BETWEEN, COLLAPSED, NONE, NOT, NOT_ONLY, OVERLAPPING, UNKNOWN, WITHIN

DIMS = ("chain", "draw", "component")
THREE, FIVE = (-3.0, 0.0, 2.0), (-6.0, -3.0, 0.0, 2.0, 5.0)
CYCLE = (1, 2, 0)


def draws(centres, sd=0.2, chains=4, n=500, seed=0, rho=0.0):
    """Return Gaussian draws [chain, draw, component, ...] about the centres, autocorrelated within chains."""
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
    posterior = xr.Dataset(
        {name: (dims + tuple(f"{name}_{i}" for i in range(v.ndim - 3)), v) for name, v in variables.items()}
    )
    groups = {"posterior": posterior}
    stats = {"diverging": diverging, "lp": lp}
    if any(v is not None for v in stats.values()):
        groups["sample_stats"] = xr.Dataset({k: (("chain", "draw"), v) for k, v in stats.items() if v is not None})
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
FULL = {"means": draws((-1, 1), seed=1), "sigma": draws((1, 2), 0.1, seed=2), "w": simplex((30, 60))}
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
DRIFT_ALL = TWO + np.linspace(0, 3, 500)[:, None]
CROSSED = {"means": TWO, "sigma": draws((1, 2), 0.1, seed=2)}
CROSSED["sigma"] = swap(CROSSED["sigma"], 3)
FROZEN = TWO.copy()
FROZEN[1] = FROZEN[1, :1]
HALVES = TWO.copy()
HALVES[2:] += 2.5
EMPTY3 = {"means": draws((-1, 1, 0), (0.2, 0.2, 3.0), seed=4), "w": simplex((500, 500, 1))}
TWINS = np.concatenate([TWO, TWO[:, :, 1:]], axis=2)
STUCK3 = swap(TRI, 3, CYCLE)
DRIFTED = swap(DRIFT, 0)
SPREAD = TWO.copy()
SPREAD[1] = draws((-1, 1), 0.8, chains=1, seed=5)[0]
OVERLAP3 = draws((0.0, 0.1, 5.0))

CASES = {
    # all chains in the same mode
    "same mode": (trace(means=TWO), NONE),
    "same mode, far apart": (trace(means=draws((-50, 50), 0.01)), NONE),
    "same mode, 2 chains": (trace(means=PAIR), NONE),
    "same mode, 8 chains": (trace(means=EIGHT), NONE),
    "same mode, K = 3": (trace(means=TRI), NONE),
    "same mode, K = 5": (trace(means=QUIN), NONE),
    "same mode, K = 7": (trace(means=draws(np.arange(7) * 2)), NONE),
    "same mode, autocorrelated": (trace(means=draws((-1, 1), rho=0.6)), NONE),
    "same mode, three variables": (trace(**FULL), NONE),
    "same mode, lp": (trace(means=TWO, lp=LP), NONE),
    "same mode, unequal scales": (trace(means=draws((-1, 1), (0.05, 0.4))), NONE),
    "same mode, 100 draws": (trace(means=draws((-1, 1), n=100)), NONE),
    "same mode, 501 draws": (trace(means=draws((-1, 1), n=501)), NONE),
    # stuck
    "stuck 3-1": (trace(means=swap(TWO, 3)), BETWEEN),
    "stuck 3-1, first chain": (trace(means=swap(TWO, 0)), BETWEEN),
    "stuck 2-2": (trace(means=swap(TWO, [1, 2])), BETWEEN),
    "stuck 1-1": (trace(means=swap(PAIR, 1)), BETWEEN),
    "stuck 5-3": (trace(means=swap(EIGHT, [0, 2, 4])), BETWEEN),
    "stuck 7-1": (trace(means=swap(EIGHT, 6)), BETWEEN),
    "stuck, K = 3, one pair": (trace(means=swap(TRI, 3, (0, 2, 1))), BETWEEN),
    "stuck, K = 3, cycle": (trace(means=STUCK3), BETWEEN),
    "stuck, K = 3, 2-1-1 of cycles": (trace(means=swap(STUCK3, 2, (2, 0, 1))), BETWEEN),
    "stuck, K = 3, four modes": (trace(means=swap(swap(STUCK3, 2, (2, 0, 1)), 1, (1, 0, 2))), BETWEEN),
    "stuck, K = 5": (trace(means=swap(swap(QUIN, 3, (4, 2, 0, 1, 3)), 1, (1, 0, 2, 3, 4))), BETWEEN),
    "stuck, K = 7": (trace(means=swap(draws(np.arange(7) * 2), 3, (6, 0, 1, 2, 3, 4, 5))), BETWEEN),
    "stuck, three variables": (trace(**both(FULL, swap, 2)), BETWEEN),
    "stuck, K = 3 with weights": (trace(**both({"means": TRI, "w": WEIGHTS3}, swap, 3, CYCLE)), BETWEEN),
    "stuck, only sigma has labels": (trace(**both(SIGMA, swap, [0, 3])), BETWEEN),
    "stuck, means in space": (trace(means=swap(PLANE, 1)), BETWEEN),
    "stuck, autocorrelated": (trace(means=swap(draws((-1, 1), rho=0.6), 3)), BETWEEN),
    "stuck, lp": (trace(means=swap(TWO, 3), lp=LP), BETWEEN),
    "stuck, close": (trace(means=swap(draws((0, 1.2)), 3)), BETWEEN),
    "stuck, unequal scales": (trace(means=swap(draws((-1, 1), (0.05, 0.4)), 1)), BETWEEN),
    "stuck, two of three overlap": (trace(means=swap(OVERLAP3, 3, (2, 1, 0))), BETWEEN),
    # switching within chains
    "one switch": (trace(means=swap(TWO, 1, stop=180)), WITHIN),
    "one switch, near the end": (trace(means=swap(TWO, 1, start=490)), WITHIN),
    "one visit": (trace(means=swap(TWO, 1, start=200, stop=230)), WITHIN),
    "often": (trace(means=flip(TWO, 0.02)), WITHIN),
    "at every other draw": (trace(means=flip(TWO, 0.5)), WITHIN),
    "rarely, 8 chains": (trace(means=flip(EIGHT, 0.002)), WITHIN),
    "one switch, K = 3, cycle": (trace(means=swap(TRI, 1, CYCLE, start=250)), WITHIN),
    "one switch, K = 5": (trace(means=swap(QUIN, 1, (1, 0, 2, 3, 4), start=250)), WITHIN),
    "three variables, switching": (trace(**both(FULL, flip, 0.01)), WITHIN),
    "only sigma has labels, switching": (trace(**both(SIGMA, flip, 0.01)), WITHIN),
    "means in space, switching": (trace(means=flip(PLANE, 0.01)), WITHIN),
    "stuck and switching": (trace(means=swap(swap(TWO, 3), 0, start=300)), WITHIN),
    "one chain, switching": (trace(means=flip(TWO[:1], 0.05)), WITHIN),
    "two of three overlap, third switches": (trace(means=swap(OVERLAP3, 3, (2, 1, 0), start=250)), WITHIN),
    # overlap
    "gap 0": (trace(means=draws((0, 0))), OVERLAPPING),
    "gap of half a standard deviation": (trace(means=draws((0, 0.1))), OVERLAPPING),
    "gap of 2 standard deviations": (trace(means=draws((0, 0.4))), OVERLAPPING),
    "gap 0, sorted": (trace(means=np.sort(draws((0, 0)), axis=2)), OVERLAPPING),
    "gap 0, flat": (trace(means=np.random.default_rng(0).uniform(-1, 1, (4, 500, 2))), OVERLAPPING),
    "gap 0, 8 chains": (trace(means=draws((0, 0), chains=8)), OVERLAPPING),
    "gap 0, K = 3": (trace(means=draws((0, 0, 0))), OVERLAPPING),
    "two of three overlap": (trace(means=OVERLAP3), OVERLAPPING),
    "everything overlaps": (trace(means=draws((0, 0)), sigma=draws((1, 1), 0.1, seed=5)), OVERLAPPING),
    # collapse
    "almost no weight": (trace(**EMPTY3), COLLAPSED),
    "twins": (trace(means=TWINS), COLLAPSED),
    # failures that labels do not explain
    "another mode": (trace(means=MOVED), NOT),
    "another place": (trace(means=shift(TWO, 3, 2.5)), NOT),
    "another place, far": (trace(means=shift(TWO, 3, 40.0)), NOT),
    "another place, 2 chains": (trace(means=shift(PAIR, 1, 1.0)), NOT),
    "another place, 8 chains": (trace(means=shift(EIGHT, 5, 1.0)), NOT),
    "another place, K = 3": (trace(means=shift(TRI, 0, [0, 0, 3])), NOT),
    "another place, K = 5": (trace(means=shift(QUIN, 0, [0, 4.4, 0, 0, 0])), NOT),
    "two merged in a chain": (trace(means=MERGED), NOT),
    "two against two": (trace(means=HALVES), NOT),
    "drift": (trace(means=DRIFT), NOT),
    "drift of all chains": (trace(means=DRIFT_ALL), NOT),
    "drift of one chain alone": (trace(means=DRIFT_ALL[:1]), NOT),
    "frozen chain": (trace(means=FROZEN), NOT),
    "wider chain": (trace(means=SPREAD), NOT),
    "divergences": (trace(means=TWO, diverging=some_divergences(20)), NOT),
    "one divergence": (trace(means=TWO, diverging=some_divergences(1)), NOT),
    "lp disagrees": (trace(means=TWO, lp=shift(LP, 2, -8.0)), NOT),
    "paired otherwise": (trace(**CROSSED), NOT),
    "sigma elsewhere": (trace(means=TWO, sigma=shift(FULL["sigma"], 1, 1.0)), NOT),
    "a coordinate elsewhere": (trace(means=shift(PLANE, 1, [0, 1.5, 0])), NOT),
    # both
    "stuck, another place": (trace(means=shift(swap(TWO, 3), 0, 2.5)), NOT_ONLY),
    "stuck, another mode": (trace(means=swap(MOVED, 0)), NOT_ONLY),
    "stuck, merged in a chain": (trace(means=swap(MERGED, 0)), NOT_ONLY),
    "stuck, drift": (trace(means=DRIFTED), NOT_ONLY),
    "stuck, frozen chain": (trace(means=swap(FROZEN, 0)), NOT_ONLY),
    "stuck, divergences": (trace(means=swap(TWO, 3), diverging=some_divergences(20)), NOT_ONLY),
    "switching, divergences": (trace(means=flip(TWO, 0.01), diverging=some_divergences(3)), NOT_ONLY),
    "switching, another place": (trace(means=shift(flip(TWO, 0.01), 2, 2.5)), NOT_ONLY),
    "stuck, K = 3, another place": (trace(means=shift(swap(TRI, 0, CYCLE), 3, 2.5)), NOT_ONLY),
    "stuck, 8 chains, another place": (trace(means=shift(swap(EIGHT, [0, 1, 2]), 7, 2.5)), NOT_ONLY),
    "stuck, lp disagrees": (trace(means=swap(TWO, 3), lp=shift(LP, 2, -8.0)), NOT_ONLY),
    # too little to tell
    "one chain": (trace(means=TWO[:1]), UNKNOWN),
    "few draws": (trace(means=draws((-1, 1), n=20)), UNKNOWN),
    "few draws, stuck": (trace(means=swap(draws((-1, 1), n=20), 3)), UNKNOWN),
    "four draws": (trace(means=draws((-1, 1), n=4)), UNKNOWN),
    "constant": (trace(means=np.zeros((4, 500, 2))), UNKNOWN),
    "constant, each its own": (trace(means=np.broadcast_to(TWO[:, :1], TWO.shape).copy()), UNKNOWN),
    "all NaN": (trace(means=np.full((4, 500, 2), np.nan)), UNKNOWN),
    "one NaN": (trace(means=np.where(np.arange(4000).reshape(TWO.shape) == 7, np.nan, TWO)), UNKNOWN),
    "infinite": (trace(means=np.where(np.arange(4000).reshape(TWO.shape) == 7, np.inf, TWO)), UNKNOWN),
}


def diagnosed(name):
    return switching.diagnose(CASES[name][0])


@pytest.mark.parametrize("name", CASES)
def test_a_constructed_trace_is_diagnosed(name):
    assert diagnosed(name).verdict == CASES[name][1], str(diagnosed(name))


@pytest.mark.parametrize("name", CASES)
def test_another_naming_of_the_labels_changes_no_verdict(name):
    tree, verdict = CASES[name]
    order = np.random.default_rng(0).permutation(tree.posterior.sizes["component"])
    order = order if (order != np.sort(order)).any() else order[::-1]
    renamed = xr.DataTree.from_dict({k: g.to_dataset() for k, g in tree.children.items()})
    renamed["posterior"] = xr.DataTree(tree.posterior.to_dataset().isel(component=order))
    assert switching.diagnose(renamed).verdict == verdict


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        (lambda x: x, NONE),
        (lambda x: swap(x, 3), BETWEEN),
        (lambda x: flip(x, 0.01), WITHIN),
        (lambda x: shift(x, 3, 1.0), NOT),
    ],
)
def test_the_verdict_does_not_hang_on_the_noise(change, verdict, seed):
    assert switching.diagnose(trace(means=change(draws((-1, 1), seed=seed, rho=0.3)))).verdict == verdict


@pytest.fixture(scope="module")
def compiled():
    return {build: nutpie.compile_pymc_model(build(data.simulate(0))) for build in (models.unordered, models.ordered)}


def nuts(compiled, dataset, seed, separation=2.0):
    ready = compiled.with_data(x=data.simulate(dataset, separation=separation))
    return nutpie.sample(ready, draws=500, tune=400, chains=4, cores=2, seed=seed, progress_bar=False)


def by_hand(tree):
    """Return what a person sees in two means: which is the upper, in draws with more than half of the usual gap."""
    gap = tree.posterior["means"].diff("component").squeeze("component").to_numpy()
    sides = [np.sign(chain[np.abs(chain) > np.median(np.abs(gap)) / 2]) for chain in gap]
    if any(len(set(side)) == 2 for side in sides):
        fate = WITHIN
    else:
        fate = BETWEEN if len({side[0] for side in sides}) == 2 else NONE
    if tree.sample_stats["diverging"].any():
        return NOT if fate == NONE else NOT_ONLY
    return fate


@pytest.mark.parametrize("seed", range(8))
def test_a_run_of_nutpie_on_dataset_0_has_the_fate_that_one_sees(compiled, seed):
    tree = nuts(compiled[models.unordered], 0, seed)
    diagnosis = switching.diagnose(tree)
    assert diagnosis.verdict == by_hand(tree), str(diagnosis)
    assert diagnosis.verdict in (NONE, BETWEEN)


@pytest.mark.parametrize("seed", range(8))
def test_a_run_of_nutpie_on_dataset_8_is_never_a_failure(compiled, seed):
    tree = nuts(compiled[models.unordered], 8, seed)
    diagnosis = switching.diagnose(tree)
    assert diagnosis.verdict == by_hand(tree), str(diagnosis)
    assert diagnosis.verdict in (NONE, BETWEEN, WITHIN)


@pytest.mark.parametrize(("dataset", "seed"), [(0, 0), (0, 1), (8, 0), (8, 1)])
def test_an_ordered_run_of_nutpie_does_not_switch(compiled, dataset, seed):
    diagnosis = switching.diagnose(nuts(compiled[models.ordered], dataset, seed))
    assert diagnosis.verdict == NONE, str(diagnosis)


@pytest.mark.parametrize("dataset", [0, 1, 2])
@pytest.mark.parametrize("build", [models.unordered, models.ordered])
def test_one_true_component_fitted_with_two_is_overlap(compiled, build, dataset):
    diagnosis = switching.diagnose(nuts(compiled[build], dataset, 0, separation=0.0))
    assert diagnosis.verdict == OVERLAPPING, str(diagnosis)


@pytest.mark.parametrize("dataset", [0, 8])
def test_a_run_of_pymc_has_the_fate_that_one_sees(dataset):
    with models.unordered(data.simulate(dataset)):
        tree = pm.sample(
            500, chains=4, cores=1, random_seed=1, nuts_sampler="pymc", progressbar=False,
            compute_convergence_checks=False,
        )
    diagnosis = switching.diagnose(tree)
    assert diagnosis.verdict == by_hand(tree), str(diagnosis)


def test_dataset_and_array_are_traces_too():
    dataset = trace(means=swap(TWO, 3)).posterior.to_dataset()
    for tree in (dataset, dataset["means"], dataset["means"].transpose(..., "chain"), xr.DataTree(dataset)):
        assert switching.diagnose(tree).verdict == BETWEEN
    assert switching.diagnose(dataset["means"].rename("mu"), component_dim="component").verdict == BETWEEN


def test_names_of_variables_and_dims_are_free():
    tree = trace(mu=swap(TWO, 3), tau=swap(FULL["sigma"], 3), dims=("chain", "draw", "cluster"))
    assert switching.diagnose(tree, ["mu", "tau"], "cluster").verdict == BETWEEN
    assert switching.diagnose(tree, "tau", "cluster").verdict == BETWEEN


def test_chains_and_log_likelihood_are_read():
    tree = trace(means=TWO)
    likelihood = xr.DataArray(-LP[:, :, None] * np.ones(3), dims=("chain", "draw", "obs"))
    tree["log_likelihood"] = xr.DataTree(xr.Dataset({"y": likelihood}))
    assert "log likelihood" in switching.diagnose(tree).numbers["quantity"]
    likelihood[1] += 5
    tree["log_likelihood"] = xr.DataTree(xr.Dataset({"y": likelihood}))
    tree["posterior"] = xr.DataTree(tree.posterior.to_dataset().assign_coords(chain=[4, 5, 6, 7]))
    diagnosis = switching.diagnose(tree)
    assert diagnosis.verdict == NOT
    assert "Without chain 5 the others agree." in diagnosis.evidence


def test_what_is_no_evidence_is_left_out_and_named():
    tree = trace(means=swap(TWO, 3), sigma=np.full_like(TWO, np.nan), p=np.zeros((4, 500, 2, 100)))
    tree["posterior"] = xr.DataTree(
        tree.posterior.to_dataset().assign(
            move=((*DIMS, "component_next"), np.ones((4, 500, 2, 2))), word=(DIMS, np.full((4, 500, 2), "a"))
        )
    )
    diagnosis = switching.diagnose(tree)
    assert diagnosis.verdict == BETWEEN
    left_out = {line.split(" is left out")[0] for line in diagnosis.evidence if "is left out" in line}
    assert left_out == {"sigma", "p", "move", "word"}
    with pytest.raises(ValueError, match="^var_name: .*pairs"):
        switching.diagnose(tree, "move")
    with pytest.raises(ValueError, match="^var_name: .*real"):
        switching.diagnose(tree, "word")


def test_the_numbers_say_what_was_seen():
    turned = swap(swap(TRI, 3, CYCLE), 1, (1, 0, 2), start=100, stop=200)
    numbers = switching.diagnose(trace(means=turned, diverging=some_divergences(0))).numbers
    assert list(numbers["switches"]) == [0, 2, 0, 0]
    assert list(numbers["mode"]) == [0, 0, 0, 1]
    assert list(numbers["divergences"]) == [0, 0, 0, 0]
    assert numbers.attrs == {"verdict": WITHIN, "split": "3-1"}
    restored = np.take_along_axis(turned, numbers["permutation"].to_numpy(), axis=2)
    np.testing.assert_array_equal(restored, TRI)
    assert float(numbers["rhat"].sel(quantity="sorted means[0]")) < 1.01
    assert float(numbers["rhat"].sel(quantity="means[0]")) > 1.3


@pytest.mark.parametrize(("chains", "rhat", "split"), [(3, 1.528, "3-1"), ([1, 2], 1.733, "2-2")])
def test_a_stuck_run_has_the_r_hat_of_its_split(chains, rhat, split):
    diagnosis = switching.diagnose(trace(means=swap(TWO, chains)))
    worst = {kind: r for kind, r, _ in diagnosis.table()}
    assert worst["raw labels"] == pytest.approx(rhat, abs=0.003)
    assert worst["sorted"] < 1.01
    agree = "4 chains agree on every label-free quantity and disagree only on labels"
    assert diagnosis.summary == f"{agree}: label switching, {split} split."


def test_same_mode_says_what_it_cannot_know():
    diagnosis = switching.diagnose(trace(means=TWO))
    assert "no symmetry" in diagnosis.unknown


@pytest.mark.parametrize("name", CASES)
def test_it_prints_in_79_columns_and_renders(name):
    diagnosis = diagnosed(name)
    text, page = str(diagnosis), diagnosis._repr_html_()
    assert max(map(len, text.splitlines())) <= 79
    assert len(text.splitlines()) <= 24
    assert repr(diagnosis) == text
    assert text.lower().startswith(diagnosis.verdict)
    assert diagnosis.link in text and f'href="{diagnosis.link}"' in page
    assert "color" not in page and "style" not in page
    assert "nan" not in page.replace("NaN", "")


def test_names_are_escaped_in_a_page():
    tree = trace(means=TWO).posterior.to_dataset().rename(means="<b>")
    tree = shift_dataset(tree)
    assert "<b>" not in switching.diagnose(tree, "<b>")._repr_html_()


def shift_dataset(dataset):
    return dataset + xr.DataArray([0.0, 0, 0, 3], dims="chain")


def test_the_input_is_left_alone():
    tree = trace(**both(FULL, swap, 3), lp=LP, diverging=some_divergences(2))
    before = tree.copy(deep=True)
    switching.diagnose(tree)
    xr.testing.assert_identical(tree, before)


def test_a_diagnosis_cannot_be_changed():
    with pytest.raises(AttributeError):
        switching.diagnose(trace(means=TWO)).verdict = NOT


def test_every_verdict_has_a_link_and_is_documented():
    verdicts = {NONE, BETWEEN, WITHIN, OVERLAPPING, COLLAPSED, NOT, NOT_ONLY, UNKNOWN}
    assert set(switching.LINKS) == verdicts == {verdict for _, verdict in CASES.values()}
    for verdict in verdicts:
        assert f'"{verdict}"' in switching.diagnose.__doc__


GOOD = trace(means=TWO)
BAD = {
    "missing variable": ((GOOD, "mu"), r"^var_name: .*\(means\).*'mu'"),
    "no name": ((GOOD, []), "^var_name: "),
    "a number for a name": ((GOOD, [3]), "^var_name: "),
    "not even a list": ((GOOD, 3), "^var_name: "),
    "missing dim": ((GOOD, "means", "cluster"), "^component_dim: .*cluster"),
    "chain for a dim": ((GOOD, "means", "chain"), "^component_dim: "),
    "one component": ((trace(means=TWO[:, :, :1]),), "^component_dim: .*at least 2"),
    "no chain": ((xr.DataArray(TWO[0], dims=DIMS[1:]),), "^tree: .*chain and draw"),
    "no draw": ((xr.DataArray(TWO[:, 0], dims=("chain", "component")),), "^tree: .*chain and draw"),
    "three draws": ((trace(means=TWO[:, :3]),), "^tree: .*4 draws"),
    "no chains": ((trace(means=TWO[:0]),), "^tree: .*1 chain"),
    "an array": ((TWO,), "^tree: .*ndarray"),
    "nothing": ((None,), "^tree: "),
    "complex": ((trace(means=TWO * 1j),), "^var_name: .*real"),
    "no posterior": ((xr.DataTree(),), "^var_name: .*none"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_by_name(name):
    arguments, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        switching.diagnose(*arguments)


@pytest.mark.parametrize(("name", "says"), [("one NaN", "1 of 2000 draws of means"), ("constant", "never changes")])
def test_a_trace_that_tells_nothing_says_why(name, says):
    diagnosis = diagnosed(name)
    assert says in diagnosis.summary
    assert not diagnosis.numbers
    assert diagnosis.table() == []


def test_a_chain_that_never_moves_is_named():
    diagnosis = diagnosed("frozen chain")
    assert diagnosis.summary == "Chain 1 never moves. Labels cannot explain it."
    assert diagnosis.numbers["sound"].values.tolist() == [True, False, True, True]


def test_two_sound_chains_are_enough_to_tell_components_apart():
    """The others are elsewhere, each in its own place, and their components lie upon one another."""
    means = draws((-1, 1))
    means[2], means[3] = (draws((place, place), chains=1, seed=place)[0] for place in (20, 40))
    numbers = switching.diagnose(trace(means=means)).numbers
    assert numbers["sound"].values.tolist() == [True, True, False, False]
    assert not numbers["overlap"].values.any()


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


def test_a_division_by_zero_is_no_noise():
    """Each chain has a number of its own, and the variance within chains is zero without any rounding."""
    fixed = np.tile(np.arange(4.0)[:, None, None], (1, 256, 2))
    with np.errstate(all="raise"):
        found = switching.diagnose(trace(means=draws((-1.0, 1.0), n=256), fixed=fixed))
    assert found.verdict == NOT and not found.numbers["sound"].any()
