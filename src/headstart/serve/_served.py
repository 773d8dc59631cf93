"""What a model is to the server, and the limits on what it reads."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from headstart.errors import DataError
from headstart.serve._limits import Limits

if TYPE_CHECKING:
    from headstart.runtime import Encoded, Kind, Modality

Payload = bytes | str  # the bytes of a file, or a text
Row = dict[str, Any]


class Served(Protocol):
    """A model that answers; `headstart.pipeline.Predictor` and `Exported` are there."""

    @property
    def name(self) -> str:
        """What to call it."""

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

    def read(self, payload: Payload, limits: Limits) -> Any:
        """Decode one item; called in several threads.

        Args:
            payload: A text, or the bytes of a file.
            limits: How large it may be.

        Returns:
            What `answer` takes.

        Raises:
            DataError: It cannot be read, or is beyond a limit; without a path of this machine.
        """

    def answer(self, items: Sequence[Any]) -> list[Row]:
        """Answer a batch; called in one thread.

        Args:
            items: From `read`.

        Returns:
            A row for each, as ``headstart predict --json`` prints it, without its input.
        """


def text_of(payload: Payload, limits: Limits) -> str:
    """Return a text within the limits.

    Args:
        payload: A text, or its bytes in UTF-8.
        limits: How long it may be.

    Returns:
        The text.

    Raises:
        DataError: It is no text, empty or too long.
    """
    try:
        text = payload.decode("utf-8-sig") if isinstance(payload, bytes) else payload
        text.encode()
    except UnicodeError as error:
        fix = "Send it as UTF-8."
        raise DataError("expected a text in UTF-8, found bytes or half characters that are none", fix=fix) from error
    if len(text) > limits.characters:
        found = f"expected at most {limits.characters:,} characters, found {len(text):,}"
        raise DataError(found, fix="Cut the text into pieces.")
    if not text.strip():
        raise DataError("expected a text, found an empty one", fix="Write something into it.")
    return text


def encoded_of(payload: Payload, limits: Limits) -> "Encoded":
    """Return the bytes of a picture's or recording's file with the limits for them.

    Args:
        payload: The bytes.
        limits: How many pixels or seconds it may have.

    Returns:
        What every reader of pictures and recordings takes.

    Raises:
        DataError: It is a text.
    """
    from headstart.runtime import Encoded

    if isinstance(payload, str):
        raise DataError("expected the bytes of a file, found a text", fix="Send the file.")
    return Encoded(payload, most_pixels=limits.pixels, most_seconds=limits.audio_seconds)
