"""The book's figures: a function for each kind, in one style; ``animation`` has those that move.

Near-black is always exact, and each method has its own colour.
"""

from mixtures.plots.contours import MASSES, ends, levels
from mixtures.plots.kinds import autocorrelation, chains, fate, histogram, losses, plane, trace
from mixtures.plots.reading import drawn
from mixtures.plots.style import COMPONENTS, DATA, EXACT, METHODS, begin, source

__all__ = [
    "COMPONENTS", "DATA", "EXACT", "MASSES", "METHODS", "autocorrelation", "begin", "chains",
    "drawn", "ends", "fate", "histogram", "levels", "losses", "plane", "source", "trace",
]
