"""From an item to what the graph of an exported model takes, for each modality.

A reader has two steps, as the preparers of `headstart.backbones` have: `read` decodes one item, `feed` joins some of
what was read into the inputs of the graph. Both are told by ``preprocessing.json`` of the exported model.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol, final

import numpy as np
from numpy.typing import NDArray

from headstart.errors import ArtifactError
from headstart.runtime._aligned import Places
from headstart.runtime._documents import Document
from headstart.runtime._framing import Framing
from headstart.runtime._items import Item
from headstart.runtime._windows import join_places, join_windows

Read = Any  # one item as a reader leaves it
Feed = dict[str, NDArray[Any]]
Arrays = Mapping[str, NDArray[Any]]


class Reader(Protocol):
    """Turns items into inputs of the graph."""

    def read(self, item: Item) -> Read:
        """Decode one item; raises DataError where it cannot be read."""

    def cost(self, read: Read) -> int:
        """Return its size (tokens, frames, pixels), to run like with like."""

    def feed(self, several: Sequence[Read]) -> Feed:
        """Join some items into inputs of the graph."""


@final
class PictureReader:
    """Decodes and resizes pictures: ``pixels`` (N, H, W, C) from 0 to 255."""

    def __init__(self, recipe: Mapping[str, Any]) -> None:
        from headstart.runtime.pictures import PixelScale, resizer

        kept = recipe["scale"]
        self._scale = None if kept is None else PixelScale.from_dict(kept)
        self._resize, self._channels = resizer(recipe["resize"]), int(recipe["resize"]["input_size"][0])

    def read(self, item: Item) -> Read:
        """Decode and resize."""
        from headstart.runtime.pictures import read_resized

        return read_resized(item, self._resize, self._scale)

    def cost(self, read: Read) -> int:
        """Count the pixels."""
        return int(read.shape[0] * read.shape[1])

    def feed(self, several: Sequence[Read]) -> Feed:
        """Stack pictures."""
        from headstart.runtime.pictures import stack_pixels

        pixels = stack_pixels(several, self._channels)
        return {"pixels": pixels if self._scale is None else pixels.astype(np.float32)}


@final
class TextReader:
    """Tokenises texts: ``tokens`` (W, T), ``real`` (W, T), ``owner`` (W,)."""

    def __init__(self, recipe: Mapping[str, Any], tokenizer: Path) -> None:
        from headstart.runtime.tokens import TextWindows

        self._pad = int(recipe["pad"])
        options = {name: recipe[name] for name in ("window", "lower", "start")}
        self.windows = TextWindows(_tokenizer(tokenizer), **options)

    def read(self, item: Item) -> Read:
        """Tokenise."""
        return self.windows.read([item])[0]

    def cost(self, read: Read) -> int:
        """Count the tokens."""
        return sum(map(len, read))

    def feed(self, several: Sequence[Read]) -> Feed:
        """Pad to the longest window."""
        joined = join_windows(several, fill=self._pad, dtype=np.int64)
        return {"tokens": joined.values, "real": joined.real, "owner": joined.owner}


@final
class WordReader:
    """Tokenises documents: ``tokens`` and ``real`` (W, T), and ``places`` (K, 3) of the tokens that stand for words."""

    def __init__(self, recipe: Mapping[str, Any], tokenizer: Path) -> None:
        self._texts = TextReader(recipe, tokenizer)
        self._windows = self._texts.windows.for_words(recipe["words"])

    def read(self, item: Item) -> Read:
        """Tokenise and place the words; of a plain text they are found first."""
        document = item if isinstance(item, Document) else Document.of_text(str(item))
        return document, self._windows.read([document])[0]

    def cost(self, read: Read) -> int:
        """Count the tokens."""
        return sum(map(len, read[1][:-1]))

    def feed(self, several: Sequence[Read]) -> Feed:
        """Pad to the longest window, and number the words of all documents."""
        windows = [prepared[:-1] for _, prepared in several]
        feed = self._texts.feed(windows)
        del feed["owner"]
        places, _ = join_places([prepared[-1] for _, prepared in several], [len(each) for each in windows])
        return {**feed, "places": places}


@final
class SoundReader:
    """Decodes recordings: ``frames`` (W, T, D), ``real`` (W, T), ``owner`` (W,)."""

    def __init__(self, recipe: Mapping[str, Any], arrays: Arrays) -> None:
        from headstart.runtime.recordings import cut, describing

        self.rate = int(recipe["rate"])
        self._cut: Callable[[Any], Iterable[Any]] = partial(cut, **_sizes(recipe))
        self._describe = describing(recipe["describe"], arrays)

    def read(self, item: Item) -> Read:
        """Decode, cut and describe."""
        from headstart.runtime.recordings import read_sound

        return tuple(map(self._describe, self._cut(read_sound(item, rate=self.rate))))

    def cost(self, read: Read) -> int:
        """Count the frames."""
        return sum(map(len, read))

    def feed(self, several: Sequence[Read]) -> Feed:
        """Pad to the longest window."""
        joined = join_windows(several, fill=0, dtype=np.float32)
        return {"frames": joined.values, "real": joined.real, "owner": joined.owner}


@final
class FrameReader:
    """Decodes recordings, one at a time, whose frames have features of their own: ``frames``, ``real``, ``places``."""

    def __init__(self, recipe: Mapping[str, Any], arrays: Arrays) -> None:
        from headstart.runtime.recordings import cut_overlapping, describing

        self._rate = int(recipe["rate"])
        self._framing = Framing(**recipe["framing"])
        # How long a row of features is.
        self.seconds = self._framing.joined * recipe["step"] / recipe["rate"]
        overlapping = partial(cut_overlapping, stride=self._framing.stride)
        self._cut: Callable[[Any], Iterable[Any]] = partial(overlapping, **_sizes(recipe))
        self._describe, self._marked = describing(recipe["describe"], arrays), bool(recipe.get("marked"))

    def read(self, item: Item) -> Read:
        """Decode, cut and describe, and place the rows."""
        from headstart.runtime.recordings import read_sound

        windows = tuple(map(self._describe, self._cut(read_sound(item, rate=self._rate))))
        lengths = [int(window[:, -1].sum()) if self._marked else len(window) for window in windows]
        return windows, self._framing.places(lengths)

    def cost(self, read: Read) -> int:
        """Count the frames."""
        return sum(map(len, read[0]))

    def feed(self, several: Sequence[Read]) -> Feed:
        """Join the windows of one recording."""
        (windows, places), *others = several
        assert not others, "recordings are heard one at a time"
        joined = join_windows([windows], fill=0, dtype=np.float32)
        return {"frames": joined.values, "real": joined.real, "places": places.astype(np.int64)}

    def parts(self, read: Read, size: int) -> list[tuple[Read, slice]]:
        """Divide a long recording, so that its memory stays bounded.

        Args:
            read: What `read` returned.
            size: Windows of a part.

        Returns:
            Parts to feed one after another, and which rows of what comes out are the recording's next: a part has
            another window on either side, because a row is judged with its neighbours.
        """
        windows, places = read
        divided = []
        for start in range(0, len(windows), size):
            first, last = max(0, start - 1), min(len(windows), start + size + 1)
            inside = (places[:, 0] >= first) & (places[:, 0] < last)
            own = (places[:, 0] >= start) & (places[:, 0] < start + size)
            row = places[inside, 2].min()
            part = windows[first:last], _from_zero(places[inside], first, int(row))
            if own.any():
                divided.append((part, slice(int(places[own, 2].min() - row), int(places[own, 2].max() + 1 - row))))
        return divided


def _sizes(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return how recordings are cut, in samples."""
    sizes = {name: int(recipe[name]) for name in ("most", "step", "least", "reach")}
    return {**sizes, "most": sizes["most"] * sizes["step"]}


def _from_zero(places: Places, window: int, row: int) -> Places:
    return places - np.array([window, 0, row], dtype=places.dtype)


def reader_of(recipe: Mapping[str, Any], folder: Path, arrays: Arrays) -> Reader:
    """Return the reader that ``preprocessing.json`` describes.

    Args:
        recipe: Its ``inputs``.
        folder: The exported model, which has the tokenizer.
        arrays: The mel matrix and window of sounds.

    Returns:
        The reader.

    Raises:
        ArtifactError: The description does not fit this version.
    """
    try:
        if recipe["modality"] == "image":
            return PictureReader(recipe)
        if recipe["modality"] == "text":
            words = recipe.get("words") is not None
            return (WordReader if words else TextReader)(recipe, folder / "tokenizer.json")
        return (SoundReader if recipe.get("framing") is None else FrameReader)(recipe, arrays)
    except (KeyError, TypeError, ValueError) as error:
        problem = f"its preprocessing is not understood ({type(error).__name__}: {error})"
        raise ArtifactError(problem, where=str(folder / "preprocessing.json"), fix="Export the model again.") from error


def _tokenizer(path: Path) -> Any:
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(path))
