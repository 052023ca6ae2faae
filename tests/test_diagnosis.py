"""From what was found in a trace to a verdict and to the words of it: on findings made by hand."""

import numpy as np
import pytest
import xarray as xr
from mixtures import labels, switching
from mixtures.switching import BETWEEN, COLLAPSED, NONE, NOT, NOT_ONLY, OVERLAPPING, UNKNOWN, WITHIN

AGREE = "4 chains agree on every label-free quantity"
RHATS = ("Raw labels: R-hat up to 1.500, bulk ESS from 7.", "Label-free: R-hat up to 1.002, bulk ESS from 900.")


def trace(n_chain=4, n_draw=10, n_component=2, notes=(), divergences=None, **variables):
    """Return a trace of the variables [component] or [chain, draw, component, entry], the same in all draws."""
    values = variables or {"means": np.arange(1.0, n_component + 1)}
    shape = (n_chain, n_draw, n_component, 1)
    full = {name: np.array(v) if np.ndim(v) == 4 else np.broadcast_to(np.array(v)[:, None], shape)
            for name, v in values.items()}
    return labels.Trace(full, tuple(values)[:1], np.arange(n_chain) + 1, {}, divergences, notes)


def found(mode=(0, 0, 0, 0), switches=(0, 0, 0, 0), overlap=None, twins=(), n_draw=10, n_component=2):
    """Return a labelling: pairs that overlap with their shares, and pairs that are equal."""
    share, equal = np.zeros((n_component, n_component)), np.zeros((n_component, n_component), dtype=bool)
    for (j, k), value in (overlap or {}).items():
        share[j, k] = share[k, j] = value
    for j, k in twins:
        equal[j, k] = equal[k, j] = True
    order = np.tile(np.arange(n_component), (len(mode), n_draw, 1))
    return labels.Labels(order, np.array(switches), np.array(mode), share, equal)


def numbers(enough=True, kinds=("raw labels", "sorted", "sums")):
    """Return scores of a quantity of each kind."""
    scores = {"raw labels": (1.5, 7.0), "sorted": (1.001, 1000.0), "sums": (1.002, 900.4)}
    rhat, ess = zip(*(scores[kind] for kind in kinds), strict=True)
    columns = {"rhat": rhat, "ess": ess, "kind": list(kinds)}
    return xr.Dataset({name: ("quantity", np.array(v)) for name, v in columns.items()}, attrs={"enough_draws": enough})


def judge(labelling=None, failures=(), sound=(1, 1, 1, 1), of=None, scores=None):
    sound = np.array(sound, dtype=bool)
    labelling = labelling or found()
    return switching._judge(of or trace(sound.size), labelling, scores or numbers(), list(failures), sound)


# the verdict


def test_agreement_on_all_is_no_sign_of_switching():
    said = judge()
    assert (said.verdict, said.summary) == (NONE, f"{AGREE} and on labels.")
    assert said.evidence == (*RHATS, "Switches by chain: 0, 0, 0, 0. Mode by chain: 0, 0, 0, 0.")
    assert said.numbers.attrs == {"verdict": NONE, "split": "4"}
    assert (said.next_step, said.link) == switching.LINKS[NONE]


@pytest.mark.parametrize(("mode", "split"), [
    ([0, 1], "1-1"), ([0, 0, 1, 0], "3-1"), ([0, 1, 0, 1], "2-2"), ([0, 1, 0, 2], "2-1-1"), ([2, 1, 0, 0, 0, 1], "3-2-1")])
def test_chains_of_other_labels_have_switched_between(mode, split):
    said = judge(found(mode, np.zeros_like(mode)), sound=np.ones(len(mode)))
    who = f"{len(mode)} chains agree on every label-free quantity"
    assert said.verdict == BETWEEN
    assert said.summary == f"{who} and disagree only on labels: label switching, {split} split."
    assert said.numbers.attrs["split"] == split
    assert said.evidence[-1].endswith(f"Mode by chain: {', '.join(map(str, mode))}.")


@pytest.mark.parametrize(("switches", "times"), [
    ([0, 1, 0, 0], "1 time"), ([0, 1, 0, 1], "2 times"), ([2, 0, 0, 3], "5 times")])
