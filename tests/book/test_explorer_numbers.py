"""The explorer's numbers: the same as Python's."""

import re

import arviz as az
import numpy as np
import pytest
from bs4 import BeautifulSoup
from explorer import opened, python, settled
from mixtures import variational

MODULES = "/_static/explorer"
STATES = {
    "data=8": {},
    "data=78": {"seed": 78},
    "data=6&separation=0.5&n=50": {"seed": 6, "separation": 0.5, "n": 50},
    "data=8&weight=0.2": {"weight": 0.2},
    "data=5&weight=0.7&prior=2&n=200&separation=3": {
        "seed": 5, "weight": 0.7, "prior": 2.0, "n": 200, "separation": 3.0},
    "data=3&n=10&separation=0&weight=0.1&prior=10": {
        "seed": 3, "n": 10, "separation": 0.0, "weight": 0.1},
    "data=2&n=400&separation=1.3&prior=100": {
        "seed": 2, "n": 400, "separation": 1.3, "prior": 100.0},
}


@pytest.fixture(scope="module")
def still(browser, server):
    """Open the explorer once, for tests that go from state to state, or use its modules."""
    with opened(browser, server) as page:
        yield page


def moved(page, state):
    """Take the page to a state, as a link does, and return its numbers."""
    page.evaluate("delete document.getElementById('explorer').dataset.ready")
    page.goto(f"{page.url.partition('#')[0]}#{state}")
    return settled(page)


def imported(page, module, expression, argument):
    """Return the value of a JavaScript expression of a module `m` and an argument `a`."""
    load = f"const m = await import('{MODULES}/{module}.js')"
    code = f"async (a) => {{ {load}; return {expression}; }}"
    return page.evaluate(code, argument)


@pytest.mark.parametrize("state", STATES)
def test_numbers_are_those_of_python(still, state):
    _, posterior = python(**STATES[state])
    found = moved(still, state)
    # and so are those of the lines that the page offers
    names = {}
    exec(still.locator(".python").inner_text(), names)
    assert names["posterior"].log_evidence == pytest.approx(posterior.log_evidence, rel=0, abs=1e-8)
    assert still.locator(".plane circle.mode").count() == len(posterior.modes)
    assert found["logEvidence"] == pytest.approx(posterior.log_evidence, rel=0, abs=1e-8)
    assert found["barrier"] == pytest.approx(posterior.barrier, rel=0, abs=1e-8)
    ordered = found["logEvidence"] + np.log(found["shareBelow"])
    assert ordered == pytest.approx(posterior.log_evidence_ordered, rel=0, abs=1e-6)
    assert len(found["modes"]) == len(posterior.modes)
    nearest = np.abs(np.array(found["modes"])[:, None] - posterior.modes).max(axis=2).min(axis=1)
    assert nearest.max() < 1e-6
    if posterior.saddle is not None:
        assert found["saddle"] == pytest.approx(posterior.saddle, abs=1e-6)
    q = variational.best(posterior)
    bell = found["bells"][0]
    assert bell["mean"] == pytest.approx(q.mean, abs=1e-2 * q.sd.max())
    assert bell["sd"] == pytest.approx(q.sd, rel=1e-2)
    assert bell["kl"] == pytest.approx(variational.kl(q, posterior), abs=1e-5)


@pytest.mark.parametrize(
    "state", ["data=8&n=10&weight=0.35&prior=1", "data=0&n=400&separation=0&weight=0.9"])
def test_shallow_passes_of_unequal_weights_are_found(still, state):
    """Here Python gives up, so its slopes are asked instead of its answer."""
    given = {"separation": "2", "weight": "0.5", "prior": "10"}
    given |= dict(pair.split("=") for pair in state.split("&"))
    numbers = [float(given[name]) for name in ("separation", "weight", "prior")]
    _, posterior = python(int(given["data"]), int(given["n"]), *numbers)
    found = moved(still, state)
    saddle = np.array(found["saddle"])
    assert np.abs(posterior.joint.gradient(saddle)).max() < 1e-9
    assert np.prod(np.linalg.eigvalsh(posterior.joint.hessian(saddle))) < 0
    heights = posterior.joint.log_density(np.vstack([found["modes"][1], saddle]))
    assert found["barrier"] == pytest.approx(heights[0] - heights[1], abs=1e-9)


@pytest.mark.parametrize("seed", [8, 123_456])
def test_random_numbers_are_numpys(still, seed):
    count = 20_000
    several = "(g => Array.from({ length: %d }, () => %s))(new m.Generator(a))"
    drawn = imported(still, "random", several % (count, "g.normal()"), seed)
    rng = np.random.default_rng(seed)
    assert np.abs(drawn - rng.standard_normal(count)).max() < 1e-13
    bits = imported(still, "random", several % (100, "String(g.bits())"), seed)
    ours = np.random.default_rng(seed).integers(0, 2**64, 100, dtype=np.uint64)
    assert [int(b) for b in bits] == ours.tolist()


