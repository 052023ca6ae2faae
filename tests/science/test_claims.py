"""The ledger's rules: what holds, what does not, what is malformed, and what reaches the page."""

import json
import math

import numpy as np
import pytest
import xarray as xr
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st
from mixtures import claims, data
from mixtures.claims import ROOM, begin, claim


@pytest.fixture
def shown(monkeypatch):
    """Begin a chapter, and gather what its claims display."""
    published = []
    monkeypatch.setattr(claims, "display", lambda data, **more: published.append((data, more)))
    monkeypatch.delenv("BOOK_SEEDS", raising=False)
    begin("bells")
    yield published
    begin("(no chapter)")


def record(shown):
    """Return the ledger's record of the one claim that was displayed."""
    ((_, more),) = shown
    assert json.dumps(more["metadata"]["claim"], allow_nan=False)
    return more["metadata"]["claim"]


def judged(value, **form):
    """Return the record of a claim that is displayed nowhere."""
    published = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(claims, "display", lambda data, **more: published.append((data, more)))
        begin("bells")
        claim("a", value, **form, says="It is so.")
        begin("(no chapter)")
    return record(published)


@pytest.mark.parametrize(("value", "true", "false"), [
    (1.04, {"expected": 1, "within": 0.05}, {"expected": 1, "within": 0.03}),
    (-0.96, {"expected": -1.0, "within": 0.05}, {"expected": 1.0, "within": 0.05}),
    (0.2, {"above": 0.1}, {"above": 0.2}),
    (0.2, {"below": 0.3}, {"below": 0.2}),
    (0.2, {"above": 0.1, "below": 0.3}, {"above": 0.1, "below": 0.15}),
    (1.5, {"one_of": [1, 1.53, 1.73], "within": 0.05}, {"one_of": [1.0, 1.6], "within": 0.05}),
    (2, {"one_of": {1, 2}}, {"one_of": np.array([1, 3])}),
    (40_000, {"expected": 40_000}, {"expected": 39_999}),
    (True, {"expected": True}, {"expected": False}),
    ("-inf", {"expected": "-inf"}, {"expected": "inf"}),
    ("mean", {"one_of": ("mean", "sd")}, {"one_of": ("median",)}),
    (np.float32(0.5), {"above": np.float64(0.4), "below": np.int64(1)},
     {"below": np.float32(0.5)}),
    (xr.DataArray(0.5), {"below": xr.DataArray(0.6)}, {"above": np.array(0.6)}),
])
def test_an_exact_number_is_judged_as_it_is(value, true, false):
    for form, holds in ((true, True), (false, False)):
        found = judged(value, **form, exact=True)
        assert (found["holds"], found["kind"]) == (holds, "exact")
        assert found["se"] is None and found["margin"] is None


number = st.floats(-1e6, 1e6)
positive = st.floats(1e-3, 1e3)


@given(number, number, positive)
def test_a_sampled_number_needs_room_before_a_bound(value, bound, error):
    above, below = judged(value, above=bound, se=error), judged(value, below=bound, se=error)
    assert above["margin"] == pytest.approx((value - bound) / error)
    assert below["margin"] == pytest.approx((bound - value) / error)
    assert above["holds"] == (value > bound and value - bound >= ROOM * error)
    assert below["holds"] == (value < bound and bound - value >= ROOM * error)


@given(number, number, positive, positive)
def test_a_sampled_number_needs_room_within_a_tolerance(value, expected, within, error):
    found = judged(value, expected=expected, within=within, se=error)
    # the two edges are rounded, and the room between them
    room = within - abs(value - expected)
    assert found["margin"] == pytest.approx(room / error, abs=1e-6)
    if abs(room - ROOM * error) > 1e-8:
        assert found["holds"] == (room >= ROOM * error)


@pytest.mark.parametrize(("value", "of", "below", "holds"), [
    (0, 100, 11, True), (0, 100, 6, False), (0, 8, 5, False),
    (50, 100, 76, True), (50, 100, 70, False), (3, 1000, 50, True)])
