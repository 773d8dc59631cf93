"""What networks for sounds are given of a window of samples: samples as they are, or logarithms of mel spectra.

The arithmetic is that of the extractors of transformers 5 (`transformers.audio_utils.spectrogram` and the classes that
call it), whose mel matrices an exported model carries; tests compare the two. Each is a function of (n,) samples that
gives (T, D) numbers.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
Describe = Callable[[Samples], NDArray[np.float32]]
Arrays = Mapping[str, NDArray[Any]]

KALDI_FRAME: Final = 400
KALDI_HOP: Final = 160
KALDI_FFT: Final = 512
KALDI_FLOOR: Final = 1.192092955078125e-07
PREEMPHASIS: Final = 0.97
FULL_SCALE: Final = 2**15  # Kaldi counts in steps of 16 bits
WHISPER_FLOOR: Final = 1e-10
_BLOCK: Final = 512  # frames whose spectra are taken at once


def describing(recipe: Mapping[str, Any], arrays: Arrays) -> Describe:
    """Return how windows are described.

    Args:
        recipe: ``kind`` (``waves``, ``kaldi``, ``whisper`` or ``ast``), and what that kind needs.
        arrays: ``window`` and ``mels``, but for waves.

    Returns:
        A function of (n,) samples that gives (T, D) numbers.

    Raises:
        ValueError: There is no such kind.
    """
    kinds: dict[str, Callable[[Mapping[str, Any], Arrays], Describe]] = {
        "waves": _waves,
        "kaldi": _kaldi,
        "whisper": _whisper,
        "ast": _ast,
    }
    if recipe["kind"] not in kinds:
        raise ValueError(f"sounds are not described like this here: {recipe['kind']}")
    return kinds[recipe["kind"]](recipe, arrays)


def levelled(spectra: NDArray[np.float32], *, floor: float, spread: float) -> NDArray[np.float32]:
    """Normalise spectra, so that what is next to silence stays next to nothing.

    Args:
        spectra: (T, bands) logarithms of power, T from 2.
        floor: A power; what is below it is raised to it.
        spread: The least standard deviation that a band is divided by.

    Returns:
        (T, bands), each band with mean 0 and variance 1, or less where it varies less than `spread`.
    """
    raised = np.maximum(spectra, np.float32(np.log(floor)))
    deviations = np.maximum(raised.std(axis=0, ddof=1), np.float32(spread))
    return np.asarray((raised - raised.mean(axis=0)) / deviations, dtype=np.float32)


def _waves(recipe: Mapping[str, Any], _: Arrays) -> Describe:
    """Return what wav2vec 2.0 is given: of each frame the samples it is computed from."""
    step, reach = recipe["step"], recipe["reach"]

    def describe(samples: Samples) -> NDArray[np.float32]:
        if recipe["normalize"]:
            samples = ((samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)).astype(np.float32)
        return np.ascontiguousarray(np.lib.stride_tricks.sliding_window_view(samples, step + reach)[::step])

    return describe


def _kaldi(recipe: Mapping[str, Any], arrays: Arrays) -> Describe:
    """Return what Wav2Vec2-BERT is given: several spectra to a frame, normalised over the window."""
    stride, bands, quiet = recipe["stride"], recipe["bands"], recipe.get("quiet")

    def describe(samples: Samples) -> NDArray[np.float32]:
        found = _log_mels(samples * np.float32(FULL_SCALE), arrays["window"], arrays["mels"])
        if quiet:
            return levelled(found, **quiet).reshape(-1, stride * bands)
        deviations = np.sqrt(found.var(axis=0, ddof=1) + 1e-7)
        found = ((found - found.mean(axis=0)) / deviations)[: len(found) // stride * stride]
        return np.asarray(found.reshape(-1, stride * bands), dtype=np.float32)

    return describe


def _ast(recipe: Mapping[str, Any], arrays: Arrays) -> Describe:
    """Return what AST is given: so many spectra, and which of them hold samples."""
    most, centre, spread = recipe["most"], recipe["mean"], 2 * recipe["std"]

    def describe(samples: Samples) -> NDArray[np.float32]:
        found = _log_mels(samples, arrays["window"], arrays["mels"])[:most]
        full = np.zeros((most, found.shape[1]), dtype=np.float32)
        full[: len(found)] = found
        if recipe["normalize"]:
            full = (full - np.float32(centre)) / np.float32(spread)
        real = np.arange(most) < 1 + (len(samples) - KALDI_FRAME) // KALDI_HOP
        return np.concatenate([full, real[:, None]], axis=1, dtype=np.float32)

    return describe


def _whisper(recipe: Mapping[str, Any], arrays: Arrays) -> Describe:
    """Return what Whisper is given: two spectra to a frame, of the samples or of these and silence after them."""
    fft, hop, step, most = recipe["fft"], recipe["hop"], recipe["step"], recipe["most"]

    def spectra(samples: Samples) -> NDArray[np.float32]:
        padded = np.pad(samples.astype(np.float64), fft // 2, mode="reflect")
        power = _power(padded, arrays["window"], hop=hop, fft=fft, raw=True)[:-1]
        found = np.log10(np.maximum(WHISPER_FLOOR, power @ arrays["mels"])).astype(np.float32)
        found = (np.maximum(found, found.max() - np.float32(8)) + np.float32(4)) / np.float32(4)
        return np.asarray(found.reshape(len(samples) // step, -1), dtype=np.float32)

    def describe(samples: Samples) -> NDArray[np.float32]:
        if recipe["pad"] != "window":
            return spectra(samples)
        real = np.arange(most) < len(samples) // step
        found = spectra(np.pad(samples, (0, most * step - len(samples))))
        return np.concatenate([found, real[:, None]], axis=1, dtype=np.float32)

    return describe


def _log_mels(samples: Samples, window: NDArray[Any], mels: NDArray[Any]) -> NDArray[np.float32]:
    """Return logarithms (T, bands) of power as Kaldi computes them."""
    power = _power(samples.astype(np.float64), window, hop=KALDI_HOP, fft=KALDI_FFT)
    return np.asarray(np.log(np.maximum(KALDI_FLOOR, power @ mels)), dtype=np.float32)


def _power(
    samples: NDArray[np.float64], window: NDArray[Any], *, hop: int, fft: int, raw: bool = False
) -> NDArray[np.float64]:
    """Return the power (T, fft // 2 + 1) of frames; unless raw, without their mean and with high tones raised."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, len(window))[::hop]
    blocks = np.split(frames, range(_BLOCK, len(frames), _BLOCK))
    return np.concatenate([_block_power(block, window=window, fft=fft, raw=raw) for block in blocks])


def _block_power(frames: NDArray[np.float64], *, window: NDArray[Any], fft: int, raw: bool) -> NDArray[np.float64]:
    if not raw:
        frames = frames - frames.mean(axis=1, keepdims=True)
        first = frames[:, :1] * (1 - PREEMPHASIS)
        frames = np.concatenate([first, frames[:, 1:] - PREEMPHASIS * frames[:, :-1]], axis=1)
    found = np.fft.rfft(frames * window, fft, axis=1).astype(np.complex64)
    return np.abs(found).astype(np.float64) ** 2
