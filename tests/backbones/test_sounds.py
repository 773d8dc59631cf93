"""Recordings to windows of frames, and frames to batches."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given
from hypothesis import strategies as st

from headstart.backbones import load
from headstart.backbones._sounds import collate_frames
from headstart.data import Sound
from headstart.errors import DataError
from headstart.runtime.recordings import cut


@given(n=st.integers(1, 5000), frames=st.integers(1, 40), step=st.integers(1, 16), least=st.integers(1, 20))
def test_windows_hold_every_sample_once_and_no_short_rest(n: int, frames: int, step: int, least: int) -> None:
    most = frames * step
    samples = np.arange(1, n + 1, dtype=np.float32)
    windows = cut(samples, most=most, step=step, least=min(least, most))
    assert np.array_equal(windows[windows > 0], samples)
    assert len(windows) == -(-n // most)
    assert windows.shape[1] <= most
    assert windows.shape[1] % step == 0
    real = (windows > 0).sum(axis=1)
    assert real.max() - real.min() <= 1
    if real.min() >= least:
        assert (windows.shape[1] - real).max() <= step


def test_a_clip_shorter_than_an_analysis_is_filled_up() -> None:
    assert cut(np.ones(5, np.float32), most=64, step=8, least=20).shape == (1, 24)


def test_frames_are_padded_masked_and_owned_only_where_needed() -> None:
    one, two = np.ones((3, 2), np.float32), np.full((1, 2), 2, np.float32)
    same = collate_frames([(one,), (one,)])
    assert same.mask is None
    assert same.owner is None
    batch = collate_frames([(two,), (one, one)])
    assert batch.values.shape == (3, 3, 2)
    assert batch.values[0].tolist() == [[2, 2], [0, 0], [0, 0]]
    assert batch.mask is not None
    assert batch.mask.sum(1).tolist() == [1, 3, 3]
    assert batch.owner is not None
    assert batch.owner.tolist() == [0, 1, 1]


@given(n=st.integers(1, 5000), frames=st.integers(1, 40), step=st.integers(1, 16), reach=st.integers(0, 20))
def test_windows_end_with_what_the_last_frame_reaches_into_and_no_more(
    n: int, frames: int, step: int, reach: int
) -> None:
    most = frames * step
    samples = np.arange(1, n + 1, dtype=np.float32)
    windows = cut(samples, most=most, step=step, reach=reach)
    assert np.array_equal(windows[windows > 0], samples)
    assert len(windows) == -(-n // most)
    assert (windows.shape[1] - reach) % step == 0
    assert windows.shape[1] <= most + reach
    if windows.shape[1] > step + reach:
        assert (windows == 0).sum(axis=1).max() <= step


def test_files_and_recordings_in_memory_are_read_alike(tmp_path: Path) -> None:
    samples = (0.5 * np.sin(np.arange(12_000) / 9)).astype(np.float32)
    soundfile.write(tmp_path / "tone.wav", samples, 16_000, subtype="FLOAT")
    backbone = load("toy:audio")
    one, two = backbone.preparer.read([tmp_path / "tone.wav", Sound(samples, 16_000)])
    assert len(one) == len(two) == 1
    np.testing.assert_array_equal(one[0], two[0])
    assert backbone.preparer.cost(one) == 38
    with pytest.raises(DataError):
        backbone.prepare([tmp_path / "nothing.wav"])
    assert torch.isfinite(backbone.forward(backbone.prepare([Sound(0 * samples, 16_000)]))).all()
