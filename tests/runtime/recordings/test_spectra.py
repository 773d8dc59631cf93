"""The runtime's descriptions of sound against transformers' extractors, which the library uses."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from headstart.backbones import mel_arrays
from headstart.backbones._transformers import ast_mel, kaldi_log_mel, kaldi_mel, log_mel, normalised
from headstart.runtime.recordings import describing, levelled

RATE = 16_000
CLOSE = 1e-4  # the extractors work in single precision, or leave it to torch


def samples(n: int) -> NDArray[np.float32]:
    rng, time = np.random.default_rng(n), np.arange(n) / RATE
    return (0.3 * np.sin(2 * np.pi * (300 + 900 * time) * time) + 0.02 * rng.normal(size=n)).astype(np.float32)


def described(recipe: dict[str, Any], arrays: dict[str, NDArray[Any]], n: int) -> NDArray[np.float32]:
    return describing(recipe, arrays)(samples(n))


@pytest.mark.parametrize("n", [400 + 160 * 5, 400 + 160 * 39, 400 + 160 * 999])
@pytest.mark.parametrize("stride", [1, 2])
def test_kaldi_spectra(n: int, stride: int) -> None:
    sound = {"rate": RATE, "bands": 80, "stride": stride}
    found = described({"kind": "kaldi", **sound}, mel_arrays("kaldi", sound), n)
    assert np.abs(found - kaldi_mel(**sound)(samples(n))).max() < CLOSE


def test_kaldi_spectra_with_a_floor() -> None:
    sound, quiet = {"rate": RATE, "bands": 80, "stride": 2}, {"floor": 3000.0, "spread": 1.0}
    found = described({"kind": "kaldi", **sound, "quiet": quiet}, mel_arrays("kaldi", sound), 400 + 160 * 39)
    expected = levelled(kaldi_log_mel(rate=RATE, bands=80)(samples(400 + 160 * 39)), **quiet)
    assert np.abs(found - expected.reshape(-1, 160)).max() < CLOSE


@pytest.mark.parametrize("n", [1600, 160 * 20, 160 * 3000])
def test_whisper_spectra(n: int) -> None:
    sound = {"rate": RATE, "bands": 80, "hop": 160, "fft": 400}
    recipe = {"kind": "whisper", "fft": 400, "hop": 160, "step": 320, "most": 1500, "pad": "none"}
    expected: Callable[..., Any] = log_mel(**sound)
    found = described(recipe, mel_arrays("whisper", sound), n)
    assert np.abs(found - expected(samples(n)).reshape(n // 320, -1)).max() < CLOSE


def test_a_window_of_whisper_is_filled_up_and_marked() -> None:
    sound = {"rate": RATE, "bands": 80, "hop": 160, "fft": 400}
    recipe = {"kind": "whisper", "fft": 400, "hop": 160, "step": 320, "most": 50, "pad": "window"}
    found = described(recipe, mel_arrays("whisper", sound), 320 * 7)
    assert found.shape == (50, 161)
    assert found[:, -1].tolist() == [1.0] * 7 + [0.0] * 43


@pytest.mark.parametrize("n", [400, 400 + 160 * 5, 400 + 160 * 1100])
@pytest.mark.parametrize("normalize", [True, False])
def test_ast_spectra(n: int, normalize: bool) -> None:
    sound = {"rate": RATE, "bands": 128, "most": 1024, "normalize": normalize, "mean": -4.27, "std": 4.57}
    recipe = {"kind": "ast", **{name: sound[name] for name in ("most", "normalize", "mean", "std")}}
    found = described(recipe, mel_arrays("ast", sound), n)
    assert np.abs(found[:, :-1] - ast_mel(**sound)(samples(n))).max() < 1e-4  # type: ignore[arg-type]
    assert found[:, -1].sum() == min(1024, 1 + (n - 400) // 160)


@pytest.mark.parametrize("normalize", [True, False])
def test_waves(normalize: bool) -> None:
    found = described({"kind": "waves", "step": 320, "reach": 80, "normalize": normalize}, {}, 320 * 9 + 80)
    expected = normalised(rate=RATE)(samples(320 * 9 + 80)) if normalize else samples(320 * 9 + 80)
    assert found.shape == (9, 400)
    assert np.abs(found[2] - expected[640:1040]).max() < 1e-6


def test_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="not described like this here: wavelets"):
        describing({"kind": "wavelets"}, {})
