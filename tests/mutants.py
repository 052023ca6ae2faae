"""Changes the mathematics in small ways, one at a time, and asks whether a test notices. Run by ``make mutants``.

MODULES names some of the modules, CHILDREN how many mutants are tried side by side. What a test has noticed is not
tried again until its function changes. A mutant that no test can notice is named in ``equivalent.txt``, with
the reason; any other that survives ends the command with status 1. Tests must not keep results from one to the next:
mutants are tried in a copy of one process.
"""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

from checkout import ROOT

# modules, and the tests that are near to them: a test from afar notices late, and asks long of what nobody can notice.
# Not advi, census and recorder, which have PyMC and nutpie compile and run, half a minute for each mutant; and not what draws
# or serves the terminal: plots, style, film, traces. Their tests look at whole results
NEAR = {
    "assignment data iterative permutations": "assignment data permutations relabel",
    "carry memberships relabel transforms": "messages relabel transforms",
    "agreement labels switching": "agreement diagnosis labels messages switching",
    "joint lattice quadrature saddles": "joint lattice quadrature saddles",
    "exact measure": "exact",
    "bounds gaussians parameters variational": "bounds gaussians messages variational",
    "claims models": "claims messages models",
}
# where a warning points: the tool's own frames stand between a function and its caller
POINTS = (
    "permutations.py::test_the_warning_points_at_who_asked",
    "relabel.py::test_a_trace_that_did_not_come_to_rest_says_so",
    "relabel.py::test_the_warning_of_a_variable_left_behind_points_at_who_asked",
)
WORK = ROOT / "_build/mutants"
# the tool's codes for a mutant that survived, one that no test reaches, and one that ran out of time: a busy machine may have
# made it slow
OPEN = (0, 33, 36, 24, -24, 152, 255)
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
    lines = diff.splitlines()
    # a line that is gone has nothing in its place
    changed = [line[1:].strip() for line in lines if line.startswith("+")] or [line[1:].strip() for line in lines]
    return fnmatch(function, one.function) and re.search(one.line, "\n".join(changed)) is not None


def named(mutant):
    """Return the function that a mutant belongs to: "joint.Joint.modes" of "mixtures.joint.xǁJointǁmodes__mutmut_3"."""
    module, _, name = mutant.removeprefix("mixtures.").partition(".x")
    return f"{module}.{name.rpartition('__mutmut_')[0].removeprefix('_').strip('ǁ').replace('ǁ', '.')}"


def mutmut(work, *arguments):
    """Return what the tool prints."""
    return subprocess.run([TOOL, *arguments], cwd=work, capture_output=True, encoding="utf-8", check=True).stdout


def undecorated(code):
    """Return code whose properties are made after their functions, and without caches: the tool leaves decorated ones alone."""
    lines = code.splitlines()
    functions = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.FunctionDef)]
    for node in sorted(functions, key=lambda node: -node.lineno):
        name = ast.unparse(node.decorator_list[0]) if node.decorator_list else None
        if name in ("property", "cached_property"):
            lines.insert(node.end_lineno, f"{' ' * node.col_offset}{node.name} = {name}({node.name})")
        if name in ("property", "cached_property", "cache"):
            del lines[node.decorator_list[0].lineno - 1]
    return "\n".join(lines) + "\n"


def prepare(work, modules, tests):
    """Lay out the code and the tests as the tool wants them."""
    for folder, source in (("src/mixtures", "code/mixtures"), ("tests", "tests")):
        shutil.rmtree(work / folder, ignore_errors=True)
        shutil.copytree(ROOT / source, work / folder)
    for path in (work / "src/mixtures").glob("*.py"):
        path.write_text(undecorated(path.read_text("utf-8")), "utf-8")
    shutil.copy(ROOT / "pytest.ini", work)
    lines = ["[mutmut]", "source_paths=src", "also_copy=", "    src", "    pytest.ini", "timeout_multiplier=4"]
    lines += ["pytest_add_cli_args=", "    -p no:cacheprovider"]
    lines += [f"    --deselect=tests/test_{name}" for name in POINTS]
    lines += ["only_mutate=", *(f"    src/mixtures/{name}.py" for name in modules)]
    lines += ["pytest_add_cli_args_test_selection=", *(f"    tests/test_{name}.py" for name in tests)]
    (work / "setup.cfg").write_text("\n".join(lines) + "\n", "utf-8")


