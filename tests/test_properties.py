"""What holds for every input, tried on inputs that nobody chose: Hypothesis makes them, and shrinks those that fail."""

import contextlib
import string

import numpy as np
import pytest
import xarray as xr
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from mixtures import bounds, claims, data, exact, gaussians, relabel, saddles, switching
from mixtures.claims import FalseClaim, begin, claim, measured
from mixtures.gaussians import Gaussian

SEEDS = st.integers(0, 2**31)
ANY = st.floats() | st.integers() | st.text(max_size=4) | st.none() | st.lists(st.floats(), max_size=3)


def test_more_than_two_thousand_inputs_are_generated(request):
    """In the whole of the suite; Hypothesis stops early only where it has tried everything there is."""
    tests = [item for item in request.session.items if getattr(item.obj, "is_hypothesis_test", False)]
    if len({item.path for item in tests}) == 1:
        pytest.skip("only the whole suite has so many")
    assert sum(item.obj._hypothesis_internal_use_settings.max_examples for item in tests) > 2000


# data


@given(hnp.arrays(st.sampled_from([float, np.float32, int, bool, np.uint8]), hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=5)))
def test_an_array_is_data_or_is_refused_by_name(array):
    if array.ndim == 1 and array.size and np.isfinite(array).all():
        checked = data.check(array)
        assert checked.dtype == float
        np.testing.assert_array_equal(checked, array)
        assert not np.shares_memory(checked, array)
    else:
        with pytest.raises(ValueError, match="^x: expected "):
            data.check(array)


@given(SEEDS, st.integers(1, 50), st.floats(0, 1e6), st.floats(0, 1e6))
def test_a_dataset_is_its_number_and_moves_with_the_separation(seed, n, separation, other):
    x, y = data.simulate(seed, n, separation), data.simulate(seed, n, other)
    np.testing.assert_array_equal(x, data.simulate(seed, n, separation))
    assert x.shape == (n,) and np.isfinite(x).all()
    # only the true means differ, by half the difference of the separations, to one side or the other
    np.testing.assert_allclose(np.abs(x - y), abs(separation - other) / 2, atol=1e-9 * (1 + separation + other))


@given(ANY, ANY, ANY)
def test_what_cannot_be_simulated_is_refused_by_name(seed, n, separation):
    assume(not (isinstance(n, int) and n > 1000))
    try:
        x = data.simulate(seed, n, separation)
    except ValueError as error:
        assert str(error).startswith(("seed: expected", "n: expected", "separation: expected"))
    else:
        assert x.shape == (n,)


# the exact posterior

small_data = st.lists(st.floats(-4, 4), min_size=1, max_size=12)
setting = st.fixed_dictionaries(
    {"prior_sd": st.floats(0.8, 5)},
    optional={
        "weights": st.floats(0.1, 0.9).map(lambda w: (w, 1 - w)),
        "sigma": st.tuples(st.floats(0.5, 2), st.floats(0.5, 2)),
        "prior_mean": st.tuples(st.floats(-3, 3), st.floats(-3, 3)),
    },
)


def turned(setting, way):
    """Return a setting whose pairs are changed."""
    return {name: way(name, value) if isinstance(value, tuple) else value for name, value in setting.items()}


