"""From what was found in a trace to a verdict, and how it is shown: on findings made by hand."""

import numpy as np
import pytest
import xarray as xr
from mixtures import labels, switching
from mixtures.switching import BETWEEN, COLLAPSED, NONE, NOT, NOT_ONLY, OVERLAPPING, UNKNOWN, WITHIN


def trace(n_chain=4, n_draw=10, n_component=2, notes=(), divergences=None, **variables):
    """Return a trace of variables [component] or [chain, draw, component], the same in all draws."""
    values = variables or {"means": np.arange(1.0, n_component + 1)}
    shape = (n_chain, n_draw, n_component)
    full = {name: np.broadcast_to(np.array(v), shape)[..., None] for name, v in values.items()}
    return labels.Trace(full, tuple(values)[:1], np.arange(n_chain) + 1, {}, divergences, notes)


def found(mode=(0, 0, 0, 0), switches=(0, 0, 0, 0), overlap=None, twins=(), n_draw=10, n_component=2):
    """Return a labelling: pairs that overlap with their shares, and pairs that are equal."""
    share = np.zeros((n_component, n_component))
    equal = np.zeros((n_component, n_component), dtype=bool)
    for (j, k), value in (overlap or {}).items():
        share[j, k] = share[k, j] = value
    for j, k in twins:
        equal[j, k] = equal[k, j] = True
    order = np.tile(np.arange(n_component), (len(mode), n_draw, 1))
    return labels.Labels(order, np.array(switches), np.array(mode), share, equal)


def numbers(enough=True):
    """Return scores of a quantity of each kind."""
    columns = {"rhat": [1.5, 1.001, 1.002], "ess": [7.0, 1000.0, 900.4], "kind": ["raw labels", "sorted", "sums"]}
    return xr.Dataset({k: ("quantity", np.array(v)) for k, v in columns.items()}, attrs={"enough_draws": enough})


def judge(labelling, failures=(), sound=(1, 1, 1, 1), of=None, enough=True):
    sound = np.array(sound, dtype=bool)
    return switching._judge(of or trace(sound.size), labelling, numbers(enough), list(failures), sound)


# the verdict, chain by chain: mode, switches, sentences about failures, and which chains are sound
VERDICTS = [
    ([0, 0, 0, 0], [0, 0, 0, 0], 0, [1, 1, 1, 1], NONE),
    ([0, 0, 1, 0], [0, 0, 0, 0], 0, [1, 1, 1, 1], BETWEEN),
    ([0, 1, 0, 0], [0, 0, 2, 0], 0, [1, 1, 1, 1], WITHIN),
    ([0], [3], 0, [1], WITHIN),
    ([0], [0], 0, [1], UNKNOWN),
    ([0, 0, 0, 0], [0, 0, 0, 0], 2, [1, 1, 1, 1], NOT),
    ([0, 0, 0, 1], [0, 0, 0, 0], 1, [1, 1, 1, 1], NOT_ONLY),
    ([0, 0, 0, 0], [0, 2, 0, 0], 1, [1, 1, 1, 1], NOT_ONLY),
    # labels of chains that are not sound do not count
    ([0, 0, 0, 1], [0, 0, 0, 9], 1, [1, 1, 1, 0], NOT),
    ([0, 1, 1, 1], [0, 0, 0, 0], 1, [1, 1, 0, 0], NOT_ONLY),
    ([0, 0, 1, 1], [0, 0, 0, 0], 1, [1, 1, 0, 0], NOT),
]


@pytest.mark.parametrize(("mode", "switches", "failing", "sound", "verdict"), VERDICTS)
def test_labels_and_failures_decide(mode, switches, failing, sound, verdict):
    said = judge(found(mode, switches), ["It fails.", "And so does that."][:failing], sound)
    assert said.verdict == said.numbers.attrs["verdict"] == verdict
    assert (said.next_step, said.link) == switching.LINKS[verdict]
    # the first failure is the summary, all others are evidence
    assert said.summary.startswith("It fails.") == (failing > 0)
    assert ("And so does that." in said.evidence) == (failing > 1)


@pytest.mark.parametrize(("mode", "split"), [([0, 1], "1-1"), ([0, 1, 0, 2], "2-1-1"), ([2, 1, 0, 0, 0, 1], "3-2-1")])
def test_the_split_counts_the_chains_of_each_mode(mode, split):
    said = judge(found(mode, np.zeros_like(mode)), sound=np.ones(len(mode)))
    assert said.numbers.attrs["split"] == split and split in said.summary


@pytest.mark.parametrize("failures", [[], ["something"]])
def test_few_draws_tell_nothing_whatever_was_found(failures):
    said = judge(found([0, 1, 0, 0], [0, 0, 5, 0], n_draw=7), failures, of=trace(n_draw=7), enough=False)
    assert said.verdict == UNKNOWN and "7 draws" in said.summary
    assert said.evidence[: len(failures)] == tuple(failures)


@pytest.mark.parametrize("sound", [[0, 0, 0, 0], [0, 1, 0, 0]])
@pytest.mark.parametrize("turned", [False, True])
def test_where_no_two_chains_agree_each_is_compared_with_itself(sound, turned):
    """The common labelling says that all is quiet, or all astir: neither is believed."""
    means = np.random.default_rng(0).normal(size=(4, 60, 2)) * 0.1 + [0, 1] + 10 * np.arange(4)[:, None, None]
    if turned:
        means[2, 30:] = means[2, 30:, ::-1]
    wrong = found([0, 1, 2, 3], [0, 0, 0, 0] if turned else [5, 5, 5, 5], n_draw=60)
    said = judge(wrong, ["It."], sound=sound, of=trace(n_draw=60, means=means))
    assert said.verdict == (NOT_ONLY if turned else NOT)


