"""Relabelling a whole trace: all that has labels is carried along; memberships; and what is refused."""

import inspect

import numpy as np
import pytest
import xarray as xr
from mixtures import data, relabel
from planted import compose, soft, some_perm, some_probabilities
from scipy.stats import norm

# a whole trace


def trace(n_component=3, extra=True):
    """Return a trace whose variables tell by their values which component they were made for, and its switches."""
    rng = np.random.default_rng(0)
    switch = some_perm(rng, 2 * 50, n_component)
    means = np.arange(n_component) * 5.0 + rng.normal(0, 0.1, (100, n_component))
    points = rng.permutation(np.arange(12) % n_component)
    z = relabel.apply_to_allocations(np.tile(points, (100, 1)), switch)
    ids = relabel.apply(np.tile(np.arange(n_component), (100, 1)), switch)
    move = 10 * ids[:, :, None] + ids[:, None, :]

    def shaped(a):
        return a.reshape(2, 50, *a.shape[1:])

    coords = {"chain": [3, 7], "draw": np.arange(50) * 2, "component": [f"c{k}" for k in range(n_component)]}
    posterior = xr.Dataset(
        {
            "means": (("chain", "draw", "component"), shaped(relabel.apply(means, switch)), {"units": "m"}),
            "turned": (("component", "other", "draw", "chain"), shaped(np.stack([ids, -ids], 2)).transpose(2, 3, 1, 0)),
            "move": (("chain", "to", "draw", "component"), shaped(move).transpose(0, 3, 1, 2).astype(np.int8)),
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
    groups = {"posterior": posterior, "sample_stats": stats, "observed_data": xr.Dataset({"x": ("obs", np.zeros(12))})}
    if extra:
        groups |= {
            "log_prior": posterior[["means"]] * 1.0, "posterior_predictive": posterior[["z", "turned"]].copy(deep=True),
            "prior": priors, "prior_predictive": priors, "sample_stats_prior": priors, "warmup_posterior": priors,
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
    np.testing.assert_array_equal(left, np.tile(left[0], (100, 1)))
    if way in ("order", "pra", "ecr"):
        np.testing.assert_array_equal(left[0], [0, 1, 2])
    ids = left[0]
    after = result.posterior
    np.testing.assert_array_equal(after["means"].to_numpy().reshape(100, 3), means[:, ids])
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
    for name in ("prior", "prior_predictive", "sample_stats_prior", "warmup_posterior", "constant_data", "predictions",
                 "sample_stats", "observed_data"):
        xr.testing.assert_identical(result[name].to_dataset(), tree[name].to_dataset())
    assert kept.attrs["method"] == arguments["method"]
    assert kept.attrs["converged"] == 1 and kept.attrs["iterations"] >= 1
    objective = set() if way == "order" else {"objective"}
    assert set(kept.attrs) == {"description", "method", "converged", "iterations"} | objective
    assert {type(v) for v in kept.attrs.values()} <= {int, float, str}


def test_the_objective_is_the_methods_own():
    tree, _, means, points = trace()
    kept = relabel.relabel(tree, "pra", pivot=[[0.0], [5.0], [10.0]]).posterior["permutation"]
    assert kept.attrs["objective"] == pytest.approx(((means - [0, 5, 10]) ** 2).sum())
    wrong = np.where(np.arange(12) == 3, (points + 1) % 3, points)
    kept = relabel.relabel(tree, "ecr", allocations=["z"], pivot=wrong).posterior["permutation"]
    assert kept.attrs["objective"] == 100
    kept = relabel.relabel(tree, "stephens", probabilities=tree.posterior["p"].transpose("obs", ...))
    assert kept.posterior["permutation"].attrs["objective"] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("best", [(0, 3), (1, 20)])
def test_the_pivot_is_the_best_draw_unless_told(best):
    tree = trace()[0]
    density = tree.sample_stats["lp"].transpose("chain", "draw").copy(data=np.zeros((2, 50)))
    density[best] = 1
    tree["sample_stats"] = tree.sample_stats.to_dataset().assign(lp=density.transpose())
    pivot = tree.posterior["means"].values[best]
    expected = relabel.relabel(tree, "pra", pivot=pivot[:, None])
    xr.testing.assert_identical(relabel.relabel(tree, "pra"), expected)


def test_the_order_of_a_variables_dims_is_free():
    tree = trace()[0]
    p = tree.posterior["p"]
    for component_first in (p.transpose("component", ...), p.transpose("chain", "draw", "component", "obs")):
        done = relabel.relabel(tree, "stephens", probabilities=component_first)
        xr.testing.assert_identical(done, relabel.relabel(tree, "stephens", probabilities=p))
    turned = xr.DataTree.from_dict({"posterior": tree.posterior.to_dataset().transpose("obs", "other", "to", ...)})
    for parameter, sign in ((0, 1), (1, -1)):
        ids = relabel.relabel(turned, var_name="turned", parameter=parameter).posterior["turned"].isel(other=0)
        assert (ids == xr.DataArray([0, 1, 2][::sign], dims="component")).all()


def test_probabilities_without_coordinates_are_taken_in_order():
    tree = trace()[0]
    bare = tree.posterior["p"].drop_vars(["chain", "draw", "component"])
    done = relabel.relabel(tree, "stephens", probabilities=bare)
    xr.testing.assert_identical(done, relabel.relabel(tree, "stephens", probabilities="p"))


@pytest.mark.parametrize("n_component", [1, 3])
def test_a_group_of_one_label_in_each_draw_is_relabelled(n_component):
    rng = np.random.default_rng(0)
    means = np.sort(rng.normal(size=(2, 5, n_component)))
    tree = xr.DataTree.from_dict({
        "posterior": xr.Dataset({"means": (("chain", "draw", "component"), means[..., ::-1])}),
        "posterior_predictive": xr.Dataset({"z": (("chain", "draw"), np.zeros((2, 5), dtype=int))}),
    })
    done = relabel.relabel(tree, allocations="z")
    np.testing.assert_array_equal(done.posterior["means"], means)
    assert (done["posterior_predictive/z"] == n_component - 1).all()


COORDS = {"none": {}, "as they are": {"draw": np.arange(5)}, "of later draws": {"draw": np.arange(5, 10)}}


@pytest.mark.parametrize(
    ("posterior", "group", "moves"),
    [
        ("none", "none", True), ("none", "of later draws", True), ("of later draws", "none", True),
        ("as they are", "of later draws", False), ("of later draws", "of later draws", True),
    ],
)
def test_a_group_belongs_to_the_posterior_unless_its_draws_are_others(posterior, group, moves):
    variables = {"means": (("chain", "draw", "component"), np.tile([1.0, 0.0], (2, 5, 1)))}
    tree = xr.DataTree.from_dict({
        "posterior": xr.Dataset(variables, COORDS[posterior]), "predictions": xr.Dataset(variables, COORDS[group])})
    done = relabel.relabel(tree)["predictions/means"]
    assert (done == ([0.0, 1.0] if moves else [1.0, 0.0])).all()


def test_a_group_of_fewer_draws_stays_as_it_is():
    variables = {"means": (("chain", "draw", "component"), np.tile([1.0, 0.0], (2, 5, 1)))}
    fewer = xr.Dataset(variables).isel(draw=slice(3))
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset(variables), "predictions": fewer})
    xr.testing.assert_identical(relabel.relabel(tree)["predictions"].to_dataset(), fewer)


def test_coordinates_of_the_whole_tree_stay_there():
    tree = trace()[0]
    tree = xr.DataTree.from_dict({"/": xr.Dataset(coords={"draw": np.arange(50) * 2})} | {
        name: group.to_dataset() for name, group in tree.children.items() if name != "predictions"})
    done = relabel.relabel(tree)
    assert [*done.to_dataset().coords] == ["draw"]
    assert "draw" not in done["sample_stats"].to_dataset(inherit=False).coords


@pytest.mark.parametrize("method", ["ecr", "ecr-iterative"])
def test_a_component_that_has_no_observation_keeps_its_place(method):
    tree, _, _, points = trace()
    few = tree.posterior["z"].clip(max=1)
    tree["posterior"] = tree.posterior.to_dataset().assign(z=few)
    done = relabel.relabel(tree, method, allocations="z", pivot=np.clip(points, 0, 1) if method == "ecr" else None)
    assert done.posterior["permutation"].shape == (2, 50, 3)


def test_the_iterations_are_as_many_as_the_methods_own_unless_told():
    default = [inspect.signature(run).parameters["max_iterations"].default
               for run in (relabel.relabel, relabel.stephens, relabel.ecr_iterative)]
    assert default == [100] * 3
    assert relabel.relabel(trace()[0]).posterior["permutation"].attrs["iterations"] == 1


def test_a_single_draw_is_relabelled():
    tree = xr.DataTree.from_dict({"posterior": trace()[0].posterior.to_dataset().isel(chain=[0], draw=[0])})
    means = relabel.relabel(tree, "pra", pivot={"means": [0, 5, 10]}).posterior["means"]
    assert (means.diff("component") > 0).all()
    with pytest.raises(ValueError, match="^pivot: expected 3 numbers for 'means', got shape"):
        relabel.relabel(tree, "pra", pivot={"means": [0, 5]})


def test_relabelled_twice_keeps_what_the_components_were_at_first():
    tree, switch, _, points = trace()
    once = relabel.relabel(tree, "pra", pivot=[[5.0], [10.0], [0.0]])
    twice = relabel.relabel(once, "order")
    assert (twice.posterior["permutation"] != once.posterior["permutation"]).any()
    for result in (once, twice):
        perm = result.posterior["permutation"].to_numpy().reshape(100, 3)
        again = relabel.apply(tree.posterior["means"].to_numpy().reshape(100, 3), perm)
        np.testing.assert_array_equal(again.reshape(2, 50, 3), result.posterior["means"])
    assert twice.posterior["permutation"].attrs["method"] == "order"
    assert twice.posterior["permutation"].attrs["after"] == "pra"
    thrice = relabel.relabel(twice, "ecr", allocations="z", pivot=points)
    assert thrice.posterior["permutation"].attrs["after"] == "pra, order"


def test_the_permutation_survives_being_saved(tmp_path):
    pytest.importorskip("zarr")
    tree = trace(extra=False)[0]
    tree["posterior"] = xr.DataTree(tree.posterior.to_dataset().drop_vars("component"))
    result = relabel.relabel(tree, "ecr-iterative", allocations="z")
    result.to_zarr(tmp_path / "trace.zarr", consolidated=False)
    with xr.open_datatree(tmp_path / "trace.zarr", engine="zarr", consolidated=False) as read:
        xr.testing.assert_identical(read["posterior/permutation"].load(), result["posterior/permutation"])
    result.posterior["permutation"].to_netcdf(tmp_path / "permutation.nc", engine="scipy")
    with xr.open_dataarray(tmp_path / "permutation.nc", engine="scipy") as read:
        xr.testing.assert_equal(read.load(), result["posterior/permutation"])
        assert dict(read.attrs) == dict(result["posterior/permutation"].attrs)


def test_an_entry_or_several_variables_decide():
    rng = np.random.default_rng(0)
    place = rng.normal(size=(2, 20, 3, 2))
    sigma = rng.normal(size=(2, 20, 3))
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset(
        {"place": (("chain", "draw", "component", "axis"), place), "sigma": (("chain", "draw", "component"), sigma)})})
    for parameter in (0, 1):
        done = relabel.relabel(tree, var_name="place", parameter=parameter).posterior["place"].isel(axis=parameter)
        assert (done.diff("component") >= 0).all()
    pivot = {"sigma": sigma[0, 0], "place": place[0, 0]}
    done = relabel.relabel(tree, "pra", var_name=["place", "sigma"], pivot=pivot)
    flat = np.concatenate([place, sigma[..., None]], axis=3).reshape(40, 3, 3)
    expected = relabel.pra(flat, flat[0]).reshape(2, 20, 3)
    np.testing.assert_array_equal(done.posterior["permutation"], expected)
    array = np.concatenate([pivot["place"], pivot["sigma"][:, None]], axis=1)
    same = relabel.relabel(tree, "pra", var_name=["place", "sigma"], pivot=array)
    xr.testing.assert_identical(same, done)


