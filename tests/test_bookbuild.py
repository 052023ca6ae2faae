"""The press: its functions one by one, and then a miniature book that is printed, broken and mended."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

import nbformat
import psutil
import pytest
from bookbuild import execution, findability, ledger, links
from docutils import nodes
from miniature import CHAPTERS, LEDGER, PRESS, STRICT, Book, printed
from sphinx.errors import ExtensionError

ROOT = Path(__file__).parents[1]


# What must not be printed


def notebook(*outputs):
    """Return a notebook with one cell of prose and one of code."""
    return {"cells": [{"cell_type": "markdown"}, {"cell_type": "code", "outputs": list(outputs)}]}


def stream(text, name="stdout"):
    """Return an output of a print statement."""
    return {"output_type": "stream", "name": name, "text": text}


def test_text_on_stderr_is_a_fault():
    assert list(execution.faults(notebook(stream("sampling\n", "stderr")))) == ["text on stderr: sampling"]


def test_error_is_a_fault():
    error = {"output_type": "error", "ename": "ValueError", "evalue": "x: no data", "traceback": []}
    assert list(execution.faults(notebook(error))) == ["ValueError: x: no data"]


@pytest.mark.parametrize(
    "text",
    [
        "UserWarning: beware",
        "first line\n/home/me/a.py:3: RuntimeWarning: overflow in exp\n  np.exp(x)\n",
        "\x1b[31mConvergenceWarning\x1b[0m: beware",
        "\x1b[1;33mWarning\x1b[39;49m\x1b[0m: beware",
        "Traceback (most recent call last):\n  File ...",
        "\x1b[36mTraceback\x1b[39m (most recent call last)\n",
    ],
)
def test_warning_or_traceback_text_is_a_fault(text):
    shown = {"output_type": "display_data", "data": {"text/plain": text}, "metadata": {}}
    for output in (stream(text), stream(text.splitlines(keepends=True)), shown):
        (fault,) = execution.faults(notebook(output))
        assert fault.startswith("warning or traceback in the output: ")
        assert "\x1b" not in fault


@pytest.mark.parametrize("text", ["Warning signs are yellow.", "A Warning", "no warnings: 0", "−170.7 nats"])
def test_prose_about_warnings_is_no_fault(text):
    assert list(execution.faults(notebook(stream(text)))) == []


def test_every_fault_of_every_cell_is_named():
    both = notebook(stream("a", "stderr"), stream("b"))
    both["cells"] += notebook(stream("c", "stderr"))["cells"]
    assert list(execution.faults(both)) == ["text on stderr: a", "text on stderr: c"]


def test_outputs_are_kept_without_what_no_run_can_repeat():
    table = '<style>#T_{0}_row0 {{}}</style><table id="T_{0}"><td id="T_{0}_row0_col0">T_shirt</td></table>'
    kept = []
    for address, name, pieces in (("0x7f01", "0a1b2", ["a\n", "b\n"]), ("0x7f02", "9f8e7", ["a\nb\n"])):
        shown = {"text/plain": f"<pandas.Styler at {address}>", "text/html": table.format(name)}
        outputs = [*(stream(text) for text in pieces), stream("c", "stderr"), {"output_type": "display_data", "data": shown}]
        kept.append(execution.settled([nbformat.from_dict(output) for output in outputs]))
    assert kept[0] == kept[1]
    text, error, shown = kept[0]
    assert (text["text"], error["text"]) == ("a\nb\n", "c")
    assert shown["data"]["text/plain"] == "<pandas.Styler>"
    names = set(re.findall(r'T_\w+?(?=[_" ])', shown["data"]["text/html"]))
    assert len(names) == 1 and "T_shirt" in shown["data"]["text/html"]


def test_search_index_is_in_order_and_forgets_words():
    one = {"alltitles": {"B": [[1, "b"]], "A": [[0, "a"]]}, "indexentries": {}, "objects": {}, "titleterms": {"b": 1}, "docnames": ["x", "y"]}
    other = {"docnames": ["x", "y"], "titleterms": {"b": 1}, "objects": {}, "indexentries": {}, "alltitles": {"A": [[0, "a"]], "B": [[1, "b"]]}}
    written = [
        f"Search.setIndex({json.dumps(index | {'terms': terms})})"
        for index, terms in ((one, {"old": [], "bell": [1, 0]}), (other, {"bell": [0, 1]}))
    ]
    assert findability.tidied(written[0]) == findability.tidied(written[1])
    assert "old" not in findability.tidied(written[0])
    assert findability.tidied(findability.tidied(written[0])) == findability.tidied(written[0])


@pytest.mark.parametrize("failed", [None, "CellTimeoutError"])
def test_chapter_that_runs_out_of_time_is_a_fault(monkeypatch, failed):
    monkeypatch.setattr(execution, "executed", lambda app, docname: notebook(stream("a")))
    env = SimpleNamespace(docname="book/one", nb_metadata={"book/one": {"exec_data": {"error": failed}}})
    execution.inspect(SimpleNamespace(env=env, config=SimpleNamespace(nb_execution_timeout=5)), None)
    if failed:
        with pytest.raises(ExtensionError, match="book/one.md: execution failed: CellTimeoutError"):
            execution.judge(None, env)
    else:
        execution.judge(None, env)
    execution.forget(SimpleNamespace(), env, "book/one")
    execution.judge(None, env)


# The name of the cache


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """Return the top of a book with code, data and one chapter."""
    monkeypatch.delenv("BOOK_SEEDS", raising=False)
    for name in ("code/mixtures/data.py", "book/data/acidity.csv", "book/mixture.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1\n")
    return tmp_path


@pytest.mark.parametrize("name", ["code/mixtures/data.py", "book/data/acidity.csv"])
def test_fingerprint_follows_code_and_data_and_comes_back(tree, name):
    before = execution.fingerprint(tree)
    (tree / name).write_text("2\n")
    assert execution.fingerprint(tree) != before
    (tree / name).write_text("1\n")
    assert execution.fingerprint(tree) == before


def test_fingerprint_ignores_the_press(tree):
    before = execution.fingerprint(tree)
    (tree / "code/bookbuild").mkdir()
    (tree / "code/bookbuild/links.py").write_text("1\n")
    assert execution.fingerprint(tree) == before


def test_fingerprint_notices_a_new_and_a_renamed_module(tree):
    names = [execution.fingerprint(tree)]
    (tree / "code/mixtures/exact.py").write_text("1\n")
    names.append(execution.fingerprint(tree))
    (tree / "code/mixtures/exact.py").rename(tree / "code/mixtures/extra.py")
    names.append(execution.fingerprint(tree))
    assert len(set(names)) == 3


MODULES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "code/mixtures").glob("*.py"))


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    """Return a copy of the book's own code and data."""
    top = tmp_path_factory.mktemp("copied")
    for name in ("code/mixtures", "book/data"):
        shutil.copytree(ROOT / name, top / name, ignore=shutil.ignore_patterns("__pycache__"))
    return top


