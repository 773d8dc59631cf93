"""Strategies: ways to adapt a pretrained network, named by call strings such as ``probe(head='knn')``."""

import ast
from dataclasses import fields
from typing import Any, get_args, get_type_hints

from headstart.errors import OptionError
from headstart.strategies._base import Fitted, Run, Strategy
from headstart.strategies.probe import Probe

__all__ = ["STRATEGIES", "Fitted", "Probe", "Run", "Strategy", "parse"]

STRATEGIES: dict[str, type[Strategy]] = {"probe": Probe}


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
        known = ", ".join(f"{name}(...)" for name in STRATEGIES)
        raise OptionError(f"unknown strategy {text!r}", where="--strategy", fix=f"Known strategies: {known}.")
    return kind(**_settings(kind, call, text))


def _call(text: str) -> ast.Call:
    try:
        node = ast.parse(text if "(" in text else f"{text}()", mode="eval").body
    except (SyntaxError, ValueError):
        node = None
    if not isinstance(node, ast.Call):
        raise OptionError(f"expected a strategy such as probe(head='knn'), found {text!r}", where="--strategy")
    return node


def _settings(kind: type[Strategy], call: ast.Call, text: str) -> dict[str, Any]:
    # Strategies are dataclasses; mypy knows them only as Strategy here.
    types = get_type_hints(kind)
    allowed = {field.name: types[field.name] for field in fields(kind)}  # type: ignore[arg-type]
    settings: dict[str, Any] = {}
    for keyword in call.keywords:
        try:
            value = ast.literal_eval(keyword.value)
        except (ValueError, TypeError):
            value = None
        choices = get_args(allowed.get(keyword.arg or "", ()))
        if keyword.arg not in allowed or (value not in choices if choices else not _positive(value)):
            options = "; ".join(f"{name}: {_describe(hint)}" for name, hint in allowed.items())
            raise OptionError(
                f"{keyword.arg!r} cannot be {ast.unparse(keyword.value)} in {text!r}",
                where="--strategy",
                fix=f"Its settings: {options}.",
            )
        settings[str(keyword.arg)] = value
    return settings


def _positive(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _describe(hint: object) -> str:
    choices = get_args(hint)
    return " or ".join(repr(choice) for choice in choices) if choices else "a whole number from 1"
