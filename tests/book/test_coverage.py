"""What is said is proved: a sentence that could be false is measured, cited, or says why not."""

import re

import pytest
from bookbuild.pages.sentences import REASONS
from checkout import ROOT
from test_prose import blank, running

PAGES = {page.stem: page for page in sorted((ROOT / "book").glob("*.md"))}
# a glossary defines; the others hold no sentence of an author's, but what they are
WITHOUT = {"api", "bibliography", "glossary", "ledger"}

# where a sentence ends, with its marks
END = re.compile(r"[.!?:][)”’\"*]*(\{(claim|unmeasured)\}`[^`]*`)*\)?\s+(?![a-z])")
MARK = re.compile(r"\{(claim|unmeasured)\}`([^`]*)`")
SHARP = re.compile(
    r"\d|\b("
    "more|less|fewer|most|least|than|same|equal(ly)?|twice|half|halves|double[sd]?|"
    "always|never|only|alone|no|none|nothing|nobody|every(thing|body|where)?|all|any|"
    "best|worst|better|worse|(larg|small|high|low|wid|narrow|long|short|fast|slow|cheap|dear|near|"
    r"light|heavi|eas|hard|strong|weak|deep|steep|clos|few|great|big|young|old|flat|thin)(er|est)|"
    r"(a|one|two|three|four|nine|seven) (fifth|sixth|eighth|tenth|hundredth|quarter|third)s?|"
    r"per cent|hundreds?|thousands?|millions?)\b",
    re.IGNORECASE,
)
# an equation or a bound with a figure in it, not the names of two components
RELATION = re.compile(r"(?<![_^{\d])\d")


def sentences(text):
    """Yield (line, sentence) for the sentences of a page, each with its marks at its end."""
    text = blank(r"^\$\$\n.*?^\$\$$", running(text), re.MULTILINE | re.DOTALL)
    text = blank(r"^(:::|#).*$", text, re.MULTILINE)
    # terms that are explained, and the signs of lists
    text = blank(r"^.*$(?=\n: )|^ *\d\. |^: ", text, re.MULTILINE)
    for paragraph in re.finditer(r"(?:.*\S.*\n?)+", text):
        start = 0
        ends = [end.end() for end in END.finditer(paragraph[0])]
        for end in [*ends, len(paragraph[0])]:
            if said := paragraph[0][start:end].strip():
                yield 1 + text.count("\n", 0, paragraph.start() + start), said
            start = end


def is_open(sentence):
    """Whether a sentence could be false, and bears no claim, reason or citation."""
    if MARK.search(sentence) or "{cite" in sentence or "](http" in sentence:
        return False
    asks = sentence.rstrip(")”*").endswith("?") or re.match(r"\*\*\d+\.\*\*", sentence)
    words = re.sub(r"\{glue:text\}`[^`]*`", "0", sentence)
    words = re.sub(r"\{[\w:]+\}`([^`<]*)[^`]*`", r"\1", words)
    formulas = re.findall(r"\$([^$]*)\$", words)
    words = re.sub(r"\$[^$]*\$|`[^`]*`|\]\([^)]*\)", "", words)
    words = re.sub(r"[Dd]atasets? \d+|PyMC \d[\d.]*|half[ -]planes?", "", words)
    return not asks and bool(SHARP.search(words) or any(map(RELATION.search, formulas)))


def open_sentences(page):
    """Return the open sentences of a page, as lines to read."""
    found = sentences(PAGES[page].read_text("utf-8"))
    return [f"{page}.md:{line}: {' '.join(said.split())}" for line, said in found if is_open(said)]


@pytest.mark.parametrize("said", [
    "The barrier is {glue:text}`b:.2f` nats.", "It never crosses.", "Sorting is better.",
    "Nine in $10$.", "The loss falls below $3$.", "A tenth of the draws, a mode holds most."])
def test_what_could_be_false_is_open(said):
    assert is_open(said)


@pytest.mark.parametrize("said", [
    "It is never so.{claim}`it`", "It is always so {cite}`key`.", "Is it ever more?", "It is so.",
    "A bell is no curve.{unmeasured}`definition`", "Let $x_1$ be a draw of dataset 8."])
def test_what_is_measured_cited_or_says_nothing_sharp_is_not_open(said):
    assert not is_open(said)


def test_sentences_of_text_and_captions_are_found_with_their_marks():
    page = (
        "---\na: No.\n---\n# No\n\nOne is.{claim}`a`\nTwo, e.g. this.{unmeasured}`proof` (Three.)\n"
        "\nIs it never?\n: Four.\n\n```{code-cell} ipython3\n---\nmystnb:\n  figure:\n"
        "    caption: |\n      Five.\n---\nno()\n```\n"
    )
    assert [said for _, said in sentences(page)] == [
        "One is.{claim}`a`", "Two, e.g. this.{unmeasured}`proof`", "(Three.)", "Four.", "Five."]
    assert [line for line, _ in sentences(page)] == [6, 7, 7, 10, 17]


@pytest.mark.parametrize("page", [page for page in PAGES if page not in WITHOUT])
def test_no_sentence_is_open(page):
    found = open_sentences(page)
    assert found == [], "claim these, or say why not:\n" + "\n".join(found)


def test_a_reason_is_one_of_those_that_there_are_and_names_claims_that_there_are():
    texts = [path.read_text("utf-8") for path in PAGES.values()]
    marks = [mark.groups() for text in texts for mark in MARK.finditer(text)]
    claims = {name for kind, names in marks if kind == "claim" for name in names.split()}
    reasons = {" ".join(reason.split()) for kind, reason in marks if kind == "unmeasured"}
    assert reasons <= {*REASONS, *(f"see {name}" for name in claims)}
