"""The press: its functions one by one, and a miniature book that is printed, broken and mended."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from itertools import islice

import psutil
import pytest
from bookbuild import checkout as press
from bookbuild.execute import cache, faults
from bookbuild.pages import ledger, mend
from checkout import ROOT
from docutils import nodes
from miniature import CHAPTERS, LEDGER, STRICT, Book, differing, site
from outside import served

VERSIONS = press.settings(ROOT)["bookbuild_versions"]

# What must not be printed


def notebook(*outputs):
    """Return a notebook with one cell of prose and one of code."""
    return {"cells": [{"cell_type": "markdown"}, {"cell_type": "code", "outputs": list(outputs)}]}


def stream(text, name="stdout"):
    """Return an output of a print statement."""
    return {"output_type": "stream", "name": name, "text": text}


@pytest.mark.parametrize("text", [
    "UserWarning: beware",
    "first line\n/home/me/a.py:3: RuntimeWarning: overflow in exp\n  np.exp(x)\n",
    "\x1b[31mConvergenceWarning\x1b[0m: beware",
    "\x1b[1;33mWarning\x1b[39;49m\x1b[0m: beware",
    "Traceback (most recent call last):\n  File ...",
    "\x1b[36mTraceback\x1b[39m (most recent call last)\n",
])
def test_warning_or_traceback_text_is_a_fault(text):
    shown = {"output_type": "display_data", "data": {"text/plain": text}, "metadata": {}}
    for output in (stream(text), stream(text.splitlines(keepends=True)), shown):
        (fault,) = faults.of_notebook(notebook(output))
        assert fault.startswith("warning or traceback in the output: ")
        assert "\x1b" not in fault


@pytest.mark.parametrize(
    "text", ["Warning signs are yellow.", "A Warning", "no warnings: 0", "−170.7 nats"])
def test_prose_about_warnings_is_no_fault(text):
    assert faults.of_notebook(notebook(stream(text))) == []


def test_every_fault_of_every_cell_is_named():
    error = {"output_type": "error", "ename": "ValueError", "evalue": "x: no data", "traceback": []}
    both = notebook(stream("a\n", "stderr"), stream("b"))
    both["cells"] += notebook(error, stream("c", "stderr"))["cells"]
    found = faults.of_notebook(both)
    assert found == ["text on stderr: a", "ValueError: x: no data", "text on stderr: c"]


def test_outputs_are_kept_without_what_no_run_can_repeat():
    table = (
        '<style>#T_{0}_row0 {{}}</style>'
        '<table id="T_{0}"><td id="T_{0}_row0_col0">T_shirt</td></table>')
    kept = []
    for address, name in (("0x7f01", "0a1b2"), ("0x7f02", "9f8e7")):
        shown = {"text/plain": f"<pandas.Styler at {address}>", "text/html": table.format(name)}
        kept.append(cache.settled([{"output_type": "display_data", "data": shown}]))
    assert kept[0] == kept[1]
    ((shown,),) = kept[:1]
    assert shown["data"]["text/plain"] == "<pandas.Styler>"
    names = set(re.findall(r'T_\w+?(?=[_" ])', shown["data"]["text/html"]))
    assert len(names) == 1 and "T_shirt" in shown["data"]["text/html"]


def test_search_index_is_in_order_and_forgets_words():
    one = {
        "alltitles": {"B": [[1, "b"]], "A": [[0, "a"]]}, "indexentries": {}, "objects": {},
        "titleterms": {"b": 1}, "docnames": ["x", "y"]}
    other = dict(reversed(one.items()))
    other["alltitles"] = dict(reversed(one["alltitles"].items()))
    written = [
        f"Search.setIndex({json.dumps(index | {'terms': terms})})"
        for index, terms in ((one, {"old": [], "bell": [1, 0]}), (other, {"bell": [0, 1]}))]
    assert mend.tidied(written[0]) == mend.tidied(written[1])
    assert "old" not in mend.tidied(written[0])
    assert mend.tidied(mend.tidied(written[0])) == mend.tidied(written[0])


# The name of the cache

SHARED = ("code/mixtures/data.py", "code/mixtures/deep/exact.py", "book/data/a.csv")


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """Return the top of a book with code, data and one chapter."""
    monkeypatch.delenv("BOOK_SEEDS", raising=False)
    for name in (*SHARED, "code/bookbuild/pages/head.py", "book/mixture.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1\n")
    return tmp_path


@pytest.mark.parametrize("name", SHARED)
def test_fingerprint_follows_every_file_of_code_and_data_and_comes_back(tree, name):
    names = [cache.fingerprint(tree)]
    (tree / name).write_text("2\n")
    names.append(cache.fingerprint(tree))
    (tree / name).rename(tree / name.replace("a.", "b."))
    names.append(cache.fingerprint(tree))
    (tree / name.replace("a.", "b.")).rename(tree / name)
    (tree / "code/mixtures/more.py").write_text("1\n")
    names.append(cache.fingerprint(tree))
    assert len(set(names)) == 4 - ("a." not in name)
    (tree / "code/mixtures/more.py").unlink()
    (tree / name).write_text("1\n")
    assert cache.fingerprint(tree) == names[0]


def test_fingerprint_ignores_prose_the_press_and_the_place_of_the_book(tree, tmp_path_factory):
    before = cache.fingerprint(tree)
    for name in ("book/mixture.md", "code/bookbuild/pages/head.py"):
        (tree / name).write_text("2\n")
    assert cache.fingerprint(tree) == before
    elsewhere = shutil.copytree(tree, tmp_path_factory.mktemp("elsewhere") / "book")
    assert cache.fingerprint(elsewhere) == before


def test_fingerprint_follows_settings_seeds_and_versions(tree, monkeypatch):
    names = [cache.fingerprint(tree)]
    for value in ("1", "2"):
        monkeypatch.setenv("THREADS", value)
        names.append(cache.fingerprint(tree, variables=["THREADS"]))
    assert cache.fingerprint(tree) == names[0]
    monkeypatch.setenv("BOOK_SEEDS", "1")
    names.append(cache.fingerprint(tree))
    names.append(cache.fingerprint(tree, VERSIONS))
    versions = cache.versions(VERSIONS)
    assert {"python", "numpy", "pymc", "arviz", "nutpie", "matplotlib"} <= versions.keys()
    monkeypatch.setattr(cache, "versions", lambda packages: versions | {"numpy": "999"})
    names.append(cache.fingerprint(tree, VERSIONS))
    assert len(set(names)) == len(names)


# Links


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Return a function that makes a checkout with the given remote, without anybody's settings."""
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, os.devnull)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))

    def make(remote):
        subprocess.run(["git", "init", "-q", tmp_path], check=True)
        subprocess.run(["git", "-C", tmp_path, "remote", "add", "origin", remote], check=True)
        return tmp_path

    return make


