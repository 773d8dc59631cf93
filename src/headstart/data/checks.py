"""What is in the data, what is wrong with it, and what to do about it: everything at once, without network or training.

An *error* makes training on this data impossible (the same functions decide that as in `load` and `plan_split`), a
*warning* is likely to make the result worse or the score wrong, an *info* is good to know. Mass kinds (copies,
conversions) are one finding with a count and the first place; what a user has to repair one by one (a broken file,
one picture with two labels) is one finding each.
"""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from headstart.data._copies import about_copies
from headstart.data._encoding import about_encoding
from headstart.data._entity_checks import about_entities, entity_counts
from headstart.data._findings import Finding
from headstart.data._image_checks import about_images
from headstart.data._kinds import label_sets, looks_like_numbers
from headstart.data._refusals import choice_problems, refusals
from headstart.data._sides import given_sides
from headstart.data._sound_checks import about_sounds
from headstart.data._summary import summary_of, values_in
from headstart.data._transcript_checks import about_transcripts, character_counts
from headstart.data.dataset import PARTS, Dataset
from headstart.data.readers import Reading, read
from headstart.errors import DataError
from headstart.tasks import Spelling

_SMALL_CLASS: Final = 10  # examples; below this a score of the class means little
UNEQUAL: Final = 10  # largest class to smallest
_LONG_TEXT: Final = 2000  # characters; about 512 word pieces, where most encoders stop reading
_FAR: Final = 10  # interquartile ranges from the middle half; a normal value is that far out once in 10^45
_HEAVY: Final = 0.5  # share of examples with one and the same value


