"""The printed book in a real browser: as a reader sees it, by day, by night and on a telephone."""

import re
from urllib.parse import urlsplit

import pytest
from reader import opened, settle, until, violations
from test_pages import NAMES

FIGURES = ".cell_output figure img"
# what a page may cost before a reader scrolls: bytes as they travel, and requests
BYTES, REQUESTS = 350_000, 30
DARK = ["book/index", "book/mixture", "book/glossary", "search"]


HEIGHTS = "(all) => all.map((one) => one.getBoundingClientRect().height)"


def check_figures(page, inverted):
    """See that every figure stands on the ground of the page, whether that is dark or not."""
    styles = """(all) => all.map((one) => getComputedStyle(one))
      .map((style) => [style.filter, style.backgroundColor])"""
    for shown, behind in page.locator(FIGURES).evaluate_all(styles):
        assert bool(re.search(r"invert\(0?\.9", shown)) is inverted
        assert behind == "rgba(0, 0, 0, 0)"


def check_formulas(page):
    """See that every formula is typeset, in the letters that are made for it."""
    formulas = page.locator("article .math")
    assert formulas.filter(has_not=page.locator(".katex")).all_inner_texts() == []
    assert page.locator(".katex-error").count() == 0
    families = " ".join(page.evaluate(
        "[...document.fonts].filter((f) => f.status === 'loaded').map((f) => f.family)"))
    assert not formulas.count() or "KaTeX_Main" in families
    # a page whose formulas hold no variable needs no italics
    assert not page.locator("article .math .mathnormal").count() or "KaTeX_Math" in families


def check_code(page):
    """See that code which keeps to its 79 characters does not scroll."""
    page.evaluate("for (const one of document.querySelectorAll('article details')) one.open = true")
    blocks = page.locator("article .cell_input pre").evaluate_all(
        "(all) => all.map((pre) => [pre.textContent, pre.scrollWidth - pre.clientWidth])")
    for code, beyond in blocks:
        assert beyond <= 0 or max(map(len, code.split("\n"))) > 79, code


@pytest.mark.parametrize("name", [*NAMES, "search", "genindex"])
def test_page_is_whole_light_and_open_to_everyone(browser, server, name):
    with opened(browser, "light") as (page, listener):
        page.goto(f"{server}/{name}.html")
        page.wait_for_load_state("networkidle")
        size, files = listener.weight()
        assert size < BYTES
        assert files <= REQUESTS
        settle(page)
        assert listener.errors == []
        hosts = {urlsplit(url).netloc for url in listener.requests if not url.startswith("data:")}
        assert hosts == {urlsplit(server).netloc}
        assert page.evaluate("document.documentElement.dataset.theme") == "light"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        complete = "(image) => image.complete && image.naturalWidth > 0"
        assert page.evaluate(f"[...document.images].every({complete})")
        check_formulas(page)
        check_figures(page, inverted=False)
        assert violations(page) == {}
        check_code(page)


@pytest.mark.parametrize("name", [*NAMES, "search", "genindex"])
def test_page_in_the_dark_on_a_telephone_fits_and_keeps_the_place_of_what_comes_late(
    browser, server, name
):
    with opened(browser, "dark telephone") as (page, _):
        page.route("**/*.svg", lambda route: route.abort())
        page.goto(f"{server}/{name}.html")
        before = page.locator(FIGURES).evaluate_all(HEIGHTS)
    # what the first page was refused may be reported late
    with opened(browser, "dark telephone") as (page, listener):
        page.goto(f"{server}/{name}.html")
        settle(page)
        assert listener.errors == []
        assert page.locator(FIGURES).evaluate_all(HEIGHTS) == pytest.approx(before, abs=1.5)
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        check_figures(page, inverted=True)
        # the flow chart scrolls in its own box, or its words would be too small to read
        for drawn, natural, width in page.locator(FIGURES).evaluate_all(
            "(all) => all.filter((i) => !i.closest('#fig-chart'))"
            ".map((i) => [i.width / i.height, i.naturalWidth / i.naturalHeight, i.width])"
        ):
            assert drawn == pytest.approx(natural, rel=0.02)
            assert 250 < width <= 390