@pytest.mark.parametrize(("share", "verdict"), [(0.05, OVERLAPPING), (0.049, NONE)])
def test_components_overlap_from_5_percent_on(share, verdict):
    assert judge(found(overlap={(0, 1): share})).verdict == verdict


def test_every_pair_that_overlaps_is_evidence_and_the_worst_is_the_summary():
    said = judge(found(overlap={(0, 2): 0.2, (1, 2): 0.4, (0, 1): 0.01}, n_component=3), of=trace(n_component=3))
    assert said.verdict == OVERLAPPING and "40%" in said.summary
    assert ["20%" in said.evidence[-2], "40%" in said.evidence[-1]] == [True, True]


def test_a_collapse_comes_before_an_overlap_and_after_switches():
    assert judge(found(overlap={(0, 1): 1.0}, twins=[(0, 1)])).verdict == COLLAPSED
    assert judge(found([0, 1, 0, 0], overlap={(0, 1): 1.0}, twins=[(0, 1)])).verdict == BETWEEN


SOME_CHAINS = np.where(np.arange(4)[:, None, None] < 3, [0.001, 0.999], 0.5)


def empty_in(draws):
    return np.where(np.arange(10)[:, None] < draws, [0.002, 0.998], 0.5)


@pytest.mark.parametrize(
    ("variables", "sound", "collapsed"),
    [
        ({"w": [0.6, 0.005, 0.395]}, (1, 1, 1, 1), True),
        ({"w": [0.0, 1.0]}, (1, 1, 1, 1), True),
        ({"w": [0.01, 0.99]}, (1, 1, 1, 1), False),
        # what does not sum to 1, or is negative, is no share
        ({"means": [0.001, 5.0]}, (1, 1, 1, 1), False),
        ({"means": [-0.001, 1.001]}, (1, 1, 1, 1), False),
        # in most draws of the chains that are sound, of all where none is
        ({"w": empty_in(6)}, (1, 1, 1, 1), True),
        ({"w": empty_in(4)}, (1, 1, 1, 1), False),
        ({"w": SOME_CHAINS}, (1, 1, 1, 1), True),
        ({"w": SOME_CHAINS}, (0, 0, 0, 0), True),
        ({"w": SOME_CHAINS}, (0, 0, 0, 1), False),
    ],
)
def test_a_component_of_almost_no_weight_is_empty(variables, sound, collapsed):
    of = trace(n_component=np.shape(next(iter(variables.values())))[-1], **variables)
    lines = switching._collapsed(of, found(n_component=of.values[of.named[0]].shape[2]), np.array(sound, bool), [])
    assert bool(lines) == collapsed


def test_what_cannot_be_explained_names_the_worst_quantity_the_chains_and_the_divergences():
    rhat = [1.5, 2.5, 2.0]
    scores = xr.Dataset({"rhat": ("quantity", rhat), "alarm": ("quantity", [1.01] * 3)}, {"quantity": ["a", "b", "c"]})
    failing = [(name, "", np.zeros((4, 10))) for name in "abc"]
    of, moving, sound = trace(divergences=np.array([2, 0, 1, 0])), np.array([1, 0, 1, 1], bool), np.array([1, 0, 1, 0], bool)
    still, worst, others, diverged = switching._failures(of, scores, failing, moving, sound)
    assert "chain 2 never moves" in still and "2, 4" in others and "3 draws diverged" in diverged
    assert "3 label-free" in worst and "b, has R-hat 2.50" in worst
    assert switching._failures(trace(), scores, [], ~moving | moving, sound) == []


# how it is shown

SHORT = switching.Diagnosis(
    WITHIN, "They do <b>.", ("One & two.", "Raw " + "labels " * 14), "What this cannot tell: much.", "Go & see.",
    "x.html#a", numbers())


def test_it_prints_in_79_columns_with_its_evidence_indented():
    lines = str(SHORT).splitlines()
    assert max(map(len, lines)) <= 79 and repr(SHORT) == str(SHORT)
    assert [line for line in lines if line[:2] == "- "] == ["- One & two.", lines[2]] and lines[3].startswith("  labels")


def test_it_is_shown_as_a_page_that_escapes_names():
    page = SHORT._repr_html_()
    for part in ("They do &lt;b&gt;.", "One &amp; two.", '<a href="x.html#a">', "<td>sums</td><td>1.002</td><td>900</td>"):
        assert part in page
    bare = switching.Diagnosis(NONE, "S.", (), "", "Go.", "y.html", xr.Dataset())
    assert bare.table() == [] and "<table>" not in bare._repr_html_() and "<details>" not in bare._repr_html_()


def test_the_table_has_the_worst_of_each_kind():
    columns = {"rhat": [1.1, 1.3, 1.2, 1.0], "ess": [50.0, 70.0, 10.0, 90.0], "kind": ["sums", "raw labels"] * 2}
    scores = xr.Dataset({k: ("quantity", v) for k, v in columns.items()})
    table = switching.Diagnosis(NONE, "", (), "", "", "", scores).table()
    assert table == [("sums", 1.2, 10.0), ("raw labels", 1.3, 70.0)]
