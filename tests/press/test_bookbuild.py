"""A miniature book that is printed, broken and mended."""

import re
import signal
import time
from itertools import islice

import psutil
import pytest
from bookbuild import checkout as press
from bookbuild.execute import cache
from checkout import ROOT
from miniature import CHAPTERS, LEDGER, STRICT, Book, differing, site
from outside import served

VERSIONS = press.settings(ROOT)["bookbuild_versions"]


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """Return a small book, printed once without a fault. Each test mends what it edits."""
    made = Book(tmp_path_factory.mktemp("book"))
    made.printed()
    assert made.ran() == sorted(CHAPTERS)
    return made


def hosts(page):
    """Return where a page's links to other hosts lead that have to do with its repository."""
    links = page.select("a[href], link[rel=canonical]")
    return [link["href"] for link in links if re.search("github|binder", link["href"])]


def test_claims_are_glued_and_listed_with_links_that_work(book):
    rows, places = book.ledger()
    assert rows == LEDGER
    assert places == [f"{name}.html#claim-{name}-width" for name in CHAPTERS]
    for name in CHAPTERS:
        assert len(book.page(name).select(f"button#claim-{name}-width")) == 1
        assert book.page(name).select_one(".pasted-text").text == "1.25"


def test_facts_of_the_build_are_printed(book):
    rows = book.page("ledger").select("table.build-facts tbody tr")
    facts = dict([cell.get_text(strip=True) for cell in row("td")] for row in rows)
    assert facts == cache.versions(VERSIONS) | {"sampling seeds moved by": "0"}


def test_build_without_a_change_writes_nothing(book):
    def written():
        paths = (book.top / "_build/html").rglob("*")
        return {path: path.stat().st_mtime_ns for path in paths if path.is_file()}

    before = written()
    assert "no targets are out of date" in book.printed()
    assert book.ran() == []
    assert written() == before


def test_edited_code_gives_the_pages_of_a_build_from_scratch_and_reverting_finds_the_old_results(
    book, tmp_path_factory
):
    """Of a module that chapters import by way of another; none may leave anything stale."""
    scratch = Book(tmp_path_factory.mktemp("scratch"))
    scratch.edit("code/deep.py", "1.25", "1.21")
    scratch.printed()
    with book.changed(("code/deep.py", "1.25", "1.21")):
        book.printed()
    assert book.ran() == sorted(CHAPTERS)
    assert [row[2] for row in book.ledger()[0]] == ["1.21"] * 3
    assert differing(site(book), site(scratch)) == []
    book.printed()
    assert book.ran() == []
    assert book.ledger()[0] == LEDGER
    assert "the width is 1.25" in book.page("two").text


# a chapter that waits for another one
MEET = """
import time

Path("../met-{0}").touch()
deadline = time.monotonic() + 100
while not Path("../met-{1}").exists():
    assert time.monotonic() < deadline, "nobody came"
    time.sleep(0.05)
"""


