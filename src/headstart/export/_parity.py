"""Whether an exported folder answers as the model does: the same items through both, the largest difference told."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, NamedTuple, final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from headstart.backbones import Backbone
from headstart.data import Document, Item, Sound
from headstart.errors import ArtifactError
from headstart.export._base import Written
from headstart.model import AdaptedModel
from headstart.tasks import Heard, Task

TOLERANCE: Final = 1e-4  # of a probability, or of the largest value
TEXTS: Final = (
    "Great.",
    "The street light in front of number 12 has been broken since Tuesday!",
    "ALL IN CAPITALS, and then (not) quite so...",
    "Où est la bibliothèque ? Das weiß nur der Bürgermeister.",
    "数据很少也可以学习。 Данных мало.",
    "1234567890 $99.95 03/04/2025 a@b.example https://example.org/x?y=1",
    "one two  three\tfour\nfive",
    "word " * 30,
    "Antidisestablishmentarianism xqzt 🙂🙂 naïve co-operation — don't",
)
LONG: Final = "A text that goes on and on, beyond what the network reads at once. "


@final
@dataclass(frozen=True)
class Parity:
    """How far two sets of answers lie apart.

    Attributes:
        n: Items compared; of the data given, or those that are made up.
        given: How many of them were given.
        difference: The largest difference of a probability; of values relative to the largest.
        same: How many items have the same answer.
        beyond: Items that the format is known to answer otherwise, and the largest difference there.
    """

    n: int
    given: int
    difference: float
    same: int
    beyond: int = 0
    beyond_difference: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)


def varied(backbone: Backbone) -> list[Item]:
    """Make up items of many kinds that a network can read.

    Args:
        backbone: Says what they are.

    Returns:
        A dozen texts, documents, pictures or recordings; one text is longer than the network's window. None of pictures
        of two or four channels, which only files can be.
    """
    if backbone.modality == "text":
        texts = [*TEXTS, LONG * (backbone.preparer.settings.get("window", 512) // 8)]
        return [Document.of_text(text) for text in texts] if backbone.pooling_of_words else list(texts)
    rng = np.random.default_rng(0)
    if backbone.modality == "audio":
        return [_sound(rng, count) for count in (16_000, 5_000, 24_123, 48_000, 1_000, 33_333)]
    channels = 3 if backbone.pixels is None else backbone.pixels.channels
    if channels in (2, 4):  # an array of so many would be read as one with transparency; files say that it is not
        return []
    return [_picture(rng, size, channels) for size in ((224, 224), (61, 40), (33, 90), (200, 31), (640, 480), (8, 8))]


class Answers(NamedTuple):
    """What two say to the same N items.

    Attributes:
        ours: (N, ...) outputs of the model.
        theirs: (N, ...) those of the export.
        beyond: (N,) whether the format is known to answer an item otherwise.
    """

    ours: NDArray[Any]
    theirs: NDArray[Any]
    beyond: NDArray[np.bool_]

    def since(self, first: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return both answers from an item on."""
        return self.ours[first:], self.theirs[first:]


def answer_both(model: AdaptedModel, written: Written, items: Sequence[Item]) -> Answers:
    """Answer items by the model and by the exported folder."""
    ours = model.outputs(items)
    theirs = written.answers(items) if items else ours
    return Answers(ours, theirs, np.array(written.beyond(items), dtype=bool))


def compare(answers: Answers, task: Task, *, given: int = 0) -> Parity:
    """Say how far answers lie apart.

    Args:
        answers: Those of the model and of the export.
        task: What they mean.
        given: How many of the items are the user's own.

    Returns:
        The largest difference, and how many are the same.
    """
    ours, theirs, beyond = answers
    size = _size(ours) if task.kind == "regression" else 1.0
    apart = np.array([_apart(mine, other) / size for mine, other in zip(ours, theirs, strict=True)])
    decoded = zip(task.decode(ours), task.decode(theirs), strict=True)
    same = np.array([_alike(mine, other) for mine, other in decoded], dtype=bool)
    return Parity(
        n=int((~beyond).sum()),
        given=given,
        difference=float(apart[~beyond].max(initial=0.0)),
        same=int(same[~beyond].sum()),
        beyond=int(beyond.sum()),
        beyond_difference=float(apart[beyond].max(initial=0.0)),
    )


def check_parity(parity: Parity, *, where: str, tool: str) -> None:
    """Refuse an export whose answers are others.

    Args:
        parity: What was compared.
        where: The model, for the error.
        tool: What answered, for the error.

    Raises:
        ArtifactError: The difference is beyond rounding, or nothing could be compared.
    """
    if parity.n == 0:
        problem = "there is no item whose answers could be compared"
        raise ArtifactError(problem, where=where, fix="Give some with --check DATA.")
    if not parity.difference <= TOLERANCE:
        problem = (
            f"{tool} answers otherwise than the model: the largest difference is {parity.difference:.2g}, at most "
            f"{TOLERANCE:g} is rounding; {parity.n - parity.same} of {parity.n} items get another answer"
        )
        raise ArtifactError(problem, where=where, fix="Nothing was written. --format onnx keeps any model's answers.")


def _apart(mine: Any, other: Any) -> float:
    if isinstance(mine, Heard):
        mine, other = mine.probabilities, other.probabilities
    difference = np.abs(np.asarray(mine, dtype=np.float64) - np.asarray(other, dtype=np.float64))
    return float(np.nan_to_num(difference, nan=np.inf).max(initial=0.0))


def _alike(mine: Any, other: Any) -> bool:
    """Compare two answers: labels, tuples of labels, entities without their probabilities, or values."""
    if isinstance(mine, float):
        return bool(np.isclose(mine, other, rtol=1e-3, atol=1e-6))
    if isinstance(mine, list):
        return [each[:3] for each in mine] == [each[:3] for each in other]
    return bool(mine == other)


def _size(values: NDArray[Any]) -> float:
    return float(np.abs(values).max(initial=0.0)) or 1.0


def _picture(rng: np.random.Generator, size: tuple[int, int], channels: int) -> Item:
    """Make waves and noise; values from 0 to 1 where there are other channels than three."""
    rows, columns = np.mgrid[0 : size[1], 0 : size[0]]
    waves = [0.5 + 0.5 * np.sin(rows / (3 + c) + columns / (7 + c)) for c in range(channels)]
    values = 0.7 * np.stack(waves, axis=-1) + 0.3 * rng.random((size[1], size[0], channels))
    return Image.fromarray((255 * values).astype(np.uint8)) if channels == 3 else values.astype(np.float32)


def _sound(rng: np.random.Generator, count: int) -> Sound:
    time = np.arange(count) / 16_000
    tone = 0.3 * np.sin(2 * np.pi * (200 + 800 * time) * time)
    return Sound((tone + 0.05 * rng.standard_normal(count)).astype(np.float32), 16_000)
