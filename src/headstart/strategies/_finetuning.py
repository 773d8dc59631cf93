"""How networks are fine-tuned where nothing else is asked: by kind of data, as measured in benchmarks/LOG.md."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from headstart.backbones import Backbone
from headstart.data import Dataset
from headstart.strategies.finetune import FineTune

FEWEST, MOST = 30, 600  # steps
LOWEST_RATE: Final = 1e-4


@dataclass(frozen=True)
class Measured:
    """What was found best on one network: many blocks, in few steps at a high rate.

    Attributes:
        rate: Of that network.
        width: Of its features; the rate falls with the width of another.
        steps: Times the square root of the number of examples.
        views: Of each example.
        share: Of the blocks that train.
        decay: Rate of a block over that of the next one.
    """

    rate: float
    width: int
    steps: float
    views: int
    share: float = 2 / 3
    decay: float = FineTune.decay

    def strategy(self, backbone: Backbone, n: float, *, batch: int) -> FineTune:
        """Return the strategy for a network and n examples."""
        rate = float(np.clip(self.rate * self.width / backbone.num_features, LOWEST_RATE, self.rate))
        return FineTune(
            last="all" if self.share == 1 else max(1, round(self.share * (len(backbone.cuts) - 1))),
            rate=float(f"{rate:.2g}"),  # it is read in tables
            steps=int(np.clip(self.steps * n**0.5, FEWEST, MOST)),
            batch=batch,
            views=self.views,
            decay=self.decay,
        )


SENTENCE, WORDS_PER_STEP = 18, 300  # words; an example of tagging is a sentence, however long documents are
WORDS: Final = Measured(rate=1e-3, width=384, steps=6.0, views=FineTune.views)
# Without other views a hundred recordings are known by heart at once.
SPEECH: Final = Measured(rate=1e-3, width=192, steps=6.0, views=4)
SOUNDS: Final = Measured(rate=3e-3, width=192, steps=10.0, views=4)
# Of networks as narrow as the starter. Wider ones have learned from more, and are moved less: `FineTune` as it is.
PICTURES: Final = Measured(rate=1e-3, width=368, steps=10.0, views=4, share=1.0, decay=1.0)


def finetuning(backbone: Backbone, train: Dataset) -> FineTune:
    """Return how a network is fine-tuned where nothing else is asked.

    Args:
        backbone: The network, which has cut points.
        train: The training examples: their kind decides, and how many they are.

    Returns:
        The strategy.
    """
    if train.kind == "tagging":
        return _of_words(backbone, train)
    if train.kind == "transcription":
        return SPEECH.strategy(backbone, len(train), batch=16)
    if backbone.modality == "audio":
        return SOUNDS.strategy(backbone, len(train), batch=32)
    if backbone.modality == "image" and backbone.num_features <= PICTURES.width:
        return PICTURES.strategy(backbone, len(train), batch=32)
    return FineTune()


def _of_words(backbone: Backbone, train: Dataset) -> FineTune:
    """A step sees about as many words, whatever the length of a document."""
    words = max(1, sum(len(item.words) for item in train.items))
    batch = int(np.clip(round(WORDS_PER_STEP * len(train) / words), 2, 16))
    return WORDS.strategy(backbone, words / SENTENCE, batch=batch)
