"""From evidence to a verdict and to words: on evidence made by hand, and on draws."""

import numpy as np
import pytest
import xarray as xr
from mixtures import switching
from mixtures.switching import (
    BETWEEN,
    COLLAPSED,
    NONE,
    NOT,
    NOT_ONLY,
    OVERLAPPING,
    UNKNOWN,
    WITHIN,
    Thresholds,
    words,
)
from mixtures.switching.evidence import Evidence, Worst, gather
from mixtures.switching.thresholds import STANDARD
from mixtures.switching.verdict import verdict as judge
from mixtures.trace import Trace


def seen(**more):
    """Return evidence of four chains that agree on all, but for what is said."""
    usual = {"chains": ("1", "2", "3", "4"), "n_draw": 500, "split": (4,)}
    return Evidence(**usual | more)


def numbers():
    """Return scores of a quantity of each kind, and of four chains."""
    return xr.Dataset({
        "rhat": ("quantity", [1.5, 1.001, 1.002]), "ess": ("quantity", [7.0, 1000.0, 900.4]),
        "kind": ("quantity", ["raw labels", "sorted", "sums"]),
        "switches": ("chain", [0, 2, 0, 0]), "mode": ("chain", [0, 0, 1, 0])})


# the verdict is a function of the evidence

WORST = Worst(3, "sum of means", 2.5, 1.02)
FAILURES = {"still": ("2",), "worst": WORST, "too_many": True}
VERDICTS = [
    ({}, NONE),
    ({"split": (3, 1)}, BETWEEN),
    ({"split": (3, 1), "switches": 2}, WITHIN),
    ({"chains": ("0",), "split": (1,), "switches": 3}, WITHIN),
    ({"chains": ("0",), "split": (1,)}, UNKNOWN),
    *(({name: value}, NOT) for name, value in FAILURES.items()),
    ({"worst": WORST, "split": (3, 1)}, NOT_ONLY),
    ({"worst": WORST, "switches": 2}, NOT_ONLY),
    ({"overlaps": (((0, 1), 0.1),)}, OVERLAPPING),
    ({"twins": ((0, 1),)}, COLLAPSED),
    ({"empty": ((1, "w", 0.001),)}, COLLAPSED),
    # a collapse comes before an overlap and after switches
    ({"overlaps": (((0, 1), 1.0),), "twins": ((0, 1),)}, COLLAPSED),
    ({"split": (3, 1), "twins": ((0, 1),)}, BETWEEN),
    # some divergences are told, and so is a rare component; of entries one by one nobody can tell
    ({"divergences": 3}, NONE),
    ({"rare": ((1, "w", 0.001),)}, NONE),
    ({"separate": 5, "worst": WORST, "split": (3, 1)}, UNKNOWN),
    ({"separate": 5, "worst": WORST, "too_many": True}, NOT),
    # few draws tell nothing, whatever was found
    ({"enough": False}, UNKNOWN),
    ({"enough": False, "split": (3, 1), "switches": 5, "worst": WORST}, UNKNOWN),
    ({"missing": "No chain moves."}, UNKNOWN),
]


@pytest.mark.parametrize(("evidence", "verdict"), VERDICTS)
def test_evidence_alone_decides(evidence, verdict):
    assert judge(seen(**evidence)) == verdict


def test_the_first_failure_is_the_summary_and_all_others_are_evidence():
    case = seen(**FAILURES)
    first, second, third = words.failures(case)
    assert words.summary(NOT, case).lower().startswith(first.lower())
    assert words.evidence(NOT, case, numbers())[:2] == [second, third]
    assert words.evidence(UNKNOWN, case, numbers())[:3] == [first, second, third]


def test_failures_name_the_worst_quantity_the_chains_and_the_divergences():
    still, worst, others, diverged = words.failures(
        seen(left_out=("2", "4"), divergences=30, place="the gap is small", **FAILURES))
    assert "chain 2 never moves" in still and "2, 4" in others
    assert "30 of 2000 draws diverged, where the gap is small" in diverged
    assert "3 label-free" in worst and "sum of means, has R-hat 2.50" in worst
    assert words.failures(seen()) == []


def test_the_summary_has_the_split_the_switches_and_the_worst_overlap():
    assert "3-1 split" in words.summary(BETWEEN, seen(split=(3, 1)))
    assert "2 times" in words.summary(WITHIN, seen(switches=2))
    assert "1 time:" in words.summary(WITHIN, seen(switches=1))
    overlaps = (((0, 2), 0.2), ((1, 2), 0.4))
    assert "40%" in words.summary(OVERLAPPING, seen(overlaps=overlaps))
    lines = words.evidence(OVERLAPPING, seen(overlaps=overlaps), numbers())
    assert ["40%" in lines[-2], "20%" in lines[-1]] == [True, True]
    many = seen(overlaps=tuple(((0, k), 0.1 + k / 100) for k in range(1, 9)))
    lines = words.evidence(OVERLAPPING, many, numbers())
    assert "0 and 8" in lines[-4] and "5 more pairs" in lines[-1], "the worst, and how many more"
    few = words.evidence(NONE, seen(divergences=3, rare=((1, "w", 0.004),)), numbers())
    assert "is rare" in few[-2] and "3 of 2000 draws diverged: too few" in few[-1]
    assert "5 entries" in words.summary(UNKNOWN, seen(separate=5))
    assert "one by one" in words.next_step(UNKNOWN, seen(separate=5))
    assert "7 draws" in words.summary(UNKNOWN, seen(n_draw=7, enough=False))


# the evidence is gathered from draws

STEADY = {"means": np.array([0.0, 1.0])}


