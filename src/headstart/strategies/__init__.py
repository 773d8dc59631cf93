"""Strategies: ways to adapt a pretrained network, named by call strings such as ``probe(head='knn')``."""

import ast
from difflib import get_close_matches
from typing import Any

from headstart.errors import OptionError
from headstart.strategies._base import Fitted, Run, Strategy, class_weight_for, decide_now, say_nothing
from headstart.strategies._calibration import Temperature
from headstart.strategies._finetuning import finetuning
from headstart.strategies._forecast import TuningForecast, forecast
from headstart.strategies._mixing import information, mixed_agreement
from headstart.strategies._reading import reading_for
from headstart.strategies._speech import seconds_of_probe
from headstart.strategies._tuning import TUNING_FOLDS, Tuned, Tuning
from headstart.strategies._values import hints_of, refusal
from headstart.strategies.contrastive import Contrastive
from headstart.strategies.deep_adaptation import DeepAdaptation, DeepMethod
from headstart.strategies.finetune import FineTune
from headstart.strategies.lora import LoRA
from headstart.strategies.probe import Probe
from headstart.strategies.scratch import Scratch

__all__ = [
    "STRATEGIES",
    "TUNING_FOLDS",
    "Contrastive",
    "DeepAdaptation",
    "DeepMethod",
    "FineTune",
    "Fitted",
    "LoRA",
    "Probe",
    "Run",
    "Scratch",
    "Strategy",
    "Temperature",
    "Tuned",
    "Tuning",
    "TuningForecast",
    "class_weight_for",
    "decide_now",
    "finetuning",
    "forecast",
    "information",
    "mixed_agreement",
    "parse",
    "reading_for",
    "say_nothing",
    "seconds_of_probe",
]

STRATEGIES: dict[str, type[Strategy]] = {
    "probe": Probe,
    "finetune": FineTune,
    "contrastive": Contrastive,
    "lora": LoRA,
    "scratch": Scratch,
}


def parse(text: str) -> Strategy:
    """Read a strategy from its call string; literals only, nothing is executed.

    Args:
        text: Such as ``probe`` or ``probe(head='nearest_mean')``.

    Returns:
        The strategy with these settings.

    Raises:
        OptionError: It is not a call, or a name or value is unknown.
    """
    call = _call(text)
    kind = STRATEGIES.get(call.func.id) if isinstance(call.func, ast.Name) else None
    if kind is None or call.args:
        known = ", ".join(["ladder", *(f"{name}(...)" for name in STRATEGIES)])
        raise OptionError(f"unknown strategy {text!r}", where="--strategy", fix=f"{_meant(call)}Known: {known}.")
    return kind(**_settings(kind, call, text))


def _meant(call: ast.Call) -> str:
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    close = get_close_matches(name, ["ladder", *STRATEGIES], n=1)
    return f"Did you mean {close[0]!r}? " if close and close[0] != name else ""


def _call(text: str) -> ast.Call:
    try:
        node = ast.parse(text if "(" in text else f"{text}()", mode="eval").body
    except (SyntaxError, ValueError):
        node = None
    if not isinstance(node, ast.Call):
        raise OptionError(f"expected a strategy such as probe(head='knn'), found {text!r}", where="--strategy")
    return node


def _settings(kind: type[Strategy], call: ast.Call, text: str) -> dict[str, Any]:
    """Read the settings; whether their values fit, the strategy itself says."""
    hints = hints_of(kind)
    settings: dict[str, Any] = {}
    for keyword in call.keywords:
        written = ast.unparse(keyword.value)
        if keyword.arg not in hints or keyword.arg in settings:
            raise refusal(keyword.arg, written, text, hints)
        try:
            settings[keyword.arg] = ast.literal_eval(keyword.value)
        except (ValueError, TypeError):
            raise refusal(keyword.arg, written, text, hints) from None
    return settings
