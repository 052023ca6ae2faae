"""Importance sampling from an approximation: the evidence estimated, and whether to trust it."""

from typing import NamedTuple

import numpy as np
from arviz_stats.base.array import array_stats
from scipy.special import logsumexp

from mixtures import checks
from mixtures.exact import Posterior
from mixtures.variational.gaussian import Gaussian, Symmetrised


class Importance(NamedTuple):
    """What importance sampling says of an approximation.

    Attributes
    ----------
    log_evidence : float
        Estimate of the log evidence of the approximation's target, nats.
    standard_error : float
        Of `log_evidence`, nats; not to be trusted where `khat` is above 0.7.
    khat : float
        Shape of the generalised Pareto distribution fitted to the largest weights.
    effective_draws : float
        Kish's: as many equally weighted draws would have the same variance.
    """

    log_evidence: float
    standard_error: float
    khat: float
    effective_draws: float


def importance(
    q: Gaussian | Symmetrised, posterior: Posterior, draws: int, seed: int
) -> Importance:
    """Weigh draws from an approximation by joint density over own density.

    The k-hat of Pareto-smoothed importance sampling [Vehtari et al. 2024, JMLR 25(72)] judges a
    variational fit [Yao et al. 2018, "Yes, but did it work?"]: above 0.7 the weights are too
    uneven. It sees where the draws are, and therefore no mode that has none.

    Parameters
    ----------
    q : Gaussian or Symmetrised
        A Gaussian in an ordered space has the joint density on mu1 < mu2 for its target, all others
        that on the plane.
    posterior : mixtures.exact.Posterior
        Of the model and data that `q` approximates.
    draws : int
        A hundred or more.
    seed : int
        Of the random generator, at least 0.

    Returns
    -------
    Importance

    Raises
    ------
    ValueError
        If `q` is neither, `draws` is not a whole number of a hundred or more, or `seed` not one of
        0 or more.
    """
    if not isinstance(q, Gaussian | Symmetrised):
        raise ValueError(
            "q: expected a Gaussian, such as that of a fit, or a Symmetrised,"
            f" got {type(q).__name__}"
        )
    checks.whole(draws, "draws", least=100)
    mu = q.sample(draws, seed).values[0]
    log_weights = posterior.joint.log_density_fast(mu) - q.log_density(mu)
    total = logsumexp(log_weights)
    weights = np.exp(log_weights - total)
    # ArviZ made this function for leave-one-out: it takes minus the log weights
    _, khat = array_stats.psislw(-log_weights)
    effective = 1 / np.sum(weights**2)
    error = np.sqrt(max(0, 1 / effective - 1 / draws))
    return Importance(float(total - np.log(draws)), float(error), float(khat), float(effective))