def test_a_count_has_the_error_of_a_binomial_even_where_none_was_counted(value, of, below, holds):
    found = judged(value, of=of, below=below)
    assert (found["kind"], found["holds"]) == ("counted", holds)
    assert found["measured"] == f"{value} of {of}"
    share = (value + 2) / (of + 4)
    assert found["se"] == pytest.approx(np.sqrt(of * share * (1 - share)))


def test_a_false_sentence_passes_for_a_sampled_one_less_often_than_once_in_a_million():
    """The worst case: the true value is where the sentence becomes false."""
    draws = np.random.default_rng(0).standard_normal(20_000)
    assert not any(judged(value, above=0.0, se=1.0)["holds"] for value in draws)


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, np.float64("nan"), np.array(np.inf)])
@pytest.mark.parametrize("kind", [{"exact": True}, {"se": 0.1}, {"se": math.nan}])
@pytest.mark.parametrize("form", [
    {"expected": 1.0, "within": 1e300}, {"one_of": [1.0, 2.0], "within": 0.1},
    {"above": 0.0}, {"below": 0.0}, {"above": -1e300, "below": 1e300}])
def test_what_is_not_finite_makes_nothing_true_and_raises_nothing(value, kind, form):
    found = judged(value, **form, **kind)
    assert (found["holds"], found["margin"], found["value"]) == (False, None, str(float(value)))


def test_a_false_sentence_shows_itself_in_red_and_the_chapter_goes_on(shown):
    claim("flat-top", 1.6, one_of=[1.0, 1.53], within=0.01, exact=True, says="The top is flat.")
    claim("next", 1, above=0, exact=True, says="It goes on.")
    false, true = (BeautifulSoup(data["text/html"], "html.parser").div for data, _ in shown)
    assert "#c00000" in false["style"] and "#c00000" not in true["style"]
    assert "The top is flat." in false.text and "1.6" in false.text and "1.53" in false.text


@pytest.mark.parametrize(("form", "words"), [
    ({"above": 0.3, "exact": True}, ["measured 0.2, expected above 0.3"]),
    ({"above": 0.1, "se": 0.05},
     ["0.200 (se 0.05)", "above 0.1", "holds by 2.0 standard errors, and 5 are asked"]),
    # to four digits both numbers are the same, so more are given
    ({"expected": 0.20001, "within": 1e-6, "exact": True}, ["0.2000000", "0.2000100 ± 1e-06"]),
])
def test_a_fault_says_what_was_measured_what_was_expected_and_what_is_missing(form, words):
    fault = judged(0.2, **form)["fault"]
    assert all(word in fault for word in words), fault


EXACT = {"value": 1.0, "expected": 1.0, "within": 0.1, "exact": True}


@pytest.mark.parametrize(("argument", "call"), [
    *(("name", {"name": name}) for name in ("", "two words", 'a"><script>', "-", "café", 3)),
    *(("says", {"says": says}) for says in (" ", None)),
    *(("value", {"value": value}) for value in (None, [1.0], np.array([1.0, 2.0]), 1j, "one")),
    ("value", {"value": "1", "within": None, "expected": 1}),
    ("value", {"value": "one", "expected": None, "within": None, "above": 0}),
    ("value", {"value": "one", "expected": "one", "within": None, "exact": False, "se": 0.1}),
    ("value", {"value": True, "expected": True, "within": None, "exact": False, "of": 3}),
    ("expected", {"expected": None}),
    ("expected", {"above": 0.0}),
    ("expected", {"one_of": [1.0]}),
    ("expected", {"expected": math.nan}),
    ("expected", {"expected": [1]}),
    ("above", {"expected": None, "within": None, "above": math.nan}),
    ("below", {"expected": None, "within": None, "below": [1]}),
    *(("one_of", {"expected": None, "one_of": bad})
      for bad in ([], "abc", 3, [None], [math.nan])),
    ("within", {"within": None}),
    *(("within", {"within": bad}) for bad in (0, -1, math.nan, math.inf, "1", True)),
    ("within", {"expected": None, "above": 0.0}),
    ("within", {"value": 1, "expected": 1, "within": None, "exact": False, "se": 0.1}),
    ("se", {"exact": False}),
    ("se", {"se": 0.1}),
    ("se", {"of": 3}),
    *(("se", {"exact": False, "se": bad})
      for bad in (-1.0, math.nan, math.inf, "1", [0.1], True)),
    *(("of", {"value": 1, "exact": False, "of": bad}) for bad in (0, -1, 2.5, "3")),
    ("of", {"value": 4, "exact": False, "of": 3}),
    ("of", {"value": 1.5, "exact": False, "of": 3}),
])
def test_malformed_claim_is_refused_by_the_name_of_its_argument(shown, argument, call):
    call = {"name": "bell", "says": "It is so."} | EXACT | call
    with pytest.raises(ValueError, match=f"^{argument}: ") as refused:
        claim(**call)
    assert argument == "name" or "claim bell" in str(refused.value)
    assert not shown


