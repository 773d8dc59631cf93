"""Which values a setting of a strategy may have: by its type hint, and by the one table of ranges."""

from collections.abc import Callable
from dataclasses import fields
from math import inf
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

from headstart.errors import OptionError

Range = tuple[Callable[[float], bool], str]
WHOLE: Final[Range] = (lambda value: value >= 1, "from 1")
SHARE: Final[Range] = (lambda value: 0 <= value < 1, "from 0 to below 1")
RANGES: Final[dict[str, Range]] = {
    "alpha": WHOLE,
    "average": SHARE,
    "batch": WHOLE,
    "decay": (lambda value: 0 < value <= 1, "above 0, at most 1"),
    "k": WHOLE,
    "last": WHOLE,
    "patience": (lambda value: value >= 0, "from 0"),
    "pull": (lambda value: 0 <= value < inf, "from 0"),
    "rank": WHOLE,
    "rate": (lambda value: 0 < value < inf, "above 0"),
    "smoothing": SHARE,
    "steps": (lambda value: value >= 0, "from 0"),
    "weight": (lambda value: 0 <= value < inf, "from 0"),
    "views": (lambda value: 1 <= value <= 16, "from 1 to 16"),
}


def check_values(strategy: Any) -> None:
    """Refuse settings that are of another type, or out of range.

    Args:
        strategy: A dataclass whose fields are its settings.

    Raises:
        OptionError: The first setting that does not fit.
    """
    hints = hints_of(type(strategy))
    for name, hint in hints.items():
        value = getattr(strategy, name)
        if not _fits(hint, name, value):
            raise refusal(name, repr(value), type(strategy).__name__.lower(), hints)


def hints_of(kind: type) -> dict[str, Any]:
    """Return the type hint of every setting, in order."""
    hints = get_type_hints(kind)
    return {setting.name: hints[setting.name] for setting in fields(kind)}


def refusal(name: str | None, value: str, text: str, hints: dict[str, Any]) -> OptionError:
    """Return the error for a setting, with all settings and what they may be."""
    options = "; ".join(f"{setting}: {_describe(hint, setting)}" for setting, hint in hints.items())
    return OptionError(f"{name!r} cannot be {value} in {text!r}", where="--strategy", fix=f"Its settings: {options}.")


def _fits(hint: Any, name: str, value: Any) -> bool:
    if isinstance(value, str):
        return value in _choices(hint)
    kinds = _numbers(hint)
    number = (isinstance(value, int) and bool(kinds)) or (isinstance(value, float) and float in kinds)
    if isinstance(value, bool) or not number:
        return False
    return name not in RANGES or RANGES[name][0](value)


def _parts(hint: Any) -> tuple[Any, ...]:
    return (hint,) if get_origin(hint) is Literal or isinstance(hint, type) else get_args(hint)


def _choices(hint: Any) -> tuple[Any, ...]:
    return tuple(choice for part in _parts(hint) if get_origin(part) is Literal for choice in get_args(part))


def _numbers(hint: Any) -> list[type]:
    return [part for part in _parts(hint) if part in (int, float)]


def _describe(hint: Any, name: str) -> str:
    reach = f" {RANGES[name][1]}" if name in RANGES else ""
    numbers = [("a number" if part is float else "a whole number") + reach for part in _numbers(hint)]
    return " or ".join([*numbers, *map(repr, _choices(hint))])