def test_a_trace_that_did_not_come_to_rest_says_so():
    p = some_probabilities(np.random.default_rng(0), 2000, 20, 3)[None]
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset({"p": (("chain", "draw", "obs", "component"), p)})})
    with pytest.warns(relabel.NotConverged) as seen:
        result = relabel.relabel(tree, "stephens", probabilities="p", max_iterations=2)
    assert seen[0].filename == __file__
    assert result.posterior["permutation"].attrs["converged"] == 0
    assert result.posterior["permutation"].attrs["iterations"] == 2
    _, history = relabel.stephens(p[0], history=True)
    settled = relabel.relabel(tree, "stephens", probabilities="p").posterior["permutation"].attrs
    assert (settled["converged"], settled["iterations"]) == (1, len(history))
    assert settled["objective"] == pytest.approx(history[-1])


# memberships


def mixture(sigma=True):
    rng = np.random.default_rng(0)
    variables = {"means": (("chain", "component", "draw"), rng.normal(0, 3, (2, 3, 7)))}
    variables["sd"] = (("draw", "chain"), rng.uniform(0.5, 2, (7, 2)))
    variables["sds"] = (("component", "draw", "chain"), rng.uniform(0.5, 2, (3, 7, 2)))
    variables["w"] = (("chain", "draw", "component"), rng.dirichlet(np.ones(3), (2, 7)))
    coords = {"chain": [1, 2], "component": ["a", "b", "c"]}
    return xr.DataTree.from_dict({"posterior": xr.Dataset(variables, coords)})


