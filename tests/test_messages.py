"""What a refusal says, to the word: a reader has nothing else to go by."""

import re

import numpy as np
import pytest
import xarray as xr
from mixtures import claims, exact, models, relabel, switching, variational
from mixtures.gaussians import Gaussian

DIMS = ("chain", "draw", "component")
TWO = np.array([[[0.0, 1.0], [3.0, 2.0]]])
WORDS = np.array([[["a", "b"], ["c", "d"]]])


def trace(stats=None, **variables):
    """Return a trace of one chain; all variables have components."""
    groups = {"posterior": xr.Dataset({name: (DIMS, array) for name, array in variables.items()})}
    return xr.DataTree.from_dict(groups | ({} if stats is None else {"sample_stats": xr.Dataset(stats)}))


def said(argument, message, run, *arguments, **keywords):
    """Return a case: what is to be said, and who is to say it."""
    return pytest.param(f"{argument}: {message}", run, arguments, keywords, id=f"{argument}: {message[:60]}")


def with_group(name, **variables):
    """Return the trace of two means, with variables added to one of its groups."""
    groups = {key: group.to_dataset() for key, group in T.children.items()}
    groups[name] = groups.get(name, xr.Dataset()).assign(variables)
    return xr.DataTree.from_dict(groups)


def kept_of(dim, size, **attrs):
    """Return a trace with a variable that has the name of a kept permutation."""
    return with_group("posterior", permutation=(("chain", "draw", dim), np.zeros((1, 2, size), dtype=int), attrs))


T = trace(means=TWO, words=WORDS)
Q = Gaussian.of([-1, 1], [0.2, 0.3])
UNEQUAL = exact.posterior([-1.0, 0.0, 2.0], weights=(0.4, 0.6))
P = relabel.memberships(T, [0.0, 1.0, 2.0])
UNREAL = "expected an array of real numbers, got {} (<U1 is not real)"
NO_DENSITY = "expected one, for the sample statistics have no log density (lp, logp, lp__)"

