"""Pictures and pages for reports; every plot is drawn here."""

from headstart.report._audit import ShownItem, ShownPair, write_audit
from headstart.report._curves import plot_curve
from headstart.report._domains import DomainMap, Table, write_domains
from headstart.report._entities import TaggedText, write_entities
from headstart.report._excerpts import HeardRecording
from headstart.report._rankings import plot_ranking
from headstart.report._robustness import plot_robustness
from headstart.report._transcripts import write_transcripts
from headstart.report._trust import PrecisionRecall, Reliability, write_confidence

__all__ = [
    "DomainMap",
    "HeardRecording",
    "PrecisionRecall",
    "Reliability",
    "ShownItem",
    "ShownPair",
    "Table",
    "TaggedText",
    "plot_curve",
    "plot_ranking",
    "plot_robustness",
    "write_audit",
    "write_confidence",
    "write_domains",
    "write_entities",
    "write_transcripts",
]
