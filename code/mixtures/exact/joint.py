"""The joint density of data and two means: its values, slopes and peaks.

Weights and scales of the two Gaussians are known. There is one density and three ways to its
values: `Joint.log_density` is exact to the last digits, `Joint.log_density_fast` is for many points
of few digits, and `Joint.on_lattice` for all points of a lattice.
"""

from dataclasses import dataclass, replace
from itertools import combinations, permutations
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize
from scipy.special import expit

from mixtures import checks

LOG_SQRT_2PI = 0.5 * np.log(2 * np.pi)
LARGEST = 1e25  # beyond it, or below its inverse, squares of ratios and their products may overflow
# nats: a log density is a sum of n rounded terms, and beyond this its tenth decimal is noise
HIGHEST = 5e6
FINEST = 1e-7  # of the smallest scale: places rounded more coarsely leave the means no digits


def _distinct(points: np.ndarray, apart: float) -> np.ndarray:
    """Return the points [m, component] but those that lie closer than `apart` to an earlier one."""
    kept: list[np.ndarray] = []
    for point in points:
        if all(np.abs(point - other).max() > apart for other in kept):
            kept.append(point)
    return np.array(kept)


@dataclass(frozen=True, eq=False)
class Joint:
    """The joint density of data and two means, log p(x, mu1, mu2).

    Here x ~ sum_k weights_k Normal(mu_k, sigma_k), and mu_k ~ Normal(prior_mean_k, prior_sd_k).

    Attributes
    ----------
    x : numpy.ndarray, shape [n]
    weights, sigma, prior_mean, prior_sd : numpy.ndarray, shape [component]
    """

    x: np.ndarray
    weights: np.ndarray
    sigma: np.ndarray
    prior_mean: np.ndarray
    prior_sd: np.ndarray

    @classmethod
    def of(
        cls, x: ArrayLike, weights: ArrayLike = 0.5, sigma: ArrayLike = 1.0,
        prior_mean: ArrayLike = 0.0, prior_sd: ArrayLike = 10.0,
    ) -> Self:
        """Check the arguments and build; see `mixtures.exact.posterior` for what they mean.

        Raises
        ------
        ValueError
            If an argument is malformed or not finite, the weights do not sum to 1, a scale is not
            positive, or numbers are so large, small or far from zero that digits would be lost.
        """
        weights = checks.pair(weights, "weights", positive=True)
        if weights.max() > 1 or abs(weights.sum() - 1) > 1e-9:
            raise ValueError(f"weights: expected two that sum to 1, got {weights.tolist()}")
        scales = {
            "sigma": checks.pair(sigma, "sigma", positive=True),
            "prior_sd": checks.pair(prior_sd, "prior_sd", positive=True),
        }
        places = {"x": checks.observations(x), "prior_mean": checks.pair(prior_mean, "prior_mean")}
        for name, value in (scales | places).items():
            if np.abs(value).max() > LARGEST or (name in scales and value.min() < 1 / LARGEST):
                extent = f"{value.min():g} to {value.max():g}"
                says = f"expected a scale within a factor {LARGEST:g} of 1, got {extent}"
                raise ValueError(f"{name}: {says}")
        for name, value in places.items():
            far, unit = np.abs(value).max(), min(scale.min() for scale in scales.values())
            if np.spacing(far) > FINEST * unit:
                says = f"{far:g} leaves too few digits for a scale of {unit:g}"
                raise ValueError(f"{name}: {says}; subtract a constant")
        return cls(weights=weights, **scales, **places)

    @property
    def exchangeable(self) -> bool:
        """Whether swapping the two components changes nothing."""
        return all(v[0] == v[1] for v in (self.weights, self.sigma, self.prior_mean, self.prior_sd))

    def log_terms(self, k: int, mu: ArrayLike) -> np.ndarray:
        """Return log weight_k Normal(x; mu, sigma_k), shape [n, len(mu)]."""
        z = (self.x[:, None] - np.asarray(mu)) / self.sigma[k]
        terms: np.ndarray = np.log(self.weights[k] / self.sigma[k]) - LOG_SQRT_2PI - 0.5 * z**2
        return terms

    def log_prior(self, k: int, mu: np.ndarray) -> np.ndarray:
        """Return log Normal(mu; prior_mean_k, prior_sd_k), shape of `mu`."""
        z = (mu - self.prior_mean[k]) / self.prior_sd[k]
        density: np.ndarray = -LOG_SQRT_2PI - np.log(self.prior_sd[k]) - 0.5 * z**2
        return density

    def log_density(self, mu: ArrayLike) -> np.ndarray:
        """Return log p(x, mu) in nats at points `mu` [m, component]: shape [m]."""
        mu = np.atleast_2d(mu)
        parts = [
            np.logaddexp(self.log_terms(0, some[:, 0]), self.log_terms(1, some[:, 1])).sum(axis=0)
            for some in np.array_split(mu, 1 + len(mu) * self.x.size // 2_000_000)
        ]
        density: np.ndarray = (
            np.concatenate(parts) + self.log_prior(0, mu[:, 0]) + self.log_prior(1, mu[:, 1])
        )
        return density

    def log_density_fast(self, mu: np.ndarray) -> np.ndarray:
        """Return log p(x, mu) in nats at many points `mu` [m, component]: shape [m].

        It takes a fraction of `log_density`'s time. Squares are multiplied out, which costs digits
        where the data lie far apart in units of sigma.
        """
        return self._sweep(mu, slopes=False)[0]

    def value_and_gradient(self, mu: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return `log_density_fast` [m] and its gradients [m, component] at points `mu`."""
        value, pull = self._sweep(mu, slopes=True)
        centre = self.x.mean()
        # sums of 1 and of x, each weighted by the responsibility of one component and of the other
        whole = np.array([self.x.size, np.sum(self.x - centre)])
        shares = np.stack([pull, whole - pull], axis=1)
        likelihood = (shares[..., 1] - (mu - centre) * shares[..., 0]) / self.sigma**2
        return value, likelihood - (mu - self.prior_mean) / self.prior_sd**2

    def _sweep(self, mu: np.ndarray, slopes: bool) -> tuple[np.ndarray, np.ndarray]:
        """Return log p(x, mu) [m], and, for slopes, the sums of 1 and x in component 0 [m, 2]."""
        centre = self.x.mean()
        powers = (self.x - centre) ** np.arange(3)[:, None]
        offset, variance = mu - centre, self.sigma**2
        # log weight_k Normal(x; mu_k, sigma_k) is a polynomial in x
        level = np.log(self.weights / self.sigma) - LOG_SQRT_2PI - offset**2 / (2 * variance)
        curve = np.broadcast_to(-0.5 / variance, offset.shape)
        first, second = np.stack([level, offset / variance, curve], axis=-1).swapaxes(0, 1)
        value: np.ndarray = second @ powers.sum(axis=1)
        pull = np.zeros((len(mu), 2))
        # a product of a thousand numbers between 1 and 2 does not overflow, and one logarithm does
        # for it
        for i in range(0, self.x.size, 1000):
            part = powers[:, i : i + 1000]
            rows = 50_000 // part.shape[1]
            for j in range(0, len(mu), rows):
                some = slice(j, j + rows)
                lead = (first[some] - second[some]) @ part
                minor = np.exp(-np.abs(lead))
                value[some] += np.maximum(lead, 0).sum(axis=1) + np.log((1 + minor).prod(axis=1))
                if slopes:
                    responsibility = np.where(lead > 0, 1, minor) / (1 + minor)
                    pull[some] += responsibility @ part[:2].T
        value += self.log_prior(0, mu[:, 0]) + self.log_prior(1, mu[:, 1])
        return value, pull

    def on_lattice(
        self, mu1: np.ndarray, mu2: np.ndarray, mask: np.ndarray, reference: float
    ) -> np.ndarray:
        """Return log density - reference on the product of two axes, where a mask asks for it.

        Much faster than `log_density`: exponentials are taken on the axes alone, and one logarithm
        serves the product of eight observations.

        Parameters
        ----------
        mu1, mu2 : numpy.ndarray, shape [axis points]
        mask : numpy.ndarray of bool, shape [len(mu1), len(mu2)]
        reference : float
            Taken off before anything is rounded to its size.

        Returns
        -------
        numpy.ndarray, shape [len(mu1), len(mu2)]
            Minus infinity outside the mask.
        """
        total, fixed = np.where(mask, 0.0, -np.inf), 0.0
        wanted = [(i, np.flatnonzero(row)) for i, row in enumerate(mask) if row.any()]
        for start in range(0, self.x.size, 4096):
            part = replace(self, x=self.x[start : start + 4096])
            a, b = part.log_terms(0, mu1).T, part.log_terms(1, mu2).T
            top = np.maximum(a.max(axis=0), b.max(axis=0))
            a, b = a - top, b - top
            fixed += top.sum()
            if np.maximum(a.min(axis=0), b.min(axis=0)).min() > -85:
                # eight factors between e^-85 and 2 neither underflow nor overflow; 1 + 0 fills the
                # last eight
                rest = [(0, 0), (0, -top.size % 8)]
                a, b = np.pad(np.exp(a), rest, constant_values=1), np.pad(np.exp(b), rest)
                for i, j in wanted:
                    factors = a[i] + b[j]
                    total[i, j] += np.log(factors.reshape(j.size, 8, -1).prod(axis=1)).sum(axis=1)
            else:
                for i, j in wanted:
                    total[i, j] += np.logaddexp(a[i], b[j]).sum(axis=1)
        height: np.ndarray = (
            total + (fixed - reference) + self.log_prior(0, mu1)[:, None] + self.log_prior(1, mu2)
        )
        return height

    def responsibility(self, mu: np.ndarray) -> np.ndarray:
        """Return the probability [n] of each observation's being of component 0, given `mu`."""
        share: np.ndarray = expit(self.log_terms(0, mu[:1])[:, 0] - self.log_terms(1, mu[1:])[:, 0])
        return share

    def gradient(self, mu: np.ndarray) -> np.ndarray:
        """Return the gradient of the log density at `mu` [component]: shape [component]."""
        r = self.responsibility(mu)
        pull = [r @ (self.x - mu[0]), (1 - r) @ (self.x - mu[1])] / self.sigma**2
        slope: np.ndarray = pull - (mu - self.prior_mean) / self.prior_sd**2
        return slope

    def hessian(self, mu: np.ndarray) -> np.ndarray:
        """Return the second derivatives at `mu` [component]: shape [component, component]."""
        r = self.responsibility(mu)
        slope = (self.x - mu[:, None]) / self.sigma[:, None] ** 2
        spread = r * (1 - r)
        h = np.diag(-np.array([r.sum(), (1 - r).sum()]) / self.sigma**2 - 1 / self.prior_sd**2)
        h += (spread * slope) @ slope.T * np.array([[1, -1], [-1, 1]])
        return h

    def modes(self) -> np.ndarray:
        """Find the local maxima of the log density.

        EM [Dempster, Laird and Rubin 1977] from pairs of quantiles of the data, then Newton steps.
        Large data are thinned to a thousand quantiles for EM, and used in full for the Newton
        steps.

        Returns
        -------
        numpy.ndarray, shape [modes, component]
            The highest first; where the components are exchangeable, each is followed by its mirror
            image.

        Raises
        ------
        ValueError
            If the log density is so far from zero that rounding leaves the evidence too few digits.
        """
        thin = self.thinned(1000)
        # a little apart even where the data are all equal
        unit = self.sigma.min()
        apart = unit * np.linspace(-0.2, 0.2, 6)
        levels = np.quantile(self.x, [0, 0.15, 0.35, 0.65, 0.85, 1]) + apart
        pairs = combinations if self.exchangeable else permutations
        mu = np.array([*pairs(levels, 2)])
        precision = 1 / thin.prior_sd**2
        for _ in range(25):
            r = expit(thin.log_terms(0, mu[:, 0]) - thin.log_terms(1, mu[:, 1]))
            r = np.stack([r, 1 - r]) / self.sigma[:, None, None] ** 2
            up = np.einsum("kns,n->sk", r, thin.x) + self.prior_mean * precision
            mu = up / (r.sum(axis=1).T + precision)
        width = 0.1 * unit / np.sqrt(self.x.size)
        starts = _distinct(mu, 5 * width)
        height = self.log_density(starts).max()
        if abs(height) > HIGHEST:
            raise ValueError(
                f"x: log density {height:.3g} nats at the mode, too far from zero to settle the"
                " evidence to 1e-10 nats; are the data on the scale of sigma and of the prior?"
            )
        peaks = np.array([self.climb(start) for start in starts])
        peaks = peaks[np.argsort(-self.log_density(peaks), kind="stable")]
        if self.exchangeable:
            peaks = np.stack([peaks, peaks[:, ::-1]], axis=1).reshape(-1, 2)
        return _distinct(peaks, width / 100)

    def thinned(self, most: int) -> Self:
        """Return the joint of at most so many quantiles; its density is nearly in proportion."""
        share = most / self.x.size
        if share >= 1:
            return self
        x = np.quantile(self.x, (np.arange(most) + 0.5) / most)
        return replace(self, x=x, prior_sd=self.prior_sd / np.sqrt(share))

    def climb(self, start: np.ndarray) -> np.ndarray:
        """Climb from `start` [component] to a local maximum: shape [component]."""
        size, unit = self.x.size, self.sigma.min()
        for _ in range(2):
            # B023 warns of functions that outlive the loop's `start`; these three are called before
            # it moves on
            result = minimize(
                lambda step: -self.log_density(start + unit * step)[0] / size,  # noqa: B023
                [0, 0],
                jac=lambda step: -self.gradient(start + unit * step) * unit / size,  # noqa: B023
                hess=lambda step: -self.hessian(start + unit * step) * unit**2 / size,  # noqa: B023
                method="trust-exact",
                options={"gtol": 1e-10},
            )
            start = start + unit * result.x
            strength, direction = np.linalg.eigh(self.hessian(start))
            if strength[1] * unit**2 / size < 1e-6:
                break
            # data with an axis of symmetry may lead to a pass on it: step off
            start = start + 0.1 * unit * direction[:, 1]
        return start
