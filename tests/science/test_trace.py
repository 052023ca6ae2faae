"""Traces as people have them: any kind of container, and any shape that samplers leave."""

import re
import warnings

import numpy as np
import pytest
import xarray as xr
from mixtures import doubts, relabel, reshape, switching, trace
from mixtures.source import tree_of
from numpy.testing import assert_allclose, assert_array_equal

CD = ("chain", "draw")
DIMS = (*CD, "component")
RIGHT = np.array([-4.0, 0.0, 4.0])
TURNS = ([0, 1, 2], [2, 0, 1], [1, 0, 2], [1, 2, 0])


def noise(*shape, sd=0.1, seed=0):
    return sd * np.random.default_rng(seed).normal(size=(4, 200, *shape))


def turned(array, labels=False):
    """Return draws [chain, draw, ...] with the labels of each chain turned in its own way."""
    copy = array.copy()
    for c, turn in enumerate(TURNS):
        copy[c] = np.argsort(turn)[array[c]] if labels else array[c][:, turn]
    return copy


MEANS = turned(RIGHT + noise(3))


class Groups:
    """Has groups as attributes, as what ArviZ before 1.0 has."""

    def __init__(self, **groups):
        self.__dict__ |= groups

    def groups(self):
        """Return the names of the groups."""
        return [*self.__dict__]


def doors(tmp_path, posterior):
    """Yield a posterior in all that is taken for a trace."""
    tree = xr.DataTree.from_dict({"posterior": posterior})
    tree.to_netcdf(tmp_path / "trace.nc", engine="h5netcdf")
    yield from (tree, posterior, Groups(posterior=posterior))
    yield from (tmp_path / "trace.nc", str(tmp_path / "trace.nc"))


def test_all_take_the_same_traces(tmp_path):
    posterior = xr.Dataset({
        "means": (DIMS, MEANS), "sigma": (DIMS, np.ones((4, 200, 3))),
        "weights": (DIMS, np.full((4, 200, 3), 1 / 3))})
    new, verdicts = [], []
    for source in doors(tmp_path, posterior):
        p = relabel.memberships(source, RIGHT)
        new.append(relabel.relabel(source, "stephens", probabilities=p).posterior)
        verdicts.append(switching.diagnose(source).verdict)
    assert verdicts == [switching.BETWEEN] * 5
    for one in new:
        xr.testing.assert_allclose(one, new[0])


def test_a_file_that_is_no_trace_is_refused(tmp_path):
    (tmp_path / "notes.nc").write_text("none")
    for path in ("notes.nc", "nowhere.nc"):
        with pytest.raises(ValueError, match="^tree: expected a trace that ArviZ saved"):
            tree_of(tmp_path / path)


# what may have labels and is not touched


def posterior(**variables):
    full = {"means": (DIMS, MEANS)} | variables
    return xr.Dataset({name: (v[0], v[1]) for name, v in full.items()})


Z = turned(np.broadcast_to(np.arange(6) % 3, (4, 200, 6)), labels=True)
DOUBTS = {
    "a matrix": ({"P": ((*DIMS, "to"), noise(3, 3))}, "component_dim=['component', 'to']"),
    "a dim of its own": ({"s": ((*CD, "s_dim_0"), noise(3))}, "name it in component_dim"),
    "labels from 0": ({"z": ((*CD, "obs"), Z)}, "allocations='z'"),
    "labels from 1": ({"z": ((*CD, "obs"), Z + 1)}, "allocations='z'"),
    "labels that are floats": ({"z": ((*CD, "obs"), Z + 1.0)}, "allocations='z'"),
    "all but a reference": ({"g": ((*CD, "short"), noise(2))}, "reshape.complete(tree, 'g', ...)"),
    "a variable for each": (
        {f"s[{k}]": (CD, noise()) for k in range(3)}, "s[0], s[1], s[2] stay as they are"),
    # packed Cholesky factors: as many numbers as there are components, and no component
    "a factor for each": (
        {f"chol_{k}": ((*CD, f"chol_{k}_dim_0"), noise(3)) for k in range(3)},
        "chol_0, chol_1, chol_2 stay as they are"),
}


