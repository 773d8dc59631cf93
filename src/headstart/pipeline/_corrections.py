"""The table of suspicious items, and the labels that come back in it corrected.

An item is known again by its place and by the hash of its content: a label that was corrected for another picture of
the same name would be one more label error.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from headstart.data import TABLE_SUFFIXES, Dataset, LeftOut, Plan, read_table, write_table
from headstart.errors import DataError, OptionError

CORRECTED: Final = "corrected"
_NEEDED: Final = ("place", "content", CORRECTED)
_CHOOSE: Final = "Choose another place."


@dataclass(frozen=True)
class Suspect:
    """An item to look at.

    Attributes:
        index: Its position in the data set.
        kind: ``label-errors``, ``outliers`` or ``conflicting-near-duplicates``.
        suggested: The label that seems right; empty where none does.
        score: Probability that its label is wrong; of an outlier how many times the usual distance it is away.
    """

    index: int
    kind: str
    suggested: str
    score: float


def check_labels_table(path: Path) -> Path:
    """Refuse before any compute a table of suspects that cannot be written.

    Args:
        path: Where it is wanted.

    Returns:
        The path.

    Raises:
        OptionError: The name does not end in .csv, there is no such folder, or the file exists and may hold work.
    """
    if path.suffix.lower() != ".csv":
        raise OptionError(f"expected a name ending in .csv, found {path.name!r}", where="--labels", fix=_CHOOSE)
    if not path.parent.is_dir():
        raise OptionError("the folder does not exist", where=str(path.parent), fix=_CHOOSE)
    if path.exists():
        problem = "the file is there already, and may hold corrected labels"
        raise OptionError(problem, where=str(path), fix=f"Give it to headstart fit --labels-from {path}, or move it.")
    return path


def write_suspects(path: Path, dataset: Dataset, suspects: Sequence[Suspect]) -> int:
    """Write a row per suspicious item, whose column ``corrected`` holds its label until somebody changes it.

    Args:
        path: A name that `check_labels_table` accepts.
        dataset: The items.
        suspects: In the order of the rows; an item that is named twice has one row.

    Returns:
        The number of rows.

    Raises:
        DataError: The file cannot be written.
    """
    rows: dict[int, dict[str, Any]] = {}
    for each in suspects:
        label = "" if dataset.labels is None else dataset.labels[each.index]
        if each.index in rows:
            row = rows[each.index]
            row["kind"] = f"{row['kind']}|{each.kind}"
            row["suggested"] = row["suggested"] or each.suggested
            continue
        rows[each.index] = {
            "place": dataset.places[each.index],
            "content": dataset.hashes[each.index],
            "kind": each.kind,
            "label": label,
            "suggested": each.suggested,
            "score": "" if each.score != each.score else round(each.score, 4),
            CORRECTED: label,
            "part": "" if dataset.parts is None else dataset.parts[each.index],
            "item": str(dataset.items[each.index]),
        }
    return write_table(path, rows.values())


def with_corrections(dataset: Dataset, path: Path) -> Dataset:
    """Give items the labels of a table that `write_suspects` wrote and somebody corrected.

    Args:
        dataset: Items with classes.
        path: The table; an item whose corrected label is empty is left out.

    Returns:
        The data set, with a note of how many labels changed, and what was left out listed in it.

    Raises:
        DataError: The table cannot be read, names an item that is not there or whose content is another now, names a
            class that the data does not have, or gives an item two labels.
        OptionError: The data has no classes.
    """
    if dataset.kind != "classification" or dataset.labels is None:
        found = dataset.kind if dataset.labels else "items without labels"
        raise OptionError(f"--labels-from corrects classes, found {found}", where=str(path), fix="Leave it out.")
    wanted = _read(path, dataset)
    labels = [wanted.get(i, label) for i, label in enumerate(dataset.labels)]
    changed = [bool(new) and new != old for new, old in zip(labels, dataset.labels, strict=True)]
    away = [i for i, label in enumerate(labels) if not label]
    reason = f"its corrected label in {path.name} is empty"
    out = tuple(LeftOut(dataset.places[i], reason) for i in away)
    note = f"Labels changed by {path.name}: {sum(changed)} of {len(wanted)} rows; items left out by it: {len(away)}."
    corrected = replace(dataset, labels=tuple(labels), relabelled=tuple(changed))
    kept = corrected.take(i for i, label in enumerate(labels) if label)
    return replace(kept, notes=(*dataset.notes, note), left_out=(*dataset.left_out, *out))


def note_on_scored_corrections(dataset: Dataset, plan: Plan) -> tuple[str, ...]:
    """Say what corrected labels do to a score.

    Args:
        dataset: The items, perhaps of `with_corrections`.
        plan: Which of them are scored.

    Returns:
        A sentence where a label among these was changed. Only labels that a model doubted were looked at: the wrong
        ones that it agrees with are in the score still.
    """
    scored = dataset.own if plan.test is None else plan.test
    changed = 0 if dataset.relabelled is None else sum(dataset.relabelled[i] for i in scored)
    if not changed:
        return ()
    return (
        f"Warning: {changed:,} of the {len(scored):,} labels that are scored were corrected, and only labels that a "
        "model doubted were looked at, so wrong ones that models agree with are still there: the score is flattered. "
        f"On the labels as they were, accuracy is lower by at most {changed / len(scored):.3f}.",
    )


def _read(path: Path, dataset: Dataset) -> Mapping[int, str]:
    """Return the wanted label of every item that the table names."""
    if path.suffix.lower() not in TABLE_SUFFIXES or not path.is_file():
        fix = "Give the file that headstart check --deep --labels wrote."
        raise DataError("expected a table of corrected labels, found none", where=str(path), fix=fix)
    table = read_table(path)
    for _, fault in table.faults:
        raise fault
    places, contents, corrected = (table.column(name, option="") for name in _NEEDED)
    at: dict[str, list[int]] = {}
    for i, place in enumerate(dataset.places):
        at.setdefault(place, []).append(i)
    wanted: dict[int, str] = {}
    for line, place, content, label in zip(table.lines, places, contents, corrected, strict=True):
        i = _item(at.get(place.strip(), []), dataset, place.strip(), content.strip(), where=f"{path.name}:{line}")
        label = label.strip()
        if label and label not in set(dataset.labels or ()):
            known = ", ".join(map(repr, sorted(set(dataset.labels or ()))[:8]))
            raise DataError(f"expected a class of the data, found {label!r}", where=f"{path.name}:{line}", fix=known)
        if wanted.setdefault(i, label) != label:
            found = f"expected one label for {place!r}, found {label!r} and {wanted[i]!r}"
            raise DataError(found, where=f"{path.name}:{line}", fix="Correct one.")
    return wanted


def _item(found: Sequence[int], dataset: Dataset, place: str, content: str, *, where: str) -> int:
    if not found:
        fix = "Give the DATA and options that the table was written for, or remove the row."
        raise DataError(f"expected an item of {dataset.source}, found {place!r}", where=where, fix=fix)
    same = [i for i in found if dataset.hashes[i] == content]
    if not same:
        fix = "Look at the item again: run headstart check --deep --labels anew, or remove the row."
        raise DataError(f"expected the content that was checked, found another in {place!r}", where=where, fix=fix)
    return same[0]
