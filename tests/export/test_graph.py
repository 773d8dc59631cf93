"""The heads as modules against the heads as arrays."""

import numpy as np
import pytest
import torch

from headstart.export._graph import head_module
from headstart.linear import FrameModel, KNearest, LinearModel
from headstart.tasks import KINDS, Kind

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 12)).astype(np.float32)


def outputs(head: LinearModel | KNearest | FrameModel, features: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return head_module(head)(torch.from_numpy(features)).numpy()


@pytest.mark.parametrize("link", ["softmax", "sigmoid", "identity"])
def test_a_linear_head(link: str) -> None:
    head = LinearModel(RNG.normal(size=(4, 12)).astype("f4"), RNG.normal(size=4).astype("f4"), link=link)  # type: ignore[arg-type]
    assert np.abs(outputs(head, X) - head.outputs(X)).max() < 1e-5


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind in ("classification", "multilabel", "regression")])
def test_a_head_of_neighbours(kind: Kind) -> None:
    y = {
        "classification": RNG.integers(0, 3, 40),
        "multilabel": RNG.integers(0, 2, (40, 3)).astype(float),
        "regression": RNG.normal(size=40),
    }[kind]
    head = KNearest.fit(X, y, n_classes=1 if kind == "regression" else 3, kind=kind)
    new = np.concatenate([X[:5], RNG.normal(size=(30, 12)).astype(np.float32), np.zeros((1, 12), np.float32)])
    # A row of zeros is at one distance from all; which of them vote is no matter of either.
    assert np.abs(outputs(head, new) - head.outputs(new))[:-1].max() < 1e-5
    assert np.isfinite(outputs(head, new)).all()


def test_a_head_of_frames() -> None:
    head = FrameModel(
        RNG.normal(size=(5, 12, 4)).astype("f4"),
        RNG.normal(size=4).astype("f4"),
        RNG.normal(size=12).astype("f4"),
        RNG.uniform(0.5, 2, 12).astype("f4"),
        ("a", "b", " "),
    )
    assert np.abs(outputs(head, X) - head.log_probabilities(X)).max() < 1e-5
