"""What tagging needs: networks that give a row of features per word, and how they are fine-tuned."""

from dataclasses import replace
from typing import Final, Literal

import numpy as np

from headstart.backbones import Backbone, word_backbone
from headstart.data import Dataset
from headstart.features import silent
from headstart.strategies._base import Run
from headstart.strategies._documents import some_documents
from headstart.strategies.finetune import FineTune
from headstart.strategies.probe import Probe
from headstart.tasks import Task

FEW_DOCUMENTS: Final = 200  # to choose on them how the tokens of a word become its features
RATE, WIDTH = 1e-3, 384  # of MiniLM, on which it was measured
STEPS, SENTENCE = 6.0, 18  # 6 times the square root of the number of sentences of 18 words
WORDS_PER_STEP: Final = 300
POOLINGS: Final[tuple[Literal["first", "mean"], ...]] = ("first", "mean")


def finetuning_words(backbone: Backbone, train: Dataset) -> FineTune:
    """Return how a network is fine-tuned to tag words: two thirds of its layers, in few steps at a high rate.

    Measured in benchmarks/LOG.md. A step sees about 300 words, whatever the length of a document; the steps grow with
    the square root of the number of words, the rate falls with the width of the network.

    Args:
        backbone: The network, which has cut points.
        train: The training documents.

    Returns:
        The strategy.
    """
    words = max(1, sum(len(item.words) for item in train.items))
    return FineTune(
        last=max(1, round(2 / 3 * (len(backbone.cuts) - 1))),
        rate=float(np.clip(RATE * WIDTH / backbone.num_features, 1e-4, RATE)),
        steps=int(np.clip(STEPS * (words / SENTENCE) ** 0.5, 30, 600)),
        batch=int(np.clip(round(WORDS_PER_STEP * len(train) / words), 2, 16)),
    )


def reading_words(backbone: Backbone, train: Dataset, task: Task, *, run: Run) -> Backbone:
    """Return a candidate as a network that gives a row per word.

    Whether a word is its first token or the mean of its tokens is chosen by the held-out loss of a probe on some of the
    training documents.

    Args:
        backbone: The candidate.
        train: The training documents.
        task: What is to be learnt.
        run: Features, seed, and where the choice is kept.

    Returns:
        The network for words.

    Raises:
        BackboneError: It cannot read words.
    """
    if backbone.pooling_of_words is not None:
        return backbone
    candidates = {pooling: word_backbone(backbone, pooling) for pooling in POOLINGS}

    def choose() -> str:
        sizes = run.features.rows_each(candidates["mean"], train)
        assert sizes is not None
        few = some_documents(train, sizes, seed=run.seed, most=FEW_DOCUMENTS)
        losses = {
            pooling: Probe().fit(each, few, task, run=replace(run, progress=silent)).loss
            for pooling, each in candidates.items()
        }
        best = min(POOLINGS, key=lambda pooling: losses[pooling])
        shown = ", ".join(f"{pooling} {loss:.4f}" for pooling, loss in losses.items())
        how = "its first token" if best == "first" else "the mean of its tokens"
        run.say(f"{backbone.name}: a word is {how} (held-out loss on {len(few)} documents: {shown}).")
        return best

    chosen: str = run.decide(f"tokens of a word on {backbone.name}", choose)
    return next(each for pooling, each in candidates.items() if pooling == chosen)
