"""Where does a chapter's time go? ``bench_book.py`` has IPython run this file when a kernel starts.

Each second belongs to the innermost of: an import; compiling a graph, by PyTensor, numba and
nutpie; drawing a figure into the page; running. What a kernel counts it writes, when it ends, into
the folder ``CLOCK``.
"""

import atexit
import json
import os
import sys
import time
from functools import wraps
from importlib import _bootstrap
from pathlib import Path

from IPython import get_ipython


class Clock:
    """Seconds by kind, of which the innermost counts."""

    def __init__(self):
        self.seconds, self.kinds, self.last = {}, ["idle"], time.perf_counter()
        self.chapter, self.wrapped = None, set()

    def count(self):
        """Give the time since the last call to the present kind."""
        now = time.perf_counter()
        self.seconds[self.kinds[-1]] = self.seconds.get(self.kinds[-1], 0) + now - self.last
        self.last = now

    def enter(self, kind):
        """Begin a kind."""
        self.count()
        self.kinds.append(kind)

    def leave(self):
        """Go back to the kind before."""
        self.count()
        self.kinds.pop()

    def timed(self, kind, function):
        """Return a function whose seconds are of a kind."""

        @wraps(function)
        def counted(*arguments, **options):
            self.enter(kind)
            try:
                return function(*arguments, **options)
            finally:
                self.leave()

        return counted

    def wrap(self, module, name, kind, attributes):
        """Count the calls of attributes of an object in a module, once both are there."""
        owner = getattr(sys.modules.get(module), name, None)
        if owner is not None and (module, name) not in self.wrapped:
            self.wrapped.add((module, name))
            for attribute in attributes:
                setattr(owner, attribute, self.timed(kind, getattr(owner, attribute)))

    def look(self):
        """Count what has been imported by now."""
        self.wrap("pytensor.compile.maker", "FunctionMaker", "compile", ["__init__", "create"])
        self.wrap("matplotlib.backend_bases", "FigureCanvasBase", "plot", ["print_figure"])
        nutpie = sys.modules.get("nutpie")
        if hasattr(nutpie, "compile_pymc_model") and "nutpie" not in self.wrapped:
            self.wrapped.add("nutpie")
            # where users and PyMC find it
            counted = self.timed("compile", nutpie.compile_pymc_model)
            nutpie.compile_pymc_model = counted
            sys.modules["nutpie.compile_pymc"].compile_pymc_model = counted
        event = sys.modules.get("numba.core.event")
        if hasattr(event, "register") and "numba" not in self.wrapped:
            self.wrapped.add("numba")
            listener = event.Listener
            clock = {
                "on_start": lambda _, e: self.enter("compile"), "on_end": lambda _, e: self.leave()}
            event.register("numba:compile", type("Listener", (listener,), clock)())

    def write(self):
        """Write the seconds into a file of this kernel's own."""
        self.count()
        if self.chapter:
            path = Path(os.environ["CLOCK"], f"{self.chapter}.json")
            path.write_text(json.dumps(self.seconds), "utf-8")


def start():
    """Begin to count."""
    clock, shell, load = Clock(), get_ipython(), _bootstrap._find_and_load

    def timed_load(*arguments):
        clock.enter("import")
        try:
            return load(*arguments)
        finally:
            clock.leave()

    def after(_):
        clock.leave()
        clock.look()
        chapter = getattr(sys.modules.get("mixtures.claims"), "_chapter", None)
        clock.chapter = clock.chapter or chapter

    def before(_):
        clock.look()
        clock.enter("run")

    # where Python itself looks for it
    _bootstrap._find_and_load = timed_load
    clock.look()
    shell.events.register("pre_run_cell", before)
    shell.events.register("post_run_cell", after)
    atexit.register(clock.write)


if __name__ == "__main__":
    start()
