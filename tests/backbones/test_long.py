"""Recordings that are not kept: the windows and batches of those that are read whole."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.backbones import Backbone, LongSound, _long, augmented, frame_backbone, load
from headstart.backbones._long import pieces
from headstart.data import Sound
from headstart.errors import DataError
from tests.backbones import test_transformers_sounds as whisper
from tests.backbones import test_yamnet as yamnet

SIZES = (400, 20_000, 20_480, 20_481, 40_960, 90_001)  # samples; windows of the toy have 20,480


def recording(size: int, *, seed: int = 0) -> Sound:
    samples = 0.1 * np.random.default_rng([seed, size]).standard_normal(size)
    return Sound(samples.astype(np.float32), 16_000)


def long_one(backbone: Backbone, item: Any) -> LongSound:
    (found,) = backbone.preparer.read_long([item])  # type: ignore[attr-defined]
    assert isinstance(found, LongSound)
    return found


def networks(folder: Path) -> dict[str, Backbone]:
    """Toys, one that fills up its window with silence and marks it, and one of patches that overlap."""
    padded = load(f"dir:{whisper.tiny(folder / 'padded', pad='window')}")
    return {
        "toy": load("toy:audio"),
        "frames": frame_backbone(load("toy:audio"), 25),
        "padded": padded,
        "padded frames": frame_backbone(padded, 25),
        "patches": load(f"dir:{yamnet.random(folder / 'patches')}"),
    }


@pytest.fixture(scope="module")
def backbones(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Backbone]:
    return networks(tmp_path_factory.mktemp("networks"))


@pytest.mark.parametrize("name", ["toy", "frames", "padded", "padded frames", "patches"])
def test_windows_and_batches_are_those_of_reading_it_whole(
    backbones: dict[str, Backbone], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_long, "SECONDS_KEPT", 0)
    backbone = backbones[name]
    for item in map(recording, SIZES):
        (whole,), found = backbone.preparer.read([item]), long_one(backbone, item)
        assert backbone.preparer.cost(found) == backbone.preparer.cost(whole)
        expected, again = backbone.preparer.collate([whole]), backbone.preparer.collate([found])
        close = 1e-6 if name == "patches" else 0.0  # where a product of matrices may depend on their height
        torch.testing.assert_close(again.values, expected.values, atol=close, rtol=0)
        for size in (1, 2, 100):
            parts = list(found.batches(size))
            torch.testing.assert_close(torch.cat([part.values for part in parts]), again.values, atol=0, rtol=0)
            for start, part in zip(range(0, len(expected.values), size), parts, strict=True):
                check_run(part, expected, start)


def check_run(part: Any, whole: Any, start: int) -> None:
    """What `headstart.features` cuts out of the batch of all windows: the same mask, owners and places."""
    run = slice(start, start + len(part.values))
    assert (part.mask is None) == (whole.mask is None)
    if whole.mask is not None:
        assert torch.equal(part.mask, whole.mask[run])
    if whole.words is None:
        assert (part.owner is None) == (whole.owner is None)
        assert part.owner is None or torch.equal(part.owner, whole.owner[run])
        return
    words, _ = whole.words.at(torch.arange(len(whole.values))[run])
    assert part.words.count == words.count
    assert torch.equal(part.words.places, words.places)


def test_only_what_is_long_is_read_later(backbones: dict[str, Backbone]) -> None:
    for backbone in backbones.values():
        short, long = recording(16_000 * 60), recording(16_000 * 60 + 1)
        (kept,) = backbone.preparer.read_long([short])  # type: ignore[attr-defined]
        (whole,) = backbone.preparer.read([short])
        for ours, theirs in zip(kept, whole, strict=True):
            np.testing.assert_array_equal(ours, theirs)
        assert sum(long_one(backbone, long).lengths) >= sum(map(len, whole[: len(whole) - (not backbone.one_row)]))


def test_augmented_views_are_made_of_the_whole_recording(
    backbones: dict[str, Backbone], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_long, "SECONDS_KEPT", 0)
    for name in ("toy", "patches"):
        view, item = augmented(backbones[name], view=1, seed=0), recording(90_000)
        (kept,) = view.preparer.read_long([item])  # type: ignore[attr-defined]
        (whole,) = view.preparer.read([item])
        assert len(kept) == len(whole) > 1
        for ours, theirs in zip(kept, whole, strict=True):
            np.testing.assert_array_equal(ours, theirs)


@settings(deadline=None)
@given(
    blocks=st.lists(st.integers(0, 7), min_size=1, max_size=12),
    size=st.integers(1, 9),
    step=st.integers(1, 9),
)
def test_pieces_are_slices_of_what_comes_in_blocks(blocks: list[int], size: int, step: int) -> None:
    step = min(step, size)
    rows = np.arange(sum(blocks))
    spans = [(start, start + size) for start in range(0, len(rows) - size + 1, step)]
    given_ = iter(np.split(rows, np.cumsum(blocks)[:-1]))
    found = list(pieces(given_, spans, where=""))
    assert len(found) == len(spans)
    for (start, end), piece in zip(spans, found, strict=True):
        np.testing.assert_array_equal(piece, rows[start:end])


@pytest.mark.parametrize("name", ["toy", "patches"])
def test_a_file_that_gets_shorter_while_it_is_read(
    backbones: dict[str, Backbone], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_long, "SECONDS_KEPT", 1)
    path = tmp_path / "long.wav"
    soundfile.write(path, recording(200_000).samples, 16_000)
    found = long_one(backbones[name], path)
    soundfile.write(path, recording(100_000).samples, 16_000)
    with pytest.raises(DataError, match=r"expected 20\d,\d{3} samples, as when it was first read") as error:
        list(found.windows())
    assert (error.value.where, error.value.fix) == (str(path), "Run it again when nothing writes to the file.")


def test_faults_are_found_when_it_is_first_read(backbones: dict[str, Backbone], tmp_path: Path) -> None:
    samples = recording(16_000 * 61).samples.copy()
    samples[-1] = np.nan
    soundfile.write(tmp_path / "a.wav", samples, 16_000, subtype="FLOAT")
    for backbone in backbones.values():
        with pytest.raises(DataError, match="expected finite samples"):
            backbone.preparer.read_long([tmp_path / "a.wav"])  # type: ignore[attr-defined]
