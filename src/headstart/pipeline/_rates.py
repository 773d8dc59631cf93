"""The sampling rates of the recordings that a model was fitted on, and inputs of lower ones."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from headstart.data import Dataset, SoundFacts, sound_rate
from headstart.errors import DataError
from headstart.pipeline._options import Say
from headstart.runtime.recordings import USUAL_RATE


def training_rates(dataset: Dataset, train: Sequence[int] | np.ndarray[Any, Any]) -> dict[str, dict[str, int]]:
    """Count the sampling rates of the recordings that a model is fitted on.

    Args:
        dataset: The examples.
        train: Which of them train.

    Returns:
        How many have each rate, under ``rates``; nothing where they are no recordings.
    """
    if dataset.modality != "audio":
        return {}
    counts: Counter[str] = Counter()
    for i in train:
        try:
            counts[str(sound_rate(dataset.items[int(i)]))] += 1
        except DataError:  # a file that is gone by now; the model was fitted all the same
            continue
    return {"rates": dict(counts.most_common())}


class LowRates:
    """Collects inputs whose sampling rate is below all that a model was fitted on.

    Args:
        data: What the model folder keeps about its data; nothing is collected where that has no rates.
    """

    def __init__(self, data: Mapping[str, Any]) -> None:
        # Above the usual rate nothing is heard in training either.
        self._least = min([USUAL_RATE, *map(int, data["rates"])]) if data.get("rates") else 0
        self._seen, self._low = 0, dict[str, int]()

    def look(self, name: str, facts: Any) -> None:
        """Look at an input that can be read."""
        if isinstance(facts, SoundFacts):
            self._seen += 1
            if facts.rate < self._least:
                self._low[name] = facts.rate

    def tell(self, say: Say) -> None:
        """Say it once, if there are any."""
        if not self._low:
            return
        name, rate = next(iter(self._low.items()))
        say(
            f"{len(self._low)} of {self._seen} inputs have a lower sampling rate than all that the model was fitted on "
            f"({self._least} Hz or more; first: {name}, {rate} Hz): nothing above {rate // 2} Hz is heard in it, so "
            "expect more mistakes. Record at a higher rate, or fit on recordings like these too."
        )
