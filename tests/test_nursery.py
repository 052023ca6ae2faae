"""Kernels that are forked from a process which has imported already."""

import json
import os
import subprocess
import sys
import time

import psutil
import pytest
from bookbuild import nursery

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere kernels are started as they always are")


# executes notebooks, two at a time, and says what came of each cell and what went wrong
PROGRAM = """
import json, sys
from concurrent.futures import ThreadPoolExecutor
from bookbuild import nursery
from jupyter_cache.executors.utils import single_nb_execution
from nbformat.v4 import new_code_cell, new_notebook

modules, notebooks = json.load(sys.stdin)
made = nursery.Nursery(modules)
spec = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}

def execute(cells):
    notebook = new_notebook(cells=[new_code_cell(cell) for cell in cells], metadata=spec)
    # only what never ends may run out of time
    options = {"allow_errors": False, "timeout": 3 if "sleep(1000)" in cells[0] else 1000, "kernel_manager_class": nursery.manager(made)}
    try:
        error = single_nb_execution(notebook, cwd=".", **options).err
    except Exception as dead:
        error = dead
    return [cell.outputs for cell in notebook.cells], error and type(error).__name__

with ThreadPoolExecutor(2) as pool:
    print(json.dumps([made._process.pid, *pool.map(execute, notebooks)]))
made.close()
"""


LOOK = "import fractions, os, sys; print('fractions' in sys.modules, 'sphinx' in sys.modules, fractions.Fraction is None, "
LOOK += "os.environ.get('ASKED'), os.getcwd(), os.getppid(), 'leaked' in globals(), 'SEEN' in os.environ)"
NOTEBOOKS = {
    "dies": ["import os\nos.kill(os.getpid(), 9)"],
    "hangs": ["import time\ntime.sleep(1000)"],
    "changes": ["import fractions, os; fractions.Fraction = None; os.environ['SEEN'] = '1'; leaked = 1"],
    "looks": [LOOK, "x = 1", "print(x)"],
    "draws": ["from matplotlib import pyplot as plt\nplt.plot([1, 2]);"],
    "shares": [
        "import subprocess, sys\nfrom concurrent.futures import ThreadPoolExecutor\n"
        "with ThreadPoolExecutor(2) as pool:\n    print(list(pool.map(abs, [-1, -2])))\n"
        "print(subprocess.run([sys.executable, '-c', 'raise SystemExit(3)']).returncode)"
    ],
}


def said(outputs):
    """Return what each cell printed."""
    return ["".join("".join(output.get("text", "")) for output in cell) for cell in outputs]


def test_every_kernel_has_imported_and_is_its_own_whatever_becomes_of_the_others(tmp_path):
    """One that is killed or takes too long is stopped; what one changes, no other sees."""
    asked = json.dumps([["ipykernel.kernelapp", "fractions", "matplotlib.pyplot"], [*NOTEBOOKS.values()]])
    environ = os.environ | {"ASKED": "ö"}
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM], input=asked, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    pid, *found = json.loads(run.stdout)
    outputs = dict(zip(NOTEBOOKS, [outputs for outputs, _ in found], strict=True))
    assert [error for _, error in found] == ["DeadKernelError", "CellTimeoutError", None, None, None, None]
    assert said(outputs["looks"]) == [f"True False False ö {tmp_path} {pid} False False\n", "", "1\n"]
    ((drawn,),) = outputs["draws"]
    assert "image/png" in drawn["data"]
    assert said(outputs["shares"]) == ["[1, 2]\n3\n"]


def waits(pid):
    """Wait until a process is gone."""
    for _ in range(300):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return
        time.sleep(0.1)
    pytest.fail(f"process {pid} is still alive")


def test_closing_ends_every_kernel(tmp_path):
    made = nursery.Nursery(["ipykernel.kernelapp"])
    child = made.fork(["ipykernel_launcher", "-f", str(tmp_path / "connection.json")], dict(os.environ), tmp_path)
    assert child.poll() is None
    made.close()
    waits(child.pid)
    assert (child.poll(), child.wait()) == (0, 0)


def test_death_of_whoever_asked_ends_every_kernel(tmp_path):
    code = (
        "import os, signal; from bookbuild.nursery import Nursery; made = Nursery(['ipykernel.kernelapp'])\n"
        f"child = made.fork(['x', '-f', {str(tmp_path / 'c.json')!r}], dict(os.environ), {str(tmp_path)!r})\n"
        "print(child.pid, made._process.pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stdout
    for pid in map(int, said.split()):
        waits(pid)


def test_module_that_cannot_be_imported_is_said(capfd, tmp_path):
    made = nursery.Nursery(["no_such_module"])
    with pytest.raises(RuntimeError, match="the process that starts kernels has died"):
        made.fork(["x"], dict(os.environ), tmp_path)
    assert "No module named 'no_such_module'" in capfd.readouterr().err
    made.close()