def test_edited_chapters_run_side_by_side_and_all_else_is_printed_anew_without_a_run(book):
    """A number that another page glues, prose, a style, and the repository of the buttons."""
    pages = ("index", *CHAPTERS, "ledger")
    assert [hosts(book.page(name)) for name in pages] == [[]] * len(pages)
    edits = [
        (f"book/{a}.md", f'begin("{a}")\n', f'begin("{a}")\n{MEET.format(a, b)}')
        for a, b in (("one", "two"), ("two", "one"))]
    edits += [
        ("book/one.md", "tiny.WIDTH, expected", "tiny.WIDTH + 0.03, expected"),
        ("book/three.md", "give or take", "more or less"),
        ("book/assets/house.css", "/* The house style",
         "h1 { color: #fedcba; }\n/* The house style"),
    ]
    ours = re.compile(
        r"https://(github\.com|mybinder\.org/v2/gh|someone\.github\.io)/(someone/)?fork(/|\?|$)")
    with book.changed(*edits):
        assert "executing 2 chapters, 2 at a time" in book.printed(GITHUB_REPOSITORY="someone/fork")
    assert book.ran() == ["one", "two"]
    assert ["Chapter one says 1.28, " in book.page(name).text for name in CHAPTERS] == [True] * 3
    assert "more or less" in book.page("three").text
    assert "#fedcba" in (book.top / "_build/html/_static/book.css").read_text("utf-8")
    for name in pages:
        found = hosts(book.page(name))
        assert f"https://someone.github.io/fork/book/{name}.html" in found
        assert [place for place in found if not ours.match(place)] == []
        assert name not in CHAPTERS or {
            "https://github.com/someone/fork",
            f"https://github.com/someone/fork/edit/main/book/{name}.md",
            f"https://mybinder.org/v2/gh/someone/fork/main?urlpath=lab/tree/notebooks/{name}.ipynb",
        } <= set(found)
    sitemap = (book.top / "_build/html/sitemap.xml").read_text("utf-8")
    places = [f"https://someone.github.io/fork/book/{name}.html" for name in sorted(pages)]
    assert re.findall(r"<loc>(.*?)</loc>", sitemap) == places


def refused(book, edits, named, *options, **environ):
    """See that a book with some edits cannot be printed, and that each fault is named."""
    with book.changed(*edits):
        code, log = book.build(*options, **environ)
    assert code != 0, log[-3000:]
    assert [words for words in named if words not in log] == []
    return log


def test_every_fault_is_named_by_every_build_until_it_is_mended(book):
    faulty = (
        'import warnings\n\nwarnings.warn("beware")\nprint("whisper", file=sys.stderr)\n'
        "class Figure:\n    def _repr_html_(self):\n        raise OSError('no ink')\n\n\n"
        "display(Figure())\nprint(")
    edits = [
        ("book/one.md", "print(", faulty),
        ("book/two.md", "print(", 'raise RuntimeError("out of bells")\nprint('),
        # as the system does that has no memory left
        ("book/three.md", "print(", "import os\nos.kill(os.getpid(), 9)\nprint(")]
    named = [
        *("book/one.md: text on stderr: ", "UserWarning: beware", "whisper"),
        "book/one.md: OSError: no ink",
        "book/two.md: RuntimeError: out of bells",
        "book/three.md: execution failed: DeadKernelError: its kernel has died; was it short of "
        "memory?",
    ]
    for options in ((), STRICT):
        log = refused(book, edits, named, *options)
        # in how many pieces a text comes is not the same each time: it is one
        assert log.count("book/one.md: text on stderr") == log.count(named[4])
    astray = "not {glue:text}`nothing:.1f`, see [](nowhere.md), with $\\nosuch$"
    edits = [("book/one.md", "give or take", astray)]
    named = ["No key 'nothing' found", "'nowhere.md'", "formula: ParseError: KaTeX parse error"]
    for _ in range(2):
        refused(book, edits, named, *STRICT)
    book.printed()
    assert book.ledger()[0] == LEDGER


def test_dead_links_are_named_and_nothing_is_executed_for_them(book):
    with served({"/book/alive": [b"yes"]}) as (address, _), book.changed(
        ("book/three.md", "give or take", f"[so]({address}alive) or [so]({address}dead)")
    ):
        book.printed()
        book.ran()
        code, _ = book.build("--builder", "custom", "--custom-builder", "linkcheck")
    assert code != 0 and book.ran() == []
    said = (book.top / "_build/linkcheck/output.txt").read_text("utf-8").splitlines()
    (line,) = said
    assert re.match(rf"book/three.md:\d+: \[broken\] {address}dead: 404", line), line
    # what the links' own build knows of the pages is no news to the next
    book.printed()
    assert book.ledger()[0] == LEDGER


# Claims that are not true, or not in order


