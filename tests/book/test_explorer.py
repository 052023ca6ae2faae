"""The explorer's page: for keyboard, finger and ear."""

import re
from urllib.parse import urlsplit

import pytest
import reader
from axe_playwright_python.sync_playwright import Axe
from explorer import READY, chains, number, opened, python, settled


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


@pytest.mark.slow
def test_chains_of_the_page_switch_as_often_as_the_law_says_within_a_factor_of_two(browser, server):
    with opened(browser, server, "data=8&speed=100") as page:
        page.locator("#explorer-play").click()
        seen = chains(page, 10_000)
        assert 0.5 < seen["switches"] / seen["expected"] < 2
        assert seen["rhat"]["smaller"] < 1.02


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