@pytest.mark.parametrize("sigma", [1.0, 0.7, [0.5, 1.0, 2.0], "sd", "sds"])
@pytest.mark.parametrize("weights", [None, [0.2, 0.0, 0.8], "w"])
def test_memberships_are_bayes_rule(sigma, weights):
    tree, x = mixture(), np.array([-4.0, 0.0, 0.3, 2.0])
    before = tree.copy(deep=True)
    p = relabel.memberships(tree, x, sigma=sigma, weights=weights)
    xr.testing.assert_identical(tree, before)
    post = tree.posterior
    sd = post[sigma] if isinstance(sigma, str) else xr.DataArray(np.broadcast_to(sigma, 3), dims="component")
    w = post[weights] if weights == "w" else xr.DataArray(np.ones(3) if weights is None else weights, dims="component")
    for c in range(2):
        for d in range(7):
            at = {"chain": c, "draw": d}
            mu, s, v = (a.isel(at, missing_dims="ignore").to_numpy() for a in (post["means"], sd, w))
            density = v * norm.pdf(x[:, None], mu, s)
            expected = density / density.sum(axis=1, keepdims=True)
            np.testing.assert_allclose(p.isel(at), expected, rtol=1e-10, atol=1e-300)
    assert p.dims == ("chain", "draw", "obs", "component")
    np.testing.assert_allclose(p.sum("component"), 1, rtol=1e-12)
    assert list(p["component"].to_numpy()) == ["a", "b", "c"] and list(p["chain"].to_numpy()) == [1, 2]


