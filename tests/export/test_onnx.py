"""Exported models against the models they were made from, run where neither headstart nor torch can be imported."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headstart.artifact import Artifact
from headstart.backbones import frame_backbone, load, picture_backbone, word_backbone
from headstart.confidence import fit_novelty
from headstart.data import PixelScale
from headstart.errors import ArtifactError, BackboneError
from headstart.export import Asked, export
from headstart.export._parity import varied
from headstart.linear import FrameModel, LinearModel
from headstart.model import AdaptedModel
from headstart.runtime import Promises
from headstart.runtime.exported import ExportedModel
from headstart.tasks import Classification, MultiLabel, Regression, Tagging, Task, Transcription
from tests.export.models import DATA, EVALUATION

pytestmark = pytest.mark.slow
RNG = np.random.default_rng(0)
CLASSES = ("ant", "bee", "wasp")


def head(task: Task, width: int, link: Any = "softmax") -> LinearModel:
    shape = (task.n_outputs, width)
    weights = 0.3 * RNG.normal(size=shape) * (5 / np.sqrt(width))
    return LinearModel(weights.astype("f4"), RNG.normal(size=shape[0]).astype("f4"), link=link)


def picture_model() -> AdaptedModel:
    backbone = load("starter:image-small")
    return AdaptedModel(backbone, head(Classification(CLASSES), backbone.num_features), Classification(CLASSES))


def wide_picture_model() -> AdaptedModel:
    backbone = picture_backbone(load("starter:image-small"), PixelScale({"uint16": (0.0, 4095.0)}))
    return AdaptedModel(backbone, head(Regression(), backbone.num_features, "identity"), Regression())


def text_model() -> AdaptedModel:
    backbone, task = load("starter:minilm-l6"), MultiLabel(CLASSES)
    return AdaptedModel(backbone, head(task, backbone.num_features, "sigmoid"), task, view="mean")


def word_model() -> AdaptedModel:
    backbone, task = word_backbone(load("starter:minilm-l6"), "mean"), Tagging(("LOC", "PER"))
    return AdaptedModel(backbone, head(task, backbone.num_features), task)


def sound_model() -> AdaptedModel:
    backbone = load("starter:audio-small")
    return AdaptedModel(backbone, head(Classification(CLASSES), backbone.num_features), Classification(CLASSES))


def speech_model() -> AdaptedModel:
    backbone, characters = frame_backbone(load("starter:audio-small"), 25), tuple(" abc")
    width = backbone.num_features
    arrays = (0.1 * RNG.normal(size=(5, width, 5)), RNG.normal(size=5), RNG.normal(size=width), np.ones(width))
    frames = FrameModel(*(each.astype("f4") for each in arrays), characters)
    return AdaptedModel(backbone, frames, Transcription(characters))


MODELS: dict[str, Callable[[], AdaptedModel]] = {
    "picture": picture_model,
    "wide picture": wide_picture_model,
    "text": text_model,
    "words": word_model,
    "sound": sound_model,
    "speech": speech_model,
}


@pytest.mark.parametrize("name", MODELS)
def test_an_exported_model(name: str, tmp_path: Path) -> None:
    model, folder = MODELS[name](), tmp_path / "export"
    folder.mkdir()
    written(model, folder)
    the_answers_are_the_models(model, folder)
    it_predicts_without_headstart_and_torch(folder)
    if model.backbone.modality != "text":  # any text can be read
        one_bad_item_costs_no_other(model, folder, tmp_path / "bad")
    it_is_served_without_torch(folder, model.backbone.modality)
    the_copy_names_nothing_of_ours(folder)
    a_changed_file_is_refused(folder)


def written(model: AdaptedModel, folder: Path) -> None:
    classes = model.task.classes if model.task.kind == "classification" else ()
    promises = Promises(classes)
    if classes:
        features = RNG.normal(size=(60, model.backbone.num_features))
        promises = Promises(classes, np.full(3, 0.2), 0.9, None, fit_novelty(features, np.arange(60), seed=0))
    saved = Artifact(folder.with_name("my-model"), model, EVALUATION, DATA)
    found = export(saved, folder, format="onnx", asked=Asked(promises, {"coverage": 0.9}, ("It holds.",)))
    assert found.parity.difference < 1e-5
    assert found.parity.same == found.parity.n


def the_answers_are_the_models(model: AdaptedModel, folder: Path) -> None:
    items, found = varied(model.backbone), ExportedModel.open(folder)
    expected = model.outputs(items)
    together = [outputs for _, outputs in found.outputs([found.read(item) for item in items])]
    if model.task.kind == "tagging":
        assert [each.shape for each in together] == [each.shape for each in expected]
        assert max(np.abs(a - b).max(initial=0) for a, b in zip(together, expected, strict=True)) < 1e-5
    elif model.task.kind == "transcription":
        apart = [np.abs(np.exp(a) - b.probabilities).max() for a, b in zip(together, expected, strict=True)]
        assert max(apart) < 1e-5
    else:
        assert np.abs(together[0] - expected).max() < 1e-5
    rows = found.predict(items)
    if model.task.kind == "transcription":
        assert [row["transcript"] for row in rows] == model.predict(items)
    if model.task.kind == "classification":
        assert [row["label"] for row in rows] == model.predict(items)
        assert {"set", "abstain", "novelty"} <= rows[0].keys()


def it_predicts_without_headstart_and_torch(folder: Path) -> None:
    blocked = "import sys\nfor name in ('headstart', 'torch', 'transformers', 'sklearn', 'scipy', 'pandas'):\n"
    blocked += "    sys.modules[name] = None\nimport predict\nsys.exit(predict.main(sys.argv[1:]))"
    run = subprocess.run([sys.executable, "-c", blocked, "--check"], cwd=folder, capture_output=True, text=True)
    assert run.stdout.endswith("as stored.\n"), run.stderr
    assert run.returncode == 0
    inputs = [str(path) for path in sorted(folder.glob("examples/*"))[:2]] or ["-"]
    typed = "hello there\n" if inputs == ["-"] else ""
    command = [sys.executable, "-c", blocked, *inputs, "no-such-file.png"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, input=typed)
    rows = [json.loads(line) for line in run.stdout.splitlines()]
    assert run.returncode == 1
    assert ["error" in row for row in rows] == [False] * (len(rows) - 1) + [True]


def it_is_served_without_torch(folder: Path, modality: str) -> None:
    needed = {"image": "PIL", "text": "tokenizers", "audio": "soundfile"}
    missing = ("torch", "transformers", "sklearn", "scipy", "pandas", "pyarrow", "tifffile", "pydicom")
    missing += tuple(name for name in needed.values() if name != needed[modality])
    code = f"""
