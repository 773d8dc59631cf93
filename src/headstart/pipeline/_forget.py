"""Forget: what the store of activations holds of a data set, removed."""

from dataclasses import dataclass, replace
from pathlib import Path

from headstart.features import Store
from headstart.pipeline._options import Reading, Say, notes_on_left_out, say_nothing


@dataclass(frozen=True)
class Forgotten:
    """What was removed.

    Attributes:
        items: How many items the data set has.
        rows: How many of their rows were removed, under all backbones.
        others: How many rows of other data lay in the same files and went with them.
    """

    items: int
    rows: int
    others: int


def forget(source: str | Path, *, reading: Reading | None = None, say: Say = say_nothing) -> Forgotten:
    """Remove from the store what it holds of a data set's items, which it knows by their content.

    Args:
        source: The data, labelled or not.
        reading: How it is read; items that cannot be read are passed over, as nothing was ever computed from them.
        say: Told which these are.

    Returns:
        What was removed.
    """
    dataset = replace(reading or Reading(), on_error="skip").load(source)
    for note in notes_on_left_out(dataset):
        say(note)
    rows, others = Store().clear_items(dataset.hashes)
    return Forgotten(len(dataset), rows, others)
