"""A Gaussian on its way: a drawing that moves, without a script, and that stands still where nothing may move."""

from collections.abc import Sequence
from typing import cast

import contourpy
import numpy as np
from IPython.display import HTML
from numpy.typing import ArrayLike

from mixtures import data, plots
from mixtures.exact import Posterior
from mixtures.gaussians import Gaussian

# seconds of one showing, and pixels of a panel
SECONDS, SIZE = 12, 240

STYLE = """<style>
.film {{ color: inherit; max-width: 34rem; margin: auto; }}
.film svg {{ width: 100%; height: auto; font: 11px sans-serif; fill: currentColor; }}
.film path, .film circle {{ fill: none; stroke: currentColor; vector-effect: non-scaling-stroke; }}
.film .bell {{ stroke: {colour}; stroke-width: 2.5; }}
.film .ghost {{ stroke: {colour}; opacity: .35; }}
.film .dot {{ fill: {colour}; stroke: none; }}
.film .faint {{ opacity: .4; stroke-dasharray: 3 3; }}
.film .moving {{ animation-duration: {seconds}s; animation-iteration-count: infinite; animation-timing-function: linear; }}
.film input:checked ~ svg .moving {{ animation-play-state: paused; }}
{keyframes}
@media (prefers-reduced-motion: reduce) {{ .film .moving {{ animation: none; }} }}
@media print {{ .film .moving {{ animation: none; }} .film input, .film label {{ display: none; }} }}
</style>"""


def film(
    posterior: Posterior, path: Sequence[Gaussian], steps: ArrayLike, divergences: ArrayLike, alt: str,
    colour: str = plots.METHODS["mean-field"],
) -> HTML:
    """Draw mean-field Gaussians on their way over the exact contours, and their KL divergence beside them.

    Parameters
    ----------
    posterior : mixtures.exact.Posterior
        Gives the contours.
    path : sequence of mixtures.gaussians.Gaussian
        In the raw space, with independent coordinates.
    steps : array_like, shape [frame]
        Increasing from 0.
    divergences : array_like, shape [frame]
        KL divergence from the posterior, nats.
    alt : str
        What is to be seen, for those who do not see it.
    colour : str
        Of the moving Gaussian.

    Returns
    -------
    IPython.display.HTML
        The ellipses hold 86 % of each Gaussian: two standard deviations. A reader can pause; in print, and for
        readers who asked their system for reduced motion, the last frame stands over faint earlier ones.

    Raises
    ------
    ValueError
        If there are no frames, one is not as above, or `steps` or `divergences` do not belong to them.
    """
    steps, divergences = _check(path, steps, divergences)
    low, high = plots.ends(posterior)
    scale = SIZE / (high - low)
    ellipses = [
        f"translate({(q.mean[0] - low) * scale:.1f}px, {(high - q.mean[1]) * scale:.1f}px) "
        f"scale({2 * q.sd[0] * scale:.2f}, {2 * q.sd[1] * scale:.2f})"
        for q in path
    ]
    top = 1.05 * divergences.max()
    right, down = steps / steps[-1] * SIZE, (1 - divergences / top) * SIZE
    dots = [f"translate({x:.1f}px, {y:.1f}px)" for x, y in zip(right, down, strict=True)]
    share = 100 * np.linspace(0, 0.9, len(path))  # the last frame stays on for a while
    keyframes = "\n".join(_keyframes(name, places, share) for name, places in (("bell", ellipses), ("dot", dots)))
    ghosts = "".join(f'<circle class="ghost" r="1" style="transform: {e}"/>' for e in ellipses[:: max(1, len(path) // 6)])
    curve = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in zip(right, down, strict=True))
    limit = (1 - np.log(2) / top) * SIZE
    left = (
        f'{_contours(posterior, low, high, scale)}<path class="faint" d="M0 {SIZE}L{SIZE} 0"/>{ghosts}'
        f'<circle class="bell moving" r="1" style="transform: {ellipses[-1]}; animation-name: film-bell"/>'
        f'<text x="{SIZE / 2}" y="{SIZE + 16}" text-anchor="middle">μ₁</text><text x="-14" y="{SIZE / 2}">μ₂</text>'
    )
    beside = (
        f'<path d="M0 0V{SIZE}H{SIZE}"/><path class="ghost" d="{curve}"/><path class="faint" d="M0 {limit:.1f}H{SIZE}"/>'
        f'<text x="{SIZE}" y="{limit - 5:.1f}" text-anchor="end">log 2</text><text x="6" y="10">KL divergence (nats)</text>'
        f'<text x="{SIZE / 2}" y="{SIZE + 16}" text-anchor="middle">step, up to {steps[-1]:,.0f}</text>'
        f'<circle class="dot moving" r="5" style="transform: {dots[-1]}; animation-name: film-dot"/>'
    )
    width = 2 * SIZE + 70
    return HTML(
        f'<div class="film">{STYLE.format(colour=colour, seconds=SECONDS, keyframes=keyframes)}'
        '<input type="checkbox" id="film-pause"><label for="film-pause">&nbsp;Pause</label>'
        f'<svg viewBox="-20 -4 {width} {SIZE + 26}" role="img" aria-label="{alt}">'
        f'<g>{left}</g><g transform="translate({SIZE + 45})">{beside}</g></svg></div>'
    )


def _check(path: Sequence[Gaussian], steps: ArrayLike, divergences: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    if len(path) < 2 or any(q.space != "raw" or q.covariance[0, 1] != 0 for q in path):
        raise ValueError("path: expected two or more Gaussians in the raw space, with independent coordinates")
    steps, divergences = data.numbers(steps, "steps"), data.numbers(divergences, "divergences")
    if steps.shape != (len(path),) or steps[0] != 0 or not (np.diff(steps) > 0).all():
        raise ValueError(f"steps: expected {len(path)} numbers that increase from 0, got {steps.tolist()}")
    if divergences.shape != steps.shape or not (divergences > 0).all():
        raise ValueError(f"divergences: expected {len(path)} positive numbers, got {divergences.tolist()}")
    return steps, divergences


def _keyframes(name: str, places: list[str], share: np.ndarray) -> str:
    lines = [f"{at:.1f}% {{ transform: {place}; }}" for at, place in zip(share, places, strict=True)]
    return f"@keyframes film-{name} {{ {' '.join([*lines, f'100% {{ transform: {places[-1]}; }}'])} }}"


def _contours(posterior: Posterior, low: float, high: float, scale: float) -> str:
    """Return the exact contours as paths."""
    grid = np.linspace(low, high, 90)
    density = posterior.grid(grid, grid)
    lines = contourpy.contour_generator(grid, grid, density.T)
    rings = [ring for level in plots.levels(density) for ring in cast(list[np.ndarray], lines.lines(level))]
    places = [np.column_stack([(ring[:, 0] - low) * scale, (high - ring[:, 1]) * scale]) for ring in rings]
    return "".join(f'<path d="M{"L".join(f"{x:.1f} {y:.1f}" for x, y in place)}"/>' for place in places)
