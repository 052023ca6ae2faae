"""The search: what readers type, and the section that has to be among the first three found."""

import json

import pytest
from checkout import ROOT
from reader import opened, violations

SITE = ROOT / "_build/html"
FIRST = 3
# what is typed, and where it is answered
TARGETS = {
    "R-hat 1.5": "label_switching.html#rhat-1-53",
    "r_hat of 1.5": "label_switching.html#rhat-1-53",
    "rhat": "glossary.html#term-R-hat",
    "label switching": "glossary.html#term-Label-switching",
    "initval": "ordering.html#initval",
    "nan loss": "ordering.html#initval",
    "order the means": "ordering.html#the-ordered-transform-put-the-means-in-order",
    "relabel": "relabelling.html#which-relabelling",
    "ADVI": "variational.html#advi-one-bell-for-two-hills",
    "divergences": "practice.html#not-switching",
    "how many components": "beyond.html#how-many",
    "memberships": "relabelling.html#memberships",
    "prior predictive": "ordering.html#prior-draws",
    "switching between chains":
        "label_switching.html#r-hat-is-high-label-switching-or-a-real-failure",
    "Stan": "practice.html#by-tool",
    "HMM": "structures.html",
    "Poisson": "families.html",
    "tempering": "must_switch.html#does-parallel-tempering-help",
    "k-hat": "variational.html#what-k-hat-cannot-see",
    "evidence": "glossary.html#term-Evidence",
    "K!": "ordering.html#k-factorial",
}


@pytest.fixture(scope="module")
def dialog(browser, server):
    """Return the dialog of the search, open on the book's first page."""
    with opened(browser, "light") as (page, listener):
        page.goto(f"{server}/book/index.html")
        page.keyboard.press("Control+k")
        yield page.locator("#pst-search-dialog")
        assert listener.errors == []


def asked(form, query):
    """Return the addresses that are found, in their order."""
    form.locator("input").fill(query)
    # those of an earlier query may still stand there
    form.locator(f".search-results[data-answers='{query}'] a").first.wait_for()
    return form.locator(".search-results a").evaluate_all("(all) => all.map((one) => one.href)")


@pytest.mark.parametrize("query", TARGETS)
def test_what_readers_type_is_answered_among_the_first(dialog, query):
    found = [address.split("/book/")[-1] for address in asked(dialog, query)[:FIRST]]
    # a page, or one section of it
    of_page = [one.partition("#")[0] for one in found]
    assert TARGETS[query] in (*found, *of_page), found


def test_the_search_goes_by_keyboard_and_says_how_many(browser, server):
    with opened(browser, "light") as (page, listener):
        page.goto(f"{server}/book/glossary.html")
        page.keyboard.press("Control+k")
        form = page.locator("#pst-search-dialog")
        asked(form, "r_hat 1.5")
        assert form.get_by_role("status").inner_text().endswith("sections")
        assert violations(page) == {}
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowUp")
        page.keyboard.press("Enter")
        page.wait_for_url("**/label_switching.html#rhat-1-53")
        # at the section, and nothing is highlighted
        assert page.locator(".highlighted, mark").count() == 0
        assert listener.errors == []


def test_the_page_of_the_search_answers_an_address(browser, server):
    with opened(browser, "telephone") as (page, listener):
        page.goto(f"{server}/search.html?q=barrier")
        field = page.locator(".bd-search-container")
        field.locator(".search-results a").first.wait_for()
        assert page.evaluate("document.activeElement.name") == "q"
        assert all("/book/" in one for one in asked(field, "barrier"))
        field.locator("input").fill("zzzzqqqq")
        page.get_by_text("Nothing found").wait_for()
        assert listener.errors == []


def test_sections_are_questions_terms_sections_and_entries_without_code():
    written = (SITE / "_static/sections.js").read_text("utf-8")
    rows = json.loads(written.removeprefix("globalThis.bookSections = ").removesuffix(";\n"))
    kinds = {kind for _, _, _, kind, _ in rows}
    assert kinds == {"question", "term", "section", "reference"}
    for address, title, _, _, text in rows:
        page, _, anchor = address.partition("#")
        body = (SITE / page).read_text("utf-8")
        assert title and (not anchor or f'id="{anchor}"' in body), address
        assert "import numpy" not in text and "✓" not in text, address
