"""The exact posterior of the two component means, by quadrature.

Weights and scales are known, so two numbers are unknown and every question about them is a two-dimensional integral.
The rectangle rule on a lattice answers all of them, to more digits than any figure in the book needs.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import xarray as xr
from numpy.polynomial import chebyshev
from scipy.ndimage import maximum_filter

from mixtures import data, lattice
from mixtures.joint import LOG_SQRT_2PI, Joint

SETTLED = 1e-10  # nats: how far two independent lattices may differ in log evidence
EDGE = 1e-13  # share of the mass that the outermost lattice points of an axis may hold
NEGLIGIBLE = 80.0  # nats: a tile whose middle lies further below the mode is left out
TILE = 8  # lattice points along a tile's side
MANY = 4_000  # observations from which the log density is interpolated
LARGEST = 4_000_000  # lattice points to evaluate, before giving up


def posterior(x, prior_sd=10.0, *, prior_mean=0.0, weights=0.5, sigma=1.0):
    """Compute the posterior of the two means of a Gaussian mixture with known weights and scales.

    Parameters
    ----------
    x : array_like, shape [n]
        The observations.
    prior_sd, prior_mean : float or array_like, shape [component]
        Standard deviations and means of the independent Normal priors.
    weights : float or array_like, shape [component]
        They sum to 1.
    sigma : float or array_like, shape [component]
        Standard deviations of the components.

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
    reference = joint.log_density(modes[:1])[0]
    # the peak height is a sum of n terms, each rounded: beyond this its last digits are noise
    if np.finfo(float).eps * abs(reference) > 10 * SETTLED:
        raise ValueError(
            f"x: log density {reference:.3g} nats at the mode, too far from zero to settle the evidence to {SETTLED:g};"
            " are the data on the scale of sigma and of the prior?"
        )
    intervals, spacing = _support(joint, modes, reference)
    while True:
        rows, columns = (sum(high - low for low, high in i) / spacing for i in intervals)
        if rows * columns > TILE**2 * LARGEST:
            raise ValueError(f"x: evidence not settled to {SETTLED:g} nats on {rows:.3g} x {columns:.3g} points")
        axes = [lattice.indices(i, spacing) for i in intervals]
        mass = _mass(joint, reference, axes, spacing)
        longer = _lengthen(intervals, axes, mass, spacing)
        every_second = 4 * mass[np.ix_(axes[0] % 2 == 0, axes[1] % 2 == 0)].sum()
        if longer != intervals:
            intervals = longer
        elif abs(np.log(every_second / mass.sum())) < SETTLED:
            break
        else:
            spacing *= 0.75
    evidence = reference + np.log(mass.sum())
    at1, at2 = (spacing * axis for axis in axes)
    return Posterior(joint, float(evidence), modes, at1, at2, spacing, mass / mass.sum())


def _support(joint, modes, reference):
    """Return disjoint intervals for each axis that hold nearly all mass, and a spacing finer than any peak."""
    n = joint.x.size
    narrowest, intervals, volume = [], [[], []], 0.0
    for mode, height in zip(modes, joint.log_density(modes), strict=True):
        curvature = -joint.hessian(mode)
        narrowest.append(1 / np.sqrt(np.diag(curvature).max()))
        # where two peaks are about to part the curvature vanishes one way, and the width goes as n^(-1/4)
        strength, direction = np.linalg.eigh(curvature)
        strength = np.maximum(strength, np.sqrt(n) / joint.sigma.max() ** 2)
        sd = np.minimum(np.sqrt((direction**2) @ (1 / strength)), joint.prior_sd)
        volume += np.exp(height - reference) * 2 * np.pi / np.sqrt(strength.prod())
        for k in (0, 1):
            intervals[k].append((mode[k] - 8 * sd[k], mode[k] + 8 * sd[k]))
    # a component may own no observation: then the other is a single Gaussian and its own mean goes back to its prior
    for k, other in ((0, 1), (1, 0)):
        s, t, m = joint.sigma[other], joint.prior_sd[other], joint.prior_mean[other]
        sd = 1 / np.sqrt(n / s**2 + 1 / t**2)
        centre = sd**2 * (joint.x.sum() / s**2 + m / t**2)
        height = joint.log_terms(other, [centre]).sum() + joint.log_prior(other, centre) - reference
        if height + LOG_SQRT_2PI + np.log(sd / volume) > np.log(EDGE):
            narrowest.append(sd)
            intervals[other].append((centre - 8 * sd, centre + 8 * sd))
            reach = 7.5 * joint.prior_sd[k]
            intervals[k].append((joint.prior_mean[k] - reach, joint.prior_mean[k] + reach))
    if joint.exchangeable:
        intervals = [intervals[0] + intervals[1]] * 2
    # interpolation needs half the spacing that summation needs, which is 0.8 of the narrowest width
    return [lattice.merge(i) for i in intervals], 0.4 * min(narrowest)


