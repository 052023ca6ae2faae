"""What other tools left of real runs, under the tools' own names; traces/README.md says how."""

import json
import re
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from mixtures import relabel, reshape, switching, trace
from mixtures.__main__ import main
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

TRACES = Path(__file__).parent / "traces"
Y = np.loadtxt(TRACES / "points.csv", skiprows=1)
CD = ("chain", "draw")
# mean and standard deviation of the posterior, from 80,000 draws, the lower mean first
REFERENCE = {
    "mu": ([-2.0405, 2.6719], [0.109, 0.419]),
    "sigma": ([0.6658, 1.8157], [0.090, 0.322]),
    "theta": ([0.5833, 0.4167], [0.061, 0.061])}
NUMBERED = ["mu_dim_0", "sigma_dim_0", "theta_dim_0"]


@cache
def brms():
    """Return the draws as brms names them."""
    rows = pd.read_csv(TRACES / "brms.csv", index_col=[".chain", ".iteration"])
    return rows.rename_axis(["chain", "draw"]).to_xarray()


BY_BRMS = {
    "mu": ["b_mu1_Intercept", "b_mu2_Intercept"], "sigma": ["sigma1", "sigma2"],
    "theta": ["theta1", "theta2"]}
# a trace, and its dims of components
TOOLS = {
    "NumPyro": lambda: (TRACES / "numpyro.nc", NUMBERED),
    "CmdStan": lambda: (TRACES / "cmdstan.nc", NUMBERED),
    "PyStan": lambda: (TRACES / "pystan.nc", NUMBERED),
    "brms": lambda: (reshape.stack(brms(), **BY_BRMS), ["component"])}

def right(posterior):
    """Tell whether the draws by component are those of the reference."""
    for name, (mean, sd) in REFERENCE.items():
        found = posterior[name].mean(CD).to_numpy()
        # of 200 draws, and an exchange is several standard deviations
        assert (np.abs(found - mean) < 0.3 * np.array(sd)).all(), (name, found)


@pytest.mark.parametrize("tool", TOOLS)
def test_each_is_diagnosed(tool):
    tree, dims = TOOLS[tool]()
    assert switching.diagnose(tree, "mu", dims).verdict == switching.BETWEEN


@pytest.mark.parametrize("name", ["mu", "sigma"])
@pytest.mark.parametrize("tool", TOOLS)
def test_means_and_scales_say_so_by_themselves(tool, name):
    tree, dims = TOOLS[tool]()
    only = trace.posterior_of(tree)[[name]]
    own = [dim for dim in dims if dim in only.dims]
    assert switching.diagnose(only, name, own).verdict == switching.BETWEEN


@pytest.mark.parametrize("tool", TOOLS)
def test_their_chains_are_on_different_sides(tool):
    tree, _ = TOOLS[tool]()
    mu = trace.posterior_of(tree)["mu"].mean("draw").to_numpy()
    assert (mu[0, 0] < mu[0, 1]) != (mu[1, 0] < mu[1, 1])


@pytest.mark.parametrize("method", ["order", "pra", "stephens"])
@pytest.mark.parametrize("tool", TOOLS)
def test_each_is_relabelled(tool, method):
    tree, dims = TOOLS[tool]()
    usual = {"component_dim": dims, "leave": "z" if tool == "CmdStan" else ()}
    more = {"var_name": "mu"}
    if method == "pra":
        more = {"var_name": [*REFERENCE], "pivot": {n: m for n, (m, _) in REFERENCE.items()}}
    if method == "stephens":
        more = {"probabilities": relabel.memberships(
            tree, Y, means="mu", weights="theta", component_dim=dims)}
    with warnings.catch_warnings(action="error"):
        new = trace.posterior_of(relabel.relabel(tree, method, **usual | more))
    if method == "stephens" and new["mu"][0, 0, 0] > new["mu"][0, 0, 1]:
        # its order is that of a draw
        new = new.isel({dim: [1, 0] for dim in dims})
    right(new)
    assert switching.diagnose(new[["mu"]], "mu", dims[0]).verdict == switching.NONE


