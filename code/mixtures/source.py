"""Anything that ArviZ has, or has saved, as a tree of datasets."""

from importlib import import_module
from os import PathLike, fspath
from pathlib import Path
from typing import Any
from warnings import catch_warnings

import xarray as xr

from mixtures.extras import needs

# see `tree_of`
type Source = Any


def tree_of(source: Source) -> xr.DataTree:
    """Return a trace as a DataTree, or say what it is instead (ValueError).

    It may be a DataTree; its posterior; what ArviZ before 1.0 has, or any object with groups that
    are datasets; or the path of a file, netCDF or zarr, that ArviZ saved.
    """
    if isinstance(source, xr.DataTree):
        return source
    if isinstance(source, xr.Dataset):
        return xr.DataTree.from_dict({"posterior": source})
    if isinstance(source, str | PathLike):
        try:
            with opened(fspath(source)) as tree:
                return tree.load()
        except (OSError, ValueError, KeyError, TypeError) as error:
            says = f"expected a trace that ArviZ saved as netCDF or zarr, got {source!r} ({error})"
            raise ValueError(f"tree: {says}") from error
    if callable(groups := getattr(source, "groups", None)):
        # ArviZ's InferenceData names its groups without a slash in front
        named = {str(name): getattr(source, str(name), None) for name in groups()}
        if "posterior" in named and all(isinstance(v, xr.Dataset) for v in named.values()):
            return xr.DataTree.from_dict(named)
    got = type(source).__name__
    raise ValueError(f"tree: expected a DataTree, a Dataset or the path of a file, got {got}")


def opened(path: str) -> xr.DataTree:
    """Open a trace that ArviZ saved; the engines raise many kinds of errors on a foreign file."""
    directory = Path(path).is_dir()
    if directory:
        with needs("zarr"):
            import_module("zarr")
    # what the writer of a file chose is no reader's concern; and zarr warns of all it writes beyond
    # its format's specification (https://github.com/zarr-developers/zarr-python/pull/2556)
    with catch_warnings(action="ignore"):
        return xr.open_datatree(path, engine="zarr" if directory else "h5netcdf")
