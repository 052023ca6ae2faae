"""One Gaussian in the place of a posterior of two means, and its mixture with its mirror image.

The Gaussian lives in one of three spaces. Two of them keep mu1 < mu2, so that it is no Gaussian in
the means themselves.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from mixtures import checks
from mixtures.exact.joint import LOG_SQRT_2PI
from mixtures.exact.posterior import to_draws

# an ordered space is (centre, log gap), with the means at the centre plus these multiples of the
# gap
MULTIPLES = {"log gap": np.array([0.0, 1.0]), "centred": np.array([-0.5, 0.5])}
SPACES = ("raw", *MULTIPLES)


def to_means(coords: ArrayLike, space: str) -> np.ndarray:
    """Map coordinates of a space to (mu1, mu2), shape [..., 2] both."""
    coords = np.asarray(coords, dtype=float)
    if space == "raw":
        return coords.copy()
    with np.errstate(over="ignore"):
        means: np.ndarray = coords[..., :1] + MULTIPLES[space] * np.exp(coords[..., 1:])
    return means


def to_coords(mu: ArrayLike, space: str) -> np.ndarray:
    """Map (mu1, mu2) to coordinates, shape [..., 2] both; NaN where a space has no such point."""
    mu = np.asarray(mu, dtype=float)
    if space == "raw":
        return mu.copy()
    gap = mu[..., 1] - mu[..., 0]
    gap = np.where(gap > 0, gap, np.nan)
    return np.stack([mu[..., 0] - MULTIPLES[space][0] * gap, np.log(gap)], axis=-1)


@dataclass(frozen=True, eq=False)
class Gaussian:
    """A Gaussian distribution of the two means, in one of three spaces.

    Attributes
    ----------
    mean : numpy.ndarray, shape [2]
        In the coordinates of the space.
    covariance : numpy.ndarray, shape [2, 2]
        In the coordinates of the space.
    space : {"raw", "log gap", "centred"}
        The coordinates are (mu1, mu2); or (mu1, log(mu2 - mu1)), where PyMC's ordered transform
        works; or ((mu1 + mu2) / 2, log(mu2 - mu1)).

    Raises
    ------
    ValueError
        If the mean is not two finite numbers, the covariance not symmetric positive definite, or
        the space not known.
    """

    mean: np.ndarray
    covariance: np.ndarray
    space: str = "raw"

    def __post_init__(self) -> None:
        checks.choice(self.space, "space", SPACES)
        for name, shape in (("mean", (2,)), ("covariance", (2, 2))):
            value = checks.numbers(getattr(self, name), name)
            if value.shape != shape or not np.isfinite(value).all():
                raise ValueError(
                    f"{name}: expected finite numbers of shape {list(shape)}, got {value.tolist()}"
                )
            object.__setattr__(self, name, value)
        (v1, cross), (other, v2) = self.covariance
        if (
            not np.isclose(cross, other, rtol=1e-9, atol=0)
            or min(v1, v2) <= 0
            or cross**2 >= v1 * v2
        ):
            raise ValueError(
                "covariance: expected symmetric and positive definite,"
                f" got {self.covariance.tolist()}"
            )

    @classmethod
    def of(cls, mean: ArrayLike, sd: ArrayLike, corr: float = 0.0, space: str = "raw") -> Self:
        """Build from standard deviations and a correlation, in the coordinates of the space.

        Parameters
        ----------
        mean, sd : array_like, shape [2]
            Means and standard deviations of the coordinates.
        corr : float
            Their correlation.
        space : {"raw", "log gap", "centred"}
            As in the attributes.

        Returns
        -------
        Gaussian
        """
        sd = np.asarray(sd)
        return cls(checks.numbers(mean, "mean"), np.outer(sd, sd) * [[1, corr], [corr, 1]], space)

    @property
    def sd(self) -> np.ndarray:
        """Standard deviations of the coordinates, shape [2]."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def corr(self) -> float:
        """Correlation of the coordinates."""
        return float(self.covariance[0, 1] / np.prod(self.sd))

    @cached_property
    def factor(self) -> np.ndarray:
        """Lower-triangular Cholesky factor of the covariance, shape [2, 2]."""
        return np.linalg.cholesky(self.covariance)

    @property
    def entropy(self) -> float:
        """Entropy in the coordinates, nats."""
        return float(np.log(np.diag(self.factor)).sum() + 2 * LOG_SQRT_2PI + 1)

    def to_means(self, coords: ArrayLike) -> np.ndarray:
        """Map coordinates to (mu1, mu2), shape [..., 2] both."""
        return to_means(coords, self.space)

    def to_coords(self, mu: ArrayLike) -> np.ndarray:
        """Map (mu1, mu2) to coordinates, shape [..., 2] both; NaN where there is no such point."""
        return to_coords(mu, self.space)

    def log_density(self, mu: ArrayLike) -> np.ndarray:
        """Return the log density in (mu1, mu2), nats, at `mu` [..., component]: shape [...].

        Minus infinity where an ordered space has no such point.
        """
        coords = self.to_coords(mu)
        off = coords - self.mean
        # forward substitution in the Cholesky factor
        z1 = off[..., 0] / self.factor[0, 0]
        z2 = (off[..., 1] - self.factor[1, 0] * z1) / self.factor[1, 1]
        log_jacobian = 0 if self.space == "raw" else coords[..., 1]
        density = 1 - self.entropy - 0.5 * (z1**2 + z2**2) - log_jacobian
        return np.where(np.isnan(density), -np.inf, density)

    def draw(self, draws: int, rng: np.random.Generator) -> np.ndarray:
        """Draw independently, from a random generator.

        Parameters
        ----------
        draws : int
            How many, at least 1.
        rng : numpy.random.Generator
            Moved on by the draws.

        Returns
        -------
        numpy.ndarray, shape [draw, component]
            The means.

        Raises
        ------
        ValueError
            If `draws` is not a whole number of 1 or more.
        """
        checks.whole(draws, "draws")
        return self.to_means(self.mean + rng.normal(size=(draws, 2)) @ self.factor.T)

    def sample(self: "Gaussian | Symmetrised", draws: int, seed: int) -> xr.DataArray:
        """Draw independently, from a seed.

        Parameters
        ----------
        draws, seed : int
            How many draws, at least 1, and the seed of the random generator, at least 0.

        Returns
        -------
        xarray.DataArray ``means``, dims (chain, draw, component), one chain

        Raises
        ------
        ValueError
            If `draws` is not a whole number of 1 or more, or `seed` not one of 0 or more.
        """
        return to_draws(self.draw(draws, checks.generator(seed)))

    @cached_property
    def _moments(self) -> tuple[np.ndarray, np.ndarray]:
        if self.space == "raw":
            return self.mean, self.covariance
        # the gap is lognormal; its covariance with the centre is Stein's lemma
        variance, cross = self.covariance[1, 1], self.covariance[0, 1]
        gap = np.exp(self.mean[1] + variance / 2)
        inner = np.array(
            [[self.covariance[0, 0], cross * gap], [cross * gap, gap**2 * np.expm1(variance)]]
        )
        spread = np.stack([np.ones(2), MULTIPLES[self.space]], axis=1)
        return spread @ [self.mean[0], gap], spread @ inner @ spread.T

    @property
    def means_mean(self) -> np.ndarray:
        """Means of (mu1, mu2), shape [component]."""
        return self._moments[0]

    @property
    def means_sd(self) -> np.ndarray:
        """Standard deviations of (mu1, mu2), shape [component]."""
        return np.sqrt(np.diag(self._moments[1]))

    @property
    def means_corr(self) -> float:
        """Correlation of mu1 and mu2."""
        return float(self._moments[1][0, 1] / np.prod(self.means_sd))


