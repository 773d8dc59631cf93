"""Labelled source, unlabelled target: how far apart they lie, how to adapt, and whether to.

Everything here works on stored features and takes seconds. No label of the target is ever looked at.
"""

from headstart.domain_adaptation._alignment import coral, linear_transport, standardise, subspace
from headstart.domain_adaptation._asking import Asked, after_asking, rival, worth_asking
from headstart.domain_adaptation._choosing import CLUSTERED, Candidate, automatic, best, candidates, clustering, joined
from headstart.domain_adaptation._gap import Gap, class_shifts, discrepancy, measure_gap, unlike_anything
from headstart.domain_adaptation._graph import cohesion, modularity, neighbours
from headstart.domain_adaptation._label_shift import for_shares, shares_interval, target_shares
from headstart.domain_adaptation._refusing import Decision, decide, missing_classes
from headstart.domain_adaptation._shallow import METHODS, MOVING, WEIGHING, Method, Pair, strength_of
from headstart.domain_adaptation._transport import entropic_transport
from headstart.domain_adaptation._weights import along_axes, importance_weights

__all__ = [
    "CLUSTERED",
    "METHODS",
    "MOVING",
    "WEIGHING",
    "Asked",
    "Candidate",
    "Decision",
    "Gap",
    "Method",
    "Pair",
    "after_asking",
    "along_axes",
    "automatic",
    "best",
    "candidates",
    "class_shifts",
    "clustering",
    "cohesion",
    "coral",
    "decide",
    "discrepancy",
    "entropic_transport",
    "for_shares",
    "importance_weights",
    "joined",
    "linear_transport",
    "measure_gap",
    "missing_classes",
    "modularity",
    "neighbours",
    "rival",
    "shares_interval",
    "standardise",
    "strength_of",
    "subspace",
    "target_shares",
    "unlike_anything",
    "worth_asking",
]