@settings(max_examples=settings().max_examples * 6 // 10)
@given(small_data, setting, SEEDS)
def test_order_names_and_sign_change_what_they_should_and_nothing_else(x, setting, seed):
    p = exact.posterior(x, **setting)
    shuffled = exact.posterior(np.random.default_rng(seed).permutation(x), **setting)
    swapped = exact.posterior(x, **turned(setting, lambda _, pair: pair[::-1]))
    mirrored = exact.posterior(-np.array(x), **turned(setting, lambda name, pair: tuple(-v for v in pair) if name == "prior_mean" else pair))
    for other in (shuffled, swapped, mirrored):
        assert other.log_evidence == pytest.approx(p.log_evidence, abs=1e-9)
        assert other.barrier == pytest.approx(p.barrier, abs=1e-6)
    np.testing.assert_allclose(swapped.raw_mean[::-1], p.raw_mean, atol=1e-8)
    np.testing.assert_allclose(swapped.mean, p.mean, atol=1e-6)
    np.testing.assert_allclose(-mirrored.mean[::-1], p.mean, atol=1e-6)
    np.testing.assert_allclose(mirrored.sd[::-1], p.sd, atol=1e-6)


@settings(max_examples=settings().max_examples * 4 // 10)
@given(small_data, setting, st.lists(st.floats(0, 20), min_size=2, max_size=6))
def test_probabilities_are_probabilities(x, setting, gaps):
    p = exact.posterior(x, **setting)
    below = p.gap_cdf(np.sort(gaps))
    assert (below >= 0).all() and (below <= 1).all() and (np.diff(below) >= -1e-12).all()
    assert p.gap_cdf(1e3) == pytest.approx(1, abs=1e-9)
    shares = []
    for way in (lambda _, pair: pair, lambda _, pair: pair[::-1]):
        one = exact.posterior(x, **turned(setting, way))
        # where nothing is on this side, all is on the other
        with contextlib.suppress(ValueError):
            shares.append(np.exp(one.log_evidence_ordered - one.log_evidence))
    assert sum(shares) == pytest.approx(1, abs=1e-6)
    # a component without an observation is as wide as its prior
    at = np.linspace(-45, 45, 1501)
    for density in (p.marginal(0, at), p.marginal(1, at), p.ordered_marginal(0, at), p.ordered_marginal(1, at)):
        assert (density >= 0).all()
        assert 0.06 * density.sum() == pytest.approx(1, abs=1e-6)


@given(small_data, setting)
def test_modes_are_flat_and_the_barrier_lies_below_them(x, setting):
    joint = exact.Joint.of(x, **setting)
    modes = joint.modes()
    heights = joint.log_density(modes)
    assert (np.diff(heights) <= 1e-9).all()
    for mode in modes:
        assert np.abs(joint.gradient(mode)).max() < 1e-5
    try:
        barrier = saddles.barrier(joint, modes)
    except ValueError as error:
        assert str(error) == "x: no saddle found between the two highest modes"
    else:
        assert barrier >= 0
        assert (len(modes) == 1) <= (barrier == 0)


# relabelling


@given(SEEDS, st.integers(2, 5), st.integers(2, 30), st.integers(1, 3))
def test_what_relabelling_finds_does_not_depend_on_the_names_before(seed, n_component, n_draw, n_parameter):
    """Each draw is renamed as it likes; order and nearness to a pivot bring the same draws back."""
    rng = np.random.default_rng(seed)
    draws = rng.normal(size=(n_draw, n_component, n_parameter))
    renamed = relabel.apply(draws, np.array([rng.permutation(n_component) for _ in range(n_draw)]))
    pivot = rng.normal(size=(n_component, n_parameter))
    for find in (relabel.by_order, lambda d: relabel.pra(d, pivot)):
        np.testing.assert_array_equal(relabel.apply(renamed, find(renamed)), relabel.apply(draws, find(draws)))


@given(SEEDS, st.integers(2, 4), st.integers(1, 20))
def test_a_whole_trace_is_relabelled_as_its_arrays_are(seed, n_component, n_draw):
    rng = np.random.default_rng(seed)
    means, weights = rng.normal(size=(2, n_draw, n_component)), rng.dirichlet(np.ones(n_component), (2, n_draw))
    dims = ("chain", "draw", "component")
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset({"means": (dims, means), "weights": (dims, weights)})})
    done = relabel.relabel(tree, "order").posterior
    perm = relabel.by_order(means.reshape(-1, n_component))
    np.testing.assert_array_equal(done["permutation"].values.reshape(-1, n_component), perm)
    for name, array in (("means", means), ("weights", weights)):
        expected = relabel.apply(array.reshape(-1, n_component), perm)
        np.testing.assert_array_equal(done[name].values.reshape(-1, n_component), expected)
    np.testing.assert_allclose(done["weights"].sum("component"), 1)


