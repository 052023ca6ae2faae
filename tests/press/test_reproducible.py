"""The same book anywhere: built from scratch elsewhere and otherwise, it has the same bytes."""

import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import checkout
import pytest
from bookbuild import checkout as book
from checkout import ROOT

pytestmark = pytest.mark.slow
# every Python process runs this first: nothing but this machine may be asked
ALONE = """
import sys

HERE = ("127.", "::1", "localhost")
NOBODY = (None, "", b"", "localhost", "127.0.0.1", "::1", "0.0.0.0")


def look(event, arguments):
    if event == "socket.connect":
        address = arguments[1]
        if isinstance(address, tuple) and not str(address[0]).startswith(HERE):
            raise OSError(f"the build asks {address}")
    if event == "socket.getaddrinfo" and arguments[0] not in NOBODY:
        raise OSError(f"the build asks for {arguments[0]}")


sys.addaudithook(look)
"""


def git(*arguments, cwd=ROOT):
    """Return what git answers."""
    told = {"capture_output": True, "text": True, "check": True}
    return subprocess.run(["git", *arguments], cwd=cwd, **told).stdout


def cloned(copy):
    """Copy the book as it is now, edits and all, into a folder with its own git; return it."""
    git("clone", "--quiet", "--no-checkout", ROOT, copy)
    if "origin" in git("remote").split():
        git("remote", "set-url", "origin", git("remote", "get-url", "origin").strip(), cwd=copy)
    else:
        git("remote", "remove", "origin", cwd=copy)
    if (asked := ROOT / "_build/claims.csv").exists():
        # marks tell what `make claims` found, where it was run
        (copy / "_build").mkdir()
        shutil.copy(asked, copy / "_build")
    return checkout.copied(copy)


def one_core():
    """Have this process, and all that it starts, share one core."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """Return a copy of PyTensor's cache, to which no other test adds meanwhile."""
    copy = tmp_path_factory.mktemp("compiled") / "cache"
    # what is being written has such a name until it is whole
    return shutil.copytree(Path.home() / ".pytensor", copy, ignore=shutil.ignore_patterns("tmp*"))


def machine_code(cache):
    """Return the names of the pieces of machine code in a cache of PyTensor's."""
    return {path.name for path in cache.rglob("*.nbc")}


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """Return a copy in a folder with a name that is hard to spell."""
    return cloned(tmp_path_factory.mktemp("elsewhere") / "Das größte Βιβλίο, 2. Auflage")


@pytest.fixture(scope="module")
def odd(elsewhere, compiled, tmp_path_factory):
    """Return the environment of another machine, with no network and the copy's own code."""
    alone = tmp_path_factory.mktemp("alone")
    (alone / "sitecustomize.py").write_text(ALONE, "utf-8")
    paths = os.pathsep.join([str(alone), str(elsewhere / "code")])
    _, narrow, blas, _ = book.settings(ROOT)["bookbuild_machines"]
    here = {"PYTHONPATH": paths, "PYTHONHASHSEED": "1", "COLUMNS": "200"}
    here["PYTENSOR_FLAGS"] = f"{os.environ['PYTENSOR_FLAGS']},base_compiledir={compiled}"
    return os.environ | narrow | blas | here | {"LC_ALL": "C", "TZ": "Asia/Kathmandu"}


@pytest.fixture(scope="module")
def theirs(site, elsewhere, odd, compiled):
    """Build that copy so, on one core, with machine code that is all found.

    `.ci/run` begins with an empty home, so that there the book beside it has compiled everything.
    """
    found = machine_code(compiled)
    assert found
    other = checkout.build(elsewhere, env=odd, preexec_fn=one_core)
    added = sorted(machine_code(compiled) - found)
    assert added == [], "not all was compiled when the book was built: `make clean book`"
    return other


def contents(site):
    """Return the bytes of every file of a site by its path."""
    paths = [path for path in site.rglob("*") if path.is_file()]
    return {path.relative_to(site).as_posix(): path.read_bytes() for path in paths}


# other instructions of NumPy and OpenBLAS round otherwise: it shows in numbers that are zero but
# for rounding, and in the last digits of coordinates, after which pictures are named
ROUNDED = {"book/identifiability.html", "book/variational.html", "book/ledger.html"}
PICTURE = re.compile(rb"_images/[0-9a-f]+")


def test_a_build_elsewhere_that_finds_what_another_compiled_has_the_same_pages(site, theirs):
    ours, theirs = contents(site), contents(theirs)
    pages = {name for name in ours if name.endswith(".html")}
    assert pages == {name for name in theirs if name.endswith(".html")}
    without = [{name: PICTURE.sub(b"", one[name]) for name in pages} for one in (ours, theirs)]
    unequal = {name for name in pages if without[0][name] != without[1][name]}
    assert unequal <= ROUNDED
    still = {name for name in ours if name.startswith("_static/") and not name.endswith(".png")}
    assert [name for name in still if ours[name] != theirs.get(name)] == []


def test_it_is_the_code_of_the_copy_that_is_used_and_nobody_is_asked(elsewhere, odd):
    """Or the test above would say less than it seems to."""
    asks = """import mixtures, bookbuild, socket
print(mixtures.__file__, bookbuild.__file__)
socket.create_connection(('192.0.2.1', 80))"""
    told = {"capture_output": True, "encoding": "utf-8", "check": False}
    run = subprocess.run([sys.executable, "-c", asks], env=odd, **told)
    assert run.returncode == 1
    assert run.stdout.count(str(elsewhere / "code")) == 2
    assert "OSError: the build asks for 192.0.2.1" in run.stderr


def test_no_page_tells_where_it_was_built(theirs, elsewhere):
    home = [str(Path.home())] if Path.home() != Path("/") else []
    for name, body in contents(theirs).items():
        for place in (str(elsewhere), str(ROOT), *home, "/tmp/"):
            assert place.encode() not in body, (name, place)


def test_no_file_tells_when_it_was_built(theirs):
    """Two builds of one day would agree on it."""
    written = datetime.fromtimestamp((theirs / "index.html").stat().st_mtime, UTC)
    days = [written + timedelta(hours=hours) for hours in (-24, 0, 24)]
    forms = [
        *("%Y-%m-%d", "%Y%m%d", "%d %B %Y", "%d %b %Y", "%B %d, %Y", "%b %d, %Y"),
        *("%d/%m/%Y", "%m/%d/%Y")]
    dates = [re.escape(day.strftime(form)) for day in days for form in forms]
    told = re.compile("|".join(dates).encode())
    assert [name for name, body in contents(theirs).items() if told.search(body)] == []
