"""Folders with a pretrained network: which layout one has, and its files read with errors that name file and layer.

Every family turns a folder into a `Recipe` and a recipe into a `Backbone`. A model folder keeps the recipe, so what is
loaded from it goes through the same code as what was loaded first, and gives the same numbers.

So every family has two functions. ``read(folder)`` returns the recipe. ``build(recipe, name)`` takes what `read`
returned, or what a model folder kept, and the backbone's name; it raises `BackboneError` where the architecture is
unknown to the installed library or the weights do not fit. Neither trusts what it is given: a recipe may come from a
stranger's model folder, so whatever could open a connection or run code is refused or left out in the function that
both use to create the network.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, final

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from headstart.backbones._source_head import SourceHead
from headstart.backbones._tensors import read_tensors
from headstart.errors import BackboneError

Library = Literal[
    "timm", "torchvision", "transformers", "whisper", "wav2vec2-bert", "wav2vec2", "ast", "yamnet", "headstart"
]
SOUNDS: Final[Mapping[str, Library]] = {  # by model_type
    "whisper": "whisper",
    "wav2vec2-bert": "wav2vec2-bert",
    "wav2vec2": "wav2vec2",
    "hubert": "wav2vec2",
    "wavlm": "wav2vec2",
    "audio-spectrogram-transformer": "ast",
}
ACCEPTED = (
    'a config.json with "architecture" (timm), with "architecture": "torchvision:NAME" or "yamnet", or with '
    '"model_type" (transformers, beside tokenizer files; networks for sounds beside preprocessor_config.json), and '
    "model.safetensors; or what headstart.backbones.write_folder wrote"
)
RANDOM = {
    nn.init.normal_,
    nn.init.uniform_,
    nn.init.trunc_normal_,
    nn.init.kaiming_normal_,
    nn.init.kaiming_uniform_,
    nn.init.xavier_normal_,
    nn.init.xavier_uniform_,
    Tensor.normal_,
    Tensor.uniform_,
    Tensor.erfinv_,
}
RECORD = "backbone.json"  # describes the network in Headstart's own layout
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


@final
@dataclass(frozen=True)
class Recipe:
    """All that determines a backbone, wherever its files lie.

    Attributes:
        source: How the network, its preprocessing and pooling are assembled, as JSON values.
        assets: Files needed besides the weights, by name.
        state: The weights, in float32, by the names the network gives them.
        notes: What was converted or left out while reading.
        head: The classifier that was left out, where it is a linear layer on the features.
    """

    source: Mapping[str, Any]
    assets: Mapping[str, bytes]
    state: Mapping[str, Tensor]
    notes: tuple[str, ...] = ()
    head: SourceHead | None = None


def layout(folder: Path) -> Library:
    """Tell which library's layout a folder has.

    Args:
        folder: The folder.

    Returns:
        The library that can read it.

    Raises:
        BackboneError: There is no folder, or it has none of the accepted layouts.
    """
    if not folder.is_dir():
        raise BackboneError("there is no such folder", where=str(folder), fix="Check the path after dir:.")
    config = read_json(folder / "config.json") if (folder / "config.json").is_file() else {}
    if "model_type" in config:
        return SOUNDS.get(str(config["model_type"]), "transformers")
    if str(config.get("architecture", "")).startswith("torchvision:"):
        return "torchvision"
    if config.get("architecture") == "yamnet":
        return "yamnet"
    if "architecture" in config:
        return "timm"
    if (folder / RECORD).is_file():
        return "headstart"
    found = ", ".join(sorted(path.name for path in folder.iterdir())[:8]) or "nothing"
    raise BackboneError(f"no known layout; found {found}", where=str(folder), fix=f"Expected {ACCEPTED}.")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Args:
        path: The file.

    Returns:
        Its content.

    Raises:
        BackboneError: The file is not a JSON object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BackboneError(f"not valid JSON ({error})", where=str(path), fix="Copy the file again.") from error
    if not isinstance(content, dict):
        raise BackboneError(f"expected a JSON object, found a {type(content).__name__}", where=str(path))
    return content


def stated_licence(folder: Path) -> str | None:
    """Return the licence that a folder states for its weights; None where it has no such line.

    Args:
        folder: The folder, of any layout.

    Returns:
        The licence, as it is written there.

    Raises:
        BackboneError: A file that may state it is not a JSON object.
    """
    for name in (RECORD, "config.json"):
        stated = read_json(folder / name) if (folder / name).is_file() else {}
        inner = stated.get("pretrained_cfg")
        for facts in (stated, inner if isinstance(inner, dict) else {}):
            found = facts.get("licence") or facts.get("license")
            if isinstance(found, str):
                return found
    return None


def read_weights(folder: Path) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Read the safetensors files of a folder, one or several shards.

    Args:
        folder: The folder.

    Returns:
        The weights, with floating-point ones in float32, and a note for each conversion.

    Raises:
        BackboneError: There are none, only pickled ones, or one is incomplete.
    """
    state: dict[str, Tensor] = {}
    for path in _weight_files(folder):
        state |= read_tensors(path)
    kinds = sorted({str(t.dtype).removeprefix("torch.") for t in state.values() if _is_converted(t)})
    notes = tuple(f"weights stored as {kind} were converted to float32" for kind in kinds)
    return {name: t.float() if t.is_floating_point() else t for name, t in state.items()}, notes


