"""The main jobs, each on one page: fit, curve, evaluate, predict. The only place that saves."""

from headstart.pipeline._adapt import AdaptOptions, AdaptResult, adapt
from headstart.pipeline._adapting import Adapted, adapt_domains, check_methods
from headstart.pipeline._audit import AuditResult, audit
from headstart.pipeline._audit_page import check_page, write_audit_page
from headstart.pipeline._compare import CompareResult, compare
from headstart.pipeline._confidence import Wanted
from headstart.pipeline._continue import Continued
from headstart.pipeline._corrections import check_labels_table, write_suspects
from headstart.pipeline._curve import CURVE_BUDGET, curve
from headstart.pipeline._curve_result import CurveOptions, CurveResult
from headstart.pipeline._domains import Compared, Domains
from headstart.pipeline._entities import EntityErrors, Example
from headstart.pipeline._evaluate import EvaluateResult, evaluate
from headstart.pipeline._export import cost_said, export
from headstart.pipeline._fit import FitResult, fit
from headstart.pipeline._forget import Forgotten, forget
from headstart.pipeline._options import DEFAULT_BUDGET, LADDER, FitOptions, Reading, Say, say_nothing
from headstart.pipeline._predict import load, predict
from headstart.pipeline._predictor import Predictor
from headstart.pipeline._rank import RankOptions, RankResult, rank
from headstart.pipeline._report import ReportResult, write_report
from headstart.pipeline._robustness import Against, RobustnessOptions, RobustnessResult
from headstart.pipeline._transcripts import SpeechErrors
from headstart.pipeline._trust import MEASURED, Trust, trust_lines
from headstart.pipeline._values import score_to_dict

__all__ = [
    "CURVE_BUDGET",
    "DEFAULT_BUDGET",
    "LADDER",
    "MEASURED",
    "AdaptOptions",
    "AdaptResult",
    "Adapted",
    "Against",
    "AuditResult",
    "CompareResult",
    "Compared",
    "Continued",
    "CurveOptions",
    "CurveResult",
    "Domains",
    "EntityErrors",
    "EvaluateResult",
    "Example",
    "FitOptions",
    "FitResult",
    "Forgotten",
    "Predictor",
    "RankOptions",
    "RankResult",
    "Reading",
    "ReportResult",
    "RobustnessOptions",
    "RobustnessResult",
    "Say",
    "SpeechErrors",
    "Trust",
    "Wanted",
    "adapt",
    "adapt_domains",
    "audit",
    "check_labels_table",
    "check_methods",
    "check_page",
    "compare",
    "cost_said",
    "curve",
    "evaluate",
    "export",
    "fit",
    "forget",
    "load",
    "predict",
    "rank",
    "say_nothing",
    "score_to_dict",
    "trust_lines",
    "write_audit_page",
    "write_report",
    "write_suspects",
]
