"""The other arm of the cases with 8 and 16 labels per class: SetFit, all defaults but the seed.

    python peer_setfit.py FOLDER --weights MINILM --seed 0

The clock covers `Trainer.train`: the pairs, the contrastive epoch and the logistic regression on top. Prints one JSON
document.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

from datasets import Dataset
from setfit import SetFitModel, Trainer, TrainingArguments
from subsets import read_part
from transformers import set_seed


def run(folder: Path, *, weights: str, seed: int) -> dict:
    set_seed(seed)
    texts, labels = read_part(folder, "train")
    names = sorted(set(labels))
    model = SetFitModel.from_pretrained(weights, labels=names)
    train = Dataset.from_dict({"text": texts, "label": [names.index(label) for label in labels]})
    with tempfile.TemporaryDirectory() as scratch:
        trainer = Trainer(model, TrainingArguments(scratch, seed=seed, show_progress_bar=False), train_dataset=train)
        started = time.perf_counter()
        trainer.train()
        seconds = time.perf_counter() - started
    test, _ = read_part(folder, "test")
    return {"adaptation_seconds": seconds, "predictions": list(model.predict(test, show_progress_bar=False))}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(json.dumps(run(options.folder, weights=options.weights, seed=options.seed)))
