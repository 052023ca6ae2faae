"""The scripts of the workflows: whether the site is the one built, and what is released."""

import hashlib
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from checkout import ROOT
from outside import run, served

SCRIPTS = Path(".github/scripts")

BUILT = {"index.html": b"door", "book/index.html": b"first page"}
SUMS = "".join(f"{hashlib.sha256(body).hexdigest()}  {path}\n" for path, body in BUILT.items())


def verify(answers, sums=SUMS, wait="20"):
    """Compare a site that gives these answers with the one that was built."""
    with served({f"/book/{path}": list(bodies) for path, bodies in answers.items()}) as (
        address,
        asked,
    ):
        code, said = run(
            ROOT / SCRIPTS / "verify",
            address,
            input=sums,
            env=os.environ | {"WAIT": wait, "PAUSE": "0.1"},
        )
    return code, said, asked


def test_site_as_built_is_let_pass_and_no_cache_is_asked():
    code, said, asked = verify({path: [body] for path, body in BUILT.items()})
    assert code == 0, said
    assert said.count("as built: ") == 2
    assert len(asked) == len(set(asked)) == 2 and all("?" in path for path in asked)


def test_late_page_is_waited_for():
    code, said, asked = verify(
        {"index.html": [b"door"], "book/index.html": [None, b"old page", b"first page"]}
    )
    assert code == 0, said
    assert len(asked) == 4


def test_every_wrong_page_is_named():
    code, said, _ = verify({"index.html": [b"another door"]}, wait="0")
    assert code == 1
    assert re.search(
        r"^::error::http:\S+/book/index.html is not what was built: its SHA-256 is \w{64}, ",
        said,
        re.MULTILINE,
    )
    assert re.search(
        r"^::error::http:\S+/book/book/index.html is not what was built: curl: .*404",
        said,
        re.MULTILINE,
    )


def test_site_that_does_not_answer_and_missing_sums_are_faults():
    code, said = run(
        ROOT / SCRIPTS / "verify", "http://127.0.0.1:9", input=SUMS, env=os.environ | {"WAIT": "0"}
    )
    assert code == 1 and "127.0.0.1" in said
    # an empty variable, handed over by bash, is an empty line
    code, said, _ = verify({}, sums="\n")
    assert code == 1 and "no checksum" in said


# A release


@pytest.fixture
def checkout(tmp_path):
    """Return a checkout with the scripts, a site, and the files that have a version."""
    shutil.copytree(ROOT / SCRIPTS, tmp_path / SCRIPTS)
    files = {
        "code/pyproject.toml": '[project]\nversion = "1.2.0"\n',
        "CITATION.cff": "cff-version: 1.2.0\nversion: 1.2.0\n",
        "_build/html/index.html": "door",
        "_build/html/book/index.html": "first page",
        "_build/html/which.epub": "epub",
        "_build/html/which.pdf": "pdf",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    author = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    subprocess.run(
        ["git", "-C", tmp_path, *author, "commit", "-q", "--allow-empty", "-m", "x"], check=True
    )
    return tmp_path


def test_tag_of_this_version_is_let_pass(checkout):
    assert run(checkout / SCRIPTS / "version", "v1.2.0") == (0, "")
    ours = tomllib.loads((ROOT / "code/pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert run(ROOT / SCRIPTS / "version", f"v{ours}") == (0, "")


@pytest.mark.parametrize("name", ["code/pyproject.toml", "CITATION.cff"])
def test_file_with_another_version_is_named(checkout, name):
    text = (checkout / name).read_text("utf-8")
    (checkout / name).write_text(
        re.sub(r"^version(\W+)1.2.0", r"version\g<1>1.1.9", text, flags=re.MULTILINE), "utf-8"
    )
    code, said = run(checkout / SCRIPTS / "version", "v1.2.0")
    assert (code, said) == (
        1,
        f"::error::the tag v1.2.0 wants version 1.2.0, and {name} says 1.1.9\n",
    )


def test_tag_without_a_version_is_a_fault(checkout):
    code, said = run(checkout / SCRIPTS / "version", "v1.2")
    assert code == 1 and said.count("1.2.0") == 2


GNU = pytest.mark.skipif(
    "GNU tar" not in run("tar", "--version")[1], reason="GitHub's machines have GNU tar"
)


@GNU
def test_same_site_is_archived_to_the_same_bytes(checkout):
    kept = []
    for stamp in (1_000_000_000, 1_500_000_000):
        for path in (checkout / "_build/html").rglob("*"):
            os.utime(path, (stamp, stamp))
        code, said = run(checkout / SCRIPTS / "archive")
        assert code == 0, said
        kept.append(
            {path.name: path.read_bytes() for path in (checkout / "_build/release").iterdir()}
        )
    assert kept[0] == kept[1]
    assert kept[0].keys() == {"site.tar.gz", "which.epub", "which.pdf"}
    _, listed = run(
        "tar",
        "--list",
        "--verbose",
        "--numeric-owner",
        "--file",
        checkout / "_build/release/site.tar.gz",
    )
    assert re.findall(r"\S+$", listed, re.MULTILINE)[-1] == "site/which.pdf"
    assert all(re.match(r"(d|-)rw.r-.r-. 0/0 ", line) for line in listed.splitlines())


@GNU
@pytest.mark.parametrize("ending", ["epub", "pdf"])
def test_site_without_its_other_formats_is_not_archived(checkout, ending):
    (checkout / f"_build/html/which.{ending}").unlink()
    code, said = run(checkout / SCRIPTS / "archive")
    assert code == 1 and f"the site has no .{ending}" in said


# The run itself


@pytest.mark.parametrize("fails", ["nothing", "book", "check", "test", "test-all"])
def test_run_begins_with_an_empty_home_and_fails_with_any_of_its_parts(tmp_path, fails):
    """All is tested whatever is said of the code; the last line is the tests' own."""
    make = tmp_path / "make"
    make.write_text(f"#!/bin/sh\necho make $1 $(ls -A $HOME | wc -l)\n[ $1 != {fails} ]\n", "utf-8")
    make.chmod(0o755)
    code, said = run(
        "bash", ROOT / ".ci/run", env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    )
    parts = ["book"] if fails == "book" else ["book", "check", "test", "test-all"]
    assert said.splitlines() == [f"make {part} 0" for part in parts]
    assert (code != 0) == (fails != "nothing")


# The pins


def test_every_pin_is_exact_and_the_code_comes_last():
    head, *pins, last = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    assert head.startswith("# Made by `make lock` ")
    assert [
        pin for pin in pins if not re.fullmatch(r"[\w.-]+(\[[\w,-]+\])?==[\w.+!]+( ; .+)?", pin)
    ] == []
    assert last == "-e ./code"
    # `make` installs the others by it
    assert sum(pin.startswith("uv==") for pin in pins) == 1
