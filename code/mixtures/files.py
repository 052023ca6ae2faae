"""Saved traces, as the terminal command reads and writes them: what is wrong with one is a line."""

import os
import sys
import tempfile
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import NoReturn
from warnings import catch_warnings

import xarray as xr

from mixtures import trace
from mixtures.extras import needs

PROG = "python -m mixtures"
REFUSED = 2
# the option that stands for an argument of the functions called here
OPTIONS = {
    "var_name": "--var", "means": "--var", "component_dim": "--dim", "allocations": "--allocations",
    "leave": "--leave", "parameter": "--parameter", "x": "--data", "sigma": "--sigma",
    "weights": "--weights",
}
SUFFIXES, ZARR = (".nc", ".zarr"), ("zarr.json", ".zgroup", ".zmetadata")


def refuse(message: str) -> NoReturn:
    """Say on stderr what is wrong, in one line, and end the program."""
    print(f"{PROG}: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(REFUSED)


def check_out(args: Namespace) -> None:
    """Refuse an OUT that cannot be written, or that would cost the user something else."""
    suffix, out, trace = (
        args.to.suffix, Path(os.path.realpath(args.to)), Path(os.path.realpath(args.trace)),
    )
    free, zarr = not os.path.lexists(out), any(os.path.isfile(out / name) for name in ZARR)
    for fine, says in (
        (suffix in SUFFIXES, f"expected a name that ends in {' or '.join(SUFFIXES)}"),
        (
            os.access(out.parent, os.W_OK | os.X_OK),
            f"expected a directory that can be written to, not {out.parent}",
        ),
        (
            out not in trace.parents and trace not in out.parents,
            "expected a place not within TRACE, nor around it",
        ),
        (
            free or args.overwrite,
            f"{'is TRACE' if out == trace else 'exists'}; --overwrite would replace it",
        ),
        (
            free or (zarr if suffix == ".zarr" else out.is_file()),
            f"expected a {suffix} to replace, not something else",
        ),
    ):
        if not fine:
            refuse(f"--to {args.to}: {says}")


@contextmanager
def refusing(says: str, kind: type[Exception] = Exception) -> Iterator[None]:
    """Turn an error into a line, with the names of options in place of those of arguments."""
    try:
        yield
    except kind as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        name, _, rest = why.partition(": ")
        refuse(f"{OPTIONS[name]}: {rest}" if name in OPTIONS else f"{says} ({why})")


def read(args: Namespace) -> xr.DataTree:
    """Return the trace, or what the diagnosis needs of it, in memory; its file is closed again."""
    directory = os.path.isdir(args.trace)
    says = f"{args.trace}: expected a trace that ArviZ saved as netCDF or zarr"
    # the engines raise many kinds of errors on a foreign or damaged file, and warn of what its
    # writer chose; zarr warns of all it writes beyond its format's specification
    # (https://github.com/zarr-developers/zarr-python/pull/2556)
    with refusing(says), catch_warnings(action="ignore"):
        # says what is wrong with the file itself in fewer words than an engine does
        os.listdir(args.trace) if directory else args.trace.open("rb").close()
        with xr.open_datatree(args.trace, engine=_zarr() if directory else "h5netcdf") as tree:
            return _asked_for(tree, args).load()


def _zarr() -> str:
    """Return the engine that reads zarr, or say which extra brings it."""
    with needs("zarr"):
        import_module("zarr")
    return "zarr"


def _asked_for(tree: xr.DataTree, args: Namespace) -> xr.DataTree:
    """Return the trace, or what its diagnosis looks at, for the rest may be large."""
    trace.n_component(trace.posterior_of(tree), args.dim)
    if args.relabel:
        return tree
    groups = ("posterior", "sample_stats", "log_likelihood")
    return xr.DataTree.from_dict({name: trace.group(tree, name) for name in groups})


def write(tree: xr.DataTree, args: Namespace) -> None:
    """Write beside OUT, then rename, so that OUT is whole or as it was."""
    out = Path(os.path.realpath(args.to))
    with (refusing(f"--to {args.to}: cannot be written"), catch_warnings(action="ignore"),
          tempfile.TemporaryDirectory(prefix=".mixtures-", dir=out.parent) as folder):
        new, old = Path(folder, "new"), Path(folder, "old")
        if args.to.suffix == ".zarr" and _zarr():
            # zarr compresses anyway, and refuses the codecs of its earlier versions
            tree.map_over_datasets(xr.Dataset.drop_encoding).to_zarr(new)
        else:
            tree.to_netcdf(new, engine="h5netcdf")
        check_out(args)  # once more: relabelling may have taken long
        try:
            if out.is_dir():  # no directory can take another's place in one step
                out.rename(old)
            new.replace(out)
        finally:
            if old.exists() and not out.exists():
                old.rename(out)
