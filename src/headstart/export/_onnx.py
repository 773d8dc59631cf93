"""An adapted model as a folder that predicts without Headstart and without torch.

model.onnx            the network, its pooling and its head; of pictures the normalising too
preprocessing.json    how items are read, the task, what is promised with each answer, SHA-256 of the files
arrays.npz            thresholds, what tells novelty, the mel matrix of sounds, the decoder of speech
tokenizer.json        of texts
examples.json         made-up items and the answers of the model that was exported
predict.py, runtime/  what reads and answers: the files of `headstart.runtime`
requirements.txt      what these need
"""

import json
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from headstart.backbones import Backbone
from headstart.data import hash_item
from headstart.export._copy import copy_runtime
from headstart.export._graph import write_graph
from headstart.export._made_up import RATE, made_up
from headstart.export._recipes import TOKENIZER, Recipe, recipe_of
from headstart.linear import FrameModel
from headstart.model import AdaptedModel
from headstart.runtime import Item, Promises, Sound
from headstart.runtime.exported import ARRAYS, FACTS, FORMAT, GRAPH
from headstart.runtime.predict import EXAMPLES
from headstart.runtime.readers import reader_of

HASHED: Final = (GRAPH, ARRAYS, TOKENIZER)


@final
@dataclass(frozen=True)
class Described:
    """What is told of a model beside the model itself.

    Attributes:
        promises: What is said with every answer.
        wanted: What these promise, as JSON values.
        name: What to call it.
    """

    promises: Promises
    wanted: dict[str, Any]
    name: str


def write_onnx(model: AdaptedModel, described: Described, folder: Path) -> None:
    """Write a model into an existing, empty folder.

    Args:
        model: On the CPU.
        described: What is told of it.
        folder: The folder.

    Raises:
        BackboneError: The network cannot be written as a graph, or the runtime does not know how it reads items.
        MissingExtraError: onnx or onnxscript is not installed.
    """
    recipe = recipe_of(model.backbone)
    arrays = {**recipe.arrays, **_arrays(model, described.promises)}
    if recipe.tokenizer is not None:
        (folder / TOKENIZER).write_bytes(recipe.tokenizer)
    np.savez(folder / ARRAYS, **arrays)
    reader = reader_of(recipe.inputs, folder, arrays)
    feed = reader.feed([reader.read(item) for item in _example(model.backbone, recipe)])
    write_graph(model, folder / GRAPH, list(feed.values()), fixed=_fixed(recipe))
    write_facts(folder, {**_facts(model, described), "inputs": recipe.inputs})
    copy_runtime(folder, model.backbone.modality)


def write_facts(folder: Path, facts: dict[str, Any]) -> None:
    """Write ``preprocessing.json``, with the hashes of the files beside it as they are now."""
    files = {name: hash_item(folder / name) for name in HASHED if (folder / name).is_file()}
    text = json.dumps({"format": FORMAT, **facts, "files": files}, indent=1, ensure_ascii=False)
    (folder / FACTS).write_text(text + "\n", "utf-8")


def write_examples(folder: Path, items: Sequence[Item]) -> list[Item]:
    """Write made-up items as files.

    Args:
        folder: The exported model.
        items: What `made_up` returned.

    Returns:
        The items as whoever has the folder reads them: paths, or texts.
    """
    kept: list[Item] = []
    for number, item in enumerate(items):
        path = folder / "examples" / f"{number}{'.png' if isinstance(item, Image.Image) else '.wav'}"
        if isinstance(item, str):
            kept.append(item)
            continue
        path.parent.mkdir(exist_ok=True)
        if isinstance(item, Sound):
            _write_wave(path, item)
        else:
            item.save(path)
        kept.append(path)
    return kept


def write_answers(folder: Path, items: Sequence[Item], answers: Sequence[dict[str, Any]]) -> None:
    """Write what the exported model is to answer to the items of `write_examples`."""
    rows = [
        {"text": item} if isinstance(item, str) else {"file": item.relative_to(folder).as_posix()} for item in items
    ]
    told = [{**row, "answer": answer} for row, answer in zip(rows, answers, strict=True)]
    (folder / EXAMPLES).write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _example(backbone: Backbone, recipe: Recipe) -> list[Item]:
    """Return items whose inputs have two or more of everything that varies."""
    if "framing" not in recipe.inputs or recipe.inputs["framing"] is None:
        return made_up(backbone.modality)
    samples = int(1.4 * recipe.inputs["most"] * recipe.inputs["step"])
    return [Sound(np.random.default_rng(0).normal(0, 0.1, samples).astype(np.float32), recipe.inputs["rate"])]


def _fixed(recipe: Recipe) -> bool:
    """Tell whether all windows have one length."""
    describe = recipe.inputs.get("describe", {})
    return describe.get("pad") == "window" or describe.get("kind") == "ast"


def _facts(model: AdaptedModel, described: Described) -> dict[str, Any]:
    promises = described.promises
    kept = {"abstain_below": promises.abstain_below, "positive": promises.positive and list(promises.positive)}
    return {
        "headstart": version("headstart"),
        "name": described.name,
        "backbone": model.backbone.name,
        "strategy": model.strategy,
        "task": model.task.to_dict(),
        "promises": {**kept, "wanted": described.wanted},
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


def _write_wave(path: Path, sound: Sound) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((np.asarray(sound.samples) * 32767).clip(-32768, 32767).astype("<i2").tobytes())
