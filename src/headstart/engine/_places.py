"""Where Headstart keeps what it can make or fetch again, and folders that are there whole or not at all."""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from headstart.errors import HeadstartError, writing


def cache_folder() -> Path:
    """Return the folder all caches lie in: ``HEADSTART_CACHE``, else the platform's cache folder."""
    import platformdirs

    named = os.environ.get("HEADSTART_CACHE")
    return Path(named) if named else Path(platformdirs.user_cache_path("headstart"))


@contextmanager
def whole_or_absent(target: Path, what: str, *, raises: type[HeadstartError]) -> Iterator[Path]:
    """Give a folder to fill, which takes the target's name and place at the end, or vanishes.

    Args:
        target: The folder to make, or to replace.
        what: What is being written, for an error.
        raises: The error to raise where the disk is full or not writable.

    Yields:
        The folder to fill.
    """
    partial = target.with_name(f"{target.name}.{uuid.uuid4().hex[:8]}.partial")
    with writing(what, target, raises=raises, fix="Free space there, or choose another place."):
        try:
            partial.mkdir(parents=True)
            yield partial
            shutil.rmtree(target, ignore_errors=True)
            partial.rename(target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
