"""Sums, integrals and interpolation on a lattice, against closed forms for Gaussians."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mixtures.exact import lattice
from numpy.testing import assert_allclose
from scipy.stats import norm

pairs = st.tuples(st.integers(-40, 40), st.integers(0, 12))
ends = pairs.map(lambda pair: (pair[0] / 2, sum(pair) / 2))
intervals = st.lists(ends, min_size=1, max_size=8)


def gaussian(mean, sd, spacing):
    """Lattice points around a Gaussian, and its point masses there."""
    ends = np.floor((mean - 10 * sd) / spacing), np.ceil((mean + 10 * sd) / spacing)
    points = spacing * np.arange(ends[0], ends[1] + 1)
    return points, norm.pdf(points, mean, sd) * spacing


def inside(x, pieces):
    return any(low <= x <= high for low, high in pieces)


@given(intervals)
def test_merged_intervals_cover_the_same_points(pieces):
    merged = lattice.merge(pieces)
    probes = np.arange(-21, 27, 0.25)
    assert [inside(x, merged) for x in probes] == [inside(x, pieces) for x in probes]
    assert all(left[1] < right[0] for left, right in pairwise(merged)), "disjoint and increasing"


@given(intervals, st.floats(0.05, 3))
def test_indices_reach_over_each_interval_and_no_further(pieces, spacing):
    merged = lattice.merge(pieces)
    k = lattice.indices(merged, spacing)
    assert k.dtype.kind == "i"
    assert (np.diff(k) > 0).all()
    for low, high in merged:
        within = k[(k * spacing >= low - spacing) & (k * spacing <= high + spacing)]
        assert within[0] * spacing <= low and within[-1] * spacing >= high
        assert within.size == within[-1] - within[0] + 1
    for point in k * spacing:
        assert inside(point, [(low - spacing, high + spacing) for low, high in merged])


def test_interpolation_returns_the_values_at_the_points():
    points, mass = gaussian(0.3, 1.0, 0.4)
    assert_allclose(lattice.interpolator(points, points, 0.4) @ mass, mass, rtol=0, atol=1e-15)


@pytest.mark.parametrize("mean", [0.0, 0.17, -50.0])
def test_interpolation_gives_a_gaussian_back_between_the_points(mean):
    points, mass = gaussian(mean, 1.0, 0.4)
    at = mean + np.linspace(-6, 6, 101)
    found = lattice.interpolator(at, points, 0.4) @ mass / 0.4
    assert_allclose(found, norm.pdf(at, mean), atol=1e-12)


@pytest.mark.parametrize("mean", [0.0, 0.17, -50.0])
def test_accumulation_gives_the_distribution_function(mean):
    points, mass = gaussian(mean, 1.0, 0.4)
    at = mean + np.linspace(-9, 9, 101)
    assert_allclose(lattice.accumulator(at, points, 0.4) @ mass, norm.cdf(at, mean), atol=1e-12)


def folded_mean(mean, sd):
    """E|t| of a Gaussian."""
    z = mean / sd
    return sd * np.sqrt(2 / np.pi) * np.exp(-0.5 * z**2) + mean * (1 - 2 * norm.cdf(-z))


@given(st.floats(-12, 12), st.floats(0.1, 3), st.floats(0.2, 0.42))
def test_mean_distance_is_that_of_a_folded_gaussian(mean, sd, fineness):
    spacing = fineness * sd
    points, mass = gaussian(mean, sd, spacing)
    found = lattice.mean_distance(mass, points, spacing)
    assert found == pytest.approx(folded_mean(mean, sd), abs=1e-11, rel=1e-11)


def test_mean_distance_may_leave_out_points_that_hold_nothing():
    """Two far Gaussians, one on either side of the kink, and nothing in between."""
    left, right = gaussian(-300.0, 1.0, 0.4), gaussian(800.0, 1.0, 0.4)
    points = np.concatenate([left[0], right[0]])
    found = lattice.mean_distance(np.concatenate([left[1], 3 * right[1]]) / 4, points, 0.4)
    assert found == pytest.approx(0.25 * 300 + 0.75 * 800, rel=1e-12)
