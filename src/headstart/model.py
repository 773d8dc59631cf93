"""What every strategy returns: a backbone, a head on one of its feature views, and the task they solve."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from headstart.backbones import Backbone, View
from headstart.data import Item
from headstart.engine import LocalEngine
from headstart.errors import OptionError
from headstart.features import frozen_pass
from headstart.linear import FrameModel, KNearest, LinearModel
from headstart.tasks import Heard, Task, is_ragged, ragged

Head = LinearModel | KNearest | FrameModel


@final
@dataclass(frozen=True)
class Base:
    """The pretrained network that an adapted backbone started from.

    Attributes:
        name: Its address.
        weights_hash: Its `Backbone.weights_hash`, before training.
        trained: Names in ``network.state_dict()`` of the tensors that training may have changed; all others are equal
            to the pretrained ones.
    """

    name: str
    weights_hash: str
    trained: tuple[str, ...]


@final
@dataclass(frozen=True, eq=False, repr=False)
class AdaptedModel:
    """A model that predicts.

    Attributes:
        backbone: The network, frozen or adapted.
        head: Maps (N, D) raw features to (N, K) outputs.
        task: What the outputs mean.
        view: Which feature view the head reads.
        strategy: How it was made, as a call string such as ``probe(head='logistic')``.
        base: The pretrained network that the backbone was adapted from; None where the backbone is that network itself.
    """

    backbone: Backbone
    head: Head
    task: Task
    view: View = "last"
    strategy: str = "probe()"
    base: Base | None = None

    @property
    def pretrained(self) -> str:
        """The address of the network that it started from."""
        return self.backbone.name if self.base is None else self.base.name

    def __repr__(self) -> str:
        """Name the parts; the weights would fill screens."""
        kind, outputs = self.task.kind, self.task.n_outputs
        what = {"classification": "classes", "multilabel": "labels", "regression": "value", "tagging": "tags"}
        said = f"{outputs - 1} characters" if kind == "transcription" else f"{outputs} {what[kind]}"
        return f"AdaptedModel({self.backbone.name!r}, {self.strategy}, {said})"

    def outputs(self, items: Sequence[Item]) -> NDArray[np.float64]:
        """Return what the head makes of every item.

        Args:
            items: N paths, images, arrays or strings.

        Returns:
            (N, C) probabilities in the order of ``task.classes``; (N, 1) values for regression; for tagging (N,)
            objects, the (words, C) probabilities of each document; for transcription (N,) `Heard`.
        """
        several = self.task.kind in ("tagging", "transcription")
        outputs = np.empty(len(items), dtype=object) if several else np.zeros((len(items), self.task.n_outputs))
        for positions, some in self.outputs_each(items):
            outputs[positions] = some
        return outputs

    def outputs_each(self, items: Sequence[Item]) -> Iterator[tuple[NDArray[np.intp], NDArray[Any]]]:
        """Return what the head makes of items, a few at a time: probabilities of long recordings fill the memory.

        Args:
            items: N paths, images, arrays or strings.

        Yields:
            Which of the items these are, and their outputs as `outputs` has them; together all, each once.
        """
        for positions, _, outputs in self.looks_each(items):
            yield positions, outputs

    def looks_each(self, items: Sequence[Item]) -> Iterator[tuple[NDArray[np.intp], NDArray[Any] | None, NDArray[Any]]]:
        """Return what the head reads of items beside what it makes of them, a few at a time.

        Args:
            items: N paths, images, arrays or strings.

        Yields:
            Which of the items these are, their features (n, D), and their outputs; features are None where the head
            reads recordings piece by piece.
        """
        head, view = self.head, self.backbone.views.index(self.view)
        if isinstance(head, FrameModel):  # which needs no more than some frames of a long recording at once
            join = partial(_hear, head, view)
            for rows in frozen_pass(self.backbone, self._given(items), engine=LocalEngine(), join=join):
                yield rows.positions, None, rows.values
            return
        for rows in frozen_pass(self.backbone, self._given(items), engine=LocalEngine()):
            several = is_ragged(rows.values)
            chosen = ragged(each[:, view] for each in rows.values) if several else rows.values[:, view]
            yield rows.positions, chosen, head.outputs(chosen)

    def predict_proba(self, items: Sequence[Item]) -> NDArray[np.float64]:
        """Return class or label probabilities.

        Args:
            items: N paths, images, arrays or strings.

        Returns:
            (N, C) probabilities in the order of ``task.classes``, or (N,) objects of those of words; rows of classes or
            tags sum to one.

        Raises:
            OptionError: The model predicts values.
        """
        if self.task.kind == "regression":
            raise OptionError("a model of values has no probabilities", fix="Use predict.")
        return self.outputs(items)

    def predict(self, items: Sequence[Item]) -> list[Any]:
        """Return the label, the tuple of likely labels, the value, the entities or the transcript of every item."""
        found: list[Any] = [None] * len(items)
        for positions, outputs in self.outputs_each(items):
            for position, answer in zip(positions.tolist(), self.task.decode(outputs), strict=True):
                found[position] = answer
        return found

    def _given(self, items: Sequence[Item]) -> Sequence[Item]:
        """Take strings for paths where items are no texts."""
        if self.backbone.modality == "text":
            return items
        return [Path(item) if isinstance(item, str) else item for item in items]


def _hear(head: FrameModel, view: int, pieces: Iterator[NDArray[np.float32]]) -> Heard:
    return head.heard(piece[:, view] for piece in pieces)
