"""Saved traces, as the terminal command reads and writes them: what is wrong with one is a line."""

import os
import re
import sys
import tempfile
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import NoReturn
from warnings import catch_warnings

import numpy as np
import xarray as xr

from mixtures import reshape, trace
from mixtures.extras import needs
from mixtures.source import opened

PROG = "python -m mixtures"
REFUSED = 2
# the option that stands for an argument of the functions called here
OPTIONS = {
    "var_name": "--var", "means": "--var", "component_dim": "--dim", "allocations": "--allocations",
    "leave": "--leave", "parameter": "--parameter", "pivot": "--pivot", "x": "--data",
    "sigma": "--sigma", "precision": "--precision", "weights": "--weights",
}
SUFFIXES, ZARR = (".nc", ".zarr"), ("zarr.json", ".zgroup", ".zmetadata")
TABLE = (".csv",)


def refuse(message: str) -> NoReturn:
    """Say on stderr what is wrong, in one line, and end the program."""
    print(f"{PROG}: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(REFUSED)


def check_out(args: Namespace, option: str, suffixes: Sequence[str]) -> None:
    """Refuse a file that cannot be written, or that would cost the user something else."""
    path = getattr(args, option)
    suffix, out, trace = (
        path.suffix, Path(os.path.realpath(path)), Path(os.path.realpath(args.trace)),
    )
    free, zarr = not os.path.lexists(out), any(os.path.isfile(out / name) for name in ZARR)
    for fine, says in (
        (suffix in suffixes, f"expected a name that ends in {' or '.join(suffixes)}"),
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
            refuse(f"--{option} {path}: {says}")


def by_options(text: str) -> str:
    """Return a text with the options in place of the arguments that it speaks of."""
    text = re.sub(
        r"reshape\.stack\(tree,\s+(\w+)=\[([^]]*)\]\)",
        lambda at: f"--stack {at[1]}={re.sub(r"[',\s]+", ',', at[2]).strip(',')}", text)
    text = re.sub(r"or numbers if known \(\[[^)]*\)", "or equal", text)
    for argument in ("component_dim", "allocations", "parameter", "leave"):
        text = re.sub(rf"\bin {argument}\b", f"in {OPTIONS[argument]}", text)
        for at in re.finditer(rf"\b{argument}=(\[[^]]*\]|'[^']*'|\w+)", text):
            # a list is the option several times
            typed = (f"{OPTIONS[argument]} {value}" for value in re.findall(r"[\w.-]+", at[1]))
            text = text.replace(at[0], " ".join(typed))
    return text


@contextmanager
def refusing(says: str, kind: type[Exception] = Exception) -> Iterator[None]:
    """Turn an error into a line, with the names of options in place of those of arguments."""
    try:
        yield
    except kind as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        name, _, rest = why.partition(": ")
        refuse(by_options(f"{OPTIONS[name]}: {rest}" if name in OPTIONS else f"{says} ({why})"))


def read(args: Namespace) -> xr.DataTree:
    """Return the trace, or what the diagnosis needs of it, in memory; its file is closed again."""
    says = f"{args.trace}: expected a trace that ArviZ saved as netCDF or zarr"
    with refusing(says), catch_warnings(action="ignore"):
        # says what is wrong with the file itself in fewer words than an engine does
        os.listdir(args.trace) if args.trace.is_dir() else args.trace.open("rb").close()
        with opened(str(args.trace)) as tree:
            whole = _asked_for(tree, args).load()
    return _stacked(whole, args)


def _stacked(tree: xr.DataTree, args: Namespace) -> xr.DataTree:
    """Return the trace with one variable of those that it has for each component, if asked for."""
    for text in args.stack:
        name, sign, parts = text.partition("=")
        if not (name and sign and parts):
            refuse(f"--stack: expected NEW=NAME,NAME,..., got {text!r}")
        with refusing(f"--stack {text}", ValueError):
            tree = reshape.stack(tree, args.dim[0], **{name: parts.split(",")})
    return tree


def _asked_for(tree: xr.DataTree, args: Namespace) -> xr.DataTree:
    """Return the trace, or what its diagnosis looks at, for the rest may be large."""
    if not args.stack:
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
        if args.to.suffix == ".zarr":
            with needs("zarr"):
                import_module("zarr")
            # zarr compresses anyway, and refuses the codecs of its earlier versions
            tree.map_over_datasets(xr.Dataset.drop_encoding).to_zarr(new)
        else:
            tree.to_netcdf(new, engine="h5netcdf")
        check_out(args, "to", SUFFIXES)  # once more: relabelling may have taken long
        try:
            if out.is_dir():  # no directory can take another's place in one step
                out.rename(old)
            new.replace(out)
        finally:
            if old.exists() and not out.exists():
                old.rename(out)


def write_table(columns: Sequence[str], rows: np.ndarray, args: Namespace, option: str) -> None:
    """Write numbers [row, column] as CSV beside the file, then rename, so that it is whole."""
    path = Path(os.path.realpath(getattr(args, option)))
    with (refusing(f"--{option} {path}: cannot be written"),
          tempfile.TemporaryDirectory(prefix=".mixtures-", dir=path.parent) as folder):
        new = Path(folder, "new")
        np.savetxt(new, rows, "%.6g", ",", header=",".join(columns), comments="", encoding="utf-8")
        check_out(args, option, TABLE)
        new.replace(path)


def read_table(path: str, option: str) -> tuple[list[str], np.ndarray]:
    """Return the names and the numbers [row, column] of a CSV file; R's row names are left out."""
    says = f"{option} {path}: expected a CSV file, a line of names and lines of numbers"
    with refusing(says):
        head, *lines = Path(path).read_text("utf-8-sig").splitlines()
        names = [name.strip(' "') for name in head.split(",")]
        numbers = np.loadtxt(lines, delimiter=",", quotechar='"', ndmin=2)
        if numbers.shape[1] != len(names):
            raise ValueError(f"{len(names)} names, {numbers.shape[1]} columns")
    if any(_is_number(name) for name in names):
        refuse(f"{says} ({head!r} is none)")
    kept = [i for i, name in enumerate(names) if name]
    return [names[i] for i in kept], numbers[:, kept]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
