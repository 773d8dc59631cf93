"""What `inspect` says about texts whose words have tags."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from headstart.data._findings import Finding
from headstart.data._kinds import entities_in
from headstart.data._sides import given_sides
from headstart.data.dataset import Dataset

_FEW: Final = 10  # entities; below this a score of the type means little
_LONG: Final = 2000  # characters; about 512 word pieces


def entity_counts(dataset: Dataset, among: Sequence[int] | None = None) -> Counter[str]:
    """Count the entities of each type.

    Args:
        dataset: Tagged texts.
        among: Those to count in; all without it.

    Returns:
        Numbers by type.
    """
    found = entities_in(dataset)
    chosen = range(len(found)) if among is None else among
    return Counter(entity.type for i in chosen for entity in found[i])


def about_entities(dataset: Dataset) -> list[Finding]:
    """Find types with few entities to learn from, and texts that are read in windows."""
    if dataset.kind != "tagging":
        return []
    sides = (given_sides(dataset) or {}).get("parts", ("train",) * len(dataset))
    train = [i for i, side in enumerate(sides) if side == "train"]
    return [*_rare(dataset, train), *_unseen(dataset, train), *_long(dataset)]


def _rare(dataset: Dataset, train: Sequence[int]) -> list[Finding]:
    counts = entity_counts(dataset, train)
    rare = [f"{name!r} {count}" for name, count in reversed(counts.most_common()) if count < _FEW]
    if not rare:
        return []
    some = ", ".join(rare[:5]) + (", ..." if len(rare) > 5 else "")
    found = f"types with under {_FEW} training entities: {len(rare)} of {len(counts)} ({some})"
    fix = "Add texts with them, or leave the types out: their scores mean little."
    return [Finding("rare-types", "warning", dataset.source, found, fix)]


def _unseen(dataset: Dataset, train: Sequence[int]) -> list[Finding]:
    known = set(entity_counts(dataset, train))
    places = {
        entity.type: place
        for place, entities in reversed(list(zip(dataset.places, entities_in(dataset), strict=True)))
        for entity in entities
        if entity.type not in known
    }
    if not places:
        return []
    names = sorted(places)
    found = f"types of entities that no training text holds: {', '.join(map(repr, names))}"
    fix = "Add training texts with them, or correct the types; as it is, every entity of them counts as missed."
    return [Finding("untrained-types", "warning", places[names[0]], found, fix)]


def _long(dataset: Dataset) -> list[Finding]:
    long = [place for place, text in zip(dataset.places, dataset.items, strict=True) if len(text) > _LONG]
    if not long:
        return []
    found = f"texts of more than {_LONG:,} characters: {len(long)}"
    fix = "Nothing: they are read in overlapping windows, and every word is predicted once."
    return [Finding("long-texts", "info", long[0], found, fix)]
