"""The figures: from small inputs, each shows the exact truth in its one colour, always the same."""

import ast
import io
import logging
import re

import arviz as az
import matplotlib as mpl
import numpy as np
import pytest
from checkout import ROOT
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import rgb_to_hsv, same_color, to_hex, to_rgb
from mixtures import claims, data, exact, models, plots
from mixtures.plots import style
from numpy.testing import assert_allclose
from scipy import stats


@pytest.fixture(autouse=True)
def chapter(monkeypatch):
    """Begin a chapter without a kernel; afterwards close its figures and forget its style."""
    formats = []

    def record(*names, **more):
        formats.append((names, more))

    monkeypatch.setattr(style, "set_matplotlib_formats", record)
    level = logging.getLogger("pymc").level
    with mpl.rc_context():
        mpl.use("agg")
        plots.begin("bells")
        yield formats
        plt.close("all")
    logging.getLogger("pymc").setLevel(level)
    claims.begin("(no chapter)")


@pytest.fixture(scope="module")
def posterior():
    """Return the exact posterior of a small dataset."""
    return exact.posterior(data.simulate(8))


@pytest.fixture
def tree(posterior):
    """Return exact draws in the form in which PyMC returns its own: two chains, two components."""
    draws = posterior.sample(400, seed=1).transpose("chain", "draw", "component").values
    return az.from_dict(
        {"posterior": {"means": draws.reshape(2, 200, 2)}},
        dims={"means": ["component"]},
        coords={"component": [0, 1]})


def in_exact_colour(ax):
    """Return the lines and the contours of an axes that are the exact truth, the legend's aside."""

    def is_exact(colour):
        return same_color(colour, plots.EXACT)

    lines = [one for one in ax.lines if is_exact(one.get_color()) and len(one.get_xdata()) > 1]
    contours = [c for c in ax.collections if c.get_array() is not None and len(c.get_edgecolor())]
    return lines, [c for c in contours if all(map(is_exact, c.get_edgecolor()))]


def drawn(ax):
    """Draw the figure of an axes, which is when many mistakes show."""
    ax.figure.canvas.draw()
    return ax


def test_colours_are_one_each():
    colours = [plots.EXACT, plots.DATA, *plots.COMPONENTS, *plots.METHODS.values()]
    assert len({to_hex(colour) for colour in colours}) == len(colours)


def hue(colour):
    return 360 * rgb_to_hsv(to_rgb(colour))[0]


@pytest.mark.parametrize("look", ["#explorer", 'html[data-theme="dark"] #explorer'])
def test_the_explorer_has_the_colours_of_the_figures(look):
    css = (ROOT / "book/assets/explorer/explorer.css").read_text("utf-8")
    (block,) = re.findall(rf"^{re.escape(look)} {{(.*?)}}", css, re.MULTILINE | re.DOTALL)
    found = dict(re.findall(r"--([\w-]+): (#\w{6})", block))
    methods = {name: colour for name, colour in plots.METHODS.items() if name in found}
    assert [*methods] == ["unordered", "ordered", "mean-field"]
    for name, colour in methods.items():
        # darker or lighter, for words are written in them
        assert abs(hue(found[name]) - hue(colour)) < 8, name
    if look == "#explorer":
        marks = {"exact": plots.EXACT, "first": plots.COMPONENTS[0], "second": plots.COMPONENTS[1]}
        assert all(same_color(found[name], colour) for name, colour in marks.items())
        assert same_color(found["unordered"], plots.METHODS["unordered"])


def test_begin_names_the_chapter_and_sets_the_style(chapter):
    assert claims._chapter == "bells"
    assert chapter == [(("svg",), {"metadata": {"Date": None}})]
    assert logging.getLogger("pymc").level == logging.WARNING
    assert not mpl.rcParams["axes.spines.top"]
    assert mpl.rcParams["savefig.transparent"]
    assert mpl.rcParams["svg.hashsalt"]


def test_histogram_shows_data_and_truth():
    x = data.simulate(8)
    ax = drawn(plots.histogram(x, stats.norm.pdf))
    assert isinstance(ax, Axes)
    (truth,), _ = in_exact_colour(ax)
    assert_allclose(truth.get_ydata(), stats.norm.pdf(truth.get_xdata()))
    assert sum(bar.get_height() * bar.get_width() for bar in ax.patches) == pytest.approx(1)


def test_histogram_without_a_truth_claims_none():
    ax = drawn(plots.histogram(data.simulate(8), bins=7))
    assert in_exact_colour(ax) == ([], [])
    assert len(ax.patches) == 7


