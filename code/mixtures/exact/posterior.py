"""The posterior of the two means: built by quadrature, and what can be asked of it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from scipy.ndimage import maximum_filter

from mixtures import checks
from mixtures.exact.barrier import barrier_between, saddle_between
from mixtures.exact.joint import LOG_SQRT_2PI, Joint
from mixtures.exact.measure import Measure
from mixtures.exact.quadrature import integrate


def to_draws(means: np.ndarray) -> xr.DataArray:
    """Return means [draw, component] as one chain of draws."""
    coords = {"chain": [0], "draw": np.arange(len(means)), "component": [0, 1]}
    return xr.DataArray(means[None], coords, ("chain", "draw", "component"), name="means")


def posterior(
    x: ArrayLike, prior_sd: ArrayLike = 10.0, *, prior_mean: ArrayLike = 0.0,
    weights: ArrayLike = 0.5, sigma: ArrayLike = 1.0,
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
    log_evidence, axes, spacing, mass = integrate(joint, modes)
    at1, at2 = (spacing * axis for axis in axes)
    return Posterior(at1, at2, spacing, mass, joint, log_evidence, modes)


def barrier(
    x: ArrayLike, prior_sd: ArrayLike = 10.0, *, prior_mean: ArrayLike = 0.0,
    weights: ArrayLike = 0.5, sigma: ArrayLike = 1.0,
) -> float:
    """Compute `Posterior.barrier` alone: that needs no integral, and a tenth of the time.

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
    return barrier_between(joint, joint.modes())


@dataclass(frozen=True, eq=False)
class Posterior(Measure):
    """The exact posterior of (mu1, mu2), and of (lower, upper), the same in increasing order.

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

    @cached_property
    def saddle(self) -> np.ndarray | None:
        """The pass between the two highest modes, shape [component]; None where there is one."""
        return saddle_between(self.joint, self.modes)

    @property
    def barrier(self) -> float:
        """Log density at the lower of the two highest modes minus that at the saddle, nats.

        It is 0 with one mode.
        """
        return barrier_between(self.joint, self.modes)

    @property
    def log_evidence_ordered(self) -> float:
        """Log integral of likelihood times prior over mu1 < mu2, nats.

        That is log Z - log 2 where labels are exchangeable.

        Raises
        ------
        ValueError
            If mu1 < mu2 holds less than 1e-9 of the posterior.
        """
        share = self._gap_below(0.0)[0]
        if share < 1e-9:
            raise ValueError(
                "x: mu1 < mu2 holds less than 1e-9 of the posterior,"
                " too little to tell its logarithm"
            )
        return float(self.log_evidence + np.log(share))

    def log_density(self, mu: ArrayLike) -> np.ndarray:
        """Return the log posterior density in nats at points `mu` [..., component]: shape [...]."""
        mu = np.asarray(mu)
        return self.joint.log_density(mu.reshape(-1, 2)).reshape(mu.shape[:-1]) - self.log_evidence

    def predictive(self, at: ArrayLike) -> np.ndarray:
        """Return the posterior predictive density of an observation at `at`: shape [places]."""
        at = np.asarray(at)[:, None]
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
        checks.whole(draws, "draws")
        rng = checks.generator(seed)
        step = self._step()
        accepted = np.empty((0, 2))
        while len(accepted) < draws:
            mu, share = self._proposals(rng, 2 * draws, step)
            accepted = np.concatenate([accepted, mu[rng.random(len(mu)) < share]])
        means = np.sort(accepted[:draws], axis=1) if ordered else accepted[:draws]
        return to_draws(means)

    def _step(self) -> np.ndarray:
        """Return a height for each lattice cell that nothing in it exceeds: [place 1, place 2]."""
        # the highest of nine neighbours, and more: a peak may lie between them
        highest: np.ndarray = maximum_filter(self._mass, size=3, mode="constant")
        return 1.1 * highest

    def _proposals(
        self, rng: np.random.Generator, count: int, step: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw points [count, component] by a step function, and the share of each to keep."""
        cumulative = np.cumsum(step.ravel())
        cell = np.searchsorted(cumulative, rng.random(count) * cumulative[-1])
        row, column = np.unravel_index(np.minimum(cell, step.size - 1), step.shape)
        mu = np.stack([self._at1[row], self._at2[column]], axis=1)
        mu += self._spacing * (rng.random(mu.shape) - 0.5)
        height = np.exp(self.log_density(mu)) * self._spacing**2
        return mu, height / step[row, column]
