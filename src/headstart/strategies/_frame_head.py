"""The head of speech as a module that trains, and its loss: connectionist temporal classification."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from headstart.linear import FrameModel, ctc, frame_scores, numbers_of, parameters_of, with_parameters
from headstart.strategies._thawed import ROWS_AT_ONCE
from headstart.strategies._tuning import Material
from headstart.tasks import Kind, Transcription


@final
class FrameHead(nn.Module):
    """`FrameModel` as a module that trains.

    Args:
        start: The model it starts from; its decoder and what standardises frames stay.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, start: FrameModel) -> None:
        super().__init__()
        self.start = start
        self.register_buffer("mean", torch.from_numpy(start.mean))
        self.register_buffer("scale", torch.from_numpy(start.scale))
        weights, bias = parameters_of(start)
        self.weight, self.bias = nn.Parameter(weights), nn.Parameter(bias)

    def forward(self, rows: Sequence[Tensor]) -> Tensor:
        """Return (N, T, K) scores of the frames (T, D) of N recordings, in float32, padded to the longest."""
        with torch.autocast(self.bias.device.type, enabled=False):
            standardised = [(row.float() - self.mean) / self.scale for row in rows]
            return frame_scores(pad_sequence(standardised, batch_first=True), self.weight, self.bias)

    def fold(self, _kind: Kind = "transcription") -> FrameModel:
        """Return the model that predicts, as arrays."""
        return with_parameters(self.start, self.weight, self.bias)


@final
@dataclass(frozen=True)
class SpeechObjective:
    """The loss of recordings, per character.

    Attributes:
        material: The copy that trains, and the examples.
        head: The head that trains with it.
        targets: Of each example the numbers of its characters.
    """

    material: Material
    head: FrameHead
    targets: Sequence[Tensor]

    @classmethod
    def of(cls, material: Material, head: FrameHead) -> "SpeechObjective":
        """Spell the transcripts of the examples in numbers."""
        assert isinstance(material.task, Transcription)
        return cls(material, head, numbers_of(material.y, material.task.characters))

    def of_rows(self, rows: NDArray[np.intp], items: NDArray[np.intp], *, smoothing: float = 0.0) -> Tensor:
        """Return the mean loss of items, with gradient, seen as these rows of the views; a text has no smoothing."""
        del smoothing
        return self._total(rows, items) / self._characters(items)

    def held_out(self) -> float:
        """Measure the loss of the plain view of what is held out."""
        items, total = self.material.held_out, 0.0
        with torch.no_grad():
            for at in range(0, len(items), ROWS_AT_ONCE):
                part = items[at : at + ROWS_AT_ONCE]
                total += float(self._total(part, part))
        return total / self._characters(items)

    def _total(self, rows: NDArray[np.intp], items: NDArray[np.intp]) -> Tensor:
        thawed = self.material.thawed
        assert thawed.rows_each is not None
        each = thawed.rows_each[items]
        scores = self.head(torch.split(thawed.features(rows), each.tolist()))
        return ctc(scores, torch.from_numpy(each), [self.targets[int(item)] for item in items])

    def _characters(self, items: NDArray[np.intp]) -> int:
        return max(1, sum(len(self.targets[int(item)]) for item in items))
