"""Where the examples that train besides one's own come from: another data set, or the other domains of the same one."""

from collections import Counter
from collections.abc import Collection
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from headstart.data import Dataset, Plan, lend, without_copies
from headstart.errors import DataError, OptionError
from headstart.pipeline._options import FitOptions, Reading, labels_of, notes_on_left_out, warnings_on
from headstart.pipeline._values import plain
from headstart.search import Outcome, SourceUse
from headstart.tasks import Kind, Tagging, task_from_labels

NAMED: Final[dict[Kind, str]] = {"classification": "classes", "multilabel": "labels", "tagging": "types"}
MOST_NAMES: Final = 5
# Small and rare classes are left out: they matter where they are scored.
OF_WHAT_TRAINS: Final = frozenset(
    {"conflicting-copies", "encoded-twice", "long-texts", "multi-label", "similar-labels"}
)


class Split(Protocol):
    """Splits the target; the source teaches some names of classes besides."""

    def __call__(self, target: Dataset, *, taught: Collection[str]) -> Plan: ...


def check_source_options(options: FitOptions) -> None:
    """Refuse options that do not go together.

    Args:
        options: What to try and how.

    Raises:
        OptionError: Two sources are named, or a model is to be continued that knows of none.
    """
    given = [name for name, value in _named(options).items() if value is not None]
    if len(given) == 2:
        raise OptionError(
            "expected one source, found --source and --target-domain",
            where="--source",
            fix="Give one: another data set, or the other domains of DATA.",
        )
    if given and options.continue_from is not None:
        raise OptionError(
            f"{given[0]} does not go with --continue-from, whose model keeps its training data",
            where=given[0],
            fix="Leave out one of them.",
        )


def read_source(dataset: Dataset, reading: Reading, options: FitOptions) -> tuple[Dataset, Dataset | None]:
    """Read what lends examples, or take it out of the data.

    Args:
        dataset: The data.
        reading: How it is read; so is the source.
        options: Which source there is.

    Returns:
        The target, and the training examples of the source; None where no source is named.

    Raises:
        DataError: The source holds something else, or no labels; or there is no such domain, or no other.
    """
    if options.target_domain is not None:
        return _by_domain(dataset, options.target_domain)
    if options.source is None:
        return dataset, None
    source = _read(options.source, dataset, reading)
    return dataset, replace(training_side(source), source=Path(options.source).name)


def with_source(
    dataset: Dataset, source: Dataset, split: Split, *, shared_groups: bool = False
) -> tuple[Plan, Dataset, Plan]:
    """Split the target and put the source beside it.

    Args:
        dataset: The target.
        source: What is lent.
        split: Splits the target.
        shared_groups: Whether groups of one name are one group, as in a single data set.

    Returns:
        The plan of the target, all examples, and the plan of these.

    Raises:
        DataError: The data cannot be split, or nothing of the source may train.
    """
    fresh = without_copies(source, dataset)
    plan = split(dataset, taught=_names(fresh))
    pooled, both = lend(dataset, plan, fresh, shared_groups=shared_groups)
    last = len(dataset) + len(fresh)
    trains = int(((both.train >= len(dataset)) & (both.train < last)).sum())
    copies, shut_out = len(source) - len(fresh), len(fresh) - trains
    if not trains:
        raise DataError(
            f"expected examples that may train, found only copies of the target ({copies:,}) and groups that are "
            f"scored ({shut_out:,})",
            where=source.source,
            fix="Give other data as the source, or leave it out.",
        )
    notes = [f"From {source.source} {trains:,} examples train too; only the target is held out or scored."]
    if copies:
        notes.append(f"Left out of {source.source}, as copies of items of the target: {copies:,}.")
    if shut_out:
        notes.append(f"Left out of {source.source}, as of groups that are scored: {shut_out:,}.")
    return replace(plan, notes=(*plan.notes, *notes, *_about_names(dataset, fresh))), pooled, both


def training_side(source: Dataset) -> Dataset:
    """Return the training side of a source, or all of it where it has none.

    Args:
        source: Labelled examples.

    Returns:
        All that are not of its test part.
    """
    parts = source.parts or ()
    rows = [i for i, part in enumerate(parts) if part != "test"]
    return source.take(rows) if rows else source


def said_of(source: Dataset | None) -> list[str]:
    """Say how a source was read and what looks wrong in it, as is said of the data.

    Args:
        source: What is lent; None where nothing is.

    Returns:
        Sentences, which may quote its texts.
    """
    if source is None:
        return []
    notes = [*source.notes, *notes_on_left_out(source), *warnings_on(source, among=OF_WHAT_TRAINS)]
    return [f"{Path(source.source).name}: {note}" for note in notes]