@dataclass(frozen=True, eq=False)
class Symmetrised:
    """The mixture, in equal parts, of a Gaussian and its mirror image, under all labellings.

    Attributes
    ----------
    gaussian : Gaussian
    """

    gaussian: Gaussian

    def log_density(self, mu: ArrayLike) -> np.ndarray:
        """Return the log density in (mu1, mu2), nats, at `mu` [..., component]: shape [...]."""
        mu = np.asarray(mu, dtype=float)
        both = [self.gaussian.log_density(mu), self.gaussian.log_density(mu[..., ::-1])]
        density: np.ndarray = np.logaddexp(*both) - np.log(2)
        return density

    def draw(self, draws: int, rng: np.random.Generator) -> np.ndarray:
        """Draw independently, from a random generator.

        Parameters
        ----------
        draws : int
            How many, at least 1.
        rng : numpy.random.Generator
            Moved on by the draws.

        Returns
        -------
        numpy.ndarray, shape [draw, component]
            The means.

        Raises
        ------
        ValueError
            If `draws` is not a whole number of 1 or more.
        """
        means = self.gaussian.draw(draws, rng)
        swap = rng.random(draws) < 0.5
        means[swap] = means[swap, ::-1]
        return means

    sample = Gaussian.sample


def symmetrise(gaussian: Gaussian) -> Symmetrised:
    """Return the label-symmetrised mixture of a Gaussian.

    Parameters
    ----------
    gaussian : Gaussian
        In any of the three spaces.

    Returns
    -------
    Symmetrised

    Raises
    ------
    ValueError
        If `gaussian` is no Gaussian.
    """
    if not isinstance(gaussian, Gaussian):
        raise ValueError(
            f"gaussian: expected a Gaussian, such as that of a fit, got {type(gaussian).__name__}"
        )
    return Symmetrised(gaussian)
