"""The other arm of the cases with 64 labels per class: transformers' Trainer, full fine-tuning.

    python peer_trainer.py FOLDER --weights MINILM --seed 0

10 epochs, learning rate 5e-5, batches of 16, defaults otherwise; no evaluation and no checkpoint during training. The
clock covers `Trainer.train` alone: the texts are tokenised before. Prints one JSON document.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

from datasets import Dataset
from subsets import read_part
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    Trainer,
    TrainingArguments,
    set_seed,
)


def run(folder: Path, *, weights: str, seed: int) -> dict:
    set_seed(seed)
    texts, labels = read_part(folder, "train")
    names = sorted(set(labels))
    tokenizer = AutoTokenizer.from_pretrained(weights)
    model = AutoModelForSequenceClassification.from_pretrained(weights, num_labels=len(names))
    train = Dataset.from_dict({**tokenizer(texts, truncation=True), "labels": [names.index(label) for label in labels]})
    with tempfile.TemporaryDirectory() as scratch:
        trainer = Trainer(model, arguments(scratch, seed), train_dataset=train, processing_class=tokenizer)
        started = time.perf_counter()
        trainer.train()
        seconds = time.perf_counter() - started
        test, _ = read_part(folder, "test")
        logits = trainer.predict(Dataset.from_dict(dict(tokenizer(test, truncation=True)))).predictions
    return {"adaptation_seconds": seconds, "predictions": [names[i] for i in logits.argmax(1)]}


def arguments(scratch: str, seed: int) -> TrainingArguments:
    return TrainingArguments(
        scratch,
        num_train_epochs=10,
        learning_rate=5e-5,
        per_device_train_batch_size=16,
        seed=seed,
        use_cpu=True,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(json.dumps(run(options.folder, weights=options.weights, seed=options.seed)))
