"""A model folder answers item by item what `predict` says of files."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from headstart.errors import ArtifactError, DataError, OptionError
from headstart.pipeline import FitOptions, Predictor, Wanted, fit, predict
from headstart.serve import Limits
from tests.conftest import make_texts
from tests.data.sounds import write_classes
from tests.spoken import RATE, sound, write_spoken
from tests.tagged import make_tagged, write_conll

LIMITS = Limits()
QUICK = {"strategy": "probe()", "proof": "none", "budget": 120.0}


def fitted(data: Path, folder: Path, backbone: str) -> Path:
    fit(data, folder, options=FitOptions(backbones=(backbone,), **QUICK))
    return folder


def same(found: dict, expected: dict) -> None:
    """Compare rows: equal but for what other neighbours in a batch round otherwise."""
    expected = {name: value for name, value in expected.items() if name != "input"}
    assert list(found) == list(expected)
    for name, value in expected.items():
        if isinstance(value, float | dict):
            assert found[name] == pytest.approx(value, abs=1e-4)
        elif name in ("spans", "words"):
            assert [row[:3] for row in found[name]] == [row[:3] for row in value]
        else:
            assert found[name] == value


def compare(model: Path, inputs: list[Path], payloads: list[bytes | str], **wanted: object) -> Predictor:
    asked = Wanted(**wanted)
    predictor = Predictor.open(model, wanted=asked)
    expected = list(predict(model, inputs, wanted=asked))
    items = [predictor.read(payload, LIMITS) for payload in payloads]
    for found, row in zip(predictor.answer(items), expected, strict=True):
        same(found, row)
    same(predictor.answer(items[:1])[0], expected[0])
    return predictor


def test_pictures(photos, tmp_path):
    model = fitted(photos, tmp_path / "model", "toy:image")
    files = sorted(photos.rglob("*.png"))[::10]
    gray = tmp_path / "deep.png"
    Image.fromarray((np.arange(320, dtype=np.uint16) * 200).reshape(16, 20)).save(gray)
    files.append(gray)
    predictor = compare(model, files, [file.read_bytes() for file in files], max_error=0.3)
    assert (predictor.name, predictor.modality, predictor.kind) == ("model", "image", "classification")
    assert predictor.classes == ("blue", "red")
    assert predictor.promises[0].startswith("The set of classes holds the right one for 90%")
    assert predictor.promises[1].startswith("Answers are given from a confidence of")
    with pytest.raises(DataError, match="expected at most 100 pixels"):
        predictor.read(files[0].read_bytes(), dataclasses.replace(LIMITS, pixels=100))
    for payload in (b"", b"GIF89a", "a text"):
        with pytest.raises(DataError) as caught:
            predictor.read(payload, LIMITS)
        assert caught.value.where == ""


def test_texts(texts_csv, tmp_path):
    model = fitted(texts_csv, tmp_path / "model", "toy:text")
    texts, _ = make_texts(8, seed=5)
    texts.append("rain " * 3000)
    (tmp_path / "new.txt").write_text("\n".join(texts))
    predictor = compare(model, [tmp_path / "new.txt"], [*texts[:4], *(text.encode() for text in texts[4:])])
    with pytest.raises(DataError, match="expected at most 100,000 characters"):
        predictor.read("a" * 100_001, LIMITS)


def test_entities(tmp_path):
    data = write_conll(tmp_path / "data.conll", *make_tagged(60))
    model = fitted(data, tmp_path / "model", "toy:text")
    texts = [" ".join(words) for words in make_tagged(6, seed=9)[0]]
    files = []
    for number, text in enumerate([*texts, "rain and cat  \u2026 " * 800]):
        files.append(tmp_path / f"{number}.txt")
        files[-1].write_text(text)
    predictor = compare(model, files, [file.read_bytes() for file in files])
    assert predictor.promises == ()
    row = predictor.answer([predictor.read("!", LIMITS)])[0]
    assert row == {"spans": [], "texts": []}


def test_recordings(tmp_path):
    write_classes(tmp_path / "data", {"a": 12, "b": 12})
    model = fitted(tmp_path / "data", tmp_path / "model", "toy:audio")
    files = sorted((tmp_path / "data").rglob("*.wav"))[::8]
    long = tmp_path / "long.wav"
    soundfile.write(long, 0.1 * np.random.default_rng(0).standard_normal(70 * RATE), RATE)
    predictor = compare(model, [*files, long], [file.read_bytes() for file in [*files, long]])
    with pytest.raises(DataError, match=r"expected at most 60 s of sound, found 70\.0 s"):
        predictor.read(long.read_bytes(), dataclasses.replace(LIMITS, audio_seconds=60))


@pytest.mark.slow
def test_speech(tmp_path):
    model = fitted(write_spoken(tmp_path / "data", 40), tmp_path / "model", "toy:audio")
    long = tmp_path / "long.wav"
    soundfile.write(long, np.concatenate([sound("dab cad", seed=i) for i in range(50)]), RATE)
    assert soundfile.info(long).duration > 61
    files = [*sorted((tmp_path / "data").glob("*.wav"))[:3], long]
    compare(model, files, [file.read_bytes() for file in files])


def test_what_is_no_model_or_cannot_be_promised_is_refused(texts_csv, tmp_path):
    with pytest.raises(ArtifactError, match="no such folder"):
        Predictor.open(tmp_path / "none")
    model = fitted(texts_csv, tmp_path / "model", "toy:text")
    with pytest.raises(OptionError, match="--positive"):
        Predictor.open(model, wanted=Wanted(positive="food"))
