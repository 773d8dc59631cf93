"""Every reason why data cannot be split into a training and a scored side."""

from collections import Counter
from collections.abc import Collection, Sequence

from headstart.data._kinds import label_sets, looks_like_numbers
from headstart.data._sides import given_sides, on_several_sides, united_groups
from headstart.data.dataset import Dataset
from headstart.errors import DataError
from headstart.tasks import read_number


def refusals(
    dataset: Dataset, *, resplit: bool = False, allow_straddling: bool = False, taught: Collection[str] = ()
) -> list[DataError]:
    """List every reason why this data cannot be split into a training and a scored side.

    Args:
        dataset: The examples.
        resplit: As for `plan_split`.
        allow_straddling: As for `plan_split`.
        taught: As for `plan_split`.

    Returns:
        The errors, most fundamental first; empty where `plan_split` will succeed.
    """
    if dataset.labels is None:
        fix = "Put images or sounds into a folder per class, or add a column 'label' (of speech 'transcript')."
        return [DataError(f"expected labels, found {len(dataset)} unlabelled items", where=dataset.source, fix=fix)]
    sides = None if resplit else given_sides(dataset)
    if sides is None:
        return _training_problems(dataset, range(len(dataset))) or _unit_problems(dataset)
    problems = []
    if "parts" in sides:
        train = [i for i, side in enumerate(sides["parts"]) if side == "train"]
        problems = _training_problems(dataset, train) + _unseen(dataset, train, taught)
    else:
        problems = _training_problems(dataset, range(len(dataset))) or _fold_problems(dataset, sides["folds"])
    if not allow_straddling:
        problems += _straddling(dataset, *sides.values())
    return problems


def choice_problems(dataset: Dataset, *, resplit: bool = False) -> list[DataError]:
    """Find a training side of a single group, inside which no settings can be chosen.

    Args:
        dataset: Examples that can be split.
        resplit: As for `plan_split`.

    Returns:
        The error, or none.
    """
    sides = None if resplit else given_sides(dataset)
    names = ("train",) * len(dataset) if sides is None else next(iter(sides.values()))
    units = set(zip(united_groups(dataset).tolist(), names, strict=True))
    scored = set(names) if sides and "folds" in sides else {"test"}
    fewest = min(len({unit for unit, name in units if name != side}) for side in scored)
    needed = 3 if sides is None else 2  # of three one is scored, and settings are chosen between the others
    if fewest >= needed:
        return []
    found = f"expected at least {needed} separate training examples or groups to choose settings on, found {fewest}"
    ways = "Add examples that are not copies, or from other groups"
    fix = f"{ways}, or give a test part of its own with --test." if sides is None else f"{ways}."
    return [DataError(found, where=dataset.source, fix=fix)]


def _training_problems(dataset: Dataset, train: Sequence[int]) -> list[DataError]:
    """Find what leaves nothing to learn, or nothing to score."""
    if dataset.kind == "classification":
        return _class_problems(dataset, train)
    if not train:
        fix = "Add examples."
        return [DataError("expected training examples, found none", where=dataset.source, fix=fix)]
    labels = dataset.labels or ()
    if dataset.kind == "transcription":
        if len({labels[i] for i in train}) > 1:
            return []
        found = f"expected different transcripts, found only {labels[train[0]]!r}"
        return [DataError(found, where=dataset.source, fix="Name the right column with --label.")]
    if dataset.kind == "regression":
        if len({read_number(labels[i]) for i in train}) > 1:
            return []
        found = f"expected different values to predict, found only {labels[train[0]]!r}"
        return [DataError(found, where=dataset.source, fix="Name the right column with --label.")]
    sets = label_sets(dataset)
    counts = Counter(name for i in train for name in sets[i])
    if dataset.kind == "tagging":
        found = f"expected entities, found none in {len(train)} training texts"
        fix = "Check that the tags are the last column, or that the spans are there."
        return [] if counts else [DataError(found, where=dataset.source, fix=fix)]
    if any(count < len(train) for count in counts.values()):
        return []
    found = f"all with {', '.join(map(repr, sorted(counts)))}" if counts else "none with any label"
    return [
        DataError(
            f"expected a label that some training examples have and others lack, found {found}",
            where=dataset.source,
            fix="Add examples of another kind.",
        )
    ]


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
    if looks_like_numbers([labels[i] for i in train]):
        fix = "If these are numbers to predict, pass --task regression."
    return [
        DataError(
            f"expected at least 2 training examples of a class, found 1 of {label!r}", where=places[label], fix=fix
        )
        for label in sorted(counts)
        if counts[label] == 1
    ]


def _unit_problems(dataset: Dataset) -> list[DataError]:
    """Find classes that lie in one group, which no split of ours can divide; labels may, values are in no class."""
    if dataset.kind != "classification":
        return _shared_unit_problems(dataset)
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


def _shared_unit_problems(dataset: Dataset) -> list[DataError]:
    """Find what leaves no group that could be scored by what others teach."""
    units, sets = united_groups(dataset).tolist(), label_sets(dataset)
    if len(set(units)) < 2:
        fix = "Add examples that are not copies, or from other groups."
        return [DataError("expected at least 2 separate examples or groups, found 1", where=dataset.source, fix=fix)]
    units_of = Counter(
        name for name, _ in {(name, unit) for unit, names in zip(units, sets, strict=True) for name in names}
    )
    alone = {unit for unit, names in zip(units, sets, strict=True) if any(units_of[name] == 1 for name in names)}
    if len(alone) < len(set(units)):
        return []
    if dataset.kind == "tagging":
        found = "expected types of entities that recur, found one of its own in every text or group"
        return [DataError(found, where=dataset.source, fix="Add texts, or merge types.")]
    found = "expected labels that recur, found one of its own on every example or group"
    return [DataError(found, where=dataset.source, fix="Name the right column with --label, or merge labels.")]


def _unseen(dataset: Dataset, train: Sequence[int], taught: Collection[str]) -> list[DataError]:
    """Find labels that only the test part has; entities of such types can be scored, and are missed."""
    if dataset.kind == "tagging":
        return []
    sets = label_sets(dataset)
    known = {name for i in train for name in sets[i]}.union(taught)
    unseen = [i for i, names in enumerate(sets) if not known.issuperset(names)]
    if not unseen:
        return []
    names = ", ".join(map(repr, sorted({name for i in unseen for name in sets[i]} - known)))
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
    if dataset.kind != "classification":
        return []
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
    across = on_several_sides(dataset.groups or (), sides)
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
