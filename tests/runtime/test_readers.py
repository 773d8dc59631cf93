"""Reading for a graph against preparing for the network: the same numbers, from recipes alone."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headstart.backbones import Backbone, frame_backbone, load, word_backbone
from headstart.data import Document, Sound
from headstart.errors import ArtifactError
from headstart.export._recipes import TOKENIZER, recipe_of
from headstart.runtime.readers import FrameReader, Reader, reader_of

TEXTS = ["", "One.", "two three " * 400, "Ünïcode 👋🏽 and “quotes”"]


def reader(backbone: Backbone, folder: Path) -> Reader:
    recipe = recipe_of(backbone)
    if recipe.tokenizer is not None:
        (folder / TOKENIZER).write_bytes(recipe.tokenizer)
    return reader_of(recipe.inputs, folder, recipe.arrays)


def sounds(*seconds: float) -> list[Sound]:
    rng = np.random.default_rng(0)
    return [Sound(rng.normal(0, 0.1, int(16_000 * each)).astype(np.float32), 16_000) for each in seconds]


def test_texts_become_the_same_windows(tmp_path: Path) -> None:
    backbone = load("starter:minilm-l6")
    found, expected = reader(backbone, tmp_path), backbone.prepare(TEXTS)
    feed = found.feed([found.read(text) for text in TEXTS])
    assert expected.owner is not None
    assert expected.mask is not None
    assert np.array_equal(feed["tokens"], expected.values)
    assert np.array_equal(feed["real"], expected.mask)
    assert np.array_equal(feed["owner"], expected.owner)


@pytest.mark.parametrize("pooling", ["first", "mean"])
def test_words_have_the_same_places(tmp_path: Path, pooling: Any) -> None:
    backbone = word_backbone(load("starter:minilm-l6"), pooling)
    found, expected = reader(backbone, tmp_path), backbone.prepare(TEXTS)
    feed = found.feed([found.read(Document.of_text(text)) for text in TEXTS])
    assert expected.words is not None
    assert np.array_equal(feed["tokens"], expected.values)
    assert np.array_equal(feed["places"], expected.words.places)
    assert [found.cost(found.read(text)) for text in TEXTS[:2]] == [2, 4]  # a plain text is split into words


def test_recordings_become_the_same_frames(tmp_path: Path) -> None:
    backbone, items = load("starter:audio-small"), sounds(0.3, 2.0, 11.0)
    found, expected = reader(backbone, tmp_path), backbone.prepare(items)
    feed = found.feed([found.read(item) for item in items])
    assert expected.owner is not None
    assert np.abs(feed["frames"] - expected.values.numpy()).max() < 1e-4
    assert np.array_equal(feed["owner"], expected.owner)


def test_a_long_recording_is_divided_with_its_neighbours(tmp_path: Path) -> None:
    backbone = frame_backbone(load("starter:audio-small"), 25)
    found = reader(backbone, tmp_path)
    assert isinstance(found, FrameReader)
    (item,) = sounds(47)
    windows, places = read = found.read(item)
    assert len(windows) > 4
    rows = 0
    for (part, own), start in zip(found.parts(read, 2), range(0, len(windows), 2), strict=True):
        first = max(0, start - 1)
        feed = found.feed([part])
        assert np.array_equal(feed["frames"][0, : len(windows[first])], windows[first])
        assert part[1][0, 2] == 0
        at = np.flatnonzero(places[:, 2] == rows)
        assert np.array_equal(part[1][part[1][:, 2] == own.start, :2] + [first, 0], places[at, :2])
        rows += own.stop - own.start
    assert rows == places[-1, 2] + 1
    assert found.seconds == backbone.frame_seconds


def test_a_recipe_that_is_not_understood_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(
        ArtifactError, match="its preprocessing is not understood .KeyError: 'resize'.. Export the model"
    ):
        reader_of({"modality": "image", "scale": None}, tmp_path, {})
