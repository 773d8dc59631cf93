"""Pictures that a job draws beside its numbers."""

from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

from headstart.errors import HeadstartError, OptionError
from headstart.pipeline._options import Say

PICTURES: Final = (".png", ".svg")


def check_picture(path: Path, overwrite: Literal["never", "file"]) -> Path:
    """Refuse before any compute a picture that could not be written.

    Args:
        path: Where it is wanted.
        overwrite: ``file`` replaces one that exists.

    Returns:
        The path.

    Raises:
        OptionError: The name ends otherwise, there is no such folder, or the file exists.
    """
    if path.suffix.lower() not in PICTURES:
        raise OptionError(f"expected a name ending in .png or .svg, found {path.name!r}", where="-o")
    if not path.parent.is_dir():
        raise OptionError("the folder does not exist", where=str(path.parent), fix="Make it, or choose another -o.")
    if path.is_dir() or (path.exists() and overwrite == "never"):
        fix = "Choose another -o." if path.is_dir() else "Choose another -o, or add --overwrite."
        raise OptionError(f"the {'folder' if path.is_dir() else 'file'} exists", where=str(path), fix=fix)
    return path


def drawn(draw: Callable[[Path], None], path: Path, *, say: Say) -> Path | None:
    """Draw a picture; without it the numbers are still worth having.

    Args:
        draw: Draws it at a path.
        path: Where.
        say: Told why there is none.

    Returns:
        Where it is, or None.
    """
    try:
        draw(path)
    except HeadstartError as error:
        say(f"No picture: {error}")
        return None
    return path