@pytest.mark.parametrize("mode", [[0, 0, 0, 0], [0, 1, 0, 0]])
def test_chains_that_change_their_labels_have_switched_within(switches, times, mode):
    said = judge(found(mode, switches))
    assert said.verdict == WITHIN
    assert said.summary == f"{AGREE}, and labels change within chains {times}: label switching."


def test_one_chain_that_switches_is_told_by_its_halves():
    said = judge(found([0], [3]), sound=[1])
    assert (said.verdict, said.summary) == (WITHIN, "Both halves of the chain agree on every label-free quantity, and "
                                                    "labels change within chains 3 times: label switching.")


def test_one_chain_that_keeps_its_labels_tells_nothing():
    said = judge(found([0], [0]), sound=[1])
    assert said.verdict == UNKNOWN
    assert said.summary == "One chain that keeps its labels: another might have chosen others."


@pytest.mark.parametrize("failures", [[], ["something"]])
def test_few_draws_tell_nothing_whatever_was_found(failures):
    said = judge(found([0, 1, 0, 0], [0, 0, 5, 0], n_draw=7), failures, of=trace(n_draw=7), scores=numbers(enough=False))
    assert (said.verdict, said.summary) == (UNKNOWN, "7 draws in each chain are too few to compare chains.")
    assert said.evidence[: len(failures)] == tuple(failures)
    assert "enough_draws" not in said.numbers.attrs


@pytest.mark.parametrize(("mode", "switches", "verdict"), [
    ([0, 0, 0, 0], [0, 0, 0, 0], NOT), ([0, 0, 0, 1], [0, 0, 0, 0], NOT_ONLY), ([0, 0, 0, 0], [0, 2, 0, 0], NOT_ONLY)])
def test_failures_come_first_and_labels_after(mode, switches, verdict):
    said = judge(found(mode, switches), ["chain 3 never moves.", "Two things."])
    more = "The labels differ too, but that is not all." if verdict == NOT_ONLY else "Labels cannot explain it."
    assert said.verdict == verdict and said.summary == f"Chain 3 never moves. {more}"
    assert said.evidence[0] == "Two things." and "never moves" not in " ".join(said.evidence)


def test_labels_of_chains_that_are_not_sound_do_not_count():
    said = judge(found([0, 0, 0, 1], [0, 0, 0, 9]), ["It."], sound=[1, 1, 1, 0])
    assert said.verdict == NOT
    assert "Switches by chain: 0, 0, 0, 9. Mode by chain: 0, 0, 0, 1." in said.evidence
    assert said.numbers.attrs["split"] == "3-1", "of all chains"


@pytest.mark.parametrize("sound", [[0, 0, 0, 0], [0, 1, 0, 0]])
@pytest.mark.parametrize("turned", [False, True])
def test_where_no_two_chains_agree_each_is_compared_with_itself(sound, turned):
    """The common labelling says that all is quiet, or all astir: neither is believed."""
    means = np.random.default_rng(0).normal(size=(4, 60, 2, 1)) * 0.1 + [[0], [1]]
    means += 10 * np.arange(4)[:, None, None, None]
    if turned:
        means[2, 30:] = means[2, 30:, ::-1]
    wrong = found([0, 1, 2, 3], [0, 0, 0, 0] if turned else [5, 5, 5, 5], n_draw=60)
    said = judge(wrong, ["It."], sound=sound, of=trace(n_draw=60, means=means))
    assert said.verdict == (NOT_ONLY if turned else NOT)


def test_numbers_whose_squares_are_none_make_no_noise():
    means = 1e200 * np.random.default_rng(0).normal(size=(4, 10, 2, 1))
    with np.errstate(all="raise"):
        assert judge(found([0, 1, 2, 3]), ["It."], sound=[0, 0, 0, 0], of=trace(means=means)).verdict in (NOT, NOT_ONLY)


def test_two_chains_that_agree_are_compared_with_each_other():
    assert judge(found([0, 1, 1, 1]), ["It."], sound=[1, 1, 0, 0]).verdict == NOT_ONLY
    assert judge(found([0, 0, 1, 1]), ["It."], sound=[1, 1, 0, 0]).verdict == NOT


def test_chains_that_are_sound_in_a_trace_without_failures_are_taken_together():
    assert judge(found([0], [4]), sound=[1]).verdict == WITHIN
    assert judge(found([0, 1], [0, 0]), sound=[1, 1]).verdict == BETWEEN


