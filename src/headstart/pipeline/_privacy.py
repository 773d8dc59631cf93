"""What of the examples may be in a model folder: their names and pages that show them, or neither."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Literal

from headstart.data import Dataset, is_dicom_file

Examples = Literal["auto", "none", "shown"]
KEPT_OUT: Final = (
    "No example is shown or named in the model folder{why}; data.json holds numbers in place of names and groups, and "
    "the SHA-256 of each item, by which later scores can say what the model has seen."
)

_QUOTING_BRACKETS: Final = re.compile(r" \([^()]*['\"“][^()]*\)")
_NAMING: Final = re.compile(r"(?<![=\w])['\"“]|[^\s(]\.[A-Za-z]")  # a quotation, or a name with a suffix


def keeps_examples_out(dataset: Dataset, examples: Examples) -> bool:
    """Say whether nothing may name or show an example: on request, and of DICOM files unless that is asked for.

    Args:
        dataset: The examples.
        examples: What was asked for.

    Returns:
        Whether they are kept out.
    """
    return examples == "none" or (examples == "auto" and of_patients(dataset))


def of_patients(dataset: Dataset) -> bool:
    """Say whether any item is a DICOM file."""
    return dataset.modality == "image" and any(isinstance(item, Path) and is_dicom_file(item) for item in dataset.items)


def note_on_privacy(dataset: Dataset) -> str:
    """Say that examples are kept out, and why."""
    return KEPT_OUT.format(why=", because some are DICOM files" if of_patients(dataset) else "")


def cut_short(message: str) -> str:
    """Cut off what a message names or quotes of an example."""
    return re.split(r" \(first: |, found |, such as ", message, maxsplit=1)[0]


def unnamed(notes: Iterable[str]) -> list[str]:
    """Return notes cut short, without those that may still name an example: they quote something, or name a file.

    Args:
        notes: Sentences.

    Returns:
        Those that are left. What is a value of an option (``last='all'``) is no quotation.
    """
    short = (_QUOTING_BRACKETS.sub("", cut_short(note)) for note in notes)
    return [note for note in short if not _NAMING.search(note)]


def nameless(seen: Mapping[str, Any]) -> dict[str, Any]:
    """Put numbers in place of what names examples.

    Args:
        seen: What ``data.json`` holds or is to hold; folders of older versions hold less.

    Returns:
        The same with numbered places and groups, and without the names of sources or of what was left out.
    """
    numbers = group_numbers(seen)
    left_out = [{"place": "", "reason": cut_short(item["reason"])} for item in seen.get("left_out", ())]
    hidden: dict[str, Any] = {
        "source": "",
        "places": [f"#{number}" for number in range(1, len(seen.get("places", ())) + 1)],
        "groups": [numbers[group] for group in seen["groups"]] if seen.get("groups") else None,
        "left_out": left_out,
        **{side: {**seen[side], "source": ""} for side in ("target", "lent") if seen.get(side)},
    }
    return {**seen, **{name: value for name, value in hidden.items() if name in seen}}


def group_numbers(seen: Mapping[str, Any]) -> dict[str, str]:
    """Number the groups of ``data.json`` in the order in which they come."""
    return {name: f"#{number}" for number, name in enumerate(dict.fromkeys(seen.get("groups") or ()), 1)}


def nameless_evaluation(measured: Mapping[str, Any], numbers: Mapping[str, str]) -> dict[str, Any]:
    """Take out of what was measured all that names or quotes an example.

    Args:
        measured: What ``evaluation.json`` holds or is to hold.
        numbers: What stands in place of groups.

    Returns:
        The same without it: numbers and names of classes stay.
    """
    found = dict(measured)
    if "notes" in found:
        found["notes"] = unnamed(found["notes"])
    if "left_out" in found and isinstance(found["left_out"], list):
        out = found["left_out"]
        found["left_out"] = [
            {"place": "", "reason": cut_short(each["reason"])} if isinstance(each, Mapping) else each for each in out
        ]
    if "entities" in found:
        found["entities"] = {**found["entities"], "examples": []}
    if "errors" in found:
        groups = found["errors"].get("groups", {})
        named = {numbers.get(name, name if name.startswith("#") else ""): facts for name, facts in groups.items()}
        found["errors"] = {**found["errors"], "worst": [], "groups": named}
    for name in ("slices", "worst_slices"):  # the values of these columns name examples
        if name in found:
            found[name] = {column: each for column, each in found[name].items() if column not in ("group", "folder")}
    if "unlike" in found:
        found["unlike"] = []
    return found
