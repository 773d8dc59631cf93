"""Recordings in pages: sounds that browsers play, and pictures of them."""

import io
import wave
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from headstart.data import Item, sound_blocks, sound_rate
from headstart.report._drawing import picture
from headstart.runtime.recordings import USUAL_RATE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SPAN: Final = 0.025  # seconds that a column of a spectrogram looks at
_RANGE: Final = 70.0  # decibels from black to white
_LEVELS: Final = 16  # of grey: a picture of noise in all 256 takes three times the room
_PER_SECOND: Final = 100  # columns, each as wide as a pixel
_WIDTHS: Final = (400, 1500)
_HEIGHT: Final = 128  # rows, each as high as a pixel
_DOTS: Final = 200  # per inch, as of all pictures
_FULL: Final = 32767


def wav_bytes(samples: NDArray[np.float32], rate: int) -> bytes:
    """Return a sound as a WAV file of 16 bits, which every browser plays.

    Args:
        samples: (N,), 1.0 at full scale; what is louder is clipped.
        rate: Samples per second.

    Returns:
        The bytes of the file.
    """
    whole = io.BytesIO()
    with wave.open(whole, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.rint(np.clip(samples, -1, 1) * _FULL).astype("<i2").tobytes())
    return whole.getvalue()


def beginning(item: Item, seconds: float) -> tuple[NDArray[np.float32], int]:
    """Read the beginning of a recording, at most at the usual rate of speech.

    Args:
        item: A path or a `Sound`.
        seconds: How much of it.

    Returns:
        (N,) samples, and how many a second has.

    Raises:
        DataError: It cannot be read any more.
    """
    rate = min(USUAL_RATE, sound_rate(item))
    found, most = list[NDArray[np.float32]](), round(seconds * rate)
    for block in sound_blocks(item, rate=rate):
        found.append(block)
        if sum(map(len, found)) >= most:
            break
    return np.concatenate(found)[:most], rate


def spectrogram_bytes(samples: NDArray[np.float32], rate: int) -> bytes:
    """Draw what frequencies a sound has when: time to the right, frequency upwards, dark where it is loud.

    Args:
        samples: (N,).
        rate: Samples per second; up to half of it is drawn.

    Returns:
        A PNG without borders or axes, so that what stands above and below it can be put at its times.

    Raises:
        MissingExtraError: matplotlib is missing or broken.
    """
    return picture(lambda: _figure(_loudness(samples, rate)))


def _loudness(samples: NDArray[np.float32], rate: int) -> NDArray[np.float64]:
    """Return (frequencies, columns) of decibels below the loudest, one for each pixel."""
    low, high = _WIDTHS
    width, span = min(high, max(low, round(_PER_SECOND * len(samples) / rate))), max(16, round(_SPAN * rate))
    padded = np.pad(samples.astype(np.float64), (span // 2, span))
    starts = np.linspace(0, len(samples) - 1, width).astype(np.intp)
    columns = padded[starts[:, None] + np.arange(span)] * np.hanning(span)
    size = max(2 * _HEIGHT, 1 << span.bit_length())
    power = np.square(np.abs(np.fft.rfft(columns, n=size, axis=1)))[:, :-1]
    decibels = 10 * np.log10(power.reshape(width, _HEIGHT, -1).mean(axis=2).T + 1e-12)
    return np.asarray(decibels - decibels.max())


def _figure(loudness: NDArray[np.float64]) -> "Figure":
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    height, width = loudness.shape
    figure = Figure(figsize=(width / _DOTS, height / _DOTS))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    greys = colormaps["Greys"].resampled(_LEVELS)
    axes.imshow(loudness, aspect="auto", origin="lower", cmap=greys, vmin=-_RANGE, vmax=0, interpolation="nearest")
    return figure