@pytest.mark.parametrize(("share", "verdict"), [(0.05, OVERLAPPING), (0.049, NONE)])
def test_components_overlap_from_5_percent_on(share, verdict):
    assert judge(found(overlap={(0, 1): share})).verdict == verdict


def test_the_pair_that_overlaps_most_is_in_the_summary_and_every_pair_in_the_evidence():
    said = judge(found(overlap={(0, 2): 0.2, (1, 2): 0.4, (0, 1): 0.01}, n_component=3), of=trace(n_component=3))
    assert said.verdict == OVERLAPPING
    assert said.summary == f"Two components cannot be told apart in 40% of the draws. {AGREE}."
    assert said.evidence[-2:] == ("Components 0 and 2 of the pivot overlap in 20% of the draws.",
                                  "Components 1 and 2 of the pivot overlap in 40% of the draws.")


def test_a_collapse_comes_before_an_overlap_and_after_switches():
    equal = "Components 0 and 1 of the pivot are equal in most draws."
    said = judge(found(overlap={(0, 1): 1.0}, twins=[(0, 1)]))
    assert (said.verdict, said.summary) == (COLLAPSED, f"{equal} {AGREE}.")
    assert said.evidence[-2:] == (equal, "Components 0 and 1 of the pivot overlap in 100% of the draws.")
    said = judge(found([0, 1, 0, 0], overlap={(0, 1): 1.0}, twins=[(0, 1)]))
    assert said.verdict == BETWEEN and equal in said.evidence


def test_what_was_left_out_is_said_last():
    assert judge(of=trace(notes=("words is left out: it is odd",))).evidence[-1] == "words is left out: it is odd"


# collapse


def collapsed(sound=(1, 1, 1, 1), order=None, **variables):
    n_component = np.shape(next(iter(variables.values())))[0 if np.ndim(next(iter(variables.values()))) == 1 else 2]
    labelling = found(n_component=n_component)
    if order is not None:
        labelling = labels.Labels(np.tile(order, (4, 10, 1)), *(
            getattr(labelling, name) for name in ("switches", "mode", "overlap", "twins")))
    return switching._collapsed(trace(n_component=n_component, **variables), labelling, np.array(sound, dtype=bool), [])


def test_a_component_of_almost_no_weight_is_empty():
    says = "Component {} of the pivot is almost empty: its median {} is {}."
    assert collapsed(w=[0.6, 0.005, 0.395]) == [says.format(1, "w", "0.005")]
    assert collapsed(w=[0.006789, 0.988211, 0.005]) == [says.format(0, "w", "0.0068"), says.format(2, "w", "0.005")]
    assert collapsed(w=[0.01, 0.99]) == []
    assert collapsed(w=[0.009, 0.991], v=[0.996, 0.004]) == [says.format(0, "w", "0.009"), says.format(1, "v", "0.004")]
    assert collapsed(w=[0.005, 0.995], order=[1, 0]) == [says.format(1, "w", "0.005")], "counted as the pivot has them"


def test_only_shares_are_weights():
    assert collapsed(means=[0.001, 5.0]) == []
    assert collapsed(means=[-0.001, 1.001]) == []
    assert collapsed(means=[0.001, 0.999 + 2e-5]) == []
    assert collapsed(means=[0.001, 0.999 + 1e-7]) != []
    assert collapsed(w=np.full((4, 10, 2, 2), [[0.001, 0.001], [0.999, 0.999]])) == []
    assert collapsed(w=[0.0, 1.0]) == ["Component 0 of the pivot is almost empty: its median w is 0."]


def test_the_median_is_that_of_sound_chains_and_of_all_where_none_is():
    w = np.empty((4, 10, 2, 1))
    w[:3] = [[0.001], [0.999]]
    w[3] = [[0.5], [0.5]]
    assert len(collapsed(w=w)) == 1 and len(collapsed((0, 0, 0, 0), w=w)) == 1
    assert collapsed((0, 0, 0, 1), w=w) == []
    w[2] = w[3]
    assert collapsed((1, 0, 1, 1), w=w) == [] and len(collapsed((1, 1, 1, 0), w=w)) == 1
    w[:] = [[0.5], [0.5]]
    w[:, :6] = [[0.002], [0.998]]
    assert len(collapsed(w=w)) == 1, "in most draws"


