"""A model folder that answers item by item, as a server needs it: read in threads, answered in batches.

Items are read to the end (decoded, resized, cut into tokens) before they wait for their batch: what waits is small, and
the network's thread does nothing else. A recording of more than a minute is read again when its turn comes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, final

from headstart.artifact import Artifact
from headstart.backbones import Backbone, Batch
from headstart.data import Document, Modality
from headstart.engine import pick_device
from headstart.model import AdaptedModel
from headstart.pipeline._confidence import NOTHING_ASKED, Promised, Wanted
from headstart.pipeline._pixels import said_of_pixels
from headstart.pipeline._predict import answers, load
from headstart.serve import Limits, encoded_of, text_of
from headstart.tasks import Kind

ALL: Final = 1 << 20  # items; more than a batch ever has


@final
@dataclass(frozen=True)
class _Read:
    """An item as the network takes it.

    Attributes:
        prepared: What the backbone's preparer made of it.
        document: Of entities, what offsets are in.
    """

    prepared: Any
    document: Document | None


@final
@dataclass(frozen=True, eq=False)
class _PassedOn:
    """A preparer of what another one has prepared."""

    preparer: Any
    chunk: int = ALL

    @property
    def settings(self) -> Mapping[str, Any]:
        """Those of the other."""
        settings: Mapping[str, Any] = self.preparer.settings
        return settings

    @property
    def frame_seconds(self) -> float | None:
        """That of the other, if it has frames."""
        return getattr(self.preparer, "frame_seconds", None)

    def read(self, items: Sequence[Any]) -> list[Any]:
        """Pass items on."""
        return list(items)

    read_long = read

    def cost(self, prepared: Any) -> int:
        """Ask the other."""
        return int(self.preparer.cost(prepared))

    def collate(self, prepared: Sequence[Any]) -> Batch:
        """Ask the other."""
        batch: Batch = self.preparer.collate(prepared)
        return batch


@final
class Predictor:
    """Serves a model folder; a `headstart.serve.Served`.

    Args:
        saved: The loaded folder.
        promised: What is said beside each answer.
    """

    def __init__(self, saved: Artifact, promised: Promised) -> None:
        model = saved.model
        self.name: str = saved.folder.resolve().name
        self.modality: Modality = model.backbone.modality
        self.kind: Kind = model.task.kind
        self.classes: Sequence[str] = model.task.classes
        self.promises: Sequence[str] = (*promised.promises_said(), *said_of_pixels(model.backbone))
        self._promised = promised
        self._preparer = model.backbone.preparer
        passed_on = replace(model.backbone, preparer=_PassedOn(self._preparer))
        self._model: AdaptedModel = replace(model, backbone=passed_on)

    @staticmethod
    def open(
        folder: str | Path,
        *,
        wanted: Wanted = NOTHING_ASKED,
        backbone: Backbone | str | None = None,
        device: str = "auto",
        offline: bool = False,
    ) -> "Predictor":
        """Load a model folder.

        Args:
            folder: The model folder.
            wanted: What the answers of a classifier are to promise.
            backbone: Where the backbone of a slim model lies, if not where it was.
            device: Where the network runs.
            offline: Open no connection.

        Returns:
            The model, ready to answer.

        Raises:
            ArtifactError: It is no model folder, or cannot be loaded.
            OptionError: Something is wanted that the model cannot promise, or the device is not there.
        """
        saved = load(folder, backbone=backbone, offline=offline)
        promised = Promised.of(saved.confidence, saved.model.task, wanted)
        saved.model.backbone.to(pick_device(device))
        return Predictor(saved, promised)

    def read(self, payload: bytes | str, limits: Limits) -> _Read:
        """Read one item to the end.

        Args:
            payload: A text, or the bytes of a file.
            limits: How large it may be.

        Returns:
            What `answer` takes.

        Raises:
            DataError: It cannot be read, or is beyond a limit.
        """
        if self.modality != "text":
            item: Any = encoded_of(payload, limits)
        else:
            text = text_of(payload, limits)
            item = Document.of_text(text) if self.kind == "tagging" else text
        (prepared,) = self._read(item)
        return _Read(prepared, item if isinstance(item, Document) else None)

    def answer(self, items: Sequence[_Read]) -> list[dict[str, Any]]:
        """Answer a batch.

        Args:
            items: From `read`.

        Returns:
            A row for each, as ``headstart predict --json`` prints it, without its input.
        """
        prepared, documents = [item.prepared for item in items], [item.document for item in items]
        return answers(self._model, prepared, self._promised, documents=documents)

    def _read(self, item: Any) -> list[Any]:
        read = getattr(self._preparer, "read_long", self._preparer.read)
        found: list[Any] = read([item])
        return found
