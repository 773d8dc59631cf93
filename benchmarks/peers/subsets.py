"""The data sets, the labels drawn from them, and the folder both arms read.

Standard library only: the interpreters of all arms import it.
"""

import csv
import hashlib
import random
import shutil
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

SUFFIXES = {".jpg", ".jpeg", ".png", ".gif"}
TEST_SHARE = 0.3


@dataclass(frozen=True)
class Example:
    """A labelled text or image file; `group` is the patient where the data set names patients."""

    item: str | Path
    label: str
    group: str = ""


Part = list[Example]


def subset(root: Path, dataset: str, *, per_class: int | None, seed: int) -> tuple[Part, Part]:
    """Draw the training part of one seed; the test part is always the whole one.

    Args:
        root: Folder with ``text/`` and ``images/``.
        dataset: Name of the data set.
        per_class: Examples to draw of each class, without replacement; None takes all.
        seed: Which draw.

    Returns:
        Training part, in random order, and test part.
    """
    train, test = load(root, dataset)
    rng = random.Random(f"{dataset} {per_class} {seed}")
    drawn = [example for part in by_class(train).values() for example in rng.sample(part, per_class or len(part))]
    rng.shuffle(drawn)
    return drawn, test


def load(root: Path, dataset: str) -> tuple[Part, Part]:
    """Read the two parts of a data set: its own, or for flowers5 and PACS the fixed one of `hashed_split`."""
    if dataset == "hymenoptera":
        return class_folders(root / "images" / dataset / "train"), class_folders(root / "images" / dataset / "val")
    if dataset == "flowers5":
        return hashed_split(class_folders(root / "images" / dataset), root=root)
    if dataset.startswith("pacs-"):
        return hashed_split(pacs(root / "images" / "pacs", dataset.removeprefix("pacs-")), root=root)
    if dataset == "chest-xray":
        return manifest(root / "images" / dataset)
    train, test = (text_table(root / "text" / dataset / f"{part}.csv") for part in ("train", "test"))
    return unseen(train, test), test


def unseen(train: Part, test: Part) -> Part:
    """Leave out training texts that the test part holds too, and all but the first of repeated ones."""
    held_out = {example.item for example in test}
    return list({example.item: example for example in reversed(train) if example.item not in held_out}.values())[::-1]


def text_table(path: Path) -> Part:
    return [Example(row["text"], row["label"]) for row in read_csv(path)]


def class_folders(folder: Path) -> Part:
    paths = sorted(path for path in folder.glob("*/*") if path.suffix.lower() in SUFFIXES)
    return [Example(path, path.parent.name) for path in paths]


def manifest(folder: Path) -> tuple[Part, Part]:
    parts: dict[str, Part] = defaultdict(list)
    for row in read_csv(folder / "manifest.csv"):
        parts[row["split"]].append(Example(folder / row["path"], row["label"], row["group"]))
    return parts["train"], parts["test"]


def pacs(folder: Path, domain: str) -> Part:
    rows = read_csv(folder / "manifest.csv")
    return [Example(folder / row["path"], row["label"]) for row in rows if row["domain"] == domain]


def hashed_split(examples: Part, *, root: Path) -> tuple[Part, Part]:
    """Put the 30 % of each class whose names hash lowest into the test part: the same on every machine and seed."""
    test = set()
    for part in by_class(examples).values():
        ranked = sorted(part, key=lambda e: hashlib.sha256(Path(e.item).relative_to(root).as_posix().encode()).digest())
        test |= {example.item for example in ranked[: round(TEST_SHARE * len(part))]}
    return [e for e in examples if e.item not in test], [e for e in examples if e.item in test]


def by_class(examples: Iterable[Example]) -> dict[str, Part]:
    """Return the examples of each class, classes sorted by name."""
    found: dict[str, Part] = defaultdict(list)
    for example in examples:
        found[example.label].append(example)
    return dict(sorted(found.items()))


def write(folder: Path, train: Sequence[Example], test: Sequence[Example]) -> None:
    """Write ``train.csv`` and ``test.csv`` with `text` or `path`, `label` and, where there are any, `group`.

    Images are copied beside them, so that the folder is all that either arm is given.
    """
    for part, examples in (("train", train), ("test", test)):
        column = "path" if isinstance(examples[0].item, Path) else "text"
        grouped = any(example.group for example in examples)
        rows = [{column: _placed(folder, part, i, e.item), "label": e.label} for i, e in enumerate(examples)]
        if grouped:
            rows = [row | {"group": example.group} for row, example in zip(rows, examples, strict=True)]
        with (folder / f"{part}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


def _placed(folder: Path, part: str, number: int, item: str | Path) -> str:
    if isinstance(item, str):
        return item
    copy = folder / part / f"{number:05d}{item.suffix}"
    copy.parent.mkdir(exist_ok=True)
    shutil.copyfile(item, copy)
    return copy.relative_to(folder).as_posix()


def read_part(folder: Path, part: str) -> tuple[list[str], list[str]]:
    """Return texts or image paths, and labels, of a folder that `write` made."""
    rows = read_csv(folder / f"{part}.csv")
    items = [row["text"] if "text" in row else str(folder / row["path"]) for row in rows]
    return items, [row["label"] for row in rows]


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