def _mass(joint, reference, axes, spacing):
    """Return density / exp(reference) * spacing^2 on the product of two axes of lattice numbers.

    A look at the middle of each tile of eight by eight points tells which tiles can matter.
    """
    tiles, inside = zip(*(np.unique(axis // TILE, return_inverse=True) for axis in axes), strict=True)
    middles = [spacing * (TILE * t + (TILE - 1) / 2) for t in tiles]
    height = joint.on_lattice(*middles, np.ones([m.size for m in middles], dtype=bool), reference)
    matters = (height > -NEGLIGIBLE)[np.ix_(*inside)]
    if joint.exchangeable:
        matters &= axes[0][:, None] <= axes[1]
    if np.count_nonzero(matters) > LARGEST:
        raise ValueError(f"x: evidence not settled to {SETTLED:g} nats on {np.count_nonzero(matters)} points")
    mass = np.exp(_height(joint, reference, axes, spacing, matters)) * spacing**2
    if joint.exchangeable:
        mass += np.triu(mass, 1).T
    return mass


def _height(joint, reference, axes, spacing, matters):
    """Return log density - reference where it matters on the product of two axes, minus infinity elsewhere.

    With many data the posterior is much narrower than a component, so the log density is nearly a polynomial there: a
    few Chebyshev nodes give all of its values. Its last coefficients say whether they were enough.
    """
    points = [spacing * axis for axis in axes]
    if joint.x.size < MANY:
        return joint.on_lattice(*points, matters, reference)
    values = np.full(matters.shape, -np.inf)
    runs = [np.split(np.arange(a.size), np.flatnonzero(np.diff(a) > 1) + 1) for a in axes]
    for block in (np.ix_(r1, r2) for r1 in runs[0] for r2 in runs[1] if matters[np.ix_(r1, r2)].any()):
        at = [p[i.ravel()] for p, i in zip(points, block, strict=True)]
        for size in (16, 24, 36):
            nodes = np.cos(np.pi * (np.arange(size) + 0.5) / size)
            from_values = chebyshev.chebvander(nodes, size - 1).T * 2 / size
            from_values[0] /= 2
            ends = [(a[0], a[-1] + 1e-9 * spacing) for a in at]
            spread = [low + (high - low) * (nodes + 1) / 2 for low, high in ends]
            whole = joint.on_lattice(*spread, np.ones((size, size), dtype=bool), reference)
            coefficients = from_values @ whole @ from_values.T
            if max(np.abs(coefficients[-2:]).max(), np.abs(coefficients[:, -2:]).max()) < SETTLED:
                to = [chebyshev.chebvander(2 * (a - e[0]) / (e[1] - e[0]) - 1, size - 1) for a, e in zip(at, ends)]
                values[block] = np.where(matters[block], to[0] @ coefficients @ to[1].T, -np.inf)
                break
        else:
            wanted = np.zeros(matters.shape, dtype=bool)
            wanted[block] = matters[block]
            values[block] = joint.on_lattice(*points, wanted, reference)[block]
    return values


def _lengthen(intervals, axes, mass, spacing):
    """Return the intervals, longer wherever the outermost points of a stretch hold more than EDGE."""
    longer = []
    for k, (axis, stretches) in enumerate(zip(axes, intervals, strict=True)):
        share = mass.sum(axis=1 - k) / mass.sum()
        ends = []
        for low, high in stretches:
            first, last = np.searchsorted(axis, [np.floor(low / spacing), np.ceil(high / spacing)])
            more = 0.25 * (high - low)
            ends.append([low - more * (share[first] > EDGE), high + more * (share[last] > EDGE)])
        longer.append(lattice.merge(ends))
    return longer


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
    def saddle(self):
        """The pass between the two highest modes, shape [component]; None where there is one mode only."""
        return self.joint.saddle(self.modes)

    @property
    def barrier(self):
        """Log density at the lower of the two highest modes minus that at the saddle, nats; 0 with one mode."""
        if self.saddle is None:
            return 0.0
        return max(0.0, float(self.joint.log_density(self.modes[:2]).min() - self.joint.log_density(self.saddle)[0]))

    @property
    def log_evidence_ordered(self):
        """Integral of likelihood times prior over mu1 < mu2, nats: log Z - log 2 where labels are exchangeable."""
        share = self._gap_below(0.0)[0]
        if share < 1e-9:
            raise ValueError("x: mu1 < mu2 holds less than 1e-9 of the posterior, too little to tell its logarithm")
        return float(self.log_evidence + np.log(share))

    def log_density(self, mu):
        """Return the log posterior density in nats at points `mu` [..., component]: shape [...]."""
        mu = np.asarray(mu, dtype=float)
        return self.joint.log_density(mu.reshape(-1, 2)).reshape(mu.shape[:-1]) - self.log_evidence

    def grid(self, mu1, mu2):
        """Return the density on the product of two axes, shape [len(mu1), len(mu2)], by interpolation."""
        left = lattice.interpolator(mu1, self._at1, self._spacing)
        right = lattice.interpolator(mu2, self._at2, self._spacing)
        return np.maximum(left @ self._mass @ right.T, 0) / self._spacing**2

    @cached_property
    def density(self):
        """The density on a lattice four times as fine: xarray.DataArray, dims (mu1, mu2)."""
        quarters = self._spacing * np.arange(4) / 4
        mu1, mu2 = (np.unique(at[:, None] + quarters) for at in (self._at1, self._at2))
        cell = (self._spacing / 4) ** 2
        return xr.DataArray(
            self.grid(mu1, mu2), {"mu1": mu1, "mu2": mu2}, name="density", attrs={"cell_area": cell}
        )

    def expectation(self, function):
        """Return the posterior mean of a smooth `function` of arrays (mu1, mu2)."""
        return float(np.sum(self._mass * function(self._at1[:, None], self._at2[None, :])))

    @cached_property
    def _raw(self):
        mean = np.array([self.expectation(lambda a, b: a), self.expectation(lambda a, b: b)])
        c11 = self.expectation(lambda a, b: (a - mean[0]) ** 2)
        c22 = self.expectation(lambda a, b: (b - mean[1]) ** 2)
        c12 = self.expectation(lambda a, b: (a - mean[0]) * (b - mean[1]))
        return mean, np.array([[c11, c12], [c12, c22]])

    @cached_property
    def _ordered(self):
        # lower, upper = (s -+ |d|) / 2 with s = mu1 + mu2 and d = mu1 - mu2; only |d| is not smooth
        (m1, m2), cov = self._raw
        centre = m1 + m2
        total = self._at1[:, None] + self._at2[None, :] - centre
        gap = self._mean_gap(1.0)
        sum_gap = self._mean_gap(total)
        var_sum = cov[0, 0] + cov[1, 1] + 2 * cov[0, 1]
        var_gap = cov[0, 0] + cov[1, 1] - 2 * cov[0, 1] + (m1 - m2) ** 2 - gap**2
        mean = np.array([centre - gap, centre + gap]) / 2
        cross = (var_sum - var_gap) / 4
        variance = (var_sum + var_gap) / 4 + np.array([-1, 1]) * sum_gap / 2
        return mean, np.array([[variance[0], cross], [cross, variance[1]]])

    @property
    def raw_mean(self):
        """Means of (mu1, mu2), shape [component]."""
        return self._raw[0]

    @property
    def raw_sd(self):
        """Standard deviations of (mu1, mu2), shape [component]."""
        return np.sqrt(np.diag(self._raw[1]))

    @property
    def raw_corr(self):
        """Correlation of mu1 and mu2."""
        return float(self._raw[1][0, 1] / np.prod(self.raw_sd))

    @property
    def mean(self):
        """Means of (lower, upper), shape [component]."""
        return self._ordered[0]

    @property
    def sd(self):
        """Standard deviations of (lower, upper), shape [component]."""
        return np.sqrt(np.diag(self._ordered[1]))

    @property
    def corr(self):
        """Correlation of lower and upper."""
        return float(self._ordered[1][0, 1] / np.prod(self.sd))

    def _differences(self, values):
        """Return the distinct lattice values of mu1 - mu2, and the mass of `values` on each."""
        steps = np.rint((self._at1[:, None] - self._at2[None, :]) / self._spacing).astype(int)
        first = steps.min()
        mass = np.bincount((steps - first).ravel(), (self._mass * values).ravel())
        return (first + np.arange(mass.size)) * self._spacing, mass

    def _mean_gap(self, values):
        at, mass = self._differences(values)
        return lattice.mean_distance(mass, at, self._spacing)

    def _gap_below(self, at):
        """Return P(mu1 - mu2 <= at), shape [places]."""
        points, mass = self._differences(1.0)
        return lattice.accumulator(np.atleast_1d(at), points, self._spacing) @ mass

    def gap_cdf(self, gap):
        """Return the probability that upper - lower is at most `gap` [...]: shape [...]."""
        gap = np.maximum(gap, 0.0)
        below = np.clip(self._gap_below(gap.ravel()) - self._gap_below(-gap.ravel()), 0, 1)
        return below.reshape(gap.shape) if gap.ndim else float(below[0])

    def probability(self, region, fineness=16):
        """Return the probability of a region of the plane, by counting cells.

        Parameters
        ----------
        region : callable
            Takes arrays (mu1, mu2), broadcast against each other, and returns booleans.
        fineness : int
            Cells per lattice spacing. The error comes from cells that the region's border cuts; it is of the order of
            the density on the border times the cell's side. For gaps, `gap_cdf` is exact.

        Returns
        -------
        float
        """
        offsets = ((np.arange(fineness) + 0.5) / fineness - 0.5) * self._spacing
        mu1, mu2 = ((at[:, None] + offsets).ravel() for at in (self._at1, self._at2))
        cell = (self._spacing / fineness) ** 2
        inside = np.broadcast_to(region(mu1[:, None], mu2[None, :]), (mu1.size, mu2.size))
        return float(np.sum(self.grid(mu1, mu2), where=inside) * cell)

    def marginal(self, component, at):
        """Return the density of a raw mean.

        Parameters
        ----------
        component : {0, 1}
        at : array_like, shape [places]

        Returns
        -------
        numpy.ndarray, shape [places]
        """
        points = (self._at1, self._at2)[component]
        values = lattice.interpolator(at, points, self._spacing) @ self._mass.sum(axis=1 - component)
        return np.maximum(values, 0) / self._spacing

    def ordered_marginal(self, component, at):
        """Return the density of the lower (0) or the upper (1) mean at places `at`: shape [places]."""
        density = 0
        for own, other, mass in ((self._at1, self._at2, self._mass), (self._at2, self._at1, self._mass.T)):
            below = lattice.accumulator(at, other, self._spacing)
            share = below if component == 1 else 1 - below
            density = density + np.sum((lattice.interpolator(at, own, self._spacing) @ mass) * share, axis=1)
        return np.maximum(density, 0) / self._spacing

    def predictive(self, at):
        """Return the posterior predictive density of a new observation at places `at`: shape [places]."""
        at = np.asarray(at, dtype=float)[:, None]
        parts = []
        for k, points in enumerate((self._at1, self._at2)):
            z = (at - points) / self.joint.sigma[k]
            kernel = np.exp(-0.5 * z**2 - LOG_SQRT_2PI) / self.joint.sigma[k]
            parts.append(self.joint.weights[k] * kernel @ self._mass.sum(axis=1 - k))
        return parts[0] + parts[1]

    def sample(self, draws, seed, *, ordered=False):
        """Draw independently from the posterior, by rejection from a step function on the lattice.

        Parameters
        ----------
        draws : int
        seed : int
        ordered : bool
            Whether to put each draw in increasing order: the folded posterior.

        Returns
        -------
        xarray.DataArray, dims (chain, draw, component)
            One chain, named ``means``.
        """
        if not isinstance(draws, int | np.integer) or draws < 1:
            raise ValueError(f"draws: expected a positive whole number, got {draws!r}")
        rng = data.generator(seed)
        # each cell is centred on a lattice point; its step stands above the point's eight neighbours too, and one tenth
        # higher because a peak may lie between the points
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
        means = accepted[:draws]
        if ordered:
            means = np.sort(means, axis=1)
        coords = {"chain": [0], "draw": np.arange(draws), "component": [0, 1]}
        return xr.DataArray(means[None], coords, ("chain", "draw", "component"), name="means")
