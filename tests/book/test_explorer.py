"""The explorer: the same numbers as Python's, and a page for keyboard, finger and ear."""

import json
import re
from contextlib import contextmanager
from urllib.parse import urlsplit

import arviz as az
import numpy as np
import pytest
import reader
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup
from mixtures import data, exact, variational

MODULES = "/_static/explorer"
READY = "document.getElementById('explorer').dataset.ready"


@contextmanager
def opened(browser, server, state="", look="light", **other):
    """Yield the explorer in a state, once it has settled; nothing may go wrong behind it."""
    with reader.opened(browser, look, **other) as (page, listener):
        page.goto(f"{server}/book/explorer.html{state and '#' + state}")
        settled(page)
        yield page
        assert listener.errors == []
        hosts = {urlsplit(url).netloc for url in listener.requests if not url.startswith("data:")}
        assert hosts == {urlsplit(server).netloc}


def settled(page):
    """Wait until the page has computed its state, and return its numbers."""
    reader.until(page, READY)
    return json.loads(page.evaluate(READY))


def chains(page, draws):
    """Wait until each chain has so many draws, and return what the page knows of them."""
    known = "JSON.parse(document.getElementById('explorer').dataset.chains)"
    reader.until(page, f"{known}.draws >= {draws}")
    return page.evaluate(known)


def number(page, name):
    """Return a number as the page writes it."""
    return page.locator(f"[data-number={name}]").inner_text()


def python(seed=8, n=100, separation=2.0, weight=0.5, prior=10.0):
    """Return data and exact posterior of a state."""
    weights = (weight, round(1 - weight, 6))
    if weight == 0.5:
        x = data.simulate(seed, n, separation)
    else:
        x, _ = data.draw(seed, n, (separation / 2, -separation / 2), (1, 1), weights[::-1])
    return x, exact.posterior(x, prior, weights=weights)


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


@pytest.mark.parametrize("state", [
    "n=10&separation=0&weight=0.1&prior=100",
    pytest.param("n=400&separation=4&weight=0.9&prior=100", marks=pytest.mark.slow),
    pytest.param("n=10&separation=0&prior=100", marks=pytest.mark.slow),
    "n=400&separation=4&prior=1&ordered=1"])
def test_extreme_states_are_drawn_and_said_without_holes(browser, server, state):
    with opened(browser, server, f"{state}&bells=1&speed=20") as page:
        page.locator("#explorer-play").click()
        chains(page, 40)
        page.locator("#explorer-play").click()
        drawings = [page.locator(f".{name} svg").inner_html() for name in ("plane", "data")]
        shown = "".join([page.locator("#explorer").inner_text(), *drawings])
        assert not re.search(r"NaN|undefined|Infinity|null|∞|hold +%", shown)


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


@pytest.mark.slow
def test_chains_of_the_page_switch_as_often_as_the_law_says_within_a_factor_of_two(browser, server):
    with opened(browser, server, "data=8&speed=100") as page:
        page.locator("#explorer-play").click()
        seen = chains(page, 10_000)
        assert 0.5 < seen["switches"] / seen["expected"] < 2
        assert seen["rhat"]["smaller"] < 1.02


def test_law_is_the_one_that_the_book_measures(still, site):
    chapter = BeautifulSoup((site / "book" / "label_switching.html").read_bytes(), "html.parser")
    found = moved(still, "data=8")
    law = found["law"]
    for name in ("front", "slope"):
        said = chapter.select_one(f"#claim-law-{name}").text
        measured = re.search(r"Measured: ([\d.]+) \(se", said)[1]
        assert law[name] == pytest.approx(float(measured), abs=1e-3)
    assert found["rate"] == pytest.approx(law["front"] * np.exp(-law["slope"] * found["barrier"]))


