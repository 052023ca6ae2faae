"""The verdict on a trace: a function of the evidence alone."""

from mixtures.switching.evidence import Evidence

NONE, BETWEEN, WITHIN = (
    "no sign of switching", "switching between chains", "switching within chains")
OVERLAPPING, COLLAPSED = "overlapping components", "collapsed component"
NOT, NOT_ONLY, UNKNOWN = "not label switching", "not only label switching", "cannot tell"


def verdict(seen: Evidence) -> str:
    """Return the first of the verdicts that applies, in the order in which they are tried."""
    moved = seen.switches > 0 or len(seen.split) > 1
    single = len(seen.chains) == 1
    untold = seen.separate and not seen.still and not seen.too_many
    rules = (
        (bool(seen.missing) or not seen.enough or untold, UNKNOWN), (seen.fails and not moved, NOT),
        (seen.fails, NOT_ONLY), (seen.switches > 0, WITHIN), (moved, BETWEEN),
        (bool(seen.twins or seen.empty), COLLAPSED), (bool(seen.overlaps), OVERLAPPING),
        (single, UNKNOWN),
    )
    return next((name for applies, name in rules if applies), NONE)
