"""Opening every image or sound once, and what is said about what is in them."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from headstart.data._rows import Row
from headstart.engine import LocalEngine
from headstart.errors import DataError
from headstart.runtime import Item, Modality
from headstart.runtime.pictures import ImageFacts, describe_image, name_of_channels
from headstart.runtime.recordings import SoundFacts, sound_facts

Facts = ImageFacts | SoundFacts

TINY: Final = 8  # pixels; below this no pretrained network has anything to see
SILENT: Final = 1e-4  # of full scale, -80 dB: below the noise of any microphone
CLIPPED: Final = 0.001  # share of samples at full scale; a recording that was not too loud has hardly any

_OPENERS: Final[dict[Modality, Callable[[Item], Facts]]] = {"image": describe_image, "audio": sound_facts}


def opened(entries: Sequence[Row | DataError], modality: Modality) -> Iterator[Row | DataError | Facts]:
    """Open items, each once.

    Args:
        entries: Rows, or faults, which stay as they are.
        modality: Texts stay as they are too.

    Returns:
        In their order, the facts about each item, or its fault, which names the row and the file.
    """
    if modality == "text":
        return iter(entries)
    opener = _OPENERS[modality]

    def open_one(entry: Row | DataError) -> Facts | DataError:
        if isinstance(entry, DataError):
            return entry
        try:
            return opener(entry.item)
        except DataError as error:
            where = entry.place if entry.place.endswith(entry.item.name) else f"{entry.place} ({entry.item.name})"
            return DataError(error.problem, where=where, fix=error.fix)

    return LocalEngine().map(open_one, entries)


def of_one_kind(
    entries: Sequence[Row | DataError], results: Sequence[Row | DataError | Facts]
) -> list[Row | DataError | Facts]:
    """Make faults of the pictures that have other channels than most: a network has one first layer.

    Args:
        entries: Rows, or faults.
        results: What opening them gave.

    Returns:
        The results, with those faults in their places.
    """
    counts = Counter(result.channels for result in results if isinstance(result, ImageFacts))
    if len(counts) < 2:
        return list(results)
    usual = counts.most_common(1)[0][0]

    def judged(entry: Row | DataError, result: Row | DataError | Facts) -> Row | DataError | Facts:
        if not isinstance(result, ImageFacts) or not isinstance(entry, Row) or result.channels == usual:
            return result
        return DataError(
            f"expected {name_of_channels(usual)}, as most have, found {name_of_channels(result.channels)}",
            where=entry.place,
            fix="Give pictures of the same channels.",
        )

    return [judged(entry, result) for entry, result in zip(entries, results, strict=True)]


def notes_on_items(rows: Sequence[Row], facts: Sequence[Facts]) -> list[str]:
    """Say every kind of conversion or trouble once, with a count and one example."""
    places: dict[str, list[str]] = {}
    for row, fact in zip(rows, facts, strict=False):
        for said in _said(fact):
            places.setdefault(said, []).append(row.place)
    return [f"{kind}: {len(found)} (first: {found[0]})." for kind, found in places.items()]


def troubles(fact: SoundFacts) -> dict[str, str]:
    """Say what makes a sound hard to use that can be read, under a short name of it."""
    after = " after averaging its channels" if fact.channels > 1 else ""
    alone = "" if fact.peak < SILENT else " but for a constant, which nobody hears"
    found = {"silent": f"silent{alone}{after} (below -80 dB of full scale)"} if fact.swing < SILENT else {}
    if fact.full > CLIPPED:
        found["clipped"] = f"clipped (over {CLIPPED:.1%} of the samples at full scale)"
    return found


def _said(fact: Facts) -> list[str]:
    if isinstance(fact, SoundFacts):
        warned = list(troubles(fact).values())
    else:
        warned = [f"under {TINY} pixels wide or high"] if min(fact.size) < TINY else []
    conversions = fact.conversions() if isinstance(fact, SoundFacts) else fact.conversions
    return [*(f"Converted: {kind}" for kind in conversions), *(f"Warning: {kind}" for kind in warned)]
