"""The ledger's rules: what holds, what does not, what is malformed, and what reaches the page."""

import json
import math
import re

import numpy as np
import pytest
import xarray as xr
from bs4 import BeautifulSoup
from mixtures import claims
from mixtures.claims import FalseClaim, begin, claim


@pytest.fixture(autouse=True)
def shown(monkeypatch):
    """Begin a chapter, and gather what its claims display."""
    published = []
    monkeypatch.setattr(claims, "display", lambda data, **more: published.append((data, more)))
    monkeypatch.delenv("BOOK_CLAIMS_GATHER", raising=False)
    monkeypatch.delenv("BOOK_SEEDS", raising=False)
    begin("bells")
    yield published
    begin("(no chapter)")


def record(shown):
    """Return the ledger's record of the one claim that was displayed."""
    ((_, more),) = shown
    return more["metadata"]["claim"]


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (1.04, {"expected": 1, "within": 0.05}),
        (-0.96, {"expected": -1.0, "within": 0.05}),
        (1.25, {"expected": 1.0, "within": 0.25}),
        (0.2, {"above": 0.1}),
        (0.2, {"below": 0.3}),
        (0.2, {"above": 0.1, "below": 0.3}),
        (1.5, {"one_of": [1.0, 1.53, 1.73], "within": 0.05}),
        (2, {"one_of": {1, 2}}),
        (2, {"one_of": np.array([1, 2])}),
        (40_000, {"expected": 40_000}),
        (2, {"expected": 2.0}),
        (True, {"expected": True}),
        ("-inf", {"expected": "-inf"}),
        ("mean", {"one_of": ("mean", "sd")}),
        (np.float64(0.5), {"expected": np.float32(0.5), "within": np.float64(1e-9)}),
        (np.float32(0.5), {"above": np.float64(0.4), "below": np.int64(1)}),
        (np.int64(3), {"expected": np.int64(3)}),
        (np.bool_(True), {"expected": True}),
        (np.str_("nan"), {"expected": "nan"}),
        (np.array(0.5), {"expected": np.array(0.5), "within": 1e-9}),
        (xr.DataArray(0.5), {"below": xr.DataArray(0.6)}),
    ],
)
def test_true_claim_enters_the_ledger(shown, value, form):
    claim("a", value, **form, says="It is so.")
    assert record(shown)["holds"] is True


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (1.06, {"expected": 1, "within": 0.05}),
        (0.94, {"expected": 1, "within": 0.05}),
        (0.1, {"above": 0.1}),
        (0.3, {"below": 0.3}),
        (0.4, {"above": 0.1, "below": 0.3}),
        (0.0, {"above": 0.1, "below": 0.3}),
        (1.6, {"one_of": [1.0, 1.53, 1.73], "within": 0.05}),
        (3, {"one_of": {1, 2}}),
        (39_999, {"expected": 40_000}),
        ("inf", {"expected": "-inf"}),
        ("median", {"one_of": ("mean", "sd")}),
        (np.array(0.5), {"expected": 0.6, "within": 1e-9}),
    ],
)
def test_false_claim_stops_the_chapter(shown, value, form):
    with pytest.raises(FalseClaim):
        claim("a", value, **form, says="It is so.")
    assert not shown


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float64("nan"), np.array(np.inf)])
@pytest.mark.parametrize(
    "form",
    [
        {"expected": 1.0, "within": 1e300},
        {"above": 0.0},
        {"below": 0.0},
        {"above": -1e300, "below": 1e300},
        {"one_of": [1.0, 2.0], "within": 0.1},
    ],
)
def test_nan_and_infinity_make_nothing_true(monkeypatch, shown, value, form):
    with pytest.raises(FalseClaim):
        claim("a", value, **form, says="It is so.")
    monkeypatch.setenv("BOOK_CLAIMS_GATHER", "1")
    claim("a", value, **form, says="It is so.")
    assert record(shown)["holds"] is False
    assert record(shown)["distance"] is None
    assert json.dumps(record(shown), allow_nan=False)


@pytest.mark.parametrize(
    ("value", "form", "named"),
    [
        (-170.72951, {"expected": -170.7292, "within": 1e-4}, ["Measured -170.72951;", "-170.72920 ± 0.0001"]),
        (0.2, {"above": 0.5, "below": 2}, ["Measured 0.2;", "above 0.5 and below 2"]),
        (1.6, {"one_of": [1.0, 1.53], "within": 0.01}, ["Measured 1.6;", "1.000 or 1.530 ± 0.01"]),
        (3, {"expected": 2}, ["Measured 3;", "expected 2."]),
        ("nan", {"expected": "inf"}, ["Measured nan;", "expected inf."]),
    ],
)
def test_false_claim_says_all_that_a_newcomer_needs(value, form, named):
    with pytest.raises(FalseClaim) as caught:
        claim("flat-top", value, **form, says="The top is flat.")
    for words in ["chapter bells", "claim flat-top", "The top is flat.", *named]:
        assert words in str(caught.value)


