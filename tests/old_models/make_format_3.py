"""How ``format-3`` was made; kept to show what is in it: entities, and a backbone that gives features of words."""

import json
import os
import tempfile
from pathlib import Path

from tests.tagged import make_easy

from headstart import artifact, backbones
from headstart.data import Dataset, Document
from headstart.features import FeatureSource
from headstart.strategies import Probe, Run
from headstart.tasks import Tagging, write_tags

HERE = Path(__file__).parent
NEW = ["so said Anna Berg .", "from Oslo, he\nwent to Paris", ""]

if __name__ == "__main__":
    os.environ["HEADSTART_CACHE"] = tempfile.mkdtemp()
    sentences, tags = make_easy(90)
    items, labels = tuple(map(Document.of_words, sentences)), tuple(map(write_tags, tags))
    train = Dataset("text", items, tuple(f"texts.conll:{i}" for i in range(90)), labels=labels, kind="tagging")
    backbone = backbones.word_backbone(backbones.load("toy:text"), "mean")
    run = Run(FeatureSource(), metric="entity_f1")
    model = Probe().fit(backbone, train, Tagging.from_labels(labels), run=run).model
    (HERE / "format-3").mkdir()
    data = {"n_train": 90, "items": [], "parts": []}
    artifact.save(model, HERE / "format-3", evaluation={"task": "text-tagging"}, data=data)
    recorded = {
        "texts": NEW,
        "probabilities": [words.tolist() for words in model.predict_proba(NEW)],
        "entities": [[list(entity) for entity in found] for found in model.predict(NEW)],
    }
    (HERE / "format-3.json").write_text(json.dumps(recorded, indent=1) + "\n")
