"""What every function refuses, and that the refusal names the argument."""

import re

import numpy as np
import pymc as pm
import pytest
import xarray as xr
from mixtures import data, exact, models, relabel, reshape, switching, variational
from mixtures.exact import Joint
from mixtures.switching.law import census
from mixtures.variational import Gaussian
from pymc.distributions import transforms

NAN, INF = np.nan, np.inf
THIRDS = [1 / 3, 1 / 3, 1 / 3]
DIMS = ("chain", "draw", "component")
RNG = np.random.default_rng(0)

# a trace of three components, with all that any method needs
SHARES = RNG.dirichlet(np.ones(3), (2, 5, 4))
DATASET = xr.Dataset({
    "means": (DIMS, RNG.normal(size=(2, 5, 3))),
    "place": ((*DIMS, "axis"), RNG.normal(size=(2, 5, 3, 2))),
    "move": ((*DIMS, "component_to"), RNG.normal(size=(2, 5, 3, 3))),
    "words": (DIMS, np.full((2, 5, 3), "a")),
    "holed": (DIMS, np.full((2, 5, 3), NAN)),
    "z": ((*DIMS[:2], "obs"), RNG.integers(0, 3, (2, 5, 4))),
    "p": ((*DIMS[:2], "obs", "component"), SHARES),
    "total": (DIMS[:2], RNG.normal(size=(2, 5))),
})
TREE = xr.DataTree.from_dict({"posterior": DATASET})
SHARE = DATASET["p"]


def tree(posterior=DATASET, density=None, **groups):
    """Return the trace with another posterior, with a log density, or with further groups."""
    if density is not None:
        groups["sample_stats"] = xr.Dataset({"lp": (DIMS[:2], np.full((2, 5), density))})
    return xr.DataTree.from_dict({"posterior": posterior} | groups)


D, Z = np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([[0, 1, 1], [1, 0, 0]])
P = np.full((2, 3, 2), 0.5)
OFF, NEGATIVE = P + [0.1, 0.0], P + [-1.0, 1.0]
Q, LOG_GAP = Gaussian.of([-1, 1], [0.2, 0.3]), Gaussian.of([0, 0], [1, 1], space="log gap")
UNEQUAL = exact.posterior([-1.0, 0.0, 2.0], weights=(0.4, 0.6))
MODEL, ORDERED = models.unordered([0.0, 1.0]), models.ordered([0.0, 1.0])


def ordered_model(**settings):
    """Return an ordered model whose start is not that of the book."""
    with pm.Model() as model:
        means = pm.Normal("means", 0, 10, shape=2, transform=transforms.ordered, **settings)
        pm.NormalMixture("obs", w=[0.5, 0.5], mu=means, sigma=1, observed=[0.0, 1.0])
    return model


def not_of_two_means():
    """Return models that are not of two real means."""
    for shapes in ({"means": 2, "other": 1}, {"means": 3}, {"means": ()}):
        with pm.Model() as model:
            for name, shape in shapes.items():
                pm.Normal(name, shape=shape)
        yield model
    with pm.Model() as positive:
        pm.LogNormal("means", shape=2)
    yield positive
    yield "model"


def draw(**change):
    setting = {"seed": 0, "n": 10, "means": [0, 1], "sigma": [1, 1], "weights": [0.5, 0.5]}
    return data.draw(**setting | change)


def gaussian(**change):
    return Gaussian(**{"mean": [0.0, 1.0], "covariance": np.eye(2)} | change)


def fit(model=MODEL, **change):
    return variational.fit(model, **{"steps": 10, "seed": 1} | change)


def fits(**change):
    return variational.fits([0.0, 1.0], **{"copies": 2, "steps": 5, "seed": 1} | change)


def stephens(p, posterior=DATASET, **more):
    return relabel.relabel(tree(posterior), "stephens", probabilities=p, **more)


def pivoted(v, **more):
    return relabel.relabel(TREE, "pra", pivot=v, **more)


