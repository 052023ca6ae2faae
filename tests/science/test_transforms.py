"""The ordered transform: against PyMC's own, and against brute force."""

import math
from functools import cache

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mixtures import data, exact, transforms
from numpy.testing import assert_allclose
from scipy.stats import norm

# the graph as it is, without a compiler: that takes longer than all that is asked of it
PLAIN = "FAST_COMPILE"
OURS = transforms.Increasing()
PYMCS = pm.distributions.transforms.ordered
FREE = pt.dtensor3("free")


@cache
def functions(transform):
    """Return backward and log Jacobian as functions of arrays [1, points, component]."""
    backward = transform.backward(FREE)
    log_jacobian = transform.log_jac_det(FREE)
    return pm.compile([FREE], backward, mode=PLAIN), pm.compile([FREE], log_jacobian, mode=PLAIN)


@pytest.mark.parametrize("transform", [OURS, PYMCS], ids=["ours", "pymc"])
def test_the_jacobian_is_that_of_finite_differences(transform):
    """At some points, for one to four components."""
    backward, log_jacobian = functions(transform)
    for point in ([0.3], [-1.0, 0.7], [2.0, -1.5, 0.5], [0.0, 1.0, -2.0, 0.3]):
        at = np.array(point)
        steps = 1e-6 * np.eye(at.size)
        rows = [backward((at + s)[None, None]) - backward((at - s)[None, None]) for s in steps]
        matrix = np.reshape(rows, (at.size, at.size)) / 2e-6
        log_determinant = np.log(abs(np.linalg.det(matrix)))
        assert_allclose(log_jacobian(at[None, None]), log_determinant, atol=1e-6)


@pytest.mark.parametrize("transform", [OURS, PYMCS], ids=["ours", "pymc"])
def test_the_density_of_three_ordered_normals_integrates_to_one_over_three_factorial(transform):
    """Over the free coordinates: the factor that an ordered prior lacks."""
    backward, log_jacobian = functions(transform)
    lower, log_gap = np.linspace(-8, 8, 65), np.linspace(-25, 4, 117)
    axes = [lower, log_gap, log_gap]
    free = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(1, -1, 3)
    log_density = norm.logpdf(backward(free)).sum(axis=-1) + log_jacobian(free)
    mass = np.exp(log_density).sum() * np.prod([axis[1] - axis[0] for axis in axes])
    assert_allclose(mass, 1 / math.factorial(3), rtol=1e-6)


@pytest.mark.parametrize("transform", [OURS, PYMCS], ids=["ours", "pymc"])
def test_likelihood_times_prior_integrates_to_half_the_evidence(transform):
    posterior = exact.posterior(data.simulate(8))
    backward, log_jacobian = functions(transform)
    grid = np.meshgrid(np.linspace(-3, 3, 121), np.linspace(-20, 2.5, 226), indexing="ij")
    free = np.stack(grid, axis=-1).reshape(1, -1, 2)
    log_density = posterior.joint.log_density(backward(free)[0]) + log_jacobian(free)[0]
    log_mass = np.logaddexp.reduce(log_density) + np.log(6 / 120 * 22.5 / 225)
    assert_allclose(log_mass, posterior.log_evidence - math.log(2), atol=1e-6)


VALUE = pt.dtensor3("value")
FORWARD = pm.compile([VALUE], OURS.forward(VALUE), mode=PLAIN)


@given(arrays(float, (1, 3, 4), elements=st.floats(-5, 5)))
def test_forward_undoes_backward_and_the_result_increases(free):
    increasing = functions(OURS)[0](free)
    assert (np.diff(increasing) > 0).all()
    assert_allclose(FORWARD(increasing), free, atol=1e-9)
    assert_allclose(increasing, functions(PYMCS)[0](free))


def test_a_model_with_it_has_the_density_of_a_model_with_pymcs():
    x = data.simulate(8, n=5)
    values = []
    for transform in (OURS, PYMCS):
        with pm.Model() as model:
            start = {"transform": transform, "initval": np.array([-1.0, 1.0])}
            means = pm.Normal("means", 0, 10, shape=2, **start)
            pm.NormalMixture("obs", w=[0.5, 0.5], mu=means, sigma=1, observed=x)
        point = {model.value_vars[0].name: np.array([-0.7, 0.4])}
        values.append(float(model.compile_logp(mode=PLAIN)(point)))
    assert_allclose(*values, rtol=1e-12)
