"""The model folder: same answers anywhere, nothing executed, every change noticed."""

import copy
import errno
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from headstart import artifact, backbones
from headstart.backbones import Backbone
from headstart.data import Dataset, Document, Sound
from headstart.engine import LocalEngine
from headstart.errors import ArtifactError, BackboneError
from headstart.features import FeatureSource, frozen_pass
from headstart.linear import FrameModel
from headstart.model import AdaptedModel, Base
from headstart.strategies import Probe, Run
from headstart.tasks import Classification, Tagging, Task, Transcription, ragged, task_from_labels, write_tags
from tests.conftest import make_image, make_label_sets, make_texts, make_values
from tests.tagged import make_easy

OLD = Path(__file__).parent / "old_models"

OLD_MODELS = Path(__file__).parent / "old_models"
NEW = ["cat and dog", "cheese with rice", "fog, snow and ice"]


def fitted(backbone: Backbone | None = None, head: str = "logistic") -> AdaptedModel:
    texts, labels = make_texts(60)
    train = Dataset("text", tuple(texts), tuple(map(str, range(60))), labels=tuple(labels))
    backbone = backbone or backbones.load("toy:text")
    return Probe(head=head).fit(backbone, train, Classification.from_labels(labels), run=Run(FeatureSource())).model


def fitted_to(kind: str, head: str = "logistic") -> AdaptedModel:
    """A model of several labels or of values."""
    texts, labels = make_label_sets(60) if kind == "multilabel" else make_values(60)
    labels = tuple(map(str, labels))
    train = Dataset("text", tuple(texts), tuple(map(str, range(60))), labels=labels, kind=kind)
    run = Run(FeatureSource(), metric={"multilabel": "micro_f1", "regression": "rmse"}[kind])
    task: Task = task_from_labels(kind, labels)
    return Probe(head=head).fit(backbones.load("toy:text"), train, task, run=run).model


TRAINED = ("layers.1.0.weight", "layers.1.0.bias")


def tagger(pooling: str, *, adapt: bool = False) -> AdaptedModel:
    """A model of entities."""
    sentences, tags = make_easy(60)
    labels = tuple(map(write_tags, tags))
    items = tuple(map(Document.of_words, sentences))
    train = Dataset("text", items, tuple(map(str, range(60))), labels=labels, kind="tagging")
    base = backbones.load("toy:text")
    backbone = backbones.word_backbone(changed(base) if adapt else base, pooling)
    run = Run(FeatureSource(), metric="entity_f1")
    model = Probe().fit(backbone, train, Tagging.from_labels(labels), run=run).model
    return replace(model, base=Base(base.name, base.weights_hash, TRAINED)) if adapt else model


def changed(base: Backbone) -> Backbone:
    """A copy with other weights in its last layer."""
    copied = copy.deepcopy(base)
    with torch.no_grad():
        for name in TRAINED:
            copied.network.get_parameter(name).mul_(1.5).add_(0.1)
    return replace(copied)  # without the hash that a copy takes along


def adapted() -> AdaptedModel:
    """A model whose backbone has other weights in its last layer than the pretrained one."""
    base = backbones.load("toy:text")
    model = fitted(changed(base))
    assert model.backbone.weights_hash != base.weights_hash
    return replace(model, base=Base(base.name, base.weights_hash, TRAINED))


def save(model: AdaptedModel, folder: Path, contents: artifact.Contents = "whole") -> Path:
    folder.mkdir(parents=True)
    artifact.save(model, folder, evaluation={"test": {"value": 0.5}}, data={"items": []}, contents=contents)
    return folder


@pytest.mark.parametrize("contents", ["whole", "slim"])
@pytest.mark.parametrize("head", ["logistic", "knn"])
def test_a_loaded_model_gives_the_same_probabilities_wherever_it_lies(tmp_path, head, contents):
    model = fitted(head=head)
    folder = save(model, tmp_path / "one", contents)
    shutil.move(folder, tmp_path / "else where")
    again = artifact.load(tmp_path / "else where")
    np.testing.assert_array_equal(model.predict_proba(NEW), again.model.predict_proba(NEW))
    assert again.model.predict(NEW) == model.predict(NEW)
    assert again.evaluation == {"test": {"value": 0.5}}
    assert again.model.strategy == model.strategy


