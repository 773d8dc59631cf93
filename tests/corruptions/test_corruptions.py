"""What every corruption promises: the same item gives the same result, whatever else there is."""

import json
import subprocess
import sys

import numpy as np
import pytest

from headstart.corruptions import SEVERITIES, corruptions_for, opened, refused_for
from headstart.data import Document, Sound, hash_item
from headstart.errors import OptionError
from tests.conftest import make_image

TEXT = "The quick brown fox, which jumped; over 13 lazy dogs (again) - never stopped. It's Überall!"


def item_of(modality, kind="classification"):
    if modality == "image":
        return make_image((160, 100, 90), seed=3, size=(80, 70))
    if modality == "audio":
        samples = np.random.default_rng(0).normal(size=8000).cumsum()
        return Sound((0.5 * samples / np.abs(samples).max()).astype(np.float32), 8000)
    return Document.of_text(TEXT) if kind == "tagging" else TEXT


CASES = [
    (modality, kind, corruption)
    for modality, kind in [
        ("image", "classification"),
        ("image", "regression"),
        ("text", "multilabel"),
        ("text", "tagging"),
        ("audio", "transcription"),
    ]
    for corruption in corruptions_for(modality, kind)
]


@pytest.mark.parametrize(("modality", "kind", "corruption"), CASES, ids=lambda value: getattr(value, "name", value))
def test_a_corrupted_item_is_of_its_kind_and_size_and_the_original_stays(modality, kind, corruption):
    item = item_of(modality, kind)
    before = hash_item(item)
    for severity in SEVERITIES:
        found = corruption(item, severity, seed=0)
        assert type(found) is type(item) or modality == "image"
        if modality == "image":
            assert (found.mode, found.size) == ("RGB", item.size)
        if modality == "audio":
            assert (found.rate, found.samples.shape, found.samples.dtype) == (8000, item.samples.shape, np.float32)
            assert np.isfinite(found.samples).all()
        if kind == "tagging":
            assert len(found.text) == len(item.text)
            assert found.words == item.words
    assert hash_item(item) == before
    assert hash_item(found) != before  # the third severity changes all of these items


@pytest.mark.parametrize(("modality", "kind", "corruption"), CASES, ids=lambda value: getattr(value, "name", value))
def test_the_same_content_and_seed_give_the_same_item_in_any_order(modality, kind, corruption):
    item, copy = item_of(modality, kind), item_of(modality, kind)
    alone = hash_item(corruption(item, 2, seed=5))
    corruption(item_of("image") if modality == "image" else item, 1, seed=9)
    assert hash_item(corruption(copy, 2, seed=5)) == alone


def test_another_seed_or_other_content_gives_other_mishaps():
    noise = corruptions_for("image")[1]
    flat = [np.full((32, 32, 3), value, np.uint8) for value in (100, 101)]
    drawn = [
        np.asarray(noise(opened(pixels, "image"), 1, seed=seed)).astype(int) - pixels
        for pixels, seed in [(flat[0], 0), (flat[0], 1), (flat[1], 0)]
    ]
    assert np.abs(drawn[0] - drawn[1]).mean() > 5
    assert np.abs(drawn[0] - drawn[2]).mean() > 5


def test_another_process_gives_the_same_items():
    def told() -> list[str]:
        return [hash_item(each(TEXT, 3, seed=1)) for each in corruptions_for("text")]

    code = (
        "import json; from headstart.corruptions import corruptions_for; from headstart.data import hash_item;"
        f"print(json.dumps([hash_item(each({TEXT!r}, 3, seed=1)) for each in corruptions_for('text')]))"
    )
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(there.stdout) == told()


def test_a_severity_that_there_is_not_is_refused():
    with pytest.raises(OptionError, match="expected a severity of 1, 2 or 3, found 4"):
        corruptions_for("text")[0]("some text", 4, seed=0)


def test_tagging_leaves_out_what_moves_characters_and_says_which():
    assert [each.name for each in corruptions_for("text", "tagging")] == ["typos", "case"]
    assert refused_for("text", "tagging") == ("punctuation",)
    assert refused_for("audio", "transcription") == ()


def test_a_file_is_opened_as_a_network_reads_it(tmp_path):
    make_image((10, 20, 30), seed=0).convert("L").save(tmp_path / "a.png")
    assert opened(tmp_path / "a.png", "image").mode == "RGB"
    stereo = Sound(np.stack([np.ones(1000), -np.ones(1000)], axis=1).astype(np.float32), 16000)
    assert (opened(stereo, "audio").samples == 0).all()
    assert opened("a text", "text") == "a text"