def test_a_name_belongs_to_one_sentence(shown):
    claim("a", 1, expected=1, exact=True, says="One.")
    # a cell that is run again
    claim("a", 1, expected=1, exact=True, says="One.")
    with pytest.raises(ValueError, match=r"^name: .*One\."):
        claim("a", 1, expected=1, exact=True, says="Two.")
    begin("another")
    claim("a", 1, expected=1, exact=True, says="Two.")


def test_a_sentence_is_escaped(shown):
    claim("a-1", "<b>", expected="<b>", exact=True, says='Is "a" < b & c?')
    page = BeautifulSoup(shown[0][0]["text/html"], "html.parser")
    assert page.text == '✓ Is "a" < b & c? (<b>)'
    assert [tag.name for tag in page.find_all()] == ["div"]


def test_a_sentence_may_print_what_was_measured_and_formulas_keep_their_braces(shown):
    claim("first", -1.26, below=0, exact=True, says="It is {first:.1f}.")
    claim("second", 2, above=0, exact=True, says="{first} and $10^{-7}$, {third}.")
    said = [options["metadata"]["claim"]["says"] for _, options in shown]
    assert said == ["It is −1.3.", "−1.26 and $10^{-7}$, {third}."]


def test_prose_of_a_notebook_takes_what_was_measured(shown):
    assert claims.measured("a", ".2f") == "…"
    claim("a", 1234.567, above=0, exact=True, says="One.")
    claim("b", -2.5, below=0, se=0.1, says="Two.")
    claim("c", "north", one_of=["north"], exact=True, says="Three.")
    assert claims.measured("a", ",.1f") == "1,234.6" and claims.measured("b", ".1f") == "−2.5"
    assert claims.measured("c") == "north"
    begin("another")
    assert claims.measured("a") == "…"


def test_the_press_glues_what_was_measured(shown):
    claim("a", np.float64(2.5), above=0, exact=True, says="One.")
    ((data, more),) = shown
    assert more["metadata"]["scrapbook"] == {"name": "a", "mime_prefix": ""}
    assert (data["text/plain"], record(shown)["chapter"]) == ("2.5", "bells")


def test_seed_moves_with_the_environment(monkeypatch):
    monkeypatch.delenv("BOOK_SEEDS", raising=False)
    assert claims.seed(7) == 7
    monkeypatch.setenv("BOOK_SEEDS", "3")
    assert claims.seed(np.int64(7)) == 3007


def test_a_claim_about_a_dataset_that_its_chapter_has_not_drawn_is_false(shown):
    data.simulate(8)
    claim("drawn", 1, expected=1, exact=True, says="Dataset 8 has one.")
    claim("other", 1, expected=1, exact=True, says="So have datasets 8 and dataset 9.")
    drawn, other = (more["metadata"]["claim"] for _, more in shown)
    assert drawn["holds"]
    assert not other["holds"] and other["fault"] == "this chapter has not drawn dataset 9"
    begin("the next")
    claim("drawn", 1, expected=1, exact=True, says="Dataset 8 has one.")
    assert not shown[-1][1]["metadata"]["claim"]["holds"]