@pytest.mark.parametrize("name", MODULES)
def test_edit_of_any_module_executes_the_book_anew(copied, name):
    before, text = execution.fingerprint(copied), (copied / name).read_text("utf-8")
    (copied / name).write_text(text + "# edited\n", "utf-8")
    assert execution.fingerprint(copied) != before
    (copied / name).write_text(text, "utf-8")
    assert execution.fingerprint(copied) == before


def test_fingerprint_follows_settings_of_the_kernels(tree, monkeypatch):
    names = set()
    for value in ("1", "2"):
        monkeypatch.setenv("THREADS", value)
        names |= {execution.fingerprint(tree), execution.fingerprint(tree, ["THREADS"])}
    assert len(names) == 3


def test_fingerprint_follows_seeds_and_versions(tree, monkeypatch):
    names = [execution.fingerprint(tree)]
    monkeypatch.setenv("BOOK_SEEDS", "1")
    names.append(execution.fingerprint(tree))
    newer = execution.versions() | {"numpy": "999"}
    monkeypatch.setattr(execution, "versions", lambda: newer)
    names.append(execution.fingerprint(tree))
    assert len(set(names)) == 3


def test_fingerprint_ignores_prose_and_the_place_of_the_book(tree, tmp_path_factory):
    before = execution.fingerprint(tree)
    (tree / "book/mixture.md").write_text("Other prose.\n")
    assert execution.fingerprint(tree) == before
    elsewhere = shutil.copytree(tree, tmp_path_factory.mktemp("elsewhere") / "book")
    assert execution.fingerprint(elsewhere) == before