def test_memberships_are_named_and_keep_the_coordinates_of_draws_and_components():
    tree = mixture()
    tree["posterior"] = tree.posterior.to_dataset().assign_coords(
        rank=(("chain", "draw", "component"), np.arange(42).reshape(2, 7, 3)), other=("draw", np.arange(7)))
    p = relabel.memberships(tree, [0.0])
    assert p.name == "memberships"
    assert {*p.coords} == {"chain", "component", "rank", "other"}
    xr.testing.assert_equal(p, relabel.memberships(tree, [0.0], sigma=1.0))


def test_memberships_of_a_single_draw_are_those_of_many():
    tree = mixture()
    one = xr.DataTree.from_dict({"posterior": tree.posterior.to_dataset().isel(chain=[1], draw=[2])})
    xr.testing.assert_allclose(
        relabel.memberships(one, [0.0, 1.0]), relabel.memberships(tree, [0.0, 1.0]).isel(chain=[1], draw=[2]))


def test_memberships_are_stable_far_out():
    means = xr.DataArray([[[-1.0, 1.0], [-1e6, 1e6], [1.0, 1.0]]], dims=("chain", "draw", "component"))
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset({"means": means})})
    p = relabel.memberships(tree, [-1e8, 0.0, 1e8], sigma=1e-3)
    np.testing.assert_array_equal(p[0, 0, [0, 2]], [[1, 0], [0, 1]])
    np.testing.assert_array_equal(p[0, :, 1], [[0.5, 0.5]] * 3)
    assert np.isfinite(p).all()


def test_memberships_serve_stephens_and_drawn_allocations_serve_ecr():
    tree, switch, _, _ = trace(extra=False)
    x = np.repeat([0.0, 5.0, 10.0], 8)
    p = relabel.memberships(tree, x, sigma=1.0)
    done = relabel.relabel(tree, "stephens", probabilities=p).posterior["permutation"].to_numpy().reshape(100, 3)
    left = compose(switch, done)
    assert (left == left[0]).all()
    posterior = tree.posterior.to_dataset().drop_vars("z").drop_dims("obs").assign(s=relabel.draw_allocations(p, 1))
    tree = xr.DataTree.from_dict({"posterior": posterior})
    done = relabel.relabel(tree, "ecr-iterative", allocations="s").posterior
    left = compose(switch, done["permutation"].to_numpy().reshape(100, 3))
    assert (left == left[0]).all()
    assert (np.diff(done["s"].to_numpy().reshape(100, -1), axis=0) == 0).mean() > 0.95


