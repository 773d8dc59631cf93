"""Exports: each folder is loaded with the tool it is for and answers as the model does, or is refused."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
import transformers

from headstart import export
from headstart.backbones import picture_backbone, with_lora, word_backbone
from headstart.data import PixelScale
from headstart.errors import ArtifactError, BackboneError, OptionError
from headstart.export import _timm, _transformers
from headstart.linear import KNearest
from headstart.model import Base
from tests.export.models import head_on, image_network, model_on, save, text_network


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("kind", ["classification", "multilabel", "regression"])
@pytest.mark.parametrize("family", ["bert", "distilbert", "gpt2"])
def test_a_model_of_texts_answers_alike_in_transformers(kind: str, family: str, tmp_path: Path, out: Path) -> None:
    saved = save(model_on(text_network(tmp_path, family), kind), tmp_path)
    found = export.export(saved, out, format="transformers", items=["the cat sat"])
    assert found.parity.difference < 1e-5
    assert found.parity.same == found.parity.n > 2
    assert found.parity.given == 1
    assert found.parity.beyond > 0, "one of the texts is longer than the window"
    network = transformers.AutoModelForSequenceClassification.from_pretrained(out)
    assert network.config.problem_type.startswith({"classification": "single", "multilabel": "multi"}.get(kind, "reg"))
    assert list(network.config.id2label.values()) == list(saved.model.task.classes or ["value"])


@pytest.mark.parametrize("pooling", ["first", "mean"])
def test_a_tagger_answers_alike_for_every_word(pooling: str, tmp_path: Path, out: Path) -> None:
    backbone = word_backbone(text_network(tmp_path), pooling)
    found = export.export(save(model_on(backbone, "tagging"), tmp_path), out, format="transformers")
    assert found.parity.difference < 1e-5
    assert found.parity.same == found.parity.n > 5
    assert "AutoModelForTokenClassification" in found.call
    assert any(("first token" if pooling == "first" else "mean of the scores") in limit for limit in found.limits)


@pytest.mark.parametrize("kind", ["classification", "multilabel", "regression"])
def test_a_model_of_pictures_answers_alike_in_timm(kind: str, tmp_path: Path, out: Path) -> None:
    saved = save(model_on(image_network(tmp_path), kind), tmp_path)
    found = export.export(saved, out, format="timm")
    assert found.parity.difference < 1e-5
    network = timm.create_model(f"local-dir:{out}", pretrained=True)
    assert network.pretrained_cfg["label_names"] == list(saved.model.task.classes or ["value"])


def test_pictures_of_other_channels_answer_alike_in_timm_and_their_range_is_said(tmp_path: Path, out: Path) -> None:
    backbone = picture_backbone(image_network(tmp_path), PixelScale({"float": (0.0, 2.0)}, 5))
    found = export.export(save(model_on(backbone), tmp_path), out, format="timm")
    assert found.parity.difference < 1e-5
    assert "5 channels" in found.limits[0]
    assert "float: (0.0, 2.0)" in found.limits[0]


@pytest.mark.parametrize("network", [text_network, image_network])
def test_what_lora_changed_answers_alike_through_peft(network, tmp_path: Path, out: Path) -> None:
    backbone = network(tmp_path)
    adapted = with_lora(backbone, after=None, rank=2, alpha=4, seed=0)
    for parameter in adapted.parameters.values():
        parameter.data += 0.05
    base = Base(backbone.name, backbone.weights_hash, backbone.thawed_names(None))
    found = export.export(save(model_on(adapted.merge(), base=base), tmp_path), out, format="peft")
    assert found.parity.difference < 1e-5
    assert found.facts["rank"] <= 2
    assert {"adapter_config.json", "adapter_model.safetensors", "head.safetensors", "README.md"} <= set(found.files)
    assert sum(found.files.values()) < 100_000


def test_the_record_says_what_was_checked_and_names_no_folder_of_this_machine(tmp_path: Path, out: Path) -> None:
    saved = save(model_on(image_network(tmp_path)), tmp_path)
    found = export.export(saved, out, format="timm", final=tmp_path / "final")
    record = (out / export.RECORD).read_text()
    assert json.loads(record)["parity"]["difference"] == found.parity.difference
    assert str(tmp_path) not in record
    assert str(tmp_path / "final") in found.call


def test_answers_that_differ_are_refused(tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = save(model_on(text_network(tmp_path)), tmp_path)
    real = _transformers.save_with_head

    def spoilt(network, folder):
        network.classifier.bias.data[0] += 0.1
        real(network, folder)

    monkeypatch.setattr(_transformers, "save_with_head", spoilt)
    with pytest.raises(ArtifactError, match=r"transformers answers otherwise.*Nothing was written"):
        export.export(saved, out, format="transformers")


def test_answers_that_are_no_numbers_are_refused(tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = save(model_on(image_network(tmp_path)), tmp_path)
    monkeypatch.setattr(_timm, "_answers", lambda model, folder, items: np.full((len(items), 3), np.nan))
    with pytest.raises(ArtifactError, match="largest difference is inf"):
        export.export(saved, out, format="timm")


def test_nothing_compared_is_no_proof(tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = save(model_on(text_network(tmp_path)), tmp_path)
    monkeypatch.setattr(_transformers, "_beyond", lambda backbone, items: [True] * len(items))
    with pytest.raises(ArtifactError, match="no item whose answers could be compared.*--check DATA"):
        export.export(saved, out, format="transformers")


def test_pictures_that_cannot_be_made_up_must_be_given(tmp_path: Path, out: Path) -> None:
    backbone = picture_backbone(image_network(tmp_path), PixelScale({"uint16": (0, 65535)}, 4))
    with pytest.raises(ArtifactError, match="--check DATA"):
        export.export(save(model_on(backbone), tmp_path), out, format="timm")


def test_heads_that_no_other_tool_has_are_refused_with_what_has(tmp_path: Path, out: Path) -> None:
    model = model_on(text_network(tmp_path))
    rows = np.eye(3, model.backbone.num_features, dtype=np.float32)
    for other, said in (
        (replace(model, head=KNearest(rows, np.arange(3), 3, 1)), "compares with 3 stored examples"),
        (replace(model, view="mean"), r"mean of all layers.*view='last'"),
    ):
        folder = tmp_path / other.view
        folder.mkdir()
        with pytest.raises(ArtifactError, match=rf"{said}.*--format onnx"):
            export.export(save(other, folder), out, format="transformers")


def test_networks_that_are_no_transformers_or_cut_off_are_refused(tmp_path: Path, out: Path) -> None:
    whole = text_network(tmp_path)
    image = image_network(tmp_path / "image")
    for number, (backbone, said) in enumerate(
        ((image, "comes from timm"), (whole.truncated(whole.cuts[1]), "cut off after"))
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        with pytest.raises(ArtifactError, match=said):
            export.export(save(model_on(backbone), folder), out, format="transformers")


def test_timm_holds_no_texts_and_peft_nothing_that_was_not_adapted(tmp_path: Path, out: Path) -> None:
    saved = save(model_on(text_network(tmp_path)), tmp_path)
    with pytest.raises(ArtifactError, match="a model of text, and timm holds image networks"):
        export.export(saved, out, format="timm")
    with pytest.raises(ArtifactError, match=r"there is nothing to adapt.*--strategy lora"):
        export.export(saved, out, format="peft")


def test_peft_needs_the_very_weights_that_were_adapted(tmp_path: Path, out: Path) -> None:
    backbone = text_network(tmp_path)
    base = Base(backbone.name, "0" * 64, ())
    saved = save(model_on(backbone, base=base), tmp_path)
    with pytest.raises(ArtifactError, match="expected weights 000000000000"):
        export.export(saved, out, format="peft")


def test_fine_tuned_weights_are_no_adapters(tmp_path: Path, out: Path) -> None:
    backbone = text_network(tmp_path)
    tuned = backbone.copy(after=None)
    with torch.no_grad():
        tuned.network.get_parameter("encoder.layer.0.output.dense.bias").add_(1)
    base = Base(backbone.name, backbone.weights_hash, ())
    saved = save(model_on(replace(tuned, name=backbone.name), base=base), tmp_path)
    with pytest.raises(BackboneError, match="which low-rank adapters do not hold"):
        export.export(saved, out, format="peft")


def test_a_toy_has_no_users_of_peft(tmp_path: Path, out: Path) -> None:
    from headstart.backbones import load

    toy = load("toy:text")
    saved = save(model_on(toy, base=Base("toy:text", toy.weights_hash, ())), tmp_path)
    with pytest.raises(ArtifactError, match="comes from toy"):
        export.export(saved, out, format="peft")


def test_an_unknown_format_names_the_known(tmp_path: Path, out: Path) -> None:
    saved = save(model_on(image_network(tmp_path)), tmp_path)
    with pytest.raises(OptionError, match="there is no format 'pickle'. Write one of: onnx, transformers, timm, peft"):
        export.export(saved, out, format="pickle")


def test_recordings_are_refused_by_name(tmp_path: Path, out: Path) -> None:
    from headstart.backbones import load

    backbone = load("toy:audio")
    saved = save(replace(model_on(backbone), head=head_on(backbone, "classification")), tmp_path)
    with pytest.raises(ArtifactError, match="only transformers' for texts are written"):
        export.export(saved, out, format="transformers")
