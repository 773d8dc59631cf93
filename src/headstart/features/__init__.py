"""Features and activations: the frozen pass, and the store that keeps what it computed.

Names load on first use: listing or clearing the store must not wait for torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headstart.features._activations import (
        Activations,
        BoundaryRows,
        Inputs,
        LiveActivations,
        Precision,
        boundary_pass,
    )
    from headstart.features._costs import BlockSeconds, Forecast, block_seconds
    from headstart.features._frozen import frozen_pass, in_runs, rough_size
    from headstart.features._running import RunningCost, running_cost
    from headstart.features._source import FeatureSource, Progress, key_of, silent
    from headstart.features._store import Key, Shelf, Store, size_limit

__all__ = [
    "Activations",
    "BlockSeconds",
    "BoundaryRows",
    "FeatureSource",
    "Forecast",
    "Inputs",
    "Key",
    "LiveActivations",
    "Precision",
    "Progress",
    "RunningCost",
    "Shelf",
    "Store",
    "block_seconds",
    "boundary_pass",
    "frozen_pass",
    "in_runs",
    "key_of",
    "rough_size",
    "running_cost",
    "silent",
    "size_limit",
]

_HOME = {
    **dict.fromkeys(
        ("Activations", "BoundaryRows", "Inputs", "LiveActivations", "Precision", "boundary_pass"), "_activations"
    ),
    **dict.fromkeys(("BlockSeconds", "Forecast", "block_seconds"), "_costs"),
    **dict.fromkeys(("frozen_pass", "in_runs", "rough_size"), "_frozen"),
    **dict.fromkeys(("RunningCost", "running_cost"), "_running"),
    **dict.fromkeys(("FeatureSource", "Progress", "key_of", "silent"), "_source"),
    **dict.fromkeys(("Key", "Shelf", "Store", "size_limit"), "_store"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
