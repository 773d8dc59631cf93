"""An ONNX export as a server sees it: the limits are checked here, the rest is the export's own runtime."""

from collections.abc import Sequence
from typing import Any, Literal, Protocol, final

from headstart.errors import DataError
from headstart.serve._limits import Limits
from headstart.serve._served import Payload, Row, encoded_of, text_of


class Runtime(Protocol):
    """What an export offers."""

    modality: Literal["image", "text", "audio"]
    kind: Literal["classification", "multilabel", "regression", "tagging", "transcription"]
    classes: Sequence[str]

    def read(self, payload: Payload) -> Any:
        """Decode one item; raises ValueError with a sentence."""

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
        self.classes, self.promises = tuple(model.classes), tuple[str, ...](getattr(model, "promises", ()))
        self._model = model

    def read(self, payload: Payload, limits: Limits) -> Any:
        """Check an item and decode it; see `Served`."""
        given: Payload = text_of(payload, limits) if self.modality == "text" else self._checked(payload, limits)
        try:
            return self._model.read(given)
        except ValueError as error:  # all that a runtime without a tree of errors raises
            if isinstance(error, DataError):
                raise
            raise DataError(str(error).rstrip(".")) from error

    def answer(self, items: Sequence[Any]) -> list[Row]:
        """Answer a batch; see `Served`."""
        return self._model.answer(items)

    def _checked(self, payload: Payload, limits: Limits) -> bytes:
        from headstart.data import check_picture, sound_rate

        item = encoded_of(payload, limits)
        if self.modality == "image":
            check_picture(item)
        else:
            sound_rate(item)  # opens it, where what its header says is held to the limit
        return item.content