@pytest.mark.parametrize("name", DOUBTS)
def test_what_may_have_labels_is_told_with_what_to_type(name):
    variables, says = DOUBTS[name]
    found = posterior(**variables)
    with pytest.warns(UserWarning, match=re.escape(says)) as seen:
        relabel.relabel(found)
    assert len(seen) == 1
    lines = switching.diagnose(found).evidence
    assert sum(says in line for line in lines) == 1
    with warnings.catch_warnings(action="error"):
        relabel.relabel(found, leave=[*variables])
    told = switching.diagnose(found, leave=[*variables])
    assert not any(says in line for line in told.evidence)


@pytest.mark.parametrize("variables", [
    {"y": (CD, noise())}, {"w": ((*CD, "week"), noise(52))}, {"n": ((*CD, "obs"), Z + 7)},
    {"s": (CD, np.full((4, 200), 0.3))}])
def test_what_has_no_labels_is_not_told_of(variables):
    with warnings.catch_warnings(action="error"):
        relabel.relabel(posterior(**variables))


def test_a_reader_who_says_that_an_axis_counts_something_else_has_it_looked_at():
    rng = np.random.default_rng(0)
    weights, tables = rng.dirichlet([30, 30, 30], (4, 500)), rng.dirichlet([9, 3, 1], (4, 500, 3))
    for k in range(3):
        tables[:, :, k] = np.roll(tables[:, :, k], k, axis=-1)
    for c, turn in enumerate(TURNS):
        weights[c], tables[c] = weights[c][:, turn], tables[c][:, turn]
    found = xr.Dataset({
        "weights": ((*CD, "class"), weights), "tables": ((*CD, "class", "answer"), tables)})
    asked = switching.diagnose(found, "weights", "class")
    assert "if not, say leave='tables'" in asked.evidence[-1]
    assert asked.verdict != switching.BETWEEN, "the weights alone overlap"
    answered = switching.diagnose(found, "weights", "class", leave="tables")
    assert answered.verdict == switching.BETWEEN


def test_other_coordinates_tell_that_a_dim_counts_something_else():
    found = posterior(place=((*DIMS, "axis"), noise(3, 3)))
    found = found.assign_coords(component=["a", "b", "c"], axis=["x", "y", "z"])
    assert doubts.pairs(found, ["component"]) == {}
    assert [*doubts.pairs(found.drop_vars("axis"), ["component"])] == ["place"]


def test_a_share_of_two_is_told_of():
    two = xr.Dataset({
        "means": (DIMS, MEANS[..., :2]), "theta": (CD, np.full((4, 200), 0.3))})
    with pytest.warns(UserWarning, match="theta stays as it is; it is one number between 0 and 1"):
        relabel.relabel(two)
    # but not where the weights are there already
    with warnings.catch_warnings(action="error"):
        relabel.relabel(two.assign(w=(DIMS, np.full((4, 200, 2), 0.5))))


def test_a_mixture_in_each_group_is_told_of():
    groups = xr.Dataset({"means": ((*CD, "group", "component"), noise(5, 2) + [0, 3])})
    with pytest.warns(UserWarning, match="sorted by its first entry of group"):
        relabel.relabel(groups)
    with warnings.catch_warnings(action="error"):
        relabel.relabel(groups, parameter=0)
        relabel.relabel(groups.isel(group=[3]))


# and in another shape it is touched


def test_both_axes_of_a_transition_matrix_move():
    rows = np.array([[0.8, 0.15, 0.05], [0.1, 0.7, 0.2], [0.3, 0.1, 0.6]])
    moves = rows + noise(3, 3, sd=0.01)
    for c, turn in enumerate(TURNS):
        moves[c] = moves[c][:, turn][:, :, turn]
    found = posterior(P=((*DIMS, "to"), moves))
    dims = ["component", "to"]
    new = relabel.relabel(found, component_dim=dims).posterior
    assert_allclose(new["P"].mean(CD), rows, atol=0.01)
    told = switching.diagnose(found, component_dim=dims)
    assert told.verdict == switching.BETWEEN and not any("P " in line for line in told.evidence)