def gathered(thresholds=STANDARD, diverged=None, **values):
    """Gather evidence from variables [component] or [chain, draw, component], the means noisy."""
    rng = np.random.default_rng(0)
    full = {
        name: np.broadcast_to(v, (4, 200, np.shape(v)[-1]))[..., None]
        for name, v in (values or STEADY).items()}
    if "means" in full:
        full["means"] = full["means"] + 0.1 * rng.normal(size=full["means"].shape)
    return gather(Trace(full, tuple(full)[:1], np.arange(4) + 1, {}, diverged), thresholds)[0]


def test_divergences_and_chains_are_counted():
    diverged = np.zeros((4, 200), dtype=bool)
    diverged[[0, 0, 2], [5, 7, 9]] = True
    found = gathered(diverged=diverged)
    assert found.divergences == 3 and found.chains == ("1", "2", "3", "4") and found.split == (4,)
    assert (found.too_many, found.place) == (False, "")
    diverged[0, :8] = True
    assert gathered(diverged=diverged).too_many


def test_divergences_that_lie_together_are_said_to():
    means = np.zeros((4, 200, 2)) + [0, 1]
    diverged = np.zeros((4, 200), dtype=bool)
    diverged[1, 20:26] = True
    means[diverged] += [0, 30]
    found = gathered(means=means, diverged=diverged)
    assert found.divergences == 6 and "is large" in found.place


@pytest.mark.parametrize("turned", [False, True])
def test_where_no_two_chains_agree_each_is_compared_with_itself(turned):
    means = np.array([0, 1]) + 10 * np.arange(4)[:, None, None] + np.zeros((4, 200, 1))
    if turned:
        means[2, 100:] = means[2, 100:, ::-1]
    found = gathered(means=means)
    assert judge(found) == (NOT_ONLY if turned else NOT) and found.split == (1,)


def test_labels_of_chains_that_are_not_sound_do_not_count():
    means = np.zeros((4, 200, 2)) + [0, 1]
    means[3] += 5 * (np.arange(200) % 2)[:, None]
    means[3, 100:] = means[3, 100:, ::-1]
    found = gathered(means=means)
    assert (found.switches, found.split, found.left_out) == (0, (3,), ("4",))
    assert judge(found) == NOT


SOME_CHAINS = np.where(np.arange(4)[:, None, None] < 3, [0.001, 0.999], 0.5) + np.zeros((4, 200, 1))


def empty_in(draws):
    return np.where(np.arange(200)[:, None] < draws, [0.002, 0.998], 0.5)


@pytest.mark.parametrize(("variables", "empty"), [
    ({"w": [0.6, 0.005, 0.395]}, True),
    ({"w": [0.0, 1.0]}, True),
    ({"w": [0.01, 0.99]}, False),
    # what does not sum to 1, or is negative, is no share
    ({"m": [0.001, 5.0]}, False),
    ({"m": [-0.001, 1.001]}, False),
    # in most draws of the chains
    ({"w": empty_in(120)}, True),
    ({"w": empty_in(80)}, False),
    ({"w": SOME_CHAINS}, True),
])
def test_a_component_of_almost_no_weight_is_empty(variables, empty):
    n_component = np.shape(next(iter(variables.values())))[-1]
    wide = 5 * np.random.default_rng(1).normal(size=(4, 200, n_component))
    found = gathered(means=np.arange(n_component) + wide, **variables)
    assert (bool(found.empty), found.rare) == (empty, ())
    apart = gathered(means=10 * np.arange(n_component), **variables)
    assert (apart.empty, bool(apart.rare)) == ((), empty)


def test_the_lines_are_drawn_where_the_reader_says():
    assert gathered(Thresholds(empty=0.001), means=[0, 0.1], w=[0.005, 0.995]).empty == ()
    close = {"means": np.array([0.0, 0.3])}
    shares = [share for _, share in gathered(Thresholds(overlap=0.001), **close).overlaps]
    assert shares and gathered(Thresholds(overlap=shares[0] + 1e-9), **close).overlaps == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [("overlap", 0), ("empty", 1.5), ("rhat", 1.0), ("odds", np.nan), ("pure", [1])])
def test_thresholds_that_make_no_sense_are_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f"^{name}: "):
        Thresholds(**{name: value})


# how it is shown

SHORT = switching.Diagnosis(
    WITHIN, "They do <b>.", ("One & two.", "Raw " + "labels " * 14), "What this cannot tell: much.",
    "Go & see.", "x.html#a", numbers())


def test_it_prints_in_79_columns_with_its_evidence_indented():
    lines = str(SHORT).splitlines()
    assert max(map(len, lines)) <= 79 and repr(SHORT) == str(SHORT)
    assert [line for line in lines if line[:2] == "- "] == ["- One & two.", lines[2]]
    assert lines[3].startswith("  labels")


def test_it_is_shown_as_a_page_that_escapes_names():
    page = SHORT._repr_html_()
    row = "<td>sums</td><td>1.002</td><td>900</td>"
    for part in ("They do &lt;b&gt;.", "One &amp; two.", '<a href="x.html#a">', row):
        assert part in page
    bare = switching.Diagnosis(NONE, "S.", (), "", "Go.", "y.html", xr.Dataset())
    assert bare.table() == []
    assert not any(part in bare._repr_html_() for part in ("<table>", "<details>"))


def test_the_table_has_the_worst_of_each_kind():
    scores = xr.Dataset({
        "rhat": ("quantity", [1.1, 1.3, 1.2, 1.0]), "ess": ("quantity", [50.0, 70.0, 10.0, 90.0]),
        "kind": ("quantity", ["sums", "raw labels"] * 2)})
    table = switching.Diagnosis(NONE, "", (), "", "", "", scores).table()
    assert table == [("sums", 1.2, 10.0), ("raw labels", 1.3, 70.0)]
