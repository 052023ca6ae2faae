"""The terminal command: what it says, how it ends, and that it costs nobody a file."""

import json
import os
import re
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from mixtures import files, relabel, switching
from mixtures.__main__ import PROG, STATUS, main
from mixtures.switching import BETWEEN, COLLAPSED, NONE, NOT, NOT_ONLY, OVERLAPPING, UNKNOWN, WITHIN
from zarr.errors import ZarrUserWarning

DIMS = ("chain", "draw", "component")
RNG = np.random.default_rng(0)
N = 300


def draws(*centres, sd=0.2, chains=4):
    return np.array(centres) + sd * RNG.normal(size=(chains, N, len(centres)))


def swap(array, chain, start=0):
    """Return a copy in which a chain has its two labels exchanged from some draw on."""
    copy = array.copy()
    copy[chain, start:] = array[chain, start:, ::-1]
    return copy


def trace(dim="component", **variables):
    posterior = xr.Dataset({k: ((*DIMS[:2], dim), v) for k, v in variables.items()})
    return xr.DataTree.from_dict({"posterior": posterior})


def full():
    """Return a trace as ArviZ has it, with all that any method needs, one chain relabelled."""
    right, y = draws(-1, 1), np.concatenate([RNG.normal(-1, 1, 20), RNG.normal(1, 1, 20)])
    z = np.broadcast_to(y > 0, (4, N, 40)).astype(np.int16)
    z[3] = 1 - z[3]
    posterior = xr.Dataset(
        {"means": (DIMS, swap(right, 3)), "sd": (DIMS, swap(draws(1, 2, sd=0.1), 3)),
         "z": ((*DIMS[:2], "obs"), z)},
        {"chain": range(4), "draw": range(N), "component": ["a", "b"]},
        {"inference_library": "none"})
    stats = {
        "lp": (DIMS[:2], RNG.normal(size=(4, N))),
        "diverging": (DIMS[:2], np.zeros((4, N), dtype=bool))}
    groups = {"posterior": posterior, "sample_stats": xr.Dataset(stats)}
    return xr.DataTree.from_dict(groups | {"observed_data": xr.Dataset({"y": ("obs", y)})})


TWO = draws(-1, 1)
MOVED = TWO.copy()
MOVED[0] += 2.5
VERDICTS = {
    NONE: (trace(means=TWO), 0),
    BETWEEN: (trace(means=swap(TWO, 3)), 1),
    WITHIN: (trace(means=swap(TWO, 3, start=100)), 1),
    OVERLAPPING: (trace(means=draws(0, 0)), 1),
    COLLAPSED: (trace(means=TWO[:, :, [0, 1, 1]]), 1),
    NOT: (trace(means=MOVED), 3),
    NOT_ONLY: (trace(means=swap(MOVED, 3)), 3),
    UNKNOWN: (trace(means=TWO[:1]), 4),
}
FULL = full()
FOUND = f"{files.by_options(str(switching.diagnose(FULL)))}\n"

def quiet():
    """Let zarr write what its format does not specify: its pull request 2556 says so."""
    return warnings.catch_warnings(action="ignore", category=ZarrUserWarning)


def save(tree, path, **options):
    with quiet():
        if path.suffix == ".zarr":
            tree.to_zarr(path, **options)
        else:
            tree.to_netcdf(path, engine="h5netcdf", **options)
    return path


def load(path):
    engine = "zarr" if path.is_dir() else "h5netcdf"
    with quiet(), xr.open_datatree(path, engine=engine) as tree:
        return tree.load()


def assert_same(found, expected):
    """Compare traces, but for the objective's last digits: a file's arrays may lie otherwise."""
    xr.testing.assert_equal(found, expected)
    one, other = (dict(tree["posterior/permutation"].attrs) for tree in (found, expected))
    assert one.pop("objective", 0.0) == pytest.approx(other.pop("objective", 0.0), abs=1e-9)
    assert one == other


def contents(folder):
    """Return all files below a folder with their bytes, and all directories with None."""
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


@pytest.fixture
def run(capsys):
    """Return a function that runs the command, and returns its exit status and what it printed."""

    def command(*argv):
        try:
            status = main(["diagnose", *map(str, argv)])
        except SystemExit as stop:
            status = stop.code
        return status, *capsys.readouterr()

    return command


