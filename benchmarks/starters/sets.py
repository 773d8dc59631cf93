"""The data sets on which starter backbones are measured, and how the parts of each are drawn.

The test part is at most 500 examples, drawn once by a fixed seed, so that every arm and every draw of the training part
sees the same. Where people or recordings recur, none is in both parts: fsdd tests two speakers that never train, digits
other people's handwriting, ESC-10 one of its folds (the next one for every seed).
"""

import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from headstart.examples import digits as write_digits

sys.path.insert(0, str(Path(__file__).parents[1] / "peers"))  # the same subsets and splits as against the peers
from subsets import Example, Part, by_class, class_folders, load, read_csv, write

MOST_TEST = 500
SPEAKERS = ("theo", "yweweler")  # of fsdd, held out; connected-digits tests on them too
FOLDS = 5

__all__ = ["SETS", "Set", "draw", "write"]


@dataclass(frozen=True)
class Set:
    """A data set, and how to find its two parts, given the folder of all data, a scratch folder and a seed."""

    name: str
    modality: Literal["image", "audio"]
    parts: Callable[[Path, Path, int], tuple[Part, Part]]


def from_peers(name: str, root: Path, _scratch: Path, _seed: int) -> tuple[Part, Part]:
    return load(root, name)


def digits(_root: Path, scratch: Path, _seed: int) -> tuple[Part, Part]:
    folder = scratch / "digits"
    if not folder.exists():
        write_digits(folder, per_class=1000, test_per_class=50)
    return class_folders(folder / "train"), class_folders(folder / "test")


def fsdd(root: Path, _scratch: Path, _seed: int) -> tuple[Part, Part]:
    rows = read_csv(root / "audio" / "fsdd" / "manifest.csv")
    every = [Example(root / "audio" / "fsdd" / row["path"], row["label"], row["group"]) for row in rows]
    return [e for e in every if e.group not in SPEAKERS], [e for e in every if e.group in SPEAKERS]


def esc10(root: Path, _scratch: Path, seed: int) -> tuple[Part, Part]:
    rows = read_csv(root / "audio" / "esc10" / "manifest.csv")
    fold = str(seed % FOLDS + 1)
    parts: dict[bool, Part] = {True: [], False: []}
    for row in rows:
        parts[row["fold"] == fold].append(Example(root / "audio" / "esc10" / row["path"], row["label"]))
    return parts[False], parts[True]


def arabic(root: Path, _scratch: Path, _seed: int) -> tuple[Part, Part]:
    folder = root / "audio" / "arabic-commands"
    parts: dict[str, Part] = {"train": [], "val": [], "test": []}
    for row in read_csv(folder / "manifest.csv"):
        parts[row["split"]].append(Example(folder / row["path"], row["label"], row["group"]))
    return parts["train"], parts["val"] + parts["test"]


SETS = (
    *(Set(name, "image", partial(from_peers, name)) for name in ("hymenoptera", "flowers5", "chest-xray")),
    *(
        Set(f"pacs-{name}", "image", partial(from_peers, f"pacs-{name}"))
        for name in ("photo", "art_painting", "cartoon", "sketch")
    ),
    Set("digits", "image", digits),
    Set("fsdd", "audio", fsdd),
    Set("arabic-commands", "audio", arabic),
    Set("esc10", "audio", esc10),
)


def draw(each: Set, root: Path, scratch: Path, *, per_class: int, seed: int, most_test: int) -> tuple[Part, Part]:
    """Draw the training part of one seed, and the test part.

    Args:
        each: The data set.
        root: Folder with ``images/`` and ``audio/``.
        scratch: Where data that has to be written goes.
        per_class: Examples of each class to train on; of a class that has fewer, all.
        seed: Which draw.
        most_test: How many examples are tested at most.

    Returns:
        Training part, in random order, and test part, in the same order for every draw.
    """
    pool, test = each.parts(root, scratch, seed)
    rng = random.Random(f"{each.name} {per_class} {seed}")
    train = [example for part in by_class(pool).values() for example in rng.sample(part, min(per_class, len(part)))]
    rng.shuffle(train)
    return train, thinned(test, most_test, name=each.name)


def thinned(test: Part, most: int, *, name: str) -> Part:
    """Draw at most so many test examples, each class by its share, once and for all."""
    share, rng = min(1.0, most / len(test)), random.Random(f"{name} test")
    kept = {e.item for part in by_class(test).values() for e in rng.sample(part, max(1, int(share * len(part))))}
    return [example for example in test if example.item in kept]
