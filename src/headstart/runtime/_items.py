"""What one item is, of each modality."""

import io
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Modality = Literal["image", "text", "audio"]
Kind = Literal["classification", "multilabel", "regression", "tagging", "transcription"]  # of task
# image: Path, `Encoded`, PIL image or array; text: string, or `Document` for tagging; audio: Path, `Encoded` or `Sound`
Item = Any


@dataclass(frozen=True, eq=False)
class Sound:
    """A recording in memory, for programs; files are given as paths.

    Attributes:
        samples: Floats, 1.0 at full scale; (N,), or (N, C) for C channels.
        rate: Samples per second.
    """

    samples: NDArray[np.float32]
    rate: int


@dataclass(frozen=True, eq=False, repr=False)
class Encoded:
    """The bytes of the file of a picture or recording, for programs that have them from elsewhere than a disk.

    Attributes:
        content: The bytes.
        most_pixels: A picture of more is refused before it is decoded; Pillow's own limit counts where None.
        most_seconds: A longer recording is refused, by its header where that states the length; None for any.
    """

    content: bytes
    most_pixels: int | None = None
    most_seconds: float | None = None

    def open(self, mode: Literal["rb"] = "rb") -> io.BytesIO:  # noqa: ARG002  (as `Path.open` is called)
        """Return the bytes as a file that is opened for reading."""
        return io.BytesIO(self.content)