def test_false_claim_never_looks_true():
    # to four digits both numbers are 3, so the message has to give more
    with pytest.raises(FalseClaim, match=r"Measured 3\.00001; expected below 3\."):
        claim("a", 3.00001, below=3, says="It is below three.")


@pytest.mark.parametrize(
    ("argument", "call"),
    [
        ("name", {"name": ""}),
        ("name", {"name": "two words"}),
        ("name", {"name": 'a"><script>'}),
        ("name", {"name": "-"}),
        ("name", {"name": "café"}),
        ("name", {"name": 3}),
        ("says", {"says": " "}),
        ("says", {"says": None}),
        ("value", {"value": None}),
        ("value", {"value": [1.0]}),
        ("value", {"value": np.array([1.0, 2.0])}),
        ("value", {"value": 1j}),
        ("value", {"value": "one"}),
        ("value", {"value": "one", "expected": None, "within": None, "above": 0}),
        ("value", {"value": "1", "expected": 1, "within": None}),
        ("value", {"value": 1, "within": None, "expected": "1"}),
        ("expected", {"expected": None}),
        ("expected", {"above": 0}),
        ("expected", {"one_of": [1, 2]}),
        ("expected", {"expected": math.nan}),
        ("expected", {"expected": math.inf}),
        ("expected", {"expected": np.array([1.0, 2.0])}),
        ("above", {"expected": None, "within": None, "above": math.nan}),
        ("below", {"expected": None, "within": None, "below": np.inf}),
        ("one_of", {"expected": None, "one_of": []}),
        ("one_of", {"expected": None, "one_of": 1.0}),
        ("one_of", {"expected": None, "one_of": [1.0, math.nan]}),
        ("one_of", {"value": "a", "expected": None, "within": None, "one_of": "abc"}),
        ("within", {"within": None}),
        ("within", {"within": None, "expected": None, "one_of": [1.0]}),
        ("within", {"within": 0}),
        ("within", {"within": -0.1}),
        ("within", {"within": math.nan}),
        ("within", {"within": math.inf}),
        ("within", {"within": "0.1"}),
        ("within", {"expected": None, "above": 0.0}),
    ],
)
def test_malformed_call_names_the_argument(shown, argument, call):
    well_formed = {"name": "a", "value": 1.0, "expected": 1.0, "within": 0.1, "says": "It is so."}
    with pytest.raises(ValueError, match=rf"^{argument}: "):
        claim(**(well_formed | call))
    assert not shown


def test_name_belongs_to_one_sentence_of_a_chapter(shown):
    claim("a", 1, expected=1, says="One.")
    with pytest.raises(ValueError, match=r"^name: 'a' is already the name of the claim 'One\.'"):
        claim("a", 2, expected=2, says="Two.")
    # a reader runs a cell again
    claim("a", 1, expected=1, says="One.")
    begin("hills")
    claim("a", 2, expected=2, says="Two.")
    assert [more["metadata"]["claim"]["chapter"] for _, more in shown] == ["bells", "bells", "hills"]


def test_output_carries_the_record_and_the_glue(shown):
    claim("width", np.float64(1.26), expected=1.2, within=0.1, says="The width is 1.2.")
    ((data, more),) = shown
    assert more["raw"] is True
    assert more["metadata"]["scrapbook"] == {"name": "width", "mime_prefix": ""}
    assert float(data["text/plain"]) == 1.26
    kept = json.loads(json.dumps(more["metadata"], allow_nan=False))["claim"]
    assert kept.pop("distance") == pytest.approx(0.6)
    assert kept == {
        "name": "width",
        "chapter": "bells",
        "says": "The width is 1.2.",
        "value": 1.26,
        "measured": "1.26",
        "expected": "1.20 ± 0.1",
        "holds": True,
    }


def test_bound_and_exact_match_have_no_distance(shown):
    claim("a", 1.0, above=0, says="One.")
    claim("b", 2, expected=2, says="Two.")
    assert [more["metadata"]["claim"]["distance"] for _, more in shown] == [None, None]


def test_distance_is_to_the_nearest_of_a_set(shown):
    claim("a", 1.74, one_of=[1.0, 1.53, 1.73], within=0.02, says="One of three.")
    assert record(shown)["distance"] == pytest.approx(0.5)


