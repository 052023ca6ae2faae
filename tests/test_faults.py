"""What befalls a build: each fault ends in a right book, or in one clear message and a status that says so."""

import os
import shutil
import signal
import subprocess
import sys
from contextlib import ExitStack
from itertools import islice

import pytest
from miniature import CHAPTERS, LEDGER, PRESS, ROOT, STRICT, Book, printed
from outside import run

# kills the press at its N-th step: when it is about to write, to rename or to remove something; counts the steps if N is 0
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
    """Return a small book that has been printed once, without a fault. Each test leaves it whole."""
    made = Book(tmp_path_factory.mktemp("book"))
    code, log = made.build(*STRICT)
    assert code == 0, log[-3000:]
    assert made.ledger()[0] == LEDGER
    made.right = printed(made.top)
    return made


def whole(book, right=None, **environ):
    """See that the book can be printed, and has the same bytes as one that was printed without a fault."""
    code, log = book.build(*STRICT, **environ)
    assert code == 0, log[-3000:]
    right, now = right or book.right, printed(book.top)
    assert [path for path in right.keys() | now.keys() if right.get(path) != now.get(path)] == []
    return log


def stopped(book, edits, *words):
    """Edit files, see that no build passes and that each says why in plain words, and mend them."""
    with ExitStack() as mended:
        for edit in edits:
            mended.enter_context(book.changed(*edit))
        for _ in range(2):
            code, log = book.build(*STRICT)
            assert code != 0, log[-3000:]
            assert [one for one in words if one not in log] == []
    whole(book)


# Chapters and modules. Those that raise, speak on stderr or claim what is not true are in test_bookbuild.py.


def test_chapter_whose_kernel_is_killed_is_named_beside_the_others(book):
    """As the system does that has no memory left."""
    edits = [
        ("book/one.md", 'begin("one")\n', 'begin("one")\nimport os\nos.kill(os.getpid(), 9)\n'),
        ("book/two.md", "expected=1.2", "expected=2.2"),
    ]
    says = "book/one.md: execution failed: DeadKernelError: its kernel has died; was it short of memory?"
    stopped(book, edits, says, "book/two.md: FalseClaim")


def test_chapter_that_hangs_is_named_with_its_limit(book):
    edits = [
        ("_config.yml", "timeout: 1200", "timeout: 5"),
        ("book/one.md", 'begin("one")\n', 'begin("one")\nimport time\ntime.sleep(1000)\n'),
    ]
    stopped(book, edits, "book/one.md: execution failed: CellTimeoutError: a cell took longer than 5 s")


def test_module_with_a_syntax_error_is_named_with_its_line(book):
    edits = [("code/deep.py", "1.25", "1.25)")]
    stopped(book, edits, "book/one.md: SyntaxError: unmatched ')' (deep.py, line 1)", "book/two.md: SyntaxError")


# Builds that are killed


@pytest.fixture(scope="module")
def steps(book):
    """Return how many steps a build takes that executes and prints everything."""
    return killed(book, 0, "0")


def killed(book, step, mark):
    """Build after an edit that changes nothing but the cache's name, and kill the build at a step; 0 is none."""
    book.write("code/unused.py", f"WIDTH = 2\n# {mark}\n")
    (book.top / "_build/html/.buildinfo").unlink(missing_ok=True)
    command = [sys.executable, "-c", STEPS + PRESS[2], *PRESS[3:], *STRICT]
    count = book.top / "steps"
    environ = os.environ | {"KILL_AT": str(step), "STEPS": str(count), "GIT_CEILING_DIRECTORIES": str(book.top.parent)}
    run = subprocess.run(command, cwd=book.top, env=environ, capture_output=True, check=False)
    assert run.returncode == (-signal.SIGKILL if step else 0), run.stdout[-3000:] + run.stderr[-3000:]
    return None if step else int(count.read_text())


@pytest.mark.parametrize("share", range(6))
def test_build_that_was_killed_is_taken_up_again_and_right(book, steps, share):
    assert steps > 100
    killed(book, 1 + int((steps - 2) * (share + 0.5) / 6), f"killed {share}")
    whole(book)
    # and that is what it will stay
    assert "no targets are out of date" in whole(book)