def keep(v, **attributes):
    """Relabel a trace that has a variable of the name under which permutations are kept."""
    return relabel.relabel(tree(DATASET.assign(permutation=v.assign_attrs(attributes))))


WHOLE, NAMES = (0, -1, 2.5, None, "9"), (3, [], [3], "mu")
# the argument, a call, and the values that it refuses; a value may stand for several arguments
ROWS = [
    # data
    ("seed", data.simulate, (None, -1, 0.5, "8", [8])),
    ("n", lambda v: data.simulate(0, n=v), (*WHOLE, NAN, [3])),
    ("separation", lambda v: data.simulate(0, separation=v), (-1, NAN, INF, "2", None, [2.0], 1j)),
    ("n", lambda v: draw(n=v), (0, 2.0)),
    ("seed", lambda v: draw(seed=v), (-1,)),
    ("means", lambda v: draw(means=v), ([], [0, NAN])),
    ("sigma", lambda v: draw(sigma=v), ([1.0], [1.0, 0.0], ["a", "b"])),
    ("weights", lambda v: draw(weights=v), ([0.5, 0.4], [1.5, -0.5], [0.2, 0.3, 0.5], "ab")),
    ("cells", census, ([], [(30, 1.0)], [(30, 1.0, 0, 1)])),
    # the posterior
    ("weights", lambda v: Joint.of([0.0, 1.0], weights=v),
     (0.3, (0.5, 0.6), (0, 1), (-0.5, 1.5), (NAN, 0.5), (1e308, 1e308), (0.2, 0.3, 0.5), [], None,
      "half")),
    *((name, lambda v, name=name: Joint.of([0.0, 1.0], **{name: v}),
       (0, -1, (1, 0), NAN, INF, 1e-200, 1e200, (1, 2, 3), "one", ("a", "b"), [[1, 2]], [], {}, 1j))
      for name in ("sigma", "prior_sd")),
    ("prior_mean", lambda v: Joint.of([0.0, 1.0], prior_mean=v),
     (NAN, INF, (0, NAN), (1, 2, 3), None, 1e200, "one", [[1, 2]], 1j)),
    ("sigma", lambda v: Joint.of([0.0], sigma=v), ([1.0, 2e25],)),
    ("x", Joint.of, ([1e200], [1.0, 1e12])),
    ("draws", lambda v: UNEQUAL.sample(v, 1), WHOLE),
    ("seed", lambda v: UNEQUAL.sample(9, v), (-1, None, 0.5)),
    # models
    ("components", lambda v: models.mixture([0.0, 1.0], v), (1, 0, -2, 2.0, "2", None)),
    ("concentration", lambda v: models.mixture([0.0], 2, concentration=v), (0.0, -1.0, NAN, INF)),
    # Gaussians, and what is asked of them
    ("mean", lambda v: gaussian(mean=v), ([0.0], [0.0, NAN], [[0.0, 1.0]], "ab", None)),
    ("covariance", lambda v: gaussian(covariance=v),
     ([1, 1], [[1, 2], [2, 1]], [[1, 0], [0.5, 1]], [[1, 0.5], [0.5 + 1e-8, 1]], [[-1, 0], [0, 1]],
      [[1, 1], [1, 1]], [[1, 0], [0, 0]], 0 * np.eye(2))),
    ("space", lambda v: gaussian(space=v), ("ordered", None, ["raw"])),
    *(("draws", lambda v, q=q: q.sample(v, 1), (0, 2.5)) for q in (Q, variational.symmetrise(Q))),
    *(("seed", lambda v, q=q: q.sample(9, v), (-1, None)) for q in (Q, variational.symmetrise(Q))),
    ("gaussian", variational.symmetrise, ([0, 1],)),
    ("q", lambda v: variational.importance(v, UNEQUAL, 100, 1), ([0, 1],)),
    ("draws", lambda v: variational.importance(Q, UNEQUAL, v, 1), (99, 1e3, None)),
    ("seed", lambda v: variational.importance(Q, UNEQUAL, 200, v), (-1, "one")),
    ("posterior", lambda v: variational.kl(variational.symmetrise(v), UNEQUAL), (Q,)),
    ("family", lambda v: variational.best(UNEQUAL, v), ("advi", None, ["mean-field"])),
    ("space", lambda v: variational.best(UNEQUAL, space=v), ("ordered", 1)),
    ("start", lambda v: variational.best(UNEQUAL, start=v), ("top", 3, LOG_GAP, "saddle")),
    ("start", lambda v: variational.best(UNEQUAL, space=v, start="saddle"), ("centred",)),
    ("family", lambda v: variational.curvature(Q, UNEQUAL, v), ("both",)),
    # fits
    ("model", fit, tuple(not_of_two_means())),
    ("method", lambda v: fit(method=v), ("svgd", None, pm.ADVI)),
    ("steps", lambda v: fit(steps=v), (0, -1, 2.5, None, True)),
    ("seed", lambda v: fit(seed=v), (-1, None, 0.5)),
    ("every", lambda v: fit(every=v), (0, 1.5, "all")),
    ("optimizer", lambda v: fit(optimizer=v), ("adam", 0.01)),
    ("var_name", lambda v: fit(var_name=v), ("mu",)),
    ("start", lambda v: fit(start=v),
     ([1.0], [0.0, NAN], "mode", {"mu": [0.0, 1.0]}, {"means": None}, LOG_GAP,
      Gaussian.of([0, 0], [1, 1], 0.5))),
    ("start", lambda v: fit(ORDERED, start=v), ([1.0, -1.0], {"means": [0.0, 0.0]})),
    # PyMC returns a fit with a mean of minus infinity
    ("initval", lambda v: fit(ordered_model(**v)),
     ({}, {"initval": [1.0, -1.0]}, {"initval": [0.0, 0.0]}, {"initval": "prior"})),
    ("copies", lambda v: fits(copies=v), (0, 2.0, None)),
    ("start", lambda v: fits(start=v), ([1.0], np.zeros((3, 2)), [0.0, INF])),
    ("start", lambda v: fits(start=v, ordered=True), ([1.0, 0.0],)),
    ("steps", lambda v: fits(steps=v), (0,)),
    ("seed", lambda v: fits(seed=v), (-1,)),
    ("every", lambda v: fits(every=v), (0,)),
    ("optimizer", lambda v: fits(optimizer=v), (1,)),
    # permutations
    ("perm", lambda v: relabel.apply(D, v), ([[0, 0], [1, 0]], [[0, 1], [1, 2]], D, [0, 1])),
    ("perm", lambda v: relabel.apply(np.zeros((0, 2)), v), (np.zeros((0, 2), int),)),
    ("draws", lambda v: relabel.apply(D, v), ([[0, 1]], [[0, 1, 2], [0, 1, 2]])),
    ("z", lambda v: relabel.apply_to_allocations(v, [[0, 1]] * 2),
     (Z + 1, Z - 1, Z * 1.0, Z[:1], 0)),
    ("z", lambda v: relabel.apply_to_allocations(v, [range(129)]), (np.zeros((1, 3), np.int8),)),
    ("draws", relabel.by_order,
     ([0.0, 1.0], np.zeros((2, 2, 2, 2)), np.zeros((0, 2)), D * NAN, [["a", "b"]])),
    ("parameter", lambda v: relabel.by_order(D, v), (1, -2, 0.5)),
    ("draws", lambda v: relabel.pra(v, D[0]), (D + INF, np.zeros((0, 2)))),
    ("pivot", lambda v: relabel.pra(D, v), ([0.0, 1.0, 2.0], np.zeros((2, 2)), [0.0, NAN], "abc")),
    *(("z", run, (Z[0], Z[:0], Z[:, :0], Z - 1, Z * 1.0, Z * NAN))
      for run in (lambda v: relabel.ecr(v, Z[0]), relabel.ecr_iterative)),
    ("z", lambda v: relabel.ecr(Z, Z[0], components=v), (1,)),
    ("components", lambda v: relabel.ecr(Z, Z[0], components=v), (0, 2.5)),
    ("pivot", lambda v: relabel.ecr(Z, v), (Z[0, :2], [0, 1, 2], Z, Z[0] * 1.0)),
    ("max_iterations", lambda v: relabel.ecr_iterative(Z, max_iterations=v), (0, 1.5)),
    ("max_iterations", lambda v: relabel.stephens(P, max_iterations=v), (0, 1.5)),
    ("p", relabel.stephens, (P[0], P[:0], OFF, P + 2e-5, NEGATIVE, P * NAN, P + INF, [[["a"]]])),
    # a whole trace
    ("tree", relabel.relabel,
     (None, xr.DataTree(), xr.DataTree(DATASET), tree(DATASET.isel(draw=[])))),
    ("tree", keep, (DATASET["total"], DATASET["means"].astype(int))),
    ("tree", lambda v: keep(v, method="order"), (DATASET["place"].isel(component=0).astype(int),)),
    ("method", lambda v: relabel.relabel(TREE, v), ("kmeans", None)),
    ("var_name", lambda v: relabel.relabel(TREE, var_name=v), ("mu", "total", ["means"])),
    ("var_name", lambda v: pivoted([0, 1, 2], var_name=v), ("mu", [])),
    ("component_dim", lambda v: relabel.relabel(TREE, component_dim=v),
     ("cluster", "chain", "draw", ["component", "obs"], [3], np.zeros(2))),
    ("component_dim", lambda v: relabel.relabel(tree(predictions=v)),
     (DATASET.isel(component=[0, 1]),)),
    ("parameter", lambda v: relabel.relabel(TREE, parameter=v), (3,)),
    ("draws", lambda v: relabel.relabel(TREE, var_name=v), ("holed",)),
    ("pivot", lambda v: relabel.relabel(TREE, pivot=v), ([1, 2, 3],)),
    ("probabilities", lambda v: relabel.relabel(TREE, probabilities=v), ("p",)),
    ("pivot", lambda v: relabel.relabel(v, "pra"), (TREE, tree(density=NAN))),
    ("pivot", lambda v: relabel.relabel(TREE, "ecr", allocations=v), ("z",)),
    ("pivot", pivoted, ({"mu": [0, 1, 2]}, {"means": [0, 1]}, {"means": [[0.0, 1.0, 2.0]]})),
    ("pivot['means']", pivoted, ({"means": ["a", "b", "c"]},)),
    ("pivot", lambda v: pivoted({"means": [0, 1, 2]}, var_name=v), (["means", "place"],)),
    ("allocations", lambda v: relabel.relabel(TREE, "ecr", allocations=v), (None,)),
    ("allocations", lambda v: relabel.relabel(TREE, "ecr-iterative", allocations=v), (None, "s")),
    ("allocations", lambda v: relabel.relabel(TREE, allocations=v),
     ("s", "means", "total", np.zeros(3))),
    ("probabilities", stephens, (None, "q", "means", SHARES, SHARE.isel(draw=slice(4)))),
    ("probabilities",
     lambda v: stephens(SHARE.assign_coords(draw=v[::-1]), DATASET.assign_coords(draw=v)),
     (np.arange(5),)),
    ("component_dim", stephens, (xr.DataArray(np.full((2, 5, 4, 2), 0.5), dims=SHARE.dims),)),
    # memberships
    ("tree", lambda v: relabel.memberships(v, [0.0]),
     (None, xr.DataTree(DATASET), "no such file", 1.0)),
    ("means", lambda v: relabel.memberships(TREE, [0.0], sigma=1, means=v),
     ("mu", "place", "holed", "words", "total")),
    ("component_dim", lambda v: relabel.memberships(TREE, [0.0], component_dim=v), ("cluster",)),
    ("sigma", lambda v: relabel.memberships(TREE, [0.0], sigma=v),
     (None, 0.0, NAN, [1.0, 1.0], "tau", "move", "words", ["a", "b", "c"])),
    ("sigma", lambda v: relabel.memberships(TREE, [0.0], lambda x, theta: x, sigma=v), (1.0,)),
    ("x", lambda v: relabel.memberships(TREE, [0.0], sigma=v), ("p",)),
    ("precision", lambda v: relabel.memberships(TREE, [0.0], precision=v), (0.0, "tau")),
    ("precision", lambda v: relabel.memberships(TREE, [0.0], sigma=v, precision=v), (1.0,)),
    ("weights", lambda v: relabel.memberships(TREE, [0.0], sigma=1, weights=v),
     (None, 1 / 3, "total", [0.5, 0.5, 0.5], [-0.5, 0.5, 1.0], ["a", "b", "c"])),
    ("log_density", lambda v: relabel.memberships(TREE, [0.0], v, weights=THIRDS),
     (lambda x, theta: theta["tau"], lambda x, theta: np.zeros(7),
      lambda x, theta: np.full(3, NAN), lambda x, theta: np.full(3, -np.inf))),
    ("covariance", lambda v: relabel.multivariate_normal(covariance=v, cholesky=v), (None, "c")),
    # shapes
    ("mu", lambda v: reshape.stack(TREE, mu=v), (["tau"], ["total", "means"], [])),
    ("component_dim", lambda v: reshape.stack(TREE, total=v), (["total"],)),
    ("component_dim", lambda v: reshape.stack(TREE, means=v), (["total"],)),
    ("name", lambda v: reshape.complete(TREE, v), ("tau", "place", "means")),
    ("p", lambda v: relabel.draw_allocations(v, 0),
     (SHARES, SHARE * 1.1, SHARE * NAN, SHARE.isel(obs=[]))),
    ("component_dim", lambda v: relabel.draw_allocations(SHARE, 0, component_dim=v), ("k",)),
    ("seed", lambda v: relabel.draw_allocations(SHARE, v), (-1,)),
    # the diagnosis
    ("tree", switching.diagnose,
     (None, SHARES, DATASET["means"][0], DATASET["means"][:, 0],
      DATASET[["means"]].isel(draw=slice(3)), DATASET[["means"]].isel(chain=[]))),
    ("var_name", lambda v: switching.diagnose(TREE, v), (*NAMES, "words", "total")),
    ("var_name", switching.diagnose,
     (tree(DATASET[["total"]]), 1j * DATASET[["means"]])),
    ("component_dim", lambda v: switching.diagnose(TREE, component_dim=v),
     ("cluster", "chain", "draw", ["component", "obs"])),
    ("component_dim", switching.diagnose, (DATASET[["means"]].isel(component=[0]),)),
]
CASES = [(argument, run, value) for argument, run, values in ROWS for value in values]


