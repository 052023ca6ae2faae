"""Relabelling a whole trace: all that has labels goes along; memberships; and what is refused."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from mixtures import checks, relabel
from numpy.testing import assert_allclose, assert_array_equal
from planted import compose, soft, some_perm, some_probabilities
from scipy.special import rel_entr
from scipy.stats import multivariate_normal, norm, poisson

DIMS = ("chain", "draw", "component")
OTHERS = ["move", "turned", "z"]
PRIORS = ("prior", "prior_predictive", "sample_stats_prior", "warmup_posterior")

# a whole trace


def trace(n_component=3, extra=True):
    """Return a trace whose values tell which component they were made for, and its switches."""
    rng = np.random.default_rng(0)
    switch = some_perm(rng, 2 * 50, n_component)
    means = np.arange(n_component) * 5.0 + rng.normal(0, 0.1, (100, n_component))
    points = rng.permutation(np.arange(12) % n_component)
    z = relabel.apply_to_allocations(np.tile(points, (100, 1)), switch)
    ids = relabel.apply(np.tile(np.arange(n_component), (100, 1)), switch)
    move = 10 * ids[:, :, None] + ids[:, None, :]

    def shaped(a):
        return a.reshape(2, 50, *a.shape[1:])

    names = [f"c{k}" for k in range(n_component)]
    coords = {"chain": [3, 7], "draw": np.arange(50) * 2, "component": names}
    turned = shaped(np.stack([ids, -ids], 2)).transpose(2, 3, 1, 0)
    moved = shaped(move).transpose(0, 3, 1, 2).astype(np.int8)
    posterior = xr.Dataset(
        {
            "means": (DIMS, shaped(relabel.apply(means, switch)), {"units": "m"}),
            "turned": (("component", "other", "draw", "chain"), turned),
            "move": (("chain", "to", "draw", "component"), moved),
            "z": (("chain", "obs", "draw"), shaped(z).transpose(0, 2, 1).astype(np.int16)),
            "p": (("chain", "draw", "obs", "component"), shaped(soft(z, n_component))),
            "total": (("chain", "draw"), shaped(means.sum(axis=1))),
        },
        coords, {"created_by": "a test"},
    )
    lp = np.zeros((2, 50))
    lp[1, 20] = 1
    stats = xr.Dataset({"lp": (("draw", "chain"), lp.T)}, {k: coords[k] for k in ("chain", "draw")})
    priors = posterior[["means"]].copy(deep=True)
    data = xr.Dataset({"x": ("obs", np.zeros(12))})
    groups = {"posterior": posterior, "sample_stats": stats, "observed_data": data}
    if extra:
        groups |= {
            "log_prior": posterior[["means"]] * 1.0,
            "posterior_predictive": posterior[["z", "turned"]].copy(deep=True),
            **dict.fromkeys(PRIORS, priors),
            "constant_data": xr.Dataset({"c": ("component", np.arange(n_component))}),
            "predictions": posterior[["means"]].isel(draw=slice(10)),
        }
    return xr.DataTree.from_dict(groups, name="a tree"), switch, means, points


WAYS = {
    "order": {},
    "pra": {"var_name": ["means"], "pivot": {"means": [0.0, 5.0, 10.0]}},
    "ecr": {"pivot": "points"},
    "ecr-iterative": {},
    "stephens": {"probabilities": "p"},
    "pra from the best draw": {"method": "pra"},
    "ecr from the best draw": {"method": "ecr"},
}


@pytest.mark.parametrize("way", WAYS)
def test_everything_in_a_trace_is_relabelled_alike(way):
    tree, switch, means, points = trace()
    before = tree.copy(deep=True)
    arguments = {"method": way} | WAYS[way]
    if isinstance(arguments.get("pivot"), str):
        arguments["pivot"] = points
    result = relabel.relabel(tree, component_dim=["component", "to"], allocations="z", **arguments)
    xr.testing.assert_identical(tree, before)
    assert result.name == "a tree" and set(result.children) == set(tree.children)
    kept = result.posterior["permutation"]
    assert kept.dims == ("chain", "draw", "component")
    perm = kept.to_numpy().reshape(100, 3)
    left = compose(switch, perm)
    assert_array_equal(left, np.tile(left[0], (100, 1)))
    if way in ("order", "pra", "ecr"):
        assert_array_equal(left[0], [0, 1, 2])
    ids = left[0]
    after = result.posterior
    assert_array_equal(after["means"].to_numpy().reshape(100, 3), means[:, ids])
    assert (after["turned"].isel(other=0).transpose(..., "component").to_numpy() == ids).all()
    assert (after["turned"].isel(other=1).transpose(..., "component").to_numpy() == -ids).all()
    move = after["move"].transpose("chain", "draw", "component", "to").to_numpy()
    assert (move == 10 * ids[:, None] + ids).all()
    z = after["z"].transpose("chain", "draw", "obs").to_numpy()
    assert (ids[z] == points).all()
    assert (after["p"].argmax("component").to_numpy() == z).all()
    xr.testing.assert_identical(after["total"], tree.posterior["total"])
    for name in tree.posterior.data_vars:
        for what in ("dims", "dtype", "attrs", "name"):
            assert getattr(after[name], what) == getattr(tree.posterior[name], what)
    for name, coord in tree.posterior.coords.items():
        xr.testing.assert_identical(after.coords[name], coord)
    assert after.attrs == tree.posterior.attrs
    xr.testing.assert_equal(result["log_prior/means"], after["means"])
    xr.testing.assert_equal(result["posterior_predictive/z"], after["z"])
    xr.testing.assert_equal(result["posterior_predictive/turned"], after["turned"])
    for name in (*PRIORS, "constant_data", "predictions", "sample_stats", "observed_data"):
        xr.testing.assert_identical(result[name].to_dataset(), tree[name].to_dataset())
    assert kept.attrs["method"] == arguments["method"]
    assert kept.attrs["converged"] == 1 and kept.attrs["iterations"] >= 1
    objective = set() if way == "order" else {"objective"}
    always = {"description", "method", "converged", "iterations", "allocations"}
    assert set(kept.attrs) == always | objective
    assert {type(v) for v in kept.attrs.values()} <= {int, float, str}


def test_the_objective_is_the_methods_own():
    tree, _, means, points = trace()
    kept = relabel.relabel(
        tree, "pra", pivot=[[0.0], [5.0], [10.0]], leave=OTHERS).posterior["permutation"]
    assert kept.attrs["objective"] == pytest.approx(((means - [0, 5, 10]) ** 2).sum())
    wrong = np.where(np.arange(12) == 3, (points + 1) % 3, points)
    kept = relabel.relabel(
        tree, "ecr", allocations=["z"], pivot=wrong, leave=OTHERS).posterior["permutation"]
    assert kept.attrs["objective"] == 100
    p = tree.posterior["p"].transpose("obs", ...)
    kept = relabel.relabel(tree, "stephens", probabilities=p, leave=OTHERS)
    assert kept.posterior["permutation"].attrs["objective"] == pytest.approx(0, abs=1e-9)


COORDS = {
    "none": {}, "as they are": {"draw": np.arange(5)}, "of later draws": {"draw": np.arange(5, 10)}}


@pytest.mark.parametrize(("posterior", "group", "moves"), [
    ("none", "none", True), ("none", "of later draws", True), ("of later draws", "none", True),
    ("as they are", "of later draws", False), ("of later draws", "of later draws", True)])
def test_a_group_belongs_to_the_posterior_unless_its_draws_are_others(posterior, group, moves):
    variables = {"means": (DIMS, np.tile([1.0, 0.0], (2, 5, 1)))}
    tree = xr.DataTree.from_dict({
        "posterior": xr.Dataset(variables, COORDS[posterior]),
        "predictions": xr.Dataset(variables, COORDS[group])})
    done = relabel.relabel(tree)["predictions/means"]
    assert (done == ([0.0, 1.0] if moves else [1.0, 0.0])).all()


def test_relabelled_twice_keeps_what_the_components_were_at_first():
    tree, _, _, points = trace()
    once = relabel.relabel(tree, "pra", pivot=[[5.0], [10.0], [0.0]], leave=OTHERS)
    twice = relabel.relabel(once, "order", leave=OTHERS)
    assert (twice.posterior["permutation"] != once.posterior["permutation"]).any()
    for result in (once, twice):
        perm = result.posterior["permutation"].to_numpy().reshape(100, 3)
        again = relabel.apply(tree.posterior["means"].to_numpy().reshape(100, 3), perm)
        assert_array_equal(again.reshape(2, 50, 3), result.posterior["means"])
    assert twice.posterior["permutation"].attrs["method"] == "order"
    assert twice.posterior["permutation"].attrs["after"] == "pra"
    thrice = relabel.relabel(twice, "ecr", allocations="z", pivot=points, leave=OTHERS)
    assert thrice.posterior["permutation"].attrs["after"] == "pra, order"


def test_an_entry_or_several_variables_decide():
    rng = np.random.default_rng(0)
    place = rng.normal(size=(2, 20, 3, 2))
    sigma = rng.normal(size=(2, 20, 3))
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset(
        {"place": ((*DIMS, "axis"), place), "sigma": (DIMS, sigma)})})
    for parameter in (0, 1):
        done = relabel.relabel(tree, var_name="place", parameter=parameter)
        axis = done.posterior["place"].isel(axis=parameter)
        assert (axis.diff("component") >= 0).all()
    pivot = {"sigma": sigma[0, 0], "place": place[0, 0]}
    done = relabel.relabel(tree, "pra", var_name=["place", "sigma"], pivot=pivot)
    flat = np.concatenate([place, sigma[..., None]], axis=3).reshape(40, 3, 3)
    expected = relabel.pra(flat, flat[0]).reshape(2, 20, 3)
    assert_array_equal(done.posterior["permutation"], expected)
    array = np.concatenate([pivot["place"], pivot["sigma"][:, None]], axis=1)
    same = relabel.relabel(tree, "pra", var_name=["place", "sigma"], pivot=array)
    xr.testing.assert_equal(same, done)


def test_a_trace_that_did_not_come_to_rest_says_so():
    p = some_probabilities(np.random.default_rng(0), 2000, 20, 3)[None]
    posterior = xr.Dataset({"p": (("chain", "draw", "obs", "component"), p)})
    tree = xr.DataTree.from_dict({"posterior": posterior})
    with pytest.warns(relabel.NotConverged) as seen:
        result = relabel.relabel(tree, "stephens", probabilities="p", max_iterations=2)
    assert seen[0].filename == __file__
    assert result.posterior["permutation"].attrs["converged"] == 0
    assert result.posterior["permutation"].attrs["iterations"] == 2
    done = relabel.relabel(tree, "stephens", probabilities="p").posterior
    says, taken = done["permutation"].attrs, done["p"].to_numpy()[0]
    assert says["converged"] == 1 and says["iterations"] > 2
    assert says["objective"] == pytest.approx(rel_entr(taken, taken.mean(axis=0)).sum())


# memberships


def mixture():
    rng = np.random.default_rng(0)
    variables = {"means": (("chain", "component", "draw"), rng.normal(0, 3, (2, 3, 7)))}
    variables["sd"] = (("draw", "chain"), rng.uniform(0.5, 2, (7, 2)))
    variables["sds"] = (("component", "draw", "chain"), rng.uniform(0.5, 2, (3, 7, 2)))
    variables["w"] = (("chain", "draw", "component"), rng.dirichlet(np.ones(3), (2, 7)))
    coords = {"chain": [1, 2], "component": ["a", "b", "c"]}
    return xr.DataTree.from_dict({"posterior": xr.Dataset(variables, coords)})


@pytest.mark.parametrize("sigma", [1.0, 0.7, [0.5, 1.0, 2.0], "sd", "sds"])
@pytest.mark.parametrize("weights", [[0.2, 0.0, 0.8], "w"])
def test_memberships_are_bayes_rule(sigma, weights):
    tree, x = mixture(), np.array([-4.0, 0.0, 0.3, 2.0])
    before = tree.copy(deep=True)
    p = relabel.memberships(tree, x, sigma=sigma, weights=weights)
    xr.testing.assert_identical(tree, before)
    post = tree.posterior
    usual = xr.DataArray(np.ones(3), dims="component")
    sd = post[sigma] if isinstance(sigma, str) else usual * sigma
    w = post[weights] if weights == "w" else usual * weights
    for c in range(2):
        for d in range(7):
            at = {"chain": c, "draw": d}
            three = (post["means"], sd, w)
            mu, s, v = (a.isel(at, missing_dims="ignore").to_numpy() for a in three)
            density = v * norm.pdf(x[:, None], mu, s)
            expected = density / density.sum(axis=1, keepdims=True)
            assert_allclose(p.isel(at), expected, rtol=1e-10, atol=1e-300)
    assert p.dims == ("chain", "draw", "obs", "component")
    assert_allclose(p.sum("component"), 1, rtol=1e-12)
    assert list(p["component"].to_numpy()) == ["a", "b", "c"]
    assert list(p["chain"].to_numpy()) == [1, 2]
    averaged = relabel.memberships(tree, x, sigma=sigma, weights=weights, average=True)
    xr.testing.assert_allclose(averaged, p.mean(("chain", "draw")))
    assert averaged.dims == ("obs", "component") and averaged.attrs == p.attrs


def family(**variables):
    """Return a posterior [chain, draw, component, ...] of two components."""
    dims = (*DIMS, "row", "column")
    return xr.Dataset({
        name: (v[0], v[1]) if isinstance(v, tuple) else (dims[: np.ndim(v)], v)
        for name, v in variables.items()})


def by_rule(log_p):
    p = np.exp(log_p - log_p.max(axis=-1, keepdims=True))
    return p / p.sum(axis=-1, keepdims=True)


def test_memberships_of_any_family():
    rng = np.random.default_rng(2)
    rate, w = rng.gamma(9, size=(2, 5, 2)), rng.dirichlet([3, 3], size=(2, 5))
    counts = np.array([0, 3, 20])
    found = relabel.memberships(
        family(rate=rate, w=w), counts, lambda x, theta: poisson.logpmf(x, theta["rate"]),
        weights="w")
    right = by_rule(np.log(w)[:, :, None] + poisson.logpmf(counts[:, None], rate[:, :, None]))
    assert_allclose(found, right, rtol=1e-10)
    assert found.dims == ("chain", "draw", "obs", "component")


def test_memberships_by_precisions_and_of_regressions():
    rng = np.random.default_rng(3)
    y, tau = rng.normal(size=4), rng.gamma(3, size=(2, 5, 2))
    line, w = rng.normal(size=(2, 5, 4, 2)), np.array([0.3, 0.7])
    posterior = family(line=((*DIMS[:2], "obs", "component"), line), tau=tau)
    found = relabel.memberships(posterior, y, means="line", precision="tau", weights=w)
    right = by_rule(np.log(w) + norm.logpdf(y[:, None], line, tau[:, :, None] ** -0.5))
    assert_allclose(found, right, rtol=1e-10)
    with pytest.raises(ValueError, match="^x: expected as many"):
        relabel.memberships(posterior, y[:3], means="line", precision="tau", weights=w)


RECOVERED = {
    "gaussian": lambda tree, y: relabel.memberships(tree, y),
    "poisson": lambda tree, y: relabel.memberships(
        tree, y, lambda y, theta: poisson.logpmf(y, theta["rate"])),
    "regression": lambda tree, y: relabel.memberships(
        tree.assign(line=tree["slope"] * xr.DataArray(np.linspace(-2, 2, 10), dims="obs")), y,
        means="line", sigma=0.5)}


@pytest.mark.parametrize("family", RECOVERED)
def test_memberships_are_those_that_pymc_extras_recovers(family):
    """The file has the memberships of its draws by another package: traces/recovered.py."""
    path = Path(__file__).with_name("traces") / "recovered.nc"
    with xr.open_datatree(path, engine="h5netcdf") as tree:
        known = tree[family].to_dataset().load()
    p = RECOVERED[family](known.drop_vars("y"), known["y"].to_numpy())
    assert float(p.std()) > 0.1
    assert_allclose(p.transpose("chain", "draw", "obs", "component"),
                    np.exp(known["lp_z"]), atol=1e-12)


@pytest.mark.parametrize("shared", [False, True])
def test_memberships_in_the_plane(shared):
    rng = np.random.default_rng(4)
    mu, x = rng.normal(size=(2, 3, 2, 2)), rng.normal(size=(5, 2))
    a = rng.normal(size=(2, 3, 2, 2, 2))
    covariance = a @ a.swapaxes(-1, -2) + np.eye(2)
    if shared:
        covariance = covariance[:, :, :1] * np.ones((2, 1, 1))
    log_p = np.array([[[[multivariate_normal.logpdf(at, mu[c, t, k], covariance[c, t, k])
                         for k in range(2)] for at in x] for t in range(3)] for c in range(2)])
    stored = covariance[:, :, 0] if shared else covariance
    dims = (*DIMS[:2], "row", "column") if shared else (*DIMS, "row", "column")
    posterior = family(mu=mu, cov=(dims, stored), chol=(dims, np.linalg.cholesky(stored)))
    for name in ("cov", "chol"):
        density = relabel.multivariate_normal(
            "mu", **{"covariance" if name == "cov" else "cholesky": name})
        found = relabel.memberships(posterior, x, density, weights=[0.2, 0.8])
        assert_allclose(found, by_rule(np.log([0.2, 0.8]) + log_p), rtol=1e-9)


def test_memberships_are_stable_far_out():
    means = xr.DataArray([[[-1.0, 1.0], [-1e6, 1e6], [1.0, 1.0]]], dims=DIMS)
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset({"means": means})})
    p = relabel.memberships(tree, [-1e8, 0.0, 1e8], sigma=1e-3, weights=[0.5, 0.5])
    assert_array_equal(p[0, 0, [0, 2]], [[1, 0], [0, 1]])
    assert_array_equal(p[0, :, 1], [[0.5, 0.5]] * 3)
    assert np.isfinite(p).all()


def test_drawn_allocations_have_their_probabilities():
    p = xr.DataArray(np.broadcast_to([[0.2, 0.0, 0.8], [0.0, 1.0, 0.0]], (4, 5000, 2, 3)),
                     dims=("chain", "draw", "obs", "component"), coords={"chain": [4, 5, 6, 7]})
    z = relabel.draw_allocations(p, 3)
    assert z.dims == ("chain", "draw", "obs") and z.dtype.kind == "i"
    assert list(z["chain"].to_numpy()) == [4, 5, 6, 7]
    share = [(z.isel(obs=0) == k).mean().item() for k in range(3)]
    # five standard errors of a share of 20000
    assert_allclose(share, [0.2, 0.0, 0.8], atol=5 * np.sqrt(0.16 / 20_000))
    assert (z.isel(obs=1) == 1).all()
    xr.testing.assert_identical(relabel.draw_allocations(p, 3), z)
    assert relabel.draw_allocations(p.transpose("component", ...), 3).equals(z)
    assert (relabel.draw_allocations(p, 4) != z).any()
    assert z.name == "allocations"
    labelled = relabel.draw_allocations(p.assign_coords(component=["a", "b", "c"]), 3)
    assert "component" not in labelled.coords


@pytest.mark.parametrize(
    ("random", "p", "label"), [(0.0, [0.0, 1.0], 1), (1 - 1e-7, [0.5, 0.5 - 5e-7, 0.0], 1)])
def test_what_is_impossible_is_not_drawn(random, p, label, monkeypatch):
    """Neither by the least random number, nor by the largest where rounding leaves less than 1."""

    class Extreme:
        def random(self, size):
            return np.full(size, random)

    monkeypatch.setattr(checks, "generator", lambda seed: Extreme())
    array = xr.DataArray(np.array(p)[None, None, None], dims=("chain", "draw", "obs", "component"))
    assert relabel.draw_allocations(array, 0).item() == label


def unlabelled_dims():
    """Return a trace as PyMC makes it without dims: each variable has its own for components."""
    rng = np.random.default_rng(5)
    swap = rng.random((2, 50)) < 0.5
    values = {"means": [-3.0, 3.0], "sigma": [1.0, 2.0], "weights": [0.3, 0.7]}
    posterior = {}
    for name, pair in values.items():
        array = np.where(swap[..., None], pair[::-1], pair)
        if name == "means":
            array = array + 0.01 * rng.normal(size=(2, 50, 1))
        posterior[name] = (("chain", "draw", f"{name}_dim_0"), array)
    return xr.DataTree.from_dict({"posterior": xr.Dataset(posterior)})


def test_variables_left_behind_are_warned_of_where_the_question_was_asked():
    with pytest.warns(UserWarning, match="(sigma|weights) stays") as seen:
        relabel.relabel(unlabelled_dims(), "order", component_dim="means_dim_0")
    assert [one.filename for one in seen] == [__file__] * 2
    with warnings.catch_warnings(action="error"):
        relabel.relabel(
            unlabelled_dims(), component_dim="means_dim_0", leave=["sigma", "weights"])


def test_several_dims_are_relabelled_together():
    tree, dims = unlabelled_dims(), ["means_dim_0", "sigma_dim_0", "weights_dim_0"]
    p = relabel.memberships(tree, [-3.0, 3.0], component_dim=dims)
    assert p.dims == ("chain", "draw", "obs", "means_dim_0")
    for options in ({"method": "order"}, {"method": "stephens", "probabilities": p}):
        done = relabel.relabel(tree, component_dim=dims, **options).posterior
        assert np.ptp(done["sigma"].values[..., 0]) == 0
        assert np.ptp(done["weights"].values[..., 0]) == 0


def test_memberships_take_scales_and_weights_of_the_posterior_unless_told():
    tree = unlabelled_dims()
    dims = ["means_dim_0", "sigma_dim_0", "weights_dim_0"]
    named = relabel.memberships(tree, [0.2], sigma="sigma", weights="weights", component_dim=dims)
    xr.testing.assert_equal(relabel.memberships(tree, [0.2], component_dim=dims), named)
    told = relabel.memberships(tree, [0.2], sigma=1.0, weights=[0.5, 0.5], component_dim=dims)
    assert np.abs(told - named).max() > 0.05


def test_memberships_of_other_labels_or_other_draws_are_refused():
    tree = unlabelled_dims()
    dims = ["means_dim_0", "sigma_dim_0", "weights_dim_0"]
    labelled = tree["posterior"].to_dataset().assign_coords(chain=[0, 1], draw=np.arange(50))
    tree["posterior"] = labelled
    p = relabel.memberships(tree, [-3.0, 3.0], component_dim=dims)
    once = relabel.relabel(tree, "order", component_dim=dims)
    with pytest.raises(ValueError, match="^probabilities: expected memberships of this trace"):
        relabel.relabel(once, "stephens", probabilities=p, component_dim=dims)
    again = relabel.memberships(once, [-3.0, 3.0], component_dim=dims)
    twice = relabel.relabel(once, "stephens", probabilities=again, component_dim=dims)
    assert np.ptp(twice.posterior["sigma"].values[..., 0]) == 0
    with pytest.raises(ValueError, match="^probabilities: expected the posterior's own chains"):
        relabel.relabel(tree, "stephens", probabilities=p.isel(chain=[1, 0]), component_dim=dims)
    with pytest.raises(ValueError, match="^probabilities: .*got ndarray"):
        relabel.relabel(tree, "stephens", probabilities=p.values, component_dim=dims)
