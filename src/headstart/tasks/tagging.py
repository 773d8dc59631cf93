"""Tagging: every word of a document has one tag, and runs of tags are entities.

Inside Headstart tags are IOB2: ``O`` outside, ``B-TYPE`` on the first word of an entity, ``I-TYPE`` on the words that
go on with it. The label of a document, as `headstart.data.Dataset` carries it, is the JSON list of its words' tags.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from headstart.errors import DataError
from headstart.runtime import Kind, decode_entities
from headstart.tasks._ragged import Ragged, ragged

OUTSIDE: Final = "O"


class Entity(NamedTuple):
    """An entity in a document.

    Attributes:
        start: Number of its first word.
        end: Number of the word after its last.
        type: What it is.
        probability: How sure the model is that exactly these words are exactly this; 1.0 of a label.
    """

    start: int
    end: int
    type: str
    probability: float = 1.0


@final
@dataclass(frozen=True)
class Tagging:
    """The label codec of a tagging task.

    Attributes:
        types: T names of kinds of entities, sorted.
    """

    types: tuple[str, ...]

    @property
    def kind(self) -> Kind:
        """``tagging``."""
        return "tagging"

    @property
    def classes(self) -> tuple[str, ...]:
        """The tags in the order of the output columns: outside, then first and further words of each type."""
        return (OUTSIDE, *(f"{mark}-{name}" for name in self.types for mark in "BI"))

    @property
    def n_outputs(self) -> int:
        """1 + 2 T, one probability per tag; those of a word are 1 together."""
        return 1 + 2 * len(self.types)

    @classmethod
    def from_labels(cls, labels: Iterable[str]) -> "Tagging":
        """Build the task from the tags seen in training."""
        return cls(tuple(sorted({tag[2:] for label in labels for tag in read_tags(label) if tag != OUTSIDE})))

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> "Tagging":
        """Build the task from what `to_dict` wrote."""
        return cls(tuple(facts["types"]))

    def to_dict(self) -> dict[str, Any]:
        """Return the task as JSON values."""
        return {"kind": self.kind, "types": list(self.types)}

    def encode(self, labels: Sequence[str]) -> Ragged:
        """Turn tags into numbers.

        Args:
            labels: N JSON lists of IOB2 tags, one for each word.

        Returns:
            (N,) objects, the numbers (words,) of each document, 0 outside.

        Raises:
            DataError: A type is not one of those known.
        """
        number = {name: i for i, name in enumerate(self.classes)}
        tags = [read_tags(label) for label in labels]
        unknown = sorted({tag[2:] for each in tags for tag in each if tag not in number})
        if unknown:
            raise DataError(
                f"{len(unknown)} type(s) of entity were never seen in training: {', '.join(map(repr, unknown[:3]))}",
                fix=f"The model knows {len(self.types)} types: {', '.join(map(repr, self.types[:5]))}"
                f"{', ...' if len(self.types) > 5 else ''}.",
            )
        return ragged(np.array([number[tag] for tag in each], dtype=np.intp) for each in tags)

    def decode(self, outputs: NDArray[Any]) -> list[list[Entity]]:
        """Return the entities of the most probable valid tags.

        Args:
            outputs: (N,) objects, (words, 1 + 2 T) probabilities each.

        Returns:
            The entities of each document, in order.
        """
        return [
            [Entity(start, end, self.types[number], probability) for start, end, number, probability in found]
            for found in decode_entities(outputs)
        ]


def read_tags(label: str) -> list[str]:
    """Read the tags of a document as its label writes them."""
    tags: list[str] = json.loads(label)
    return tags


def write_tags(tags: Sequence[str]) -> str:
    """Write the tags of a document as `read_tags` reads them."""
    return json.dumps(list(tags), ensure_ascii=False)


def entities_of(tags: Sequence[str]) -> list[Entity]:
    """Return the entities that IOB2 tags mark; an ``I-`` that continues nothing begins an entity of its own.

    Args:
        tags: One for each word.

    Returns:
        The entities, in order.
    """
    found: list[Entity] = []
    for place, tag in enumerate(tags):
        if tag == OUTSIDE:
            continue
        mark, name = tag[0], tag[2:]
        if mark == "I" and found and found[-1].end == place and found[-1].type == name:
            found[-1] = found[-1]._replace(end=place + 1)
        else:
            found.append(Entity(place, place + 1, name))
    return found


def tags_of(entities: Iterable[Entity], n_words: int) -> list[str]:
    """Return the IOB2 tags that mark entities, which undoes `entities_of`.

    Args:
        entities: Entities that share no word.
        n_words: How many words the document has.

    Returns:
        One tag for each word.
    """
    tags = [OUTSIDE] * n_words
    for start, end, name, *_ in entities:
        tags[start:end] = [f"B-{name}", *[f"I-{name}"] * (end - start - 1)]
    return tags