def reopen(work):
    """Have the tool try again what no test has noticed for sure: tests may have been added."""
    for path in work.glob("mutants/src/mixtures/*.meta"):
        kept = json.loads(path.read_text("utf-8"))
        kept["exit_code_by_key"] = {
            name: None if code in OPEN else code for name, code in kept["exit_code_by_key"].items()
        }
        path.write_text(json.dumps(kept), "utf-8")
    # which tests reach what
    (work / "mutants/mutmut-stats.json").unlink(missing_ok=True)


def report(work):
    """Print the survivors that nothing explains; return the counts of all."""
    listed = mutmut(work, "results", "--all", "true")
    known = equivalents((ROOT / "tests/equivalent.txt").read_text("utf-8"))
    verdicts = dict(re.findall(r"^ *(\S+): (.+)$", listed, re.MULTILINE))
    noticed = [name for name, verdict in verdicts.items() if verdict in ("killed", "timeout", "caught by type check")]
    late = sum(verdict == "timeout" for verdict in verdicts.values())
    needed, left = set(), 0
    for mutant in sorted(verdicts.keys() - set(noticed)):
        diff = "\n".join(line for line in mutmut(work, "show", mutant).splitlines() if re.match(r"[-+](?![-+])", line))
        reasons = [one for one in known if explains(one, named(mutant), diff)]
        needed.update(reasons)
        if not reasons:
            left += 1
            print(f"{verdicts[mutant]}: {mutant}\n{diff}\n")
    asked = {named(mutant).partition(".")[0] for mutant in verdicts}
    for one in known:
        if one not in needed and one.function.partition(".")[0] in asked:
            print(f"tests/equivalent.txt: no mutant needs {one.function} {one.line}")
    explained = len(verdicts) - len(noticed) - left
    found = {"mutants": len(verdicts), "noticed": len(noticed), "of these out of time": late, "explained": explained, "survived": left}
    print(f"{', '.join(sorted(asked))}: {told(found)}", flush=True)
    return Counter(found)


def told(found):
    """Return counts in words, and the score: what was noticed of what can be noticed."""
    score = found["noticed"] / (found["mutants"] - found["explained"])
    return ", ".join(f"{count} {word}" for word, count in found.items()) + f"; score {score:.1%}"


def tried(work, modules, tests):
    """Run the tool on some modules, in a folder of their own; return the counts of mutants."""
    prepare(work, modules, tests)
    reopen(work)
    children = ["--max-children", os.environ["CHILDREN"]] if "CHILDREN" in os.environ else []
    environ = os.environ | {"HYPOTHESIS_PROFILE": "mutants"}
    with (work / "run.log").open("w") as log:
        run = subprocess.run([TOOL, "run", *children], cwd=work, env=environ, stdout=log, stderr=subprocess.STDOUT, check=False)
    if run.returncode:
        sys.exit((work / "run.log").read_text("utf-8")[-3000:])
    return report(work)


def main():
    """Try the mutants of all modules, or of those that are asked for."""
    known = " ".join(NEAR)
    asked = os.environ.get("MODULES", known).split()
    unknown = {*asked} - {*known.split()}
    if unknown:
        sys.exit(f"MODULES: expected some of {known}, got {' '.join(sorted(unknown))}")
    found = Counter()
    for group, tests in NEAR.items():
        modules = [name for name in group.split() if name in asked]
        if modules:
            # not a sum of counters, which forgets what is zero
            found.update(tried(WORK / group.split()[0], modules, tests.split()))
    print(f"all: {told(found)}")
    sys.exit(1 if found["survived"] else 0)


if __name__ == "__main__":
    main()
