"""An adapted model as a folder that predicts without Headstart and without torch.

model.onnx            the network, its pooling and its head; of pictures the normalising too
preprocessing.json    how items are read, the task, what is promised with each answer, SHA-256 of the files
arrays.npz            thresholds, what tells novelty, the mel matrix of sounds, the decoder of speech
tokenizer.json        of texts
examples.json         made-up items and the answers of the model that was exported
predict.py, runtime/  what reads and answers: the files of `headstart.runtime`
requirements.txt      what these need
"""

import wave
from collections.abc import Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from headstart.artifact import Artifact, write_json
from headstart.backbones import Backbone
from headstart.data import hash_item
from headstart.export._base import NOTHING_ASKED, Asked, Written
from headstart.export._copy import copy_runtime
from headstart.export._graph import write_graph
from headstart.export._parity import varied
from headstart.export._quantising import quantise
from headstart.export._recipes import TOKENIZER, Recipe, recipe_of
from headstart.linear import FrameModel
from headstart.model import AdaptedModel
from headstart.runtime import Document, Item, Promises, Sound
from headstart.runtime.exported import ARRAYS, AT_ONCE, FACTS, FORMAT, GRAPH, ExportedModel
from headstart.runtime.predict import EXAMPLES
from headstart.runtime.readers import reader_of
from headstart.tasks import ragged

HASHED: Final = (GRAPH, ARRAYS, TOKENIZER)


LIMITS: Final = ("Files are read as Headstart reads them; DICOM needs pydicom, and rare kinds of TIFF need tifffile.",)
LOAD: Final = """import sys
from pathlib import Path

sys.path.insert(0, "{folder}")
from runtime.exported import ExportedModel

model = ExportedModel.open("{folder}")
print(model.predict([%s]))
"""
ITEMS: Final = {"image": 'Path("picture.png")', "text": '"a text"', "audio": 'Path("recording.wav")'}


def write(saved: Artifact, folder: Path, asked: Asked = NOTHING_ASKED) -> Written:
    """Write a model into an existing, empty folder.

    Args:
        saved: The model, on the CPU.
        folder: The folder.
        asked: What it is to promise.

    Returns:
        How it answers.

    Raises:
        BackboneError: The network cannot be written as a graph, or the runtime does not know how it reads items.
        MissingExtraError: onnx or onnxscript is not installed.
    """
    model = saved.model
    promises = asked.promises or Promises(model.task.classes if model.task.kind == "classification" else ())
    recipe = recipe_of(model.backbone)
    arrays = {**recipe.arrays, **_arrays(model, promises)}
    if recipe.tokenizer is not None:
        (folder / TOKENIZER).write_bytes(recipe.tokenizer)
    np.savez(folder / ARRAYS, **arrays)  # type: ignore[arg-type]  # numpy's stubs take the names for options
    reader = reader_of(recipe.inputs, folder, arrays)
    feed = reader.feed([reader.read(item) for item in _example(model.backbone, recipe)])
    write_graph(model, folder / GRAPH, list(feed.values()), fixed=_fixed(recipe))
    if asked.int8:
        items = asked.calibration or varied(model.backbone)
        quantise(folder / GRAPH, [reader.feed([reader.read(item)]) for item in items], modality=model.backbone.modality)
    write_facts(folder, {**_facts(saved, promises, asked), "inputs": recipe.inputs})
    copy_runtime(folder, model.backbone.modality)
    opened = ExportedModel.open(folder)
    write_examples(model, opened)
    call = "cd {folder}; pip install -r requirements.txt; python predict.py FILE"
    return Written(
        answers=partial(_answers, opened),
        library="onnxruntime",
        load=LOAD % ITEMS[model.backbone.modality],
        call=call,
        limits=LIMITS if model.backbone.modality == "image" else (),
        promises=asked.notes,
        exact=not asked.int8,
        facts={"bits": 8 if asked.int8 else 32, "promises": dict(asked.wanted)},
    )


def _answers(model: ExportedModel, items: Sequence[Item]) -> NDArray[Any]:
    """Answer items with an exported model, as `AdaptedModel.outputs` does."""
    each: list[NDArray[Any]] = []
    for start in range(0, len(items), AT_ONCE):
        read = [model.read(item) for item in items[start : start + AT_ONCE]]
        each += [outputs for _, outputs in model.outputs(read)]
    if model.kind == "transcription":
        return ragged(model.heard(p) for p in each)
    return ragged(each) if model.kind == "tagging" else np.concatenate(each)


def write_facts(folder: Path, facts: dict[str, Any]) -> None:
    """Write ``preprocessing.json``, with the hashes of the files beside it as they are now."""
    files = {name: hash_item(folder / name) for name in HASHED if (folder / name).is_file()}
    write_json(folder / FACTS, {"format": FORMAT, **facts, "files": files})


def write_examples(model: AdaptedModel, opened: ExportedModel) -> None:
    """Write made-up items as files, and what the exported model answers to them."""
    folder = opened.folder
    kept: list[dict[str, str]] = []
    for number, item in enumerate(varied(model.backbone)):
        path = folder / "examples" / f"{number}{'.wav' if isinstance(item, Sound) else '.png'}"
        if isinstance(item, str | Document):
            kept.append({"text": str(item)})
        elif isinstance(item, Sound | Image.Image):  # an array of other channels has no file of a common kind
            path.parent.mkdir(exist_ok=True)
            _write_file(path, item)
            kept.append({"file": path.relative_to(folder).as_posix()})
    items = [folder / each["file"] if "file" in each else each["text"] for each in kept]
    rows = opened.predict(items)
    told = [{**each, "answer": row} for each, row in zip(kept, rows, strict=True)]
    write_json(folder / EXAMPLES, told)


def _example(backbone: Backbone, recipe: Recipe) -> list[Item]:
    """Return items whose inputs have two or more of everything that varies."""
    if "framing" not in recipe.inputs or recipe.inputs["framing"] is None:
        return varied(backbone)
    samples = int(1.4 * recipe.inputs["most"] * recipe.inputs["step"])
    return [Sound(np.random.default_rng(0).normal(0, 0.1, samples).astype(np.float32), recipe.inputs["rate"])]


def _fixed(recipe: Recipe) -> bool:
    """Tell whether all windows have one length."""
    describe = recipe.inputs.get("describe", {})
    return bool(describe.get("pad") == "window" or describe.get("kind") == "ast")


def _facts(saved: Artifact, promises: Promises, asked: Asked) -> dict[str, Any]:
    model = saved.model
    kept = {"abstain_below": promises.abstain_below, "positive": promises.positive and list(promises.positive)}
    return {
        "headstart": version("headstart"),
        "name": saved.folder.name,
        "backbone": model.backbone.name,
        "strategy": model.strategy,
        "task": model.task.to_dict(),
        "promises": {**kept, "wanted": dict(asked.wanted), "notes": list(asked.notes)},
        "bits": 8 if asked.int8 else 32,
    }


def _arrays(model: AdaptedModel, promises: Promises) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {}
    if promises.thresholds is not None:
        arrays["thresholds"] = promises.thresholds
    if promises.novelty is not None:
        arrays |= {f"novelty.{name}": array for name, array in promises.novelty.to_arrays().items()}
    if isinstance(model.head, FrameModel):
        arrays |= {f"decoder.{name}": array for name, array in model.head.decoder.to_arrays().items()}
    return arrays


def _write_file(path: Path, item: Sound | Image.Image) -> None:
    if isinstance(item, Image.Image):
        item.save(path)
        return
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(item.rate)
        file.writeframes((np.asarray(item.samples) * 32767).clip(-32768, 32767).astype("<i2").tobytes())
