"""Exporting a model folder: whole and checked or not at all, and never over what is no export."""

from pathlib import Path

import pytest

from headstart import pipeline
from headstart.errors import ArtifactError, DataError, OptionError
from headstart.export import RECORD, _timm
from tests.conftest import make_image
from tests.export.models import image_network, model_on, save


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save(model_on(image_network(tmp_path)), tmp_path).folder


def test_a_model_folder_becomes_an_export(model: Path, tmp_path: Path, photos: Path) -> None:
    told: list[str] = []
    (photos / "red" / "broken.png").write_bytes(b"no picture")
    found = pipeline.export(model, tmp_path / "out", format="timm", check=photos, say=told.append)
    assert found.folder == tmp_path / "out"
    assert found.parity.given == 60
    assert told == [f"1 of 61 items of {photos} cannot be read and are not compared."]
    assert (tmp_path / "out" / RECORD).is_file()


def test_only_so_many_items_are_compared(model: Path, tmp_path: Path, photos: Path, monkeypatch) -> None:
    monkeypatch.setattr("headstart.pipeline._export.MOST_CHECKED", 5)
    told: list[str] = []
    found = pipeline.export(model, tmp_path / "out", format="timm", check=photos, say=told.append)
    assert found.parity.given == 5
    assert told == [f"Answers are compared on the first 5 of 60 items of {photos}."]


def test_an_export_is_replaced_on_request_only_and_nothing_else_ever(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    pipeline.export(model, out, format="timm")
    (out / "extra").write_text("")
    with pytest.raises(OptionError, match="the export exists.*--overwrite"):
        pipeline.export(model, out, format="timm")
    pipeline.export(model, out, format="timm", overwrite="export")
    assert not (out / "extra").exists()
    with pytest.raises(OptionError, match="is no export, so it is never replaced"):
        pipeline.export(model, model, format="timm", overwrite="export")
    with pytest.raises(OptionError, match="expected the name of a folder"):
        pipeline.export(model, "/", format="timm", overwrite="export")


def test_what_fails_leaves_nothing_and_keeps_what_was_there(model: Path, tmp_path: Path, monkeypatch) -> None:
    out = tmp_path / "out"
    pipeline.export(model, out, format="timm")
    before = (out / RECORD).read_text()
    real = _timm._answers
    monkeypatch.setattr(_timm, "_answers", lambda *args: real(*args)[:, ::-1])
    with pytest.raises(ArtifactError, match="answers otherwise"):
        pipeline.export(model, out, format="timm", overwrite="export")
    with pytest.raises(ArtifactError, match="answers otherwise"):
        pipeline.export(model, tmp_path / "new", format="timm")
    assert (out / RECORD).read_text() == before
    assert sorted(path.name for path in tmp_path.iterdir() if "out" in path.name or "new" in path.name) == ["out"]


def test_items_that_are_not_there_are_an_error(model: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing can be read there.*--check"):
        pipeline.export(model, tmp_path / "out", format="timm", check=tmp_path / "absent")


def test_a_place_that_cannot_be_written_says_so(model: Path, tmp_path: Path) -> None:
    make_image((1, 2, 3), seed=0).save(tmp_path / "file.png")
    with pytest.raises(ArtifactError, match="the export cannot be written"):
        pipeline.export(model, tmp_path / "file.png" / "out", format="timm")
