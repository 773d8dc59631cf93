"""`headstart export` and `headstart models pack|add` on the command line."""

import json
from pathlib import Path

import pytest

from headstart.backbones import _load
from tests.export.models import model_on, save, text_network


@pytest.fixture
def model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    folder = save(model_on(text_network(tmp_path)), tmp_path).folder
    capsys.readouterr()  # what transformers says where the network is made
    return folder


def test_an_export_says_how_it_was_checked_and_how_to_load_it(run, model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    status, out, err = run("export", model, "-o", folder, "--format", "transformers")
    assert status == 0, err
    assert f'Load it with: AutoModelForSequenceClassification.from_pretrained("{folder}")' in out
    assert "the largest difference is" in out
    assert "beyond what this format keeps" in out
    assert "licence of the pretrained weights is not known" in out
    assert not err, "bars of transformers"


def test_json_is_one_document(run, model: Path, tmp_path: Path) -> None:
    words = ("export", model, "-o", tmp_path / "out", "--format", "transformers")
    found = json.loads(run(*words, "--json")[1])
    assert found["parity"]["difference"] <= found["parity"]["tolerance"]
    assert (found["format"], found["licence"]) == ("transformers", None)
    status, _, err = run(*words)
    assert (status, "--overwrite" in err) == (1, True)
    assert run(*words, "--overwrite")[0] == 0


def test_what_a_format_cannot_hold_is_one_line(run, model: Path, tmp_path: Path) -> None:
    status, out, err = run("export", model, "-o", tmp_path / "out", "--format", "timm")
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert "timm holds image networks" in err


def test_a_pack_is_made_and_added_with_licences_and_limits(run, tmp_path: Path, monkeypatch) -> None:
    folder = text_network(tmp_path).name.removeprefix("dir:")
    monkeypatch.setattr(_load, "_hub_folder", lambda address, offline: Path(folder))
    pack = tmp_path / "pack.zip"
    status, out, err = run("models", "pack", "hf:org/one", "hf:org/two", "-o", pack, "--offline")
    assert status == 0, err
    assert "hf:org/one: 3 files, 0.0 MB, licence not stated" in out
    assert "headstart models add pack.zip" in out
    status, _, err = run("models", "add", pack, "--max-files", 2)
    assert (status, "--max-files 7" in err) == (1, True)
    status, out, _ = run("models", "add", pack)
    assert "Use it with: --backbone hf:org/two" in out
