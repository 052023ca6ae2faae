"""The package's rooms: each imports only from those below it, and most need no extra."""

import ast
import sys
from graphlib import TopologicalSorter

import pytest
from checkout import ROOT

PACKAGE = ROOT / "code/mixtures"
# from the ground up
FLOORS = [
    *("checks", "extras", "source", "doubts", "trace", "reshape", "data", "claims", "mcse"),
    *("exact", "models", "transforms", "sampling", "variational", "relabel", "switching", "plots"),
    *("files", "__main__")]
# they hand on what has moved, and nothing imports them
DOORS = ["bounds", "census", "film", "joint"]
# what `pip install ./code` brings
BASE = {"arviz_stats", "mixtures", "numpy", "scipy", "xarray"}
# modules that need an extra, and say so
EXTRA = {"claims", "models", "plots", "sampling", "transforms", "variational.advi"}


def name(path):
    """Return a module's name inside the package; that of a room is its door's."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


PATHS = sorted(PACKAGE.rglob("*.py"))
MODULES = {name(path): ast.parse(path.read_text("utf-8")) for path in PATHS if name(path)}


def imported(module):
    """Yield the absolute names that a module imports, wherever it does."""
    for node in ast.walk(MODULES[module]):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative imports hide where a name comes from"
            yield from (f"{node.module}.{one.name}" for one in node.names)


def inside(module):
    """Return the modules of the package that a module imports."""
    found = set()
    for full in imported(module):
        parts = full.split(".")[1:] if full.startswith("mixtures.") else []
        longest = [".".join(parts[:k]) for k in range(len(parts), 0, -1)]
        found |= {next(name for name in longest if name in MODULES)} if parts else set()
    return found


def room(module):
    return module.split(".")[0]


def test_every_module_has_its_floor():
    assert {room(module) for module in MODULES} == {*FLOORS, *DOORS}


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_from_its_own_room_or_from_below(module):
    floors = FLOORS + DOORS
    for other in inside(module):
        assert room(other) not in DOORS, f"{module} imports {other}, which only hands on"
        below = floors.index(room(other)) <= floors.index(room(module))
        assert below, f"{module} imports {other} from above"


def test_no_imports_go_round_in_a_circle():
    # a room's own modules do not go through its door
    graph = {module: inside(module) - {module} for module in MODULES}
    assert [*TopologicalSorter(graph).static_order()]


@pytest.mark.parametrize("module", MODULES)
def test_what_needs_an_extra_says_so_and_nothing_else_does(module):
    outside = {full.split(".")[0] for full in imported(module)} - BASE - {*sys.stdlib_module_names}
    allowed = room(module) in EXTRA or module in EXTRA
    assert not outside or allowed, f"{module} imports {', '.join(sorted(outside))}"
    nodes = [*ast.walk(MODULES[module])]
    guarded = {one for node in nodes if isinstance(node, ast.With) for one in ast.walk(node)}
    for node in nodes:
        if isinstance(node, ast.Import | ast.ImportFrom) and node not in guarded:
            several = isinstance(node, ast.Import)
            names = {one.name for one in node.names} if several else {node.module}
            bare = {full.split(".")[0] for full in names} & outside
            assert not bare, f"{module}: import it under `needs`"


@pytest.mark.parametrize("path", PATHS, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_can_be_read_at_one_sitting(path):
    assert len(path.read_text("utf-8").splitlines()) < 300