def test_false_claims_and_faults_are_named_at_once_by_every_build(book):
    thin = 'claim("thin", 1, above=0, se=0.5, exact=False, says="It is positive.")\n'
    edits = [
        ("book/one.md", "expected=1.2", "expected=2.2"),
        ("book/two.md", "with Path", thin + 'raise RuntimeError("no ink")\nwith Path'),
        ("book/three.md", "expected=1.2", "expected=3.2")]
    named = [
        "book/one.md: claim one-width: 'The width of one is 1.25.' is not true: "
        "measured 1.25, expected 2.20 ± 0.1",
        "book/two.md: claim thin: 'It is positive.' is not true: ",
        "it holds by 2.0 standard errors, and 5 are asked",
        "book/two.md: RuntimeError: no ink",
        "book/three.md: claim three-width: ",
    ]
    book.ran()
    for options in ((), STRICT):
        refused(book, edits, named, *options)
    # a false sentence stopped none: what has run to its end is kept, and not run again
    assert book.ran() == ["one", "three"]


def test_sentences_and_claims_that_part_are_all_named(book):
    edits = [
        ("book/one.md", "The width of one is {glue", "The height of one is {glue"),
        ("book/two.md", "{claim}`two-width`", ""),
        ("book/three.md", "{claim}`three-width`", "{claim}`three-width three-height`")]
    named = [
        "book/one.md: claim one-width says 'The width of one is 1.25.', and the page "
        "says 'The height of one is 1.25.'",
        "book/two.md: claim two-width: no sentence of the page ends in {claim}`two-width`",
        "book/three.md: {claim}`three-height` ends the sentence 'The width of three is 1.25.', "
        "and no such claim is made"]
    for _ in range(2):
        refused(book, edits, named, *STRICT)
    book.printed()
    assert book.ledger()[0] == LEDGER


def test_claims_astray_are_all_named(book):
    twice = (
        'for number in (1, 2):\n'
        '    claim("number", number, above=0, exact=True, says="It is positive.")\n'
        'claim("two-width"')
    other = 'claim("one-width", 1, expected=1, exact=True, says="One.")\nclaim("three-width"'
    edits = [
        ("book/two.md", 'claim("two-width"', twice),
        ("book/three.md", 'begin("three")', 'begin("one")'),
        ("book/three.md", 'claim("three-width"', other)]
    named = [
        "book/two.md: claim number has the name of one in chapter two",
        "book/three.md: begin('one') gives the name of another chapter",
        "claim one-width has the name of one in chapter one"]
    refused(book, edits, named, *STRICT)
    book.printed()
    assert book.ledger()[0] == LEDGER


# Builds that are stopped


def ended(pid):
    """Return whether a process is gone, having waited for a while."""
    for _ in range(600):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.1)
    return False


def test_build_that_is_stopped_loses_no_chapter_that_has_run_and_leaves_no_kernel_behind(book):
    """One that comes first, and does not end, holds none of the others up."""
    endless = (
        'begin("three")\nimport os, time\nPath("../kernel").write_text(str(os.getpid()))\n'
        'time.sleep(1000)\n')
    book.write("code/unused.py", "WIDTH = 2\n# anything\n")
    book.ran()
    for number, others in ((signal.SIGINT, ["one", "two"]), (signal.SIGKILL, [])):
        (book.top / "kernel").unlink(missing_ok=True)
        with book.changed(("book/three.md", 'begin("three")\n', endless)), book.start() as run:
            said = list(islice((line for line in run.stdout if "has run, in" in line), len(others)))
            while not ((book.top / "kernel").exists() and (book.top / "kernel").read_text()):
                assert run.poll() is None
                time.sleep(0.05)
            run.send_signal(number)
            run.stdout.read()
            assert run.wait(60) != 0
        assert len(said) == len(others)
        assert book.ran() == others
        assert ended(int((book.top / "kernel").read_text()))
    book.printed()
    assert book.ran() == ["three"]
    assert book.ledger()[0] == LEDGER
