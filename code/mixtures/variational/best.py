"""The best Gaussian of a family, and how sharp the optimum is.

ADVI looks for it by noisy gradients. The ELBO of a Gaussian can be computed exactly here, and so a
fit can be set against the best that its family holds.
"""

import numpy as np
from scipy.optimize import minimize

from mixtures import checks
from mixtures.exact import Joint, Posterior
from mixtures.variational.elbo import LEVELS, elbo_and_level, rule
from mixtures.variational.gaussian import MULTIPLES, SPACES, Gaussian, to_coords, to_means

# columns of the identity that a family leaves free, of (mean, mean, log L11, log L22, L21) with L
# the Cholesky factor
FAMILIES = {"mean-field": np.eye(5)[:, :4], "full-rank": np.eye(5)}

# along the diagonal mu1 = mu2 and across it: a Gaussian that label switching leaves alone is
# upright in these axes
_DIAGONAL = np.array([[1, -1], [1, 1]]) / np.sqrt(2)
_SYMMETRIC = {
    "mean-field": np.array([[1, 0, 0, 0, 0], [0, 0, 1, 1, 0]]).T,
    "full-rank": np.eye(5)[:, [0, 2, 3]],
}


def _unpack(theta: np.ndarray, basis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean [2] and factor [2, 2] in a space, from (mean, log-Cholesky) along a basis."""
    cholesky = np.diag(np.exp(theta[2:4]))
    cholesky[1, 0] = theta[4]
    return basis @ theta[:2], basis @ cholesky


def _pack(gaussian: Gaussian, basis: np.ndarray) -> np.ndarray:
    turned = basis.T @ gaussian.covariance @ basis
    cholesky = np.linalg.cholesky(turned)
    return np.concatenate([basis.T @ gaussian.mean, np.log(np.diag(cholesky)), cholesky[1:, 0]])


def _loss(
    theta: np.ndarray, basis: np.ndarray, space: str, joint: Joint, level: int
) -> tuple[float, np.ndarray]:
    """Return minus the ELBO but for a constant, by one rule, and its gradient in theta [5]."""
    points, weights = rule(level)
    mean, factor = _unpack(theta, basis)
    coords = mean + points @ factor.T
    value, slope = joint.value_and_gradient(to_means(coords, space))
    if space != "raw":
        value = value + coords[:, 1]
        gap = np.exp(coords[:, 1])
        slope = np.stack([slope.sum(axis=1), slope @ MULTIPLES[space] * gap + 1], axis=1)
    pull = basis.T @ (weights * slope.T)
    by_factor = pull @ points
    scale = np.exp(theta[2:4])
    by_theta = np.concatenate([pull.sum(axis=1), np.diag(by_factor) * scale + 1, by_factor[1:, 0]])
    return -(weights @ value) - theta[2:4].sum(), -by_theta


def _guess(posterior: Posterior, space: str) -> Gaussian:
    """Return a Gaussian at the highest mode with mu1 < mu2, as wide as the posterior is there."""
    mean = posterior.mean
    if space == "raw":
        first = [mode for mode in posterior.modes if mode[0] <= mode[1]] or posterior.modes
        return Gaussian.of(first[0], posterior.sd, posterior.corr)
    gap = mean[1] - mean[0]
    # derivatives of the coordinates by the means; at the mean, because a mode may have no gap
    tilt = np.array([np.eye(2)[0] - MULTIPLES[space][0] * np.array([-1, 1]), [-1 / gap, 1 / gap]])
    covariance = tilt @ Gaussian.of(mean, posterior.sd, posterior.corr).covariance @ tilt.T
    return Gaussian(to_coords(mean, space), covariance, space)


def _begin(
    posterior: Posterior, family: str, space: str, start: str | Gaussian
) -> tuple[Gaussian, np.ndarray, np.ndarray]:
    """Return the Gaussian to climb from, the free directions and their basis."""
    free, basis = FAMILIES[checks.choice(family, "family", FAMILIES)], np.eye(2)
    checks.choice(space, "space", SPACES)
    if isinstance(start, Gaussian):
        if start.space != space:
            raise ValueError(
                f"start: expected a Gaussian in the space {space!r}, got one in {start.space!r}"
            )
        return start, free, basis
    if checks.choice(start, "start", ("mode", "saddle")) == "mode":
        return _guess(posterior, space), free, basis
    if space != "raw" or not posterior.joint.exchangeable:
        raise ValueError("start: a saddle needs the raw space and exchangeable components")
    start = Gaussian.of(
        np.full(2, posterior.raw_mean.mean()), np.full(2, posterior.raw_sd.mean() / 2)
    )
    return start, _SYMMETRIC[family], _DIAGONAL


def best(
    posterior: Posterior, family: str = "mean-field", space: str = "raw",
    start: str | Gaussian = "mode",
) -> Gaussian:
    """Find the Gaussian of a family with the highest ELBO, by climbing the exact one.

    Parameters
    ----------
    posterior : mixtures.exact.Posterior
        What to approximate.
    family : {"mean-field", "full-rank"}
        Whether the coordinates are independent.
    space : {"raw", "log gap", "centred"}
        The coordinates in which it is a Gaussian; see `Gaussian`.
    start : {"mode", "saddle"} or Gaussian
        Where to climb from. "mode" is the highest mode with mu1 < mu2. "saddle" is the pass between
        the modes, and the climb keeps to Gaussians that are their own mirror images: the best of
        those straddles both modes. Whether it is a maximum or a saddle of the ELBO, `curvature`
        tells.

    Returns
    -------
    Gaussian
        A local optimum.

    Raises
    ------
    ValueError
        If a name is not one of those above, the posterior of a "saddle" has no exchangeable
        components or the space none of its Gaussians, an integral does not settle, or the climb
        does not end.
    """
    return _climb(*_begin(posterior, family, space, start), posterior)


def _climb(
    gaussian: Gaussian, free: np.ndarray, basis: np.ndarray, posterior: Posterior
) -> Gaussian:
    """Climb the ELBO along the free directions, with a rule that suffices at the top."""
    space, level = gaussian.space, elbo_and_level(gaussian, posterior)[1]
    for _ in range(LEVELS):

        def loss(theta: np.ndarray, level: int = level) -> tuple[float, np.ndarray]:
            value, gradient = _loss(free @ theta, basis, space, posterior.joint, level)
            return value, free.T @ gradient

        with np.errstate(over="ignore", invalid="ignore"):
            # two coordinates tied to each other start from their mean
            theta = np.linalg.pinv(free) @ _pack(gaussian, basis)
            found = minimize(loss, theta, jac=True, method="BFGS", options={"gtol": 1e-6})
            mean, factor = _unpack(free @ found.x, basis)
        # a slope that is no number is no end either, nor is a plain far away
        if not (np.abs(found.jac).max() <= 1e-4 and np.isfinite(factor).all()):
            raise ValueError(f"start: the climb from here does not end ({found.message})")
        gaussian = Gaussian(mean, factor @ factor.T, space)
        reached = elbo_and_level(gaussian, posterior)[1]
        if reached <= level:
            break
        level = reached
    return gaussian


def curvature(gaussian: Gaussian, posterior: Posterior, family: str = "mean-field") -> np.ndarray:
    """Return the eigenvalues of the second derivatives of the loss at a Gaussian, lowest first.

    Where the first derivatives vanish, a negative one says that the Gaussian is a saddle of the
    loss: a fit may linger there, but not stay.

    Parameters
    ----------
    gaussian : Gaussian
        As `best` returns it.
    posterior : mixtures.exact.Posterior
        What the Gaussian approximates.
    family : {"mean-field", "full-rank"}
        The directions looked at: means and log standard deviations, or means and the Cholesky
        factor with its diagonal in logarithms. A mean-field optimum may be looked at in full rank
        too.

    Returns
    -------
    numpy.ndarray, shape [4] or [5]
        Nats per squared unit of the coordinates. Their signs do not depend on the units.

    Raises
    ------
    ValueError
        If the family is not one of those above, or an integral does not settle.
    """
    free = FAMILIES[checks.choice(family, "family", FAMILIES)]
    # one rule finer than suffices for the loss, as differences lose digits
    level = elbo_and_level(gaussian, posterior)[1] + 1
    theta, step = _pack(gaussian, np.eye(2)), 1e-4

    def slope(direction: np.ndarray) -> np.ndarray:
        shifted = theta + direction
        along: np.ndarray = (
            free.T @ _loss(shifted, np.eye(2), gaussian.space, posterior.joint, level)[1]
        )
        return along

    rows = [(slope(step * column) - slope(-step * column)) / (2 * step) for column in free.T]
    values: np.ndarray = np.linalg.eigvalsh((np.array(rows) + np.array(rows).T) / 2)
    return values
