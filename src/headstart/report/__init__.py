"""Pictures and pages for reports; every plot is drawn here."""

from headstart.report._curves import plot_curve
from headstart.report._entities import TaggedText, write_entities
from headstart.report._rankings import plot_ranking

__all__ = ["TaggedText", "plot_curve", "plot_ranking", "write_entities"]
