"""The pass between two peaks of a joint density, and how far one must come down to it."""

import numpy as np

from mixtures.exact.joint import Joint


def saddle_between(joint: Joint, modes: np.ndarray) -> np.ndarray | None:
    """Find the pass between the two highest modes.

    When the components are exchangeable every path between mirror-image modes crosses the diagonal,
    where the density is Gaussian: the pass is its maximum, in closed form. Otherwise it is looked
    for as the lowest point of the ridge between the modes, then refined by Newton steps that go
    down one way and up the other.

    Parameters
    ----------
    joint : mixtures.joint.Joint
    modes : numpy.ndarray, shape [modes, component]
        Highest first, as `Joint.modes` returns them.

    Returns
    -------
    numpy.ndarray, shape [component], or None
        None where the density has one mode only.

    Raises
    ------
    ValueError
        If the components are not exchangeable and no saddle is found.
    """
    if len(modes) < 2:
        return None
    if joint.exchangeable:
        precision = joint.x.size / joint.sigma[0] ** 2 + 2 / joint.prior_sd[0] ** 2
        pull = (
            joint.x.sum() / joint.sigma[0] ** 2 + 2 * joint.prior_mean[0] / joint.prior_sd[0] ** 2
        )
        return np.repeat(pull / precision, 2)
    thin, along = joint.thinned(300), modes[1] - modes[0]
    frame = np.stack([along, [-along[1], along[0]]])
    low, high = 0.0, 1.0
    for _ in range(6):
        t = np.linspace(low, high, 21)
        across, height = _ridge(thin, modes[0], frame, t)
        lowest = int(height.argmin())
        before, after = max(lowest - 1, 0), min(lowest + 1, 20)
        low, high = t[before], t[after]
    # where the ridge jumps from one crest to another, the pass lies in the valley between the two
    valley = np.linspace(across[before], across[after], 101)
    points = modes[0] + np.stack([np.full(101, t[lowest]), valley], axis=-1) @ frame
    mu: np.ndarray = points[thin.log_density(points).argmin()]
    longest = joint.sigma.min() / 4
    for _ in range(100):
        strength, direction = np.linalg.eigh(joint.hessian(mu))
        step = direction @ (direction.T @ joint.gradient(mu) / np.abs(strength) * [1, -1])
        mu = mu + step * min(1, longest / np.abs(step).max())
        if np.abs(step).max() < 1e-9 * longest:
            break
    if strength[1] <= 0 or np.abs(step).max() > 1e-6 * longest:
        raise ValueError("x: no saddle found between the two highest modes")
    return mu


def _ridge(
    joint: Joint, origin: np.ndarray, frame: np.ndarray, t: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return where the density is highest across the line between two modes, and how high [t].

    It is looked for closely at every t: a pass may lie a thousandth of a nat below its mode.
    """
    across = np.zeros_like(t)
    for reach in 3.0 ** -np.arange(12):
        tries = across[:, None] + reach * np.linspace(-1, 1, 9)
        points = (
            origin + np.stack([np.broadcast_to(t[:, None], tries.shape), tries], axis=-1) @ frame
        )
        height = joint.log_density(points.reshape(-1, 2)).reshape(tries.shape)
        across = np.take_along_axis(tries, height.argmax(axis=1)[:, None], axis=1)[:, 0]
    return across, height.max(axis=1)


def barrier_between(joint: Joint, modes: np.ndarray) -> float:
    """Return how far the log density falls from the lower of the two highest modes to their pass.

    Parameters
    ----------
    joint : mixtures.joint.Joint
    modes : numpy.ndarray, shape [modes, component]
        As for `saddle_between`, whose errors this raises too.

    Returns
    -------
    float
        Nats; 0 where the density has one mode only.
    """
    saddle = saddle_between(joint, modes)
    if saddle is None:
        return 0.0
    return max(0.0, float(joint.log_density(modes[:2]).min() - joint.log_density(saddle)[0]))