@pytest.fixture
def refused(run):
    """Return a function that runs the command, and returns the one line in which it refuses."""

    def command(*argv):
        status, _, err = run(*argv)
        assert status == 2 and re.fullmatch(rf"{PROG}: .+\n", err)
        return err

    return command


@pytest.fixture(params=[".nc", ".zarr"])
def saved(request, tmp_path):
    return save(FULL, tmp_path / f"trace{request.param}")


@pytest.fixture
def here(tmp_path):
    return save(FULL, tmp_path / "trace.nc")


@pytest.mark.parametrize("verdict", switching.LINKS)
def test_the_diagnosis_is_printed_and_its_verdict_is_the_status(verdict, tmp_path, run):
    tree, expected = VERDICTS[verdict]
    found = switching.diagnose(tree)
    assert found.verdict == verdict and STATUS[verdict] == expected
    path = save(tree, tmp_path / "trace.nc")
    before = contents(tmp_path)
    assert run(path) == (expected, f"{found}\n", "")
    assert contents(tmp_path) == before


@pytest.mark.parametrize("options", [{"zarr_format": 2}, {"consolidated": False}])
def test_other_kinds_of_zarr(options, tmp_path, run):
    assert run(save(FULL, tmp_path / "trace.zarr", **options)) == (1, FOUND, "")


METHODS = {
    "order": (["--leave", "z"], {"leave": "z"}),
    "pra": (["--var", "means", "--var", "sd", "--leave", "z"],
            {"var_name": ["means", "sd"], "leave": "z"}),
    "ecr": (["--allocations", "z"], {"allocations": "z"}),
    "ecr-iterative": (["--allocations", "z"], {"allocations": "z"}),
    "stephens": (["--sigma", "sd", "--weights", "equal", "--data", "y", "--allocations", "z"],
                 {"allocations": "z"}),
}


@pytest.mark.parametrize("method", METHODS)
def test_relabelling_is_that_of_the_module(method, tmp_path, run):
    suffix, other = (".nc", ".zarr") if method in ("order", "ecr") else (".zarr", ".nc")
    saved, (options, arguments) = save(FULL, tmp_path / f"trace{suffix}"), METHODS[method]
    if method == "stephens":
        y, equal = FULL["observed_data/y"].to_numpy(), [0.5, 0.5]
        p = relabel.memberships(FULL, y, sigma="sd", weights=equal)
        arguments = arguments | {"probabilities": p}
    before, out = contents(tmp_path), tmp_path / f"out{other}"
    status, said, err = run(saved, "--relabel", method, "--to", out, *options)
    expected = relabel.relabel(FULL, method, **arguments)
    assert_same(load(out), expected)
    left = arguments.get("leave", arguments.get("allocations", ()))
    found, by = switching.diagnose(FULL, leave=left), " of means" * (method == "order")
    assert (status, err) == (0, "") and said.startswith(f"{files.by_options(str(found))}\n")
    _, wrote = said.split("\n\n")
    assert wrote.startswith(f"Wrote {out}, relabelled by {method}{by}.\nNo sign of switching. ")
    assert contents(tmp_path).items() >= before.items() and {*tmp_path.iterdir()} == {saved, out}
    assert run(out)[0] == 0 and switching.diagnose(load(out)["posterior/means"]).verdict == NONE


def test_a_warning_of_relabel_is_a_line_and_names_the_option(tmp_path, run):
    tree = trace(means=swap(TWO, 3))
    w = ((*DIMS[:2], "w_dim_0"), swap(TWO, 3))
    tree["posterior"] = xr.DataTree(tree["posterior"].to_dataset().assign(w=w))
    path = save(tree, tmp_path / "trace.nc")
    order = ["--relabel", "order", "--to", tmp_path / "out.nc", "--overwrite"]
    status, _, err = run(path, *order)
    assert status == 1 and err.count("\n") == 1, "it may be no repair"
    assert err.startswith(f"{PROG}: warning: w stays") and err.endswith("in --dim (or --leave)\n")
    assert run(path, *order, "--leave", "w")[::2] == (0, "")
    assert run(path, *order, "--dim", "component", "--dim", "w_dim_0")[::2] == (0, "")
    assert (np.diff(load(tmp_path / "out.nc")["posterior/w"]) > 0).mean() > 0.99