def test_state_goes_into_the_address_and_comes_back(browser, server):
    state = "separation=1.3&n=60&weight=0.45&prior=3&data=123&seed=7&ordered=1&bells=1&speed=20"
    with opened(browser, server, state) as page:
        found = settled(page)
        assert sorted(found["state"].split("&")) == sorted(state.split("&"))
        assert sorted(urlsplit(page.url).fragment.split("&")) == sorted(state.split("&"))
        page.evaluate("location.hash = 'data=0'")
        reader.until(page, f"{READY} && JSON.parse({READY}).state === 'data=0'")
        page.evaluate("location.hash = 'exercises'")
        # a place in the page is no state
        assert number(page, "barrier") == "22.511"
        page.go_back()
        page.go_back()
        reader.until(page, f"{READY} && JSON.parse({READY}).state.includes('n=60')")
        assert settled(page) == found


def test_everything_by_keyboard_alone(browser, server):
    with opened(browser, server) as page:
        page.locator("#explorer-plane-title").click()

        def go_to(selector):
            for _ in range(25):
                page.keyboard.press("Tab")
                if page.evaluate("(s) => document.activeElement.matches(s)", selector):
                    return
            raise AssertionError(f"not reached by Tab: {selector}")

        go_to("#explorer-separation")
        page.keyboard.press("ArrowRight")
        reader.until(page, f"{READY} && JSON.parse({READY}).state === 'separation=2.1'")
        assert page.locator("#explorer-separation").get_attribute("aria-valuetext") == "2.1"
        assert "modes" in page.locator("#explorer [role=status]").text_content()
        go_to("[data-dataset='0']")
        page.keyboard.press("Enter")
        reader.until(page, f"{READY} && JSON.parse({READY}).state === 'data=0'")
        go_to("[name=ordered]")
        page.keyboard.press("Space")
        assert number(page, "wait") == "never"
        page.keyboard.press("Space")
        go_to("#explorer-step")
        page.keyboard.press("Enter")
        assert chains(page, 1)["draws"] == 1
        page.keyboard.press("Shift+Tab")
        assert page.evaluate("document.activeElement.id") == "explorer-play"
        page.keyboard.press("Space")
        chains(page, 50)
        page.keyboard.press("Space")
        assert page.locator("#explorer-play").inner_text() == "Start"
        assert "draws of each chain" in page.locator("#explorer [role=status]").text_content()
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
        assert outline == "3px"


def test_chains_run_on_through_a_change_and_start_once_the_state_is_computed(browser, server):
    with opened(browser, server) as page:
        play = page.locator("#explorer-play")
        # pressed in the same breath as the change, so that nothing can be computed in between
        page.evaluate(
            """() => {
              const slider = document.querySelector("[name=separation]");
              slider.value = 1.5;
              slider.dispatchEvent(new Event("input", { bubbles: true }));
              document.getElementById("explorer-play").click();
            }"""
        )
        assert play.inner_text() == "Pause"
        settled(page)
        chains(page, 40)
        page.locator("[data-dataset='0']").click()
        settled(page)
        assert play.inner_text() == "Pause"
        chains(page, 40)
        play.click()
        assert play.inner_text() == "Start"


def test_pause_stops_the_chains_and_starting_over_repeats_them(browser, server):
    with opened(browser, server) as page:
        blank = "document.getElementById('explorer-traces').toDataURL()"
        before = page.evaluate(blank)
        play, step = page.locator("#explorer-play"), page.locator("#explorer-step")
        step.click()
        first = chains(page, 1)
        page.locator("#explorer-again").click()
        assert page.evaluate("JSON.parse(explorer.dataset.chains).draws") == 0
        step.click()
        assert chains(page, 1) == first
        play.click()
        chains(page, 200)
        assert page.evaluate(blank) != before
        play.click()
        # an answer may still be on its way; then nothing is asked for any more
        page.evaluate("new Promise((done) => setTimeout(done, 500))")
        stopped = chains(page, 200)
        page.evaluate("new Promise((done) => setTimeout(done, 500))")
        assert chains(page, 200) == stopped


