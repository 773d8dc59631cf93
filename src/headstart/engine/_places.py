"""Where Headstart keeps what it can make or fetch again."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return the folder all caches lie in: ``HEADSTART_CACHE``, else the platform's cache folder."""
    import platformdirs

    named = os.environ.get("HEADSTART_CACHE")
    return Path(named) if named else Path(platformdirs.user_cache_path("headstart"))
