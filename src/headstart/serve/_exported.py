"""An ONNX export as a server sees it: limits go with what is read, the rest is the export's own runtime."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, final

from headstart.serve._limits import Limits
from headstart.serve._served import Payload, Row, encoded_of, text_of

if TYPE_CHECKING:
    from headstart.runtime import Item, Kind, Modality


class Runtime(Protocol):
    """What an export offers."""

    @property
    def modality(self) -> "Modality":
        """What it takes."""

    @property
    def kind(self) -> "Kind":
        """What it predicts."""

    @property
    def classes(self) -> Sequence[str]:
        """Names of what it tells apart."""

    @property
    def promises(self) -> Sequence[str]:
        """What its answers promise, a sentence each."""

    def read(self, item: "Item") -> Any:
        """Decode one item; raises DataError."""

    def answer(self, items: Sequence[Any]) -> list[Row]:
        """Return a row for each."""


@final
class Exported:
    """Serves an export.

    Args:
        model: The opened export.
        name: What to call it.
    """

    def __init__(self, model: Runtime, *, name: str) -> None:
        self.name, self.modality, self.kind = name, model.modality, model.kind
        self.classes, self.promises = tuple(model.classes), tuple(model.promises)
        self._model = model

    def read(self, payload: Payload, limits: Limits) -> Any:
        """Decode an item within the limits, which it carries; see `Served`."""
        return self._model.read((text_of if self.modality == "text" else encoded_of)(payload, limits))

    def answer(self, items: Sequence[Any]) -> list[Row]:
        """Answer a batch; see `Served`."""
        return self._model.answer(items)
