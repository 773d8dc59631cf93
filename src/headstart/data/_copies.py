"""Items that occur more than once, with the same labels or with others."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from headstart.data._findings import Finding, Severity
from headstart.data._kinds import label_sets
from headstart.data._rows import noun_of
from headstart.data._sides import given_sides
from headstart.data._transcripts import shortened
from headstart.data.dataset import Dataset
from headstart.tasks import read_number, read_tags

_KEEP = "Remove all copies but one."


def about_copies(dataset: Dataset) -> list[Finding]:
    """Find exact copies: with different labels one by one, otherwise (and where words have tags) counted."""
    places: dict[str, list[int]] = defaultdict(list)
    for i, digest in enumerate(dataset.hashes):
        places[digest].append(i)
    clusters = [found for found in places.values() if len(found) > 1]
    split = given_sides(dataset)
    sides: Sequence[str] = next(iter(split.values())) if split else [""] * len(dataset)
    labels = _comparable_labels(dataset)
    conflicts = [found for found in clusters if len({labels[i] for i in found}) > 1]
    across = [found for found in clusters if len({sides[i] for i in found}) > 1]
    same = [found for found in clusters if len({(labels[i], sides[i]) for i in found}) == 1]
    findings = _tagged(dataset, conflicts) if dataset.kind == "tagging" else _conflicting(dataset, conflicts)
    findings += _counted(dataset, across, "copies-across-parts", "warning", "items in training and scored part")
    return findings + _counted(dataset, same, "copies", "info", "items that occur more than once")


def _conflicting(dataset: Dataset, conflicts: Sequence[Sequence[int]]) -> list[Finding]:
    written, noun = dataset.labels or [""] * len(dataset), noun_of(dataset.kind)
    show = shortened if dataset.kind == "transcription" else str
    return [
        Finding(
            "conflicting-copies",
            "warning",
            ", ".join(dataset.places[i] for i in found),
            f"the same item with different {noun}s: {', '.join(sorted({show(written[i]) for i in found}))}",
            f"Correct the {noun}s or remove the item.",
        )
        for found in conflicts
    ]


def _tagged(dataset: Dataset, conflicts: Sequence[Sequence[int]]) -> list[Finding]:
    """Sum up texts whose words have different tags, and show the first word that differs."""
    if not conflicts:
        return []
    one = conflicts[0][0]
    tags = [read_tags(label) for label in dataset.labels or ()]
    other = next(i for i in conflicts[0] if tags[i] != tags[one])
    word = next(n for n, pair in enumerate(zip(tags[one], tags[other], strict=True)) if len(set(pair)) > 1)
    start, end = dataset.items[one].span(word, word + 1)
    first = f"{dataset.items[one].text[start:end]!r} is {tags[one][word]} and {tags[other][word]}"
    found = f"the same text with different tags: {len(conflicts)} (first: {first})"
    where = f"{dataset.places[one]}, {dataset.places[other]}"
    return [Finding("conflicting-copies", "warning", where, found, "Correct the tags, or remove the text.")]


def _comparable_labels(dataset: Dataset) -> Sequence[Any]:
    """The labels so that equal ones are equal, however they are written."""
    if dataset.labels is None:
        return [""] * len(dataset)
    if dataset.kind == "regression":
        return [read_number(label) for label in dataset.labels]
    plainly = dataset.kind in ("tagging", "transcription")
    return dataset.labels if plainly else [frozenset(names) for names in label_sets(dataset)]


def _counted(
    dataset: Dataset, clusters: Sequence[Sequence[int]], kind: str, severity: Severity, what: str
) -> list[Finding]:
    if not clusters:
        return []
    extra = sum(len(found) - 1 for found in clusters)
    where = " = ".join(dataset.places[i] for i in clusters[0][:3])
    return [Finding(kind, severity, where, f"{what}: {len(clusters)} ({extra} exact copies)", _KEEP)]
