"""Where the animation was: see ``plots.animation``."""

from mixtures.plots.animation import animate as film

__all__ = ["film"]
