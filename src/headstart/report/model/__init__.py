"""The report of a model: what was asked, what was found, how good it is, what it cost, and how to make it again."""

from headstart.report.model._confidence import trust_lines
from headstart.report.model._page import write_model_report
from headstart.report.model._record import ModelRecord

__all__ = ["ModelRecord", "trust_lines", "write_model_report"]
