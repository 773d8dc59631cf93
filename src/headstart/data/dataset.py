"""The labelled examples, as one value that flows through every stage.

A `Dataset` holds parallel columns (items, labels, places, groups, parts, domains, folds). Nothing in it is decoded:
images and sounds stay paths until a backbone reads them. `place` says where an item came from (``train.csv:12``,
``ants/a.jpg``), so that every later message can name it.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from headstart.engine import LocalEngine
from headstart.errors import DataError
from headstart.runtime import Document, Encoded, Item, Modality, Sound
from headstart.tasks import Kind

Part = Literal["train", "val", "test"]
PARTS: tuple[Part, ...] = ("train", "val", "test")
PLURALS: Final[dict[Modality, str]] = {"image": "images", "text": "texts", "audio": "sounds"}


@dataclass(frozen=True)
class LeftOut:
    """An item that was found and not used, with the reason."""

    place: str
    reason: str


@dataclass(frozen=True)
class Dataset:
    """Examples of one modality, column by column.

    Attributes:
        modality: What the items are.
        items: Paths, images or arrays (image), strings or `Document` (text), paths or `Sound` (audio); N of them.
        places: Where each item came from, for messages.
        labels: N label names, or None for unlabelled items. Label sets and numbers stay as the data writes them
            (``sea|beach``, ``0.25``), tags of words as a JSON list, transcripts as they are spelt;
            `headstart.tasks.task_from_labels` reads them.
        groups: N group names (patient, speaker, document), or None.
        parts: N names of given parts (``train``, ``val``, ``test``), or None where no split was given.
        domains: N domain names, or None.
        folds: N fold names that the scores must use, or None.
        source: The file or folder the data was read from.
        notes: What was inferred or converted while reading, one sentence each, to be said once.
        left_out: Items that were skipped on request.
        kind: What the labels are: classes, label sets (``multilabel``), numbers (``regression``), tags (``tagging``) or
            what is said (``transcription``).
        lent: N times whether an example is lent by another data set: it trains, and is never held out or scored; None
            where none is.
        relabelled: N times whether the label was changed by a table of corrections; None where there was none. No part
            of the fingerprint, as the labels themselves are.
        extra: Further columns to slice scores by, N values each by the column's name; no part of the fingerprint.
    """

    modality: Modality
    items: tuple[Item, ...]
    places: tuple[str, ...]
    labels: tuple[str, ...] | None = None
    groups: tuple[str, ...] | None = None
    parts: tuple[Part, ...] | None = None
    domains: tuple[str, ...] | None = None
    folds: tuple[str, ...] | None = None
    source: str = ""
    notes: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = field(default=())
    kind: Kind = "classification"
    lent: tuple[bool, ...] | None = None
    relabelled: tuple[bool, ...] | None = None
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.items)

    @property
    def task(self) -> str:
        """Modality and kind, such as ``text-classification``."""
        return f"{self.modality}-{self.kind}"

    @property
    def own(self) -> NDArray[np.intp]:
        """Positions of the examples that are not lent, all of them where none is."""
        return np.arange(len(self)) if self.lent is None else np.flatnonzero(~np.array(self.lent, dtype=bool))

    def take(self, indices: Iterable[int] | NDArray[np.intp]) -> "Dataset":
        """Return the examples at these indices, in this order; notes and source are kept."""
        chosen = [int(i) for i in indices]
        columns: dict[str, Any] = {}
        for name in ("items", "places", "labels", "groups", "parts", "domains", "folds", "lent", "relabelled"):
            column = getattr(self, name)
            columns[name] = None if column is None else tuple(column[i] for i in chosen)
        columns["extra"] = {name: tuple(column[i] for i in chosen) for name, column in self.extra.items()}
        taken = replace(self, **columns)
        if "hashes" in vars(self):  # files need not be read again
            vars(taken)["hashes"] = tuple(self.hashes[i] for i in chosen)
        return taken

    @cached_property
    def hashes(self) -> tuple[str, ...]:
        """SHA-256 of every item's content: file bytes, array bytes or UTF-8 text."""
        if self.modality == "text":
            return tuple(hash_item(item) for item in self.items)
        return tuple(LocalEngine().map(hash_item, self.items))

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over modality, kind, contents, labels, groups, parts, domains and folds, in order.

        Two data sets with equal fingerprints give the same splits and the same scores, wherever their files lie.
        """
        what = self.modality if self.kind == "classification" else self.task
        digest = hashlib.sha256(what.encode())
        columns: Sequence[Sequence[str] | None] = (
            self.hashes,
            self.labels,
            self.groups,
            self.parts,
            self.domains,
            self.folds,
            *(() if self.lent is None else (tuple(map(str, self.lent)),)),
        )
        for column in columns:
            digest.update(b"\x1e")
            for value in column or ():
                digest.update(value.encode("utf-8", "surrogatepass") + b"\x1f")
        return digest.hexdigest()


def hash_item(item: Item) -> str:
    """Return the SHA-256 of what an item contains, independent of its name and place.

    Args:
        item: A path, `Encoded`, a string, a `Document`, a PIL image, an array or a `Sound`.

    Returns:
        64 hexadecimal digits.

    Raises:
        DataError: The file cannot be read.
    """
    if isinstance(item, Path):
        try:
            with item.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            found = f"expected a file that can be read, found: {error.strerror}"
            raise DataError(found, where=str(item), fix="Check that it exists and is readable.") from error
    if isinstance(item, Encoded):
        return hashlib.sha256(item.content).hexdigest()
    if isinstance(item, str):
        return hashlib.sha256(item.encode("utf-8", "surrogatepass")).hexdigest()
    if isinstance(item, Document):
        borders = np.array(item.words, dtype="<i8").tobytes()
        return hashlib.sha256(item.text.encode("utf-8", "surrogatepass") + b"\x00words" + borders).hexdigest()
    array = np.ascontiguousarray(item.samples if isinstance(item, Sound) else item)
    kind = f"{item.rate} Hz" if isinstance(item, Sound) else getattr(item, "mode", "")
    header = f"{kind} {array.dtype.str} {array.shape} ".encode()
    return hashlib.sha256(header + array.tobytes()).hexdigest()
