"""Which frames of a network stand for which row of features, in which window of a recording.

Neighbouring frames are joined. A recording longer than the network's window is read in windows that overlap, so that
every frame is heard with something on both sides of it. As for words (see `_aligned`), a frame is answered by the
window in which it lies farthest from a border at which the recording goes on.

All windows but the last are full, and the last is longer than the overlap. So the lengths of the windows tell where
everything is: activations stored at a cut need nothing beside them.

The last frame of a recording counts where at least half of it is there; every recording has a frame.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, isfinite
from typing import Final, final

import numpy as np

from headstart.errors import OptionError
from headstart.runtime._aligned import Places, answering

SECONDS_SHARED: Final = 2.0  # by neighbouring windows
MOST_SHARED: Final = 4  # but at most one frame of a window in so many


@final
@dataclass(frozen=True)
class Framing:
    """How a network's frames become rows of features.

    Attributes:
        joined: How many of its frames make one row.
        window: How many of its frames a window holds.
        stride: How many of its frames a window begins after the one before it, a multiple of `joined`.
    """

    joined: int
    window: int
    stride: int

    @classmethod
    def of(cls, per_second: float, *, rate: float, window: int) -> "Framing":
        """Choose them for a network.

        Args:
            per_second: About how many rows a second has.
            rate: How many frames of the network a second has.
            window: How many of them its window holds.

        Returns:
            One of its frames per row where more rows are asked for than it has frames.

        Raises:
            OptionError: So many are no number above 0, or so few that a window has no room for one.
        """
        number = isinstance(per_second, int | float) and isfinite(per_second) and per_second > 0
        shared = min(ceil(SECONDS_SHARED * rate), window // MOST_SHARED)
        least = rate / (window - shared)
        if not number or per_second < least:
            problem = f"expected at least {least:.3g} frames per second, found {per_second!r}"
            raise OptionError(problem, where="frame_backbone", fix=f"Write {rate / 2:g}, or up to {rate:g}.")
        joined = max(1, round(rate / per_second))
        return cls(joined, window, (window - shared) // joined * joined)

    def places(self, lengths: Sequence[int]) -> Places:
        """Place the rows of a recording.

        Args:
            lengths: How many frames of the network each of its windows has, padding left out.

        Returns:
            (K, 3) window, frame of the network in it, and row; ordered by row. Each row has one window.
        """
        starts = self.stride * np.arange(len(lengths))
        ends = starts + np.asarray(lengths)
        rows = max(1, (int(ends[-1]) + self.joined // 2) // self.joined)
        first = self.joined * np.arange(rows)
        last = np.minimum(first + self.joined, ends[-1]) - 1
        window = np.repeat(answering(first, last, starts, ends), last - first + 1)
        frame = np.arange(len(window))
        return np.stack([window, frame - starts[window], frame // self.joined], axis=1).astype(np.int32)
