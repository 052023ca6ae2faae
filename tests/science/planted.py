"""Permutations, and draws whose labels they have planted, for the tests of all that undoes them."""

import numpy as np


def some_perm(rng, n_draw, n_component):
    return np.array([rng.permutation(n_component) for _ in range(n_draw)])


def inverse(perm):
    return np.argsort(perm, axis=1)


def compose(first, second):
    """Return the permutation that does what `first` does, and then `second`."""
    return np.take_along_axis(first, second, axis=1)


def soft(z, n_component, sure=0.8):
    """Return probabilities that favour the allocations."""
    return np.where(z[..., None] == np.arange(n_component), sure, (1 - sure) / (n_component - 1))


def some_probabilities(rng, n_draw, n, n_component, concentration=0.5):
    return rng.dirichlet(np.full(n_component, concentration), (n_draw, n))
