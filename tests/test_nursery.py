"""Kernels that are forked from a process which has imported already."""

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
from bookbuild import nursery

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere kernels are started as they always are")


# executes notebooks one after the other, or all at once, and says what came of each cell and what went wrong
PROGRAM = """
import json, sys
from concurrent.futures import ThreadPoolExecutor
from bookbuild import nursery
from jupyter_cache.executors.utils import single_nb_execution
from nbformat.v4 import new_code_cell, new_notebook

modules, notebooks, workers, timeout = json.load(sys.stdin)
made = nursery.Nursery(modules)
spec = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}

def execute(cells):
    notebook = new_notebook(cells=[new_code_cell(cell) for cell in cells], metadata=spec)
    options = {"allow_errors": False, "timeout": timeout, "kernel_manager_class": nursery.manager(made)}
    try:
        error = single_nb_execution(notebook, cwd=".", **options).err
    except Exception as dead:
        error = dead
    return [cell.outputs for cell in notebook.cells], error and type(error).__name__

with ThreadPoolExecutor(workers) as pool:
    print(json.dumps([made._process.pid, *pool.map(execute, notebooks)]))
made.close()
"""


def ran(tmp_path, *notebooks, modules=("fractions",), workers=1, timeout=60):
    """Execute notebooks, each a list of cells, in kernels of one nursery; return its number and, of each, outputs and error."""
    asked = json.dumps([["ipykernel.kernelapp", *modules], notebooks, workers, timeout])
    run = subprocess.run([sys.executable, "-c", PROGRAM], input=asked, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def said(outputs):
    """Return what each cell printed."""
    return ["".join("".join(output.get("text", "")) for output in cell) for cell in outputs]


def test_kernel_has_imported_and_is_its_own(tmp_path):
    look = "import os, sys; print('fractions' in sys.modules, 'sphinx' in sys.modules, os.getcwd() == {!r})"
    pid, (outputs, error) = ran(tmp_path, [look.format(str(tmp_path)), "print(os.getppid())\nx = 1", "print(x)"])
    assert error is None
    assert said(outputs) == ["True False True\n", f"{pid}\n", "1\n"]


def test_kernels_do_not_see_each_other(tmp_path):
    change = "import fractions, os; fractions.Fraction = None; os.environ['SEEN'] = '1'; leaked = 1"
    look = "import fractions, os; print(fractions.Fraction is None, 'SEEN' in os.environ, 'leaked' in globals())"
    _, first, second = ran(tmp_path, [change], [look])
    assert first[1] is None
    assert said(second[0]) == ["False False False\n"]


def test_kernel_has_the_environment_of_whoever_asks(tmp_path, monkeypatch):
    monkeypatch.setenv("ASKED", "ö")
    _, (outputs, _) = ran(tmp_path, ["import os; print(os.environ['ASKED'])"])
    assert said(outputs) == ["ö\n"]


def test_figures_are_shown(tmp_path):
    draw = "from matplotlib import pyplot as plt\nplt.plot([1, 2]);"
    _, (((output,),), error) = ran(tmp_path, [draw], modules=["matplotlib.pyplot"])
    assert error is None
    assert "image/png" in output["data"]


def test_processes_and_threads_work_in_a_kernel(tmp_path):
    several = """if True:
    import subprocess, sys
    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor(2) as pool:
        print(list(pool.map(abs, [-1, -2])))
    print(subprocess.run([sys.executable, "-c", "raise SystemExit(3)"]).returncode)
    """
    _, (outputs, error) = ran(tmp_path, [several])
    assert (said(outputs), error) == (["[1, 2]\n3\n"], None)


def test_cell_that_takes_too_long_is_stopped_and_others_run(tmp_path):
    _, late, next_one = ran(tmp_path, ["import time\ntime.sleep(1000)"], ["print(1)"], timeout=3)
    assert late[1] == "CellTimeoutError"
    assert said(next_one[0]) == ["1\n"]


def test_kernel_that_is_killed_is_noticed_and_others_run(tmp_path):
    _, dead, next_one = ran(tmp_path, ["import os\nos.kill(os.getpid(), 9)"], ["print(1)"])
    assert dead[1] == "DeadKernelError"
    assert said(next_one[0]) == ["1\n"]


def test_workers_may_ask_at_once(tmp_path):
    _, *found = ran(tmp_path, *([f"print({n})"] for n in range(4)), workers=4)
    assert [said(outputs) for outputs, _ in found] == [[f"{n}\n"] for n in range(4)]


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
    assert child.poll() == 0
    assert child.wait() == 0


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


def test_forked_is_signalled(tmp_path):
    made = nursery.Nursery(["ipykernel.kernelapp"])
    child = made.fork(["x", "-f", str(tmp_path / "c.json")], dict(os.environ), tmp_path)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert child.poll() == 0
    made.close()