def test_versions_name_what_chapters_compute_with():
    versions = execution.versions()
    assert {"python", "numpy", "pymc", "arviz", "nutpie", "matplotlib"} <= versions.keys()
    assert "absent" not in versions.values()


# Links


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Return a function that makes a checkout with the given remote, untouched by anybody's git settings."""
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, os.devnull)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))

    def make(remote):
        subprocess.run(["git", "init", "-q", tmp_path], check=True)
        subprocess.run(["git", "-C", tmp_path, "remote", "add", "origin", remote], check=True)
        return tmp_path

    return make


@pytest.mark.parametrize(
    "remote",
    [
        "https://github.com/ann/bells",
        "https://github.com/ann/bells.git",
        "https://github.com/ann/bells/",
        "https://ann@github.com/ann/bells.git",
        "https://ann:ghp_secret@github.com/ann/bells.git",
        "https://x-access-token:ghp_secret@github.com/ann/bells",
        "git@github.com:ann/bells",
        "git@github.com:ann/bells.git",
        "ssh://git@github.com/ann/bells",
        "ssh://git@github.com/ann/bells.git",
    ],
)
def test_remote_on_github_is_found_without_its_credentials(checkout, remote):
    assert links.repository(checkout(remote), {}) == "https://github.com/ann/bells"


def test_dots_and_dashes_stay_in_the_name(checkout):
    assert links.repository(checkout("git@github.com:a-nn/be.ll_s-2.git"), {}) == "https://github.com/a-nn/be.ll_s-2"


@pytest.mark.parametrize(
    "remote",
    [
        "/srv/git/bells",
        "../bells.git",
        "file:///srv/git/github.com/ann/bells",
        "https://gitlab.com/ann/bells.git",
        "https://github.com.example.org/ann/bells",
        "https://example.org/github.com/ann/bells",
        "git@example.org:ann/bells.git",
        "https://github.com/ann",
        "https://github.com/ann/bells/tree/main",
    ],
)
def test_any_other_remote_gives_no_link(checkout, remote):
    assert links.repository(checkout(remote), {}) is None


def test_environment_goes_before_the_remote(checkout):
    top = checkout("git@github.com:ann/bells.git")
    assert links.repository(top, {"GITHUB_REPOSITORY": "bob/hills"}) == "https://github.com/bob/hills"
    server = {"GITHUB_REPOSITORY": "bob/hills", "GITHUB_SERVER_URL": "https://git.example.org"}
    assert links.repository(top, server) == "https://git.example.org/bob/hills"


@pytest.mark.parametrize("named", ["", "bells", "bob/", "/hills", "bob/hills/tree", "bob/hills?x=1", 'bob/"><script>'])
def test_malformed_environment_is_ignored(checkout, named):
    top = checkout("git@github.com:ann/bells.git")
    assert links.repository(top, {"GITHUB_REPOSITORY": named}) == "https://github.com/ann/bells"


