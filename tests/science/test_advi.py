"""ADVI: PyMC's own fits, recorded; and many at once."""

import numpy as np
import pymc as pm
import pytest
from mixtures import data, exact, models, variational
from mixtures.variational import Gaussian, advi
from numpy.testing import assert_allclose, assert_array_equal

X = data.simulate(0)
FAST = pm.adam(learning_rate=0.01)
# the graph as it is, without a compiler: that takes longer than all that is asked of it
PLAIN = "FAST_COMPILE"


# each kind of parameters and each space once: they do not depend on one another
@pytest.fixture(scope="module", params=[("unordered", "advi"), ("ordered", "fullrank_advi")])
def fitted(request):
    """Return a short fit of each kind: model, method, fit."""
    kind, method = request.param
    model = getattr(models, kind)(X)
    fit = variational.fit(model, method, steps=1000, optimizer=FAST, seed=5, every=300)
    return kind, method, fit


def test_a_fit_is_what_pymc_says_it_is(fitted):
    kind, method, fit = fitted
    assert fit.gaussian.space == ("raw" if kind == "unordered" else "log gap")
    assert (fit.gaussian.corr == 0) == (method == "advi")
    assert_allclose(fit.gaussian.mean, fit.approx.mean.eval(), rtol=1e-12)
    assert_allclose(fit.gaussian.covariance, fit.approx.cov.eval(), rtol=1e-12)
    assert_allclose(fit.gaussian.sd, fit.approx.std.eval(), rtol=1e-12)
    assert fit.losses.shape == (1000,) and np.isfinite(fit.losses).all()


def test_draws_of_a_fit_follow_its_gaussian(fitted):
    _, _, fit = fitted
    values = fit.approx.sample(20_000, random_seed=1).posterior["means"].values[0]
    q = fit.gaussian
    assert (np.abs(values.mean(axis=0) - q.means_mean) < 5 * q.means_sd / np.sqrt(20_000)).all()
    assert_allclose(values.std(axis=0), q.means_sd, rtol=0.05)


def test_the_path_leads_from_pymcs_start_to_the_fit(fitted):
    kind, method, fit = fitted
    assert fit.steps.tolist() == [0, 300, 600, 900, 1000] and len(fit.path) == 5
    assert_array_equal(fit.path[-1].mean, fit.gaussian.mean)
    assert_array_equal(fit.path[-1].covariance, fit.gaussian.covariance)
    start = [0, 0] if kind == "unordered" else [-1, np.log(2)]
    assert_allclose(fit.path[0].mean, start, atol=1e-12)
    assert_allclose(fit.path[0].sd, np.log(2) if method == "advi" else np.log1p(np.e))
    p = exact.posterior(X)
    first, second, last = (variational.kl(fit.path[at], p) for at in (0, 1, -1))
    assert last < second < first


def test_losses_scatter_about_the_exact_one(fitted):
    """The exact losses at the ends of a hundred steps bracket the mean of the noisy ones."""
    _, _, fit = fitted
    p, last = exact.posterior(X), fit.losses[900:]
    ends = [-variational.elbo(fit.path[i], p) for i in (-2, -1)]
    error = 5 * last.std() / 10
    assert min(ends) - error < last.mean() < max(ends) + error


def test_a_fit_is_seeded_and_is_that_of_pymc():
    model = models.unordered(X)
    one, again, other = (variational.fit(model, steps=20, seed=seed) for seed in (3, 3, 4))
    with model:
        theirs = pm.fit(20, method="advi", random_seed=3, progressbar=False)
    assert_array_equal(one.losses, again.losses)
    assert_allclose(one.losses, theirs.hist, rtol=1e-9)
    assert_allclose(one.gaussian.mean, theirs.mean.eval(), rtol=1e-9)
    assert not np.array_equal(one.losses, other.losses)
    assert one.steps.tolist() == [0, 20]


@pytest.fixture
def unrun(monkeypatch):
    """Make fits that are set up and never take a step, which saves their compilation."""

    def recorded(inference, model, steps, *_):
        return advi.Recorder(inference.approx, steps, None)

    monkeypatch.setattr(advi, "_run", recorded)


@pytest.mark.usefixtures("unrun")
def test_a_fit_starts_where_it_is_told():
    unordered, ordered = models.unordered(X), models.ordered(X)
    for start in ({"means": [-1.0, 2.0]}, [-1.0, 2.0]):
        for model, expected in ((unordered, [-1, 2]), (ordered, [-1, np.log(3)])):
            first = variational.fit(model, steps=1, seed=1, start=start).path[0]
            assert_allclose(first.mean, expected)
    for model, method, q in (
        (unordered, "advi", Gaussian.of([-0.3, 0.2], [0.001, 40.0])),
        (ordered, "fullrank_advi", Gaussian.of([-0.3, 0.2], [0.1, 0.2], -0.4, "log gap")),
    ):
        first = variational.fit(model, method, steps=1, seed=1, start=q).path[0]
        assert_allclose(first.mean, q.mean)
        assert_allclose(first.covariance, q.covariance, rtol=1e-10)