# failures


def failures(failing=(), moving=(1, 1, 1, 1), sound=(1, 1, 1, 1), divergences=None):
    """Return what is said of quantities that fail, given as name and R-hat."""
    scores = xr.Dataset({"rhat": ("quantity", [r for _, r in failing]), "alarm": ("quantity", [1.01] * len(failing))},
                        {"quantity": [name for name, _ in failing]})
    triples = [(name, "", np.zeros((4, 10))) for name, _ in failing]
    of = trace(divergences=None if divergences is None else np.array(divergences))
    return switching._failures(of, scores, triples, np.array(moving, dtype=bool), np.array(sound, dtype=bool))


def test_nothing_is_said_where_nothing_fails():
    assert failures() == [] and failures(divergences=[0, 0, 0, 0]) == []


def test_chains_that_never_move_are_named():
    assert failures(moving=[1, 0, 1, 1]) == ["chain 2 never moves."]
    assert failures(moving=[0, 1, 1, 0]) == ["chains 1, 4 never move."]


def test_the_worst_quantity_is_named():
    assert failures([("sorted x[0]", 1.234)], sound=(0, 0, 0, 0)) == [
        "1 label-free quantity disagrees; the worst, sorted x[0], has R-hat 1.23 (chance allows 1.01)."]
    two = failures([("a", 1.5), ("b", 1.2)], sound=(0, 0, 0, 0))
    assert two == ["2 label-free quantities disagree; the worst, a, has R-hat 1.50 (chance allows 1.01)."]
    three = [("a", 1.5), ("b", 2.5), ("c", 2.0)]
    worst = "3 label-free quantities disagree; the worst, b, has R-hat 2.50 (chance allows 1.01)."
    assert failures(three, sound=(0, 1, 0, 0)) == [worst]
    assert failures(three, sound=(1, 0, 1, 1)) == [worst, "Without chain 2 the others agree."]
    assert failures(three, sound=(1, 0, 1, 0)) == [worst, "Without chains 2, 4 the others agree."]
    assert "the worst, b, has R-hat nan" in failures([("a", 1e9), ("b", np.nan)])[0]


def test_divergences_are_counted():
    missed = "diverged: the sampler has missed some part of the posterior."
    assert failures(divergences=[0, 1, 0, 0]) == [f"1 draw {missed}"]
    assert failures(divergences=[2, 0, 0, 0]) == [f"2 draws {missed}"]
    assert failures(divergences=[2, 1, 0, 0]) == [f"3 draws {missed}"]


# what tells nothing


@pytest.mark.parametrize(("hole", "says"), [
    (np.nan, "2 of 20 draws of x or y are NaN or infinite."), (np.inf, "2 of 20 draws of x or y are NaN or infinite.")])
def test_draws_with_holes_are_counted_once_each(hole, says):
    named = np.random.default_rng(0).normal(size=(2, 10, 2, 2))
    assert switching._missing(named, ("x", "y")) == ""
    named[0, 3] = hole
    named[1, 5, 1, 1] = hole
    assert switching._missing(named, ("x", "y")) == says


def test_chains_that_stand_still_tell_nothing():
    named = np.tile(np.random.default_rng(0).normal(size=(2, 1, 2, 2)), (1, 10, 1, 1))
    assert switching._missing(named, ("x", "y")) == "No chain moves: x and y never changes within a chain."
    named[1, 4, 1, 0] += 1e-9
    assert switching._missing(named, ("x",)) == ""


# the numbers


def test_the_numbers_of_chains_bear_their_names():
    labelling = found([0, 1, 0, 0], [0, 0, 3, 0], overlap={(0, 1): 0.25})
    kept = switching._numbers(numbers(), trace(divergences=np.array([0, 0, 0, 2])), labelling, np.array([1, 1, 0, 1], bool))
    assert kept["chain"].values.tolist() == [1, 2, 3, 4]
    by_chain = {name: kept[name].values.tolist() for name in ("mode", "switches", "sound", "divergences")}
    assert by_chain == {"mode": [0, 1, 0, 0], "switches": [0, 0, 3, 0], "sound": [True, True, False, True],
                        "divergences": [0, 0, 0, 2]}
    assert {kept[name].dims for name in by_chain} == {("chain",)}
    assert kept["permutation"].dims == ("chain", "draw", "component") and kept["overlap"].dims == ("component", "other")
    np.testing.assert_array_equal(kept["permutation"], labelling.permutation)
    assert kept["overlap"].values.tolist() == [[0, 0.25], [0.25, 0]]
    assert "divergences" not in switching._numbers(numbers(), trace(), labelling, np.ones(4, bool))


