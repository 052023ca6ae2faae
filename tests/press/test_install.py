"""The package without the book: what it brings, what works with that, what asks for more."""

import json
import subprocess
import sys
import tarfile
import venv
import zipfile

import numpy as np
import pytest
import xarray as xr
from checkout import ROOT
from mixtures import relabel, switching

pytestmark = pytest.mark.slow

# what the package needs, and what these need, on one system or another
NEEDS = {"arviz-stats", "h5netcdf", "h5py", "numpy", "scipy", "xarray"}
THEIRS = {"packaging", "pandas", "python-dateutil", "six", "tzdata"}


def ran(python, *argv, **options):
    """Run Python, with nothing on its path that is not installed."""
    return subprocess.run(
        [python, "-I", *map(str, argv)], capture_output=True, text=True, check=False, **options
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Return the wheel and the source distribution, built as for a release."""
    folder = tmp_path_factory.mktemp("built")
    build = ran(sys.executable, "-m", "hatchling", "build", "-d", folder, cwd=ROOT / "code")
    assert build.returncode == 0, build.stderr
    (wheel,), (source,) = folder.glob("*.whl"), folder.glob("which_component-*.tar.gz")
    return wheel, source


@pytest.fixture(scope="module")
def bare(built, tmp_path_factory):
    """Return the Python of a fresh environment with the package alone, as it is pinned."""
    folder = tmp_path_factory.mktemp("bare")
    pins = [
        line
        for line in (ROOT / "requirements.txt").read_text("utf-8").splitlines()
        if not line.startswith("-e")
    ]
    (folder / "pins.txt").write_text("\n".join(pins), "utf-8")
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv/bin/python"
    install = ran(
        python, "-m", "pip", "install", "--quiet", "--constraint", folder / "pins.txt", built[0]
    )
    assert install.returncode == 0, install.stderr
    return python


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Return a saved trace of which one chain has its labels exchanged, and the trace."""
    rng = np.random.default_rng(0)
    means = np.array([-2.0, 2.0]) + 0.2 * rng.normal(size=(4, 300, 2))
    means[3] = means[3, :, ::-1].copy()
    dims = ("chain", "draw", "component")
    groups = {
        "posterior": xr.Dataset({"means": (dims, means)}),
        "observed_data": xr.Dataset({"y": ("obs", rng.normal(0, 2, 30))}),
    }
    tree = xr.DataTree.from_dict(groups)
    path = tmp_path_factory.mktemp("saved") / "trace.nc"
    tree.to_netcdf(path, engine="h5netcdf")
    return path, tree


def test_wheel_and_source_hold_the_licence_of_the_code(built):
    wheel, source = built
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("/licenses/LICENSE")]
        texts = [archive.read(name).decode()]
    with tarfile.open(source) as archive:
        (name,) = [name for name in archive.getnames() if name.endswith("/LICENSE")]
        texts.append(archive.extractfile(name).read().decode())
    ours = (
        (ROOT / "LICENSE")
        .read_text("utf-8")
        .split("1. The code: MIT License\n\n")[1]
        .split("\n\n---")[0]
    )
    assert texts == [f"MIT License\n\n{ours}\n"] * 2


def test_nothing_comes_along_that_is_not_needed(bare):
    listed = json.loads(ran(bare, "-m", "pip", "list", "--format", "json").stdout)
    names = {one["name"].lower() for one in listed} - {"pip", "which-component"}
    assert NEEDS <= names <= NEEDS | THEIRS
    assert ran(bare, "-m", "pip", "check").returncode == 0


@pytest.mark.parametrize("method", ["order", "stephens"])
def test_the_command_diagnoses_and_relabels_a_saved_trace(bare, saved, method, tmp_path):
    path, tree = saved
    out = tmp_path / "out.nc"
    known = ("--sigma", "1", "--weights", "equal") if method == "stephens" else ()
    argv = ("-m", "mixtures", "diagnose", path, "--relabel", method, "--to", out)
    there = ran(bare, *argv, *known)
    assert (there.returncode, there.stderr) == (0, "")
    assert (
        there.stdout.startswith(f"{switching.diagnose(tree)}\n")
        and "\nNo sign of switching. " in there.stdout
    )
    p = (
        relabel.memberships(tree, tree["observed_data/y"].to_numpy(), sigma=1, weights=[0.5, 0.5])
        if method == "stephens"
        else None
    )
    with xr.open_datatree(out, engine="h5netcdf") as found:
        xr.testing.assert_equal(
            found["posterior"].to_dataset(),
            relabel.relabel(tree, method, probabilities=p)["posterior"].to_dataset(),
        )


def test_traces_in_memory_are_diagnosed_and_relabelled(bare, saved):
    code = f"""
import warnings; warnings.simplefilter("error")
import mixtures.switching, mixtures.relabel, mixtures.exact, xarray
from mixtures import data, relabel, switching
tree = xarray.open_datatree({str(saved[0])!r}, engine="h5netcdf").load()
y = tree["observed_data/y"].to_numpy()
p = relabel.memberships(tree, y, sigma=1, weights=[0.5, 0.5])
done = relabel.relabel(tree, "stephens", probabilities=p)
print(switching.diagnose(tree).verdict, switching.diagnose(done).verdict)
print(mixtures.exact.barrier(data.simulate(8)) > 5)
"""
    told = ran(bare, "-c", code)
    assert told.stdout == "switching between chains no sign of switching\nTrue\n", told.stderr


EXTRAS = {
    "models": "pymc",
    "transforms": "pymc",
    "sampling": "pymc",
    "variational": "pymc",
    "switching.law": "pymc",
    "census": "pymc",
    "plots": "chapters",
    "claims": "chapters",
    "film": "chapters",
}


@pytest.mark.parametrize("module", EXTRAS)
def test_what_needs_more_names_the_extra(bare, module):
    told = ran(bare, "-c", f"import mixtures.{module}")
    assert told.returncode == 1
    assert (
        f"pip install 'which-component[{EXTRAS[module]}]' brings it" in told.stderr.splitlines()[-1]
    )


def test_zarr_is_an_extra_and_named(bare, saved, tmp_path):
    path, _ = saved
    (tmp_path / "trace.zarr").mkdir()
    for argv in (
        (tmp_path / "trace.zarr",),
        (path, "--relabel", "order", "--to", tmp_path / "out.zarr"),
    ):
        told = ran(bare, "-m", "mixtures", "diagnose", *argv)
        assert (
            told.returncode == 2
            and "which-component[zarr]" in told.stderr
            and told.stderr.count("\n") == 1
        )
