"""Small models for exports: networks of real architectures with random weights, and random heads."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from headstart import artifact
from headstart.artifact import Artifact
from headstart.backbones import Backbone, load, word_backbone
from headstart.linear import LINKS, LinearModel
from headstart.model import AdaptedModel, Base
from headstart.tasks import Classification, MultiLabel, Regression, Tagging
from tests.backbones import test_timm, test_transformers

TASKS: dict[str, Any] = {
    "classification": Classification(("cold", "hot", "warm")),
    "multilabel": MultiLabel(("cold", "hot", "warm")),
    "regression": Regression(),
    "tagging": Tagging(("PER",)),
}
EVALUATION: dict[str, Any] = {
    "model": "my-model",
    "test": {
        "metric": "accuracy",
        "value": 0.9,
        "interval": [0.8, 0.95],
        "n": 40,
        "how": "test",
        "metrics": {"accuracy": 0.9, "log_loss": 0.3, "auroc": None},
    },
    "baselines": {
        "majority class": {
            "value": 0.5,
            "interval": [0.4, 0.6],
            "difference": 0.4,
            "difference_interval": [0.2, 0.5],
        }
    },
    "transfer_helped": True,
    "chosen": {"view": "last", "strength": 0.1},
    "trust": {"calibration": {"error": 0.02, "interval": [0.01, 0.05], "n": 40}},
    "notes": ["Task: text classification, 3 classes (column 'label')."],
}
DATA = {"source": "patients.csv", "n_train": 90, "groups": ["secret group"], "places": ["secret place.png"]}


def text_network(folder: Path, family: str = "bert") -> Backbone:
    """A text network that averages its tokens, in a folder of its own; the same in any order of tests."""
    torch.manual_seed(0)
    return load(f"dir:{test_transformers.tiny(folder / 'network', family)}")


def image_network(folder: Path, family: str = "resnet") -> Backbone:
    """An image network of timm, in a folder of its own; the same in any order of tests."""
    torch.manual_seed(0)
    test_timm.tiny(folder / "network", *test_timm.FAMILIES[family][:2])
    return load(f"dir:{folder / 'network'}")


def head_on(backbone: Backbone, kind: str) -> LinearModel:
    """A head whose answers are neither all alike nor all sure."""
    rng = np.random.default_rng(0)
    classes = TASKS[kind].n_outputs
    weights = rng.normal(size=(classes, backbone.num_features)).astype(np.float32)
    return LinearModel(weights, rng.normal(size=classes).astype(np.float32), link=LINKS[kind])


def model_on(backbone: Backbone, kind: str = "classification", *, base: Base | None = None) -> AdaptedModel:
    """A model of a kind of task."""
    if kind == "tagging" and backbone.pooling_of_words is None:
        backbone = word_backbone(backbone, "first")
    return AdaptedModel(backbone, head_on(backbone, kind), TASKS[kind], base=base)


def save(model: AdaptedModel, folder: Path, **evaluation: Any) -> Artifact:
    """Save a model and load it again."""
    path = folder / "model"
    path.mkdir()
    artifact.save(model, path, evaluation={**EVALUATION, **evaluation}, data=DATA)
    return artifact.load(path)