def test_mark_opens_its_sentence_and_escapes_it(shown):
    claim("a-1", "<b>", expected="<b>", says='Is "a" < b & c?')
    page = BeautifulSoup(shown[0][0]["text/html"], "html.parser")
    assert page.details["id"] == "claim-a-1"
    assert page.summary.text == '✓ Is "a" < b & c?'
    assert page.summary["title"] == 'Is "a" < b & c? Measured: <b>; expected: <b>.'
    assert page.details.text == page.summary.text + "Measured: <b>; expected: <b>."
    assert [tag.name for tag in page.find_all()] == ["details", "summary", "span"]


def test_prose_of_a_notebook_takes_what_was_measured(shown):
    assert claims.measured("a", ".2f") == "…"
    claim("a", 1234.567, above=0, says="One.")
    claim("b", -2.5, below=0, says="Two.")
    claim("c", "north", one_of=["north"], says="Three.")
    assert [claims.measured("a", ",.1f"), claims.measured("b", ".1f"), claims.measured("c")] == ["1,234.6", "−2.5", "north"]
    claims.begin("another")
    assert claims.measured("a") == "…"


def test_seed_moves_with_the_environment(monkeypatch):
    assert claims.seed(7) == 7
    monkeypatch.setenv("BOOK_SEEDS", "3")
    assert claims.seed(7) == 3007
    assert claims.seed(np.int64(7)) == 3007


def test_gathering_lets_a_false_claim_pass_and_says_so(monkeypatch, shown):
    monkeypatch.setenv("BOOK_CLAIMS_GATHER", "1")
    claim("a", 1.3, expected=1.0, within=0.1, says="It is one.")
    assert record(shown)["holds"] is False
    assert record(shown)["distance"] == pytest.approx(3)
    assert ">✗<" in shown[0][0]["text/html"]


def test_gathering_does_not_excuse_a_malformed_call(monkeypatch):
    monkeypatch.setenv("BOOK_CLAIMS_GATHER", "1")
    with pytest.raises(ValueError, match="^within: "):
        claim("a", 1.0, expected=1.0, says="It is one.")


@pytest.mark.parametrize(
    ("value", "form", "words"),
    [
        (None, {"expected": 1}, "value: claim bell: expected a number or a string, got NoneType"),
        (1, {"above": math.nan}, "above: claim bell: expected a number or a string, got nan"),
        (1, {"expected": [1]}, "expected: claim bell: expected a number or a string, got list"),
        (1, {"one_of": [None]}, "one_of: claim bell: expected a number or a string, got NoneType"),
        ("x", {"one_of": ["x", 1], "within": 0.1}, "value: claim bell: a string is not near, above, below or equal to a number: 'x'"),
        ("x", {"above": 1}, "value: claim bell: a string is not near, above, below or equal to a number: 'x'"),
    ],
)
def test_refusal_names_the_claim_and_what_it_got(value, form, words):
    with pytest.raises(ValueError, match=f"^{re.escape(words)}$"):
        claim("bell", value, **form, says="It is so.")


def test_record_has_the_digits_of_the_tolerance_and_every_choice(shown, monkeypatch):
    claim("a", 1.25, expected=1.25, within=1e-6, says="It is so.")
    claim("b", 2, one_of=[1, 2], says="It is one of them.")
    monkeypatch.setenv("BOOK_CLAIMS_GATHER", "1")
    claim("c", math.inf, below=1, says="It is small.")
    first, second, third = (more["metadata"]["claim"] for _, more in shown)
    assert (first["measured"], first["expected"]) == ("1.2500000", "1.2500000 ± 1e-06")
    assert second["expected"] == "1 or 2"
    assert (third["value"], third["measured"], third["holds"]) == ("inf", "inf", False)


@pytest.mark.parametrize(("value", "within", "shown"), [
    (1234.5678, None, "1235"), (9999.9, None, "1e+04"), (10000.0, None, "10000"), (10000.5, None, "10000.5"),
    (-12345.678, None, "-12345.7"), (0.00012345, None, "0.0001234"), (123.456, 50.0, "123"), (123.456, 5.0, "123.5"),
    (123.456, 0.02, "123.456"), (123.456, 0.2, "123.46"), (np.inf, 0.1, "inf"), (7, 0.1, "7"), (True, None, "True"),
    ("word", None, "word"),
])
def test_a_number_is_shown_to_two_digits_of_its_tolerance_or_to_four_of_its_own(value, within, shown):
    assert claims._show(value, within) == shown
