"""The exact posterior as contours: at which heights they lie, and how far an axis has to reach."""

import numpy as np

from mixtures.exact import Posterior
from mixtures.extras import needs
from mixtures.plots.style import EXACT

with needs("chapters"):
    from matplotlib.axes import Axes

# shares of the posterior that the exact contours enclose
MASSES = (0.5, 0.8, 0.95, 0.99)


def levels(density: np.ndarray) -> np.ndarray:
    """Return the heights whose contours enclose `MASSES` of a gridded density.

    Parameters
    ----------
    density : numpy.ndarray, shape [m, n]
        On an evenly spaced grid; in any unit.

    Returns
    -------
    numpy.ndarray, shape [len(MASSES)]
        Increasing; fewer where two are the same.
    """
    heights = np.sort(density.ravel())[::-1]
    share = np.cumsum(heights) / heights.sum()
    return np.unique(
        [heights[min(int(np.searchsorted(share, mass)), heights.size - 1)] for mass in MASSES]
    )


def ends(posterior: Posterior) -> tuple[float, float]:
    """Return the ends of an axis that holds both means.

    Parameters
    ----------
    posterior : mixtures.exact.Posterior
        Of the two means.

    Returns
    -------
    low, high : float
    """
    return posterior.mean[0] - 5 * posterior.sd[0], posterior.mean[1] + 5 * posterior.sd[1]


def draw(ax: Axes, posterior: Posterior, ordered: bool = False) -> tuple[float, float]:
    """Draw the exact contours, folded or not, and return the ends of the axes."""
    grid = np.linspace(*ends(posterior), 200)
    density = posterior.grid(grid, grid)
    if ordered:
        # a contour cannot follow the cliff at the diagonal: the empty half is left blank
        density = np.where(grid[:, None] < grid, density + density.T, 0)
    shown = np.where(grid[:, None] < grid, density, np.nan) if ordered else density
    ax.contour(grid, grid, shown.T, levels=levels(density), colors=EXACT, linewidths=1)
    return grid[0], grid[-1]
