"""Which examples train and which are scored, decided once, before any compute.

Precedence of `plan_split`:

1. a given test part: it is scored once; a given val part joins the training side (said);
2. only a given val part: it is the test part (said);
3. a ``fold`` column: cross-validation over those folds;
4. from 500 examples: a fifth is held out once;
5. fewer: repeated cross-validation.

Our own splits are stratified and keep groups together; exact copies of one item count as one group, so that no copy
is on both sides. Why not scikit-learn's `StratifiedGroupKFold`: it warns or refuses where a class has fewer examples
than there are folds, and takes about a second for 8,000 groups. The idea here is the same (greedily, the largest
groups first, each to the fold where its classes are rarest), and without groups the quotas are met exactly. A test
compares the two.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from headstart.data.dataset import Dataset
from headstart.errors import DataError

Indices = NDArray[np.intp]
Fold = tuple[Indices, Indices]  # training side, scored side

HOLDOUT_FROM: Final = 500
_TEN_FOLDS_UP_TO: Final = 200
_FEWEST_FOLDS: Final = 5
_REPEATS: Final = 3
_DRAWS: Final = 20  # before a training side that lacks a class is accepted, which no draw may avoid


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


def plan_split(dataset: Dataset, *, seed: int, resplit: bool = False, allow_straddling: bool = False) -> Plan:
    """Decide what trains and what is scored.

    Args:
        dataset: Labelled examples.
        seed: Of the random parts of the decision.
        resplit: Set a given split or fold column aside and split anew.
        allow_straddling: Keep a given split although groups are on both sides of it.

    Returns:
        The plan, with what was decided.

    Raises:
        DataError: There are no labels, one class, a class too small to be on both sides, test labels never seen in
            training, or groups on both sides of a given split.
    """
    problems = refusals(dataset, resplit=resplit, allow_straddling=allow_straddling)
    if problems:
        raise problems[0]
    y = _codes(dataset.labels or ())
    sides = None if resplit else given_sides(dataset)
    notes = ["The given split is set aside (--resplit)."] if resplit and (dataset.parts or dataset.folds) else []
    if sides:
        return _given_plan(dataset, sides, notes)
    units = united_groups(dataset)
    if len(dataset) >= HOLDOUT_FROM:
        train, test = make_folds(y, groups=units, n_splits=5, seed=seed)[0]
        notes.append(f"No test part: a fifth ({len(test)}) is held out once.")
        labels = np.array(dataset.labels)
        if unscored := sorted(set(labels[train]) - set(labels[test])):
            notes.append(f"Too few for the held-out part, so not scored: {', '.join(map(repr, map(str, unscored)))}.")
        return Plan(train, test, "holdout", None, tuple(notes))
    return _cross_validation(y, units, notes, seed=seed)


def make_folds(
    y: Sequence[Any] | NDArray[Any],
    *,
    groups: Sequence[Any] | NDArray[Any] | None,
    n_splits: int,
    repeats: int = 1,
    seed: int,
) -> list[Fold]:
    """Cut examples into folds that are alike in their classes and keep groups together.

    Without groups, every fold has every class to within one example, and all folds the same size to within one. With
    groups the same holds as far as the groups allow. A class of two groups or more is in at least two folds wherever
    possible, so that no training side lacks it.

    Args:
        y: N class labels.
        groups: N group names, or None.
        n_splits: Number of folds; at least 2, at most the number of groups.
        repeats: How many times to cut anew.
        seed: Same seed, same folds.

    Returns:
        ``n_splits * repeats`` pairs of sorted indices: training side, scored side.

    Raises:
        DataError: There are fewer groups (or examples) than folds.
    """
    codes = _codes(y)
    units = np.arange(len(codes)) if groups is None else _codes(groups)
    available = int(units.max(initial=-1)) + 1
    if not 2 <= n_splits <= available:
        kind = "examples" if groups is None else "groups"
        raise DataError(
            f"expected 2 to {available} folds for {available} {kind}, found {n_splits}", fix="Use fewer folds."
        )
    folds: list[Fold] = []
    for random in np.random.default_rng(seed).spawn(repeats):
        fold_of = _covering(codes, units, n_splits, random)
        folds += [(np.flatnonzero(fold_of != k), np.flatnonzero(fold_of == k)) for k in range(n_splits)]
    return folds


def given_sides(dataset: Dataset) -> dict[str, tuple[str, ...]] | None:
    """Name the sides of the split that comes with the data.

    Args:
        dataset: The examples.

    Returns:
        One name per example: under ``parts`` the side ``train`` or ``test`` after val has joined one of them, or under
        ``folds`` the given fold; None where the data has no split.
    """
    if dataset.parts and "test" in dataset.parts:
        return {"parts": tuple("test" if part == "test" else "train" for part in dataset.parts)}
    if dataset.parts and "val" in dataset.parts:
        return {"parts": tuple("test" if part == "val" else "train" for part in dataset.parts)}
    return {"folds": dataset.folds} if dataset.folds else None


def refusals(dataset: Dataset, *, resplit: bool = False, allow_straddling: bool = False) -> list[DataError]:
    """List every reason why this data cannot be split into a training and a scored side.

    Args:
        dataset: The examples.
        resplit: As for `plan_split`.
        allow_straddling: As for `plan_split`.

    Returns:
        The errors, most fundamental first; empty where `plan_split` will succeed.
    """
    if dataset.labels is None:
        fix = "Put images into a folder per class, or add a column 'label'."
        return [DataError(f"expected labels, found {len(dataset)} unlabelled items", where=dataset.source, fix=fix)]
    sides = None if resplit else given_sides(dataset)
    if sides is None:
        everything = range(len(dataset))
        return _class_problems(dataset, everything) or _unit_problems(dataset)
    problems = []
    if "parts" in sides:
        train = [i for i, side in enumerate(sides["parts"]) if side == "train"]
        problems = _class_problems(dataset, train) + _unseen(dataset, train)
    else:
        problems = _class_problems(dataset, range(len(dataset))) or _fold_problems(dataset, sides["folds"])
    if not allow_straddling:
        problems += _straddling(dataset, *sides.values())
    return problems


def _class_problems(dataset: Dataset, train: Sequence[int]) -> list[DataError]:
    """Find classes that cannot be on both sides of any split."""
    labels = dataset.labels or ()
    counts = Counter(labels[i] for i in train)
    if len(counts) < 2:
        found = f"only {next(iter(counts))!r}" if counts else "no training example"
        fix = "Add examples of another class; if a folder lies around the class folders, pass the inner one."
        return [DataError(f"expected at least two classes, found {found}", where=dataset.source, fix=fix)]
    places = {labels[i]: dataset.places[i] for i in train}
    fix = "Add examples, or remove the class or merge it with another."
    return [
        DataError(
            f"expected at least 2 training examples of a class, found 1 of {label!r}", where=places[label], fix=fix
        )
        for label in sorted(counts)
        if counts[label] == 1
    ]


def _unit_problems(dataset: Dataset) -> list[DataError]:
    """Find classes that lie in one group, which no split of ours can divide."""
    units, labels = united_groups(dataset), dataset.labels or ()
    units_of: dict[str, set[int]] = {}
    first: dict[str, int] = {}
    for i, (label, unit) in enumerate(zip(labels, units.tolist(), strict=True)):
        units_of.setdefault(label, set()).add(unit)
        first.setdefault(label, i)
    problems = []
    for label in sorted(label for label, found in units_of.items() if len(found) == 1):
        group = f"group {dataset.groups[first[label]]!r}" if dataset.groups else "exact copies of one item"
        problems.append(
            DataError(
                f"expected class {label!r} in at least 2 groups, found all of it in one ({group}), so that it "
                "cannot be both trained and scored",
                where=dataset.places[first[label]],
                fix="Add examples from another group, or remove the class.",
            )
        )
    return problems


def _unseen(dataset: Dataset, train: Sequence[int]) -> list[DataError]:
    labels = dataset.labels or ()
    known = {labels[i] for i in train}
    unseen = [i for i, label in enumerate(labels) if label not in known]
    if not unseen:
        return []
    names = ", ".join(map(repr, sorted({labels[i] for i in unseen})))
    return [
        DataError(
            f"expected only test labels that are trained, found {names} in the test part alone",
            where=dataset.places[unseen[0]],
            fix="Correct the labels, or add training examples of them.",
        )
    ]


def _fold_problems(dataset: Dataset, folds: Sequence[str]) -> list[DataError]:
    """Find classes that lie in one given fold, so that its training side lacks them."""
    if len(set(folds)) < 2:
        found = f"expected at least 2 folds in column 'fold', found only {folds[0]!r}"
        return [DataError(found, where=dataset.source, fix="Remove the column.")]
    folds_of: dict[str, set[str]] = {}
    for label, fold in zip(dataset.labels or (), folds, strict=True):
        folds_of.setdefault(label, set()).add(fold)
    fix = "Add the class to another fold, or pass --resplit."
    return [
        DataError(f"expected class {label!r} in at least 2 folds, found it in one ({min(found)!r})", fix=fix)
        for label, found in sorted(folds_of.items())
        if len(found) == 1
    ]


def _straddling(dataset: Dataset, sides: Sequence[str]) -> list[DataError]:
    across = _on_several_sides(dataset.groups or (), sides)
    if not across:
        return []
    name, (one, other) = next(iter(across.items()))
    return [
        DataError(
            f"expected every group on one side of the given split, found {len(across)} on both: first {name!r} in "
            f"{sides[one]} and in {sides[other]} ({dataset.places[other]})",
            where=dataset.places[one],
            fix="Pass --resplit to split anew by group, or --allow-straddling to keep it with every score marked.",
        )
    ]


def _on_several_sides(names: Sequence[str], sides: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Map every name that is on several sides to an example on each of two of them."""
    first: dict[str, int] = {}
    across: dict[str, tuple[int, int]] = {}
    for i, name in enumerate(names):
        if sides[first.setdefault(name, i)] != sides[i]:
            across.setdefault(name, (first[name], i))
    return across


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
    if across := _on_several_sides(dataset.groups or (), sides):
        notes.append(f"Groups on both sides of the given split, kept (--allow-straddling): {len(across)}.")
    if copies := _on_several_sides(dataset.hashes, sides):
        one, other = next(iter(copies.values()))
        where = f"{dataset.places[one]} = {dataset.places[other]}"
        notes.append(f"Items with an exact copy on the other side of the given split: {len(copies)} (first: {where}).")
    return notes


