"""What befalls a build: each fault ends in a right book, or in one clear message and a status."""

import os
import shutil
import signal
import subprocess
import sys

import pytest
from checkout import ROOT
from miniature import CHAPTERS, LEDGER, PRESS, STRICT, Book, differing, site
from outside import run

# kills the press at its N-th step, when about to write, rename or remove; counts them if N is 0
STEPS = """
import atexit, os, signal, sys
last, done = int(os.environ["KILL_AT"]), 0

def look(event, arguments):
    global done
    if event == "open":
        path, _, flags = arguments
        counts = isinstance(path, str) and flags & (os.O_WRONLY | os.O_RDWR) and "_build" in path
    else:
        counts = event in ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "sqlite3.connect")
    if counts:
        done += 1
        if done == last:
            if event == "open":
                # as far as a build gets that is killed while it writes
                os.close(os.open(path, flags | os.O_CREAT, 0o666))
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(look)
atexit.register(lambda: open(os.environ["STEPS"], "w").write(str(done)))
"""


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """Return a small book, printed once without a fault. Each test leaves it whole."""
    made = Book(tmp_path_factory.mktemp("book"))
    made.printed()
    assert made.ledger()[0] == LEDGER
    made.right = site(made)
    return made


def whole(book, **environ):
    """See that the book can be printed, and has the bytes of one printed without a fault."""
    log = book.printed(**environ)
    assert differing(book.right, site(book)) == []
    return log


def edited(book, mark):
    """Edit what changes nothing but the name of the cache."""
    book.write("code/unused.py", f"WIDTH = 2\n# {mark}\n")
    book.ran()


# Chapters and modules. What else they do wrong is in test_bookbuild.py.


@pytest.mark.slow
@pytest.mark.parametrize(("edits", "words"), [
    (
        [
            ("_config.yml", "timeout: 1200", "timeout: 5"),
            ("book/one.md", 'begin("one")\n', 'begin("one")\nimport time\ntime.sleep(1000)\n')],
        "book/one.md: execution failed: CellTimeoutError: a cell took longer than 5 s"),
    (
        [("code/deep.py", "1.25", "1.25)")],
        "book/one.md: SyntaxError: unmatched ')' (deep.py, line 1)"),
], ids=["a cell that hangs", "a module with a mistake"])
def test_chapter_that_does_not_run_is_named_with_the_reason(book, edits, words):
    with book.changed(*edits):
        for _ in range(2):
            code, log = book.build(*STRICT)
            assert code != 0, log[-3000:]
            assert words in log
    whole(book)


# Builds that are killed


@pytest.fixture(scope="module")
def steps(book):
    """Return how many steps a build takes that executes and prints everything."""
    return killed(book, 0, "0")


def killed(book, step, mark):
    """Build after an edit of nothing but the cache's name, killed at a step; 0 is none."""
    edited(book, mark)
    (book.top / "_build/html/.buildinfo").unlink(missing_ok=True)
    command = [sys.executable, "-c", STEPS + PRESS[2], *PRESS[3:], *STRICT]
    count = book.top / "steps"
    environ = book.environment(KILL_AT=str(step), STEPS=str(count))
    run = subprocess.run(command, cwd=book.top, env=environ, capture_output=True, check=False)
    said = run.stdout[-3000:] + run.stderr[-3000:]
    assert run.returncode == (-signal.SIGKILL if step else 0), said
    return None if step else int(count.read_text())


@pytest.mark.slow
@pytest.mark.parametrize("share", range(6))
def test_build_that_was_killed_is_taken_up_again_and_right(book, steps, share):
    assert steps > 100
    killed(book, 1 + int((steps - 2) * (share + 0.5) / 6), f"killed {share}")
    whole(book)
    # and that is what it will stay
    assert "no targets are out of date" in whole(book)


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["cut short", "gone"])
def test_entry_of_the_cache_that_is_half_written_is_executed_anew_and_the_others_are_kept(
    book, damage
):
    caches = (book.top / "_build/.jupyter_cache").iterdir()
    entries = list(max(caches, key=lambda cache: cache.stat().st_mtime).rglob("base.ipynb"))
    assert len(entries) == len(CHAPTERS)
    (entry,) = [file for file in entries if "one-width" in file.read_text("utf-8")]
    entry.write_text(entry.read_text("utf-8")[:100], "utf-8")
    if damage == "gone":
        entry.unlink()
    (book.top / "book/one.md").touch()
    book.ran()
    whole(book)
    assert book.ran() == ["one"]


