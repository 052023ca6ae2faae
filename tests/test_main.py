"""The terminal command: what it says, how it ends, and that it costs nobody a file."""

import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from mixtures import relabel, switching
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
    return xr.DataTree.from_dict({"posterior": xr.Dataset({k: ((*DIMS[:2], dim), v) for k, v in variables.items()})})


def full():
    """Return a trace as ArviZ has it, with all that any method needs, and one chain under other labels."""
    right, y = draws(-1, 1), np.concatenate([RNG.normal(-1, 1, 20), RNG.normal(1, 1, 20)])
    z = np.broadcast_to(y > 0, (4, N, 40)).astype(np.int16)
    z[3] = 1 - z[3]
    posterior = xr.Dataset(
        {"means": (DIMS, swap(right, 3)), "sd": (DIMS, swap(draws(1, 2, sd=0.1), 3)), "z": ((*DIMS[:2], "obs"), z)},
        {"chain": range(4), "draw": range(N), "component": ["a", "b"]}, {"inference_library": "none"},
    )
    stats = {"lp": (DIMS[:2], RNG.normal(size=(4, N))), "diverging": (DIMS[:2], np.zeros((4, N), dtype=bool))}
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
FOUND = f"{switching.diagnose(FULL)}\n"

def quiet():
    """Let zarr write metadata that its format does not specify: https://github.com/zarr-developers/zarr-python/pull/2556."""
    return warnings.catch_warnings(action="ignore", category=ZarrUserWarning)


def save(tree, path, **options):
    with quiet():
        tree.to_zarr(path, **options) if path.suffix == ".zarr" else tree.to_netcdf(path, engine="h5netcdf", **options)
    return path


def load(path):
    engine = "zarr" if path.is_dir() else "h5netcdf"
    with quiet(), xr.open_datatree(path, engine=engine) as tree:
        return tree.load()


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
        assert status == 2 and err.startswith(f"{PROG}: ") and err.count("\n") == 1 and err.endswith("\n")
        return err

    return command


@pytest.fixture(params=[".nc", ".zarr"])
def saved(request, tmp_path):
    return save(FULL, tmp_path / f"trace{request.param}")


@pytest.fixture
def here(tmp_path):
    return save(FULL, tmp_path / "trace.nc")


@pytest.mark.parametrize("verdict", VERDICTS)
def test_the_diagnosis_is_printed_and_its_verdict_is_the_status(verdict, tmp_path, run):
    tree, expected = VERDICTS[verdict]
    found = switching.diagnose(tree)
    assert found.verdict == verdict
    assert run(save(tree, tmp_path / "trace.nc")) == (expected, f"{found}\n", "")


def test_every_verdict_has_a_status():
    assert {verdict: status for verdict, (_, status) in VERDICTS.items()} == STATUS
    assert STATUS.keys() == switching.LINKS.keys()


def test_both_formats_say_the_same(saved, run):
    before = contents(saved.parent)
    assert run(saved) == (1, FOUND, "")
    assert contents(saved.parent) == before


@pytest.mark.parametrize("options", [{"zarr_format": 2}, {"consolidated": False}])
def test_other_kinds_of_zarr(options, tmp_path, run):
    path = save(FULL, tmp_path / "trace.zarr", **options)
    assert run(path, "--relabel", "order", "--to", tmp_path / "out.zarr")[::2] == (0, "")


def test_names_of_variables_and_of_the_dim(tmp_path, run):
    path = save(trace("k", mu=swap(TWO, 3), sd=swap(draws(1, 2, sd=0.1), 3)), tmp_path / "trace.nc")
    status, out, _ = run(path, "--var", "mu", "--var", "sd", "--dim", "k")
    assert status == 1 and out == f"{switching.diagnose(load(path), ['mu', 'sd'], 'k')}\n"


def test_only_what_the_diagnosis_looks_at_is_read(tmp_path, run, refused):
    path = save(FULL, tmp_path / "trace.zarr")
    for chunk in (path / "posterior" / "z" / "c").rglob("*"):
        if chunk.is_file():
            chunk.write_bytes(b"damaged")
    assert run(path)[::2] == (1, "")
    assert f"{path}: expected a trace" in refused(path, "--relabel", "order", "--to", tmp_path / "out.nc")
    assert [*tmp_path.iterdir()] == [path]


METHODS = {
    "order": ([], {}),
    "pra": (["--var", "means", "--var", "sd"], {"var_name": ["means", "sd"]}),
    "ecr": (["--allocations", "z"], {"allocations": "z"}),
    "ecr-iterative": (["--allocations", "z"], {"allocations": "z"}),
    "stephens": (["--sigma", "sd", "--data", "y", "--allocations", "z"], {"allocations": "z"}),
}