def test_a_loss_that_is_not_finite_stops_the_fit_and_names_the_step():
    violent = pm.sgd(learning_rate=1e3)
    said = r"^loss is (inf|-inf|nan) at step \d+: "
    with pytest.raises(variational.NonFiniteLoss, match=said) as error:
        variational.fit(models.ordered(X), steps=500, optimizer=violent, seed=1)
    assert isinstance(error.value, FloatingPointError)
    assert 1 < int(str(error.value).split("step ")[1].split(":")[0]) < 100


def test_parameters_that_leave_the_finite_numbers_with_the_last_step_are_no_fit():
    violent = pm.sgd(learning_rate=np.inf)
    with pytest.raises(variational.NonFiniteLoss, match="^a parameter is not finite at step 1: "):
        variational.fit(models.unordered(X), steps=1, optimizer=violent, seed=1)


def test_a_loss_of_nan_is_reported_as_any_other():
    """PyMC raises on NaN by itself, before any callback; the error and the step are ours."""
    with pm.Model() as model:
        means = pm.Normal("means", 0, 1, shape=2)
        pm.Potential("hole", pm.math.log(means[0] - 0.5))
    with pytest.raises(variational.NonFiniteLoss, match=r"^loss is nan at step \d+: "):
        variational.fit(model, steps=200, seed=1, start=[2.0, 0.0])


# many at once: all of them in one order by chance would be a matter of 1 in 30,000

COPIES = 16


@pytest.fixture(scope="module", params=[False, True], ids=["unordered", "ordered"])
def copies(request):
    ordered = request.param
    run = {"steps": 1500, "optimizer": FAST, "seed": 2, "every": 500}
    return ordered, variational.fits(X, COPIES, ordered=ordered, **run)


def test_copies_have_the_shapes_and_start_where_one_does(copies):
    ordered, found = copies
    assert found.space == ("log gap" if ordered else "raw")
    assert found.mean.shape == found.sd.shape == (4, COPIES, 2)
    assert found.steps.tolist() == [0, 500, 1000, 1500]
    start = [-1, np.log(2)] if ordered else [0, 0]
    assert_allclose(found.mean[0], np.tile(start, (COPIES, 1)), atol=1e-12)
    assert_allclose(found.sd[0], np.log(2))
    q = found.gaussian(3, frame=1)
    assert_array_equal(q.mean, found.mean[1, 3])
    assert_allclose(q.sd, found.sd[1, 3])
    assert q.space == found.space and q.corr == 0


def test_each_copy_reaches_the_best_there_is(copies):
    ordered, found = copies
    p = exact.posterior(X)
    goal = variational.kl(variational.best(p, space=found.space), p)
    reached = [variational.kl(found.gaussian(c), p) for c in range(COPIES)]
    assert min(reached) > goal and np.median(reached) < goal + 0.25
    if not ordered:
        sides = np.sign(found.mean[-1, :, 0] - found.mean[-1, :, 1])
        assert len(set(sides)) == 2, "copies choose for themselves"


@pytest.mark.parametrize("ordered", [False, True])
def test_the_model_of_copies_is_a_product_of_the_model(ordered):
    single = models.ordered(X) if ordered else models.unordered(X)
    several = models.copies(X, 3, ordered)
    name = "means_ordered__" if ordered else "means"
    points = np.random.default_rng(0).normal(size=(3, 2))
    logp = single.compile_logp(mode=PLAIN)
    expected = sum(float(logp({name: point})) for point in points)
    product = several.compile_logp(mode=PLAIN)({name: points})
    assert float(product) == pytest.approx(expected, abs=1e-9)


def test_copies_are_distributed_as_single_fits():
    """Four hundred copies against a hundred short fits in turn, within five standard errors.

    Means that are off by 0.6 of their spread would be noticed, and copies that share a third of
    their noise.
    """
    start, steps, slow = np.array([-1.0, 1.0]), 30, pm.sgd(learning_rate=0.002)
    copies = variational.fits(X, 400, steps=steps, optimizer=slow, start=start, seed=7).mean[-1]
    # what pm.fit does, rewound after each fit but for the random numbers
    inference = pm.ADVI(model=models.unordered(X), random_seed=1, start={"means": start})
    step = inference.objective.step_function(score=True, obj_optimizer=slow)
    shared = {p.name: p for p in inference.approx.params}
    first = {name: p.get_value() for name, p in shared.items()}
    singles = np.empty((100, 2))
    for single in singles:
        for name, p in shared.items():
            p.set_value(first[name])
        for _ in range(steps):
            step()
        single[:] = shared["mu"].get_value()
    error = singles.std(axis=0) * np.sqrt(1 / 100 + 1 / 400)
    assert (np.abs(singles.mean(axis=0) - copies.mean(axis=0)) < 5 * error).all()
    scatter = np.sqrt(1 / 200 + 1 / 800)
    assert_allclose(copies.std(axis=0), singles.std(axis=0), rtol=5 * scatter)
    assert abs(np.corrcoef(copies[::2, 0], copies[1::2, 0])[0, 1]) < 5 / np.sqrt(200)