def test_drawn_allocations_have_their_probabilities():
    p = xr.DataArray(np.broadcast_to([[0.2, 0.0, 0.8], [0.0, 1.0, 0.0]], (4, 5000, 2, 3)),
                     dims=("chain", "draw", "obs", "component"), coords={"chain": [4, 5, 6, 7]})
    z = relabel.draw_allocations(p, 3)
    assert z.dims == ("chain", "draw", "obs") and z.dtype.kind == "i"
    assert list(z["chain"].to_numpy()) == [4, 5, 6, 7]
    share = [(z.isel(obs=0) == k).mean().item() for k in range(3)]
    # five standard errors of a share of 20000
    np.testing.assert_allclose(share, [0.2, 0.0, 0.8], atol=5 * np.sqrt(0.16 / 20_000))
    assert (z.isel(obs=1) == 1).all()
    xr.testing.assert_identical(relabel.draw_allocations(p, 3), z)
    assert relabel.draw_allocations(p.transpose("component", ...), 3).equals(z)
    assert (relabel.draw_allocations(p, 4) != z).any()
    assert z.name == "allocations"
    labelled = relabel.draw_allocations(p.assign_coords(component=["a", "b", "c"]), 3)
    assert "component" not in labelled.coords


def test_one_component_has_all_allocations():
    p = xr.DataArray(np.ones((1, 1, 1, 1)), dims=("chain", "draw", "obs", "component"))
    assert relabel.draw_allocations(p, 0).values.tolist() == [[[0]]]


@pytest.mark.parametrize(("random", "p", "label"), [(0.0, [0.0, 1.0], 1), (1 - 1e-7, [0.5, 0.5 - 5e-7, 0.0], 1)])
def test_what_is_impossible_is_not_drawn(random, p, label, monkeypatch):
    """Neither by the least random number, nor by the largest where rounding has left the sum below 1."""

    class Extreme:
        def random(self, size):
            return np.full(size, random)

    monkeypatch.setattr(data, "generator", lambda seed: Extreme())
    array = xr.DataArray(np.array(p)[None, None, None], dims=("chain", "draw", "obs", "component"))
    assert relabel.draw_allocations(array, 0).item() == label


def test_a_fingerprint_is_of_the_permutations_and_not_of_the_order_of_dims():
    tree = trace()[0]
    assert relabel.fingerprint(tree.posterior) == 0
    once = relabel.relabel(tree).posterior
    assert relabel.fingerprint(once) != 0
    for dims in (("draw", "chain", "component"), ("component", "draw", "chain")):
        assert relabel.fingerprint(once.to_dataset().transpose(*dims, ...)) == relabel.fingerprint(once)
    small = once.to_dataset().assign(permutation=once["permutation"].astype("int8"))
    assert relabel.fingerprint(small) == relabel.fingerprint(once)


# what is refused

Z, P, D = np.array([[0, 1, 1], [1, 0, 0]]), np.full((2, 3, 2), 0.5), np.array([[0.0, 1.0], [1.0, 0.0]])
OFF = P.copy()
OFF[1, 2] = [0.6, 0.5]
NEGATIVE = P.copy()
NEGATIVE[0, 0] = [-0.5, 1.5]
HOLE = np.where(np.arange(12).reshape(P.shape) == 3, np.nan, P)
TREE = trace(extra=False)[0]
NO_DENSITY = xr.DataTree.from_dict({"posterior": TREE.posterior.to_dataset()})
CLASH = xr.DataTree.from_dict({"posterior": TREE.posterior.to_dataset().assign(permutation=TREE.posterior["total"])})
NAN = xr.DataTree.from_dict({"posterior": TREE.posterior.to_dataset() * np.nan})
NO_DRAWS = xr.DataTree.from_dict({"posterior": TREE.posterior.to_dataset().isel(draw=[])})
R = relabel.relabel