@given(SEEDS, st.integers(2, 4), st.integers(1, 12), st.integers(1, 15))
def test_iterative_methods_do_not_go_by_the_names_of_the_pivot(seed, n_component, n, n_draw):
    """Whatever they find, allocations and probabilities that agree before agree after."""
    rng = np.random.default_rng(seed)
    z = np.tile(rng.integers(0, n_component, n), (n_draw, 1))
    renamed = relabel.apply_to_allocations(z, np.array([rng.permutation(n_component) for _ in range(n_draw)]))
    together = relabel.apply_to_allocations(renamed, relabel.ecr_iterative(renamed, components=n_component))
    assert (together == together[0]).all()
    p = np.where(renamed[..., None] == np.arange(n_component), 0.9, 0.1 / (n_component - 1))
    agreed = relabel.apply(p.transpose(0, 2, 1), relabel.stephens(p))
    np.testing.assert_allclose(agreed, np.broadcast_to(agreed[0], agreed.shape), atol=1e-12)


# the diagnosis


@st.composite
def traces(draw):
    """Return draws [chain, draw, component] of a mixture whose chains may switch, wander off or stand still."""
    rng = np.random.default_rng(draw(SEEDS))
    chains, n, components = draw(st.integers(1, 4)), draw(st.integers(4, 120)), draw(st.integers(2, 4))
    means = draw(st.floats(0, 5)) * np.arange(components) + rng.normal(size=(chains, n, components))
    for c in range(chains):
        happens = draw(st.sampled_from(["nothing", "renamed", "switches", "elsewhere", "still"]))
        if happens == "renamed":
            means[c] = means[c][:, rng.permutation(components)]
        elif happens == "switches":
            means[c, n // 2 :] = means[c, n // 2 :][:, rng.permutation(components)]
        elif happens == "elsewhere":
            means[c] += 10
        elif happens == "still":
            means[c] = means[c, 0]
    return xr.DataArray(means, dims=("chain", "draw", "component"), name="means")


@settings(max_examples=settings().max_examples * 8 // 10)
@given(traces(), SEEDS)
def test_a_verdict_does_not_hang_on_names_order_or_units(means, seed):
    found = switching.diagnose(means)
    assert found.verdict in switching.LINKS
    assert found.summary and found.next_step and max(map(len, str(found).splitlines())) <= 79
    rng = np.random.default_rng(seed)
    for other in (
        means.isel(component=rng.permutation(means.sizes["component"])),
        means.isel(chain=rng.permutation(means.sizes["chain"])),
        # a power of two, so that nothing is rounded
        means * 4,
        means.transpose(*rng.permutation(means.dims)),
    ):
        assert switching.diagnose(other).verdict == found.verdict


@example(np.where(np.arange(320).reshape(5, 8, 8) == 0, 0, 1.4e306))
@given(hnp.arrays(float, hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=8)))
def test_any_numbers_are_diagnosed_or_refused_by_name(array):
    means = xr.DataArray(array, dims=("chain", "draw", "component"), name="means")
    try:
        found = switching.diagnose(means)
    except ValueError as error:
        assert str(error).startswith(("tree: ", "component_dim: ", "var_name: "))
    else:
        assert found.verdict in switching.LINKS
        assert np.isfinite(array).all() or found.verdict == switching.UNKNOWN


# variational fits

P8 = exact.posterior(data.simulate(8, n=30))
coordinates = st.floats(-3, 3)
# wider ones are refused, which is tested elsewhere
widths = st.floats(0.05, 0.5)


@settings(max_examples=settings().max_examples * 6 // 10)
@given(st.tuples(coordinates, coordinates), st.tuples(widths, widths), st.floats(-0.9, 0.9))
def test_the_names_change_no_divergence(mean, sd, corr):
    q, mirror = Gaussian.of(mean, sd, corr), Gaussian.of(mean[::-1], sd[::-1], corr)
    try:
        for one in (q, mirror, gaussians.symmetrise(q)):
            bounds.elbo(one, P8)
    except ValueError as error:
        # a long one that lies aslant
        assert str(error).startswith("gaussian: too wide")
        return
    assert bounds.kl(q, P8) == pytest.approx(bounds.kl(mirror, P8), abs=1e-6)
    assert bounds.elbo(q, P8) + bounds.kl(q, P8) == pytest.approx(P8.log_evidence, abs=1e-8)
    gained = bounds.kl(q, P8) - bounds.kl(gaussians.symmetrise(q), P8)
    assert -1e-6 <= gained <= np.log(2) + 1e-6


@given(st.lists(st.floats(), max_size=3), st.lists(st.floats(), max_size=3), st.floats(), st.sampled_from([*gaussians.SPACES, "log", ""]))
def test_a_gaussian_is_one_or_is_refused_by_name(mean, sd, corr, space):
    with np.errstate(all="ignore"):
        try:
            q = Gaussian(mean, np.outer(sd, sd) * (np.eye(len(sd)) + corr * (1 - np.eye(len(sd)))), space)
        except ValueError as error:
            assert str(error).startswith(("mean: expected", "covariance: expected", "space: expected"))
            return
    assert np.isfinite(q.factor).all() and (np.diag(q.factor) > 0).all()
    assert -1 < q.corr < 1


@given(st.tuples(coordinates, coordinates), st.sampled_from([*gaussians.SPACES]))
def test_coordinates_lead_to_the_means_and_back(point, space):
    mu = gaussians.to_means(point, space)
    np.testing.assert_allclose(gaussians.to_coords(mu, space), point, atol=1e-12)
    assert space == "raw" or mu[1] > mu[0]


# claims


@pytest.fixture(scope="module", autouse=True)
def ledger():
    """Gather what claims display, and leave no chapter open."""
    shown = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(claims, "display", lambda data, **more: shown.append(more["metadata"]["claim"]))
        patch.delenv("BOOK_CLAIMS_GATHER", raising=False)
        yield shown
    begin("(no chapter)")


def judged(ledger, value, **form):
    """Return whether a claim holds; one that does not leaves nothing behind."""
    begin("bells")
    ledger.clear()
    try:
        claim("a", value, **form, says="It is so.")
    except FalseClaim:
        assert not ledger and measured("a") == "…"
        return False
    (record,) = ledger
    assert record["holds"] is True and record["value"] == value
    return True


finite = st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=settings().max_examples * 2)
@given(st.floats(), finite, st.floats(min_value=0, exclude_min=True, allow_infinity=False))
def test_a_tolerance_is_kept_to_the_last_digit(ledger, value, expected, within):
    with np.errstate(all="ignore"):
        assert judged(ledger, value, expected=expected, within=within) == (abs(value - expected) / within <= 1)


@settings(max_examples=settings().max_examples * 2)
@given(st.floats(), finite, finite)
@example(np.inf, 0.0, 0.0)
@example(-np.inf, 0.0, 0.0)
def test_bounds_are_strict_and_hold_together(ledger, value, low, high):
    # what is not finite was not measured: no claim about it holds
    known = np.isfinite(value)
    assert judged(ledger, value, above=low) == (known and value > low)
    assert judged(ledger, value, below=high) == (known and value < high)
    assert judged(ledger, value, above=low, below=high) == (known and low < value < high)


@given(st.integers(), st.lists(st.integers(), min_size=1, max_size=4))
def test_a_set_is_a_set(ledger, value, among):
    assert judged(ledger, value, one_of=among) == (value in among)


@settings(max_examples=settings().max_examples * 2)
@given(ANY, ANY, st.dictionaries(st.sampled_from(["expected", "within", "above", "below", "one_of"]), ANY, max_size=3), ANY)
def test_a_malformed_claim_is_refused_by_name_and_leaves_nothing(ledger, name, value, form, says):
    begin("bells")
    ledger.clear()
    try:
        claim(name, value, **form, says=says)
    except FalseClaim:
        assert not ledger
    except ValueError as error:
        assert str(error).split(":")[0] in ("name", "says", "value", *form, "expected", "one_of", "within")
        assert not ledger
    else:
        assert len(ledger) == 1


names = st.text(string.ascii_letters + string.digits + "-", min_size=1).filter(lambda name: name.strip("-"))


@given(names, st.floats(-1e300, 1e300), st.integers(0, 8))
def test_the_prose_shows_what_was_measured(ledger, name, value, digits):
    begin("bells")
    claim(name, value, above=value - max(1.0, abs(value)), says="It is so.")
    shown = measured(name, f".{digits}f")
    assert float(shown.replace("−", "-")) == float(f"{value:.{digits}f}")
    assert measured("another", ".2f") == "…"
