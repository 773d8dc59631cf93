"""Which labelled examples all candidates are looked at with, and the folds and permutations they are held to.

Of items that have one label each, the examples are the items. Of tagged documents they are words: up to 5,000, at most
half of them outside every entity, of documents that hold about 40,000. The class of a word is the type of its entity or
none, whether it is the first word or a further one, as TransformerRanker has it (Garbas et al., Findings of ACL 2024):
what sets the first word apart is mostly the word before it. Of speech, the examples are recordings of about 3,000
characters together, since there probes are fitted. What stays together stays so in folds, replicates and permutations:
the words of a document, and documents of one group.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from headstart.data import FOLDS, Dataset, Fold, inner_folds, learn_scale, united_groups
from headstart.evaluation import nested_subsets
from headstart.features import FeatureSource
from headstart.tasks import Kind, Task, counts, cut, flat
from headstart.transferability._candidates import Limits, Material
from headstart.transferability._null import permutations
from headstart.transferability._tokens import word_rows

MOST_EXAMPLES: Final = 2000
MOST_READ: Final = 40_000  # words of documents that run through each network: about 2,000 sentences
FEWEST_DOCUMENTS: Final = 20  # however long they are
MOST_CHARACTERS: Final = 3000  # of transcripts: a few minutes of speech
FEWEST_RECORDINGS: Final = 30
PERMUTATIONS: Final = 99
MANY: Final = 500  # examples, above which three folds tell probes apart as well as five
FEW_FOLDS: Final = 3
BINS: Final = 10  # that values count as, where labels per class are asked for


def material_of(train: Dataset, task: Task, features: FeatureSource, limits: Limits, *, seed: int) -> Material:
    """Choose the examples.

    Args:
        train: Labelled items.
        task: What the labels mean.
        features: Where features are kept.
        limits: What a candidate may cost and be licensed under.
        seed: Of sample, folds and permutations.

    Returns:
        What `look_at` needs.

    Raises:
        DataError: The examples are too few to be split, or no word is of an entity.
    """
    assert train.labels is not None
    y, notes = np.asarray(task.encode(train.labels)), list[str]()
    pixels = learn_scale(train)  # on all of it, as a fit does
    most = {"tagging": _most_documents, "transcription": _most_recordings}.get(task.kind, lambda _: MOST_EXAMPLES)(y)
    if len(y) > most:
        units = united_groups(train)
        # Of few speakers who say much, some recordings of each: whole groups could be hours.
        strata, whole = (units, None) if task.kind == "transcription" else (y, units)
        (chosen,) = nested_subsets(strata, whole, [most], seed=seed)
        what = {"tagging": "texts", "transcription": "recordings"}.get(task.kind, "examples")
        notes.append(f"Ranked on {len(chosen):,} of {len(y):,} training {what}, alike in labels.")
        train, y = train.take(chosen), y[chosen]
    rows = _words(train, y, task, seed) if task.kind == "tagging" else _items(train, y, task, seed)
    if rows.words is not None:
        notes.append(
            f"Scored on {len(rows.y):,} words of {len(rows.sample):,} texts, at most half of them outside entities."
        )
    if task.kind == "transcription":
        notes.append(
            "Scored by the held-out loss of a probe of frames alone: the other scores need a label for every frame."
        )
    return Material(
        sample=rows.sample,
        y=rows.y,
        kind=rows.kind,
        n_classes=rows.n_classes,
        task=task,
        units=rows.units,
        folds=rows.folds,
        shuffled=permutations(rows.y, rows.units, PERMUTATIONS, seed=seed),
        features=features,
        limits=limits,
        seed=seed,
        labels_per_class=_labels_per_class(y, task),
        notes=tuple(notes),
        words=rows.words,
        pixels=pixels,
    )


@dataclass(frozen=True)
class _Rows:
    """What is scored, as `Material` has it."""

    sample: Dataset
    y: NDArray[Any]
    kind: Kind
    n_classes: int
    units: NDArray[np.intp]
    folds: tuple[Fold, ...]
    words: NDArray[np.intp] | None = None


def _items(train: Dataset, y: NDArray[Any], task: Task, seed: int) -> _Rows:
    n_splits = FEW_FOLDS if task.kind == "transcription" else _n_folds(len(y))
    folds = inner_folds(train, y, seed=seed, n_splits=n_splits)
    return _Rows(train, y, task.kind, task.n_outputs, united_groups(train), tuple(folds))


def _words(train: Dataset, y: NDArray[Any], task: Task, seed: int) -> _Rows:
    """Choose words, and leave out documents of which none is chosen."""
    sizes = counts(y)
    every = flat(y)
    chosen = np.zeros(len(every), dtype=bool)
    chosen[word_rows(_types(every), np.repeat(united_groups(train), sizes), seed=seed)] = True
    of_document = cut(chosen, sizes)
    kept = np.flatnonzero([each.any() for each in of_document])
    train, y, words = train.take(kept), y[kept], np.flatnonzero(flat(of_document[kept]))
    document = np.repeat(np.arange(len(kept)), sizes[kept])[words]
    folds = tuple(
        (np.flatnonzero(np.isin(document, inside)), np.flatnonzero(np.isin(document, outside)))
        for inside, outside in inner_folds(train, y, seed=seed, n_splits=_n_folds(len(words)))
    )
    classes, units = _types(flat(y)[words]), united_groups(train)[document]
    return _Rows(train, classes, "classification", 1 + _n_types(task), units, folds, words)


def _types(tags: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return 0 outside, else the number of the type from 1."""
    return (tags + 1) // 2


def _n_types(task: Task) -> int:
    return task.n_outputs // 2


def _n_folds(n: int) -> int:
    return FEW_FOLDS if n > MANY else FOLDS


def _most_documents(y: NDArray[Any]) -> int:
    """Return how many documents hold as many words as are to be read."""
    words = max(1.0, float(counts(y).mean())) if len(y) else 1.0
    return min(MOST_EXAMPLES, max(FEWEST_DOCUMENTS, int(MOST_READ / words)))


def _most_recordings(y: NDArray[Any]) -> int:
    """Return how many recordings hold as many characters as are to be heard."""
    characters = max(1.0, float(np.char.str_len(y).mean())) if len(y) else 1.0
    return min(MOST_EXAMPLES, max(FEWEST_RECORDINGS, int(MOST_CHARACTERS / characters)))


def _labels_per_class(y: NDArray[Any], task: Task) -> float:
    """Return how many examples a class or label has at the median, entities a type, or a tenth of the values.

    Of transcripts, how often a character occurs.
    """
    if task.kind == "transcription":
        return float(np.median(list(Counter("".join(y.tolist())).values()) or [0]))
    if task.kind == "regression":
        return len(y) / BINS
    if task.kind == "tagging":
        found = np.bincount(flat(y), minlength=task.n_outputs)[1::2]  # first words, one an entity
    else:
        found = np.bincount(y, minlength=task.n_outputs) if task.kind == "classification" else y.sum(axis=0)
    return float(np.median(found))
