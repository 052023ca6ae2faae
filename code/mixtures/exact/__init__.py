"""The exact posterior of the two component means, by quadrature.

With two unknowns every question is an integral in the plane; the rectangle rule gives more digits
than figures need.
"""

from mixtures.exact.joint import Joint
from mixtures.exact.posterior import Posterior, barrier, posterior

__all__ = ["Joint", "Posterior", "barrier", "posterior"]