@dataclass(frozen=True)
class Inspection:
    """What `inspect` found.

    Attributes:
        task: Modality and kind, such as ``text-classification``; empty where the source could not be read at all.
        n: Number of usable examples.
        classes: Examples per class or label, entities per type, or how often each character of transcripts occurs,
            largest first; empty for values.
        parts: Examples per given part; empty where the data has no split.
        summary: Ranges of sizes and counts of modes and formats (images), ranges of lengths (texts), range of
            seconds and counts of rates, channels and formats (sounds), numbers of words (transcripts), and range of the
            values to predict.
        findings: Errors first, then warnings, then infos.
        notes: What was inferred while reading.
    """

    task: str
    n: int
    classes: dict[str, int]
    parts: dict[str, int]
    summary: dict[str, Any]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document of ``headstart check --json``."""
        return asdict(self) | {"findings": [asdict(finding) for finding in self.findings], "notes": list(self.notes)}


def inspect(
    source: str | Path,
    *,
    test: str | Path | None = None,
    task: str | None = None,
    label: str | None = None,
    text: str | None = None,
    group: str | None = None,
    transcripts: Spelling = "plain",
) -> Inspection:
    """Look at everything in a source and list what is wrong with it.

    Args:
        source: As for `load`.
        test: As for `load`.
        task: As for `load`.
        label: As for `load`.
        text: As for `load`.
        group: As for `load`.
        transcripts: As for `load`.

    Returns:
        Counts and findings; a source that cannot be read at all is one error among them.

    Raises:
        OptionError: An option does not fit the data.
    """
    names = {"test": test, "task": task, "label": label, "text": text, "group": group, "transcripts": transcripts}
    return inspect_and_keep(source, **names)[0]


def inspect_and_keep(source: str | Path, **options: Any) -> tuple[Inspection, Dataset | None]:
    """Inspect a source and return what of it can be used, read once; the options are those of `inspect`, all given."""
    try:
        reading = read(source, **options)
    except DataError as error:
        return Inspection("", 0, {}, {}, {}, (_finding("source", error),), ()), None
    return _inspected(reading), reading.usable


def _inspected(reading: Reading) -> Inspection:
    dataset = reading.dataset
    findings = [found for check in _CHECKS for found in check(reading)]
    order = ("error", "warning", "info")
    return Inspection(
        dataset.task,
        len(dataset),
        dict(_class_counts(dataset).most_common()),
        {part: dataset.parts.count(part) for part in PARTS if part in dataset.parts} if dataset.parts else {},
        summary_of(reading),
        tuple(sorted(findings, key=lambda finding: order.index(finding.severity))),
        dataset.notes,
    )


def _class_counts(dataset: Dataset) -> Counter[str]:
    if dataset.kind == "tagging":
        return entity_counts(dataset)
    if dataset.kind == "transcription":
        return character_counts(dataset)
    return Counter(name for names in label_sets(dataset) for name in names)


def warnings_about(dataset: Dataset) -> tuple[Finding, ...]:
    """List the warnings that examples show which have been read already; no file is opened again.

    Args:
        dataset: What `load` returned.

    Returns:
        Findings as `inspect` has them, without those about files and those that are notes of the data set too.
    """
    reading = Reading(dataset, (), ())
    found = [finding for check in _CHECKS_OF_EXAMPLES for finding in check(reading)]
    return tuple(finding for finding in found if finding.severity == "warning" and finding.kind != "numeric-labels")


def _finding(kind: str, error: DataError) -> Finding:
    return Finding(kind, "error", error.where, error.problem, error.fix)


def _unusable(reading: Reading) -> list[Finding]:
    fix = " Or pass --on-error skip."
    return [Finding("unreadable", "error", e.where, e.problem, e.fix + fix) for e in reading.faults]


def _unsplittable(reading: Reading) -> list[Finding]:
    problems = refusals(reading.dataset) or choice_problems(reading.dataset)
    return [_finding("split", error) for error in problems]


def _copies(reading: Reading) -> list[Finding]:
    return about_copies(reading.dataset)


def _source(reading: Reading) -> list[Finding]:
    return list(reading.findings)


def _entities(reading: Reading) -> list[Finding]:
    return about_entities(reading.dataset)


def _transcripts(reading: Reading) -> list[Finding]:
    return about_transcripts(reading.dataset, reading.facts)


def _encoding(reading: Reading) -> list[Finding]:
    return about_encoding(reading.dataset)


def _similar_labels(reading: Reading) -> list[Finding]:
    spellings: dict[str, set[str]] = defaultdict(set)
    for label in {name for names in label_sets(reading.dataset) for name in names}:
        spellings[" ".join(unicodedata.normalize("NFKC", label).casefold().split())].add(label)
    return [
        Finding(
            "similar-labels",
            "warning",
            reading.dataset.source,
            f"labels that differ only in case, spaces or Unicode form: {', '.join(map(repr, sorted(found)))}",
            "Write them alike, if they mean the same.",
        )
        for found in spellings.values()
        if len(found) > 1
    ]


def _balance(reading: Reading) -> list[Finding]:
    dataset = reading.dataset
    if dataset.kind == "tagging":
        return []
    split = given_sides(dataset) or {}
    sides = split.get("parts", ("train",) * len(dataset))
    sets = [names for names, side in zip(label_sets(dataset), sides, strict=False) if side == "train"]
    counts = Counter(name for names in sets for name in names)
    if dataset.kind == "multilabel":
        return _label_balance(dataset, counts, len(sets))
    findings = [
        Finding(
            "small-class",
            "warning",
            dataset.source,
            f"class {label!r} has {count} training examples",
            f"Add examples: below {_SMALL_CLASS} its score means little.",
        )
        for label, count in counts.items()
        if 1 < count < _SMALL_CLASS
    ]
    if counts and max(counts.values()) >= UNEQUAL * min(counts.values()):
        (most, largest), (least, smallest) = counts.most_common()[0], counts.most_common()[-1]
        found = f"largest class to smallest: {largest} {most!r} to {smallest} {least!r}"
        fix = "fit reports the balanced accuracy first; add examples of the small classes."
        findings.append(Finding("imbalance", "warning", dataset.source, found, fix))
    return findings


def _label_balance(dataset: Dataset, counts: Counter[str], n: int) -> list[Finding]:
    """Find labels that few training examples have, and those that tell nothing apart."""
    rare = [f"{label!r} {count}" for label, count in reversed(counts.most_common()) if count < _SMALL_CLASS]
    common = [repr(label) for label, count in counts.items() if count == n > 1]
    findings = []
    if rare:
        found = f"labels with under {_SMALL_CLASS} training examples: {len(rare)} of {len(counts)} ({_some(rare)})"
        fix = "Add examples, or leave the labels out: their scores mean little."
        findings.append(Finding("rare-labels", "warning", dataset.source, found, fix))
    if common:
        found = f"labels that every training example has: {_some(common)}"
        fix = "Leave them out, or add examples without them: nothing can be learnt about them."
        findings.append(Finding("constant-labels", "warning", dataset.source, found, fix))
    return findings


def _some(names: Sequence[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")


def _spread_of_values(reading: Reading) -> list[Finding]:
    """Find numbers to predict that lie far from all others, or that most examples share."""
    dataset = reading.dataset
    if dataset.kind != "regression" or not len(dataset):
        return []
    values = np.array(values_in(dataset))
    low, high = np.quantile(values, [0.25, 0.75])
    far = np.flatnonzero((values < low - _FAR * (high - low)) | (values > high + _FAR * (high - low)))
    (value, count), *_ = Counter(dataset.labels).most_common(1)
    findings = []
    if len(far) and high > low:
        found = f"values far from all others: {len(far)} (first: {(dataset.labels or ())[far[0]]})"
        fix = "Correct them if they are mistakes: squared errors follow them before anything else."
        findings.append(Finding("outliers", "info", dataset.places[far[0]], found, fix))
    if _HEAVY * len(values) <= count < len(values):
        found = f"one value, {value}, stands for {count} of {len(values)} examples"
        fix = "Nothing, if it is meant; a mark for 'not measured' is no value: leave those rows out."
        findings.append(Finding("repeated-value", "info", dataset.source, found, fix))
    return findings


def _texts(reading: Reading) -> list[Finding]:
    dataset = reading.dataset
    if dataset.modality != "text" or dataset.kind == "tagging":
        return []
    long = [place for place, text in zip(dataset.places, dataset.items, strict=True) if len(text) > _LONG_TEXT]
    if not long:
        return []
    found = f"texts of more than {_LONG_TEXT:,} characters: {len(long)}"
    fix = "Split them or move what matters to the front: most networks read the first 512 word pieces or fewer."
    return [Finding("long-texts", "warning", long[0], found, fix)]


def _label_kind(reading: Reading) -> list[Finding]:
    """Find labels that look like another task: numbers to predict, or several labels in one."""
    dataset = reading.dataset
    labels = dataset.labels or ()
    if dataset.kind != "classification":
        return []
    findings = []
    if looks_like_numbers(labels):
        found = f"{len(set(labels))} different labels, all numbers: this looks like regression, not classes"
        fix = "Pass --task regression, or group the numbers into a few classes."
        findings.append(Finding("numeric-labels", "warning", dataset.source, found, fix))
    joined = [i for i, label in enumerate(labels) if "|" in label]
    if joined:
        found = f"labels with '|', taken as they are: {len(joined)} (first: {labels[joined[0]]!r})"
        fix = f"Pass --task {dataset.modality}-multilabel, if these are several labels."
        findings.append(Finding("multi-label", "warning", dataset.places[joined[0]], found, fix))
    return findings


def _groups(reading: Reading) -> list[Finding]:
    dataset = reading.dataset
    if not dataset.groups:
        return []
    number = len(set(dataset.groups))
    fix = "Name the right column with --group, or remove it."
    if number == 1:
        return [Finding("groups", "warning", dataset.source, "all items are in one group", fix)]
    if number == len(dataset):
        return [Finding("groups", "info", dataset.source, "every item is a group of its own", fix)]
    return []


_CHECKS: Final[tuple[Callable[[Reading], list[Finding]], ...]] = (
    _unusable,
    _unsplittable,
    _copies,
    _similar_labels,
    _balance,
    _spread_of_values,
    about_images,
    about_sounds,
    _texts,
    _encoding,
    _source,
    _entities,
    _transcripts,
    _label_kind,
    _groups,
)
_CHECKS_OF_EXAMPLES: Final = (
    _copies,
    _similar_labels,
    _balance,
    _texts,
    _encoding,
    _entities,
    _transcripts,
    _label_kind,
    _groups,
)