BAD = {
    "apply: a row is no permutation": (relabel.apply, (D, [[0, 0], [1, 0]]), {}, "perm"),
    "apply: not integers": (relabel.apply, (D, [[0.0, 1.0], [1.0, 0.0]]), {}, "perm"),
    "apply: one row": (relabel.apply, (D, [0, 1]), {}, "perm"),
    "apply: other draws": (relabel.apply, (D, [[0, 1]]), {}, "draws"),
    "apply: other components": (relabel.apply, (D, [[0, 1, 2], [0, 1, 2]]), {}, "draws"),
    "apply: no draws": (relabel.apply, (np.zeros((0, 2)), np.zeros((0, 2), int)), {}, "perm"),
    "allocations: other draws": (relabel.apply_to_allocations, (Z, [[0, 1]]), {}, "z"),
    "allocations: too large": (relabel.apply_to_allocations, (Z + 1, [[0, 1], [0, 1]]), {}, "z"),
    "allocations: negative": (relabel.apply_to_allocations, (Z - 1, [[0, 1], [0, 1]]), {}, "z"),
    "allocations: too many labels for the integer": (
        relabel.apply_to_allocations, (np.zeros((1, 3), np.int8), [range(200)]), {}, "z"),
    "allocations: not integers": (relabel.apply_to_allocations, (Z * 1.0, [[0, 1], [0, 1]]), {}, "z"),
    "order: one dim": (relabel.by_order, ([0.0, 1.0],), {}, "draws"),
    "order: four dims": (relabel.by_order, (np.zeros((2, 2, 2, 2)),), {}, "draws"),
    "order: no draws": (relabel.by_order, (np.zeros((0, 2)),), {}, "draws"),
    "order: NaN": (relabel.by_order, (D * np.nan,), {}, "draws"),
    "order: words": (relabel.by_order, ([["a", "b"]],), {}, "draws"),
    "order: no such parameter": (relabel.by_order, (D, 1), {}, "parameter"),
    "order: half a parameter": (relabel.by_order, (D, 0.5), {}, "parameter"),
    "pra: infinite": (relabel.pra, (D + np.inf, D[0]), {}, "draws"),
    "pra: other K": (relabel.pra, (D, [0.0, 1.0, 2.0]), {}, "pivot"),
    "pra: other parameters": (relabel.pra, (D, [[0.0, 1.0], [0.0, 1.0]]), {}, "pivot"),
    "pra: pivot NaN": (relabel.pra, (D, [0.0, np.nan]), {}, "pivot"),
    "pra: no draws": (relabel.pra, (np.zeros((0, 2)), D[0]), {}, "draws"),
    "ecr: one dim": (relabel.ecr, (Z[0], Z[0]), {}, "z"),
    "ecr: no draws": (relabel.ecr, (Z[:0], Z[0]), {}, "z"),
    "ecr: no points": (relabel.ecr, (Z[:, :0], Z[0, :0]), {}, "z"),
    "ecr: negative": (relabel.ecr, (Z - 1, Z[0]), {}, "z"),
    "ecr: not integers": (relabel.ecr, (Z * 1.0, Z[0]), {}, "z"),
    "ecr: NaN": (relabel.ecr, (Z * np.nan, Z[0]), {}, "z"),
    "ecr: too large": (relabel.ecr, (Z, Z[0]), {"components": 1}, "z"),
    "ecr: no components": (relabel.ecr, (Z, Z[0]), {"components": 0}, "components"),
    "ecr: half components": (relabel.ecr, (Z, Z[0]), {"components": 2.5}, "components"),
    "ecr: pivot of other n": (relabel.ecr, (Z, Z[0, :2]), {}, "pivot"),
    "ecr: pivot of other K": (relabel.ecr, (Z, [0, 1, 2]), {}, "pivot"),
    "ecr: pivot of two dims": (relabel.ecr, (Z, Z), {}, "pivot"),
    "ecr: pivot not integers": (relabel.ecr, (Z, Z[0] * 1.0), {}, "pivot"),
    "iterative: no draws": (relabel.ecr_iterative, (Z[:0],), {}, "z"),
    "iterative: not integers": (relabel.ecr_iterative, (Z * 1.0,), {}, "z"),
    "iterative: no iterations": (relabel.ecr_iterative, (Z,), {"max_iterations": 0}, "max_iterations"),
    "stephens: half an iteration": (relabel.stephens, (P,), {"max_iterations": 1.5}, "max_iterations"),
    "stephens: two dims": (relabel.stephens, (P[0],), {}, "p"),
    "stephens: no draws": (relabel.stephens, (P[:0],), {}, "p"),
    "stephens: off": (relabel.stephens, (OFF,), {}, "p"),
    "stephens: a little off": (relabel.stephens, (P + 2e-6,), {}, "p"),
    "stephens: negative": (relabel.stephens, (NEGATIVE,), {}, "p"),
    "stephens: NaN": (relabel.stephens, (HOLE,), {}, "p"),
    "stephens: infinite": (relabel.stephens, (P + np.inf,), {}, "p"),
    "stephens: words": (relabel.stephens, ([[["a"]]],), {}, "p"),
    "trace: unknown method": (R, (TREE, "kmeans"), {}, "method"),
    "trace: no tree": (R, (TREE.posterior.to_dataset(),), {}, "tree"),
    "trace: no posterior": (R, (xr.DataTree(),), {}, "tree"),
    "trace: no draws": (R, (NO_DRAWS,), {}, "tree"),
    "trace: permutation of another kind": (R, (CLASH,), {}, "tree"),
    "trace: missing variable": (R, (TREE,), {"var_name": "mu"}, "var_name"),
    "trace: without component": (R, (TREE,), {"var_name": "total"}, "var_name"),
    "trace: a list for order": (R, (TREE,), {"var_name": ["means"]}, "var_name"),
    "trace: no names": (R, (TREE, "pra"), {"var_name": []}, "var_name"),
    "trace: missing dim": (R, (TREE,), {"component_dim": "cluster"}, "component_dim"),
    "trace: chain for a dim": (R, (TREE,), {"component_dim": "chain"}, "component_dim"),
    "trace: dims of two sizes": (R, (TREE,), {"component_dim": ["component", "obs"]}, "component_dim"),
    "trace: parameter": (R, (TREE,), {"parameter": 3}, "parameter"),
    "trace: NaN": (R, (NAN,), {}, "draws"),
    "trace: pivot for order": (R, (TREE,), {"pivot": [1, 2, 3]}, "pivot"),
    "trace: probabilities for order": (R, (TREE,), {"probabilities": "p"}, "probabilities"),
    "trace: no density for pra": (R, (NO_DENSITY, "pra"), {}, "pivot"),
    "trace: no density for ecr": (R, (NO_DENSITY, "ecr"), {"allocations": "z"}, "pivot"),
    "trace: pivot without name": (R, (TREE, "pra"), {"pivot": {"mu": [0, 1, 2]}}, "pivot"),
    "trace: pivot of other K": (R, (TREE, "pra"), {"pivot": {"means": [0, 1]}}, "pivot"),
    "trace: no allocations": (R, (TREE, "ecr"), {}, "allocations"),
    "trace: missing allocations": (R, (TREE,), {"allocations": "s"}, "allocations"),
    "trace: missing allocations for ecr": (R, (TREE, "ecr-iterative"), {"allocations": "s"}, "allocations"),
    "trace: allocations with component": (R, (TREE,), {"allocations": "means"}, "allocations"),
    "trace: allocations not integers": (R, (TREE,), {"allocations": "total"}, "allocations"),
    "trace: no probabilities": (R, (TREE, "stephens"), {}, "probabilities"),
    "trace: probabilities without points": (R, (TREE, "stephens"), {"probabilities": "means"}, "probabilities"),
    "trace: probabilities of other draws": (
        R, (TREE, "stephens"), {"probabilities": TREE.posterior["p"].isel(draw=slice(9))}, "probabilities"),
    "memberships: no tree": (relabel.memberships, (None, [0.0]), {}, "tree"),
    "memberships: x": (relabel.memberships, (TREE, [np.nan]), {}, "x"),
    "memberships: means": (relabel.memberships, (TREE, [0.0]), {"means": "mu"}, "means"),
    "memberships: means of two dims": (relabel.memberships, (TREE, [0.0]), {"means": "turned"}, "means"),
    "memberships: means NaN": (relabel.memberships, (NAN, [0.0]), {}, "means"),
    "memberships: dim": (relabel.memberships, (TREE, [0.0]), {"component_dim": "cluster"}, "means"),
    "memberships: sigma 0": (relabel.memberships, (TREE, [0.0]), {"sigma": 0.0}, "sigma"),
    "memberships: sigma NaN": (relabel.memberships, (TREE, [0.0]), {"sigma": np.nan}, "sigma"),
    "memberships: sigma of other K": (relabel.memberships, (TREE, [0.0]), {"sigma": [1.0, 1.0]}, "sigma"),
    "memberships: sigma missing": (relabel.memberships, (TREE, [0.0]), {"sigma": "tau"}, "sigma"),
    "memberships: sigma of other dims": (relabel.memberships, (TREE, [0.0]), {"sigma": "p"}, "sigma"),
    "memberships: weights": (relabel.memberships, (TREE, [0.0]), {"weights": [0.5, 0.5, 0.5]}, "weights"),
    "memberships: negative": (relabel.memberships, (TREE, [0.0]), {"weights": [-0.5, 0.5, 1.0]}, "weights"),
    "draw: an array": (relabel.draw_allocations, (P, 0), {}, "p"),
    "draw: off": (relabel.draw_allocations, (TREE.posterior["p"] * 1.1, 0), {}, "p"),
    "draw: NaN": (relabel.draw_allocations, (TREE.posterior["p"] * np.nan, 0), {}, "p"),
    "draw: dim": (relabel.draw_allocations, (TREE.posterior["p"], 0), {"component_dim": "k"}, "component_dim"),
    "draw: seed": (relabel.draw_allocations, (TREE.posterior["p"], -1), {}, "seed"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_by_name(name):
    run, arguments, keywords, argument = BAD[name]
    with pytest.raises(ValueError, match=f"^{argument}: .*"):
        run(*arguments, **keywords)


def unlabelled_dims():
    """Return a trace as PyMC makes it without dims: each variable counts the components by a dim of its own."""
    rng = np.random.default_rng(5)
    swap = rng.random((2, 50)) < 0.5
    values = {"means": [-3.0, 3.0], "sigma": [1.0, 2.0], "weights": [0.3, 0.7]}
    posterior = {}
    for name, pair in values.items():
        array = np.where(swap[..., None], pair[::-1], pair) + (0.01 * rng.normal(size=(2, 50, 1)) if name == "means" else 0)
        posterior[name] = (("chain", "draw", f"{name}_dim_0"), array)
    return xr.DataTree.from_dict({"posterior": xr.Dataset(posterior)})


def test_a_variable_left_behind_under_a_dim_of_its_own_is_warned_of():
    one = pytest.warns(UserWarning, match="sigma stays as it is; if its dim 'sigma_dim_0' counts")
    with one, pytest.warns(UserWarning, match="weights stays"):
        relabel.relabel(unlabelled_dims(), "order", component_dim="means_dim_0")


def test_the_warning_of_a_variable_left_behind_points_at_who_asked():
    tree = unlabelled_dims()
    tree["posterior"] = tree.posterior.to_dataset().drop_vars("weights")
    with pytest.warns(UserWarning, match="sigma stays") as seen:
        relabel.relabel(tree, "order", component_dim="means_dim_0")
    assert [one.filename for one in seen] == [__file__]


def test_as_many_draws_as_components_are_no_dim_of_components():
    tree = xr.DataTree.from_dict({"posterior": trace()[0].posterior.to_dataset().isel(chain=[0], draw=slice(3))})
    assert relabel.relabel(tree, component_dim=["component", "to"]).posterior.sizes["draw"] == 3


@pytest.mark.parametrize("names", [["a", "b"], [1, 0]])
def test_several_dims_may_have_coordinates_of_their_own(names):
    tree, dims = unlabelled_dims(), ["means_dim_0", "sigma_dim_0", "weights_dim_0"]
    named = tree.posterior.to_dataset().assign_coords(means_dim_0=[0, 1], sigma_dim_0=names)
    p = relabel.memberships(xr.DataTree.from_dict({"posterior": named}), [0.2], component_dim=dims)
    np.testing.assert_array_equal(p, relabel.memberships(tree, [0.2], component_dim=dims))
    assert p["means_dim_0"].values.tolist() == [0, 1]


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
    tree["posterior"] = tree["posterior"].to_dataset().assign_coords(chain=[0, 1], draw=np.arange(50))
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


def test_a_pivot_may_be_one_draw_of_the_posterior():
    tree, dims = unlabelled_dims(), ["means_dim_0", "sigma_dim_0", "weights_dim_0"]
    pivot = tree["posterior"].to_dataset().isel(chain=0, draw=0)
    done = relabel.relabel(tree, "pra", var_name=["means", "sigma"], pivot=pivot, component_dim=dims).posterior
    assert np.ptp(done["weights"].values[..., 0]) == 0


def test_allocations_given_as_an_array_are_refused_by_what_they_are():
    with pytest.raises(ValueError, match="^allocations: .*got ndarray"):
        relabel.relabel(unlabelled_dims(), "order", component_dim="means_dim_0", allocations=np.zeros(3))