@pytest.mark.parametrize("remote", [
    "https://github.com/a-nn/be.ll_s-2",
    "https://github.com/a-nn/be.ll_s-2.git",
    "https://github.com/a-nn/be.ll_s-2/",
    "https://x-access-token:ghp_secret@github.com/a-nn/be.ll_s-2.git",
    "git@github.com:a-nn/be.ll_s-2.git",
    "ssh://git@github.com/a-nn/be.ll_s-2",
])
def test_remote_on_github_is_found_without_its_credentials(checkout, remote):
    assert press.repository(checkout(remote), {}) == "https://github.com/a-nn/be.ll_s-2"


@pytest.mark.parametrize("remote", [
    "../bells.git",
    "file:///srv/git/github.com/ann/bells",
    "https://github.com.example.org/ann/bells",
    "https://example.org/github.com/ann/bells",
    "git@example.org:ann/bells.git",
    "https://github.com/ann",
    "https://github.com/ann/bells/tree/main",
])
def test_any_other_remote_gives_no_link(checkout, remote):
    assert press.repository(checkout(remote), {}) is None


def test_environment_goes_before_the_remote(checkout):
    top = checkout("git@github.com:ann/bells.git")
    hills = {"GITHUB_REPOSITORY": "bob/hills"}
    assert press.repository(top, hills) == "https://github.com/bob/hills"
    server = hills | {"GITHUB_SERVER_URL": "https://git.example.org"}
    assert press.repository(top, server) == "https://git.example.org/bob/hills"


@pytest.mark.parametrize(
    "named", ["", "bells", "bob/", "/hills", "bob/hills/tree", "bob/hills?x=1", 'bob/"><script>'])
def test_malformed_environment_is_ignored(checkout, named):
    top = checkout("git@github.com:ann/bells.git")
    assert press.repository(top, {"GITHUB_REPOSITORY": named}) == "https://github.com/ann/bells"


def test_neither_checkout_nor_git_is_needed(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert press.repository(tmp_path, {}) is None
    monkeypatch.setenv("PATH", "")
    assert press.repository(tmp_path, {}) is None
    assert press.branch(tmp_path) == "main"


def test_branch_is_the_default_one_of_the_remote(checkout):
    top = checkout("git@github.com:ann/bells.git")
    assert press.branch(top) == "main"
    head = ["symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/feature/trunk"]
    subprocess.run(["git", "-C", top, *head], check=True)
    assert press.branch(top) == "feature/trunk"


# The table of claims


def test_table_has_a_head_and_one_paragraph_an_entry():
    link = nodes.reference("", "b", refuri="c")
    rows = [[nodes.Text("a"), link], [nodes.Text("d"), nodes.Text("e")]]
    table = ledger.table(["x", "y"], rows, "ledger")
    assert table["classes"] == ["ledger"]
    (group,) = table.children
    assert group["cols"] == len(list(group.findall(nodes.colspec))) == 2
    head, body = next(group.findall(nodes.thead)), next(group.findall(nodes.tbody))
    assert [entry.astext() for entry in head.findall(nodes.entry)] == ["x", "y"]
    assert [[entry.astext() for entry in row] for row in body] == [["a", "b"], ["d", "e"]]
    assert all(isinstance(entry[0], nodes.paragraph) for entry in table.findall(nodes.entry))


# A miniature book


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
        assert len(book.page(name).select(f"details#claim-{name}-width")) == 1
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
        ("book/three.md", "The width is {", "The breadth is {"),
        ("book/assets/house.css", "/* The house style",
         "h1 { color: #fedcba; }\n/* The house style"),
    ]
    ours = re.compile(
        r"https://(github\.com|mybinder\.org/v2/gh|someone\.github\.io)/(someone/)?fork(/|\?|$)")
    with book.changed(*edits):
        assert "executing 2 chapters, 2 at a time" in book.printed(GITHUB_REPOSITORY="someone/fork")
    assert book.ran() == ["one", "two"]
    assert ["Chapter one says 1.28." in book.page(name).text for name in CHAPTERS] == [True] * 3
    assert "The breadth" in book.page("three").text
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
        "book/one.md: claim one-width: 'The width is about 1.2.' is not true: measured 1.25, "
        "expected 2.20 ± 0.1",
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
