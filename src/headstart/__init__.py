"""Headstart: transfer learning for people who have little labelled data.

    import headstart

    result = headstart.fit("photos/", "model")          # choose, adapt, measure, save
    model = headstart.load("model").model
    model.predict(["new.jpg"])

Names load on first use, so importing the package loads no deep-learning library.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from headstart.artifact import Artifact
    from headstart.backbones import Backbone
    from headstart.data import Dataset, inspect
    from headstart.errors import HeadstartError
    from headstart.estimators import TransferClassifier, TransferRegressor, TransferTagger, TransferTranscriber
    from headstart.model import AdaptedModel
    from headstart.pipeline import (
        AdaptOptions,
        CurveOptions,
        FitOptions,
        RankOptions,
        Reading,
        RobustnessOptions,
        adapt,
        compare,
        curve,
        evaluate,
        fit,
        load,
        predict,
        rank,
    )

__all__ = [
    "AdaptOptions",
    "AdaptedModel",
    "Artifact",
    "Backbone",
    "CurveOptions",
    "Dataset",
    "FitOptions",
    "HeadstartError",
    "RankOptions",
    "Reading",
    "RobustnessOptions",
    "TransferAdapter",
    "TransferClassifier",
    "TransferRegressor",
    "TransferTagger",
    "TransferTranscriber",
    "adapt",
    "compare",
    "curve",
    "evaluate",
    "fit",
    "inspect",
    "load",
    "predict",
    "rank",
]

_HOME = {
    "AdaptOptions": "pipeline",
    "AdaptedModel": "model",
    "Artifact": "artifact",
    "Backbone": "backbones",
    "CurveOptions": "pipeline",
    "Dataset": "data",
    "FitOptions": "pipeline",
    "HeadstartError": "errors",
    "RankOptions": "pipeline",
    "Reading": "pipeline",
    "RobustnessOptions": "pipeline",
    "TransferAdapter": "estimators",
    "TransferClassifier": "estimators",
    "TransferRegressor": "estimators",
    "TransferTagger": "estimators",
    "TransferTranscriber": "estimators",
    "adapt": "pipeline",
    "compare": "pipeline",
    "curve": "pipeline",
    "evaluate": "pipeline",
    "fit": "pipeline",
    "inspect": "data",
    "load": "pipeline",
    "predict": "pipeline",
    "rank": "pipeline",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"headstart.{_HOME[name]}"), name)
