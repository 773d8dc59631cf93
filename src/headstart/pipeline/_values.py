"""Results as JSON values."""

import math
from typing import Any

from headstart.evaluation import Score


def score_to_dict(found: Score) -> dict[str, Any]:
    """Return a score as JSON values.

    Args:
        found: The score.

    Returns:
        Metric, value, interval, number of examples, where they come from, and the other metrics.
    """
    values = {
        "metric": found.metric,
        "value": found.value,
        "interval": [found.interval.low, found.interval.high],
        "interval_method": found.interval.method,
        "n": found.n,
        "how": found.how,
        "metrics": dict(found.metrics),
    }
    return {name: plain(value) for name, value in values.items()}


def plain(values: Any) -> Any:
    """Turn intervals into pairs, tuples into lists and what is not finite into None: JSON has none of them."""
    if isinstance(values, dict):
        if {"low", "high", "method"} <= set(values):
            return [plain(values["low"]), plain(values["high"])]
        return {name: plain(value) for name, value in values.items()}
    if isinstance(values, float) and not math.isfinite(values):
        return None
    return [plain(value) for value in values] if isinstance(values, list | tuple) else values
