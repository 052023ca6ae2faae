"""A distribution of two numbers, known by its masses on a lattice, and what can be read off it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from mixtures.exact import lattice


@dataclass(frozen=True, eq=False)
class Measure:
    """The distribution of (mu1, mu2), and of (lower, upper), the same in increasing order."""

    _at1: np.ndarray
    _at2: np.ndarray
    _spacing: float
    _mass: np.ndarray

    def grid(self, mu1: ArrayLike, mu2: ArrayLike) -> np.ndarray:
        """Return the interpolated density on axes `mu1` [m] and `mu2` [n]: shape [m, n]."""
        left = lattice.interpolator(mu1, self._at1, self._spacing)
        right = lattice.interpolator(mu2, self._at2, self._spacing)
        density: np.ndarray = np.maximum(left @ self._mass @ right.T, 0)
        return density / self._spacing**2

    @cached_property
    def density(self) -> xr.DataArray:
        """The density on a lattice four times as fine: xarray.DataArray, dims (mu1, mu2)."""
        quarters = self._spacing * np.arange(4) / 4
        mu1, mu2 = (np.unique(at[:, None] + quarters) for at in (self._at1, self._at2))
        coords, about = {"mu1": mu1, "mu2": mu2}, {"cell_area": (self._spacing / 4) ** 2}
        return xr.DataArray(self.grid(mu1, mu2), coords, name="density", attrs=about)

    def expectation(self, function: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> float:
        """Return the posterior mean of a smooth `function` of arrays mu1 [m, 1] and mu2 [1, n]."""
        return float(np.sum(self._mass * function(self._at1[:, None], self._at2[None, :])))

    @cached_property
    def _raw(self) -> tuple[np.ndarray, np.ndarray]:
        mean = np.array([self.expectation(lambda a, b: a), self.expectation(lambda a, b: b)])
        c11 = self.expectation(lambda a, b: (a - mean[0]) ** 2)
        c22 = self.expectation(lambda a, b: (b - mean[1]) ** 2)
        c12 = self.expectation(lambda a, b: (a - mean[0]) * (b - mean[1]))
        return mean, np.array([[c11, c12], [c12, c22]])

    @property
    def _kink_is_clear(self) -> bool:
        """Whether there is no mass to speak of near mu1 = mu2, where the gap has its kink."""
        near = np.abs(self._at1[:, None] - self._at2) < 40 * self._spacing
        return bool(np.sum(self._mass, where=near) < 1e-16)

    @cached_property
    def _ordered(self) -> tuple[np.ndarray, np.ndarray]:
        if self._kink_is_clear:
            # far apart, sums of squares would lose what their differences are about
            lower, upper = (
                np.minimum(self._at1[:, None], self._at2),
                np.maximum(self._at1[:, None], self._at2),
            )
            mean = np.array([np.sum(self._mass * lower), np.sum(self._mass * upper)])
            off = np.stack([lower - mean[0], upper - mean[1]])
            return mean, np.einsum("kij,lij,ij->kl", off, off, self._mass)
        # lower, upper = (s -+ |d|) / 2 with s = mu1 + mu2 and d = mu1 - mu2; only |d| is not smooth
        (m1, m2), cov = self._raw
        centre = m1 + m2
        total = self._at1[:, None] + self._at2[None, :] - centre
        gap, sum_gap = self._mean_gap(1.0), self._mean_gap(total)
        var_sum = cov[0, 0] + cov[1, 1] + 2 * cov[0, 1]
        var_gap = cov[0, 0] + cov[1, 1] - 2 * cov[0, 1] + (m1 - m2) ** 2 - gap**2
        mean = np.array([centre - gap, centre + gap]) / 2
        cross = (var_sum - var_gap) / 4
        variance = (var_sum + var_gap) / 4 + np.array([-1, 1]) * sum_gap / 2
        return mean, np.array([[variance[0], cross], [cross, variance[1]]])

    @property
    def raw_mean(self) -> np.ndarray:
        """Means of (mu1, mu2), shape [component]."""
        return self._raw[0]

    @property
    def raw_sd(self) -> np.ndarray:
        """Standard deviations of (mu1, mu2), shape [component]."""
        return np.sqrt(np.diag(self._raw[1]))

    @property
    def raw_corr(self) -> float:
        """Correlation of mu1 and mu2."""
        return float(self._raw[1][0, 1] / np.prod(self.raw_sd))

    @property
    def mean(self) -> np.ndarray:
        """Means of (lower, upper), shape [component]."""
        return self._ordered[0]

    @property
    def sd(self) -> np.ndarray:
        """Standard deviations of (lower, upper), shape [component]."""
        return np.sqrt(np.diag(self._ordered[1]))

    @property
    def corr(self) -> float:
        """Correlation of lower and upper."""
        return float(self._ordered[1][0, 1] / np.prod(self.sd))

    @cached_property
    def _steps(self) -> tuple[np.ndarray, np.ndarray]:
        """The distinct differences of the means, in spacings, and each pair's place among them."""
        steps = np.rint((self._at1[:, None] - self._at2[None, :]) / self._spacing).astype(int)
        distinct, place = np.unique(steps, return_inverse=True)
        return distinct, place.ravel()

    def _differences(self, values: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
        """Return the distinct lattice values of mu1 - mu2, and the mass of `values` on each."""
        distinct, place = self._steps
        return distinct * self._spacing, np.bincount(place, (self._mass * values).ravel())

    def _mean_gap(self, values: np.ndarray | float) -> float:
        at, mass = self._differences(values)
        return lattice.mean_distance(mass, at, self._spacing)

    def _gap_below(self, at: np.ndarray | float) -> np.ndarray:
        """Return P(mu1 - mu2 <= at), shape [places]."""
        points, mass = self._differences(1.0)
        share: np.ndarray = lattice.accumulator(np.atleast_1d(at), points, self._spacing) @ mass
        return share

    def gap_cdf(self, gap: ArrayLike) -> np.ndarray | float:
        """Return the probability that upper - lower is at most `gap` [...]: shape [...]."""
        gap = np.asarray(gap)
        below = np.clip(self._gap_below(gap.ravel()) - self._gap_below(-gap.ravel()), 0, 1)
        return below.reshape(gap.shape) if gap.ndim else float(below[0])

    def probability(
        self, region: Callable[[np.ndarray, np.ndarray], ArrayLike], fineness: int = 16
    ) -> float:
        """Return the probability of a region of the plane, by counting cells.

        Parameters
        ----------
        region : callable
            Takes arrays (mu1, mu2), broadcast against each other, and returns booleans.
        fineness : int
            Cells per lattice spacing. The error is about the border's density times a cell's side;
            `gap_cdf` has none.

        Returns
        -------
        float
        """
        offsets = self._spacing * np.arange(fineness) / fineness
        mu1, mu2 = ((at[:, None] + offsets).ravel() for at in (self._at1, self._at2))
        cell = (self._spacing / fineness) ** 2
        total = 0.0
        # ten million cells at a time: a component without an observation makes the lattice as wide
        # as its prior
        for some in np.array_split(mu1, 1 + mu1.size * mu2.size // 10**7):
            inside = np.broadcast_to(region(some[:, None], mu2[None, :]), (some.size, mu2.size))
            total += np.sum(self.grid(some, mu2), where=inside)
        return float(total * cell)

    def marginal(self, component: int, at: ArrayLike) -> np.ndarray:
        """Return the density of a raw mean.

        Parameters
        ----------
        component : {0, 1}
            Whose mean: mu1 or mu2.
        at : array_like, shape [places]
            Values of that mean.

        Returns
        -------
        numpy.ndarray, shape [places]
        """
        points = (self._at1, self._at2)[component]
        values = lattice.interpolator(at, points, self._spacing) @ self._mass.sum(
            axis=1 - component
        )
        density: np.ndarray = np.maximum(values, 0)
        return density / self._spacing

    def ordered_marginal(self, component: int, at: ArrayLike) -> np.ndarray:
        """Return the density of the lower (0) or the upper (1) mean at `at`: shape [places]."""
        density: np.ndarray | float = 0.0
        for own, other, mass in (
            (self._at1, self._at2, self._mass), (self._at2, self._at1, self._mass.T),
        ):
            below = lattice.accumulator(at, other, self._spacing)
            share = below if component == 1 else 1 - below
            density = density + np.sum(
                (lattice.interpolator(at, own, self._spacing) @ mass) * share, axis=1
            )
        return np.maximum(density, 0) / self._spacing
