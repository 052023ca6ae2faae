"""The ELBO and the KL divergence of a Gaussian of two means, by quadrature.

Integrals over a Gaussian are sums over a square lattice in its standardised coordinates. For what
is smooth but has singularities near the real axis, as the logarithm of a mixture, that takes fewer
points than Gauss-Hermite rules of the same accuracy [Trefethen 2022, SIAM Review 64].
"""

from collections.abc import Callable
from functools import cache

import numpy as np

from mixtures.exact import Posterior
from mixtures.variational.gaussian import Gaussian, Symmetrised

TOLERANCE = 1e-8  # nats
LEVELS = 11


@cache
def rule(level: int) -> tuple[np.ndarray, np.ndarray]:
    """Return points [m, 2] and weights [m] for means over a standard Gaussian in the plane.

    They are finer at each level.
    """
    spacing, reach = 0.8 * 0.75**level, 8 + level / 2
    last = np.floor(reach / spacing)
    axis = spacing * np.arange(-last, last + 1)
    points = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    square = np.sum(points**2, axis=1)
    inside = square <= reach**2
    return points[inside], np.exp(-0.5 * square[inside]) * spacing**2 / (2 * np.pi)


def integrate(function: Callable[[np.ndarray], np.ndarray]) -> tuple[float, int]:
    """Integrate over the standard Gaussian in the plane until two successive rules agree.

    Parameters
    ----------
    function : callable
        Takes points [m, 2], returns values [m].

    Returns
    -------
    float
    int
        The level of the first of the two rules.

    Raises
    ------
    ValueError
        If the two finest rules differ by more than 1e-8, or a millionth of a millionth of the
        integral.
    """
    before = np.inf
    for level in range(LEVELS):
        points, weights = rule(level)
        with np.errstate(over="ignore", invalid="ignore"):
            value = float(weights @ function(points))
            change = abs(value - before)
        if change < TOLERANCE + 1e-12 * abs(value):
            return value, level - 1
        before = value
    raise ValueError(
        "gaussian: too wide for its ELBO to be computed,"
        f" the last two rules differ by {change:.1e} nats"
    )


def elbo_and_level(gaussian: Gaussian, posterior: Posterior) -> tuple[float, int]:
    """Return the ELBO of a Gaussian, nats, and the level of the rule that suffices for it."""

    def density(z: np.ndarray) -> np.ndarray:
        means = gaussian.to_means(gaussian.mean + z @ gaussian.factor.T)
        return posterior.joint.log_density_fast(means)

    energy, level = integrate(density)
    log_jacobian = 0.0 if gaussian.space == "raw" else float(gaussian.mean[1])
    return energy + log_jacobian + gaussian.entropy, level


def elbo(q: Gaussian | Symmetrised, posterior: Posterior) -> float:
    """Compute the ELBO of a distribution of the two means, exactly.

    The evidence lower bound [Blei, Kucukelbir and McAuliffe 2017, JASA 112] is E_q[log p(x, mu) -
    log q(mu)]. In an ordered space the joint density is that on the half plane mu1 < mu2, not
    renormalised, as in PyMC's ordered model.

    Parameters
    ----------
    q : Gaussian or Symmetrised
        The approximation.
    posterior : mixtures.exact.Posterior
        What it approximates.

    Returns
    -------
    float
        Nats. Minus the loss that PyMC reports, without its noise.

    Raises
    ------
    ValueError
        If the integral does not settle to 1e-8 nats, or labels are symmetrised that are not
        exchangeable.
    """
    if isinstance(q, Gaussian):
        return elbo_and_level(q, posterior)[0]
    if not posterior.joint.exchangeable:
        raise ValueError("posterior: expected exchangeable components, for symmetrised labels")
    one = q.gaussian
    # q and its mirror image have the same integral; the mirror's share in the mixture's density is
    # all that is new
    excess = 0.0
    if one.space == "raw":

        def share(z: np.ndarray) -> np.ndarray:
            mu = one.mean + z @ one.factor.T
            values: np.ndarray = np.logaddexp(0, one.log_density(mu[:, ::-1]) - one.log_density(mu))
            return values

        excess = integrate(share)[0]
    return elbo(one, posterior) + float(np.log(2)) - excess


def kl(q: Gaussian | Symmetrised, posterior: Posterior) -> float:
    """Compute the KL divergence from the target of `q` to `q`: KL(q || target), exactly.

    Parameters
    ----------
    q : Gaussian or Symmetrised
        The approximation.
    posterior : mixtures.exact.Posterior
        What it approximates.

    Returns
    -------
    float
        Nats. The target of a Gaussian in an ordered space is the posterior on the half plane mu1 <
        mu2, normalised there; of all others it is the posterior of (mu1, mu2).

    Raises
    ------
    ValueError
        As `elbo`, or if the half plane holds next to nothing of the posterior.
    """
    halved = isinstance(q, Gaussian) and q.space != "raw"
    return (posterior.log_evidence_ordered if halved else posterior.log_evidence) - elbo(
        q, posterior
    )