def test_build_that_is_killed_loses_no_chapter_that_has_run(book):
    """One that comes first, and does not end, holds none of the others up."""
    with book.changed("book/three.md", 'begin("three")\n', 'begin("three")\nimport time\ntime.sleep(1000)\n'):
        book.write("code/unused.py", "WIDTH = 2\n# killed while a chapter runs\n")
        book.ran()
        with subprocess.Popen([*PRESS, *STRICT], cwd=book.top, stdout=subprocess.PIPE, text=True) as run:
            ended = list(islice((line for line in run.stdout if "has run, in" in line), 2))
            run.kill()
        assert len(ended) == 2, ended
    assert book.ran() == ["one", "two"]
    whole(book)
    assert book.ran() == ["three"]


@pytest.mark.parametrize("damage", ["cut short", "gone"])
def test_entry_of_the_cache_that_is_half_written_is_executed_anew_and_the_others_are_kept(book, damage):
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


def test_two_builds_at_once_both_end_in_a_right_book(book):
    book.write("code/unused.py", "WIDTH = 2\n# two at once\n")
    book.ran()
    said = subprocess.PIPE, subprocess.STDOUT
    runs = [subprocess.Popen([*PRESS, *STRICT], cwd=book.top, stdout=said[0], stderr=said[1], text=True) for _ in range(2)]
    logs = [run.communicate()[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], logs
    assert sum("another build of this checkout is running; waiting for its end" in log for log in logs) == 1
    assert book.ran() == sorted(CHAPTERS)
    whole(book)


# Machines


@pytest.mark.parametrize("home", ["/proc/nobody", "/proc/sys"], ids=["missing", "read-only"])
def test_home_that_cannot_be_written(book, home):
    """Not even root can write there."""
    book.write("code/unused.py", f"WIDTH = 2\n# {home}\n")
    log = whole(book, HOME=home, XDG_CACHE_HOME="", XDG_CONFIG_HOME="")
    assert "executing 3 chapters" in log


def test_locale_that_knows_no_letters_but_those_of_english(book):
    book.write("code/unused.py", "WIDTH = 2\n# no locale\n")
    book.edit("book/one.md", "# Chapter one", "# Chäpter one →")
    strict = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    code, log = book.build(*STRICT, **strict)
    assert code == 0, log[-3000:]
    assert "executing 3 chapters" in log
    assert "Chäpter one →" in book.page("one").text
    book.edit("book/one.md", "# Chäpter one →", "# Chapter one")
    whole(book)


def test_setting_up_without_a_network_says_so_and_leaves_nothing_that_looks_ready(tmp_path):
    for name in ("Makefile", "code/hashes.txt", "code/pyproject.toml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    # nobody listens on this port; what pip has been told elsewhere does not count
    nowhere = {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": "http://127.0.0.1:9", "PIP_RETRIES": "0", "PIP_NO_CACHE_DIR": "1"}
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "MAKE"))} | nowhere
    code, said = run("make", "book", f"PYTHON={sys.executable}", cwd=tmp_path, env=environ)
    assert code == 2, said
    assert "make: pip could not install code/hashes.txt; is the network reachable?" in said
    assert not (tmp_path / ".venv/.ready").exists()


def mounted(folder, *options):
    """Mount a small file system in memory; return what was said against it."""
    run = subprocess.run(["mount", "-t", "tmpfs", *options, "tmpfs", folder], capture_output=True, text=True, check=False)
    return run.stderr.strip() if run.returncode else None


@pytest.mark.parametrize("room", [2**14, 2**18, 2**21])
@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root of a Linux can mount a small disk")
def test_disk_that_is_full(book, tmp_path, room):
    refused = mounted(tmp_path, "-o", "size=1g")
    if refused:
        pytest.skip(f"this machine lets nobody mount a small disk: {refused}")
    try:
        small = Book(tmp_path)
        left = shutil.disk_usage(tmp_path).used + room
        assert mounted(tmp_path, "-o", f"remount,size={left}") is None
        code, log = small.build(*STRICT)
        assert code != 0
        assert "ERROR: the disk is full: make room and build again" in log, log[-3000:]
        assert mounted(tmp_path, "-o", "remount,size=1g") is None
        whole(small, book.right)
    finally:
        subprocess.run(["umount", "-l", tmp_path], check=True)