WAYS = [(method, ".nc", ".nc") for method in METHODS]
WAYS += [("order", ".nc", ".zarr"), ("order", ".zarr", ".nc"), ("stephens", ".zarr", ".zarr")]


@pytest.mark.parametrize(("method", "suffix", "other"), WAYS)
def test_relabelling_is_that_of_the_module(method, suffix, other, tmp_path, run):
    saved, (options, arguments) = save(FULL, tmp_path / f"trace{suffix}"), METHODS[method]
    if method == "stephens":
        p = relabel.memberships(FULL, FULL["observed_data/y"].to_numpy(), sigma="sd")
        arguments = arguments | {"probabilities": p}
    before, out = contents(tmp_path), tmp_path / f"out{other}"
    status, said, err = run(saved, "--relabel", method, "--to", out, *options)
    expected = relabel.relabel(FULL, method, **arguments)
    xr.testing.assert_identical(load(out), expected)
    assert (status, err) == (0, "") and said.startswith(FOUND)
    _, wrote = said.split("\n\n")
    assert wrote.startswith(f"Wrote {out}, relabelled by {method}.\nNo sign of switching. ")
    assert contents(tmp_path).items() >= before.items() and {*tmp_path.iterdir()} == {saved, out}
    assert run(out)[0] == 0 and switching.diagnose(load(out)["posterior/means"]).verdict == NONE


def test_defaults_of_stephens_and_a_known_sigma(here, run):
    y = FULL["observed_data/y"].to_numpy()
    for options, sigma in ((["--sigma", ".5"], 0.5), ([], 1.0)):
        out = here.with_name(f"{sigma}.nc")
        assert run(here, "--relabel", "stephens", "--to", out, *options)[0] == 0
        p = relabel.memberships(FULL, y, sigma=sigma)
        xr.testing.assert_identical(load(out), relabel.relabel(FULL, "stephens", probabilities=p))


def test_weights_by_name(tmp_path, run):
    w = swap(RNG.dirichlet((30, 60), size=(4, N)), 3)
    tree = FULL.copy()
    tree["posterior"] = xr.DataTree(FULL["posterior"].to_dataset().assign(w=(DIMS, w)))
    path, out = save(tree, tmp_path / "trace.nc"), tmp_path / "out.nc"
    assert run(path, "--relabel", "stephens", "--to", out, "--weights", "w")[0] == 0
    p = relabel.memberships(tree, tree["observed_data/y"].to_numpy(), weights="w")
    xr.testing.assert_identical(load(out), relabel.relabel(tree, "stephens", probabilities=p))


def test_relabelled_twice(here, run):
    outs = here.with_name("one.nc"), here.with_name("two.zarr")
    assert run(here, "--relabel", "pra", "--to", outs[0])[0] == 0
    assert run(outs[0], "--relabel", "order", "--to", outs[1])[0] == 0
    assert load(outs[1])["posterior/permutation"].attrs["after"] == "pra"


def test_a_warning_of_relabel_is_a_line_and_names_the_option(tmp_path, run):
    tree = trace(means=swap(TWO, 3))
    tree["posterior"] = xr.DataTree(tree["posterior"].to_dataset().assign(w=((*DIMS[:2], "w_dim_0"), swap(TWO, 3))))
    path = save(tree, tmp_path / "trace.nc")
    order = ["--relabel", "order", "--to", tmp_path / "out.nc", "--overwrite"]
    status, _, err = run(path, *order)
    assert status == 0 and err.count("\n") == 1
    assert err.startswith(f"{PROG}: warning: w stays") and err.endswith("in --dim\n")
    assert run(path, *order, "--dim", "component", "--dim", "w_dim_0")[::2] == (0, "")
    assert (np.diff(load(tmp_path / "out.nc")["posterior/w"]) > 0).mean() > 0.99


def text(path):
    path.write_text("means,1,2\n")


def png(path):
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200))


def truncated(path):
    whole = save(FULL, path.with_name("whole.nc")).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def folder(path):
    path.mkdir()
    (path / "notes.txt").write_text("none")


def no_posterior(path):
    save(xr.DataTree.from_dict({"prior": xr.Dataset({"means": 1.0})}), path)


