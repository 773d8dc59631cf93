"""What is said of every item: the rows that `headstart predict --json` prints, less the input's name."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from headstart.runtime._ctc import timed_words
from headstart.runtime._documents import Document
from headstart.runtime._heard import Heard
from headstart.runtime._novelty import Novelty

LIKELY = 0.5  # a label's probability above which it is said


def answer_rows(kind: str, classes: Sequence[str], outputs: NDArray[Any]) -> list[dict[str, Any]]:
    """Say what a model of classes, labels or values makes of items.

    Args:
        kind: ``classification``, ``multilabel`` or ``regression``.
        classes: C names.
        outputs: (N, C) probabilities, or (N, 1) values.

    Returns:
        A row per item; of equal probabilities the first class wins.
    """
    if kind == "regression":
        return [{"value": float(value)} for value in outputs[:, 0]]
    rows = []
    for p in outputs:
        said: dict[str, Any] = {"label": classes[int(p.argmax())]}
        if kind == "multilabel":
            said = {"labels": [name for name, each in zip(classes, p, strict=True) if each > LIKELY]}
        rows.append({**said, "probabilities": {name: float(each) for name, each in zip(classes, p, strict=True)}})
    return rows


def span_row(document: Document, entities: Sequence[tuple[int, int, str, float]]) -> dict[str, Any]:
    """Say where the entities of a document are.

    Args:
        document: The text and its words.
        entities: First word, word after the last, type and probability of each.

    Returns:
        Spans in characters of the text, and these characters.
    """
    borders = [document.span(start, end) for start, end, _, _ in entities]
    said = zip(borders, entities, strict=True)
    return {
        "spans": [[start, end, name, probability] for (start, end), (_, _, name, probability) in said],
        "texts": [document.text[start:end] for start, end in borders],
    }


def transcript_row(heard: Heard, frame_seconds: float) -> dict[str, Any]:
    """Say what is heard in a recording, and when."""
    return {"transcript": heard.text, "words": [list(word) for word in timed_words(heard, frame_seconds)]}


def prediction_sets(p: NDArray[np.floating[Any]], thresholds: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
    """Say which classes are in the set of each item.

    Args:
        p: (N, C) probabilities.
        thresholds: (C,) least probabilities.

    Returns:
        (N, C); each row holds its most probable class.
    """
    inside = p >= thresholds
    inside[np.arange(len(p)), p.argmax(axis=1)] = True
    return np.asarray(inside)


@final
@dataclass(frozen=True, eq=False)
class Promises:
    """What is said beside every answer.

    Attributes:
        classes: C names; none for tasks other than classification.
        thresholds: (C,) from which probability on a class is in the set; None where nothing is known.
        abstain_below: The confidence from which on to answer; None where that is not asked for.
        positive: The class that is looked for and from which probability on it is said; None where not asked for.
        novelty: How unlike the training data an item is; None where that is not known.
    """

    classes: Sequence[str] = ()
    thresholds: NDArray[np.float64] | None = None
    abstain_below: float | None = None
    positive: tuple[int, float] | None = None
    novelty: Novelty | None = None

    def rows(self, features: NDArray[Any] | None, outputs: NDArray[Any]) -> list[dict[str, Any]]:
        """Return what is said beside each of some answers.

        Args:
            features: (n, D) of the items, or None.
            outputs: (n, C) what the head makes of them.

        Returns:
            Per item ``set`` (names, most probable first), ``abstain`` and ``novelty``, each where it is known, and
            ``label`` where a threshold decides it.
        """
        rows: list[dict[str, Any]] = [{} for _ in range(len(outputs))]
        if self.thresholds is not None:
            for row, inside, p in zip(rows, prediction_sets(outputs, self.thresholds), outputs, strict=True):
                row["set"] = [self.classes[number] for number in np.argsort(-p, kind="stable") if inside[number]]
                if self.abstain_below is not None:
                    row["abstain"] = bool(p.max() < self.abstain_below)
                if self.positive is not None:
                    column, threshold = self.positive
                    row["label"] = said = self.classes[column if p[column] >= threshold else 1 - column]
                    row["set"] += [] if said in row["set"] else [said]
        if self.novelty is not None and features is not None and features.dtype != object:
            for row, value in zip(rows, self.novelty.of(features), strict=True):
                row["novelty"] = float(value)
        return rows
