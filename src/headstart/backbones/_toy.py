"""Tiny backbones with fixed random weights, for tests: under a millisecond an item, nothing to download."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, final

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from headstart.backbones._base import Backbone, Batch, Block
from headstart.backbones._folder import Recipe, fill
from headstart.backbones._images import ImagePreparer, Pixels, block
from headstart.backbones._texts import TokenCounts, Windows, collate_windows, count_tokens, pool_tokens
from headstart.data import Item
from headstart.errors import BackboneError

SIZE, VOCABULARY, WINDOW = 32, 1024, 64
NOTE = "random weights, for tests"


def recipe(target: str) -> Recipe:
    """Make the recipe of ``toy:image`` or ``toy:text``."""
    if target not in ("image", "text"):
        raise BackboneError(
            f"there is no toy backbone {target!r}", where=f"toy:{target}", fix="Write toy:image or toy:text."
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = _image_network() if target == "image" else _text_network()
    return Recipe({"library": "toy", "name": target}, {}, network.state_dict())


def build(recipe: Recipe, name: str) -> Backbone:
    """Build either toy."""
    return (_build_image if recipe.source["name"] == "image" else _build_text)(recipe, name)


def _image_network() -> nn.Sequential:
    widths = (3, 8, 16, 16)
    layers = [
        nn.Sequential(nn.Conv2d(narrow, wide, 3, stride=2, padding=1), nn.ReLU()) for narrow, wide in pairwise(widths)
    ]
    return nn.Sequential(*layers)


def _build_image(recipe: Recipe, name: str) -> Backbone:
    network = _image_network()
    fill(network, recipe, where=name)
    settings = {"size": SIZE, "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]}
    return Backbone(
        name=name,
        modality="image",
        network=network,
        preparer=ImagePreparer(_squash, settings),
        blocks=tuple(block(f"conv{i + 1}", layer) for i, layer in enumerate(network)),
        tail=_average,
        num_features=16,
        source=recipe.source,
        notes=(NOTE,),
    )


def _squash(image: Image.Image) -> Pixels:
    return np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BILINEAR))


def _average(batch: Batch) -> Tensor:
    return batch.values.mean((2, 3))


def _text_network() -> nn.ModuleDict:
    mixers = [nn.Sequential(nn.Linear(16, 16), nn.Tanh()) for _ in range(2)]
    return nn.ModuleDict({"embedding": nn.Embedding(VOCABULARY, 16), "layers": nn.ModuleList(mixers)})


def _build_text(recipe: Recipe, name: str) -> Backbone:
    network = _text_network()
    fill(network, recipe, where=name)
    embedding, layers = network["embedding"], network["layers"]
    assert isinstance(layers, nn.ModuleList)
    blocks = [block("embeddings", embedding)]
    blocks += [Block(f"layer{i + 1}", (layer,), partial(_mix, layer)) for i, layer in enumerate(layers)]
    return Backbone(
        name=name,
        modality="text",
        network=network,
        preparer=HashingPreparer(),
        blocks=tuple(blocks),
        tail=partial(pool_tokens, "mean"),
        num_features=16,
        source=recipe.source,
        pool=partial(pool_tokens, "mean"),
        notes=(NOTE,),
    )


def _mix(layer: nn.Module, batch: Batch) -> Tensor:
    """Let every token see the mean of its window, padding left out, then transform it."""
    mean = pool_tokens("mean", Batch(batch.values, batch.mask))
    mixed: Tensor = layer(batch.values + mean[:, None])
    return mixed


@final
@dataclass(frozen=True)
class HashingPreparer:
    """Words to numbers by their hash, after a start token; windows of 64 tokens."""

    chunk: int = 64

    @property
    def settings(self) -> Mapping[str, Any]:
        """The vocabulary and the window."""
        return {"vocabulary": VOCABULARY, "window": WINDOW}

    def read(self, items: Sequence[Item]) -> list[Windows]:
        """Hash the words of each text."""
        return [self._windows(str(item).lower().split()) for item in items]

    def count(self, texts: Sequence[str]) -> TokenCounts:
        """Count the words: each is one token, and none is unknown."""
        return TokenCounts(sum(len(text.split()) for text in texts))

    def cost(self, prepared: Windows) -> int:
        """Count the tokens."""
        return count_tokens(prepared)

    def collate(self, prepared: Sequence[Windows]) -> Batch:
        """Pad to the longest window."""
        return collate_windows(prepared, pad=0)

    def _windows(self, words: list[str]) -> Windows:
        ids = np.array([0, *(_hash_word(word) for word in words)], dtype=np.int32)
        return tuple(np.split(ids, range(WINDOW, len(ids), WINDOW)))


def _hash_word(word: str) -> int:
    digest = hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=4).digest()
    return 1 + int.from_bytes(digest, "big") % (VOCABULARY - 1)
