"""Changes the mathematics in small ways, one by one: does a test notice? Run it by itself.

An occasional tool: MODULES names some of the modules, each of which takes minutes. Whoever survives
is printed, for a reader to judge: either a test is missing, or the change makes no difference that
anyone could notice.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from checkout import ROOT

# modules, and the tests near to them. Not those that have PyMC compile: half a minute a mutant
NEAR = {
    "checks data relabel/alternation relabel/assignment relabel/ecr relabel/order relabel/pra "
    "relabel/stephens":
        "assignment data permutations refusals",
    "relabel/apply relabel/memberships relabel/methods relabel/request": "refusals relabel",
    "doubts reshape source": "origins trace",
    "relabel/agreement switching/fits": "fits",
    "switching/agreement switching/evidence switching/labels switching/verdict switching/words "
    "trace":
        "agreement diagnosis labels refusals switching",
    "exact/barrier exact/joint exact/lattice exact/quadrature": "barrier joint lattice quadrature",
    "exact/measure exact/posterior": "measure posterior",
    "variational/best variational/elbo variational/gaussian variational/importance":
        "elbo gaussian variational",
}
WORK = ROOT / "_build/mutants"
TOOL = Path(sys.executable).with_name("mutmut")


def prepare(work, modules, tests):
    """Lay out the code and the tests as mutmut wants them."""
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(ROOT / "code/mixtures", work / "src/mixtures")
    shutil.copytree(ROOT / "tests", work / "tests")
    for name in ("pytest.ini", "_config.yml"):
        shutil.copy(ROOT / name, work)
    options = {
        "source_paths": ["src"],
        "also_copy": ["src", "pytest.ini", "_config.yml"],
        "only_mutate": [f"src/mixtures/{name}.py" for name in modules],
        "pytest_add_cli_args": ["-p no:cacheprovider", "-mnot slow"],
        "pytest_add_cli_args_test_selection": [f"tests/science/test_{name}.py" for name in tests],
    }
    lines = [f"{name}=\n    " + "\n    ".join(values) + "\n" for name, values in options.items()]
    (work / "setup.cfg").write_text("[mutmut]\n" + "".join(lines), "utf-8")


def main():
    """Try the mutants of all modules, or of those that are asked for."""
    asked = os.environ.get("MODULES", " ".join(NEAR)).split()
    if unknown := {*asked} - {*" ".join(NEAR).split()}:
        sys.exit(f"MODULES: expected some of {' '.join(NEAR)}, got {' '.join(sorted(unknown))}")
    for group, tests in NEAR.items():
        if modules := [name for name in group.split() if name in asked]:
            work = WORK / modules[0].replace("/", "-")
            prepare(work, modules, tests.split())
            environ = os.environ | {"HYPOTHESIS_PROFILE": "mutants"}
            subprocess.run([TOOL, "run"], cwd=work, env=environ, check=True)
            told = {"cwd": work, "capture_output": True, "text": True, "check": True}
            listed = subprocess.run([TOOL, "results"], **told).stdout
            for mutant in re.findall(r"^ *(\S+): (?!killed|timeout)", listed, re.MULTILINE):
                subprocess.run([TOOL, "show", mutant], cwd=work, check=True)


if __name__ == "__main__":
    main()
