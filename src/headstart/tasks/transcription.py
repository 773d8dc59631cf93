"""Transcription: what is said in a recording, character by character.

A network gives probabilities of characters and of a blank for every frame (connectionist temporal classification,
Graves et al., ICML 2006); a decoder makes a text of them. Labels are texts, encoded as texts: what is scored are their
words and characters, and a character that was never seen in training is one that was not recognised.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from headstart.runtime import Kind
from headstart.tasks._spelling import Spelling, plain, written

Texts = NDArray[np.str_]  # (N,)


@final
@dataclass(frozen=True)
class Transcription:
    """The label codec of a transcription task.

    Attributes:
        characters: Those that training has seen, sorted; the space between words is one of them.
        spelling: ``plain`` where transcripts are compared in lower case and without punctuation, else ``written``.
    """

    characters: tuple[str, ...]
    spelling: Spelling = "plain"

    @property
    def kind(self) -> Kind:
        """``transcription``."""
        return "transcription"

    @property
    def classes(self) -> tuple[str, ...]:
        """The characters in the order of the output columns; the first, empty, is the blank."""
        return ("", *self.characters)

    @property
    def n_outputs(self) -> int:
        """1 + C, the probabilities of a frame, which are 1 together."""
        return 1 + len(self.characters)

    @classmethod
    def from_labels(cls, labels: Iterable[str]) -> "Transcription":
        """Build the task from the transcripts seen in training: plain where all of them are."""
        texts = [written(label) for label in labels]
        spelling: Spelling = "plain" if all(text == plain(text) for text in texts) else "written"
        return cls(tuple(sorted(set("".join(texts)))), spelling)

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> "Transcription":
        """Build the task from what `to_dict` wrote."""
        return cls(tuple(facts["characters"]), facts["spelling"])

    def to_dict(self) -> dict[str, Any]:
        """Return the task as JSON values."""
        return {"kind": self.kind, "characters": list(self.characters), "spelling": self.spelling}

    def encode(self, labels: Sequence[str]) -> Texts:
        """Spell transcripts as training does.

        Args:
            labels: N transcripts.

        Returns:
            (N,) strings; characters that training has not seen stay in them.
        """
        spell = plain if self.spelling == "plain" else written
        return np.array([spell(label) for label in labels], dtype=np.str_)

    def decode(self, outputs: NDArray[Any]) -> list[str]:
        """Return the text of each of (N,) `Heard`."""
        return [heard.text for heard in outputs]
