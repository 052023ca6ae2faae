"""ADVI: PyMC's own fits, recorded; and many at once."""

import numpy as np
import pymc as pm
import pytest
from mixtures import advi, data, exact, models, variational
from mixtures.gaussians import Gaussian
from pymc.distributions import transforms

X = data.simulate(0)
FAST = pm.adam(learning_rate=0.01)


@pytest.fixture(scope="module", params=[(m, f) for f in ("advi", "fullrank_advi") for m in ("unordered", "ordered")])
def fitted(request):
    """A short fit of each kind: model, method, fit."""
    kind, method = request.param
    model = getattr(models, kind)(X)
    return kind, method, variational.fit(model, method, steps=1000, optimizer=FAST, seed=5, every=300)


def test_a_fit_is_what_pymc_says_it_is(fitted):
    kind, method, fit = fitted
    assert fit.gaussian.space == ("raw" if kind == "unordered" else "log gap")
    assert (fit.gaussian.corr == 0) == (method == "advi")
    np.testing.assert_allclose(fit.gaussian.mean, fit.approx.mean.eval(), rtol=1e-12)
    np.testing.assert_allclose(fit.gaussian.covariance, fit.approx.cov.eval(), rtol=1e-12)
    np.testing.assert_allclose(fit.gaussian.sd, fit.approx.std.eval(), rtol=1e-12)
    assert fit.losses.shape == (1000,) and np.isfinite(fit.losses).all()


def test_draws_of_a_fit_follow_its_gaussian(fitted):
    _, _, fit = fitted
    values = fit.approx.sample(20_000, random_seed=1).posterior["means"].values[0]
    q = fit.gaussian
    assert (np.abs(values.mean(axis=0) - q.means_mean) < 5 * q.means_sd / np.sqrt(20_000)).all()
    np.testing.assert_allclose(values.std(axis=0), q.means_sd, rtol=0.05)


def test_the_path_leads_from_pymcs_start_to_the_fit(fitted):
    kind, method, fit = fitted
    assert fit.steps.tolist() == [0, 300, 600, 900, 1000] and len(fit.path) == 5
    np.testing.assert_array_equal(fit.path[-1].mean, fit.gaussian.mean)
    np.testing.assert_array_equal(fit.path[-1].covariance, fit.gaussian.covariance)
    np.testing.assert_allclose(fit.path[0].mean, [0, 0] if kind == "unordered" else [-1, np.log(2)], atol=1e-12)
    np.testing.assert_allclose(fit.path[0].sd, np.log(2) if method == "advi" else np.log1p(np.e))
    p = exact.posterior(X)
    assert variational.kl(fit.path[-1], p) < variational.kl(fit.path[1], p) < variational.kl(fit.path[0], p)


def test_losses_scatter_about_the_exact_one(fitted):
    """The exact losses at the ends of a hundred steps bracket the mean of the noisy ones, but for noise."""
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
    np.testing.assert_array_equal(one.losses, again.losses)
    np.testing.assert_array_equal(one.losses, theirs.hist)
    np.testing.assert_array_equal(one.gaussian.mean, theirs.mean.eval())
    assert not np.array_equal(one.losses, other.losses)
    assert one.steps.tolist() == [0, 20]


def test_the_optimiser_makes_a_difference():
    model = models.unordered(X)
    slow, fast = (variational.fit(model, steps=50, optimizer=opt, seed=1).gaussian for opt in (None, FAST))
    assert np.abs(fast.sd - np.log(2)).min() > 5 * np.abs(slow.sd - np.log(2)).max()


@pytest.fixture
def unrun(monkeypatch):
    """Make fits that are set up and never take a step, which saves their compilation."""
    monkeypatch.setattr(advi, "_run", lambda inference, model, steps, *_: advi.Recorder(inference.approx, steps, None))


@pytest.mark.usefixtures("unrun")
def test_a_fit_starts_where_it_is_told():
    unordered, ordered = models.unordered(X), models.ordered(X)
    for start in ({"means": [-1.0, 2.0]}, [-1.0, 2.0]):
        for model, expected in ((unordered, [-1, 2]), (ordered, [-1, np.log(3)])):
            first = variational.fit(model, steps=1, seed=1, start=start).path[0]
            np.testing.assert_allclose(first.mean, expected)
    for model, method, q in (
        (unordered, "advi", Gaussian.of([-0.3, 0.2], [0.001, 40.0])),
        (ordered, "fullrank_advi", Gaussian.of([-0.3, 0.2], [0.1, 0.2], -0.4, "log gap")),
    ):
        first = variational.fit(model, method, steps=1, seed=1, start=q).path[0]
        np.testing.assert_allclose(first.mean, q.mean)
        np.testing.assert_allclose(first.covariance, q.covariance, rtol=1e-10)