def left_out(parts: Iterable[str]) -> tuple[str, ...]:
    """Return the note that says which parts of a checkpoint were not taken; none where all were."""
    names = ", ".join(sorted(set(parts)))
    return (f"left out parts that features do not use: {names}",) if names else ()


def _is_converted(tensor: Tensor) -> bool:
    return tensor.is_floating_point() and tensor.dtype != torch.float32


def _weight_files(folder: Path) -> list[Path]:
    """Find model.safetensors, or the shards that its index names."""
    index = folder / "model.safetensors.index.json"
    if (folder / "model.safetensors").is_file():
        return [folder / "model.safetensors"]
    if index.is_file():
        return _shards(index)
    pickled = sorted(path.name for path in folder.iterdir() if path.suffix in PICKLES)
    if pickled:
        raise BackboneError(
            f"expected model.safetensors, found {pickled[0]}, which is a pickle and can run code when it is read",
            where=str(folder),
            fix="If you trust it, convert it once: safetensors.torch.save_file(torch.load(FILE, weights_only=True), "
            "'model.safetensors').",
        )
    raise BackboneError("there is no model.safetensors", where=str(folder), fix=f"Expected {ACCEPTED}.")


def _shards(index: Path) -> list[Path]:
    weight_map = read_json(index).get("weight_map")
    names: set[str] = set()
    for name in weight_map.values() if isinstance(weight_map, dict) else [weight_map]:
        if not isinstance(name, str) or "/" in name or "\\" in name or not name.endswith(".safetensors"):
            raise BackboneError(
                f"expected the names of weight files in the same folder, found {name!r}",
                where=str(index),
                fix="Copy the file again, from a source you trust.",
            )
        names.add(name)
    return [index.parent / name for name in sorted(names)]


@final
class unfilled(TorchFunctionMode):  # noqa: N801 - reads as a statement: with unfilled()
    """Create networks without drawing the random weights that `fill` replaces; most of the time of creating one."""

    def __torch_function__(
        self, func: Callable[..., Any], types: object, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> object:
        """Hand back the tensor unchanged where it would be filled with random numbers."""
        if func in RANDOM:
            return args[0] if args else (kwargs or {})["tensor"]
        return func(*args, **(kwargs or {}))


def fill(network: nn.Module, recipe: Recipe, *, where: str) -> None:
    """Load weights that must fit exactly, then freeze the network in evaluation mode.

    Args:
        network: Receives the weights.
        recipe: Holds the weights, by the network's names. That of a network that is cut off afterwards (its source says
            ``after``) may lack some; `check_fit` then tells whether they were among those needed.
        where: What to name in an error.

    Raises:
        BackboneError: A weight is missing, left over, or of another shape.
    """
    part = "after" in recipe.source
    check_fit(network, {**network.state_dict(), **recipe.state} if part else recipe.state, where=where)
    network.load_state_dict(dict(recipe.state), strict=not part)
    network.eval().requires_grad_(requires_grad=False)


def check_fit(network: nn.Module, state: Mapping[str, Tensor], *, where: str) -> None:
    """Check that weights are those of a network, all of them and no others.

    Args:
        network: The network.
        state: The weights.
        where: What to name in an error.

    Raises:
        BackboneError: A weight is missing, left over, or of another shape.
    """
    problems = list(misfits(network, state))
    if problems:
        more = f"; and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise BackboneError(
            f"the weights do not fit the network: {'; '.join(problems[:3])}{more}",
            where=where,
            fix=f"Check that config.json (or {RECORD}) and the weights belong together.",
        )


def misfits(network: nn.Module, state: Mapping[str, Tensor]) -> Iterator[str]:
    """Yield one phrase for every weight that is missing, left over or of another shape."""
    expected = network.state_dict()
    for name, tensor in expected.items():
        if name not in state:
            yield f"{name} is missing"
        elif state[name].shape != tensor.shape:
            yield f"{name} has shape {tuple(state[name].shape)} where {tuple(tensor.shape)} is expected"
    yield from (f"{name} is not part of it" for name in state if name not in expected)
