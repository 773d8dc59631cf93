"""What reads items for an exported model, told in numbers: `headstart.runtime` does by these what preparers do."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from headstart.backbones import Backbone, mel_arrays
from headstart.errors import BackboneError
from headstart.runtime.pictures import resizer

TOKENIZER: Final = "tokenizer.json"


class Recipe(NamedTuple):
    """What a reader needs.

    Attributes:
        inputs: The part ``inputs`` of ``preprocessing.json``.
        arrays: Mel matrix and window of sounds.
        tokenizer: The content of ``tokenizer.json``, of texts.
    """

    inputs: dict[str, Any]
    arrays: dict[str, NDArray[Any]]
    tokenizer: bytes | None = None


def recipe_of(backbone: Backbone) -> Recipe:
    """Tell what reads items for a network.

    Args:
        backbone: Any that Headstart can build from a recipe.

    Returns:
        The recipe.

    Raises:
        BackboneError: The runtime does not know how it reads items.
    """
    makers: dict[str, Callable[[Backbone], Recipe]] = {
        "timm": _pictures,
        "torchvision": _pictures,
        "transformers": _texts,
        "wav2vec2-bert": _sounds,
        "wav2vec2": _sounds,
        "whisper": _sounds,
        "ast": _sounds,
    }
    library = str(backbone.source["library"])
    if library not in makers:
        problem = f"a network of the family {library} cannot be exported: nothing but Headstart reads items as it does"
        raise BackboneError(problem, where=backbone.name, fix="Serve the model folder itself: headstart serve MODEL")
    return makers[library](backbone)


def _pictures(backbone: Backbone) -> Recipe:
    settings = backbone.preparer.settings
    names = ("input_size", "interpolation", "crop_pct", "mean", "std")
    resize = {name: settings[name] for name in names} | {"crop_mode": settings.get("crop_mode", "center")}
    resize["input_size"] = [len(settings["mean"]), *settings["input_size"][1:]]
    try:
        resizer(resize)
    except ValueError as error:
        raise BackboneError(str(error), where=backbone.name, fix="Serve the model folder itself.") from error
    scale = None if backbone.pixels is None else backbone.pixels.to_dict()
    return Recipe({"modality": "image", "resize": resize, "scale": scale}, {})


def _texts(backbone: Backbone) -> Recipe:
    preparer: Any = backbone.preparer  # of tokens, by the family
    settings = preparer.settings
    kept = {"window": settings["window"], "lower": settings["lower"], **preparer.runtime}
    inputs = {"modality": "text", **kept, "words": backbone.pooling_of_words}
    return Recipe(inputs, {}, backbone.assets[TOKENIZER])


def _sounds(backbone: Backbone) -> Recipe:
    preparer: Any = backbone.preparer  # of sounds, by the family
    describe, arrays = _describing(backbone, preparer)
    sizes = {name: int(getattr(preparer, name)) for name in ("rate", "step", "most", "least", "reach")}
    framing = None if preparer.framing is None else asdict(preparer.framing)
    inputs = {"modality": "audio", **sizes, "describe": describe, "framing": framing}
    if framing is not None:
        inputs["marked"] = preparer.real is not len
    return Recipe(inputs, arrays)


def _describing(backbone: Backbone, preparer: Any) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    source: Mapping[str, Any] = backbone.source
    library, sound = source["library"], source["sound"]
    if library == "wav2vec2":
        return {"kind": "waves", "step": preparer.step, "reach": preparer.reach, "normalize": sound["normalize"]}, {}
    kind = {"wav2vec2-bert": "kaldi", "whisper": "whisper", "ast": "ast"}[library]
    arrays = {name: np.asarray(array, dtype=np.float64) for name, array in mel_arrays(kind, sound).items()}
    if kind == "kaldi":
        quiet = {"quiet": dict(source["quiet"])} if "quiet" in source else {}
        return {"kind": kind, "stride": sound["stride"], "bands": sound["bands"], **quiet}, arrays
    if kind == "whisper":
        sizes = {"fft": sound["fft"], "hop": sound["hop"], "step": preparer.step, "most": preparer.most}
        return {"kind": kind, **sizes, "pad": source["pad"]}, arrays
    return {"kind": kind, **{name: sound[name] for name in ("most", "normalize", "mean", "std")}}, arrays