FOREIGN = {
    "missing": ("trace.nc", lambda path: None, "No such file"),
    "missing zarr": ("none/trace.zarr", lambda path: None, "No such file"),
    "text": ("trace.nc", text, "signature"),
    "empty": ("trace.nc", Path.touch, "signature"),
    "PNG": ("trace.png", png, "signature"),
    "truncated": ("trace.nc", truncated, "truncated"),
    "netCDF of version 3": ("trace.nc", lambda path: xr.Dataset({"a": 1}).to_netcdf(path, engine="scipy"), "signature"),
    "a directory": ("trace.zarr", folder, "No group found"),
    "netCDF without a posterior": ("trace.nc", no_posterior, "expected a group posterior, got groups prior"),
    "zarr without a posterior": ("trace.zarr", no_posterior, "expected a group posterior, got groups prior"),
    "a dataset": ("trace.nc", lambda path: save(FULL["posterior"].to_dataset(), path), "posterior, got groups none"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_what_is_no_trace_is_refused_by_name(kind, tmp_path, refused):
    name, make, says = FOREIGN[kind]
    make(tmp_path / name)
    line = refused(tmp_path / name)
    assert line.startswith(f"{PROG}: {tmp_path / name}: expected") and says in line


def test_what_may_not_be_read_is_refused(here, monkeypatch, refused):
    # not by chmod, which root does not heed
    def denied(path, mode):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", denied)
    assert refused(here) == f"{PROG}: {here}: expected a trace that ArviZ saved as netCDF or zarr (Permission denied)\n"


ORDER = ["--relabel", "order", "--to", "out.nc"]
STEPHENS = ["--relabel", "stephens", "--to", "out.nc"]
USAGE = {
    "variable": (["--var", "mu"], "--var: expected a variable with dim 'component' (means, sd), got 'mu'"),
    "variable without the dim": (["--var", "z"], "with dim 'component' (means, sd), got 'z'"),
    "dim": (["--dim", "k"], "--dim: expected a dim of the posterior (component, obs), got 'k'"),
    "dim of draws": (["--dim", "draw"], "--dim: expected a dim of the posterior"),
    "method": (["--relabel", "sort", "--to", "out.nc"], "--relabel: invalid choice: 'sort'"),
    "relabel alone": (["--relabel", "order"], "--relabel METHOD and --to OUT: expected both or neither"),
    "to alone": (["--to", "out.nc"], "--relabel METHOD and --to OUT: expected both or neither"),
    "suffix": (["--relabel", "order", "--to", "out.csv"], "--to out.csv: expected a name that ends in .nc or .zarr"),
    "no directory": (["--relabel", "order", "--to", "none/out.nc"], "--to none/out.nc: expected a directory"),
    "no allocations": (["--relabel", "ecr", "--to", "out.nc"], "--allocations: expected"),
    "allocations": ([*ORDER, "--allocations", "y"], "--allocations: expected a variable of the posterior"),
    "data": ([*STEPHENS, "--data", "x"], "--data: expected a variable of observed_data (y), got 'x'"),
    "sigma": ([*STEPHENS, "--sigma", "0"], "--sigma: expected positive"),
    "sigma's name": ([*STEPHENS, "--sigma", "scale"], "--sigma: expected a variable of the posterior"),
    "no number": ([*STEPHENS, "--sigma", "1x"], "--sigma: expected a variable of the posterior"),
    "weights": ([*STEPHENS, "--weights", "sd"], "--weights: expected numbers >= 0 that sum to 1"),
    "data for another": ([*ORDER, "--data", "y"], "--data: expected only with --relabel stephens"),
    "sigma without any": (["--sigma", "1"], "--sigma: expected only with --relabel stephens"),
    "option": (["--no-such-option"], "unrecognized arguments: --no-such-option"),
}


@pytest.mark.parametrize("case", USAGE)
def test_wrong_usage_is_refused_by_name(case, here, monkeypatch, refused):
    monkeypatch.chdir(here.parent)
    options, says = USAGE[case]
    assert says in refused("trace.nc", *options)
    assert [*here.parent.iterdir()] == [here]


def test_no_observations_and_several(tmp_path, refused):
    path = save(VERDICTS[BETWEEN][0], tmp_path / "trace.nc")
    assert "--data: expected a variable of observed_data (none), got None" in refused(path, *STEPHENS)
    tree = FULL.copy()
    tree["observed_data"] = xr.DataTree(xr.Dataset({"x": ("obs", [1.0]), "y": ("obs", [1.0])}))
    path = save(tree, tmp_path / "several.nc")
    assert "--data: expected a variable of observed_data (x, y), got None" in refused(path, *STEPHENS)


def test_a_trace_that_is_too_short(tmp_path, refused):
    path = save(trace(means=TWO[:, :3]), tmp_path / "trace.nc")
    assert f"{path}: cannot be diagnosed (tree: expected at least 1 chain of 4 draws" in refused(path)


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_nothing_is_overwritten_unless_asked_for(suffix, here, run, refused):
    out = save(VERDICTS[NONE][0], here.with_name(f"out{suffix}"))
    before = contents(here.parent)
    assert f"--to {out}: exists; --overwrite would replace it" in refused(here, "--relabel", "order", "--to", out)
    assert contents(here.parent) == before
    assert run(here, "--relabel", "order", "--to", out, "--overwrite")[0] == 0
    xr.testing.assert_identical(load(out), relabel.relabel(FULL))
    assert {*here.parent.iterdir()} == {here, out}


def test_the_trace_itself_may_be_overwritten(saved, run, refused):
    link = saved.with_name(f"link{saved.suffix}")
    link.symlink_to(saved.name)
    before = contents(saved.parent)
    for out in (saved, saved.parent / ".." / saved.parent.name / saved.name, link):
        assert "is TRACE; --overwrite would replace it" in refused(saved, "--relabel", "order", "--to", out)
    assert contents(saved.parent) == before
    assert run(saved, "--relabel", "order", "--to", link, "--overwrite")[0] == 0
    xr.testing.assert_identical(load(saved), relabel.relabel(FULL))
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
    assert "expected a place not within TRACE" in refused(path, "--relabel", "order", "--to", path / "out.nc")
    line = refused(path / "posterior", "--relabel", "order", "--to", path, "--overwrite")
    assert "expected a place not within TRACE, nor around it" in line


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_in_writing_leaves_all_as_it_was(error, there, suffix, here, monkeypatch, run):
    out = here.with_name(f"out{suffix}")
    if there:
        save(VERDICTS[NONE][0], out)
    before = contents(here.parent)

    def half(tree, path, **options):
        path.mkdir() if suffix == ".zarr" else path.write_bytes(b"half")
        raise error

    monkeypatch.setattr(xr.DataTree, "to_zarr" if suffix == ".zarr" else "to_netcdf", half)
    status, _, err = run(here, "--relabel", "order", "--to", out, "--overwrite")
    if isinstance(error, KeyboardInterrupt):
        assert (status, err) == (130, "")
    else:
        assert (status, err) == (2, f"{PROG}: --to {out}: cannot be written (No space left on device)\n")
    assert contents(here.parent) == before


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_a_failure_in_the_last_step_leaves_all_as_it_was(suffix, here, monkeypatch, refused):
    out = save(VERDICTS[NONE][0], here.with_name(f"out{suffix}"))
    before = contents(here.parent)

    def fail(path, target):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "replace", fail)
    assert "cannot be written (Input/output error)" in refused(here, "--relabel", "order", "--to", out, "--overwrite")
    assert contents(here.parent) == before


def test_what_appears_meanwhile_is_not_overwritten(here, monkeypatch, refused):
    out, write = here.with_name("out.nc"), xr.DataTree.to_netcdf

    def meanwhile(tree, path, **options):
        out.write_text("from elsewhere")
        write(tree, path, **options)

    monkeypatch.setattr(xr.DataTree, "to_netcdf", meanwhile)
    assert "exists; --overwrite would replace it" in refused(here, "--relabel", "order", "--to", out)
    assert out.read_text() == "from elsewhere" and {*here.parent.iterdir()} == {here, out}


def test_interrupted(here, monkeypatch, run):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(switching, "diagnose", interrupt)
    assert run(here) == (130, "", "")


def test_help_shows_every_status(run):
    status, out, err = run("--help")
    assert (status, err) == (0, "")
    assert all(f"\n  {number}  {verdict}\n" in out for verdict, number in STATUS.items())
    assert all(line in out for line in ("--var NAME", "--relabel METHOD", "--overwrite", "\n  2  wrong usage"))


def test_without_arguments_it_helps(capsys):
    assert main([]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith(f"usage: {PROG} ") and "diagnose" in err


def process(*argv, **options):
    return subprocess.run([sys.executable, *map(str, argv)], stderr=subprocess.PIPE, text=True, check=False, **options)


def test_from_a_terminal(here):
    out = here.with_name("out.zarr")
    argv = ("-m", "mixtures", "diagnose", here, "--relabel", "order", "--to", out)
    ran = process(*argv, stdout=subprocess.PIPE)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("Switching between chains. ") and "\nNo sign of switching. " in ran.stdout


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
