"""What of the examples may be in a model folder: their names and pages that show them, or neither."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Literal

from headstart.data import Dataset, LeftOut, is_dicom_file

Examples = Literal["auto", "none", "shown"]
KEPT_OUT: Final = (
    "No example is shown or named in the model folder{why}; data.json holds numbers in place of names and groups, and "
    "the SHA-256 of each item, by which later scores can say what the model has seen."
)


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


def nameless(seen: dict[str, Any]) -> dict[str, Any]:
    """Put numbers in place of what names examples.

    Args:
        seen: What ``data.json`` is to hold.

    Returns:
        The same with numbered places and groups, and without the name of the source or of what was left out.
    """
    groups, target = seen["groups"], seen.get("target")
    numbers = {name: f"#{number}" for number, name in enumerate(dict.fromkeys(groups or ()), 1)}
    return {
        **seen,
        **({} if target is None else {"target": {**target, "source": ""}}),
        "source": "",
        "places": [f"#{number}" for number in range(1, len(seen["places"]) + 1)],
        "groups": None if groups is None else [numbers[group] for group in groups],
        "left_out": [{"place": "", "reason": cut_short(item["reason"])} for item in seen["left_out"]],
    }


def without_names(left_out: Sequence[LeftOut]) -> list[LeftOut]:
    """Leave the places of items away, and what the reasons quote of them."""
    return [replace(item, place="", reason=cut_short(item.reason)) for item in left_out]