def test_the_diagnosis_is_json_for_programs(here, run):
    status, said, err = run(here, "--json")
    told = json.loads(said)
    assert (status, err, told["status"], told["verdict"]) == (1, "", 1, BETWEEN)
    assert told["table"][0]["kind"] == "raw labels" and told["table"][0]["rhat"] > 1.5
    out = here.with_name("out.nc")
    told = json.loads(run(here, *SORT, out, "--json")[1])
    assert (told["status"], told["verdict"]) == (0, NONE)


def test_a_summary_has_a_line_for_each_parameter_of_each_component(here, run):
    status, said, _ = run(here, *SORT, here.with_name("out.nc"), "--summary")
    rows = {line.split()[0]: [*map(float, line.split()[1:])] for line in said.split("\n")[-5:-1]}
    assert status == 0 and [*rows] == ["means[0]", "means[1]", "sd[0]", "sd[1]"]
    draws = relabel.relabel(FULL, leave="z").posterior["means"].isel(component=1).to_numpy()
    mean, sd, error, ess, rhat = rows["means[1]"]
    assert mean == pytest.approx(draws.mean(), rel=1e-3)
    assert sd == pytest.approx(draws.std(), rel=1e-2)
    assert error == pytest.approx(sd / np.sqrt(ess), rel=0.1) and rhat < 1.02


def test_the_summary_is_json_too(here, run):
    _, said, _ = run(here, *SORT, here.with_name("out.nc"), "--summary", "--json")
    told = json.loads(said)["parameters"]
    assert [*told] == ["means[0]", "means[1]", "sd[0]", "sd[1]"]
    draws = relabel.relabel(FULL, leave="z").posterior["means"].isel(component=1)
    assert told["means[1]"]["mean"] == pytest.approx(float(draws.mean()))


@pytest.mark.parametrize("form", ["y\n{}\n", '"","y"\n{}\n'])
def test_memberships_are_written_of_data_in_a_file(form, here, run):
    y = FULL["observed_data/y"].to_numpy()
    out, shares = here.with_name("out.nc"), here.with_name("p.csv")
    named = here.with_name("y.csv")
    rows = y.astype(str) if form[0] == "y" else [f'"{i}",{one}' for i, one in enumerate(y)]
    named.write_text(form.format("\n".join(rows)))
    more = ["--sigma", "sd", "--weights", "equal", "--data", named, "--memberships", shares]
    assert run(here, *SORT, out, *more)[0] == 0
    head, *lines = shares.read_text().splitlines()
    expected = relabel.memberships(load(out), y, sigma="sd", weights=[0.5, 0.5], average=True)
    assert head == "obs,component_0,component_1"
    found = [[*map(float, line.split(",")[1:])] for line in lines]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert "exists; --overwrite" in run(here, *SORT, here.with_name("new.nc"), *more)[2]
    assert not here.with_name("new.nc").exists()


@pytest.mark.parametrize(("method", "lines", "more"), [
    ("pra", "means,sd\n2,2\n-2,1\n", ["--var", "means", "--var", "sd"]),
    ("ecr", "z\n" + "0\n" * 20 + "1\n" * 20, ["--allocations", "z"])])
def test_a_pivot_comes_from_a_file(method, lines, more, here, run):
    here.with_name("pivot.csv").write_text(lines)
    out = here.with_name("out.nc")
    options = ["--relabel", method, "--to", out, "--leave", "z", *more]
    assert run(here, *options, "--pivot", here.with_name("pivot.csv"))[0] == 0
    order = [1, -1] if method == "pra" else [-1, 1]
    means = load(out)["posterior/means"].mean(("chain", "draw"))
    np.testing.assert_allclose(means, order, atol=0.1)


def test_a_table_that_is_none_is_refused(here, refused):
    data = here.with_name("y.csv")
    for lines, says in (
        ("1\n2\n", "is none"), ("x,y\n1,2\n", "expected one column, got x, y"),
        ("y\n1\ntwo\n", "could not convert"), ("x,y\n1\n", "2 names, 1 columns")):
        data.write_text(lines)
        assert says in refused(here, *STEPHENS[:3], here.with_name("o.nc"), "--data", data,
                               "--sigma", "sd", "--weights", "equal")


