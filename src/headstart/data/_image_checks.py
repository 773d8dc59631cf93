"""What `check` finds in images that can be read."""

from collections import defaultdict
from typing import Final

from headstart.data._facts import TINY
from headstart.data._findings import Finding, Severity
from headstart.data.readers import Reading
from headstart.runtime.pictures import ImageFacts

_ODD_SHAPE: Final = 5  # longer side to shorter; a square crop then shows a fifth or less


def about_images(reading: Reading) -> list[Finding]:
    """Find tiny and odd images, and what will be converted."""
    kinds: dict[tuple[str, Severity, str, str], list[str]] = defaultdict(list)
    for place, fact in zip(reading.dataset.places, reading.facts, strict=False):
        if not isinstance(fact, ImageFacts):
            continue
        short, long = sorted(fact.size)
        if short < TINY:
            kinds["tiny-images", "warning", f"under {TINY} pixels wide or high", "Remove them."].append(place)
        if long > _ODD_SHAPE * short:
            fix = "Crop or tile them: networks see a square."
            kinds["odd-shape", "warning", f"more than {_ODD_SHAPE} times longer than wide", fix].append(place)
        for kind in fact.conversions:
            kinds["conversion", "info", kind, "Nothing, if this is meant."].append(place)
    return [
        Finding(kind, severity, found[0], f"{what}: {len(found)} images", fix)
        for (kind, severity, what, fix), found in kinds.items()
    ]
