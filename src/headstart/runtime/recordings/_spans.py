"""Where the windows of a recording are, and what fills them up."""

from itertools import pairwise
from math import ceil
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]


class Span(NamedTuple):
    """A window of a recording.

    Attributes:
        start: Its first sample.
        end: The sample after its last.
        length: How many samples it has with the silence that fills it up.
    """

    start: int
    end: int
    length: int


def filled(samples: Samples, length: int) -> Samples:
    """Return samples with silence after them, so many together."""
    window = np.zeros(length, dtype=np.float32)
    window[: len(samples)] = samples
    return window


def even_spans(count: int, *, most: int, step: int, least: int, reach: int) -> list[Span]:
    """Place the windows of `cut` in a recording of so many samples."""
    n = max(1, ceil(count / most))
    ends = [count * i // n for i in range(n + 1)]
    longest = max(end - start for start, end in pairwise(ends))
    length = max(1, ceil((max(least, longest) - reach) / step)) * step + reach
    return [Span(start, end, length) for start, end in pairwise(ends)]


def overlapping_spans(count: int, *, most: int, stride: int, step: int, least: int, reach: int) -> list[Span]:
    """Place the windows of `cut_overlapping` in a recording of so many samples."""
    frames = max(1, ceil((count - reach) / step))
    spans = []
    for start in range(0, step * max(1, frames - (most // step - stride)), step * stride):
        end = min(count, start + most + reach)
        (alone,) = even_spans(end - start, most=most + reach, step=step, least=least, reach=reach)
        spans.append(Span(start, end, alone.length))
    return spans


def cut(samples: Samples, *, most: int, step: int, least: int = 1, reach: int = 0) -> NDArray[np.float32]:
    """Cut a recording into the fewest windows that hold it, of one length.

    Args:
        samples: (n,) samples.
        most: Samples of a window, a multiple of `step`.
        step: Samples of a frame; windows are whole frames.
        least: Samples that a window has at least.
        reach: Samples that the last frame needs beyond its own.

    Returns:
        (W, m) consecutive samples, m `reach` more than a multiple of `step`; each row ends in at most `step` zeros, or
        as many as `least` and one frame take.
    """
    spans = even_spans(len(samples), most=most, step=step, least=least, reach=reach)
    return np.stack([filled(samples[span.start : span.end], span.length) for span in spans])


def cut_overlapping(
    samples: Samples, *, most: int, stride: int, step: int, least: int = 1, reach: int = 0
) -> list[Samples]:
    """Cut a recording into windows that overlap.

    Args:
        samples: (n,) samples.
        most: Samples of a window, a multiple of `step`.
        stride: Frames after which the next window begins.
        step: Samples of a frame.
        least: Samples that a window has at least.
        reach: Samples that the last frame needs beyond its own.

    Returns:
        Consecutive samples, `reach` more than a multiple of `step` each. All but the last are `most` and `reach` long;
        the last has more than the overlap, and ends in zeros as those of `cut` do.
    """
    spans = overlapping_spans(len(samples), most=most, stride=stride, step=step, least=least, reach=reach)
    return [filled(samples[span.start : span.end], span.length) for span in spans]
