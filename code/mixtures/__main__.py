"""The terminal command: ``python -m mixtures diagnose TRACE`` says whether labels have switched."""

import argparse
import json
import signal
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn
from warnings import catch_warnings

try:
    import numpy as np
    import xarray as xr
    from arviz_stats.base.array import array_stats

    from mixtures import files, mcse, relabel, switching, trace
    from mixtures.files import PROG, REFUSED, refuse, refusing
except KeyboardInterrupt:  # the imports take seconds, in which one may think better of it
    sys.exit(130)

type Summary = dict[str, dict[str, float]]

INTERRUPTED = 130
EXAMPLES = """examples:
  is it label switching? the variables are called mu and tau, their dim is cluster
    python -m mixtures diagnose trace.nc --var mu --var tau --dim cluster
  sort the components by mu, write the new trace, and print a line for each parameter
    python -m mixtures diagnose trace.nc --var mu --relabel order --to named.nc --summary
  a dim for each variable, and the data in a file: go by memberships, and write them too
    python -m mixtures diagnose trace.nc --var mu --dim mu_dim_0 --dim sigma_dim_0 \\
      --relabel stephens --weights equal --data y.csv --to named.nc --memberships p.csv
"""
STATUS = {
    switching.NONE: 0, switching.BETWEEN: 1, switching.WITHIN: 1, switching.OVERLAPPING: 1,
    switching.COLLAPSED: 1, switching.NOT: 3, switching.NOT_ONLY: 3, switching.UNKNOWN: 4,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with these arguments, and return its exit status."""
    try:
        args = _parser().parse_args(argv)
        status: int = args.run(args)
        return status
    except KeyboardInterrupt:
        return INTERRUPTED


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        # argparse's own would print the usage too
        refuse(message)


def _parser() -> _Parser:
    parser = _Parser(PROG, description="Label switching in saved traces.", allow_abbrev=False)

    def helped(_: argparse.Namespace) -> int:
        parser.print_help(sys.stderr)
        return REFUSED

    parser.set_defaults(run=helped)
    says = "tell label switching from its look-alikes in a saved trace"
    refused = "wrong usage, a TRACE that cannot be read, or an OUT that cannot be written"
    rows = sorted((STATUS | {refused: REFUSED}).items(), key=lambda row: row[1])
    head = "exit status (with --relabel, that of OUT, and 1 if it warns of a variable):"
    status = [head, *(f"  {s}  {v}" for v, s in rows)]
    command = parser.add_subparsers(metavar="COMMAND").add_parser(
        "diagnose", help=says, description=f"{says.capitalize()}, and undo it.", allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join([EXAMPLES, *status]))
    command.set_defaults(run=_diagnose)
    _add_options(command)
    return parser


def _add_options(command: argparse.ArgumentParser) -> None:
    named: dict[str, Any] = {"metavar": "NAME"}
    repeated = named | {"action": "append"}
    methods, add = ", ".join(relabel.METHODS), command.add_argument
    add("trace", metavar="TRACE", type=Path,
        help="a trace that ArviZ saved: a netCDF file or a zarr directory")
    add("--var", **repeated, help="variable to diagnose (means); repeatable")
    add("--dim", **repeated, help="dim of the components (component); --relabel takes several")
    add("--stack", metavar="NEW=NAME,NAME", action="append", default=[],
        help="make one variable of those that there are for each component; repeatable")
    add("--relabel", metavar="METHOD", choices=relabel.METHODS,
        help=f"one of {methods}; order and stephens go by the first --var, pra by all")
    add("--to", metavar="OUT", type=Path,
        help=f"where to write the relabelled trace: {' or '.join(files.SUFFIXES)}")
    add("--memberships", metavar="CSV", type=Path,
        help="where to write how probably each observation is of each component of OUT")
    add("--overwrite", action="store_true",
        help="replace OUT and CSV if they exist, even if OUT is TRACE")
    add("--summary", action="store_true",
        help="print mean, sd, Monte Carlo error, ESS and R-hat of each parameter of OUT")
    add("--json", action="store_true", help="print the diagnosis, of OUT if asked for, as JSON")
    add("--allocations", **repeated, default=[],
        help="variable that holds labels, to relabel too; ecr goes by the first; repeatable")
    add("--leave", **repeated, default=[],
        help="variable without labels but those of --dim, of which not to ask; repeatable")
    add("--parameter", metavar="ENTRY", type=int,
        help="for order: which entry of --var, from 0, if it has several")
    add("--pivot", metavar="CSV",
        help="for pra: a column for each --var and a row for each component; for ecr: the labels")
    add("--data", **named, help="for stephens and --memberships: variable of the group"
        " observed_data (the only one), or a CSV file with one column")
    scales = (("--sigma", "standard deviations"), ("--precision", "inverse squares of them"))
    for scale, what in scales:
        add(scale, **named, type=_number_or_name,
            help=f"for both too: {what}, a variable or a number ({scale[2:]})")
    add("--weights", **named, help="for both too: a variable (weights), or 'equal'")


def _number_or_name(text: str) -> float | str:
    return float(text) if text.replace(".", "", 1).isdecimal() else text


def _diagnose(args: argparse.Namespace) -> int:
    args.var, args.dim = args.var or ["means"], args.dim or ["component"]
    _check_options(args)
    tree = files.read(args)
    found = _diagnosis(tree, args)
    if not args.json:
        print(files.by_options(str(found)))
    status = STATUS[found.verdict]
    parameters: Summary = {}
    if args.relabel:
        new, doubtful = _relabelled(tree, args)
        shares = _shares(new, args) if args.memberships else None
        # nothing is written before all of it is there
        files.write(new, args)
        if shares is not None:
            names = ["obs", *(f"component_{k}" for k in range(shares.shape[1]))]
            numbered = np.column_stack([np.arange(len(shares)), shares])
            files.write_table(names, numbered, args, "memberships")
        found = _diagnosis(new, args)
        status = STATUS[found.verdict] or int(doubtful)
        parameters = _summary(new, args.dim) if args.summary else {}
        if not args.json:
            by = f"{args.relabel} of {args.var[0]}" if args.relabel == "order" else args.relabel
            print(f"\nWrote {args.to}, relabelled by {by}.")
            told = f"{found.verdict.capitalize()}. {found.summary}"
            print(textwrap.fill(told, 79, break_on_hyphens=False))
        if parameters and not args.json:
            print(*_lines(parameters), sep="\n")
    if args.json:
        print(_as_json(found, status, parameters))
    return status


def _as_json(found: switching.Diagnosis, status: int, parameters: Summary) -> str:
    names = ("verdict", "summary", "evidence", "unknown", "next_step", "link")
    rows = [dict(zip(("kind", "rhat", "ess"), row, strict=True)) for row in found.table()]
    told = {name: getattr(found, name) for name in names} | {"table": rows, "status": status}
    return json.dumps(told | {"parameters": parameters} if parameters else told, indent=2)


def _summary(tree: xr.DataTree, dims: Sequence[str]) -> Summary:
    """Return what is known of each parameter with a component."""
    posterior = trace.one_dim(trace.posterior_of(tree), dims)
    found = {}
    for name, v in posterior.data_vars.items():
        if name == trace.KEPT or dims[0] not in v.dims or v.dtype.kind not in "iuf":
            continue
        flat = trace.by_component(v, dims[0]).astype(float)
        for k, e in np.ndindex(flat.shape[2:]):
            one = flat[:, :, k, e]
            found[trace.entry(name, k, e, flat.shape[3])] = {
                "mean": float(one.mean()), "sd": float(one.std(ddof=1)), "mcse": mcse.mean(one),
                "ess": float(array_stats.ess(one)), "r_hat": float(array_stats.rhat(one))}
    return found


def _lines(parameters: Summary) -> list[str]:
    """Return a head, and a line for each parameter."""
    head = f"{'':24}{'mean':>12}{'sd':>12}{'mcse':>12}{'ess':>9}{'r_hat':>9}"
    row = "{:24}{mean:12.4g}{sd:12.4g}{mcse:12.2g}{ess:9.0f}{r_hat:9.3f}"
    return [head, *(row.format(name, **one) for name, one in parameters.items())]


def _check_options(args: argparse.Namespace) -> None:
    if (args.relabel is None) != (args.to is None):
        refuse("--relabel METHOD and --to OUT: expected both or neither")
    if args.summary and args.relabel is None:
        refuse("--summary: expected only with --relabel, for raw components have no summary")
    for name in ("data", "sigma", "precision", "weights"):
        if getattr(args, name) is not None and args.relabel != "stephens" and not args.memberships:
            refuse(f"--{name}: expected only with --relabel stephens or --memberships CSV")
    if args.memberships and args.relabel is None:
        refuse("--memberships: expected only with --relabel, for raw components have no names")
    if args.pivot is not None and args.relabel not in ("pra", "ecr"):
        refuse("--pivot: expected only with --relabel pra or ecr")
    if args.to is not None:
        files.check_out(args, "to", files.SUFFIXES)
    if args.memberships is not None:
        files.check_out(args, "memberships", files.TABLE)


def _diagnosis(tree: xr.DataTree, args: argparse.Namespace) -> switching.Diagnosis:
    with refusing(f"{args.trace}: cannot be diagnosed", ValueError):
        known = [*args.leave, *args.allocations]
        return switching.diagnose(tree, args.var, args.dim, leave=known)


def _relabelled(tree: xr.DataTree, args: argparse.Namespace) -> tuple[xr.DataTree, bool]:
    """Return the relabelled trace, and whether anything in it may have kept its old labels."""
    names = args.var[0] if args.relabel == "order" else args.var
    with (refusing(f"{args.trace}: cannot be relabelled", ValueError),
          catch_warnings(record=True, action="always", category=UserWarning) as caught):
        p = _memberships(tree, args) if args.relabel == "stephens" else None
        pivot = _pivot(args) if args.pivot else None
        new = relabel.relabel(tree, args.relabel, var_name=names, component_dim=args.dim,
                              allocations=args.allocations, parameter=args.parameter,
                              pivot=pivot, probabilities=p, leave=args.leave)
    for warning in caught:
        says = files.by_options(str(warning.message))
        print(f"{PROG}: warning: {says} (or --leave)", file=sys.stderr)
    return new, bool(caught)


def _shares(new: xr.DataTree, args: argparse.Namespace) -> np.ndarray:
    """Return the probabilities [n, component] that observations are of the named components."""
    with refusing(f"{args.trace}: has no memberships", ValueError):
        return _memberships(new, args, average=True).to_numpy()


def _memberships(
    tree: xr.DataTree, args: argparse.Namespace, average: bool = False
) -> xr.DataArray:
    count = trace.n_component(trace.posterior_of(tree), args.dim)
    weights = np.full(count, 1 / count) if args.weights == "equal" else args.weights
    return relabel.memberships(
        tree, _observations(tree, args), means=args.var[0], sigma=args.sigma,
        precision=args.precision, weights=weights, component_dim=args.dim, average=average)


def _observations(tree: xr.DataTree, args: argparse.Namespace) -> np.ndarray:
    there = trace.group(tree, "observed_data").data_vars
    name = str(next(iter(there))) if args.data is None and len(there) == 1 else args.data
    if name in there:
        return there[name].to_numpy()
    if name is None or not name.endswith(files.TABLE):
        known = trace.listed(there)
        refuse(f"--data: expected a variable of observed_data ({known}) or a CSV file,"
               f" got {name!r}")
    columns, rows = files.read_table(name, "--data")
    if len(columns) > 1:
        refuse(f"--data {name}: expected one column, got {trace.listed(columns)}")
    return rows[:, 0]


def _pivot(args: argparse.Namespace) -> np.ndarray | dict[str, np.ndarray]:
    columns, rows = files.read_table(args.pivot, "--pivot")
    if args.relabel == "pra":
        # a variable with several entries has as many columns of its name
        return {name: rows[:, [i for i, other in enumerate(columns) if other == name]]
                for name in columns}
    if len(columns) > 1 or (rows != np.round(rows)).any():
        refuse(f"--pivot {args.pivot}: expected one column of whole numbers, for ecr")
    return rows[:, 0].astype(int)


if __name__ == "__main__":
    if hasattr(signal, "SIGPIPE"):
        # `| head` ends a command, and that is no error
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(main())
