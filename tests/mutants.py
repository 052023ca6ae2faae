"""Changes the mathematics in small ways, one at a time, and asks whether a test notices. Run by ``make mutants``.

MODULES names other modules than these, TESTS other tests, CHILDREN how many run side by side. What a test has noticed is not
tried again until its function changes. A mutant that no test can notice is named in ``equivalent.txt``, with
the reason; any other that survives ends the command with status 1.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

from checkout import ROOT

MODULES = "assignment claims data exact iterative joint lattice measure permutations quadrature saddles"
TESTS = "assignment claims data exact joint lattice quadrature relabel saddles"
WORK = ROOT / "_build/mutants"
OPEN = (0, 33)  # the tool's codes for a mutant that survived, and for one that no test reaches
TOOL = Path(sys.executable).with_name("mutmut")


class Equivalent(NamedTuple):
    """Which mutants change nothing: a pattern of functions, and one of the line as it was changed."""

    function: str
    line: str


def equivalents(text):
    """Read the indented lines, each a function and an expression that the changed line matches; reasons are for readers."""
    return [Equivalent(*line.split(maxsplit=1)) for line in text.splitlines() if line.startswith("    ")]


def explains(one, function, diff):
    """Say whether an entry is about a mutant, given as the lines that mutmut shows."""
    new = "\n".join(line[1:].strip() for line in diff.splitlines() if line.startswith("+"))
    return fnmatch(function, one.function) and re.search(one.line, new) is not None


def named(mutant):
    """Return the function that a mutant belongs to: "joint.Joint.modes" of "mixtures.joint.xǁJointǁmodes__mutmut_3"."""
    module, _, name = mutant.removeprefix("mixtures.").partition(".x")
    return f"{module}.{name.rpartition('__mutmut_')[0].removeprefix('_').strip('ǁ').replace('ǁ', '.')}"


def mutmut(*arguments):
    """Return what the tool prints."""
    return subprocess.run([TOOL, *arguments], cwd=WORK, capture_output=True, encoding="utf-8", check=True).stdout


def prepare(modules, tests):
    """Lay out the code and the tests as the tool wants them."""
    for folder, source in (("src/mixtures", "code/mixtures"), ("tests", "tests")):
        shutil.rmtree(WORK / folder, ignore_errors=True)
        shutil.copytree(ROOT / source, WORK / folder)
    shutil.copy(ROOT / "pytest.ini", WORK)
    lines = ["[mutmut]", "source_paths=src", "also_copy=", "    src", "    pytest.ini", "pytest_add_cli_args="]
    # the tool's own frames stand between a function and its caller
    between = ("test_the_warning_points_at_who_asked", "test_a_trace_that_did_not_come_to_rest_says_so",
               "test_the_warning_of_a_variable_left_behind_points_at_who_asked")
    lines += ["    -p no:cacheprovider", *(f"    --deselect=tests/test_relabel.py::{name}" for name in between)]
    lines += ["only_mutate=", *(f"    src/mixtures/{name}.py" for name in modules)]
    lines += ["pytest_add_cli_args_test_selection=", *(f"    tests/test_{name}.py" for name in tests)]
    (WORK / "setup.cfg").write_text("\n".join(lines) + "\n", "utf-8")


def reopen():
    """Have the tool try again what no test has noticed: tests may have been added."""
    for path in WORK.glob("mutants/src/mixtures/*.meta"):
        kept = json.loads(path.read_text("utf-8"))
        kept["exit_code_by_key"] = {
            name: None if code in OPEN else code for name, code in kept["exit_code_by_key"].items()
        }
        path.write_text(json.dumps(kept), "utf-8")
    # which tests reach what
    (WORK / "mutants/mutmut-stats.json").unlink(missing_ok=True)


def report(listed):
    """Print the survivors that nothing explains; return how many they are."""
    known = equivalents((ROOT / "tests/equivalent.txt").read_text("utf-8"))
    verdicts = dict(re.findall(r"^ *(\S+): (.+)$", listed, re.MULTILINE))
    noticed = [name for name, verdict in verdicts.items() if verdict in ("killed", "timeout", "caught by type check")]
    needed, left = set(), 0
    for mutant in sorted(verdicts.keys() - set(noticed)):
        diff = "\n".join(line for line in mutmut("show", mutant).splitlines() if re.match(r"[-+](?![-+])", line))
        reasons = [one for one in known if explains(one, named(mutant), diff)]
        needed.update(reasons)
        if not reasons:
            left += 1
            print(f"{verdicts[mutant]}: {mutant}\n{diff}\n")
    asked = {named(mutant).partition(".")[0] for mutant in verdicts}
    for one in known:
        if one not in needed and one.function.partition(".")[0] in asked:
            print(f"tests/equivalent.txt: no mutant needs {one.function} {one.line}")
    equal = len(verdicts) - len(noticed) - left
    print(f"mutants: of {len(verdicts)}, {len(noticed)} were noticed, {equal} change nothing, {left} survived")
    return left


def main():
    """Run the tool, and report."""
    prepare(os.environ.get("MODULES", MODULES).split(), os.environ.get("TESTS", TESTS).split())
    reopen()
    children = ["--max-children", os.environ["CHILDREN"]] if "CHILDREN" in os.environ else []
    with (WORK / "run.log").open("w") as log:
        run = subprocess.run([TOOL, "run", *children], cwd=WORK, stdout=log, stderr=subprocess.STDOUT, check=False)
    if run.returncode:
        sys.exit((WORK / "run.log").read_text("utf-8")[-3000:])
    sys.exit(1 if report(mutmut("results", "--all", "true")) else 0)


if __name__ == "__main__":
    main()