def test_variables_with_dims_of_their_own_are_evidence():
    sigma = np.array([0.5, 3.0]) * np.exp(noise(2))
    mu = noise(2)
    for c in (1, 3):
        mu[c], sigma[c] = mu[c][:, ::-1], sigma[c][:, ::-1]
    found = xr.Dataset({"mu": ((*CD, "mu_dim_0"), mu), "sigma": ((*CD, "sigma_dim_0"), sigma)})
    dims = ["mu_dim_0", "sigma_dim_0"]
    assert switching.diagnose(found, ["mu", "sigma"], dims).verdict == switching.BETWEEN
    assert switching.diagnose(found, "sigma", dims).verdict == switching.BETWEEN


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("kind", [int, float, np.int8])
def test_labels_from_one_and_whole_floats_are_relabelled(first, kind):
    found = posterior(z=((*CD, "obs"), (Z + first).astype(kind)))
    new = relabel.relabel(found, allocations="z").posterior["z"]
    assert (new == np.arange(6) % 3 + first).all() and new.dtype == kind
    for method, pivot in (("ecr-iterative", {}), ("ecr", {"pivot": np.arange(6) % 3 + first})):
        new = relabel.relabel(found, method, allocations="z", **pivot).posterior
        assert (new["z"] == new["z"][0, 0]).all() and new["z"].dtype == kind
    assert_allclose(new["means"].mean(CD), RIGHT, atol=0.05)


def test_a_variable_for_each_component_is_stacked():
    parts = {f"mu{k + 1}": (CD, MEANS[..., k]) for k in range(3)}
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset(parts | {"other": (CD, noise())})})
    with pytest.raises(ValueError, match=r"reshape.stack\(tree, "):
        switching.diagnose(tree, [*parts])
    found = reshape.stack(tree, means=[*parts])
    assert {*found.posterior.data_vars} == {"means", "other"}
    assert_array_equal(found.posterior["means"].transpose(*DIMS), MEANS)
    assert switching.diagnose(found).verdict == switching.BETWEEN


def test_matrices_are_stacked_and_go_by_the_component():
    parts = {f"chol_{k}": ((*CD, "packed"), RIGHT[k] + noise(2, seed=k)) for k in range(3)}
    found = reshape.stack(posterior(**parts), chol=[*parts])
    new = relabel.relabel(found).posterior["chol"]
    assert new.dims == (*DIMS, "packed") and new.shape == (4, 200, 3, 2)


def test_a_share_is_completed_and_relabelled():
    mu, theta = np.array([-3.0, 3.0]) + noise(2), 0.62 + noise(sd=0.01)
    for c in (1, 3):
        mu[c], theta[c] = mu[c][:, ::-1], 1 - theta[c]
    found = xr.Dataset({"means": (DIMS, mu), "theta": (CD, theta)})
    new = relabel.relabel(reshape.complete(found, "theta", new="weights")).posterior
    assert "theta" not in new
    assert_allclose(new["weights"].mean(CD), [0.62, 0.38], atol=0.01)


def test_a_reference_class_is_completed():
    eta = turned(np.array([0.0, 1.0, -1.0]) + noise(3))
    found = posterior(gamma=((*CD, "but_last"), eta[..., :2] - eta[..., 2:]))
    new = relabel.relabel(reshape.complete(found, "gamma", last=0)).posterior["gamma"]
    assert_allclose((new - new.isel(component=2)).mean(CD), [1, 2, 0], atol=0.05)


def test_shares_of_more_than_all_are_refused():
    found = posterior(w=((*CD, "short"), np.full((4, 200, 2), 0.6)))
    with pytest.raises(ValueError, match="^name: expected shares that sum to 1 or less"):
        reshape.complete(found, "w")


def test_minus_the_log_density_is_known_by_the_energy():
    density, kinetic = -100 - np.exp(noise(sd=1.0)), np.exp(noise(sd=0.3, seed=1))
    for sign in (1, -1):
        stats = xr.Dataset({"lp": (CD, sign * density), "energy": (CD, kinetic - density)})
        tree = xr.DataTree.from_dict({"posterior": posterior(), "sample_stats": stats})
        assert trace.best_draw(tree) == density.argmax()
        read = trace.read(tree, "means", "component").log_density["log density"]
        assert_array_equal(read, density)
