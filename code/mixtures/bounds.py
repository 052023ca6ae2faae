"""Where the fast log joint density was: see `mixtures.exact.Joint`."""

import numpy as np

from mixtures.exact import Joint


def log_joint(
    joint: Joint, mu: np.ndarray, slopes: bool = False
) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
    """Return `Joint.log_density_fast`, or, with `slopes`, `Joint.value_and_gradient`."""
    return joint.value_and_gradient(mu) if slopes else joint.log_density_fast(mu)
