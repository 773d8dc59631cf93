"""Headstart's own layout of a folder: what is written is read back bit by bit, and what was changed is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from headstart.backbones import Backbone, augmented, load, locate, with_lora, write_folder
from headstart.data import hash_item
from headstart.errors import BackboneError
from tests.backbones.families import EVERY, items, make, small


@pytest.mark.parametrize("family", [*(family for family in EVERY if family not in ("own", "augmented")), "uncut"])
def test_what_is_written_is_read_back_with_the_same_outputs(family: str, tmp_path: Path) -> None:
    backbone = make(family, tmp_path / "net")
    with torch.no_grad():
        next(backbone.network.parameters()).mul_(1.5)  # what is written are the weights as they are
    write_folder(backbone, tmp_path / "deep" / "er")
    again = load(f"dir:{(tmp_path / 'deep' / 'er').rename(tmp_path / 'moved')}")
    batch = backbone.prepare(items(backbone))
    assert torch.equal(again.prepare(items(backbone)).values, batch.values)
    for view, features in backbone.forward_views(batch).items():
        assert torch.equal(again.forward_views(batch)[view], features)
    assert (again.weights_hash, again.preprocessing_hash) == (backbone.weights_hash, backbone.preprocessing_hash)
    assert (again.source, again.assets, again.notes, again.cuts) == (
        *(backbone.source, backbone.assets, backbone.notes, backbone.cuts),
    )
    assert locate(again.name) == tmp_path / "moved"
    assert str(tmp_path) not in (tmp_path / "moved/backbone.json").read_text()
    assert not list(tmp_path.glob("deep/*"))


def written(tmp_path: Path, family: str = "bert") -> Path:
    write_folder(make(family, tmp_path / "net"), tmp_path / "out")
    return tmp_path / "out"


def test_the_licence_is_the_one_given_or_the_catalogues(tmp_path: Path) -> None:
    write_folder(load("toy:text"), tmp_path / "a")
    write_folder(load("toy:text"), tmp_path / "b", licence="mit")
    starter = load("starter:minilm-l6#encoder.layer.0")
    write_folder(starter, tmp_path / "c")
    found = [json.loads((tmp_path / name / "backbone.json").read_text())["licence"] for name in "abc"]
    assert found == [None, "mit", "apache-2.0"]


def test_an_existing_folder_is_never_written_into(tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match="the folder exists"):
        write_folder(load("toy:text"), tmp_path)


def test_a_folder_that_cannot_be_finished_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, text: str, **_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(BackboneError, match=r"out: the disk is full\. Free space"):
        write_folder(load("toy:text"), tmp_path / "out")
    assert not list(tmp_path.glob("out*"))


def test_what_no_folder_can_hold_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    own = Backbone.from_module([("a", nn.Conv2d(3, 4, 1)), ("b", nn.Conv2d(4, 2, 1))], small, name="mine")
    for backbone in (own, own.truncated("a")):
        with pytest.raises(BackboneError, match=r"mine.*your own modules.*code no folder holds.*write_tensors\(PATH"):
            write_folder(backbone, tmp_path / "out")
    toy = load("toy:image")
    with pytest.raises(BackboneError, match=r"such as augmentation\. Write the backbone it was made from"):
        write_folder(augmented(toy, 1), tmp_path / "out")
    with pytest.raises(BackboneError, match=r"cannot be built again.*is missing.*the merged one"):
        write_folder(with_lora(toy, after=None, rank=2, alpha=4, seed=0).backbone, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["model.safetensors", "assets/tokenizer.json"])
def test_a_file_that_is_missing_or_changed_is_named(name: str, tmp_path: Path) -> None:
    path = written(tmp_path) / name
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(BackboneError, match=rf"{name}: expected SHA-256 .*Copy the folder again, whole"):
        load(f"dir:{tmp_path / 'out'}")
    path.unlink()
    with pytest.raises(BackboneError, match=rf"{name}: cannot be read .*Copy the folder again, whole"):
        load(f"dir:{tmp_path / 'out'}")


def changed(folder: Path, *keys: str, to: Any) -> None:
    """Change one value of the description, or remove it."""
    path = folder / "backbone.json"
    record = json.loads(path.read_text())
    inner = record
    for key in keys[:-1]:
        inner = inner[key]
    if to is None:
        del inner[keys[-1]]
    else:
        inner[keys[-1]] = to
    path.write_text(json.dumps(record))


@pytest.mark.parametrize(
    ("family", "keys", "to", "message"),
    [
        ("toy:text", ("format",), 2, r"backbone\.json: expected format 1, found 2\. Update headstart"),
        ("toy:text", ("format",), None, "expected format 1, found None"),
        ("toy:text", ("source",), [1], r"backbone\.json: not a description of a backbone: source is \[1\]\. Copy the"),
        ("toy:text", ("files",), None, "files is missing"),
        ("toy:text", ("notes",), "x", "notes is 'x'"),
        ("toy:text", ("files", "model.safetensors"), None, "files.model.safetensors is missing"),
        ("toy:text", ("files", "../secret"), "0", "a file that is no part of it, '../secret'"),
        ("toy:text", ("files", "assets/../../secret"), "0", "a file that is no part of it"),
        ("toy:text", ("files", "/etc/hosts"), "0", "a file that is no part of it, '/etc/hosts'"),
        ("toy:text", ("files", "code.py"), "0", "a file that is no part of it, 'code.py'"),
        ("toy:text", ("source", "name"), "other", "source.name is 'other'"),
        ("toy:text", ("source", "library"), "module", "your own modules"),
        ("toy:text", ("source", "library"), "os", "expected a library among .*found 'os'"),
        ("toy:text", ("source", "library"), "headstart", "expected a library among .*found 'headstart'"),
        ("toy:text", ("source", "library"), ["timm"], r"source.library is \['timm'\]"),
        ("toy:text", ("source", "after"), "embeddings", r"layers\.0\.0\.weight is not part of it.*backbone\.json"),
        ("toy:text", ("source", "after"), "x", "there is no cut point 'x'"),
        ("bert", ("files", "assets/tokenizer.json"), None, "files.assets/tokenizer.json is missing"),
        ("bert", ("source", "pooling"), None, "source.pooling is missing"),
        ("bert", ("source", "config", "model_type"), "remote", "does not know the model type 'remote'"),
        ("bert", ("source", "config"), None, "source.config is missing"),
        ("vit-token", ("source", "architecture"), "hf-hub:org/net", "has no architecture 'hf-hub:org/net'"),
        ("vit-token", ("source", "model_args", "checkpoint_path"), "x.pth", '"model_args" may only say'),
        ("vit-token", ("source", "model_args"), [1], r"source.model_args is \[1\]"),
        ("vit-token", ("source", "preprocessing", "mean"), None, "source.preprocessing.mean is missing"),
        ("vit-token", ("source", "preprocessing", "input_size"), [3], r"preprocessing.input_size is \[3\]"),
        ("vit-token", ("source", "preprocessing", "std"), [1, 1, "x"], "preprocessing.std is"),
        ("vit-token", ("source", "preprocessing", "tf_preprocessing"), True, "tf_preprocessing is unknown"),
        ("squeezenet", ("source", "architecture"), "torchvision:x", "'x' is not supported"),
        ("squeezenet", ("source", "preprocessing"), "x", "source.preprocessing is 'x'"),
    ],
)
def test_a_description_that_was_changed_is_refused_and_nothing_elsewhere_is_touched(
    family: str, keys: tuple[str, ...], to: object, message: str, tmp_path: Path
) -> None:
    folder = written(tmp_path, family)
    (tmp_path / "secret").write_text("x")
    changed(folder, *keys, to=to)
    with pytest.raises(BackboneError, match=message):
        load(f"dir:{folder}")


def test_a_description_cut_short_and_a_pickle_beside_it_are_refused(tmp_path: Path) -> None:
    folder = written(tmp_path, "toy:text")
    (folder / "model.safetensors").write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    changed(folder, "files", "model.safetensors", to=hash_item(folder / "model.safetensors"))
    with pytest.raises(BackboneError, match=r"model\.safetensors: not a complete safetensors file"):
        load(f"dir:{folder}")
    (folder / "backbone.json").write_text((folder / "backbone.json").read_text()[:40])
    with pytest.raises(BackboneError, match=r"backbone\.json: not valid JSON.*Copy the file again"):
        load(f"dir:{folder}")