def text(path):
    path.write_text("means,1,2\n")


def truncated(path):
    whole = save(FULL, path.with_name("whole.nc")).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def folder(path):
    path.mkdir()
    (path / "notes.txt").write_text("none")


def no_posterior(path):
    save(xr.DataTree.from_dict({"prior": xr.Dataset({"means": 1.0})}), path)


FOREIGN = {
    "text": ("trace.nc", text, "signature"),
    "truncated": ("trace.nc", truncated, "truncated"),
    "a directory": ("trace.zarr", folder, "No group found"),
    "netCDF without a posterior": (
        "trace.nc", no_posterior, "expected a posterior group, got groups prior"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_what_is_no_trace_is_refused_by_name(kind, tmp_path, refused):
    name, make, says = FOREIGN[kind]
    make(tmp_path / name)
    line = refused(tmp_path / name)
    assert line.startswith(f"{PROG}: {tmp_path / name}: expected") and says in line


SORT = ["--leave", "z", "--relabel", "order", "--to"]
ORDER = [*SORT, "out.nc"]
PRA = ["--leave", "z", "--relabel", "pra", "--to", "out.nc", "--pivot"]
STEPHENS = ["--relabel", "stephens", "--to", "out.nc", "--sigma", "sd"]
USAGE = {
    "variable": (
        ["--var", "mu"], "--var: expected a variable of the posterior (means, sd, z), got 'mu'"),
    "dim": (["--dim", "k"], "--dim: expected dims of the posterior (component, obs), got 'k'"),
    "method": (["--relabel", "sort", "--to", "out.nc"], "--relabel: invalid choice: 'sort'"),
    "relabel alone": (
        ["--relabel", "order"], "--relabel METHOD and --to OUT: expected both or neither"),
    "suffix": ([*ORDER[:-1], "out.csv"], "--to out.csv: expected a name that ends in .nc or .zarr"),
    "no allocations": (["--relabel", "ecr", "--to", "out.nc"], "--allocations: expected"),
    "allocations": (
        [*ORDER, "--allocations", "y"], "--allocations: expected a variable of the posterior"),
    "data": (
        [*STEPHENS, "--data", "x"],
        "--data: expected a variable of observed_data (y) or a CSV file, got 'x'"),
    "sigma": ([*STEPHENS, "--sigma", "0"], "--sigma: expected positive"),
    "no sigma": ([*STEPHENS[:4]], "--sigma: the posterior has no 'sigma'; expected"),
    "no weights": (STEPHENS, "--weights: the posterior has no 'weights'; expected"),
    "weights": ([*STEPHENS, "--weights", "sd"], "--weights: expected numbers >= 0 that sum to 1"),
    "data for another": (
        [*ORDER, "--data", "y"], "--data: expected only with --relabel stephens or --memberships"),
    "pivot for another": (
        [*ORDER, "--pivot", "p.csv"], "--pivot: expected only with --relabel pra or ecr"),
    "no pivot": ([*PRA, "p.csv"], "--pivot p.csv: expected a CSV file, a line of names and"),
    "raw memberships": (["--memberships", "p.csv"], "--memberships: expected only with --relabel"),
    "memberships elsewhere": (
        [*ORDER, "--memberships", "p.txt"],
        "--memberships p.txt: expected a name that ends in .csv"),
    "memberships without scales": (
        [*ORDER, "--memberships", "p.csv"], "--sigma: the posterior has no 'sigma'; expected"),
    "summary of raw draws": (["--summary"], "--summary: expected only with --relabel"),
    "option": (["--no-such-option"], "unrecognized arguments: --no-such-option"),
}


@pytest.mark.parametrize("case", USAGE)
def test_wrong_usage_is_refused_by_name(case, here, monkeypatch, refused):
    monkeypatch.chdir(here.parent)
    options, says = USAGE[case]
    assert says in refused("trace.nc", *options)
    assert [*here.parent.iterdir()] == [here]


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_nothing_is_overwritten_unless_asked_for(suffix, here, run, refused):
    out = save(VERDICTS[NONE][0], here.with_name(f"out{suffix}"))
    before = contents(here.parent)
    assert f"--to {out}: exists; --overwrite" in refused(here, "--relabel", "order", "--to", out)
    assert contents(here.parent) == before
    assert run(here, *SORT, out, "--overwrite")[0] == 0
    assert_same(load(out), relabel.relabel(FULL, leave="z"))


def test_the_trace_itself_may_be_overwritten(saved, run, refused):
    link = saved.with_name(f"link{saved.suffix}")
    link.symlink_to(saved.name)
    before = contents(saved.parent)
    for out in (saved, saved.parent / ".." / saved.parent.name / saved.name, link):
        said = refused(saved, "--relabel", "order", "--to", out)
        assert "is TRACE; --overwrite would replace it" in said
    assert contents(saved.parent) == before
    assert run(saved, *SORT, link, "--overwrite")[0] == 0
    assert_same(load(saved), relabel.relabel(FULL, leave="z"))
    assert link.is_symlink() and {*saved.parent.iterdir()} == {saved, link}


def test_only_its_like_is_ever_replaced(here, refused):
    (here.parent / "papers.zarr").mkdir()
    (here.parent / "papers.zarr" / "thesis.tex").touch()
    (here.parent / "folder.nc").mkdir()
    (here.parent / "file.zarr").touch()
    before = contents(here.parent)
    for name in ("papers.zarr", "folder.nc", "file.zarr"):
        line = refused(here, "--relabel", "order", "--to", here.with_name(name), "--overwrite")
        assert f"{name}: expected a {Path(name).suffix} to replace, not something else" in line
    assert contents(here.parent) == before


def test_nothing_is_written_into_the_trace(tmp_path, refused):
    path = save(FULL, tmp_path / "trace.zarr")
    said = refused(path, "--relabel", "order", "--to", path / "out.nc")
    assert "expected a place not within TRACE" in said
    line = refused(path / "posterior", "--relabel", "order", "--to", path, "--overwrite")
    assert "expected a place not within TRACE, nor around it" in line


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
# not an interrupt in the last step: zarr moves its files in a thread, which it does not reach
@pytest.mark.parametrize(
    ("error", "last"),
    [(OSError(28, "No space left on device"), False),
     (OSError(28, "No space left on device"), True),
     (KeyboardInterrupt(), False)])
def test_a_failure_leaves_all_as_it_was(error, last, suffix, here, monkeypatch, run):
    out = save(VERDICTS[NONE][0], here.with_name(f"out{suffix}"))
    before = contents(here.parent)

    def half(tree, path, **options):
        path.mkdir() if suffix == ".zarr" else path.write_bytes(b"half")
        raise error

    def fail(path, target):
        raise error

    if last:
        monkeypatch.setattr(Path, "replace", fail)
    else:
        monkeypatch.setattr(xr.DataTree, "to_zarr" if suffix == ".zarr" else "to_netcdf", half)
    status, _, err = run(here, *SORT, out, "--overwrite")
    if isinstance(error, KeyboardInterrupt):
        assert (status, err) == (130, "")
    else:
        assert status == 2 and "cannot be written (No space left on device)" in err
    assert contents(here.parent) == before


def test_help_shows_every_status(run):
    status, out, err = run("--help")
    assert (status, err) == (0, "")
    assert all(f"\n  {number}  {verdict}\n" in out for verdict, number in STATUS.items())
    for line in ("--var NAME", "--relabel METHOD", "--overwrite", "\n  2  wrong usage"):
        assert line in out


def process(*argv, **options):
    command = [sys.executable, *map(str, argv)]
    return subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False, **options)


def test_from_a_terminal(here):
    out = here.with_name("out.zarr")
    argv = ("-m", "mixtures", "diagnose", here, *SORT, out)
    ran = process(*argv, stdout=subprocess.PIPE)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("Switching between chains. ")
    assert "\nNo sign of switching. " in ran.stdout


@pytest.mark.skipif(not hasattr(signal, "SIGPIPE"), reason="no such signal on this system")
def test_a_closed_pipe_ends_it_quietly(here):
    read, write = os.pipe()
    os.close(read)
    ran = process("-m", "mixtures", "diagnose", here, stdout=write)
    os.close(write)
    assert (ran.returncode, ran.stderr) == (-signal.SIGPIPE, "")


def test_it_starts_without_pymc():
    ran = process("-c", "import sys, mixtures.__main__; sys.exit('pymc' in sys.modules)")
    assert (ran.returncode, ran.stderr) == (0, "")