@pytest.mark.parametrize("tool", TOOLS)
def test_memberships_are_those_of_the_formula(tool):
    tree, dims = TOOLS[tool]()
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        new = relabel.relabel(tree, var_name="mu", component_dim=dims)
    found = relabel.memberships(new, Y, means="mu", weights="theta", component_dim=dims)
    mu, sigma, theta = (
        trace.posterior_of(tree)[name].to_numpy().astype(float) for name in REFERENCE)
    order = np.argsort(mu, axis=2)
    mu, sigma, theta = (np.take_along_axis(v, order, axis=2) for v in (mu, sigma, theta))
    each = theta[:, :, None] * stats.norm.pdf(Y[:, None], mu[:, :, None], sigma[:, :, None])
    assert_allclose(found, each / each.sum(axis=3, keepdims=True), atol=2e-5)
    assert found.dims[2:] == ("obs", dims[0])


def test_stans_labels_are_relabelled_with_the_components():
    new = relabel.relabel(
        TRACES / "cmdstan.nc", var_name="mu", component_dim=NUMBERED, allocations="z")
    p = relabel.memberships(new, Y, means="mu", weights="theta", component_dim=NUMBERED)
    second = p.mean(CD).isel(mu_dim_0=1).to_numpy()
    # of 200 draws
    assert_allclose((new.posterior["z"] == 2).mean(CD), second, atol=0.15)
    assert {*np.unique(new.posterior["z"])} == {1, 2}


def test_stans_labels_are_told_of():
    with pytest.warns(UserWarning, match="^z stays as it is; .* say allocations='z'$"):
        relabel.relabel(TRACES / "cmdstan.nc", var_name="mu", component_dim=NUMBERED)


@pytest.mark.parametrize("method", ["ecr", "ecr-iterative"])
def test_stans_labels_are_what_ecr_goes_by(method):
    new = relabel.relabel(
        TRACES / "cmdstan.nc", method, component_dim=NUMBERED, allocations="z").posterior
    assert switching.diagnose(new, "mu", NUMBERED).verdict == switching.NONE


@pytest.mark.parametrize("tool", ["NumPyro", "CmdStan"])
def test_the_draw_with_the_highest_log_density_is_found(tool):
    """NumPyro and Stan keep densities of unbounded parameters; near the best all are alike."""
    tree = trace.tree_of(TOOLS[tool]()[0])
    mu, sigma, theta = (tree.posterior[name].to_numpy().astype(float) for name in REFERENCE)
    each = theta[:, :, None] * stats.norm.pdf(Y[:, None], mu[:, :, None], sigma[:, :, None])
    log_density = np.log(each.sum(axis=3)).sum(axis=2) + (
        stats.norm.logpdf(mu, 0, 5) + stats.norm.logpdf(sigma, 0, 2) + np.log(sigma)
        + 2 * np.log(theta)).sum(axis=2)
    assert trace.best_draw(tree) == log_density.argmax()


def test_one_variable_per_component_is_refused_with_what_to_type():
    with pytest.raises(ValueError, match=r"reshape\.stack\(tree, "):
        switching.diagnose(brms(), "sigma1")
    # what is left behind is named
    with pytest.warns(UserWarning, match="as they are") as seen:
        relabel.relabel(reshape.stack(brms(), mu=BY_BRMS["mu"]), var_name="mu")
    said = " ".join(str(one.message) for one in seen)
    assert "sigma1, sigma2 stay" in said and "theta1, theta2 stay" in said


def test_the_means_of_brms_are_told_of_when_left_behind():
    some = reshape.stack(brms(), sigma=BY_BRMS["sigma"], theta=BY_BRMS["theta"])
    with pytest.warns(UserWarning, match="b_mu1_Intercept, b_mu2_Intercept"):
        relabel.relabel(some, var_name="sigma")


# the command


def save(tree, path):
    tree.to_netcdf(path, engine="h5netcdf")
    return path


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("method", ["order", "stephens"])
def test_the_command_relabels_each(tool, method, tmp_path, capsys):
    tree, dims = TOOLS[tool]()
    data = xr.Dataset({"y": ("obs", Y)})
    if not isinstance(tree, Path):
        tree = save(tree.assign({"observed_data": xr.DataTree(data)}), tmp_path / "made.nc")
    argv = ["diagnose", str(tree), "--var", "mu"]
    argv += [one for dim in dims for one in ("--dim", dim)]
    argv += ["--allocations", "z"] * (tool == "CmdStan")
    assert main(argv[:4 + 2 * len(dims)]) == 1
    assert capsys.readouterr().out.startswith("Switching between chains.")
    more = ["--data", "y", "--weights", "theta"] if method == "stephens" else []
    to = tmp_path / "named.nc"
    assert main([*argv, "--relabel", method, *more, "--to", str(to)]) == 0
    new = trace.posterior_of(to)
    if method == "order":
        right(new)
    assert np.ptp(new["mu"].mean("draw").to_numpy(), axis=0).max() < 0.5
    said = capsys.readouterr()
    assert said.err == "" and "No sign of switching." in said.out