@pytest.mark.parametrize(
    ("argument", "run", "value"), CASES, ids=[f"{i} {a}" for i, (a, *_) in enumerate(CASES)])
def test_bad_input_is_refused_and_the_argument_named(argument, run, value):
    with pytest.raises(ValueError, match=f"^{re.escape(argument)}: .+"):
        run(value)


TAKE_DATA = {
    "data.check": data.check,
    "exact.posterior": exact.posterior,
    "exact.barrier": exact.barrier,
    "Joint.of": Joint.of,
    "models.unordered": models.unordered,
    "models.ordered": models.ordered,
    "models.centred": models.centred,
    "models.mixture": lambda x: models.mixture(x, 3),
    "models.log_likelihood": lambda x: models.log_likelihood(TREE, x),
    "relabel.memberships": lambda x: relabel.memberships(TREE, x),
    "variational.fits": lambda x: variational.fits(x, 2, steps=5, seed=1),
}


@pytest.mark.parametrize("take", TAKE_DATA.values(), ids=TAKE_DATA)
def test_bad_data_are_refused_by_name(take, bad_data):
    with pytest.raises(ValueError, match="^x: "):
        take(bad_data)


def test_data_of_another_name_are_refused_by_it(bad_data):
    with pytest.raises(ValueError, match="^heights: "):
        data.check(bad_data, name="heights")
