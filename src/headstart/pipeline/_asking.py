"""The table of target examples to label, and the labels that come back in it.

Examples are known again by what is written in the table, as `--target` names them: no file is opened for it.
"""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from headstart.data import TABLE_SUFFIXES, Dataset, read_table
from headstart.errors import DataError, OptionError, writing
from headstart.pipeline._adapting import Labelled
from headstart.tasks import Task

LABEL: Final = "label"


def write_asked(
    path: Path, target: Dataset, rows: npt.NDArray[np.integer[Any]], *, then: Callable[[], None] = lambda: None
) -> None:
    """Write the examples to label; the table has its name once it is whole and what comes ``then`` is done.

    Args:
        path: A file that does not exist: one that does may hold labels.
        target: Examples without labels.
        rows: Which of them.
        then: What the table goes with, such as giving the model its name.

    Raises:
        OptionError: The file is there already, or cannot be written.
    """
    partial = path.with_name(f".{path.name}.partial")
    with writing("the examples to label", path, raises=OptionError, fix="Choose another place."):
        with partial.open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file)
            table.writerow([_column(target), LABEL])
            table.writerows([str(target.items[row]), ""] for row in rows)
        then()
        if path.exists():
            raise OptionError("the file is there already, and may hold labels", where=str(path), fix="Move it.")
        partial.rename(path)


def read_asked(path: Path, target: Dataset, task: Task) -> Labelled:
    """Find labelled examples again in the target; those still without a label are passed over.

    Args:
        path: A table with a column for the example and a column ``label``.
        target: Examples without labels.
        task: What the labels mean.

    Returns:
        Where they are in the target, and their classes.

    Raises:
        DataError: The table cannot be read, lacks a column, names an example that is not in the target or a class that
            is not in the source, gives an example two labels, or has no label at all.
    """
    if path.suffix.lower() not in TABLE_SUFFIXES or not path.is_file():
        raise DataError("expected a table of labels, found none", where=str(path), fix="Give the file --ask wrote.")
    table = read_table(path)
    for _, fault in table.faults:
        raise fault
    examples, labels = (table.column(name, option="") for name in (_column(target), LABEL))
    where = {str(item): row for row, item in reversed(list(enumerate(target.items)))}
    given = [at for at in zip(table.lines, examples, labels, strict=True) if at[2].strip()]
    said: dict[str, str] = {}
    for line, example, label in given:
        place = f"{path.name}:{line}"
        if example not in where:
            fix = "Repeat the command from the folder where --ask was used, with the same --target."
            raise DataError(f"expected an example of the target, found {example[:60]!r}", where=place, fix=fix)
        if label.strip() not in task.classes:
            known = ", ".join(map(repr, task.classes[:5])) + (", ..." if len(task.classes) > 5 else "")
            raise DataError(f"expected a class of the source, found {label!r}", where=place, fix=f"Known: {known}.")
        if said.setdefault(example, label.strip()) != label.strip():
            found = f"found {label!r} for {example[:60]!r}, and {said[example]!r} before"
            raise DataError(f"expected one label for an example, {found}", where=place, fix="Correct one.")
    if not given:
        raise DataError("expected labels, found none", where=str(path), fix="Fill in the column 'label'.")
    y = [task.classes.index(label) for label in said.values()]
    return Labelled(np.array([where[example] for example in said]), np.array(y))


def _column(target: Dataset) -> str:
    return "text" if target.modality == "text" else "path"
