"""The posterior on a lattice: where its points are, which of them matter, when the sum will do."""

import numpy as np
from numpy.polynomial import chebyshev

from mixtures.exact import lattice
from mixtures.exact.joint import LOG_SQRT_2PI, Joint
from mixtures.exact.lattice import Intervals

SETTLED = 1e-10  # nats: how far two independent lattices may differ in log evidence
EDGE = 1e-13  # share of the mass that the outermost lattice points of an axis may hold
NEGLIGIBLE = 80.0  # nats: a tile whose middle lies further below the mode is left out
TILE = 8  # lattice points along a tile's side
MANY = 4_000  # observations from which the log density is interpolated
LARGEST = 4_000_000  # lattice points to evaluate, before giving up; eight times as many to store


def integrate(joint: Joint, modes: np.ndarray) -> tuple[float, list[np.ndarray], float, np.ndarray]:
    """Sum a joint density over a lattice: chosen, lengthened and refined until the sum stays.

    Parameters
    ----------
    joint : mixtures.joint.Joint
    modes : numpy.ndarray, shape [modes, component]
        Its local maxima, the highest first.

    Returns
    -------
    log_evidence : float
        Logarithm of the integral, nats.
    axes : list of numpy.ndarray of int
        For each mean, the lattice points as multiples of the spacing.
    spacing : float
    mass : numpy.ndarray, shape [len(axes[0]), len(axes[1])]
        The share of each lattice point; they sum to 1.

    Raises
    ------
    ValueError
        If the evidence cannot be settled to 1e-10 nats.
    """
    reference = joint.log_density(modes)[0]
    intervals, spacing = _support(joint, modes, reference)
    while True:
        rows, columns = (sum(high - low for low, high in i) / spacing for i in intervals)
        if rows * columns > 8 * LARGEST:
            raise ValueError(
                f"x: evidence not settled to {SETTLED:g} nats on {rows:.3g} x {columns:.3g} points"
            )
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
    return float(reference + np.log(mass.sum())), axes, spacing, mass / mass.sum()


def _support(joint: Joint, modes: np.ndarray, reference: float) -> tuple[list[Intervals], float]:
    """Return intervals of each axis that hold nearly all mass, and a spacing finer than peaks."""
    n = joint.x.size
    narrowest: list[float] = []
    intervals: list[list[tuple[float, float]]] = [[], []]
    volume = 0.0
    for mode, height in zip(modes, joint.log_density(modes), strict=True):
        curvature = -joint.hessian(mode)
        narrowest.append(1 / np.sqrt(np.diag(curvature).max()))
        # where two peaks are about to part the curvature vanishes one way, and the width goes as
        # n^(-1/4)
        strength, direction = np.linalg.eigh(curvature)
        strength = np.maximum(strength, np.sqrt(n) / joint.sigma.max() ** 2)
        sd = np.minimum(np.sqrt((direction**2) @ (1 / strength)), joint.prior_sd)
        volume += np.exp(height - reference) * 2 * np.pi / np.sqrt(strength.prod())
        for k in (0, 1):
            intervals[k].append((mode[k] - 8 * sd[k], mode[k] + 8 * sd[k]))
    # a component may own no observation, and then its own mean goes back to its prior
    for k, other in ((0, 1), (1, 0)):
        centre, sd, share = _sole(joint, other)
        if share - reference - np.log(volume) > np.log(EDGE):
            narrowest.append(sd)
            intervals[other].append((centre - 8 * sd, centre + 8 * sd))
            reach = 7.5 * joint.prior_sd[k]
            intervals[k].append((joint.prior_mean[k] - reach, joint.prior_mean[k] + reach))
    if joint.exchangeable:
        # modes come in mirror images: both means have these intervals, but for the last digit
        intervals = [intervals[0]] * 2
    # interpolation needs half the spacing that summation needs, which is 0.8 of the narrowest width
    return [lattice.merge(i) for i in intervals], 0.4 * min(narrowest)


def _sole(joint: Joint, k: int) -> tuple[float, float, float]:
    """Return what would hold if component k owned every observation: it is a Gaussian then.

    Mean and standard deviation of its mean, and the logarithm of this case's share of the evidence,
    nats.
    """
    s, t, m = joint.sigma[k], joint.prior_sd[k], joint.prior_mean[k]
    sd = 1 / np.sqrt(joint.x.size / s**2 + 1 / t**2)
    centre = sd**2 * (joint.x.sum() / s**2 + m / t**2)
    height = joint.log_terms(k, [centre]).sum() + joint.log_prior(k, centre)
    return centre, sd, height + LOG_SQRT_2PI + np.log(sd)


