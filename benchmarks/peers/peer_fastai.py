"""The other arm of the image cases: fastai's `vision_learner` and `fine_tune(5)` from the same weights.

    python peer_fastai.py FOLDER --weights NETWORK --seed 0

The whole training part trains, nothing is held out of it. Squares of 224 pixels, `aug_transforms`, the normalisation of
the weights' own configuration (fastai's default for timm networks), fastai's defaults otherwise. fastai drops the last
batch where it is not full, so its 64 would leave few images no batch at all, or one: a batch is at most a quarter of
the training part, as someone with so few images would set it, and each epoch has four steps or more. The clock covers
`fine_tune` alone: the network and the loaders are made before. Prints one JSON document.
"""

import argparse
import json
import time
from pathlib import Path

from fastai.vision.all import (
    CategoryBlock,
    DataBlock,
    DataLoaders,
    ImageBlock,
    Learner,
    Resize,
    aug_transforms,
    set_seed,
    vision_learner,
)
from subsets import read_part

STEPS_PER_EPOCH = 4  # at least


def loaders(folder: Path, *, batch_size: int) -> DataLoaders:
    paths, labels = read_part(folder, "train")
    known = dict(zip(paths, labels, strict=True))
    block = DataBlock(
        blocks=(ImageBlock, CategoryBlock),
        get_y=lambda path: known[path],
        splitter=lambda items: (range(len(items)), []),
        item_tfms=Resize(224),
        batch_tfms=aug_transforms(),
    )
    return block.dataloaders(paths, bs=min(batch_size, max(1, len(paths) // STEPS_PER_EPOCH)))


def run(folder: Path, *, weights: str, seed: int, batch_size: int) -> dict:
    set_seed(seed)
    learner = vision_learner(loaders(folder, batch_size=batch_size), f"local-dir:{weights}")
    with learner.no_bar(), learner.no_logging():
        started = time.perf_counter()
        learner.fine_tune(5)
        seconds = time.perf_counter() - started
        return {"adaptation_seconds": seconds, "predictions": predict(learner, folder)}


def predict(learner: Learner, folder: Path) -> list[str]:
    paths, _ = read_part(folder, "test")
    probabilities, _ = learner.get_preds(dl=learner.dls.test_dl(paths))
    return [learner.dls.vocab[i] for i in probabilities.argmax(1)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch-size", type=int, default=64)
    options = parser.parse_args()
    print(json.dumps(run(options.folder, weights=options.weights, seed=options.seed, batch_size=options.batch_size)))