def test_neither_checkout_nor_git_is_needed(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert links.repository(tmp_path, {}) is None
    monkeypatch.setenv("PATH", "")
    assert links.repository(tmp_path, {}) is None
    assert links.branch(tmp_path) == "main"


def test_branch_is_the_default_one_of_the_remote(checkout):
    top = checkout("git@github.com:ann/bells.git")
    assert links.branch(top) == "main"
    head = ["symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/feature/trunk"]
    subprocess.run(["git", "-C", top, *head], check=True)
    assert links.branch(top) == "feature/trunk"


# The table of claims


def test_table_has_a_head_and_one_paragraph_an_entry():
    rows = [[nodes.Text("a"), nodes.reference("", "b", refuri="c")], [nodes.Text("d"), nodes.Text("e")]]
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
    """Return a small book that has been printed once, without a fault. Each test leaves it whole."""
    made = Book(tmp_path_factory.mktemp("book"))
    code, log = made.build(*STRICT)
    assert code == 0, log[-3000:]
    assert made.ran() == sorted(CHAPTERS)
    return made


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
    assert facts == execution.versions() | {"sampling seeds moved by": "0"}


def test_build_without_a_change_writes_nothing(book):
    def written():
        return {path: path.stat().st_mtime_ns for path in (book.top / "_build/html").rglob("*") if path.is_file()}

    before = written()
    code, log = book.build(*STRICT)
    assert code == 0, log[-3000:]
    assert "no targets are out of date" in log
    assert book.ran() == []
    assert written() == before


@pytest.mark.parametrize("name", ["tiny", "deep", "unused"])
def test_edited_module_gives_the_pages_of_a_build_from_scratch(book, name, tmp_path_factory):
    """One that a chapter imports, one that this one imports, and one that nobody does: none may leave anything stale."""
    plain = (book.top / f"code/{name}.py").read_text("utf-8")
    book.edit(f"code/{name}.py", "1.25" if name == "deep" else "WIDTH = ", "1.21" if name == "deep" else "WIDTH = 0.02 + ")
    code, log = book.build(*STRICT)
    assert code == 0, log[-3000:]
    assert book.ran() == sorted(CHAPTERS)
    scratch = Book(tmp_path_factory.mktemp("scratch"))
    scratch.write(f"code/{name}.py", (book.top / f"code/{name}.py").read_text("utf-8"))
    code, log = scratch.build(*STRICT)
    assert code == 0, log[-3000:]
    ours, theirs = printed(book.top), printed(scratch.top)
    assert [row[2] for row in book.ledger()[0]] == [{"tiny": "1.27", "deep": "1.21", "unused": "1.25"}[name]] * 3
    assert [path for path in ours.keys() | theirs.keys() if ours.get(path) != theirs.get(path)] == []
    book.write(f"code/{name}.py", plain)
    code, log = book.build(*STRICT)
    assert code == 0, log[-3000:]
    assert book.ran() == []
    assert book.ledger()[0] == LEDGER


def test_edited_prose_executes_nothing_and_keeps_the_ledger(book):
    book.edit("book/one.md", "The width is {", "The breadth is {")
    code, log = book.build(*STRICT)
    assert code == 0, log[-3000:]
    assert book.ran() == []
    assert "The breadth" in book.page("one").text
    assert book.ledger()[0] == LEDGER


def test_number_from_another_page_is_as_fresh_as_that_page(book):
    assert "Chapter one says 1.25." in book.page("two").text
    book.edit("book/one.md", "tiny.WIDTH, expected", "tiny.WIDTH + 0.03, expected")
    code, log = book.build(*STRICT)
    assert code == 0, log[-3000:]
    assert book.ran() == ["one"]
    assert "Chapter one says 1.28." in book.page("two").text
    book.edit("book/one.md", "tiny.WIDTH + 0.03, expected", "tiny.WIDTH, expected")
    code, log = book.build(*STRICT)
    assert code == 0, log[-3000:]
    assert book.ledger()[0] == LEDGER


# a chapter that waits for another one
MEET = """
import time

Path("../met-{}").touch()
deadline = time.monotonic() + 100
while not Path("../met-{}").exists():
    assert time.monotonic() < deadline, "nobody came"
    time.sleep(0.05)
"""


def test_chapters_run_side_by_side(book):
    plain = {name: (book.top / f"book/{name}.md").read_text("utf-8") for name in ("one", "two")}
    for name, other in (("one", "two"), ("two", "one")):
        book.edit(f"book/{name}.md", f'begin("{name}")\n', f'begin("{name}")\n{MEET.format(name, other)}')
    code, log = book.build(*STRICT)
    assert code == 0, log[-3000:]
    assert book.ran() == ["one", "two"]
    assert "executing 2 chapters, 2 at a time" in log
    for name in plain:
        book.write(f"book/{name}.md", plain[name])
    code, log = book.build(*STRICT)
    assert code == 0, log[-3000:]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_interrupted_build_leaves_no_kernel_behind(book, number):
    plain = (book.top / "book/one.md").read_text("utf-8")
    endless = 'import os, time\nPath("../kernel").write_text(str(os.getpid()))\ntime.sleep(1000)\n'
    book.edit("book/one.md", 'begin("one")\n', f'begin("one")\n{endless}')
    with subprocess.Popen([*PRESS, *STRICT], cwd=book.top, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        kernel = book.top / "kernel"
        while not (kernel.exists() and kernel.read_text()):
            assert run.poll() is None
            time.sleep(0.1)
        run.send_signal(number)
        assert run.wait(60) != 0
    pid = int(kernel.read_text())
    kernel.unlink()
    # it looks once a second whether its parent is alive
    for _ in range(600):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            break
        time.sleep(0.1)
    else:
        pytest.fail("the kernel is still alive")
    book.write("book/one.md", plain)
    code, log = book.build(*STRICT)
    assert code == 0, log[-3000:]
    assert book.ran() == []


def test_edited_code_executes_everything_and_reverting_finds_the_old_results(book):
    book.edit("code/deep.py", "1.25", "1.27")
    code, log = book.build(*STRICT)
    assert code == 0, log[-3000:]
    assert book.ran() == sorted(CHAPTERS)
    assert [row[2] for row in book.ledger()[0]] == ["1.27"] * 3
    book.edit("code/deep.py", "1.27", "1.25")
    code, log = book.build(*STRICT)
    assert code == 0, log[-3000:]
    assert book.ran() == []
    assert book.ledger()[0] == LEDGER
    assert "the width is 1.25" in book.page("two").text


def test_buttons_lead_to_the_repository_that_printed_the_book_or_are_left_out(book):
    def hosts(name):
        return [a["href"] for a in book.page(name).select("a[href]") if re.search("github|binder", a["href"])]

    for name in ("index", *CHAPTERS, "ledger"):
        assert hosts(name) == []
        assert book.page(name).select("link[rel=canonical]") == []
    code, log = book.build(*STRICT, GITHUB_REPOSITORY="someone/fork")
    assert code == 0, log[-3000:]
    for name in CHAPTERS:
        assert {
            "https://github.com/someone/fork",
            f"https://github.com/someone/fork/edit/main/book/{name}.md",
            f"https://mybinder.org/v2/gh/someone/fork/main?urlpath=lab/tree/notebooks/{name}.ipynb",
        } <= set(hosts(name))
    for name in ("index", *CHAPTERS, "ledger"):
        link = book.page(name).select_one("link[rel=canonical]")
        assert link["href"] == f"https://someone.github.io/fork/book/{name}.html"
        for place in hosts(name):
            assert re.match(r"https://(github\.com|mybinder\.org/v2/gh|someone\.github\.io)/(someone/)?fork(/|\?|$)", place), place
    sitemap = (book.top / "_build/html/sitemap.xml").read_text("utf-8")
    assert re.findall(r"<loc>(.*?)</loc>", sitemap) == [
        f"https://someone.github.io/fork/book/{name}.html" for name in sorted(["index", *CHAPTERS, "ledger"])
    ]


def test_edited_style_is_printed_and_executes_nothing(book):
    sheet = book.top / "_build/html/_static/book.css"
    assert "#fedcba" not in sheet.read_text("utf-8")
    book.write("book/assets/house.css", (book.top / "book/assets/house.css").read_text("utf-8") + "\nh1 { color: #fedcba; }\n")
    code, log = book.build(*STRICT)
    assert code == 0, log[-3000:]
    assert book.ran() == []
    assert "#fedcba" in sheet.read_text("utf-8")


def broken(book, edits, named, builds, **environ):
    """Break the book, see that every build says so, mend it, and see that it is whole again."""
    whole = {path: path.read_text("utf-8") for path in book.top.glob("book/*.md")}
    try:
        for name, old, new in edits:
            book.edit(name, old, new)
        said = [book.build(*options, **environ) for options in builds]
    finally:
        for path, text in whole.items():
            if path.read_text("utf-8") != text:
                path.write_text(text, encoding="utf-8")
    for code, log in said:
        assert code != 0, log[-3000:]
        for words in named:
            assert words in log
    code, log = book.build(*STRICT)
    assert code == 0, log[-3000:]
    assert book.ledger()[0] == LEDGER


def test_failures_in_chapters_stop_every_build_until_mended_and_are_all_named(book):
    figure = "class Figure:\n    def _repr_html_(self):\n        raise OSError('no ink')\n\n\ndisplay(Figure())\n"
    loud = f'import warnings\n\nwarnings.warn("beware")\nprint("whisper", file=sys.stderr)\n{figure}print('
    edits = [
        ("book/one.md", "print(", loud),
        ("book/two.md", "print(", 'raise RuntimeError("out of bells")\nprint('),
        ("book/three.md", "expected=1.2", "expected=2.2"),
    ]
    named = [
        "book/one.md: text on stderr: ",
        "UserWarning: beware",
        "whisper",
        "book/one.md: OSError: no ink",
        "book/two.md: RuntimeError: out of bells",
        "book/three.md: FalseClaim: chapter three, claim three-width: 'The width is about 1.2.' is not true. "
        "Measured 1.25; expected 2.20 ± 0.1.",
    ]
    broken(book, edits, named, [(), STRICT])


def test_claims_astray_stop_every_build_until_mended_and_are_all_named(book):
    twice = 'for number in (1, 2):\n    claim("number", number, above=0, says="It is positive.")\nclaim("two-width"'
    edits = [
        ("book/one.md", "expected=1.2", "expected=2.2"),
        ("book/two.md", 'claim("two-width"', twice),
        ("book/three.md", 'begin("three")', 'begin("one")'),
        ("book/three.md", 'claim("three-width"', 'claim("one-width", 1, expected=1, says="One.")\nclaim("three-width"'),
    ]
    named = [
        "book/one.md: claim one-width: 'The width is about 1.2.' is not true",
        "book/two.md: claim number has the name of one in chapter two",
        "book/three.md: begin('one') gives the name of another chapter",
        "claim one-width has the name of one in chapter one",
    ]
    # a false claim gets as far as this only where it was gathered; then it is in the cache
    broken(book, edits, named, [(), STRICT], BOOK_CLAIMS_GATHER="1")


def test_unknown_number_dead_link_and_bad_formula_stop_every_strict_build_until_mended(book):
    edits = [("book/one.md", "give or take", "not {glue:text}`nothing:.1f`, see [](nowhere.md), with $\\nosuch$")]
    named = ["No key 'nothing' found", "'nowhere.md'", "formula: ParseError: KaTeX parse error"]
    broken(book, edits, named, [STRICT, STRICT])