def _mass(joint: Joint, reference: float, axes: list[np.ndarray], spacing: float) -> np.ndarray:
    """Return density / exp(reference) * spacing^2 on the product of two axes of lattice numbers.

    A look at the middle of each tile of eight by eight points tells which tiles can matter.
    """
    tiles, inside = zip(
        *(np.unique(axis // TILE, return_inverse=True) for axis in axes), strict=True
    )
    middles = [spacing * (TILE * t + (TILE - 1) / 2) for t in tiles]
    whole = np.full([m.size for m in middles], True)
    height = joint.on_lattice(middles[0], middles[1], whole, reference)
    matters = (height > -NEGLIGIBLE)[np.ix_(*inside)]
    if joint.exchangeable:
        matters = np.triu(matters)
    if np.count_nonzero(matters) > LARGEST:
        raise ValueError(
            f"x: evidence not settled to {SETTLED:g} nats on {np.count_nonzero(matters)} points"
        )
    mass = np.exp(_height(joint, reference, axes, spacing, matters)) * spacing**2
    if joint.exchangeable:
        mass += np.triu(mass, 1).T
    return mass


def _height(
    joint: Joint, reference: float, axes: list[np.ndarray], spacing: float, matters: np.ndarray
) -> np.ndarray:
    """Return log density - reference on the product of two axes, where it matters.

    Elsewhere it is minus infinity.
    With many data the posterior is much narrower than a component, so the log density is nearly a
    polynomial there: a few Chebyshev nodes give all of its values. Its last coefficients say
    whether they were enough.
    """
    points = [spacing * axis for axis in axes]
    if joint.x.size < MANY:
        return joint.on_lattice(points[0], points[1], matters, reference)
    values = np.full(matters.shape, -np.inf)
    runs = [np.split(np.arange(a.size), np.flatnonzero(np.diff(a) > 1) + 1) for a in axes]
    for block in (
        np.ix_(r1, r2) for r1 in runs[0] for r2 in runs[1] if matters[np.ix_(r1, r2)].any()
    ):
        at = [p[i.ravel()] for p, i in zip(points, block, strict=True)]
        found = _interpolated(joint, reference, at, spacing)
        if found is None:
            found = joint.on_lattice(at[0], at[1], matters[block], reference)
        values[block] = np.where(matters[block], found, -np.inf)
    return values


def _interpolated(
    joint: Joint, reference: float, at: list[np.ndarray], spacing: float
) -> np.ndarray | None:
    """Return log density - reference on the product of two axes, from Chebyshev nodes.

    None if they do not suffice.
    """
    # one spacing further, for a single point has no width
    ends = [(a[0], a[-1] + spacing) for a in at]
    for size in (16, 24, 36):
        nodes = np.cos(np.pi * (np.arange(size) + 0.5) / size)
        from_values = chebyshev.chebvander(nodes, size - 1).T * 2 / size
        from_values[0] /= 2
        spread = [low + (high - low) * (nodes + 1) / 2 for low, high in ends]
        whole = joint.on_lattice(spread[0], spread[1], np.full((size, size), True), reference)
        coefficients = from_values @ whole @ from_values.T
        if max(np.abs(coefficients[-2:]).max(), np.abs(coefficients[:, -2:]).max()) < SETTLED:
            to = [
                chebyshev.chebvander(2 * (a - e[0]) / (e[1] - e[0]) - 1, size - 1)
                for a, e in zip(at, ends, strict=True)
            ]
            values: np.ndarray = to[0] @ coefficients @ to[1].T
            return values
    return None


def _lengthen(
    intervals: list[Intervals], axes: list[np.ndarray], mass: np.ndarray, spacing: float
) -> list[Intervals]:
    """Return the intervals, longer where the outermost points of a stretch hold more than EDGE."""
    longer = []
    for k, (axis, stretches) in enumerate(zip(axes, intervals, strict=True)):
        share = mass.sum(axis=1 - k) / mass.sum()
        ends = []
        for low, high in stretches:
            first, last = np.searchsorted(axis, [np.floor(low / spacing), np.ceil(high / spacing)])
            more = 0.25 * (high - low)
            ends.append((low - more * (share[first] > EDGE), high + more * (share[last] > EDGE)))
        longer.append(lattice.merge(ends))
    return longer