def ordered_model(**settings):
    with pm.Model() as model:
        means = pm.Normal("means", 0, 10, shape=2, transform=transforms.ordered, **settings)
        pm.NormalMixture("obs", w=[0.5, 0.5], mu=means, sigma=1, observed=X)
    return model


@pytest.mark.parametrize("settings", [{}, {"initval": [1.0, -1.0]}, {"initval": [0.0, 0.0]}, {"initval": "prior"}])
def test_an_ordered_model_without_an_increasing_initval_is_refused_before_the_fit(settings, monkeypatch):
    """PyMC returns a fit with a mean of minus infinity."""
    monkeypatch.setattr(pm, "fit", None)
    with pytest.raises(ValueError, match="^initval: .*increas"):
        variational.fit(ordered_model(**settings), steps=10, seed=1)


def test_a_start_does_for_an_initval():
    fit = variational.fit(ordered_model(), steps=1, seed=1, start=[-1.0, 1.0])
    np.testing.assert_allclose(fit.path[0].mean, [-1, np.log(2)])


@pytest.mark.parametrize("start", [[1.0, -1.0], {"means": [0.0, 0.0]}])
def test_an_ordered_model_is_not_started_out_of_order(start):
    with pytest.raises(ValueError, match="^start: .*increas"):
        variational.fit(models.ordered(X), steps=10, seed=1, start=start)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        *[("method", {"method": v}) for v in ("svgd", None, pm.ADVI)],
        *[("steps", {"steps": v}) for v in (0, -1, 2.5, None, True)],
        *[("seed", {"seed": v}) for v in (-1, None, 0.5)],
        *[("every", {"every": v}) for v in (0, 1.5, "all")],
        *[("optimizer", {"optimizer": v}) for v in ("adam", 0.01)],
        ("var_name", {"var_name": "mu"}),
        *[("start", {"start": v}) for v in ([1.0], [0.0, np.nan], "mode", {"mu": [0.0, 1.0]}, {"means": None})],
        ("start", {"start": Gaussian.of([0, 0], [1, 1], space="log gap")}),
        ("start", {"start": Gaussian.of([0, 0], [1, 1], 0.5)}),
    ],
)
def test_bad_arguments_of_a_fit_are_refused_by_name(name, settings):
    with pytest.raises(ValueError, match=f"^{name}: "):
        variational.fit(models.unordered(X), **({"steps": 10, "seed": 1} | settings))


def test_a_model_that_is_not_of_two_means_is_refused():
    with pm.Model() as two:
        pm.Normal("means", shape=2)
        pm.Normal("other")
    with pm.Model() as three:
        pm.Normal("means", shape=3)
    with pm.Model() as positive:
        pm.LogNormal("means", shape=2)
    with pm.Model() as single:
        pm.Normal("means")
    for model in (two, three, positive, single, "model"):
        with pytest.raises(ValueError, match="^model: "):
            variational.fit(model, steps=1, seed=1)


@pytest.mark.parametrize("kind", ["unordered", "ordered"])
def test_a_loss_that_is_not_finite_stops_the_fit_and_names_the_step(kind, monkeypatch):
    seen, listen = [], advi.Recorder.__call__

    def overhear(self, approx, losses, step):
        seen.append(losses[-1])
        listen(self, approx, losses, step)

    monkeypatch.setattr(advi.Recorder, "__call__", overhear)
    violent = pm.sgd(learning_rate=1e3)
    with pytest.raises(FloatingPointError, match=r"^loss is (inf|-inf|nan) at step \d+: ") as error:
        variational.fit(getattr(models, kind)(X), steps=500, optimizer=violent, seed=1)
    assert isinstance(error.value, variational.NonFiniteLoss)
    step = int(str(error.value).split("step ")[1].split(":")[0])
    assert 1 < step < 100 and np.isfinite(seen[: step - 1]).all()
    assert len(seen) == step - ("nan" in str(error.value))


def test_parameters_that_leave_the_finite_numbers_with_the_last_step_are_no_fit():
    with pytest.raises(variational.NonFiniteLoss, match="^a parameter is not finite at step 1: "):
        variational.fit(models.unordered(X), steps=1, optimizer=pm.sgd(learning_rate=np.inf), seed=1)


def test_a_loss_of_nan_is_reported_as_any_other():
    """PyMC raises on NaN by itself, before any callback; the error and the step are ours."""
    with pm.Model() as model:
        means = pm.Normal("means", 0, 1, shape=2)
        pm.Potential("hole", pm.math.log(means[0] - 0.5))
    with pytest.raises(variational.NonFiniteLoss, match=r"^loss is nan at step \d+: "):
        variational.fit(model, steps=200, seed=1, start=[2.0, 0.0])


# many at once

