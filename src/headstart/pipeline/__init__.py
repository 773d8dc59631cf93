"""The main jobs, each on one page: fit, evaluate, predict. The only place that saves."""

from headstart.pipeline._evaluate import EvaluateResult, evaluate
from headstart.pipeline._fit import FitResult, fit
from headstart.pipeline._options import DEFAULT_BUDGET, FitOptions, Reading, Say, say_nothing
from headstart.pipeline._predict import load, predict
from headstart.pipeline._values import score_to_dict

__all__ = [
    "DEFAULT_BUDGET",
    "EvaluateResult",
    "FitOptions",
    "FitResult",
    "Reading",
    "Say",
    "evaluate",
    "fit",
    "load",
    "predict",
    "say_nothing",
    "score_to_dict",
]
