"""Which examples train and which are scored, decided once, before any compute.

Precedence of `plan_split`:

1. a given test part: it is scored once; a given val part joins the training side (said);
2. only a given val part: it is the test part (said);
3. a ``fold`` column: cross-validation over those folds;
4. from 500 examples: a fifth is held out once;
5. fewer: repeated cross-validation.

Our own splits are stratified (by class, label, types of entities, quantile of a value, or length of a transcript) and
keep groups together; exact copies of one item count as one group, so that no copy is on both sides. Why not scikit-
learn's `StratifiedGroupKFold`: it warns or refuses where a class has fewer examples than there are folds, and takes
about a second for 8,000 groups. For classes the idea is the same (`headstart.data._stratify`), and without groups the
quotas are met exactly. A test compares both.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from headstart.data._kinds import label_sets
from headstart.data._refusals import choice_problems, refusals
from headstart.data._sides import given_sides, may_train, on_several_sides, united_groups
from headstart.data._stratify import Fold, Indices, Strata, make_folds
from headstart.data._transcripts import shown
from headstart.data.dataset import Dataset
from headstart.errors import DataError
from headstart.tasks import task_from_labels

__all__ = ["FOLDS", "Fold", "Indices", "Plan", "inner_folds", "make_folds", "plan_split", "united_groups"]

FOLDS: Final = 5  # on which settings are chosen inside the training part
HOLDOUT_FROM: Final = 500
_TEN_FOLDS_UP_TO: Final = 200
_FEWEST_FOLDS: Final = 5
_REPEATS: Final = 3


@dataclass(frozen=True, eq=False)
class Plan:
    """Which examples train and which are scored; indices into the data set.

    Attributes:
        train: The training side; everything where ``how`` is ``cv``.
        test: What is scored at the end, or None where ``how`` is ``cv``.
        how: ``test`` (given), ``holdout`` (ours) or ``cv``.
        folds: For ``cv``, pairs of training and scored side; every example is scored once per repeat.
        notes: What was decided, one sentence each.
    """

    train: Indices
    test: Indices | None
    how: Literal["test", "holdout", "cv"]
    folds: tuple[Fold, ...] | None = None
    notes: tuple[str, ...] = ()


def plan_split(
    dataset: Dataset,
    *,
    seed: int,
    resplit: bool = False,
    allow_straddling: bool = False,
    without_test: Literal["auto", "folds"] = "auto",
    taught: Collection[str] = (),
    chooses: bool = False,
) -> Plan:
    """Decide what trains and what is scored.

    Args:
        dataset: Labelled examples.
        seed: Of the random parts of the decision.
        resplit: Set a given split or fold column aside and split anew.
        allow_straddling: Keep a given split although groups are on both sides of it.
        without_test: What to do where no split is given: ``folds`` cross-validates, however many examples there are.
        taught: Names of classes, labels or types that training on other data teaches besides.
        chooses: Whether settings are chosen inside the training side, which takes two groups there.

    Returns:
        The plan, with what was decided.

    Raises:
        DataError: There are no labels, one class or transcript, a class too small to be on both sides, no label that
            divides the training side, one value, test labels never seen in training, or groups on both sides of a given
            split; or settings are to be chosen on a single group.
    """
    problems = refusals(dataset, resplit=resplit, allow_straddling=allow_straddling, taught=taught)
    problems = problems or (choice_problems(dataset, resplit=resplit) if chooses else [])
    if problems:
        raise problems[0]
    sides = None if resplit else given_sides(dataset)
    notes = ["The given split is set aside (--resplit)."] if resplit and (dataset.parts or dataset.folds) else []
    if sides:
        return _given_plan(dataset, sides, notes)
    units = united_groups(dataset)
    if len(dataset) >= HOLDOUT_FROM and without_test == "auto":
        train, test = make_folds(_targets(dataset), groups=units, n_splits=5, seed=seed)[0]
        sets = label_sets(dataset)
        train, test = _with_every_label(sets, units, train, test)
        notes.append(f"No test part: a fifth ({len(test)}) is held out once.")
        if unscored := sorted(_names(sets, train) - _names(sets, test)):
            notes.append(f"Too few for the held-out part, so not scored: {', '.join(map(repr, unscored))}.")
        notes += _notes_on_characters(dataset, train, test)
        return Plan(train, test, "holdout", None, tuple(notes))
    return _cross_validation(dataset, units, notes, seed=seed)


def _targets(dataset: Dataset) -> NDArray[Any]:
    """What folds have to be alike in: class names, zeros and ones of labels, values, or tags."""
    labels = dataset.labels or ()
    return (
        np.array(labels) if dataset.kind == "classification" else task_from_labels(dataset.kind, labels).encode(labels)
    )


def _with_every_label(
    sets: Sequence[tuple[str, ...]], units: Indices, train: Indices, test: Indices
) -> tuple[Indices, Indices]:
    """Move the units with labels that training lacks, such as those of a single example, to the training side."""
    lacking = _names(sets, test) - _names(sets, train)
    moved = np.unique([units[i] for i in test if lacking.intersection(sets[i])])
    stays = ~np.isin(units[test], moved)
    return np.sort(np.concatenate([train, test[~stays]])), test[stays]


def _names(sets: Sequence[tuple[str, ...]], indices: Indices) -> set[str]:
    return {name for i in indices for name in sets[i]}


def _notes_on_characters(dataset: Dataset, train: Indices, test: Indices) -> list[str]:
    """Name the characters that transcripts have where they are scored, and not where they train."""
    if dataset.kind != "transcription":
        return []
    labels = dataset.labels or ()
    lacking = sorted(set("".join(labels[i] for i in test)) - set("".join(labels[i] for i in train)))
    listed = ", ".join(map(shown, lacking[:12])) + (", ..." if len(lacking) > 12 else "")
    return [f"Characters of the held-out part that no training transcript has: {listed}."] if lacking else []


def _given_plan(dataset: Dataset, sides: dict[str, tuple[str, ...]], notes: list[str]) -> Plan:
    names = np.array(next(iter(sides.values())))
    notes = [*notes, *_notes_on_given(dataset, names.tolist())]
    if "folds" in sides:
        folds = tuple((np.flatnonzero(names != name), np.flatnonzero(names == name)) for name in sorted(set(names)))
        notes.insert(0, f"Scored over the {len(folds)} folds of column 'fold'.")
        return Plan(np.arange(len(dataset)), None, "cv", folds, tuple(notes))
    return Plan(np.flatnonzero(names == "train"), np.flatnonzero(names == "test"), "test", None, tuple(notes))


def _notes_on_given(dataset: Dataset, sides: Sequence[str]) -> list[str]:
    notes = []
    parts = set(dataset.parts or ())
    if {"val", "test"} <= parts:
        notes.append("The val part joins the training side; test is scored once.")
    elif "val" in parts:
        notes.append("There is no test part: val is used as the test part.")
    if dataset.folds and parts & {"val", "test"}:
        notes.append("The column 'fold' is not used: there is a given test part.")
    if across := on_several_sides(dataset.groups or (), sides):
        notes.append(f"Groups on both sides of the given split, kept (--allow-straddling): {len(across)}.")
    if copies := on_several_sides(dataset.hashes, sides):
        one, other = next(iter(copies.values()))
        where = f"{dataset.places[one]} = {dataset.places[other]}"
        notes.append(f"Items with an exact copy on the other side of the given split: {len(copies)} (first: {where}).")
    return notes


def _cross_validation(dataset: Dataset, units: Indices, notes: list[str], *, seed: int) -> Plan:
    n, y = len(dataset), _targets(dataset)
    wanted = 10 if n <= _TEN_FOLDS_UP_TO else 5
    # A value or a transcript is in no class that could be too small.
    smallest = (
        n if dataset.kind in ("regression", "transcription") else int(Strata.of(y, n_splits=wanted).spread(units).min())
    )
    # One rare class must not cost all others their training examples: below five folds, some folds do not score it.
    n_splits = min(wanted, max(smallest, _FEWEST_FOLDS), int(units.max()) + 1)
    notes = [*notes, f"No test part: {n_splits}-fold cross-validation, {_REPEATS} times."]
    if n_splits < wanted:
        what = {"classification": "class", "tagging": "type"}.get(dataset.kind, "label")
        few = f"one {what} has only {smallest}"
        few = few if smallest < wanted else f"there are only {int(units.max()) + 1}"
        notes.append(f"{n_splits} folds instead of {wanted}: {few} separate examples or groups.")
    folds = make_folds(y, groups=units, n_splits=n_splits, repeats=_REPEATS, seed=seed)
    return Plan(np.arange(n), None, "cv", tuple(folds), tuple(notes))


def inner_folds(
    train: Dataset, y: NDArray[Any], *, seed: int, n_splits: int = FOLDS
) -> Sequence[tuple[Indices, Indices]]:
    """Cut inner folds, fewer than wanted where there are fewer groups or different items.

    Examples that are lent are held out by no fold and train in all.

    Args:
        train: The examples.
        y: Their encoded labels.
        seed: Determines the folds.
        n_splits: How many.

    Returns:
        Training and held-out positions of each fold; groups and copies never straddle them.

    Raises:
        DataError: All examples are copies of one item, or of one group.
    """
    own = train.own
    units = united_groups(train if train.lent is None else train.take(own))
    separate = len(np.unique(units))
    if separate < 2:
        raise DataError(
            f"expected at least 2 separate examples or groups to choose settings on, found {separate}",
            where=train.source,
            fix="Add examples that are not copies, or from other groups.",
        )
    folds = make_folds(y[own], groups=units, n_splits=min(n_splits, separate), seed=seed)
    return folds if train.lent is None else [(may_train(train, own[outside]), own[outside]) for _, outside in folds]