@pytest.mark.parametrize("left", ["sigma", "theta"])
def test_the_command_says_that_a_numbered_dim_was_not_named(left, tmp_path, capsys):
    named = [one for dim in NUMBERED if left not in dim for one in ("--dim", dim)]
    status = main([
        "diagnose", str(TRACES / "cmdstan.nc"), "--var", "mu", *named, "--allocations", "z",
        "--relabel", "order", "--to", str(tmp_path / "named.nc")])
    says = f"{left} stays as it is; if its dim '{left}_dim_0' counts the components"
    assert status == 1 and says in capsys.readouterr().err


# the published draws of two posteriors


@cache
def published(model):
    """Return what posteriordb has of a posterior: draws under its names, and means."""
    kept = json.loads((TRACES / f"posteriordb-{model}.json").read_text())
    draws = {n: (CD, np.array([c[n] for c in kept["draws"]])) for n in kept["draws"][0]}
    means = kept["published"]
    return xr.Dataset(draws), dict(zip(means["names"], means["mean_value"], strict=True)), kept["y"]


@pytest.mark.parametrize("model", ["low_dim_gauss_mix", "hmm_example"])
def test_the_draws_have_the_published_means(model):
    draws, means, _ = published(model)
    assert {*draws.data_vars} == {*means} and dict(draws.sizes) == {"chain": 10, "draw": 40}
    for name, mean in means.items():
        error = float(draws[name].std()) / 400**0.5
        assert float(draws[name].mean()) == pytest.approx(mean, abs=4 * error)


PAIRS = {
    "low_dim_gauss_mix": [("mu[1]", "mu[2]"), ("sigma[1]", "sigma[2]")],
    "hmm_example": [
        ("mu[1]", "mu[2]"), ("theta1[1]", "theta2[2]"), ("theta1[2]", "theta2[1]")]}


def exchanged(model, seed):
    """Return the published draws with the components of some chains exchanged."""
    draws, _, _ = published(model)
    swap = xr.DataArray(np.arange(10) < 2 + seed, dims="chain")[
        np.random.default_rng(seed).permutation(10)]
    new = {}
    for one, other in PAIRS[model]:
        new[one] = xr.where(swap, draws[other], draws[one])
        new[other] = xr.where(swap, draws[one], draws[other])
    if model == "low_dim_gauss_mix":
        new["theta"] = xr.where(swap, 1 - draws["theta"], draws["theta"])
    return draws, draws.assign(new)


def gauss(draws):
    two = {name: [f"{name}[1]", f"{name}[2]"] for name in ("mu", "sigma")}
    return reshape.complete(reshape.stack(draws, **two), "theta")


def hmm(draws):
    """Return the rows of a transition matrix as one variable, and then the states' means."""
    rows = {name: [f"{name}[1]", f"{name}[2]"] for name in ("theta1", "theta2")}
    return reshape.stack(
        reshape.stack(draws, "to", **rows), "state", mu=["mu[1]", "mu[2]"], P=[*rows])


SHAPED = {
    "low_dim_gauss_mix": (gauss, ["component"], ["mu", "sigma", "theta"]),
    "hmm_example": (hmm, ["state", "to"], ["mu", "P"])}


@pytest.mark.parametrize("model", SHAPED)
def test_published_draws_are_no_switching(model):
    shaped, dims, _ = SHAPED[model]
    found = switching.diagnose(shaped(published(model)[0]), "mu", dims)
    assert found.verdict == switching.NONE
    assert not any("as it is" in line or "left out" in line for line in found.evidence)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("model", SHAPED)
def test_exchanged_components_come_back_exactly(model, seed):
    shaped, dims, names = SHAPED[model]
    old, new = (shaped(one) for one in exchanged(model, seed))
    found = switching.diagnose(new, "mu", dims)
    assert found.verdict == switching.BETWEEN
    assert f" {max(8 - seed, 2 + seed)}-{min(8 - seed, 2 + seed)} split" in found.summary
    with warnings.catch_warnings(action="error"):
        back = trace.posterior_of(relabel.relabel(new, var_name="mu", component_dim=dims))
    for name in names:
        exact = name != "theta"
        assert not np.allclose(new.posterior[name], old.posterior[name])
        # one minus a rounded share, twice
        assert_allclose(back[name], old.posterior[name], rtol=0, atol=0 if exact else 1e-15)
    assert switching.diagnose(back, "mu", dims).verdict == switching.NONE


