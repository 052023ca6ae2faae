"""Is it label switching? A diagnosis for the reader's own trace.

`diagnose` reads a trace, gathers evidence (``evidence``, from ``labels`` and ``agreement``), judges
it (``verdict``, which looks at nothing else) and puts it into words (``words``). `align` matches
the components of several fits. ``law`` counts switches over many datasets, and needs a sampler.
"""

from mixtures.switching.diagnosis import Diagnosis, diagnose
from mixtures.switching.fits import Aligned, align
from mixtures.switching.thresholds import Thresholds
from mixtures.switching.verdict import BETWEEN as BETWEEN
from mixtures.switching.verdict import COLLAPSED as COLLAPSED
from mixtures.switching.verdict import NONE as NONE
from mixtures.switching.verdict import NOT as NOT
from mixtures.switching.verdict import NOT_ONLY as NOT_ONLY
from mixtures.switching.verdict import OVERLAPPING as OVERLAPPING
from mixtures.switching.verdict import UNKNOWN as UNKNOWN
from mixtures.switching.verdict import WITHIN as WITHIN
from mixtures.switching.words import LINKS as LINKS

__all__ = ["Aligned", "Diagnosis", "Thresholds", "align", "diagnose"]