@pytest.mark.slow
def test_two_builds_at_once_both_end_in_a_right_book(book):
    edited(book, "two at once")
    runs = [book.start() for _ in range(2)]
    logs = [run.communicate()[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], logs
    waiting = "another build of this checkout is running; waiting for its end"
    assert sum(waiting in log for log in logs) == 1
    assert book.ran() == sorted(CHAPTERS)
    whole(book)


# Machines


@pytest.mark.slow
@pytest.mark.parametrize("home", ["/proc/nobody", "/proc/sys"], ids=["missing", "read-only"])
def test_home_that_cannot_be_written(book, home):
    """Not even root can write there."""
    edited(book, home)
    assert "executing 3 chapters" in whole(book, HOME=home, XDG_CACHE_HOME="", XDG_CONFIG_HOME="")


@pytest.mark.slow
def test_locale_that_knows_no_letters_but_those_of_english(book):
    edited(book, "no locale")
    with book.changed(("book/one.md", "# Chapter one", "# Chäpter one →")):
        log = book.printed(LC_ALL="C", LANG="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert "executing 3 chapters" in log
    assert "Chäpter one →" in book.page("one").text
    whole(book)


@pytest.fixture
def machine(tmp_path):
    """Return a folder with what setting up needs."""
    for name in ("Makefile", "requirements.txt", "code/pyproject.toml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def set_up(folder, python=sys.executable, **environ):
    """Say what `make book` answers where it cannot set up; nothing that it leaves looks ready."""
    clean = {k: value for k, value in os.environ.items() if not k.startswith(("PIP_", "MAKE"))}
    code, said = run("make", "book", f"PYTHON={python}", cwd=folder, env=clean | environ)
    assert code == 2, said
    assert not (folder / ".venv/.ready").exists()
    return [line for line in said.splitlines() if line.startswith("make: ") and "***" not in line]


def test_setting_up_without_a_network_says_so(machine):
    # nobody listens on this port; what pip has been told elsewhere does not count
    (said,) = set_up(
        machine, PIP_CONFIG_FILE=os.devnull, PIP_INDEX_URL="http://127.0.0.1:9", PIP_RETRIES="0",
        PIP_NO_CACHE_DIR="1")
    assert said.startswith("make: pip could not install requirements.txt; is the network")


def test_setting_up_with_an_old_python_or_none_says_so(machine):
    old = machine / "python3.11"
    old.write_text("#!/bin/sh\n[ $1 = --version ] && echo Python 3.11.7\nexit 1\n")
    old.chmod(0o755)
    (said,) = set_up(machine, old)
    assert said == (
        "make: Python 3.12 or later is needed, and Python 3.11.7 was found; "
        "try make PYTHON=python3.13")
    (said,) = set_up(machine, "no-such-python")
    assert said == "make: no-such-python is missing; install Python 3.12 or later"


def mounted(folder, *options):
    """Mount a small file system in memory; return what was said against it."""
    code, said = run("mount", "-t", "tmpfs", *options, "tmpfs", folder)
    return said.strip() if code else None


@pytest.fixture
def disk(tmp_path):
    """Mount a small disk, and return its folder and a function that changes it."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root of a Linux can mount a small disk")
    if refused := mounted(tmp_path, "-o", "size=1g"):
        pytest.skip(f"this machine lets nobody mount a small disk: {refused}")
    yield tmp_path, lambda options: mounted(tmp_path, "-o", f"remount,{options}")
    subprocess.run(["umount", "-l", tmp_path], check=True)


def test_checkout_that_cannot_be_written_says_so(disk, machine):
    _, change = disk
    assert change("ro") is None
    (said,) = set_up(machine)
    assert said == f"make: {machine} cannot be written; copy the checkout to a folder that can"


@pytest.mark.slow
@pytest.mark.parametrize("room", [2**14, 2**18, 2**21])
def test_disk_that_is_full(book, disk, room):
    folder, change = disk
    small = Book(folder)
    assert change(f"size={shutil.disk_usage(folder).used + room}") is None
    code, log = small.build(*STRICT)
    assert code != 0
    assert "ERROR: the disk is full: make room and build again" in log, log[-3000:]
    assert change("size=1g") is None
    small.right = book.right
    whole(small)
