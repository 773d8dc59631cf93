"""Carrying a backbone to a machine without a network."""

import json

import pytest
import torch

from headstart import backbones
from headstart.backbones._packs import PACK
from headstart.errors import BackboneError


@pytest.fixture
def packed(tmp_path):
    folder = tmp_path / "packed"
    backbones.write_pack("hf:org/tiny", backbones.locate("starter:minilm-l6"), folder)
    return folder


def test_an_added_backbone_is_found_by_its_name_without_hub_or_package(packed):
    with pytest.raises(BackboneError, match="not in the local cache"):
        backbones.load("hf:org/tiny", offline=True)
    assert backbones.add_pack(packed) == "hf:org/tiny"
    found, original = backbones.load("hf:org/tiny", offline=True), backbones.load("starter:minilm-l6")
    assert found.weights_hash == original.weights_hash
    with torch.inference_mode():
        assert torch.equal(found.forward(found.prepare(["a b"])), original.forward(original.prepare(["a b"])))


def test_a_changed_or_missing_file_is_refused_and_nothing_is_added(packed):
    config = packed / "config.json"
    content = config.read_text()
    for change in (lambda: config.write_text(content + " "), config.unlink):
        change()
        with pytest.raises(BackboneError, match=r"config\.json: the file is missing or does not match its SHA-256"):
            backbones.add_pack(packed)
    with pytest.raises(BackboneError, match="not in the local cache"):
        backbones.load("hf:org/tiny", offline=True)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 2, "name": "hf:a/b", "files": {}}'])
def test_a_folder_that_is_no_pack_says_how_to_make_one(tmp_path, text):
    (tmp_path / PACK).write_text(text)
    with pytest.raises(BackboneError, match="headstart models pack NAME -o FOLDER"):
        backbones.add_pack(tmp_path)


def test_a_pack_cannot_reach_outside_its_folder(packed):
    pack = json.loads((packed / PACK).read_text())
    pack["files"] = {"../secret": "0"}
    (packed / PACK).write_text(json.dumps(pack))
    with pytest.raises(BackboneError, match="names a file outside its folder"):
        backbones.add_pack(packed)


def test_an_existing_folder_is_never_written_into(tmp_path):
    with pytest.raises(BackboneError, match="the folder exists"):
        backbones.write_pack("hf:org/tiny", tmp_path, tmp_path)


def test_places_that_cannot_be_written_say_so(packed, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(BackboneError, match="the pack cannot be written"):
        backbones.write_pack("hf:org/tiny", packed, tmp_path / "file" / "x")
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path / "file"))
    with pytest.raises(BackboneError, match="the pack cannot be written"):
        backbones.add_pack(packed)


def test_only_networks_of_the_hub_are_packed(tmp_path):
    for name in ("dir:somewhere", "starter:minilm-l6"):
        with pytest.raises(BackboneError, match="only hub networks"):
            backbones.write_pack(name, tmp_path, tmp_path / "x")


def test_a_toy_backbone_has_no_folder():
    with pytest.raises(BackboneError, match="made by code and have no folder"):
        backbones.locate("toy:text")


def test_a_pack_holds_the_whole_network_whatever_was_cut_off(tmp_path):
    backbones.write_pack("hf:org/tiny#embeddings", backbones.locate("starter:minilm-l6"), tmp_path / "p")
    assert backbones.add_pack(tmp_path / "p") == "hf:org/tiny"
    found = backbones.load("hf:org/tiny#embeddings", offline=True)
    assert (found.name, found.cuts) == ("hf:org/tiny#embeddings", ("embeddings",))