@pytest.mark.parametrize(
    ("seed", "n", "separation", "weight"),
    [(8, 100, 2.0, 0.5), (78, 400, 0.0, 0.5), (12_345, 10, 3.7, 0.5), (3, 90, 1.2, 0.15)])
def test_data_are_those_of_python(still, seed, n, separation, weight):
    x, _ = python(seed, n, separation, weight)
    weights = [weight, round(1 - weight, 6)]
    recipe = {"seed": seed, "n": n, "separation": separation, "weights": weights}
    found = imported(still, "random", "[...m.simulate(a)]", recipe)
    assert found == pytest.approx(x.tolist(), rel=0, abs=1e-13)


@pytest.mark.parametrize("kind", ["mixed", "split", "autocorrelated", "ties", "odd"])
def test_rhat_is_that_of_arviz(still, kind):
    rng = np.random.default_rng(1)
    draws = rng.normal(size=(4, 1001 if kind == "odd" else 500))
    if kind == "split":
        draws[3] += 8
    elif kind == "autocorrelated":
        draws = np.cumsum(draws, axis=1)
    elif kind == "ties":
        draws = np.round(draws)
    found = imported(still, "convergence", "m.rhat(a)", draws.tolist())
    assert found == pytest.approx(float(az.rhat(draws)), abs=1e-5)


HMC = """(async () => {
  const { Posterior } = await import('/_static/explorer/posterior.js');
  const { simulate } = await import('/_static/explorer/random.js');
  const chain = new m.Chain(new Posterior(simulate(a.recipe), a.recipe.weights, 10), 5, a.ordered);
  return Array.from({ length: a.draws }, () => [...chain.draw()]);
})()"""


@pytest.mark.parametrize(("weight", "ordered"), [
    (0.5, False),
    (0.3, True),
    pytest.param(0.5, True, marks=pytest.mark.slow),
    pytest.param(0.3, False, marks=pytest.mark.slow)])
def test_chains_draw_from_the_posterior(still, weight, ordered):
    recipe = {"seed": 8, "n": 40, "separation": 1.0, "weights": [weight, 1 - weight]}
    asked = {"recipe": recipe, "ordered": ordered, "draws": 20_000}
    drawn = np.array(imported(still, "chains", f"await {HMC}", asked))
    _, posterior = python(8, 40, 1.0, weight)
    below = posterior.sample(20_000, seed=1).values[0]
    below = below[below[:, 0] < below[:, 1]] if ordered else below
    if ordered:
        assert (drawn[:, 0] <= drawn[:, 1]).all()
    for value in (np.min, np.max, lambda m, axis: m[:, 0]):
        ours, theirs = value(drawn, axis=1), value(below, axis=1)
        error = np.hypot(float(az.mcse(ours[None])), theirs.std() / np.sqrt(theirs.size))
        assert ours.mean() == pytest.approx(theirs.mean(), abs=5 * error)
        tenths = [np.quantile(values, [0.1, 0.9]) for values in (ours, theirs)]
        assert tenths[0] == pytest.approx(tenths[1], abs=0.15 * theirs.std() + 5 * error)


def test_law_is_the_one_that_the_book_measures(still, site):
    chapter = BeautifulSoup((site / "book" / "label_switching.html").read_bytes(), "html.parser")
    found = moved(still, "data=8")
    law = found["law"]
    for name in ("front", "slope"):
        said = chapter.select_one(f"#measured-law-{name}").text
        measured = re.search(r"Measured: ([\d.]+) \(se", said)[1]
        assert law[name] == pytest.approx(float(measured), abs=1e-3)
    assert found["rate"] == pytest.approx(law["front"] * np.exp(-law["slope"] * found["barrier"]))


RESTORED = """((form) => {
  m.restore(form, a);
  const state = m.written(form);
  m.restore(form, '');
  return state;
})(document.querySelector('#explorer form'))"""


@pytest.mark.parametrize("state", [
    "data=-1&n=7&separation=9&weight=0&prior=nan&seed=x&ordered=yes&bells=2&speed=3",
    "n=15&separation=1.25&weight=0.52&data=1e3&prior=&=&&",
    "constructor=1&__proto__=2&data=%3Cscript%3E"])
def test_broken_states_are_ignored(still, state):
    assert imported(still, "state", RESTORED, state) == ""


def test_links_lead_to_the_states_that_they_name(still, site):
    found = set()
    for path in sorted((site / "book").glob("*.html")):
        page = BeautifulSoup(path.read_bytes(), "lxml")
        for link in page.select("article a[href*='explorer.html#']"):
            path, _, state = link["href"].partition("#")
            if "=" in state:
                found.add(state)
                assert path == "explorer.html"
                # what is as at first is not written
                written = set(imported(still, "state", RESTORED, state).split("&")) - {""}
                assert written == set(state.split(";")) - {"data=8"}, state
    assert len(found) > 5
