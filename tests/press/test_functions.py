"""The press's functions one by one: faults, the cache, links, and the table of claims."""

import os
import re
import shutil
import subprocess

import pytest
from bookbuild import checkout as press
from bookbuild.execute import cache, faults
from bookbuild.pages import ledger, sentences
from checkout import ROOT
from docutils import nodes

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


# The sentence that a mark ends


def marked(*before, names=("a",)):
    """Return a mark at the end of a paragraph of some texts and nodes."""
    parts = [nodes.Text(part) if isinstance(part, str) else part for part in before]
    mark = sentences.Mark(names=list(names))
    nodes.paragraph("", "", *parts, mark)
    return mark


@pytest.mark.parametrize(("before", "said"), [
    (["It is so."], "It is so."),
    (["First. It is  so, by 0.5 nats."], "It is so, by 0.5 nats."),
    (["No? “It is so.”"], '"It is so."'),
    (["About R. Neal et al. and others it is so."], "Neal et al. and others it is so."),
    (["First.", "\n", "It", "\n", "is so."], "It is so."),
    (["(First. It is (so).)"], "It is (so)."),
    (["Where ", nodes.math("", r"\mu_1 < \mu_2"), ", ", nodes.strong("", "it"), " is −1."],
     r"Where $\mu_1 < \mu_2$, it is -1."),
    (["One.", sentences.Mark(names=["b"]), " Two", nodes.emphasis("", " is. so"), "."],
     "Two is. so."),
    (["One. ", nodes.emphasis("", "Two"), " is so."], "Two is so."),
])
def test_a_mark_ends_the_sentence_before_it(before, said):
    assert sentences.plain(sentences.sentence(marked(*before))) == said


def test_a_mark_in_an_alternative_text_goes_to_the_caption():
    picture = nodes.image("", alt="Two hills. One is higher.{claim}`a b` A line.")
    figure = nodes.figure("", picture, nodes.caption("", "Hills."))
    (mark,) = sentences._of_pictures(figure)
    assert picture["alt"] == "Two hills. One is higher. A line."
    assert mark["names"] == ["a", "b"] and mark.parent is figure[1]
    assert sentences.plain(mark["sentence"]) == "One is higher."


def test_the_ledger_says_how_many_claims_there_are_and_which_is_thinnest():
    claims = [{"kind": "exact", "margin": None, "chapter": "a"},
              {"kind": "sampled", "margin": 7.26, "chapter": "b"},
              {"kind": "sampled", "margin": 9.0, "chapter": "c"}]
    assert ledger.summary(claims) == (
        "3 claims: 2 sampled, 1 exact. The thinnest margin is 7.3, of a claim in b.")
    assert ledger.summary(claims[:1]) == "1 claims: 1 exact."


def test_a_caption_claims_what_was_measured_between_its_figure_and_the_next():
    def figure(name):
        return {"figure": {"name": f"fig-{name}", "caption": f"So it is.{{claim}}`{name}`"}}

    def cell(name, made=None):
        outputs = [{"metadata": {"claim": {"name": made}}}] if made else []
        return {"metadata": {"mystnb": figure(name)} if name else {}, "outputs": outputs}

    right = [cell("one"), cell(None, "one"), cell("two"), cell(None, "two")]
    assert faults.of_captions({"cells": right}) == []
    exchanged = [cell("two"), cell(None, "one"), cell("one"), cell(None, "two")]
    assert len(faults.of_captions({"cells": exchanged})) == 2
    late = [cell("two"), cell("one"), cell(None, "one"), cell(None, "two")]
    (fault,) = faults.of_captions({"cells": late})
    assert "claim two" in fault and "fig-two" in fault


def test_captions_and_alternative_texts_name_datasets_that_were_drawn():
    shown = {"figure": {"caption": "Datasets 3 and 8: the top."}, "image": {"alt": "Of dataset 8."}}
    made = [{"metadata": {"claim": {"name": "one", "datasets": [3]}}}]
    cells = [{"metadata": {"mystnb": shown}, "outputs": []}, {"metadata": {}, "outputs": made}]
    (fault,) = faults.of_datasets({"cells": cells})
    assert "alternative text: this page has not drawn dataset 8" in fault
    made[0]["metadata"]["claim"]["datasets"].append(8)
    assert faults.of_datasets({"cells": cells}) == []
