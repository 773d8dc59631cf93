"""Checking a file against the SHA-256 it must have."""

import hashlib
from pathlib import Path

from headstart.errors import BackboneError


def check_sha256(path: Path, expected: str, *, fix: str) -> None:
    """Refuse a file that is not the expected one.

    Args:
        path: The file.
        expected: 64 hexadecimal digits.
        fix: What to do if it is another.

    Raises:
        BackboneError: The file cannot be read, or is another.
    """
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BackboneError(f"cannot be read ({error.strerror})", where=str(path), fix=fix) from error
    if found != expected:
        raise BackboneError(f"expected SHA-256 {expected}, found {found}", where=str(path), fix=fix)