def trained_too(pooled: Dataset, plan: Plan, outcome: Outcome) -> tuple[str, ...]:
    """Return the hashes of what is lent and was trained on, where that made the model that is shipped."""
    if pooled.lent is None or outcome.source is None or outcome.source.shipped == "target only":
        return ()
    known = {pooled.hashes[i] for i in pooled.own}
    return tuple(pooled.hashes[i] for i in plan.train if pooled.lent[i] and pooled.hashes[i] not in known)


def source_to_dict(use: SourceUse) -> dict[str, Any]:
    """Return what the source was worth as JSON values."""
    values: dict[str, Any] = plain(asdict(use))
    return values


def _named(options: FitOptions) -> dict[str, str | None]:
    source = None if options.source is None else str(options.source)
    return {"--source": source, "--target-domain": options.target_domain}


def _by_domain(dataset: Dataset, name: str) -> tuple[Dataset, Dataset]:
    """Part the data into the target domain and the training examples of the others."""
    where, counts = "--target-domain", Counter(dataset.domains)
    if dataset.domains is None:
        problem = "expected a column 'domain' that every example has, found none"
        fix = "Add it, or leave out --target-domain; another domain in data of its own goes with --source."
        raise DataError(problem, where=dataset.source, fix=fix)
    if name not in counts:
        found = ", ".join(map(repr, sorted(counts)[:5]))
        raise DataError(f"expected examples of domain {name!r}, found {found}", where=where, fix="Name one of these.")
    if len(counts) == 1:
        problem = f"expected examples of other domains besides {name!r}, found none"
        raise DataError(problem, where=where, fix="Leave it out.")
    here = np.array(dataset.domains) == name
    target = dataset.take(np.flatnonzero(here))
    if target.parts and set(target.parts) == {"test"}:
        problem = f"expected some training examples of domain {name!r}, found only its test part"
        raise DataError(problem, where=where, fix="Label a few that train, or take another domain.")
    others = training_side(dataset.take(np.flatnonzero(~here)))
    described = f"the other domains ({', '.join(sorted(set(counts) - {name}))})"
    unused = int((~here).sum()) - len(others)
    notes = [f"Target: domain {name!r}, {counts[name]:,} examples."]
    if unused:
        notes.append(f"Test examples of other domains, not used: {unused:,}.")
    # What was said of all the data was said of the other domains too.
    return replace(target, notes=(*dataset.notes, *notes)), replace(others, source=described, notes=(), left_out=())


def _read(path: str | Path, dataset: Dataset, reading: Reading) -> Dataset:
    """Read a source as the data was read."""
    fix = "Give a data set of the same kind."
    try:
        source = replace(reading, task=dataset.kind, group=None, test=None, slices=()).load(path)
    except OptionError as error:  # of the data the kind was told, or asked for; of the source it is taken from there
        problem = f"expected a source of {dataset.task} like the data: {error.problem}"
        raise DataError(problem, where=str(path), fix=fix) from error
    labels_of(source)
    if source.modality != dataset.modality:
        problem = f"expected a source of {dataset.modality} like the data, found {source.modality}"
        raise DataError(problem, where=str(path), fix=fix)
    return source


def _about_names(dataset: Dataset, source: Dataset) -> list[str]:
    """Say which classes, labels or types only one side has: perhaps the other has them by another name, or unmarked."""
    what, own, lent, name = NAMED.get(dataset.kind), set(_names(dataset)), set(_names(source)), source.source
    if what is None:
        return []
    if not lent & own:
        found = f"{name} has none of the target's {what}, but {_listed(lent)}"
        return [f"Warning: {found}. Write them alike, if they mean the same."]
    notes = [f"In {name} alone: {what} {_listed(lent - own)}."] if lent - own else []
    if own - lent and dataset.kind != "classification":
        notes.append(f"Not marked in {name}, which so teaches that there are none: {what} {_listed(own - lent)}.")
    return notes


def _listed(names: set[str]) -> str:
    return ", ".join(map(repr, sorted(names)[:MOST_NAMES])) + (", ..." if len(names) > MOST_NAMES else "")


def _names(source: Dataset) -> tuple[str, ...]:
    """Name the classes, labels or types that a source teaches."""
    task = task_from_labels(source.kind, source.labels or ())
    return task.types if isinstance(task, Tagging) else task.classes
