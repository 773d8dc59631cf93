"""What all pictures share: colours, style, and how one is written.

matplotlib is loaded when the first picture is drawn, and its global settings and windows are left as they are.
"""

import importlib
import io
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from headstart.errors import MissingExtraError, OptionError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which colour-blind readers can tell apart; grey is what they are compared with.
COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
GREY: Final = "#6B6B6B"
INK: Final = "#222222"
MARKERS: Final = ("o", "s", "D", "^", "v", "P", "X")
SIZE: Final = (8.0, 5.0)  # inches at 100 dots each
_STYLE: Final[dict[str, Any]] = {
    "axes.edgecolor": "#999999",
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.dpi": 100.0,
    "font.family": "DejaVu Sans",
    "font.size": 12.0,
    "savefig.dpi": 200.0,
    "svg.fonttype": "path",
    "svg.hashsalt": "headstart",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}
LABEL_ROOM: Final = 0.055  # of the height: two direct labels nearer than this would touch


def picture(figure: "Callable[[], Figure]", kind: Literal["png", "svg"] = "png") -> bytes:
    """Draw a figure in our style; without a date, so that equal pictures are equal bytes.

    Args:
        figure: Makes it.
        kind: What the bytes are.

    Returns:
        The bytes of a file.

    Raises:
        MissingExtraError: matplotlib is missing or broken.
    """
    matplotlib, whole = _matplotlib(), io.BytesIO()
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # a user's own settings would change the picture
        matplotlib.rcParams.update(_STYLE)
        figure().savefig(whole, format=kind, metadata={"Date": None} if kind == "svg" else {"Software": None})
    return whole.getvalue()


def draw(figure: "Callable[[], Figure]", path: Path) -> None:
    """Draw a figure in our style and write it.

    Args:
        figure: Makes it.
        path: A file ending in ``.png`` (1600 x 1000 pixels) or ``.svg``.

    Raises:
        MissingExtraError: matplotlib is missing or broken.
        OptionError: The name ends otherwise, or the file cannot be written.
    """
    kind = path.suffix.lower().removeprefix(".")
    if kind not in ("png", "svg"):
        raise OptionError(f"expected a name ending in .png or .svg, found {path.name!r}")
    _save(picture(figure, "png" if kind == "png" else "svg"), path)


def write_title(figure: "Figure", title: str) -> None:
    """Write what stands above the picture, smaller where it is long."""
    figure.text(0.1, 0.93, title, fontsize=min(15.0, 1000 / max(len(title), 1)), fontweight="bold")


def _matplotlib() -> Any:
    try:
        for part in ("backends.backend_agg", "backends.backend_svg", "figure", "ticker"):
            importlib.import_module(f"matplotlib.{part}")
        return importlib.import_module("matplotlib")
    except (AttributeError, ImportError) as error:  # an AttributeError where it was built for another numpy
        fix = "Run: pip install --upgrade matplotlib"
        raise MissingExtraError(f"pictures need matplotlib, which does not load ({error})", fix=fix) from error


def _save(whole: bytes, path: Path) -> None:
    """Write the picture, which appears once it is whole."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_bytes(whole)
        partial.replace(path)
    except OSError as error:
        fix = "Choose another place."
        raise OptionError(f"the picture cannot be written ({error.strerror})", where=str(path), fix=fix) from error
    finally:
        with suppress(OSError):  # what stopped the writing is the error to show
            partial.unlink()


def apart(heights: Sequence[float], each: float = LABEL_ROOM) -> list[float]:
    """Rising heights, as near to the given ones as leaves each the room of a line of text."""
    room = each * np.arange(len(heights))
    blocks: list[list[float]] = []
    for height in np.asarray(heights) - room:  # the closest rising numbers: neighbours in the wrong order are averaged
        blocks.append([float(height)])
        while len(blocks) > 1 and np.mean(blocks[-2]) > np.mean(blocks[-1]):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    moved = [float(np.mean(block)) for block in blocks for _ in block]
    return [float(height) for height in np.array(moved) + room]
