"""The exact posterior of the two component means, by quadrature.

With two unknowns every question is an integral in the plane; the rectangle rule gives more digits than figures need.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from scipy.ndimage import maximum_filter

from mixtures import data, lattice, quadrature
from mixtures.joint import LOG_SQRT_2PI, Joint


def posterior(
    x: ArrayLike, prior_sd: ArrayLike = 10.0, *, prior_mean: ArrayLike = 0.0, weights: ArrayLike = 0.5,
    sigma: ArrayLike = 1.0,
) -> "Posterior":
    """Compute the posterior of the two means of a Gaussian mixture with known weights and scales.

    Parameters
    ----------
    x : array_like, shape [n]
        The observations.
    prior_sd, prior_mean : float or array_like, shape [component]
        Standard deviations and means of the independent Normal priors.
    weights, sigma : float or array_like, shape [component]
        Shares of the components, which sum to 1, and their standard deviations.

    Returns
    -------
    Posterior

    Raises
    ------
    ValueError
        If an argument is malformed, or if the evidence cannot be settled to 1e-10 nats.
    """
    joint = Joint.of(x, weights, sigma, prior_mean, prior_sd)
    modes = joint.modes()
    log_evidence, axes, spacing, mass = quadrature.integrate(joint, modes)
    at1, at2 = (spacing * axis for axis in axes)
    return Posterior(joint, log_evidence, modes, at1, at2, spacing, mass)


def barrier(
    x: ArrayLike, prior_sd: ArrayLike = 10.0, *, prior_mean: ArrayLike = 0.0, weights: ArrayLike = 0.5,
    sigma: ArrayLike = 1.0,
) -> float:
    """Compute the barrier alone, which needs no integral: `Posterior.barrier`, in a tenth of the time.

    Parameters
    ----------
    x, prior_sd, prior_mean, weights, sigma
        As for `posterior`.

    Returns
    -------
    float
        Nats; 0 with one mode.

    Raises
    ------
    ValueError
        If an argument is malformed, or no pass is found between the two highest modes.
    """
    joint = Joint.of(x, weights, sigma, prior_mean, prior_sd)
    return joint.barrier(joint.modes())


@dataclass(frozen=True, eq=False)
class Posterior:
    """The exact posterior of (mu1, mu2), and of (lower, upper), the same two numbers in increasing order.

    Attributes
    ----------
    joint : Joint
        The model and the data.
    log_evidence : float
        log p(x) of the unordered model, nats.
    modes : numpy.ndarray, shape [modes, component]
        Local maxima, highest first.
    """

    joint: Joint
    log_evidence: float
    modes: np.ndarray
    _at1: np.ndarray
    _at2: np.ndarray
    _spacing: float
    _mass: np.ndarray

    @cached_property
    def saddle(self) -> np.ndarray | None:
        """The pass between the two highest modes, shape [component]; None where there is one mode only."""
        return self.joint.saddle(self.modes)

    @property
    def barrier(self) -> float:
        """Log density at the lower of the two highest modes minus that at the saddle, nats; 0 with one mode."""
        return self.joint.barrier(self.modes)

    @property
    def log_evidence_ordered(self) -> float:
        """Integral of likelihood times prior over mu1 < mu2, nats: log Z - log 2 where labels are exchangeable.

        Raises
        ------
        ValueError
            If mu1 < mu2 holds less than 1e-9 of the posterior.
        """
        share = self._gap_below(0.0)[0]
        if share < 1e-9:
            raise ValueError("x: mu1 < mu2 holds less than 1e-9 of the posterior, too little to tell its logarithm")
        return float(self.log_evidence + np.log(share))

    def log_density(self, mu: ArrayLike) -> np.ndarray:
        """Return the log posterior density in nats at points `mu` [..., component]: shape [...]."""
        mu = np.asarray(mu, dtype=float)
        return self.joint.log_density(mu.reshape(-1, 2)).reshape(mu.shape[:-1]) - self.log_evidence

    def grid(self, mu1: ArrayLike, mu2: ArrayLike) -> np.ndarray:
        """Return the density, by interpolation, on the product of axes `mu1` [m] and `mu2` [n]: shape [m, n]."""
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
        """Return the posterior mean of a smooth `function`, which receives arrays mu1 [m, 1] and mu2 [1, n]."""
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
        """Whether the lattice has no mass to speak of near mu1 = mu2, where the gap has its kink."""
        near = np.abs(self._at1[:, None] - self._at2) < 40 * self._spacing
        return bool(np.sum(self._mass, where=near) < 1e-16)

    @cached_property
    def _ordered(self) -> tuple[np.ndarray, np.ndarray]:
        if self._kink_is_clear:
            # far apart, sums of squares would lose what their differences are about
            lower, upper = np.minimum(self._at1[:, None], self._at2), np.maximum(self._at1[:, None], self._at2)
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
        """The distinct differences of the means on the lattice, in spacings, and each pair's place among them."""
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
        gap = np.asarray(gap, dtype=float)
        below = np.clip(self._gap_below(gap.ravel()) - self._gap_below(-gap.ravel()), 0, 1)
        return below.reshape(gap.shape) if gap.ndim else float(below[0])

    def probability(self, region: Callable[[np.ndarray, np.ndarray], ArrayLike], fineness: int = 16) -> float:
        """Return the probability of a region of the plane, by counting cells.

        Parameters
        ----------
        region : callable
            Takes arrays (mu1, mu2), broadcast against each other, and returns booleans.
        fineness : int
            Cells per lattice spacing. The error is about the border's density times a cell's side; `gap_cdf` has none.

        Returns
        -------
        float
        """
        offsets = ((np.arange(fineness) + 0.5) / fineness - 0.5) * self._spacing
        mu1, mu2 = ((at[:, None] + offsets).ravel() for at in (self._at1, self._at2))
        cell = (self._spacing / fineness) ** 2
        total = 0.0
        # ten million cells at a time: a component without an observation makes the lattice as wide as its prior
        for some in np.array_split(mu1, -(-mu1.size * mu2.size // 10**7)):
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
        values = lattice.interpolator(at, points, self._spacing) @ self._mass.sum(axis=1 - component)
        density: np.ndarray = np.maximum(values, 0)
        return density / self._spacing

    def ordered_marginal(self, component: int, at: ArrayLike) -> np.ndarray:
        """Return the density of the lower (0) or the upper (1) mean at places `at`: shape [places]."""
        density: np.ndarray | float = 0.0
        for own, other, mass in ((self._at1, self._at2, self._mass), (self._at2, self._at1, self._mass.T)):
            below = lattice.accumulator(at, other, self._spacing)
            share = below if component == 1 else 1 - below
            density = density + np.sum((lattice.interpolator(at, own, self._spacing) @ mass) * share, axis=1)
        return np.maximum(density, 0) / self._spacing

    def predictive(self, at: ArrayLike) -> np.ndarray:
        """Return the posterior predictive density of a new observation at places `at`: shape [places]."""
        at = np.asarray(at, dtype=float)[:, None]
        density = np.zeros(len(at))
        for k, points in enumerate((self._at1, self._at2)):
            z = (at - points) / self.joint.sigma[k]
            kernel = np.exp(-0.5 * z**2 - LOG_SQRT_2PI) / self.joint.sigma[k]
            density += self.joint.weights[k] * kernel @ self._mass.sum(axis=1 - k)
        return density

    def sample(self, draws: int, seed: int, *, ordered: bool = False) -> xr.DataArray:
        """Draw independently from the posterior, by rejection from a step function on the lattice.

        Parameters
        ----------
        draws, seed : int
            How many draws, at least 1, and the seed of the random generator, at least 0.
        ordered : bool
            Whether to put each draw in increasing order: the folded posterior.

        Returns
        -------
        xarray.DataArray ``means``, dims (chain, draw, component), one chain

        Raises
        ------
        ValueError
            If `draws` is not a whole number of 1 or more, or `seed` not one of 0 or more.
        """
        if not isinstance(draws, int | np.integer) or draws < 1:
            raise ValueError(f"draws: expected a positive whole number, got {draws!r}")
        rng = data.generator(seed)
        # the step of a lattice point's cell stands above its eight neighbours too, and higher: a peak may lie between them
        step = 1.1 * maximum_filter(self._mass, size=3, mode="constant")
        cumulative = np.cumsum(step.ravel())
        accepted = np.empty((0, 2))
        while len(accepted) < draws:
            cell = np.searchsorted(cumulative, rng.random(2 * draws) * cumulative[-1])
            row, column = np.unravel_index(np.minimum(cell, step.size - 1), step.shape)
            mu = np.stack([self._at1[row], self._at2[column]], axis=1)
            mu += self._spacing * (rng.random(mu.shape) - 0.5)
            height = np.exp(self.log_density(mu)) * self._spacing**2
            keep = rng.random(cell.size) * step[row, column] < height
            accepted = np.concatenate([accepted, mu[keep]])
        means = np.sort(accepted[:draws], axis=1) if ordered else accepted[:draws]
        coords = {"chain": [0], "draw": np.arange(draws), "component": [0, 1]}
        return xr.DataArray(means[None], coords, ("chain", "draw", "component"), name="means")