@pytest.mark.parametrize("contents", ["whole", "slim"])
@pytest.mark.parametrize("head", ["logistic", "knn"])
@pytest.mark.parametrize("kind", ["multilabel", "regression"])
def test_labels_and_values_are_kept_under_a_number_that_older_versions_refuse(tmp_path, kind, head, contents):
    model = fitted_to(kind, head)
    folder = save(model, tmp_path / "m", contents)
    again = artifact.load(folder).model
    np.testing.assert_array_equal(model.outputs(NEW), again.outputs(NEW))
    assert again.predict(NEW) == model.predict(NEW)
    assert again.task == model.task
    assert json.loads((folder / "manifest.json").read_text())["format"] == 2


@pytest.mark.parametrize("contents", ["whole", "slim"])
@pytest.mark.parametrize("pooling", ["first", "mean"])
@pytest.mark.parametrize("adapt", [False, True])
def test_entities_are_kept_with_how_words_are_read(tmp_path, adapt, pooling, contents):
    model = tagger(pooling, adapt=adapt)
    folder = save(model, tmp_path / "m", contents)
    texts = ["so said Anna Berg in Paris .", "", "Oslo"]
    plain = backbones.load("toy:text")
    for given in (None, plain, backbones.word_backbone(plain, "mean"), "toy:text"):
        again = artifact.load(folder, backbone=given).model
        assert again.predict(texts) == model.predict(texts)
        assert any(model.predict(texts))
        assert (again.task, again.backbone.pooling_of_words) == (model.task, pooling)
    assert plain.pooling_of_words is None
    assert json.loads((folder / "manifest.json").read_text())["format"] == 3


@pytest.mark.parametrize("contents", ["whole", "slim"])
def test_transcripts_are_kept_with_how_frames_are_read(tmp_path, contents):
    plain = backbones.load("toy:audio")
    model = AdaptedModel(backbones.frame_backbone(plain, 25), letters(), Transcription(("a", "b")))
    folder = save(model, tmp_path / "m", contents)
    item = Sound(np.sin(np.arange(40_000, dtype=np.float32) / 9), 16_000)
    expected = np.asarray(next(frozen_pass(model.backbone, [item], engine=LocalEngine())).values[0])
    for given in (None, plain, backbones.frame_backbone(plain, 10), "toy:audio"):
        again = artifact.load(folder, backbone=given).model
        found = next(frozen_pass(again.backbone, [item], engine=LocalEngine())).values[0]
        np.testing.assert_array_equal(found, expected)
        assert (again.task, again.backbone.frames) == (model.task, 25.0)
    assert plain.frames is None
    assert json.loads((folder / "manifest.json").read_text())["format"] == 3


def test_transcripts_need_a_network_that_has_frames(tmp_path):
    backbone = backbones.frame_backbone(backbones.load("toy:audio"), 25)
    folder = save(AdaptedModel(backbone, letters(), Transcription(("a", "b"))), tmp_path / "m", "slim")
    with pytest.raises(ArtifactError, match="toy:image: only recordings have frames.* The head only fits"):
        artifact.load(folder, backbone="toy:image")


def letters() -> FrameModel:
    return FrameModel.zeros(ragged([np.eye(16, dtype=np.float32)]), ("a", "b"), seen=1)


def test_entities_need_a_network_that_reads_words(tmp_path):
    folder = save(tagger("first"), tmp_path / "m", "slim")
    with pytest.raises(ArtifactError, match="toy:image: it has no tokenizer .* The head only fits"):
        artifact.load(folder, backbone="toy:image")


def test_a_file_beside_the_model_is_no_part_of_it(tmp_path):
    folder = save(tagger("first"), tmp_path / "m")
    (folder / "entities.html").write_text("a page")
    assert artifact.load(folder).model.task.kind == "tagging"