LATER = [name for name in [*NAMES, "genindex"] if name not in DARK]


# colours have names that all pages share: by day axe asks every page for everything, by night some
@pytest.mark.parametrize(
    "name", [*DARK, *(pytest.param(name, marks=pytest.mark.slow) for name in LATER)])
def test_page_can_be_read_in_the_dark_on_a_telephone(browser, server, name):
    with opened(browser, "dark telephone") as (page, _):
        page.goto(f"{server}/{name}.html")
        settle(page)
        assert violations(page, runOnly=["color-contrast", "scrollable-region-focusable"]) == {}


def test_axe_sees_what_is_wrong(browser, server):
    with opened(browser, "light") as (page, _):
        page.goto(f"{server}/book/mixture.html")
        pale = "(one) => { one.style.color = '#ddd'; one.style.background = '#fff' }"
        page.locator("article p").first.evaluate(pale)
        page.locator("article img").first.evaluate("(one) => one.removeAttribute('alt')")
        assert {"color-contrast", "image-alt"} <= violations(page).keys()


def test_reader_without_scripts_sees_formulas_and_figures(browser, server):
    with opened(browser, "light", java_script_enabled=False) as (page, listener):
        page.goto(f"{server}/book/identifiability.html")
        page.wait_for_load_state("networkidle")
        assert page.locator("article .math .katex-html").count() > 10
        assert page.locator("article .math .katex-html").first.is_visible()
        assert page.locator(FIGURES).first.is_visible()
        loading = "(all) => all.map((one) => one.loading)"
        first, *others = page.locator(FIGURES).evaluate_all(loading)
        assert first != "lazy"
        assert set(others) == {"lazy"}
        assert listener.errors == []


def test_reader_chooses_light_or_dark_and_the_next_page_knows(browser, server):
    with opened(browser, "light") as (page, listener):
        page.goto(f"{server}/book/mixture.html")
        theme = "document.documentElement.dataset.theme"
        for _ in range(3):
            if page.evaluate(theme) == "dark":
                break
            page.locator("button.theme-switch-button:visible").click()
        assert page.evaluate(theme) == "dark"
        page.goto(f"{server}/book/ordering.html")
        assert page.evaluate(theme) == "dark"
        assert listener.errors == []


def shown_rows(page):
    """Return the texts of the ledger's visible rows, cell by cell."""
    visible = page.locator("table.ledger tbody tr:visible")
    return visible.evaluate_all(
        "(rows) => rows.map((row) => [...row.cells].map((cell) => cell.textContent.trim()))")


def test_ledger_is_searched(browser, server):
    with opened(browser, "light") as (page, listener):
        page.goto(f"{server}/book/ledger.html")
        every = shown_rows(page)
        box = page.get_by_role("searchbox", name="Search the claims")
        box.fill("Lower MEAN")
        texts = [(row, " ".join(row).lower()) for row in every]
        wanted = [row for row, text in texts if "lower" in text and "mean" in text]
        assert 0 < len(wanted) < len(every)
        assert shown_rows(page) == wanted
        box.fill("no such claim")
        assert shown_rows(page) == []
        box.fill("")
        assert shown_rows(page) == every
        assert listener.errors == []


def numbers(rows, column):
    """Return the numbers of a column, and None where a cell holds none."""
    found = [re.match(r"-?\d+(\.\d+)?(e[-+]?\d+)?", row[column]) for row in rows]
    return [float(match[0]) if match else None for match in found]


