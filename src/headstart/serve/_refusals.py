"""Why a whole request gets no rows."""

from collections.abc import Mapping
from typing import final


@final
class Refused(Exception):  # noqa: N818  (an answer, not a fault of the program)
    """A request that is refused.

    Args:
        status: Of HTTP.
        message: What was expected and found, for people.
        headers: Of the answer.
    """

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        self.status, self.message, self.headers = status, message, dict(headers or {})
        super().__init__(message)