import sys
for name in {missing!r}:
    sys.modules[name] = None
from headstart.runtime.exported import ExportedModel
from headstart.serve import Exported, Limits
served = Exported(ExportedModel.open(sys.argv[1]), name="e")
payload = open(sys.argv[2], "rb").read() if len(sys.argv) > 2 else "a text"
(row,) = served.answer([served.read(payload, Limits())])
assert "error" not in row, row
try:
    served.read(payload, Limits(pixels=10, characters=3, audio_seconds=0.01))
except ValueError as error:
    print(served.promises, error)
"""
    example = [str(path) for path in sorted(folder.glob("examples/*"))[:1]]
    run = subprocess.run([sys.executable, "-c", code, str(folder), *example], capture_output=True, text=True)
    assert run.stdout.startswith("('It holds.',) expected at most"), run.stdout + run.stderr


def one_bad_item_costs_no_other(model: AdaptedModel, folder: Path, bad: Path) -> None:
    bad.write_bytes(b"nothing of the kind")
    items = varied(model.backbone)[:2]
    rows = ExportedModel.open(folder).predict([items[0], bad, items[1]])
    assert [set(row) == {"error"} for row in rows] == [False, True, False]


def a_changed_file_is_refused(folder: Path) -> None:
    (folder / "arrays.npz").write_bytes((folder / "arrays.npz").read_bytes()[:-1])
    with pytest.raises(ArtifactError, match="missing or was changed"):
        ExportedModel.open(folder)


def the_copy_names_nothing_of_ours(folder: Path) -> None:
    for path in [*folder.glob("runtime/**/*.py"), folder / "predict.py"]:
        code = [line for line in path.read_text("utf-8").splitlines() if "import" in line]
        assert not [line for line in code if "headstart" in line], path


def test_a_network_that_nothing_else_reads_for_is_refused(tmp_path: Path) -> None:
    backbone = load("toy:text")
    model = AdaptedModel(backbone, head(Classification(CLASSES), 16), Classification(CLASSES))
    with pytest.raises(BackboneError, match="of the family toy cannot be exported"):
        export(Artifact(tmp_path, model, EVALUATION, DATA), tmp_path, format="onnx")


def test_what_is_no_export_is_told(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="expected an exported model with preprocessing.json, found none"):
        ExportedModel.open(tmp_path)
    (tmp_path / "preprocessing.json").write_text("{")
    with pytest.raises(ArtifactError, match="the file is damaged"):
        ExportedModel.open(tmp_path)
    (tmp_path / "preprocessing.json").write_text('{"format": 99, "files": {}}')
    with pytest.raises(ArtifactError, match="of format 1, found 99"):
        ExportedModel.open(tmp_path)
    (tmp_path / "preprocessing.json").write_text('{"format": 1, "files": {"../x": "0"}}')
    with pytest.raises(ArtifactError, match="missing or was changed"):
        ExportedModel.open(tmp_path)
    recipe = {"modality": "audio", "rate": 16000, "most": 9, "step": 320, "least": 1, "reach": 0}
    recipe["describe"] = {"kind": "waves", "step": 320, "reach": 0, "normalize": True}
    facts = {"format": 1, "files": {}, "task": {"kind": "regression"}, "inputs": recipe}
    (tmp_path / "preprocessing.json").write_text(json.dumps(facts))
    with pytest.raises(ArtifactError, match="onnxruntime cannot load the graph"):
        ExportedModel.open(tmp_path)