def test_levels_enclose_the_masses_of_a_gaussian():
    at = np.linspace(-6, 6, 601)
    density = stats.norm.pdf(at)[:, None] * stats.norm.pdf(at)
    # a Gaussian in the plane falls to 1 - m of its peak where it encloses the mass m
    peak = stats.norm.pdf(0) ** 2
    heights = [peak * (1 - mass) for mass in sorted(plots.MASSES, reverse=True)]
    assert_allclose(plots.levels(density), heights, rtol=5e-3)


def test_levels_enclose_at_least_the_masses_of_anything():
    density = np.random.default_rng(1).gamma(0.3, size=(40, 40))
    for height, mass in zip(plots.levels(density), sorted(plots.MASSES, reverse=True), strict=True):
        inside = density[density >= height].sum() / density.sum()
        assert mass <= inside + 1e-12 and inside - density.max() / density.sum() <= mass


@pytest.mark.parametrize("ordered", [False, True])
def test_plane_draws_the_exact_contours_over_the_draws(posterior, tree, ordered):
    draws = tree.posterior["means"]
    ax = drawn(plots.plane(posterior, draws, plots.METHODS["ordered"], "draws", ordered=ordered))
    _, (contours,) = in_exact_colour(ax)
    assert len(contours.levels) == len(plots.MASSES)
    points = np.concatenate([path.vertices for path in contours.get_paths() if len(path.vertices)])
    below = points[:, 0] < points[:, 1]
    assert below.any()
    # the unordered posterior is its own mirror image, the ordered has nothing beyond the diagonal
    assert below.all() if ordered else (~below).any()
    fills = [c for c in ax.collections if c is not contours]
    assert fills


def test_plane_contours_lie_at_the_level_of_the_posterior(posterior):
    ax = plots.plane(posterior)
    _, (contours,) = in_exact_colour(ax)
    grid = np.linspace(*ax.get_xlim(), 200)
    assert_allclose(contours.levels, plots.levels(posterior.grid(grid, grid)))
    for level, path in zip(contours.levels, contours.get_paths(), strict=True):
        heights = np.array([posterior.grid([a], [b]).item() for a, b in path.vertices[::20]])
        assert_allclose(heights, level, rtol=0.1)


@pytest.mark.parametrize("ordered", [False, True])
def test_trace_draws_the_exact_marginals(posterior, tree, ordered):
    densities, traces = plots.trace(tree, posterior, ordered=ordered, thin=2)
    drawn(densities)
    lines, _ = in_exact_colour(densities)
    marginal = posterior.ordered_marginal if ordered else posterior.marginal
    assert len(lines) == (2 if ordered else 1)
    for component, line in enumerate(lines):
        assert_allclose(line.get_ydata(), marginal(component, line.get_xdata()))
    assert in_exact_colour(traces) == ([], [])
    assert {to_hex(one.get_color()) for one in traces.lines} == {*map(to_hex, plots.COMPONENTS)}
    named = [text.get_text() for text in densities.get_legend().get_texts()]
    assert named == ["means[0]", "means[1]", "exact"]


def test_chains_are_drawn_one_below_the_other(tree):
    axes = plots.chains(tree, thin=2)
    assert [ax.get_title(loc="left") for ax in axes] == ["chain 0", "chain 1"]
    for chain, ax in enumerate(axes):
        drawn(ax)
        for component, line in enumerate(ax.lines):
            assert same_color(line.get_color(), plots.COMPONENTS[component])
            means = tree.posterior["means"].sel(chain=chain, component=component)
            shown = means.sel(draw=slice(None, None, 2))
            assert_allclose(line.get_ydata(), shown)


def test_autocorrelation_starts_at_one_and_has_a_line_a_chain(tree):
    ax = drawn(plots.autocorrelation(tree, max_lag=20))
    assert isinstance(ax, Axes)
    lines = [line for line in ax.lines if line.get_ydata()[0] == pytest.approx(1)]
    assert len(lines) == 2
    for line in lines:
        assert len(line.get_ydata()) == 20
        assert np.abs(line.get_ydata()[1:]).max() < 0.5


