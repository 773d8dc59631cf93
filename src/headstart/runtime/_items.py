"""What one item is, of each modality."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Modality = Literal["image", "text", "audio"]
Item = Any  # image: Path, PIL image or array; text: string, or `Document` for tagging; audio: Path or `Sound`


@dataclass(frozen=True, eq=False)
class Sound:
    """A recording in memory, for programs; files are given as paths.

    Attributes:
        samples: Floats, 1.0 at full scale; (N,), or (N, C) for C channels.
        rate: Samples per second.
    """

    samples: NDArray[np.float32]
    rate: int
