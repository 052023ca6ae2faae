"""Where the sampler and the law of switching were: see ``sampling`` and ``switching.law``."""

from mixtures.sampling import CHAINS, sample
from mixtures.switching.law import census, measure
from mixtures.switching.law import fit as law

__all__ = ["CHAINS", "census", "law", "measure", "sample"]
