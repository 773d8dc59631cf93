"""How much one may ask of a server."""

from dataclasses import asdict, dataclass, fields
from typing import Any, Final, final

from headstart.errors import OptionError

BODIES_HELD: Final = 16  # full bodies that may wait in memory at once


@final
@dataclass(frozen=True)
class Limits:
    """How much one may ask.

    Attributes:
        body: Bytes of a request.
        items: Items of a request.
        characters: Of a text.
        pixels: Of a picture, by its header.
        audio_seconds: Of a recording.
        queue: Items that may wait at once, of all requests.
        seconds: For a request to arrive, and again to be answered.
    """

    body: int = 16 * 2**20
    items: int = 64
    characters: int = 100_000
    pixels: int = 50_000_000
    audio_seconds: float = 600
    queue: int = 256
    seconds: float = 30

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0:
                raise OptionError(f"expected a limit above 0 of {field.name}, found {value}", fix="Raise it.")
        if self.items > self.queue:
            found = f"expected a queue that holds the {self.items} items of one request, found {self.queue}"
            raise OptionError(found, fix="Raise --max-queue or lower --max-items.")

    @property
    def bodies(self) -> int:
        """Bytes of all requests together that may be in memory."""
        return BODIES_HELD * self.body

    def to_dict(self) -> dict[str, Any]:
        """Return them as JSON values."""
        return asdict(self)
