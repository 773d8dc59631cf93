"""What is known of an item besides what it shows: sizes, formats, borders, lengths, levels, names, dates.

Some are *made* with the file and can be noticed by a network (a border of one colour, the blur of a small picture):
they may let it score without learning the task. Some follow from what is *shown* as well (a meadow has a green edge,
and few details make a small file). Some stand *behind* the item (names, dates, cameras), which no network sees, and
only say that classes come from different sources.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, final

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.ExifTags import Base

from headstart.data import Dataset, Item, Modality, describe_image, read_image, sound_facts
from headstart.engine import LocalEngine

Values = dict[str, float | str]

Kind = Literal["made", "shown", "behind"]

_MADE: Final = frozenset(
    {"border of one colour", "width", "height", "shape (width to height)", "pixel format", "file format", "sample rate",
     "channels", "sample format", "signs beyond ASCII", "lines"}
)  # fmt: skip
_BEHIND: Final = frozenset({"day of change", "name pattern", "folder", "camera", "software"})
_EDGE: Final = 2  # rows and columns


@final
@dataclass(frozen=True, eq=False)
class Property:
    """One property of every item.

    Attributes:
        name: What it is called.
        values: (N,) numbers, or (N,) words.
        kind: ``made``, ``shown`` or ``behind``.
    """

    name: str
    values: npt.NDArray[Any]
    kind: Kind


def properties(dataset: Dataset) -> list[Property]:
    """Collect the properties of every item that differ among them.

    Args:
        dataset: N items.

    Returns:
        One per name, in a fixed order.

    Raises:
        DataError: An item cannot be read.
    """
    of: dict[Modality, Callable[[Item], Values]] = {"image": _of_picture, "text": _of_text, "audio": _of_sound}
    rows = list(LocalEngine().map(of[dataset.modality], dataset.items))
    if dataset.modality != "text":
        labels = sorted(set(dataset.labels or ()), key=len, reverse=True)
        rows = [row | _of_file(item, labels) for row, item in zip(rows, dataset.items, strict=True)]
    found = []
    for name in dict.fromkeys(name for row in rows for name in row):
        values = _column([row.get(name) for row in rows])
        if len(np.unique(values)) > 1:
            kind: Kind = "made" if name in _MADE else "behind" if name in _BEHIND else "shown"
            found.append(Property(name, values, kind))
    return found


def _column(values: Sequence[float | str | None]) -> npt.NDArray[Any]:
    """Numbers where all are, else words; what is missing is a word of its own, or the median."""
    if any(isinstance(value, str) for value in values):
        return np.array(["(none)" if value is None else str(value) for value in values])
    numbers = np.array([np.nan if value is None else float(value) for value in values])
    return np.where(np.isnan(numbers), np.nanmedian(numbers), numbers)


def _of_picture(item: Item) -> Values:
    facts, pixels = describe_image(item), np.asarray(read_image(item).convert("L"), dtype=np.float32)
    edge = np.concatenate(
        [pixels[:_EDGE].ravel(), pixels[-_EDGE:].ravel(), pixels[:, :_EDGE].ravel(), pixels[:, -_EDGE:].ravel()]
    )
    found: Values = {
        "border brightness": float(edge.mean()),
        "border evenness": float(np.log1p(edge.std())),
        "border of one colour": float((np.abs(edge - np.median(edge)) <= _EDGE).mean()),
        "width": float(np.log(facts.size[0])),
        "height": float(np.log(facts.size[1])),
        "shape (width to height)": float(np.log(facts.size[0] / facts.size[1])),
        "pixel format": facts.mode,
        "file format": facts.format,
    }
    if isinstance(item, Path):
        found["bytes per pixel"] = float(np.log(item.stat().st_size / (facts.size[0] * facts.size[1])))
        found |= _of_camera(item)
    return found


def _of_text(item: Item) -> Values:
    text = str(item)
    n = max(len(text), 1)
    return {
        "characters": float(np.log(n)),
        "words": float(np.log1p(len(text.split()))),
        "upper case": sum(map(str.isupper, text)) / n,
        "digits": sum(map(str.isdigit, text)) / n,
        "signs beyond ASCII": sum(ord(sign) > 127 for sign in text) / n,
        "punctuation": sum(not (sign.isalnum() or sign.isspace()) for sign in text) / n,
        "lines": float(text.count("\n")),
        "last sign": text[-1:] if not text[-1:].isalnum() else "letter",
    }


def _of_sound(item: Item) -> Values:
    facts = sound_facts(item)
    return {
        "seconds": float(np.log(facts.seconds)),
        "sample rate": str(facts.rate),
        "channels": str(facts.channels),
        "sample format": f"{facts.format} {facts.subtype}",
        "peak level": float(np.log(max(facts.peak, 1e-5))),
        "share at full scale": facts.full,
    }


def _of_file(item: Item, labels: Sequence[str]) -> Values:
    """Day of the last change, and the patterns of name and folder: every number a 0, and no label, which is no news."""
    if not isinstance(item, Path):
        return {}

    def pattern(name: str) -> str:
        for label in labels:
            name = re.sub(re.escape(label), "*", name, flags=re.IGNORECASE)
        return re.sub(r"\d+", "0", re.sub(r"[0-9a-f]{8,}", "0", name))[:40]

    day = str(int(item.stat().st_mtime // 86_400))
    return {"day of change": day, "name pattern": pattern(item.stem), "folder": pattern(item.parent.name)}


def _of_camera(path: Path) -> Values:
    """Camera and software that a picture names."""
    try:
        with Image.open(path) as image:
            exif = image.getexif()
    except (OSError, ValueError, SyntaxError, UserWarning):  # it could be read as a picture; its tags need not be
        return {}
    named = {"camera": exif.get(Base.Model) or exif.get(Base.Make), "software": exif.get(Base.Software)}
    return {name: str(value).strip("\x00 ") for name, value in named.items() if value}