@pytest.fixture(scope="module", params=[False, True], ids=["unordered", "ordered"])
def copies(request):
    ordered = request.param
    return ordered, variational.fits(X, 6, ordered=ordered, steps=1500, optimizer=FAST, seed=2, every=500)


def test_copies_have_the_shapes_and_start_where_one_does(copies):
    ordered, found = copies
    assert found.space == ("log gap" if ordered else "raw")
    assert found.mean.shape == found.sd.shape == (4, 6, 2) and found.steps.tolist() == [0, 500, 1000, 1500]
    np.testing.assert_allclose(found.mean[0], np.tile([-1, np.log(2)] if ordered else [0, 0], (6, 1)), atol=1e-12)
    np.testing.assert_allclose(found.sd[0], np.log(2))
    q = found.gaussian(3, frame=1)
    np.testing.assert_array_equal(q.mean, found.mean[1, 3])
    np.testing.assert_allclose(q.sd, found.sd[1, 3])
    assert q.space == found.space and q.corr == 0


def test_each_copy_reaches_the_best_there_is(copies):
    ordered, found = copies
    p = exact.posterior(X)
    goal = variational.kl(variational.best(p, space=found.space), p)
    reached = [variational.kl(found.gaussian(c), p) for c in range(6)]
    assert min(reached) > goal and np.median(reached) < goal + 0.25
    if not ordered:
        assert len(set(np.sign(found.mean[-1, :, 0] - found.mean[-1, :, 1]))) == 2, "copies choose for themselves"


def test_the_loss_of_copies_is_the_sum_of_theirs(copies):
    _, found = copies
    p, last = exact.posterior(X), found.losses[-100:]
    total = -sum(variational.elbo(found.gaussian(c), p) for c in range(6))
    assert abs(last.mean() - total) < 5 * last.std() / 10 + 0.5


@pytest.mark.parametrize("ordered", [False, True])
def test_the_model_of_copies_is_a_product_of_the_model(ordered):
    single = models.ordered(X) if ordered else models.unordered(X)
    several = advi._copies(X, 3, ordered)
    name = "means_ordered__" if ordered else "means"
    points = np.random.default_rng(0).normal(size=(3, 2))
    logp = single.compile_logp()
    expected = sum(float(logp({name: point})) for point in points)
    assert float(several.compile_logp()({name: points})) == pytest.approx(expected, abs=1e-9)


def test_a_copy_is_not_disturbed_by_its_neighbours():
    """Copies started elsewhere draw other losses, but the first takes exactly the same steps."""
    near = np.array([[-1.0, 1.0]] * 3)
    far = np.array([[-1.0, 1.0], [5.0, -4.0], [0.0, 0.0]])
    a, b = (variational.fits(X, 3, steps=100, optimizer=FAST, start=start, seed=4) for start in (near, far))
    np.testing.assert_allclose(b.mean[0], far)
    np.testing.assert_allclose(a.mean[-1, 0], b.mean[-1, 0], rtol=1e-10)
    np.testing.assert_allclose(a.sd[-1, 0], b.sd[-1, 0], rtol=1e-10)
    assert np.abs(a.mean[-1, 1:] - b.mean[-1, 1:]).min() > 0.01
    assert not np.array_equal(a.mean[-1, 0], a.mean[-1, 1])


def test_copies_are_distributed_as_single_fits():
    """A hundred copies against a hundred short fits, one after the other."""
    start, steps, slow = np.array([-1.0, 1.0]), 30, pm.sgd(learning_rate=0.002)
    copies = variational.fits(X, 100, steps=steps, optimizer=slow, start=start, seed=7).mean[-1]
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
    error = singles.std(axis=0) * np.sqrt(2 / 100)
    assert (np.abs(singles.mean(axis=0) - copies.mean(axis=0)) < 4 * error).all()
    np.testing.assert_allclose(copies.std(axis=0), singles.std(axis=0), rtol=0.35)
    assert abs(np.corrcoef(copies[::2, 0], copies[1::2, 0])[0, 1]) < 4 / np.sqrt(50)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        *[("copies", {"copies": v}) for v in (0, 2.0, None)],
        *[("start", {"start": v}) for v in ([1.0], np.zeros((3, 2)), [0.0, np.inf])],
        *[("steps", {"steps": 0}), ("seed", {"seed": -1}), ("every", {"every": 0}), ("optimizer", {"optimizer": 1})],
        ("start", {"ordered": True, "start": [1.0, 0.0]}),
    ],
)
def test_bad_arguments_of_copies_are_refused_by_name(name, settings):
    with pytest.raises(ValueError, match=f"^{name}: "):
        variational.fits(X, **({"copies": 2, "steps": 5, "seed": 1} | settings))


def test_bad_data_are_refused_by_name(bad_data):
    with pytest.raises(ValueError, match="^x: "):
        variational.fits(bad_data, 2, steps=5, seed=1)
