"""No luck: how the claims are measured under sets of seeds and machines, and what is amiss."""

import math
import shutil

import pytest
from bookbuild.checkout import settings
from bookbuild.execute import cache, faults, seeds
from checkout import ROOT
from miniature import HEAD
from mixtures import claims

CHAPTER = HEAD + """
```{code-cell} ipython3
import os
import sys

sys.path.insert(0, "../code")
from mixtures.claims import begin, claim, seed

begin("luck")
moved = seed(3) / 1000
claim("sampled", moved, above=-10, se=0.1, says="It moves.")
claim("exact", moved, above=-10, exact=True, says="It is said not to move.")
here = os.environ.get("NUMBA_CPU_NAME", "")
claim("narrow", here, expected="haswell", exact=True, says="This is that machine.")
if moved > 2:
    raise RuntimeError("too far")
claim("last", 1, expected=1, exact=True, says="It comes to its end.")
```
"""


def records(values, *, kind="sampled", se=0.1, low=0.0, high=None):
    """Return the claims of one chapter under as many sets as there are values."""
    same = {"name": "a", "chapter": "bells", "says": "It is so.", "kind": kind}
    same |= {"se": se, "low": low, "high": high}

    def holds(value):
        return isinstance(value, float) and value - low >= 5 * (se or 0)

    return [[same | {"value": value, "holds": holds(value)}] for value in values]


def test_margin_is_counted_from_where_a_build_refuses_in_standard_deviations_over_the_sets():
    (row,) = seeds.tally(records([1.0, 1.2, 1.4]))
    assert row["failures"] == 0
    assert [row[name] for name in ("mean", "sd", "se")] == pytest.approx([1.2, 0.2, 0.1])
    # 1.2 less the room of five standard errors, .5, in units of .2
    assert row["margin"] == pytest.approx(3.5)
    assert "margin of 3.5" in seeds.amiss(row)
    assert seeds.alarm([row]) == pytest.approx(2.326e-4, rel=1e-3)
    assert seeds.alarm([row, row]) == pytest.approx(2 * 2.326e-4, rel=1e-3)


def test_the_nearer_edge_counts_and_enough_room_is_nothing_amiss():
    (row,) = seeds.tally(records([2.0, 2.1, 1.9], low=0.0, high=4.6))
    assert row["margin"] == pytest.approx(15)
    (row,) = seeds.tally(records([2.0, 2.1, 1.9], low=0.0, high=3.0))
    assert row["margin"] == pytest.approx(5)
    (row,) = seeds.tally(records([2.0, 2.1, 1.9], low=0.0, high=5.0))
    assert seeds.amiss(row) == ""


@pytest.mark.parametrize(("values", "form", "words"), [
    ([1.0, 0.3, 1.1], {}, "fails in 1 of 3 sets"),
    ([1.0, "nan", 1.1], {}, "fails in 1 of 3 sets"),
    ([1.0, 1.0 + 1e-4], {"kind": "exact", "se": None}, "moves"),
    ([2.0, 1.0, 3.0], {}, "margin of 1.5")])
def test_what_is_amiss_is_said(values, form, words):
    (row,) = seeds.tally(records(values, **form))
    assert words in seeds.amiss(row)


def test_the_last_digits_of_an_exact_number_may_differ_between_machines():
    (row,) = seeds.tally(records([170.7292, 170.7292 + 1e-9], kind="exact", se=None))
    assert seeds.amiss(row) == "" and row["margin"] == math.inf and seeds.alarm([row]) == 0


def test_the_room_that_margins_start_from_is_the_one_that_claims_ask_for():
    assert seeds.ROOM == claims.ROOM


def test_sets_are_of_other_seeds_and_of_all_machines_and_the_first_is_the_book_as_it_is():
    found = seeds.machines(24, settings(ROOT))
    assert found[0][0] == {} and found[0][1][0] == 0
    assert sorted(seed for _, several in found for seed in several) == list(range(24))
    assert [machine for machine, _ in found[1:]] == settings(ROOT)["bookbuild_machines"]


def test_a_chapter_is_measured_under_seeds_and_machines_and_says_what_stops_it(
    tmp_path, monkeypatch, capsys
):
    (tmp_path / "book").mkdir()
    (tmp_path / "book/luck.md").write_text(CHAPTER, "utf-8")
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: book/luck\n", "utf-8")
    shutil.copy(ROOT / "_config.yml", tmp_path)
    (tmp_path / "code").symlink_to(ROOT / "code")
    monkeypatch.chdir(tmp_path)
    # whatever the tests themselves run under
    monkeypatch.setenv("NUMBA_CPU_NAME", "generic")
    assert seeds.main(4, []) == 1
    said = capsys.readouterr().out
    for words in [
        "luck stops, with seeds 2: RuntimeError: too far",
        "luck: exact is said to be exact, and moves",
        "luck: narrow fails in 3 of 4 sets",
        "4 claims, 4 sets of seeds on 4 machines",
    ]:
        assert words in said
    assert "luck: sampled " not in said.split("these hold by luck")[1]
    assert (tmp_path / "_build/claims.csv").read_text("utf-8").count("\n") == 5
    with pytest.raises(SystemExit, match="no chapters another"):
        seeds.main(1, ["another"])


@pytest.mark.slow
def test_what_moves_with_the_seed_has_a_standard_error(site):
    """A sampled number said to be exact is found by moving the seeds once; no chapter stops.

    What the book's own seeds gave is in the cache of the book that `make test` has built.
    """
    config = settings(ROOT)
    state = cache.fingerprint(ROOT, config["bookbuild_versions"], config["bookbuild_environment"])
    paths = seeds.chapters(ROOT).values()
    ours = [cache.find(site.parent / ".jupyter_cache" / state, cache.chapter(p)) for p in paths]
    other = seeds.measure_all(paths, [({}, [1])])
    assert [stopped for _, stopped in other if stopped] == []
    measured = [faults.claims(faults.outputs(chapter)) for chapter in ours]
    rows = seeds.tally(measured + [found for found, _ in other])
    assert {row["sets"] for row in rows} == {2} and len(rows) > 100
    # whether they hold under many seeds, and by how much, is what `make claims` asks
    assert [row["name"] for row in rows if row["moves"]] == []
