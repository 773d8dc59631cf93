"""Number types: in which a network trains, and what half precision at the cut does to its features."""

from dataclasses import replace
from typing import Final, Literal

import numpy as np
import torch

from headstart.backbones import Backbone
from headstart.data import Dataset
from headstart.engine import computes_bfloat16
from headstart.features import LiveActivations
from headstart.strategies._base import Run
from headstart.strategies._thawed import Thawed, Views

LOOKED_AT: Final = 64  # items whose features are compared with those of full precision


def auto_precision(device: torch.device) -> Literal["float32", "bfloat16", "float16"]:
    """Return bfloat16 where the device computes it natively, else float16 on CUDA and float32 elsewhere.

    Weights are float32 in all of them; the loop scales the loss in float16.
    """
    if computes_bfloat16(device.type):
        return "bfloat16"
    return "float16" if device.type == "cuda" else "float32"


def rounding(thawed: Thawed, start: Backbone, train: Dataset, *, run: Run) -> dict[str, str | float]:
    """Measure what storing activations in half precision does to the features of a trained network.

    Args:
        thawed: The trained network, with its activations.
        start: The network it started from.
        train: The examples.
        run: Its engine reads items.

    Returns:
        For the report: the length of the difference over that of the features of a live pass, on up to 64 examples.
    """
    if isinstance(thawed.views.sources[0], LiveActivations):
        return {"activations": "live, in float32"}
    assert thawed.cut is not None  # nothing is stored without one
    rows = np.linspace(0, len(train) - 1, min(LOOKED_AT, len(train))).astype(np.intp)
    live = Views([LiveActivations(start, train.take(rows).items, thawed.cut, run.engine)])
    exact = replace(thawed, views=live).all_features()
    with torch.no_grad():
        moved = thawed.features(rows).float().cpu().numpy() - exact
    return {"float16 moves features by": float(np.linalg.norm(moved) / (np.linalg.norm(exact) or 1.0))}
