"""How ``format-2`` was made; kept to show what is in it: several labels, and a backbone that was adapted by hand."""

import copy
import json
import os
import tempfile
from dataclasses import replace
from pathlib import Path

import torch
from tests.conftest import make_label_sets

from headstart import artifact, backbones
from headstart.data import Dataset
from headstart.features import FeatureSource
from headstart.model import Base
from headstart.strategies import Probe, Run
from headstart.tasks import MultiLabel

HERE = Path(__file__).parent
NEW = ["cat and dog", "cheese with rice", "fog, snow and ice"]
TRAINED = ("layers.1.0.weight", "layers.1.0.bias")

if __name__ == "__main__":
    os.environ["HEADSTART_CACHE"] = tempfile.mkdtemp()
    base = backbones.load("toy:text")
    changed = copy.deepcopy(base)
    with torch.no_grad():
        for name in TRAINED:
            changed.network.get_parameter(name).mul_(1.5).add_(0.1)
    texts, labels = make_label_sets(90)
    places = tuple(f"texts.csv:{i + 2}" for i in range(90))
    train = Dataset("text", tuple(texts), places, labels=tuple(labels), kind="multilabel")
    run = Run(FeatureSource(), metric="micro_f1")
    model = Probe().fit(replace(changed), train, MultiLabel.from_labels(labels), run=run).model
    model = replace(model, base=Base(base.name, base.weights_hash, TRAINED))
    (HERE / "format-2").mkdir()
    data = {"n_train": 90, "items": [], "parts": []}
    artifact.save(model, HERE / "format-2", evaluation={"task": "text-multilabel"}, data=data)
    recorded = {"texts": NEW, "probabilities": model.predict_proba(NEW).tolist()}
    (HERE / "format-2.json").write_text(json.dumps(recorded, indent=1) + "\n")