def test_classes_on_a_pretrained_backbone_stay_readable_for_older_versions(tmp_path):
    folder = save(fitted(), tmp_path / "m")
    assert json.loads((folder / "manifest.json").read_text())["format"] == 1
    assert "base" not in json.loads((folder / "preprocessing.json").read_text())


def test_a_task_of_another_kind_is_refused(tmp_path):
    folder = save(fitted(), tmp_path / "m")
    (folder / "task.json").write_text('{"kind": "parsing"}')
    artifact._write_manifest(folder, 2)
    with pytest.raises(ArtifactError, match="found 'parsing'. Update headstart"):
        artifact.load(folder)


@pytest.mark.parametrize("contents", ["whole", "slim"])
def test_an_adapted_backbone_comes_back_with_what_it_started_from(tmp_path, contents):
    model = adapted()
    folder = save(model, tmp_path / "m", contents)
    again = artifact.load(folder).model
    np.testing.assert_array_equal(again.predict_proba(NEW), model.predict_proba(NEW))
    assert again.base == model.base
    assert again.backbone.weights_hash == model.backbone.weights_hash
    assert json.loads((folder / "manifest.json").read_text())["format"] == 2


def test_a_whole_folder_of_an_adapted_backbone_needs_no_pretrained_one(tmp_path, monkeypatch):
    model = adapted()
    folder = save(model, tmp_path / "m")
    monkeypatch.setattr(backbones, "load", None)
    np.testing.assert_array_equal(artifact.load(folder).model.predict_proba(NEW), model.predict_proba(NEW))


def test_a_slim_folder_of_an_adapted_backbone_keeps_only_what_was_trained(tmp_path):
    folder = save(adapted(), tmp_path / "m", "slim")
    kept = backbones.read_tensors(folder / "weights.safetensors")
    assert {name for name in kept if name.startswith("backbone.")} == {f"backbone.{name}" for name in TRAINED}


@pytest.mark.parametrize("contents", ["whole", "slim"])
def test_the_pretrained_backbone_may_be_given_and_is_not_changed(tmp_path, contents):
    model = adapted()
    folder = save(model, tmp_path / "m", contents)
    given = backbones.load("toy:text")
    before = copy.deepcopy(given.network.state_dict())
    again = artifact.load(folder, backbone=given).model
    np.testing.assert_array_equal(again.predict_proba(NEW), model.predict_proba(NEW))
    assert again.backbone is not given
    assert backbones.hash_state(given.network.state_dict()) == backbones.hash_state(before)
    assert artifact.load(folder, backbone=model.backbone).model.backbone is model.backbone


@pytest.mark.parametrize("contents", ["whole", "slim"])
def test_another_pretrained_backbone_than_the_recorded_one_is_refused(tmp_path, contents):
    folder = save(adapted(), tmp_path / "m", contents)
    other = backbones.load("toy:text")
    with torch.no_grad():
        other.network.get_parameter("embedding.weight").add_(1.0)
    with pytest.raises(ArtifactError, match="expected backbone toy:text with weights 64d8448960b9, found toy:text"):
        artifact.load(folder, backbone=other)


@pytest.mark.parametrize("contents", ["whole", "slim"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensor: tensor + 1e-3, "expected backbone toy:text with weights"),
        (lambda tensor: tensor[:8].clone(), "it has no layers.1.0.weight that fits|has shape"),
        (None, "it has no layers.1.0.weight that fits|layers.1.0.weight is missing"),
    ],
    ids=["value", "shape", "gone"],
)
def test_a_trained_tensor_that_is_not_the_saved_one_is_noticed(tmp_path, contents, change, message):
    folder = save(adapted(), tmp_path / "m", contents)
    tensors = backbones.read_tensors(folder / "weights.safetensors")
    name = f"backbone.{TRAINED[0]}"
    tensor = tensors.pop(name)
    if change:
        tensors[name] = change(tensor)
    backbones.write_tensors(folder / "weights.safetensors", tensors)
    artifact._write_manifest(folder, 2)
    with pytest.raises((ArtifactError, BackboneError), match=message):
        artifact.load(folder)


