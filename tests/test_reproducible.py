"""The same book anywhere: built from scratch in another place, under other circumstances, it has the same bytes."""

import os
import subprocess
from pathlib import Path

import checkout
import pytest
from checkout import ROOT

# every Python process runs this first: nothing but this machine may be asked
ALONE = """
import sys


def look(event, arguments):
    if event == "socket.connect":
        address = arguments[1]
        if isinstance(address, tuple) and not str(address[0]).startswith(("127.", "::1", "localhost")):
            raise OSError(f"the build asks {address}")
    if event == "socket.getaddrinfo" and arguments[0] not in (None, "", b"", "localhost", "127.0.0.1", "::1", "0.0.0.0"):
        raise OSError(f"the build asks for {arguments[0]}")


sys.addaudithook(look)
"""


def git(*arguments, cwd=ROOT):
    """Return what git answers."""
    return subprocess.run(["git", *arguments], cwd=cwd, capture_output=True, text=True, check=True).stdout


def cloned(copy):
    """Copy the book as it is now, edits and all, into a folder with its own git; return it."""
    git("clone", "--quiet", "--no-checkout", ROOT, copy)
    remotes = git("remote", "get-url", "origin").strip() if "origin" in git("remote").split() else ""
    git("remote", *(("set-url", "origin", remotes) if remotes else ("remove", "origin")), cwd=copy)
    return checkout.copied(copy)


def one_core():
    """Have this process, and all that it starts, share one core."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


@pytest.fixture(scope="module")
def elsewhere(site, tmp_path_factory):
    """Return a copy in a folder with a name that is hard to spell, made after the book itself has compiled its models."""
    return cloned(tmp_path_factory.mktemp("elsewhere") / "Das größte Βιβλίο, 2. Auflage")


@pytest.fixture(scope="module")
def built(elsewhere, tmp_path_factory):
    """Build the copy on one core, under a locale without umlauts, in another time zone, and without a network."""
    alone = tmp_path_factory.mktemp("alone")
    (alone / "sitecustomize.py").write_text(ALONE, "utf-8")
    odd = {"LC_ALL": "C", "TZ": "Asia/Kathmandu", "PYTHONHASHSEED": "1", "COLUMNS": "200", "PYTHONPATH": str(alone)}
    return checkout.build(elsewhere, env=os.environ | odd, preexec_fn=one_core)


def contents(site):
    """Return the bytes of every file of a site by its path."""
    return {path.relative_to(site).as_posix(): path.read_bytes() for path in site.rglob("*") if path.is_file()}


def test_a_build_elsewhere_has_the_same_bytes(site, built, tmp_path):
    ours, theirs = contents(site), contents(built)
    if ours != theirs:
        # what a kernel has compiled itself, and what it finds in PyTensor's cache, may differ in the last digit of a draw;
        # the book's own kernels may have compiled, so another build is asked, which as the first finds everything
        ours = contents(checkout.build(cloned(tmp_path / "again")))
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if ours[name] != theirs[name]] == []


def test_no_page_tells_where_it_was_built(built, elsewhere):
    for name, body in contents(built).items():
        for place in (str(elsewhere), str(ROOT), str(Path.home()) if Path.home() != Path("/") else None, "/tmp/"):
            assert place is None or place.encode() not in body, (name, place)
