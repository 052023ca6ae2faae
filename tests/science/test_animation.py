"""The drawing that moves: what it shows, and that it stands still where nothing may move."""

import re

import numpy as np
import pytest
from bs4 import BeautifulSoup
from mixtures import data, exact, plots
from mixtures.plots import animation
from mixtures.variational import Gaussian
from numpy.testing import assert_allclose

STEPS = np.array([0, 100, 200, 300])
PATH = [Gaussian.of([k / 10, -k / 10], [1 - k / 10, 0.5]) for k in range(4)]
SHOWN = {"steps": STEPS, "divergences": [8.0, 4.0, 2.0, 0.8], "alt": "A bell that shrinks."}


@pytest.fixture(scope="module")
def posterior():
    return exact.posterior(data.simulate(8))


@pytest.fixture(scope="module")
def page(posterior):
    return BeautifulSoup(animation.animate(posterior, PATH, **SHOWN).data, "html.parser")


def moves(page, name):
    """Return the keyframes of an animation: share of the time and transform."""
    block = re.search(rf"@keyframes film-{name} {{(.*?}}) }}", page.style.text)[1]
    return re.findall(r"([\d.]+)% { transform: (.*?); }", block)


def test_it_needs_no_script_and_no_other_host_and_says_what_is_to_be_seen(page):
    assert page.svg["aria-label"] == "A bell that shrinks."
    assert page.label["for"] == page.input["id"]
    assert page.select("script, [src], [href]") == []
    assert "url(" not in page.style.text


def test_the_bell_is_where_the_gaussians_are(posterior, page):
    low, high = plots.ends(posterior)
    scale = animation.SIZE / (high - low)
    frames = moves(page, "bell")
    assert len(frames) == len(PATH) + 1
    for (_, transform), q in zip(frames, [*PATH, PATH[-1]], strict=True):
        x, y, rx, ry = map(float, re.findall(r"-?\d+\.\d+", transform))
        ends = [(q.mean[0] - low) * scale, (high - q.mean[1]) * scale]
        assert_allclose([x, y], ends, atol=0.06)
        assert_allclose([rx, ry], 2 * q.sd * scale, atol=0.01)


def test_the_shares_of_time_increase_and_the_last_frame_stays(page):
    for name in ("bell", "dot"):
        shares = [float(share) for share, _ in moves(page, name)]
        assert shares == sorted(shares)
        assert shares[0] == 0
        assert shares[-2:] == [90, 100]
        assert moves(page, name)[-1][1] == moves(page, name)[-2][1]


def test_the_dot_falls_with_the_divergence(page):
    numbers = [re.findall(r"-?\d+\.\d+", transform) for _, transform in moves(page, "dot")]
    heights = [float(second) for _, second, *_ in numbers]
    assert heights[:4] == sorted(heights[:4])
    top = 1.05 * 8
    assert_allclose(heights[3], (1 - 0.8 / top) * animation.SIZE, atol=0.06)


def test_readers_can_stop_it_and_print_shows_the_last_frame(page):
    style = page.style.text
    assert "input:checked ~ svg .moving { animation-play-state: paused" in style
    for media in ("prefers-reduced-motion: reduce", "print"):
        assert re.search(rf"@media \(?{media}\)? {{ \.film \.moving {{ animation: none", style)
    last = moves(page, "bell")[-1][1]
    assert f"transform: {last};" in page.select_one("circle.bell")["style"]


def test_the_same_input_gives_the_same_bytes(posterior):
    one, other = (animation.animate(posterior, PATH, **SHOWN).data for _ in range(2))
    assert one == other


@pytest.mark.parametrize(("name", "change"), [
    ("path", {"path": []}),
    ("path", {"path": [Gaussian.of([0, 1], [1, 1], space="log gap")] * 4}),
    ("path", {"path": [Gaussian.of([0, 1], [1, 1], 0.5)] * 4}),
    ("steps", {"steps": np.array([0, 2, 1, 3])}),
    ("steps", {"steps": np.array([0, 1, 2])}),
    ("divergences", {"divergences": [1.0, np.nan, 1.0, 1.0]}),
    ("divergences", {"divergences": [1.0, 2.0]}),
])
def test_bad_input_is_refused_by_name(posterior, name, change):
    with pytest.raises(ValueError, match=f"^{name}: "):
        animation.animate(posterior, **({"path": PATH} | SHOWN | change))