def test_r_hats_are_summed_up_by_what_they_are_of():
    assert tuple(switching._rhats(numbers())) == RHATS
    assert switching._rhats(numbers(kinds=["sorted"])) == ["Label-free: R-hat up to 1.001, bulk ESS from 1000."]
    assert switching._rhats(numbers(kinds=["raw labels"])) == [RHATS[0]]


# the words

SHORT = switching.Diagnosis(
    WITHIN, "They do <b>.", ("One & two.", "Raw " + "labels " * 14), "What this cannot tell: much.", "Go & see.", "x.html#a",
    numbers())


def test_it_prints_with_its_evidence_indented():
    assert str(SHORT) == "\n".join([
        "Switching within chains. They do <b>.", "- One & two.",
        "- Raw labels labels labels labels labels labels labels labels labels labels", "  labels labels labels labels",
        "What this cannot tell: much.", "Next: Go & see. (In the book: x.html#a)"])
    bare = switching.Diagnosis(NONE, "four " * 12 + "end.", (), "", "Go.", "y.html", xr.Dataset())
    assert str(bare).splitlines() == [
        "No sign of switching. four four four four four four four four four four four", "four end.",
        "Next: Go. (In the book: y.html)"]


def test_it_is_shown_as_a_page():
    head = "<thead><tr><th>quantity</th><th>worst R-hat</th><th>smallest ESS</th></tr></thead>"
    rows = ("<tr><td>raw labels</td><td>1.500</td><td>7</td></tr><tr><td>sorted</td><td>1.001</td><td>1000</td></tr>"
            "<tr><td>sums</td><td>1.002</td><td>900</td></tr>")
    evidence = "<ul><li>One &amp; two.</li><li>Raw " + "labels " * 14 + "</li></ul>"
    assert SHORT._repr_html_() == (
        "<div><p><strong>Switching within chains.</strong> They do &lt;b&gt;.</p>"
        f"<table>{head}<tbody>{rows}</tbody></table><details><summary>Evidence</summary>{evidence}</details>"
        '<p>What this cannot tell: much.</p><p>Next: Go &amp; see. <a href="x.html#a">How</a></p></div>')
    bare = switching.Diagnosis(NONE, "S.", (), "", "Go.", "y.html", xr.Dataset())
    assert bare._repr_html_() == ('<div><p><strong>No sign of switching.</strong> S.</p>'
                                  '<p>Next: Go. <a href="y.html">How</a></p></div>')
    assert bare.table() == []


def test_the_table_has_the_worst_of_each_kind():
    scores = xr.Dataset({"rhat": ("quantity", [1.1, 1.3, 1.2, 1.0]), "ess": ("quantity", [50.0, 70.0, 10.0, 90.0]),
                         "kind": ("quantity", ["sums", "raw labels", "sums", "raw labels"])})
    table = switching.Diagnosis(NONE, "", (), "", "", "", scores).table()
    assert table == [("sums", 1.2, 10.0), ("raw labels", 1.3, 70.0)]


@pytest.mark.parametrize(("verdicts", "unknown"), [
    ([NONE, OVERLAPPING], "What this cannot tell: chains that all sit in one mode look the same whether the posterior has "
                          "no symmetry or all of them missed its mirror images."),
    ([BETWEEN, WITHIN], "What this cannot tell: whether there are further modes that no chain has seen."),
    ([COLLAPSED, NOT, NOT_ONLY, UNKNOWN], ""),
])
def test_a_verdict_says_what_it_cannot_tell(verdicts, unknown):
    for verdict in verdicts:
        said = switching._answer(verdict, "S.", ["a", "b"], xr.Dataset())
        assert (said.unknown, said.summary, said.evidence) == (unknown, "S.", ("a", "b"))
        assert (said.next_step, said.link) == switching.LINKS[verdict]