CASES = [
    # memberships
    said("sigma", UNREAL.format("DataArray"), relabel.memberships, T, [0.0], sigma="words"),
    said("sigma", UNREAL.format("list"), relabel.memberships, T, [0.0], sigma=["a", "b"]),
    said("p", "expected a DataArray, got ndarray", relabel.draw_allocations, P.values, 1),
    said("p", "expected probabilities that sum to 1 over 'component', at least one of them",
         relabel.draw_allocations, P.isel(obs=[]), 1),
    # pivots and probabilities
    said("pivot", NO_DENSITY, relabel.relabel, T, "pra"),
    said("pivot", NO_DENSITY, relabel.relabel, trace({"lp": (DIMS[:2], [[np.nan, np.nan]])}, means=TWO), "pra"),
    said("pivot", NO_DENSITY, relabel.relabel, trace({"lp": (DIMS[:2], [[1.0, 2.0, 3.0]])}, means=TWO), "pra"),
    said("pivot", "expected entries means, words, got none for 'words'", relabel.relabel, trace(means=TWO, words=TWO),
         "pra", var_name=["means", "words"], pivot={"means": [0, 1]}),
    said("pivot['means']", UNREAL.format("list"), relabel.relabel, T, "pra", pivot={"means": ["a", "b"]}),
    said("pivot", "expected 2 numbers for 'means', got shape [1, 2]", relabel.relabel, trace(means=TWO[:, :1]), "pra",
         pivot={"means": [[0.0, 1.0]]}),
    said("var_name", "expected a variable of the posterior (means, words), got 'mu'", relabel.relabel, T, "pra",
         var_name="mu", pivot=[0, 1]),
    said("probabilities", "expected a variable of the posterior (means, words), got 'p'", relabel.relabel, T, "stephens",
         probabilities="p"),
    said("probabilities", "expected the posterior's own draws, in its order", relabel.relabel,
         xr.DataTree.from_dict({"posterior": T.posterior.to_dataset().assign_coords(draw=[4, 5])}), "stephens",
         probabilities=P.assign_coords(draw=[5, 4])),
    said("weights", UNREAL.format("list"), relabel.memberships, T, [0.0], weights=["a", "b"]),
    said("means", UNREAL.format("DataArray"), relabel.memberships, T, [0.0], means="words"),
    said("means", "expected finite numbers, but 'means' has 1 that are not", relabel.memberships,
         trace(means=np.where(TWO == 3, np.nan, TWO)), [0.0]),
    said("means", "expected 'means' to have dim 'component', got ('chain', 'draw')", relabel.memberships,
         xr.DataTree.from_dict({"posterior": xr.Dataset({"means": (DIMS[:2], [[0.0]])})}), [0.0]),
    said("means", "expected a variable of the posterior (none), got 'means'", relabel.memberships,
         xr.DataTree.from_dict({"posterior": xr.Dataset(coords={"chain": [0], "draw": [0]})}), [0.0]),
    said("tree", "expected a DataTree, got Dataset", relabel.memberships, T.posterior.to_dataset(), [0.0]),
    said("tree", "expected a posterior group, got groups prior, warm", relabel.memberships,
         xr.DataTree.from_dict({"prior": xr.Dataset(), "warm": xr.Dataset()}), [0.0]),
    said("tree", "expected a posterior group, got groups none; give the whole trace, not its posterior",
         relabel.memberships, xr.DataTree(T.posterior.to_dataset()), [0.0]),
    # relabel
    said("method", "expected one of order, pra, ecr, ecr-iterative, stephens, got 'sort'", relabel.relabel, T, "sort"),
    said("component_dim", "expected a name or a list of names, got ndarray", relabel.relabel, T,
         component_dim=np.zeros(2)),
    said("component_dim", "expected a name or a list of names, got [3]", relabel.relabel, T, component_dim=[3]),
    said("component_dim", "expected dims of the posterior (component, other), got 'cluster'", relabel.relabel,
         kept_of("other", 3), component_dim="cluster"),
    said("component_dim", "expected dims of the posterior (component), got 'draw'", relabel.relabel, T,
         component_dim="draw"),
    said("component_dim", "expected dims of the posterior (none), got 'component'", relabel.relabel,
         xr.DataTree.from_dict({"posterior": xr.Dataset({"total": (DIMS[:2], [[0.0]])})})),
    said("component_dim", "expected 3 components as 'stephens' has, got 2", relabel.relabel, T, "stephens",
         probabilities=xr.DataArray(np.full((1, 2, 4, 3), 1 / 3), dims=(*DIMS[:2], "obs", "component"))),
    # a trace to be diagnosed
    said("tree", "expected a DataTree, a Dataset or a DataArray, got ndarray", switching.diagnose, TWO),
    said("var_name", "expected a name or a list of names, got [3]", switching.diagnose, T, [3]),
    said("var_name", "expected a name or a list of names, got []", switching.diagnose, T, []),
    said("var_name", "expected a variable of the posterior (means, words), got 'mu'", switching.diagnose, T, "mu"),
    said("var_name", "expected a variable of the posterior (none), got 'means'", switching.diagnose, xr.DataTree()),
    said("tree", "expected 'means' to have dims chain and draw, got ('draw', 'component')", switching.diagnose,
         xr.DataArray(TWO[0], dims=DIMS[1:])),
    said("tree", "expected 'means' to have dims chain and draw, got ('chain', 'component')", switching.diagnose,
         xr.DataArray(TWO[0], dims=("chain", "component"))),
    said("component_dim", "expected one of the dims ('chain', 'draw', 'component') of 'means', got 'k'",
         switching.diagnose, T, component_dim="k"),
    *(said("component_dim", f"expected one of the dims ('chain', 'draw', 'component') of 'means', got '{dim}'",
           switching.diagnose, T, component_dim=dim) for dim in DIMS[:2]),
    said("component_dim", "expected at least 2 components, got 1", switching.diagnose, trace(means=TWO[..., :1])),
    said("tree", "expected at least 1 chain of 4 draws, got sizes {'chain': 1, 'draw': 2, 'component': 2}",
         switching.diagnose, T),
    said("tree", "expected at least 1 chain of 4 draws, got sizes {'chain': 0, 'draw': 4, 'component': 2}",
         switching.diagnose, trace(means=np.zeros((0, 4, 2)))),
    said("var_name", "expected real numbers for each component, but 'means' does not hold real numbers",
         switching.diagnose, trace(means=np.full((1, 4, 2), "a"))),
    said("var_name", "expected real numbers for each component, but 'means' belongs to pairs of components",
         switching.diagnose, xr.DataArray(np.zeros((1, 4, 2, 2)), dims=(*DIMS, "component_to"))),
    # claims
    said("name", "expected letters, digits and hyphens, got 'a b'", claims.claim, "a b", 1.0, above=0, says="S."),
    said("says", "claim a: expected a sentence, got ' '", claims.claim, "a", 1.0, above=0, says=" "),
    *(said("expected", "claim a: give one of expected, above or below, one_of", claims.claim, "a", 1.0, says="S.", **given)
      for given in ({}, {"expected": 1, "above": 0}, {"one_of": [1], "below": 2}, {"expected": 1, "one_of": [1]})),
    said("value", "claim a: expected a number or a string, got list", claims.claim, "a", [1.0], above=0, says="S."),
    said("above", "claim a: expected a number or a string, got nan", claims.claim, "a", 1.0, above=np.nan, says="S."),
    said("below", "claim a: expected a number or a string, got inf", claims.claim, "a", 1.0, below=np.inf, says="S."),
    said("expected", "claim a: expected a number or a string, got nan", claims.claim, "a", 1.0, expected=np.nan, within=1,
         says="S."),
    said("one_of", "claim a: expected a number or a string, got NoneType", claims.claim, "a", 1, one_of=[None], says="S."),
    *(said("one_of", f"claim a: expected a collection of values, got {given!r}", claims.claim, "a", 1, one_of=given,
           says="S.") for given in (3, "abc", [])),
    *(said("within", f"claim a: expected a positive tolerance around a number, got {given!r}", claims.claim, "a", 1.0,
           expected=1, within=given, says="S.") for given in (0, -1.0, np.inf, np.nan, "1")),
    said("within", "claim a: expected a positive tolerance around a number, got 0.1", claims.claim, "a", 1.0, above=0,
         within=0.1, says="S."),
    said("within", "claim a: a measured number needs a tolerance", claims.claim, "a", 1.0, expected=1, says="S."),
    *(said("value", f"claim a: a string is not near, above, below or equal to a number: {word!r}", claims.claim, "a", value,
           says="S.", **given)
      for word, value, given in (("b", "b", {"above": 1}), ("c", 1, {"below": "c"}), ("b", "b", {"expected": "b", "within": 1}),
                                 ("b", "b", {"expected": 1}), ("d", 1, {"one_of": [2, "d"]}))),
    # models
    said("components", "expected a whole number >= 2, got 1", models.mixture, [0.0], 1),
    said("concentration", "expected a positive number, got 0", models.mixture, [0.0], 2, concentration=0),
    # Gaussians
    said("space", "expected one of 'raw', 'log gap', 'centred', got ['raw']", Gaussian, [0, 0], np.eye(2), ["raw"]),
    said("mean", "expected finite numbers of shape [2], got [0.0]", Gaussian, [0], np.eye(2)),
    said("mean", "expected finite numbers of shape [2], got [0.0, nan]", Gaussian, [0, np.nan], np.eye(2)),
    said("mean", UNREAL.format("list"), Gaussian, ["a", "b"], np.eye(2)),
    said("mean", UNREAL.format("list"), Gaussian.of, ["a", "b"], [1, 1]),
    said("covariance", "expected finite numbers of shape [2, 2], got [1.0, 1.0]", Gaussian, [0, 0], [1, 1]),
    said("covariance", "expected symmetric and positive definite, got [[1.0, 2.0], [2.0, 1.0]]", Gaussian, [0, 0],
         [[1, 2], [2, 1]]),
    said("draws", "expected a positive whole number, got 0", Q.sample, 0, 1),
    said("gaussian", "expected a Gaussian, such as that of a fit, got list", variational.symmetrise, [0, 1]),
    said("q", "expected a Gaussian, such as that of a fit, or a Symmetrised, got list", variational.importance, [0, 1],
         None, 100, 1),
    said("draws", "expected a whole number of a hundred or more, got 99", variational.importance, Q, None, 99, 1),
    said("posterior", "expected exchangeable components, for symmetrised labels", variational.elbo,
         variational.symmetrise(Q), UNEQUAL),
    said("family", "expected one of 'mean-field', 'full-rank', got 'advi'", variational.best, UNEQUAL, "advi"),
    said("family", "expected one of 'mean-field', 'full-rank', got 'advi'", variational.curvature, Q, UNEQUAL, "advi"),
    said("space", "expected one of 'raw', 'log gap', 'centred', got 1", variational.best, UNEQUAL, space=1),
    said("start", "expected one of 'mode', 'saddle', got 'top'", variational.best, UNEQUAL, start="top"),
    said("start", "expected a Gaussian in the space 'centred', got one in 'raw'", variational.best, UNEQUAL,
         space="centred", start=Q),
    said("start", "a saddle needs the raw space and exchangeable components", variational.best, UNEQUAL, start="saddle"),
    # carrying out
    said("perm", "expected integers of shape [draw, component], none of them 0, got float64 [2, 2]", relabel.apply,
         TWO[0], TWO[0]),
    said("perm", "expected a permutation of 0 to 1 in each row", relabel.apply, TWO[0], [[0, 1], [1, 2]]),
    said("z", "expected labels from 0 to 1, got 0 to 2", relabel.apply_to_allocations, [[0, 2]], [[0, 1]]),
    said("z", "expected integers that can hold 129 labels, got int8", relabel.apply_to_allocations,
         np.zeros((1, 3), np.int8), [range(129)]),
    said("z", "expected shape [draw, ...] with 1 draws, got []", relabel.apply_to_allocations, 0, [[0, 1]]),
    said("z", "expected labels that are integers, got float64", relabel.apply_to_allocations, [[0.0]], [[0, 1]]),
    said("tree", "expected no variable 'permutation', or one that relabel made of the same components", relabel.relabel,
         kept_of("component", 2)),
    said("tree", "expected no variable 'permutation', or one that relabel made of the same components", relabel.relabel,
         kept_of("other", 3, method="order")),
    said("allocations", "expected a variable of the posterior (means, words), got 'z'", relabel.relabel, T,
         allocations="z"),
    said("allocations", "expected 'means' to have dims chain and draw, and none of ('component',)", relabel.relabel, T,
         allocations="means"),
    said("allocations", "expected 'x' to have dims chain and draw, and none of ('component',)", relabel.relabel,
         with_group("posterior", x=("draw", [0, 1])), allocations="x"),
    said("component_dim", "expected 2 entries of 'component' in every group", relabel.relabel,
         with_group("predictions", means=(DIMS, np.zeros((1, 2, 3))))),
]


@pytest.mark.parametrize(("message", "run", "arguments", "keywords"), CASES)
def test_a_refusal_says_what_was_expected_and_what_was_found(message, run, arguments, keywords):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        run(*arguments, **keywords)
