"""Tiny backbones with fixed random weights, for tests: under a millisecond an item, nothing to download."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, Final, final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from headstart.backbones._base import Backbone, Block
from headstart.backbones._batch import Batch
from headstart.backbones._folder import Recipe, fill
from headstart.backbones._images import ImagePreparer, block
from headstart.backbones._sounds import Samples, SoundPreparer
from headstart.backbones._texts import TokenCounts, collate_windows, count_tokens, pool_tokens
from headstart.backbones._words import as_document, collate_words
from headstart.data import Document, Item
from headstart.errors import BackboneError
from headstart.runtime import OVERLAP, WordPooling, place_words
from headstart.runtime.tokens import PreparedWords, Windows

SIZE, VOCABULARY, WINDOW = 32, 1024, 64
PIECE = 8  # characters of a word that make a token, where words have features of their own
RATE, STEP, BANDS = 16_000, 320, 16  # frames of 20 ms
NOTE = "random weights, for tests"


def recipe(target: str) -> Recipe:
    """Make the recipe of ``toy:image``, ``toy:text`` or ``toy:audio``."""
    if target not in NETWORKS:
        fix = "Write toy:image, toy:text or toy:audio."
        raise BackboneError(f"there is no toy backbone {target!r}", where=f"toy:{target}", fix=fix)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = NETWORKS[target]()
    return Recipe({"library": "toy", "name": target}, {}, network.state_dict())


def build(recipe: Recipe, name: str) -> Backbone:
    """Build one of the toys."""
    build_one = {"image": _build_image, "text": _build_text, "audio": _build_sound}[recipe.source["name"]]
    return build_one(recipe, name)


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


def _squash(image: Image.Image) -> Image.Image:
    return image.resize((SIZE, SIZE), Image.Resampling.BILINEAR)


def _average(batch: Batch) -> Tensor:
    return batch.values.mean((2, 3))


def _text_network() -> nn.ModuleDict:
    mixers = [nn.Sequential(nn.Linear(16, 16), nn.Tanh()) for _ in range(2)]
    return nn.ModuleDict({"embedding": nn.Embedding(VOCABULARY, 16), "layers": nn.ModuleList(mixers)})


def _build_text(recipe: Recipe, name: str) -> Backbone:
    network = _text_network()
    fill(network, recipe, where=name)
    return _mixing(network, "embedding", "embeddings", name=name, recipe=recipe, preparer=HashingPreparer())


def _sound_network() -> nn.ModuleDict:
    mixers = [nn.Sequential(nn.Linear(16, 16), nn.Tanh()) for _ in range(2)]
    return nn.ModuleDict({"stem": nn.Linear(BANDS, 16), "layers": nn.ModuleList(mixers)})


def _build_sound(recipe: Recipe, name: str) -> Backbone:
    network = _sound_network()
    fill(network, recipe, where=name)
    settings = {"rate": RATE, "step": STEP, "bands": BANDS, "window": WINDOW}
    preparer = SoundPreparer(_loudness, RATE, STEP, WINDOW, settings, bands=BANDS)
    return _mixing(network, "stem", "stem", name=name, recipe=recipe, preparer=preparer)


def _loudness(samples: Samples) -> NDArray[np.float32]:
    """Describe every frame by the logarithm of the power in bands of 500 Hz."""
    spectra = np.fft.rfft(samples.reshape(-1, STEP), axis=1)[:, 1:]
    power = np.square(np.abs(spectra)).reshape(len(spectra), BANDS, -1).sum(axis=2)
    return np.asarray(np.log10(power + 1e-4) / 4, dtype=np.float32)


def _mixing(
    network: nn.ModuleDict,
    first: str,
    cut: str,
    *,
    name: str,
    recipe: Recipe,
    preparer: "HashingPreparer | SoundPreparer",
) -> Backbone:
    """Chain a first layer and those that mix, of tokens or frames."""
    layers = network["layers"]
    assert isinstance(layers, nn.ModuleList)
    blocks = [block(cut, network[first])]
    blocks += [Block(f"layer{i + 1}", (layer,), partial(_mix, layer)) for i, layer in enumerate(layers)]
    return Backbone(
        name=name,
        modality="text" if isinstance(preparer, HashingPreparer) else "audio",
        network=network,
        preparer=preparer,
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

    def for_words(self, pooling: WordPooling) -> "HashingWords":
        """Return a preparer of documents."""
        return HashingWords(pooling)


@final
@dataclass(frozen=True)
class HashingWords:
    """Pieces of words to numbers by their hash, in windows of 64 tokens that begin with a start token and overlap."""

    pooling: WordPooling
    chunk: int = 64

    @property
    def settings(self) -> Mapping[str, Any]:
        """The vocabulary, the window, its overlap and the pooling."""
        return {"vocabulary": VOCABULARY, "window": WINDOW, "overlap": WINDOW // OVERLAP, "words": self.pooling}

    def read(self, items: Sequence[Item]) -> list[PreparedWords]:
        """Hash the pieces of every word."""
        return [self._prepared(as_document(item)) for item in items]

    def count(self, texts: Sequence[str]) -> TokenCounts:
        """Count the pieces; none is unknown."""
        return TokenCounts(sum(len(_pieces(as_document(text))) for text in texts))

    def cost(self, prepared: PreparedWords) -> int:
        """Count the tokens."""
        return count_tokens(prepared[:-1])

    def collate(self, prepared: Sequence[PreparedWords]) -> Batch:
        """Pad to the longest window."""
        return collate_words(HashingPreparer(), prepared)

    def for_words(self, pooling: WordPooling) -> "HashingWords":
        """Return the same for another pooling."""
        return HashingWords(pooling)

    def _prepared(self, document: Document) -> PreparedWords:
        offsets, overlap = _pieces(document), WINDOW // OVERLAP
        ids = [_hash_word(document.text[start:end].lower()) for start, end in offsets]
        starts = range(0, max(1, len(ids) - overlap), WINDOW - 1 - overlap)
        windows = [np.array([0, *ids[start : start + WINDOW - 1]], dtype=np.int32) for start in starts]
        covered = np.array(offsets, dtype=np.intp).reshape(-1, 2)
        options = {"window": WINDOW - 1, "overlap": overlap, "before": 1}
        return (*windows, place_words(document.words, covered, **options, pooling=self.pooling))


def _pieces(document: Document) -> list[tuple[int, int]]:
    """Cut words into pieces of eight characters."""
    return [(start, min(start + PIECE, end)) for border, end in document.words for start in range(border, end, PIECE)]


def _hash_word(word: str) -> int:
    digest = hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=4).digest()
    return 1 + int.from_bytes(digest, "big") % (VOCABULARY - 1)


NETWORKS: Final[Mapping[str, Callable[[], nn.Module]]] = {
    "image": _image_network,
    "text": _text_network,
    "audio": _sound_network,
}