@pytest.mark.parametrize("column", [2, 5])
def test_ledger_sorts_numbers_as_numbers(browser, server, column):
    with opened(browser, "light") as (page, listener):
        page.goto(f"{server}/book/ledger.html")
        every = shown_rows(page)
        head = page.locator("table.ledger th").nth(column)
        head.click()
        assert head.get_attribute("aria-sort") == "ascending"
        up = numbers(shown_rows(page), column)
        known = [number for number in up if number is not None]
        assert len(known) > 20
        assert known == sorted(known)
        # rows without a number go last, both ways
        assert up == known + [None] * (len(up) - len(known))
        head.click()
        assert head.get_attribute("aria-sort") == "descending"
        assert numbers(shown_rows(page), column) == known[::-1] + [None] * (len(up) - len(known))
        assert sorted(shown_rows(page)) == sorted(every)
        page.locator("table.ledger th").first.focus()
        page.keyboard.press("Enter")
        chapters = [row[0] for row in shown_rows(page)]
        assert chapters == sorted(chapters)
        assert page.locator("table.ledger th[aria-sort]").count() == 1
        assert listener.errors == []


def test_ledger_link_opens_its_claim(browser, server):
    with opened(browser, "light") as (page, listener):
        page.goto(f"{server}/book/ledger.html")
        row = page.locator("table.ledger tbody tr").nth(5)
        measured = row.locator("td").nth(2).inner_text()
        row.locator("a").click()
        page.wait_for_url(re.compile("#claim-"))
        until(page, "() => document.querySelectorAll('.measured:popover-open').length === 1")
        assert measured in page.locator(".measured:popover-open").inner_text()
        assert listener.errors == []


def test_mark_opens_what_was_measured_and_closes_it_by_touch_and_by_keyboard(browser, server):
    with opened(browser, "telephone") as (page, listener):
        page.goto(f"{server}/book/mixture.html")
        mark, told = page.locator("button.claim").first, page.locator(".measured").first
        assert told.is_hidden()
        mark.tap()
        assert told.is_visible()
        assert told.inner_text().startswith("Measured: ")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.keyboard.press("Escape")
        assert told.is_hidden()
        mark.focus()
        page.keyboard.press("Enter")
        assert told.is_visible()
        mark.tap()
        assert told.is_hidden()
        page.evaluate("(name) => { location.hash = name }", mark.get_attribute("id"))
        told.wait_for(state="visible")
        assert listener.errors == []


def test_buttons_print_copy_and_fill_the_screen(browser, server):
    with opened(browser, "light") as (page, listener):
        page.add_init_script("window.print = () => { window.printed = true; };")
        page.goto(f"{server}/book/mixture.html")
        page.locator("[data-action='window.print()']").dispatch_event("click")
        assert page.evaluate("window.printed")
        assert page.locator(".cell_input button.copybtn").count() > 2
        page.locator(".btn-fullscreen-button").click()
        until(page, "document.fullscreenElement !== null")
        assert listener.errors == []


SCRIPT = "document.body.append(Object.assign(document.createElement('script'), {%s}))"
IMAGE = "document.body.insertAdjacentHTML('beforeend', '<img src=%s>')"
@pytest.mark.parametrize("script", [
    SCRIPT % "textContent: 'window.ran = true'",
    SCRIPT % "src: 'https://example.org/a.js'",
    IMAGE % 'x onerror="window.ran = true"',
    IMAGE % '"https://example.org/a.png"',
    "fetch('https://example.org/').catch(() => {})",
])
def test_policy_refuses_what_does_not_belong_to_the_book(browser, server, script):
    with opened(browser, "light") as (page, listener):
        # somebody would answer
        page.route("https://example.org/**", lambda route: route.fulfill(body="window.ran = true"))
        page.goto(f"{server}/book/mixture.html")
        with page.expect_console_message(lambda said: "Content Security Policy" in said.text):
            page.evaluate(f"() => {{ {script} }}")
        assert not page.evaluate("window.ran")
        assert not any("example.org" in response.url for response in listener.responses)