def test_fate_shows_a_run_four_ways(posterior, tree):
    axes = plots.fate(tree, posterior, max_lag=20)
    assert axes.shape == (2, 2)
    trace, ranks, lags, plane = (drawn(ax) for ax in axes.ravel())
    first = tree.posterior["means"].isel(component=0).values
    assert_allclose([line.get_ydata() for line in trace.lines], first)
    assert [line.get_ydata()[0] for line in lags.lines] == pytest.approx([1, 1])
    assert [len(line.get_ydata()) for line in lags.lines] == [20, 20]
    # equally many ranks a bin, had the chains mixed
    (even,), _ = in_exact_colour(ranks)
    assert set(even.get_ydata()) == {first.shape[1] / 20}
    _, (contours,) = in_exact_colour(plane)
    assert len(contours.levels) == len(plots.MASSES)
    assert sum(len(line.get_xdata()) for line in plane.lines) == first.size


def test_losses_are_smoothed_and_stand_on_their_floors():
    steps = np.arange(1000)
    histories = {"unordered": 5 + 10 * np.exp(-steps / 100), "ordered": np.full(1000, 6.0)}
    axes = plots.losses(histories, {"unordered": 4.0, "ordered": 5.5})
    assert [ax.get_title() for ax in axes] == ["unordered", "ordered"]
    for ax, floor in zip(axes, (4.0, 5.5), strict=True):
        drawn(ax)
        (line,), _ = in_exact_colour(ax)
        assert set(line.get_ydata()) == {floor}
        assert ax.get_ylim()[0] < floor
    smooth = next(line for line in axes[1].lines if line.get_label() == "loss, smoothed")
    assert_allclose(smooth.get_ydata(), 6.0)


def picture(posterior, tree):
    """Return the bytes of a figure as a chapter saves it."""
    ax = plots.plane(posterior, tree.posterior["means"], plots.METHODS["unordered"], "draws")
    saved = io.BytesIO()
    ax.figure.savefig(saved, format="svg", metadata={"Date": None})
    plt.close(ax.figure)
    return saved.getvalue()


def test_the_same_figure_is_the_same_file(posterior, tree):
    first = picture(posterior, tree)
    assert first.startswith(b"<?xml")
    plots.begin("hills")
    assert picture(posterior, tree) == first


def shown(thing):
    """Return the code that a chapter shows."""
    first, *code, last = plots.source(thing).data.splitlines()
    assert (first, last) == ("```python", "```")
    return "\n".join(code)


@pytest.mark.parametrize("thing", [models.unordered, models.ordered, data.simulate])
def test_shown_source_is_the_source_without_its_docstring(thing):
    code = shown(thing)
    (function,) = ast.parse(code).body
    assert function.name == thing.__name__
    assert ast.get_docstring(function) is None
    assert '"""' not in code
    assert thing.__doc__


def run(thing):
    """Run the shown code where its module's names are known, and return what it defines."""
    names = dict(vars(__import__(thing.__module__, fromlist=["_"])))
    exec(shown(thing), names)
    return names[thing.__name__]


@pytest.mark.parametrize("thing", [models.unordered, models.ordered])
def test_shown_model_is_the_model(thing):
    x = data.simulate(8, n=5)
    point = {name: np.array([0.3, 0.7]) for name in thing(x).initial_point()}
    assert run(thing)(x).compile_logp()(point) == thing(x).compile_logp()(point)


def test_the_ends_of_an_axis_hold_both_means():
    posterior = exact.posterior(data.simulate(8))
    low, high = plots.ends(posterior)
    assert low < posterior.modes.min() < posterior.modes.max() < high

    def inside(a, b):
        return (np.minimum(a, b) > low) & (np.maximum(a, b) < high)

    assert posterior.probability(inside) > 0.999


def test_what_is_drawn_is_read_by_the_names_that_a_reader_sees():
    ax = plt.figure().gca()
    ax.plot([0, 1], [2, 3], label="line")
    ax.plot([0, 1], [5, 5])
    ax.bar([0, 1], [4, 6], 0.5, label="bars")
    ax.set_ylabel("height")
    assert {name: points.to_dict("list") for name, points in plots.drawn(ax).items()} == {
        "line": {"x": [0, 1], "height": [2, 3]}, "bars": {"x": [0, 1], "height": [4, 6]}}
    ax.legend(["one", "other"])
    assert [*plots.drawn(ax)] == ["one", "other"]
    ax.legend(["same", "same"])
    with pytest.raises(ValueError, match="ax: .* labels that differ"):
        plots.drawn(ax)
    with pytest.raises(ValueError, match="ax: .* labels"):
        plots.drawn(plt.figure().gca())
    other = plt.figure().gca()
    other.scatter([0, 1], [2, 3], label="dots")
    with pytest.raises(ValueError, match="ax: expected lines and bars"):
        plots.drawn(other)