def test_ordered_chains_never_switch_and_those_of_unequal_weights_have_no_law(browser, server):
    with opened(browser, server, "data=8&ordered=1&speed=100") as page:
        page.locator("#explorer-play").click()
        assert chains(page, 1000)["switches"] == 0
        assert (number(page, "expected"), number(page, "below")) == ("never", "all of it")
        assert number(page, "evidence") == "−171.4223"
    with opened(browser, server, "data=8&weight=0.2") as page:
        assert (number(page, "wait"), number(page, "barrier")) == ("no law", "1.757, 5.090")


def test_nothing_moves_by_itself_for_those_who_asked_for_less(browser, server):
    with opened(browser, server, reduced_motion="reduce") as page:
        play = page.locator("#explorer-play")
        assert play.inner_text() == "500 draws"
        play.click()
        assert chains(page, 500)["draws"] == 500
        page.evaluate("new Promise((done) => setTimeout(done, 300))")
        assert chains(page, 500)["draws"] == 500
        play.click()
        assert chains(page, 1000)["draws"] == 1000


def test_sliders_moved_fast_end_at_the_last_state_and_a_seed_that_is_none_is_set_back(
    browser, server
):
    with opened(browser, server) as page:
        field = page.locator("#explorer-data")
        for wrong in ("-5", "1.5", "99999999", ""):
            field.fill(wrong)
            field.press("Tab")
            assert field.input_value() == "8"
        page.evaluate("""() => {
          const slider = document.getElementById('explorer-n');
          for (let n = 10; n <= 90; n += 10) {
            slider.value = n;
            slider.dispatchEvent(new Event('input', { bubbles: true }));
          }
        }""")
        found = settled(page)
        assert found["state"] == "n=90"
        assert found["logEvidence"] == pytest.approx(python(n=90)[1].log_evidence, abs=1e-8)


def test_changing_the_theme_repaints(browser, server):
    with opened(browser, server, "bells=1") as page:
        page.locator("#explorer-step").click()
        chains(page, 1)
        stroke = "getComputedStyle(document.querySelector('#explorer .exact')).stroke"
        look = f"[{stroke}, document.querySelector('.stack canvas').toDataURL()]"
        light = page.evaluate(look)
        page.evaluate("document.documentElement.dataset.theme = 'dark'")
        reader.until(page, f"(before) => {look}[1] !== before", arg=light[1])
        assert light[0] == "rgb(17, 17, 17)"
        assert page.evaluate(look)[0] == "rgb(240, 240, 240)"


@pytest.mark.parametrize("look", ["dark", "telephone"])
def test_explorer_is_accessible_and_fits_while_chains_run(browser, server, look):
    with opened(browser, server, "data=8&weight=0.2&bells=1", look) as page:
        tall = "document.querySelector('#explorer').offsetHeight"
        height = page.evaluate(tall)
        page.locator("#explorer-play").click()
        chains(page, 300)
        page.locator("#explorer-play").click()
        # on a telephone a longer number may take one more line
        assert look == "telephone" or page.evaluate(tall) == height
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        # without fetching style sheets once more, from where they are not
        found = Axe().run(page, context="#explorer", options={"preload": False})
        assert found.violations_count == 0, found.generate_report()
        if look == "telephone":
            fingers = "button, select, input:not([type=checkbox]), .ticks label"
            sizes = page.locator(f"#explorer :is({fingers})").evaluate_all(
                "(all) => all.map((one) => one.getBoundingClientRect().height)")
            assert min(sizes) >= 44


def test_a_broken_worker_is_a_sentence(browser, server):
    with reader.opened(browser, "light") as (page, _):
        body = "export function integrate() { throw new Error('broken'); }"
        broken = {"body": body, "content_type": "text/javascript"}
        page.route("**/quadrature.js", lambda route: route.fulfill(**broken))
        page.goto(f"{server}/book/explorer.html")
        page.get_by_text("cannot be computed here (broken)").first.wait_for()


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
