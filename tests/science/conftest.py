"""Data, settings and posteriors that several tests of the science share."""

import numpy as np
import pytest
from mixtures import data, exact

BAD_DATA = {
    "nan": [0.0, np.nan],
    "infinite": [0.0, np.inf],
    "minus infinite": np.array([-np.inf, 0.0]),
    "empty": [],
    "two-dimensional": [[0.0, 1.0], [2.0, 3.0]],
    "a column": np.zeros((3, 1)),
    "a scalar": 3.0,
    "nothing": None,
    "a word": "abc",
    "words": ["a", "b"],
    "digits as words": ["1", "2"],
    "bytes": np.array([b"1"]),
    "dates": np.array(["2020-01-01"], dtype="datetime64[D]"),
    "complex": np.array([1 + 1j]),
    "ragged": [[1.0], [1.0, 2.0]],
    "a mapping": {"x": 1.0},
    "holes": [1.0, None],
    "objects": [object()],
    "too long an integer": [10**400],
}


@pytest.fixture(params=BAD_DATA.values(), ids=BAD_DATA)
def bad_data(request):
    """Return data that every function refuses by name."""
    return request.param


SETTINGS = {
    "as in the book": {},
    "weights .95 and .05": {"weights": (0.95, 0.05)},
    "two sigmas": {"sigma": (1.0, 2.0)},
    "two priors": {"prior_mean": (-3.0, 3.0), "prior_sd": (0.5, 50.0)},
    "all unequal": {
        "weights": (0.3, 0.7), "sigma": (0.6, 1.4),
        "prior_mean": (1.0, -1.0), "prior_sd": (3.0, 8.0)},
}


@pytest.fixture(params=SETTINGS.values(), ids=SETTINGS)
def setting(request):
    """Weights, scales and priors of two components, equal and not."""
    return request.param


@pytest.fixture(scope="session")
def posterior():
    """Return the posterior of dataset 0."""
    return exact.posterior(data.simulate(0))


@pytest.fixture(scope="session")
def flat():
    """One observation that tells nothing: the posterior is the prior, two standard normals."""
    return exact.posterior([0.0], prior_sd=1.0, sigma=1e6)
