"""Kernels forked from a process that has imported what chapters import, so that each starts at once.

Imports take seconds in every kernel, and every kernel imports the same. The standard library's fork server would do as
well, but that it imports the program which asked, Sphinx and all, once more in each child.

Run as a script, this file is the process that forks, and has to do without the press. Linux alone: elsewhere, frameworks of
the system do not survive a fork, and kernels start as they always do.
"""

import gc
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
from contextlib import suppress


class Nursery:
    """The press's end: starts the process, and asks it for kernels.

    Parameters
    ----------
    modules : iterable of str
        What to import before anything is forked.
    """

    def __init__(self, modules):
        # Python warns of a fork beside threads (https://docs.python.org/3/library/os.html#os.fork): they are those of linear
        # algebra, which rest. -P: the folder of this file is no place to import from
        command = [sys.executable, "-P", "-W", "ignore:This process:DeprecationWarning", __file__, *modules]
        # pictures in the page: matplotlib reads this when it is imported
        environment = os.environ | {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True
        )
        self._lock = threading.Lock()

    def fork(self, argv, env, cwd):
        """Start a kernel.

        Parameters
        ----------
        argv : list of str
            Of the kernel's program.
        env : dict of str
            Its whole environment.
        cwd : str
            Its folder.

        Returns
        -------
        Forked

        Raises
        ------
        RuntimeError
            If the process that forks has died.
        """
        with self._lock:
            try:
                print(json.dumps([argv, env, str(cwd)]), file=self._process.stdin, flush=True)
                return Forked(int(self._process.stdout.readline()))
            except (OSError, ValueError) as error:
                raise RuntimeError("the process that starts kernels has died; was it short of memory?") from error

    def close(self):
        """End the process, and every kernel that still runs."""
        # it may have died with a question unread
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


class Forked:
    """A process that is nobody's child here, with the part of `subprocess.Popen` that Jupyter uses."""

    stdin = stdout = stderr = None

    def __init__(self, pid):
        self.pid, self._handle = pid, os.pidfd_open(pid)

    def poll(self):
        """Return None as long as it runs, then 0, for its exit code is not known here."""
        return 0 if select.select([self._handle], [], [], 0)[0] else None

    def wait(self):
        """Wait for its end."""
        select.select([self._handle], [], [])
        return 0

    def send_signal(self, number):
        """Send it a signal."""
        signal.pidfd_send_signal(self._handle, number)

    def kill(self):
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def __del__(self):
        os.close(self._handle)


def manager(nursery):
    """Return a class of kernel managers, as nbclient wants it, whose kernels come from a nursery."""
    from jupyter_client import AsyncKernelManager
    from jupyter_client.provisioning import LocalProvisioner

    class Provisioner(LocalProvisioner):
        async def launch_kernel(self, cmd, **options):
            # the interpreter and its options aside, a command is -m, a module, and what that module reads
            self.process = nursery.fork(cmd[cmd.index("-m") + 1 :], options["env"], options["cwd"])
            self.pid = self.pgid = self.process.pid
            return self.connection_info

    class Manager(AsyncKernelManager):
        def __init__(self, **options):
            super().__init__(**options)
            self.provisioner = Provisioner(kernel_id=self.kernel_id, kernel_spec=self.kernel_spec, parent=self)

    return Manager


def become(argv, env, cwd):
    """Be a kernel, until it ends."""
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(cwd)
    os.environ.clear()
    # a kernel that knows its parent ends with it
    os.environ.update(env, JPY_PARENT_PID=str(os.getppid()))
    sys.argv = argv
    from ipykernel.kernelapp import launch_new_instance

    launch_new_instance(argv[1:])


def main(modules):
    """Import, then fork a kernel for each line that comes in, and end all of them when no more can come."""
    answers = os.fdopen(os.dup(1), "w")
    # nothing that a module prints may be taken for an answer
    os.dup2(2, 1)
    # children that have ended need no burial
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for module in modules:
        importlib.import_module(module)
    # what is here stays here: no kernel need look through it for garbage
    gc.freeze()
    children = []
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            answers.close()
            become(*json.loads(line))
            return
        children.append(Forked(pid))
        print(pid, file=answers, flush=True)
    for child in children:
        if child.poll() is None:
            # what it has started goes with it; its group may not be there yet
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            with suppress(ProcessLookupError):
                child.kill()


if __name__ == "__main__":
    main(sys.argv[1:])
