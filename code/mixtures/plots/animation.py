"""A Gaussian on its way: a drawing that moves without a script, and stands still where none may."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import ArrayLike

from mixtures import checks
from mixtures.exact import Posterior
from mixtures.extras import needs
from mixtures.plots.contours import ends, levels
from mixtures.plots.style import METHODS

with needs("chapters"):
    import contourpy
    from IPython.display import HTML
if TYPE_CHECKING:
    from mixtures.variational import Gaussian

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
.film .moving {{ animation-duration: {seconds}s; animation-iteration-count: infinite; \
animation-timing-function: linear; }}
.film input:checked ~ svg .moving {{ animation-play-state: paused; }}
{keyframes}
@media (prefers-reduced-motion: reduce) {{ .film .moving {{ animation: none; }} }}
@media print {{ .film .moving {{ animation: none; }} \
.film input, .film label {{ display: none; }} }}
</style>"""


def animate(
    posterior: Posterior, path: Sequence["Gaussian"], steps: ArrayLike, divergences: ArrayLike,
    alt: str, colour: str = METHODS["mean-field"],
) -> HTML:
    """Draw mean-field Gaussians on their way over the exact contours, beside their KL divergence.

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
        The ellipses hold 86 % of each Gaussian: two standard deviations. A reader can pause; in
        print, and for readers who asked their system for reduced motion, the last frame stands over
        faint earlier ones.

    Raises
    ------
    ValueError
        If there are no frames, one is not as above, or `steps` or `divergences` do not belong to
        them.
    """
    steps, divergences = _check(path, steps, divergences)
    bells = _places(posterior, path)
    plane = _plane(posterior, bells)
    beside, dots = _divergences(steps, divergences)
    share = 100 * np.linspace(0, 0.9, len(path))  # the last frame stays on for a while
    moves = {"bell": bells, "dot": dots}
    keyframes = "\n".join(_keyframes(name, places, share) for name, places in moves.items())
    width = 2 * SIZE + 70
    return HTML(
        f'<div class="film">{STYLE.format(colour=colour, seconds=SECONDS, keyframes=keyframes)}'
        '<input type="checkbox" id="film-pause"><label for="film-pause">&nbsp;Pause</label>'
        f'<svg viewBox="-20 -4 {width} {SIZE + 26}" role="img" aria-label="{alt}">'
        f'<g>{plane}</g><g transform="translate({SIZE + 45})">{beside}</g></svg></div>'
    )


def _places(posterior: Posterior, path: Sequence["Gaussian"]) -> list[str]:
    """Return where each Gaussian's ellipse is drawn, as a transform of a circle."""
    low, high = ends(posterior)
    scale = SIZE / (high - low)
    return [
        f"translate({(q.mean[0] - low) * scale:.1f}px, {(high - q.mean[1]) * scale:.1f}px) "
        f"scale({2 * q.sd[0] * scale:.2f}, {2 * q.sd[1] * scale:.2f})"
        for q in path
    ]


def _plane(posterior: Posterior, bells: list[str]) -> str:
    """Return the contours, faint earlier ellipses and the one that moves."""
    ghosts = "".join(f'<circle class="ghost" r="1" style="transform: {bell}"/>'
                     for bell in bells[:: max(1, len(bells) // 6)])
    moving = f"transform: {bells[-1]}; animation-name: film-bell"
    return (
        f'{_contours(posterior)}<path class="faint" d="M0 {SIZE}L{SIZE} 0"/>{ghosts}'
        f'<circle class="bell moving" r="1" style="{moving}"/>'
        f'<text x="{SIZE / 2}" y="{SIZE + 16}" text-anchor="middle">μ₁</text>'
        f'<text x="-14" y="{SIZE / 2}">μ₂</text>'
    )


def _divergences(steps: np.ndarray, divergences: np.ndarray) -> tuple[str, list[str]]:
    """Return the curve of KL divergences, and where its dot is at each frame."""
    top = 1.05 * divergences.max()
    right, down = steps / steps[-1] * SIZE, (1 - divergences / top) * SIZE
    dots = [f"translate({x:.1f}px, {y:.1f}px)" for x, y in zip(right, down, strict=True)]
    curve = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in zip(right, down, strict=True))
    limit = (1 - np.log(2) / top) * SIZE
    moving = f"transform: {dots[-1]}; animation-name: film-dot"
    drawing = (
        f'<path d="M0 0V{SIZE}H{SIZE}"/><path class="ghost" d="{curve}"/>'
        f'<path class="faint" d="M0 {limit:.1f}H{SIZE}"/>'
        f'<text x="{SIZE}" y="{limit - 5:.1f}" text-anchor="end">log 2</text>'
        '<text x="6" y="10">KL divergence (nats)</text>'
        f'<text x="{SIZE / 2}" y="{SIZE + 16}" text-anchor="middle">'
        f"step, up to {steps[-1]:,.0f}</text>"
        f'<circle class="dot moving" r="5" style="{moving}"/>'
    )
    return drawing, dots


def _check(
    path: Sequence["Gaussian"], steps: ArrayLike, divergences: ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
    if len(path) < 2 or any(q.space != "raw" or q.covariance[0, 1] != 0 for q in path):
        raise ValueError(
            "path: expected two or more Gaussians in the raw space, with independent coordinates"
        )
    steps, divergences = checks.numbers(steps, "steps"), checks.numbers(divergences, "divergences")
    if steps.shape != (len(path),) or steps[0] != 0 or not (np.diff(steps) > 0).all():
        raise ValueError(
            f"steps: expected {len(path)} numbers that increase from 0, got {steps.tolist()}"
        )
    if divergences.shape != steps.shape or not (divergences > 0).all():
        raise ValueError(
            f"divergences: expected {len(path)} positive numbers, got {divergences.tolist()}"
        )
    return steps, divergences


def _keyframes(name: str, places: list[str], share: np.ndarray) -> str:
    lines = [
        f"{at:.1f}% {{ transform: {place}; }}" for at, place in zip(share, places, strict=True)
    ]
    return (
        f"@keyframes film-{name} {{ {' '.join([*lines, f'100% {{ transform: {places[-1]}; }}'])} }}"
    )


def _contours(posterior: Posterior) -> str:
    """Return the exact contours as paths."""
    low, high = ends(posterior)
    scale = SIZE / (high - low)
    grid = np.linspace(low, high, 90)
    density = posterior.grid(grid, grid)
    lines = contourpy.contour_generator(grid, grid, density.T)
    rings = [ring for level in levels(density)
             for ring in cast(list[np.ndarray], lines.lines(level))]
    places = [np.column_stack([(ring[:, 0] - low) * scale, (high - ring[:, 1]) * scale])
              for ring in rings]
    return "".join(f'<path d="M{"L".join(f"{x:.1f} {y:.1f}" for x, y in place)}"/>'
                   for place in places)
