"""The questions that readers come with: each has a section, on the index, that measures."""

import re

import pytest
from checkout import ROOT

BOOK = ROOT / "book"
TEXTS = {page.name: page.read_text("utf-8") for page in sorted(BOOK.glob("*.md"))}
# the labels of the sections that answer
QUESTIONS = [
    *("initval", "prior-draws", "k-factorial", "old-fits", "new-peaks", "sort-afterwards"),
    *("several-dimensions", "diagnose"),
    *("which-to-trust", "seed-or-start", "memberships", "how-many"),
    # what practitioners ask of theory
    *("identified", "leaning-prior", "how-fast", "weight-at-coincidence", "one-or-two"),
    *("modes-merge", "stays-in-one-mode", "labels-switch", "random-permutation", "sample-smc"),
    *("parallel-tempering", "how-long", "weigh-permutations", "partitions")]
# what readers paste into a search engine, and where it is explained
MESSAGES = [
    ("SamplingError: Initial evaluation of model at starting point failed!", "practice.md"),
    ("SamplingError: Initial evaluation of model at starting point failed!", "ordering.md"),
    ("All initialization points failed", "practice.md"),
    ("The rhat statistic is larger than 1.01 for some parameters.", "practice.md"),
    ("The effective sample size per chain is smaller than 100 for some parameters.",
     "practice.md"),
    ("Average Loss = nan", "practice.md"),
    ("Average Loss = nan", "ordering.md"),
    ("divergences after tuning", "practice.md"),
    ("Estimated shape parameter of Pareto distribution is greater than 0.70", "practice.md"),
]


def section(label):
    """Return the heading and the text of the section that has a label."""
    found = [
        re.search(
            rf"^\({re.escape(label)}\)=\n(#+) (.+)\n((?:.*\n)*?)(?=^\1 |\Z)", text, re.MULTILINE)
        for text in TEXTS.values()]
    (match,) = [m for m in found if m]
    return match[2], match[3]


@pytest.mark.parametrize("label", QUESTIONS)
def test_a_question_is_a_heading_on_the_index_and_its_answer_comes_first_and_is_claimed(label):
    """The first paragraph is prose, not code or a figure; a claim stands behind the section."""
    heading, text = section(label)
    assert "?" in heading or heading.endswith("Why")
    assert f"]({label})" in TEXTS["index.md"]
    assert re.match(r"[A-Z*`\[{]", text.strip())
    assert not text.strip().startswith(("```", ":::"))
    assert re.search(r"^ *claim\(", text, re.MULTILINE)


@pytest.mark.parametrize(("message", "page"), MESSAGES)
def test_a_message_that_readers_search_for_stands_in_the_text(message, page):
    """On one line, for a line's end would break a search in the source."""
    assert message in re.sub(r"\s+", " ", TEXTS[page])
