"""What may have labels of its own and stays as it is: what was seen, and the line to type.

Names and sizes do not tell what a variable means, so nothing here is decided; it is said.
"""

import re
from collections import defaultdict
from collections.abc import Hashable, Sequence

import numpy as np
import xarray as xr

DRAWS = ("chain", "draw")
# numbers that sum to one do so within this: files have six digits, and some samplers 32 bits
SUM = 1e-5


def stacked(names: Sequence[str] = ("mu1", "mu2")) -> str:
    """Return what to type where there is a variable for each component."""
    stem = re.sub(r"\W", "", re.sub(r"\d+", "", names[0], count=1)).strip("_") or "parameter"
    return ("if there is a variable for each component, make them one:"
            f" reshape.stack(tree, {stem}={[*names]})")


def unnamed(posterior: xr.Dataset) -> str:
    """Return what to type, for the names there are, where no variable has a dim of components."""
    scalars = [str(name) for name, v in posterior.data_vars.items() if {*v.dims} == {*DRAWS}]
    found = [names for count in (2, 3, 4, 5) for names in _families(scalars, count)]
    return f"; {stacked(found[0])}" if found else ""


def pairs(posterior: xr.Dataset, dims: Sequence[str]) -> dict[Hashable, str]:
    """Return what to say of variables with one dim of components, and another that may be one."""
    said: dict[Hashable, str] = {}
    for names in _families(_shares(posterior, dims), posterior.sizes[dims[0]]):
        rows = [str(name) for name in names]
        said[rows[0]] = (f"and {', '.join(rows[1:])} are shares, one for each component; if they"
                         " are rows of one matrix, make them one, and name both dims:"
                         f" reshape.stack(tree, 'state', P={rows})")
    for name, v in posterior.data_vars.items():
        own = [dim for dim in dims if dim in v.dims]
        other = _alike(posterior, v, dims) if len(own) == 1 else None
        if other:
            both = [*dims, other]
            said[name] = (f"has another dim, {other!r}, with as many entries as there are"
                          " components; if that counts them too, as in a transition matrix, say"
                          f" component_dim={both}; if not, say leave={name!r}")
    return said


def of_others(
    posterior: xr.Dataset, dims: Sequence[str], allocations: Sequence[str] = ()
) -> list[str]:
    """Return sentences about variables without a dim of components that may have labels."""
    count = posterior.sizes[dims[0]]
    others = {name: v for name, v in posterior.data_vars.items()
              if {*DRAWS} <= {*v.dims} and not {*dims} & {*v.dims} and name not in allocations}
    families = _families([str(name) for name in others], count)
    said = [f"{', '.join(names)} stay as they are; {stacked(names)}" for names in families]
    known = {name for names in families for name in names}
    for name, v in others.items():
        why = "" if name in known else _doubt(posterior, v, dims, count)
        if why:
            said.append(f"{name} stays as it is; {why}")
    return said


def _doubt(posterior: xr.Dataset, v: xr.DataArray, dims: Sequence[str], count: int) -> str:
    """Return what a variable without a dim of components may be, in words, if it may be any."""
    further = [dim for dim in v.dims if dim not in DRAWS]
    if other := _alike(posterior, v, dims):
        return f"if its dim {other!r} counts the components, name it in component_dim"
    if further and _labels(v, count):
        return (f"it holds whole numbers as labels of {count} components are; if that is what they"
                f" are, say allocations={v.name!r}")
    short = [dim for dim in further if v.sizes[dim] == count - 1]
    if short:
        return (f"its dim {short[0]!r} has one entry fewer than there are components; if the last"
                f" component is a reference, add it: reshape.complete(tree, {v.name!r}, ...)")
    if not further and count == 2 and _share(v) and not _weighted(posterior, dims):
        return ("it is one number between 0 and 1; if it is the weight of the first component,"
                f" write both: reshape.complete(tree, {v.name!r})")
    return ""


def _alike(posterior: xr.Dataset, v: xr.DataArray, dims: Sequence[str]) -> str | None:
    """Return a dim of a variable that may count the components, and is none of those that do."""
    first = dims[0]
    for dim in v.dims:
        if dim in DRAWS or dim in dims or v.sizes[dim] != posterior.sizes[first]:
            continue
        named = [one for one in (dim, first) if one in posterior.coords]
        # coordinates of other names tell that it counts something else
        if len(named) < 2 or list(posterior[dim].values) == list(posterior[first].values):
            return str(dim)
    return None


def _labels(v: xr.DataArray, count: int) -> bool:
    """Tell whether all values are whole numbers from 0 to K - 1, or from 1 to K."""
    if v.dtype.kind not in "iuf" or v.size == 0:
        return False
    values = v.to_numpy()
    low, high = values.min(), values.max()
    ends = (low >= 0 and high == count - 1) or (low >= 1 and high == count)
    return bool(ends and (v.dtype.kind in "iu" or (values == np.round(values)).all()))


def _share(v: xr.DataArray) -> bool:
    return v.dtype.kind == "f" and bool(v.min() > 0) and bool(v.max() < 1)


def _weighted(posterior: xr.Dataset, dims: Sequence[str]) -> bool:
    """Tell whether a variable of all components sums to one, and so has their weights already."""
    return bool(_shares(posterior, dims))


def _shares(posterior: xr.Dataset, dims: Sequence[str]) -> list[str]:
    """Return the variables that are numbers for each component, which sum to one."""
    return [
        str(name) for name, v in posterior.data_vars.items()
        if len(v.dims) == 3 and v.dtype.kind == "f" and (own := [d for d in dims if d in v.dims])
        and bool((abs(v.sum(own) - 1) < SUM).all())]


def _families(names: Sequence[str], count: int) -> list[list[str]]:
    """Return names that differ by one number alone, as many as there are components."""
    found = defaultdict(list)
    for name in names:
        for at in re.finditer(r"\d+", name):
            rest = name[: at.start()], name[at.end():]
            found[rest].append((int(at[0]), name))
    sorts = [sorted(several) for (before, _), several in found.items() if before]
    return [
        [name for _, name in several] for several in sorts
        if [number for number, _ in several] in ([*range(count)], [*range(1, count + 1)])
    ]
