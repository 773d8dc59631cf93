"""How ``format-4`` was made; kept to show what is in it: pictures of 12 bits by a range, and what answers promise."""

import json
import os
import tempfile
from pathlib import Path

import numpy as np

from headstart import artifact, backbones
from headstart.confidence import Confidence, HeldOut, fit_novelty
from headstart.data import Dataset, PixelScale
from headstart.features import FeatureSource
from headstart.strategies import Probe, Run
from headstart.tasks import Classification

HERE = Path(__file__).parent


def pictures(n: int, seed: int) -> list[np.ndarray]:
    """Dark and bright squares of 12 bits, by turns."""
    rng = np.random.default_rng(seed)
    return [(rng.normal((1200, 2600)[i % 2], 500, (8, 8)).clip(0, 4095)).astype(np.uint16) for i in range(n)]


if __name__ == "__main__":
    os.environ["HEADSTART_CACHE"] = tempfile.mkdtemp()
    backbone = backbones.picture_backbone(backbones.load("toy:image"), PixelScale({"uint16": (0.0, 4095.0)}))
    items, labels = pictures(60, 0), ("dark", "bright") * 30
    train = Dataset("image", tuple(items), tuple(map(str, range(60))), labels=labels)
    task, source = Classification(("bright", "dark")), FeatureSource()
    model = Probe().fit(backbone, train, task, run=Run(source)).model
    features = source.features(backbone, train, view=model.view)
    held = HeldOut.of(np.asarray(task.encode(labels)), model.head.outputs(features), np.arange(60))
    known = Confidence(held, fit_novelty(features, np.arange(60), seed=0))
    (HERE / "format-4").mkdir()
    facts = {"evaluation": {"task": "image-classification"}, "data": {"n_train": 60, "items": [], "parts": []}}
    artifact.save(model, HERE / "format-4", confidence=known, **facts)
    new = pictures(3, 1)
    recorded = {"pictures": [each.tolist() for each in new], "probabilities": model.predict_proba(new).tolist()}
    recorded["novelty"] = known.novelty.of(next(rows for _, rows, _ in model.looks_each(new))).tolist()
    (HERE / "format-4.json").write_text(json.dumps(recorded) + "\n")
