"""What of the examples is in a model folder and in the store, and how it is kept out."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import headstart
from headstart import FitOptions
from headstart.data import Dataset
from headstart.features import Store
from headstart.pipeline import Reading, forget
from headstart.pipeline._privacy import cut_short, keeps_examples_out, note_on_privacy, unnamed
from tests.conftest import make_texts

IMAGE = FitOptions(backbones=("toy:image",), offline=True, strategy="probe", proof="none")


@pytest.fixture
def patients(tmp_path: Path) -> Path:
    """Pictures whose file names and groups are names of people, two of them broken."""
    folder = tmp_path / "clinic"
    rng = np.random.default_rng(0)
    for label, shade in (("ill", 60), ("well", 190)):
        (folder / label).mkdir(parents=True)
        for number in range(30):
            pixels = np.clip(rng.normal(shade, 25, (16, 16, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / label / f"Miller{number:02}_{label}.png")
    (folder / "ill" / "Smith99_ill.png").write_bytes(b"")
    return folder


def test_without_examples_no_name_is_in_any_file_of_the_model(patients, tmp_path):
    reading = Reading(group=r"filename:^([A-Za-z]+\d+)_", on_error="skip")
    said: list[str] = []
    options = replace(IMAGE, examples="none")
    headstart.fit(patients, tmp_path / "m", reading=reading, options=options, say=said.append)
    files = [path for path in (tmp_path / "m").rglob("*") if path.is_file() and path.suffix != ".safetensors"]
    assert files
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert "Miller" not in text, path.name
        assert "Smith" not in text, path.name
        assert "clinic" not in text, path.name
    data = json.loads((tmp_path / "m" / "data.json").read_text())
    assert data["places"][:2] == ["#1", "#2"]
    assert len(set(data["groups"])) == 30
    assert any(note.startswith("No example is shown or named in the model folder;") for note in said)


def test_otherwise_the_files_are_named(patients, tmp_path):
    headstart.fit(patients, tmp_path / "m", reading=Reading(on_error="skip"), options=IMAGE)
    assert "Miller00" in (tmp_path / "m" / "data.json").read_text()


def test_a_model_without_names_can_be_continued_by_content(patients, tmp_path):
    reading = Reading(group=r"filename:^([A-Za-z]+\d+)_", on_error="skip")
    options = replace(IMAGE, examples="none")
    headstart.fit(patients, tmp_path / "m", reading=reading, options=options)
    again = replace(options, strategy=None, continue_from=str(tmp_path / "m"))
    result = headstart.fit(patients, tmp_path / "m2", reading=reading, options=again)
    assert result.continued is not None


def test_files_of_patients_are_kept_out_unasked():
    def of(*names: str) -> Dataset:
        return Dataset("image", tuple(Path(name) for name in names), names)

    assert keeps_examples_out(of("a.png", "b.DCM"), "auto")
    assert not keeps_examples_out(of("a.png"), "auto")
    assert "because some are DICOM files" in note_on_privacy(of("b.dicom"))


def test_of_texts_no_page_quotes_them(tmp_path):
    sentences = ["Ada|B-PER went|O home|O", "we|O saw|O Bob|B-PER", "nobody|O came|O today|O"] * 12
    lines = ["\n".join(word.replace("|", "\t") for word in sentence.split()) for sentence in sentences]
    data = tmp_path / "data.conll"
    data.write_text("\n\n".join(f"{line}\nx{number}\tO" for number, line in enumerate(lines)) + "\n")
    options = FitOptions(backbones=("toy:text",), offline=True, strategy="probe", proof="none", examples="none")
    headstart.fit(data, tmp_path / "m", options=options)
    assert not (tmp_path / "m" / "entities.html").exists()


def test_what_is_left_of_a_message_names_nothing():
    assert cut_short("Converted: grayscale to RGB: 12 (first: Miller.png).") == "Converted: grayscale to RGB: 12"
    assert cut_short("expected an image, found an empty file") == "expected an image"


def test_a_note_that_may_still_name_an_example_is_left_out():
    notes = [
        "Task: image classification, 2 classes (column 'label').",
        "Parts of file names ('Miller00' of 'Miller00_ill.png') may say whose picture it is: --group \"filename:^M\".",
        "Tags in diary.conll: IOB2.",
        "finetune(last='all', rate=0.001): up to 1.5 s expected.",
        "Warning: the same picture twice (Ann Miller.png)",
    ]
    assert unnamed(notes) == ["Task: image classification, 2 classes.", notes[3]]


def test_the_store_forgets_a_data_set_and_keeps_the_others(tmp_path):
    def write(name: str, seed: int) -> Path:
        texts, labels = make_texts(60, seed=seed)
        path = tmp_path / f"{name}.csv"
        path.write_text("text,label\n" + "".join(f"{t},{c}\n" for t, c in zip(texts, labels, strict=True)))
        return path

    options = FitOptions(backbones=("toy:text",), offline=True, strategy="probe", proof="none")
    ours, theirs = write("ours", 0), write("theirs", 1)
    headstart.fit(ours, tmp_path / "m1", options=options)
    headstart.fit(theirs, tmp_path / "m2", options=options)
    before = sum(shelf.rows for shelf in Store().shelves())
    found = forget(ours)
    assert (found.items, found.others) == (60, 0)
    assert found.rows >= 60
    assert sum(shelf.rows for shelf in Store().shelves()) == before - found.rows
    assert forget(ours).rows == 0
    assert forget(theirs).rows >= 60
    headstart.fit(ours, tmp_path / "m3", options=options)  # computed again