def test_memberships_of_published_draws():
    draws, _, y = published("low_dim_gauss_mix")
    y = np.array(y)
    p = relabel.memberships(gauss(draws), y, means="mu", weights="theta")
    v = {name: draws[name].to_numpy()[:, :, None] for name in draws.data_vars}
    first = v["theta"] * stats.norm.pdf(y, v["mu[1]"], v["sigma[1]"])
    second = (1 - v["theta"]) * stats.norm.pdf(y, v["mu[2]"], v["sigma[2]"])
    assert_allclose(p[..., 0], first / (first + second), atol=1e-12)
    # the two lie five standard deviations apart
    assert_array_equal(p.mean(CD).argmax("component"), y > 0.2)


def test_a_transition_matrix_whose_columns_stay_is_told_of():
    _, new = exchanged("hmm_example", 1)
    with pytest.warns(UserWarning, match=re.escape("component_dim=['state', 'to']")):
        relabel.relabel(hmm(new), var_name="mu", component_dim="state")


def test_a_transition_matrix_with_numbered_dims_comes_back_exactly():
    """As ArviZ reads a program that has an array of simplexes."""
    old, new = (hmm(one).posterior for one in exchanged("hmm_example", 2))
    numbered = xr.Dataset({
        "mu": new["mu"].rename(state="mu_dim_0"),
        "theta": new["P"].rename(state="theta_dim_0", to="theta_dim_1")})
    dims = ["mu_dim_0", "theta_dim_0", "theta_dim_1"]
    assert switching.diagnose(numbered, "mu", dims).verdict == switching.BETWEEN
    back = relabel.relabel(numbered, var_name="mu", component_dim=dims).posterior
    assert_array_equal(back["mu"], old["mu"])
    assert_array_equal(back["theta"], old["P"])


def test_a_variable_for_each_component_alone_is_told_of_with_its_names(tmp_path, capsys):
    with pytest.raises(ValueError, match=re.escape(
            "reshape.stack(tree, b_mu_Intercept=['b_mu1_Intercept', 'b_mu2_Intercept'])")):
        relabel.relabel(brms(), var_name="sigma1")
    path = save(xr.DataTree.from_dict({"posterior": brms()}), tmp_path / "made.nc")
    with pytest.raises(SystemExit):
        main(["diagnose", str(path)])
    assert "--stack b_mu_Intercept=b_mu1_Intercept,b_mu2_Intercept" in capsys.readouterr().err
    # and typed so, it goes on
    stacked = [one for name, parts in BY_BRMS.items()
               for one in ("--stack", f"{name}={','.join(parts)}")]
    argv = ["diagnose", str(path), *stacked, "--var", "mu"]
    assert main(argv) == 1
    assert main([*argv, "--relabel", "order", "--to", str(tmp_path / "named.nc")]) == 0
    right(trace.posterior_of(tmp_path / "named.nc"))


def test_the_best_draw_is_found_where_the_density_is_a_parameter():
    shaped = reshape.stack(brms(), **BY_BRMS)
    new = relabel.relabel(shaped, "pra", var_name=["mu", "sigma"]).posterior
    assert switching.diagnose(new, "mu").verdict == switching.NONE


def test_rows_of_a_transition_matrix_with_a_dim_each_are_told_of():
    """As ArviZ reads a program that has a simplex for each row; rows do not change places."""
    old, new = exchanged("hmm_example", 1)
    matrix = hmm(new).posterior
    numbered = xr.Dataset({"mu": matrix["mu"].rename(state="mu_dim_0")} | {
        f"theta{k + 1}": matrix["P"].isel(state=k).rename(to=f"theta{k + 1}_dim_0")
        for k in range(2)})
    dims = ["mu_dim_0", "theta1_dim_0", "theta2_dim_0"]
    with pytest.warns(UserWarning, match="^theta1 and theta2 are shares, .* both dims") as told:
        relabel.relabel(numbered, var_name="mu", component_dim=dims)
    typed = re.search(r"reshape\.stack.*$", str(told[0].message))[0]
    shaped = eval(typed, {"reshape": reshape, "tree": numbered})
    dims = ["mu_dim_0", "state", "P_dim_0"]
    with warnings.catch_warnings(action="error"):
        back = relabel.relabel(shaped, var_name="mu", component_dim=dims).posterior
    assert_array_equal(back["P"], hmm(old).posterior["P"])
