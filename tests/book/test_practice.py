"""The recipe of the page for practitioners, run as it stands there on unseen data."""

import re
from functools import cache

import numpy as np
import pymc as pm
import pytest
from checkout import ROOT
from mixtures import data, relabel, switching
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
