"""What a corruption is, and where its random numbers come from."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np

from headstart.data import Item, Modality, PixelScale, Sound, hash_item, read_image, read_sound, sound_rate
from headstart.errors import OptionError

SEVERITIES: Final = (1, 2, 3)
VERSION: Final = 1  # raised where the same seed gives other items, so that old figures are not compared with new ones


@final
@dataclass(frozen=True)
class Corruption:
    """One kind of mishap at three severities.

    Attributes:
        name: In one or two words.
        levels: What each severity is, in words.
        function: From an item as `opened` returns it, a severity and random numbers to a new item.
    """

    name: str
    levels: tuple[str, str, str]
    function: Callable[[Any, int, np.random.Generator], Item]

    def __call__(self, item: Item, severity: int, *, seed: int) -> Item:
        """Return the item as it would have come.

        Args:
            item: As `opened` returns it; it is not changed.
            severity: 1, 2 or 3.
            seed: Other seeds, other mishaps.

        Returns:
            A new item of the same kind.

        Raises:
            OptionError: There is no such severity.
        """
        if severity not in SEVERITIES:
            raise OptionError(f"expected a severity of 1, 2 or 3, found {severity!r}")
        return self.function(item, severity, generator(item, name=self.name, seed=seed))


def generator(item: Item, *, name: str, seed: int) -> np.random.Generator:
    """Return random numbers that depend on what an item contains, on the corruption and on the seed.

    Args:
        item: As `opened` returns it.
        name: Of the corruption.
        seed: Other seeds give other numbers.

    Returns:
        A generator at its beginning.
    """
    digest = hashlib.sha256(f"{VERSION} {seed} {name} {hash_item(item)}".encode()).digest()
    return np.random.default_rng(np.frombuffer(digest, dtype="<u4").tolist())


def opened(item: Item, modality: Modality, *, scale: PixelScale | None = None) -> Item:
    """Return an item in memory, as the corruptions take it and as a network reads it just like the file.

    Args:
        item: A path, or an item in memory.
        modality: What it is.
        scale: By which a network sees pictures of other pixels than 8 bits; they are brought to 8 bits by it.

    Returns:
        A picture in RGB of its own size, a text, or a `Sound` of one channel at its own rate.

    Raises:
        DataError: The file cannot be read.
    """
    if modality == "image":
        return read_image(item, scale)
    if modality == "audio":
        rate = sound_rate(item)
        return Sound(read_sound(item, rate=rate), rate)
    return item
