"""Undo the switching: find each draw's permutation, and apply it to all that has labels.

By arrays: `by_order`, `pra`, `ecr`, `ecr_iterative` or `stephens` find permutations, `apply` and
`apply_to_allocations` apply them. By a whole trace: `relabel` does both; `agreement` compares what
several rules made of one trace. A permutation is integer [draw, component], 0-based: ``perm[t, k] =
j`` means that the relabelled component k of draw t takes original component j.
"""

from mixtures.relabel.agreement import agreement
from mixtures.relabel.alternation import NotConverged
from mixtures.relabel.apply import apply, apply_to_allocations
from mixtures.relabel.ecr import ecr, ecr_iterative
from mixtures.relabel.memberships import draw_allocations, memberships, multivariate_normal
from mixtures.relabel.methods import METHODS as METHODS
from mixtures.relabel.methods import relabel
from mixtures.relabel.order import by_order
from mixtures.relabel.pra import pra
from mixtures.relabel.stephens import stephens

__all__ = [
    "NotConverged", "agreement", "apply", "apply_to_allocations", "by_order", "draw_allocations",
    "ecr", "ecr_iterative", "memberships", "multivariate_normal", "pra", "relabel", "stephens",
]
