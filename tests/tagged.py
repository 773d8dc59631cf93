"""Small tagged sentences: names of animals and of weather among other words, one or two words long."""

from pathlib import Path

import numpy as np

from headstart.data import Dataset, Document
from headstart.tasks import write_tags
from tests.conftest import WORDS

FILLER = ["the", "a", "of", "and", "to", "in", "it", "was", "for", "with", "on", "as", "at", "by"]
TYPES = ("animals", "weather")


def make_tagged(n: int, *, seed: int = 0, types: tuple[str, ...] = TYPES) -> tuple[list[list[str]], list[list[str]]]:
    """Words and tags of sentences; every third has no entity, the others one of each type in turn."""
    rng = np.random.default_rng([seed, 3])
    sentences, tags = [], []
    for i in range(n):
        words = [str(word) for word in rng.choice(FILLER, int(rng.integers(4, 9)))]
        marks = ["O"] * len(words)
        if i % 3:
            name, length = types[i % 3 % len(types)], int(rng.integers(1, 3))
            place = int(rng.integers(len(words)))
            words[place:place] = [str(word) for word in rng.choice(WORDS[name], length)]
            marks[place:place] = [f"B-{name}", *[f"I-{name}"] * (length - 1)]
        sentences.append([*words, str(i)])
        tags.append([*marks, "O"])
    return sentences, tags


def tagged(n: int, *, seed: int = 0, groups: tuple[str, ...] | None = None) -> Dataset:
    """The same as a data set."""
    sentences, tags = make_tagged(n, seed=seed)
    return Dataset(
        "text",
        tuple(map(Document.of_words, sentences)),
        tuple(map(str, range(n))),
        labels=tuple(map(write_tags, tags)),
        groups=groups,
        kind="tagging",
    )


def write_conll(path: Path, sentences: list[list[str]], tags: list[list[str]]) -> Path:
    """Write them as a CoNLL file of two columns."""
    parts = (zip(*pair, strict=True) for pair in zip(sentences, tags, strict=True))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n\n".join("\n".join(f"{word} {tag}" for word, tag in part) for part in parts) + "\n")
    return path


def make_easy(n: int, *, seed: int = 0) -> tuple[list[list[str]], list[list[str]]]:
    """Words and tags of sentences that the toy network learns: people of two words, places of one, few others."""
    rng = np.random.default_rng([seed, 4])
    sentences, tags = [], []
    for i in range(n):
        words, marks = [], []
        for name, mark in [(["Anna", "Berg"], "PER"), (["Paris"], "LOC"), (["Oslo"], "LOC")]:
            filler = [str(word) for word in rng.choice(["said", "went", "the", "saw", "dog"], int(rng.integers(1, 4)))]
            entity = name if rng.random() < 0.6 else []
            words += [*filler, *entity]
            marks += [*["O"] * len(filler), *[f"{'I' if k else 'B'}-{mark}" for k in range(len(entity))]]
        sentences.append([*words, "." * (1 + i % 3)])
        tags.append([*marks, "O"])
    return sentences, tags
