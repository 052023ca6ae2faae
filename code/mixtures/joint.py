"""Where the joint density was: see ``exact``."""

from mixtures.exact import Joint

__all__ = ["Joint"]
