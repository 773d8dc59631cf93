"""The recordings on which sound is measured, and how each set is cut into folds of training and test part.

Speakers never straddle a fold, but where a set's own split has them on both sides (``fsdd``), which its name says.
"""

import csv
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Row = Mapping[str, str]  # of a manifest
Pairs = Sequence[tuple[str, str]]  # path and split of one fold


@dataclass(frozen=True)
class Case:
    """A data set cut in one way.

    Attributes:
        name: Of the case.
        folder: Of the set, below ``audio/``.
        answer: The column to learn.
        by: ``split`` takes the set's own, its development part trained on too; ``folds`` tests each value of a column
            in turn, ``pairs`` every two values; ``""`` leaves the split to Headstart.
        column: The column of ``folds`` and ``pairs``.
        grouped: Whether the column ``group`` is told.
    """

    name: str
    folder: str
    answer: Literal["label", "transcript"]
    by: Literal["split", "folds", "pairs", ""]
    column: str = ""
    grouped: bool = True

    def rows(self, root: Path) -> list[Row]:
        """Read the set's manifest."""
        with (root / "audio" / self.folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def tested(self, rows: Sequence[Row]) -> list[tuple[str, ...]]:
        """List the folds, each by the values of its column that it tests."""
        if self.by in ("", "split"):
            return [("test",)]
        values = sorted({row[self.column] for row in rows})
        size = 2 if self.by == "pairs" else 1
        return [tuple(values[i : i + size]) for i in range(0, len(values), size)]

    def write(self, root: Path, rows: Sequence[Row], tested: tuple[str, ...], target: Path) -> None:
        """Write the recordings and manifest of one fold into a new folder."""
        shutil.copytree(root / "audio" / self.folder, target, ignore=shutil.ignore_patterns("manifest.csv"))
        column = self.column if self.by in ("folds", "pairs") else "split"
        names = ["path", self.answer, *(["group"] if self.grouped and "group" in rows[0] else [])]
        with (target / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
            out = csv.writer(file)
            out.writerow([*names, *(["split"] if self.by else [])])
            for row in rows:
                part = ["test" if row[column] in tested else "train"] if self.by else []
                out.writerow([row[name] for name in names] + part)


CASES = (
    Case("fsdd, its own split (same speakers)", "fsdd", "label", "split", grouped=False),
    Case("fsdd, other speakers", "fsdd", "label", "pairs", "group"),
    Case("arabic-commands", "arabic-commands", "label", "split"),
    Case("esc10", "esc10", "label", "folds", "fold"),
    Case("connected-digits", "connected-digits", "transcript", "split"),
    Case("connected-digits, each speaker", "connected-digits", "transcript", "folds", "group"),
    Case("read-sentences", "read-sentences", "transcript", ""),
)
