"""The recipe of the page for practitioners, run as it stands there on unseen data."""

import re
import shutil
from functools import cache
from types import SimpleNamespace
from warnings import catch_warnings

import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr
from checkout import ROOT
from mixtures import data, relabel, reshape, switching
from mixtures.source import tree_of
from mixtures.trace import posterior_of
from scipy import stats

PAGE = ROOT / "book" / "practice.md"
RECIPE = re.compile(
    r"^```\{code-cell\} ipython3\n:tags: \[recipe\]\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SEEN = {"switching between chains", "switching within chains", "no sign of switching"}
# seed, n, means, sigma, weights: small numbers and large, equal groups and unequal ones
FRESH = {
    "two": (11, 200, [-0.03, 0.02], [0.01, 0.006], [0.6, 0.4]),
    "three": (12, 400, [1200, 1500, 1900], [60, 80, 70], [0.25, 0.35, 0.4])}


@cache
def recipe():
    """Return what the tagged cells of the page define, and nothing else."""
    cells = RECIPE.findall(PAGE.read_text("utf-8"))
    defined = {"np": np, "pm": pm, "relabel": relabel, "stats": stats}
    exec("\n".join(cells), defined)
    return defined


@cache
def run(name):
    y, z = data.draw(*FRESH[name])
    trace = recipe()["fit"](y, len(set(z)), seed=1)
    return y, z, trace


@pytest.mark.parametrize("name", FRESH)
def test_the_recipe_recovers_the_truth(name):
    y, z, trace = run(name)
    assert switching.diagnose(trace).verdict in SEEN
    named, agree = recipe()["name"](trace, y)
    assert agree.mean() > 0.97
    for variable, true in zip(("means", "sigma", "weights"), FRESH[name][2:], strict=True):
        draws = named.posterior[variable]
        off = (draws.mean(("chain", "draw")) - true) / draws.std(("chain", "draw"))
        assert np.abs(off).max() < 4, variable
    assert switching.diagnose(named).verdict == "no sign of switching"
    likeliest = relabel.memberships(named, y).mean(("chain", "draw")).argmax("component").values
    assert np.mean(likeliest == z) > 0.85


@pytest.mark.parametrize("name", FRESH)
def test_the_recipes_prediction_is_calibrated(name):
    """The density of the next observation is one, and holds the true one over most of its range."""
    _, _, means, sigma, weights = FRESH[name]
    _, _, trace = run(name)
    at = np.linspace(min(means) - 6 * max(sigma), max(means) + 6 * max(sigma), 300)
    mean, low, high = recipe()["predictive"](trace, at)
    assert np.trapezoid(mean, at) == pytest.approx(1, abs=0.02)
    true = stats.norm.pdf(at[:, None], means, sigma) @ weights
    within = (low <= true) & (true <= high)
    assert within[true > 0.1 * true.max()].mean() > 0.5


def test_all_cells_of_the_recipe_are_found():
    assert {"mixture", "fit", "name", "predictive"} <= {*recipe()}


def anything():
    """Return a trace of three components with all that the table of forms speaks of."""
    rng = np.random.default_rng(0)
    component, obs = ("component",), ("obs",)
    shapes = {
        "means": component, "rate": component, "tau": component, "line": (*obs, *component),
        "centre": (*component, "axis"), "gamma": ("short",)}
    shapes |= {f"chol_{k}": ("packed",) for k in range(3)}
    sizes = {"component": 3, "obs": 7, "axis": 2, "short": 2, "packed": 4}
    variables = {
        name: (("chain", "draw", *dims), rng.gamma(9, size=(4, 50, *(sizes[d] for d in dims))))
        for name, dims in shapes.items()}
    variables["z"] = (("chain", "draw", "obs"), rng.integers(1, 4, size=(4, 50, 7)))
    variables["weights"] = (("chain", "draw", "component"), rng.dirichlet([5, 5, 5], (4, 50)))
    factor = np.eye(2) + np.zeros((4, 50, 3, 2, 2))
    variables["factor"] = (("chain", "draw", "component", "axis", "other"), factor)
    return xr.Dataset(variables)


# what stands on the page, by tool: a trace that the tool left, and the truth of its means
BY_TOOL = re.compile(
    r"^```python\n(.*?named = relabel\.relabel\(.*?)^```$", re.MULTILINE | re.DOTALL)
TRACES = ROOT / "tests/science/traces"


def kept(name):
    """Return what a tool left, as ArviZ's reader of that tool returned it."""
    return lambda fit: tree_of(TRACES / name)


@pytest.mark.parametrize("code", BY_TOOL.findall(
    PAGE.read_text("utf-8").split("### By tool")[1].split("### By form")[0]))
def test_what_is_typed_by_tool_names_the_components_of_a_real_trace(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(TRACES / "brms.csv", "draws.csv")
    numbered = posterior_of(TRACES / "numpyro.nc")
    cluster = numbered.rename({dim: "cluster" for dim in numbered.dims if dim == "mu_dim_0"})
    readers = SimpleNamespace(
        from_cmdstanpy=kept("cmdstan.nc"), from_numpyro=kept("numpyro.nc"))
    there = {"az": readers, "pd": pd, "fit": None, "mcmc": None, "tree": cluster[["mu"]],
             "relabel": relabel, "reshape": reshape, "switching": switching}
    with catch_warnings(action="error"):
        exec(code, there)
    mu = posterior_of(there["named"])["mu"]
    assert np.abs(mu.mean(("chain", "draw")) - [-2.04, 2.67]).max() < 0.15
    assert float((np.diff(mu.mean("draw"), axis=1) > 4).mean()) == 1


def test_all_tools_are_tried():
    page = PAGE.read_text("utf-8").split("### By tool")[1].split("### By form")[0]
    assert len(BY_TOOL.findall(page)) == page.count("```python") - 1 == 4


TYPE = re.compile(
    r"^\| [^|`]*(?:`[^`]*`[^|`]*)?\| `((?:relabel|reshape|switching)\.[^`]*)`", re.MULTILINE)


@pytest.mark.parametrize("line", TYPE.findall(PAGE.read_text("utf-8")))
def test_what_the_table_of_forms_says_to_type_runs(line):
    draws, rng = ("chain", "draw"), np.random.default_rng(1)
    hmm = xr.Dataset({
        "means": ((*draws, "state"), rng.normal(size=(4, 50, 3))),
        "P": ((*draws, "state", "next"), rng.dirichlet([1, 1, 1], (4, 50, 3)))})
    rows = xr.Dataset({
        f"theta{k}": ((*draws, f"theta{k}_dim_0"), rng.dirichlet([1, 1], (4, 50)))
        for k in (1, 2)})
    groups = ((*draws, "group", "component"), rng.normal(size=(4, 50, 5, 2)))
    first, second = (
        xr.Dataset({"means": ((*draws, "component"), rng.normal([-5, 0, 5], size=(4, 50, 3)))})
        for _ in range(2))
    names = {
        "tree": anything(), "hmm": hmm, "groups": xr.Dataset({"means": groups}), "stats": stats,
        "relabel": relabel, "reshape": reshape, "switching": switching, "y": rng.poisson(9, 7),
        "xy": rng.normal(size=(7, 2)), "truth": [5.0, 9.0, 14.0],
        "first": first, "second": second, "rows": rows}
    with catch_warnings(action="ignore", category=UserWarning):
        assert eval(line, names) is not None


def test_all_rows_of_the_table_of_forms_are_run():
    assert len(TYPE.findall(PAGE.read_text("utf-8"))) == 14