def test_a_whole_folder_needs_neither_the_original_weights_nor_the_network(tmp_path, monkeypatch):
    model = fitted(backbones.load("starter:minilm-l6"))
    folder = save(model, tmp_path / "m")
    expected = model.predict_proba(NEW)
    monkeypatch.setattr(backbones, "load", None)
    np.testing.assert_array_equal(artifact.load(folder, offline=True).model.predict_proba(NEW), expected)


def test_a_slim_folder_is_small_and_names_its_backbone(tmp_path):
    folder = save(fitted(backbones.load("starter:minilm-l6")), tmp_path / "m", "slim")
    assert sum(p.stat().st_size for p in folder.rglob("*")) < 2_000_000
    facts = json.loads((folder / "preprocessing.json").read_text())
    assert facts["backbone"] == "starter:minilm-l6"
    assert "mean" in json.dumps(facts["source"])


def test_every_changed_byte_is_noticed(tmp_path):
    folder = save(fitted(), tmp_path / "m")
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        content = path.read_bytes()
        for position in {0, len(content) // 2, len(content) - 1}:
            changed = bytearray(content)
            changed[position] ^= 1
            path.write_bytes(changed)
            with pytest.raises(
                ArtifactError, match="changed or damaged|not valid JSON|expected a JSON object|is unknown"
            ) as caught:
                artifact.load(folder)
            assert path.name in str(caught.value)
        path.write_bytes(content)
    artifact.load(folder)


def test_a_missing_file_is_named(tmp_path):
    folder = save(fitted(), tmp_path / "m")
    (folder / "task.json").unlink()
    with pytest.raises(ArtifactError, match=r"task\.json: a file of the model is missing"):
        artifact.load(folder)


def rewrite_manifest(folder: Path, **changes: object) -> None:
    """Change the manifest as somebody would who knows the format."""
    values = json.loads((folder / "manifest.json").read_text())
    values.pop("checksum")
    values |= changes
    values["checksum"] = artifact._checksum(values)
    (folder / "manifest.json").write_text(json.dumps(values))


def test_a_newer_format_asks_for_an_update(tmp_path):
    folder = save(fitted(), tmp_path / "m")
    rewrite_manifest(folder, format=99)
    with pytest.raises(ArtifactError, match=r"format 99 is unknown to headstart .* Update headstart"):
        artifact.load(folder)


@pytest.mark.parametrize("name", ["../secret", "/etc/hostname"])
def test_a_manifest_cannot_reach_outside_its_folder(tmp_path, name):
    folder = save(fitted(), tmp_path / "m")
    rewrite_manifest(folder, files={name: {"bytes": 1, "sha256": "0"}})
    with pytest.raises(ArtifactError, match="names a file outside the folder"):
        artifact.load(folder)


def test_a_manifest_that_is_no_object_is_refused(tmp_path):
    folder = save(fitted(), tmp_path / "m")
    (folder / "manifest.json").write_text("[]")
    with pytest.raises(ArtifactError, match="expected a JSON object"):
        artifact.load(folder)


@pytest.mark.parametrize(("make", "found"), [(True, "found none"), (False, "found no such folder")])
def test_a_folder_that_is_no_model_says_what_was_expected(tmp_path, make, found):
    if make:
        (tmp_path / "m").mkdir()
    with pytest.raises(ArtifactError, match=f"expected a model folder with manifest.json, {found}"):
        artifact.load(tmp_path / "m")


def test_another_backbone_than_the_recorded_one_is_refused(tmp_path):
    folder = save(fitted(), tmp_path / "m", "slim")
    other = backbones.load("toy:text")
    with torch.no_grad():
        next(other.network.parameters()).add_(1.0)
    with pytest.raises(ArtifactError, match="expected backbone toy:text with weights .*, found toy:text with"):
        artifact.load(folder, backbone=other)


def test_a_slim_folder_whose_backbone_is_gone_says_which(tmp_path):
    folder = save(fitted(), tmp_path / "m", "slim")
    facts = json.loads((folder / "preprocessing.json").read_text()) | {"backbone": f"dir:{tmp_path / 'gone'}"}
    (folder / "preprocessing.json").write_text(json.dumps(facts))
    (folder / "manifest.json").unlink()
    artifact._write_manifest(folder, 1)
    with pytest.raises(ArtifactError, match=r"slim and its backbone dir:.*gone cannot be loaded.*--backbone NAME"):
        artifact.load(folder)
    assert artifact.load(folder, backbone="toy:text").model.backbone.name == "toy:text"


def shade(image: object) -> torch.Tensor:
    return torch.from_numpy(np.asarray(image, dtype=np.float32) / 255).mean(dim=(0, 1))


def test_a_network_of_ones_own_is_saved_without_its_code_and_loads_with_it(tmp_path):
    def build() -> Backbone:
        torch.manual_seed(0)
        blocks = [("one", nn.Linear(3, 8)), ("two", nn.Sequential(nn.ReLU(), nn.Linear(8, 4)))]
        return Backbone.from_module(blocks, shade)

    images = [make_image(((160, 90, 90), (90, 90, 160))[i % 2], seed=i) for i in range(40)]
    train = Dataset("image", tuple(images), tuple(map(str, range(40))), labels=("red", "blue") * 20)
    run = Run(FeatureSource())
    model = Probe().fit(build(), train, Classification(("blue", "red")), run=run).model
    folder = save(model, tmp_path / "m")
    with pytest.raises(ArtifactError, match="a network of your own.*backbone=Backbone.from_module"):
        artifact.load(folder)
    again = artifact.load(folder, backbone=build()).model
    np.testing.assert_array_equal(again.predict_proba(images), model.predict_proba(images))


def test_what_was_trained_of_a_network_of_ones_own_is_saved_and_copied_into_it(tmp_path):
    def build() -> Backbone:
        torch.manual_seed(0)
        return Backbone.from_module([("one", nn.Linear(3, 8)), ("two", nn.Linear(8, 4))], lambda image: shade(image))

    base, changed = build(), build()
    with torch.no_grad():
        changed.network.get_parameter("1.weight").mul_(2.0)
    images = [make_image(((160, 90, 90), (90, 90, 160))[i % 2], seed=i) for i in range(40)]
    train = Dataset("image", tuple(images), tuple(map(str, range(40))), labels=("red", "blue") * 20)
    model = Probe().fit(changed, train, Classification(("blue", "red")), run=Run(FeatureSource())).model
    model = replace(model, base=Base(base.name, base.weights_hash, ("1.weight",)))
    folder = save(model, tmp_path / "m")
    with pytest.raises(ArtifactError, match="a network of your own.*backbone=Backbone.from_module"):
        artifact.load(folder)
    again = artifact.load(folder, backbone=base).model
    np.testing.assert_array_equal(again.predict_proba(images), model.predict_proba(images))


@pytest.mark.parametrize("contents", ["whole", "slim"])
@pytest.mark.parametrize("cut", ["embeddings", "layer1", "layer2"])
def test_a_truncated_backbone_comes_back_cut_off(tmp_path, cut, contents):
    model = fitted(backbones.load("toy:text").truncated(cut))
    folder = save(model, tmp_path / "m", contents)
    whole = backbones.load("toy:text")
    for given in (None, "toy:text", whole, whole.truncated(cut)):
        again = artifact.load(folder, backbone=given).model
        np.testing.assert_array_equal(model.predict_proba(NEW), again.predict_proba(NEW))
        assert again.backbone.cuts == model.backbone.cuts
    assert json.loads((folder / "manifest.json").read_text())["format"] == (1 if cut == "layer2" else 2)


def test_a_truncated_backbone_does_not_fit_another_network(tmp_path):
    folder = save(fitted(backbones.load("toy:text").truncated("layer1")), tmp_path / "m", "slim")
    for other in (backbones.load("toy:text").truncated("embeddings"), backbones.load("toy:image")):
        with pytest.raises(ArtifactError, match=r"expected backbone toy:text#layer1 with weights"):
            artifact.load(folder, backbone=other)


@pytest.mark.parametrize("contents", ["whole", "slim"])
def test_what_was_trained_of_a_truncated_backbone_comes_back(tmp_path, contents):
    base = backbones.load("toy:text").truncated("layer1")
    changed = copy.deepcopy(base)
    trained = ("layers.0.0.weight", "layers.0.0.bias")
    with torch.no_grad():
        for name in trained:
            changed.network.get_parameter(name).mul_(1.5).add_(0.1)
    model = replace(fitted(replace(changed)), base=Base(base.name, base.weights_hash, trained))
    again = artifact.load(save(model, tmp_path / "m", contents)).model
    np.testing.assert_array_equal(model.predict_proba(NEW), again.predict_proba(NEW))
    assert (again.backbone.weights_hash, again.base) == (model.backbone.weights_hash, model.base)


def test_a_truncated_network_of_ones_own_loads_with_the_whole_one(tmp_path):
    torch.manual_seed(0)
    whole = Backbone.from_module([("one", nn.Linear(3, 8)), ("two", nn.Linear(8, 4))], shade)
    images = [make_image(((160, 90, 90), (90, 90, 160))[i % 2], seed=i) for i in range(40)]
    train = Dataset("image", tuple(images), tuple(map(str, range(40))), labels=("red", "blue") * 20)
    task = Classification(("blue", "red"))
    model = Probe().fit(whole.truncated("one"), train, task, run=Run(FeatureSource())).model
    again = artifact.load(save(model, tmp_path / "m"), backbone=whole).model
    np.testing.assert_array_equal(again.predict_proba(images), model.predict_proba(images))


@pytest.mark.parametrize("folder", sorted(OLD_MODELS.glob("format-*/")), ids=lambda p: p.name)
def test_models_of_every_older_format_still_load_and_predict_the_same(folder):
    recorded = json.loads(folder.with_suffix(".json").read_text())
    saved = artifact.load(folder)
    items = recorded.get("texts") or [np.array(each, dtype=np.uint16) for each in recorded["pictures"]]
    found = saved.model.predict_proba(items)
    if "novelty" in recorded:
        (features,) = (features for _, features, _ in saved.model.looks_each(items))
        np.testing.assert_allclose(saved.confidence.novelty.of(features), recorded["novelty"], atol=0.02)
    for row, expected in zip(found, recorded["probabilities"], strict=True):  # of entities a matrix per text
        np.testing.assert_allclose(row, np.reshape(expected, np.shape(row)), atol=1e-5)


def test_there_is_a_saved_example_of_every_format():
    formats = {json.loads((p / "manifest.json").read_text())["format"] for p in OLD_MODELS.glob("format-*/")}
    assert formats >= set(range(1, artifact.FORMAT + 1))


def test_documents_are_read_without_the_weights(tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(OLD / "format-1", folder)
    found = artifact.read_documents(folder)
    assert found.version == "0.1.0"
    assert found.task["kind"] == "classification"
    assert found.evaluation["test"]["metric"] == "accuracy"


def test_a_changed_document_is_refused(tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(OLD / "format-1", folder)
    (folder / "data.json").write_text("{}")
    with pytest.raises(ArtifactError, match="changed or damaged"):
        artifact.read_documents(folder)


def test_other_values_leave_a_whole_model(tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(OLD / "format-1", folder)
    before = artifact.read_documents(folder)
    artifact.replace_documents(folder, evaluation={"test": {}}, data=before.data | {"source": ""})
    after = artifact.load(folder)
    assert (after.evaluation, after.data["source"]) == ({"test": {}}, "")
    assert not list(folder.glob("*.new"))


def test_where_other_values_cannot_be_written_the_model_stays(tmp_path, monkeypatch):
    folder = tmp_path / "copy"
    shutil.copytree(OLD / "format-1", folder)
    before = artifact.read_documents(folder)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(artifact, "write_json", full)
    with pytest.raises(ArtifactError, match="the disk is full"):
        artifact.replace_documents(folder, evaluation={}, data={})
    monkeypatch.undo()
    assert artifact.read_documents(folder) == before
