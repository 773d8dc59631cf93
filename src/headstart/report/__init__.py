"""Pictures for reports; every plot is drawn here."""

from headstart.report._curves import plot_curve
from headstart.report._rankings import plot_ranking

__all__ = ["plot_curve", "plot_ranking"]
