"""What a model makes of a recording: probabilities of characters in every frame, and the text in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

BLANK: Final = 0  # column of the outputs


@final
@dataclass(frozen=True, eq=False)
class Heard:
    """What a model makes of one recording.

    Attributes:
        probabilities: (T, 1 + C) of every frame: first that no character is said there, then of each character.
        text: What the model's decoder makes of them.
        characters: C characters.
    """

    probabilities: NDArray[np.float32]
    text: str
    characters: tuple[str, ...]


def character_numbers(text: str, characters: Sequence[str]) -> NDArray[np.intp]:
    """Return the output columns of a text's characters, (L,); those that training has not seen are left out."""
    number = {character: column for column, character in enumerate(characters, start=1)}
    return np.array([number[character] for character in text if character in number], dtype=np.intp)