def _cross_validation(y: Indices, units: Indices, notes: list[str], *, seed: int) -> Plan:
    n = len(y)
    wanted = 10 if n <= _TEN_FOLDS_UP_TO else 5
    smallest = int(_spread(y, units).min())
    # One rare class must not cost all others their training examples: below five folds, some folds do not score it.
    n_splits = min(wanted, max(smallest, _FEWEST_FOLDS), int(units.max()) + 1)
    notes = [*notes, f"No test part: {n_splits}-fold cross-validation, {_REPEATS} times."]
    if n_splits < wanted:
        notes.append(
            f"{n_splits} folds instead of {wanted}: one class has only {smallest} separate examples or groups."
        )
    folds = make_folds(y, groups=units, n_splits=n_splits, repeats=_REPEATS, seed=seed)
    return Plan(np.arange(n), None, "cv", tuple(folds), tuple(notes))


def united_groups(dataset: Dataset) -> Indices:
    """Number what must stay together: the components of examples that share a group or are exact copies."""
    parent = list(range(len(dataset)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for column in (dataset.hashes, dataset.groups or ()):
        first: dict[str, int] = {}
        for i, name in enumerate(column):
            parent[root(i)] = root(first.setdefault(name, i))
    return _codes([root(i) for i in range(len(dataset))])


def _codes(values: Sequence[Any] | NDArray[Any]) -> Indices:
    """Number the distinct values from 0, in sorted order."""
    return np.unique(np.asarray(values), return_inverse=True)[1].astype(np.intp).reshape(-1)


def _covering(y: Indices, units: Indices, n_splits: int, random: np.random.Generator) -> Indices:
    """Return the fold of every example (N,), drawing anew where one fold holds all of a class that could be divided."""
    divisible = _spread(y, units) > 1
    for _ in range(_DRAWS):
        fold_of = random.permutation(n_splits)[_assign(y, units, n_splits, random)]
        if (_spread(y, fold_of) > 1)[divisible].all():
            break
    return fold_of


def _spread(y: Indices, places: Indices) -> Indices:
    """Count in how many places each class is (C,)."""
    return np.bincount(np.unique(np.stack([y, places]), axis=1)[0])


def _assign(y: Indices, units: Indices, n_splits: int, random: np.random.Generator) -> Indices:
    """Deal out examples, or units of several, so that classes are spread evenly (N,)."""
    shuffled = random.permutation(len(y))
    if units.max() + 1 == len(y):  # every example on its own: deal them out class by class
        fold_of = np.empty(len(y), dtype=np.intp)
        fold_of[shuffled[np.argsort(y[shuffled], kind="stable")]] = np.arange(len(y)) % n_splits
        return fold_of
    counts = np.zeros((units.max() + 1, y.max() + 1))  # (units, classes)
    np.add.at(counts, (units, y), 1)
    totals = counts.sum(axis=0)
    order = random.permutation(len(counts))
    order = order[np.argsort(-counts[order].sum(axis=1), kind="stable")]
    filled = np.zeros((n_splits, len(totals)))
    fold_of_unit = np.empty(len(counts), dtype=np.intp)
    for unit in order:
        share = filled @ (counts[unit] / totals)  # how common the unit's classes already are in each fold
        after = filled + counts[unit]
        takes_all = ((after == totals) & (counts[unit] < totals)).any(axis=1)  # no training side would have the class
        fold_of_unit[unit] = np.lexsort((filled.sum(axis=1), share, takes_all))[0]
        filled[fold_of_unit[unit]] += counts[unit]
    return fold_of_unit[units]
