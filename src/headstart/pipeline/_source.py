"""Where the examples that train besides one's own come from: another data set, or the other domains of the same one."""

from collections import Counter
from collections.abc import Collection
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from headstart.data import Dataset, Plan, lend
from headstart.errors import DataError, OptionError
from headstart.pipeline._options import FitOptions, Reading, labels_of, notes_on_left_out
from headstart.pipeline._values import plain
from headstart.search import Outcome, SourceUse
from headstart.tasks import Tagging, task_from_labels


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
    source = replace(reading, task=dataset.kind, group=None, test=None).load(options.source)
    labels_of(source)
    if source.modality != dataset.modality:
        raise DataError(
            f"expected a source of {dataset.modality} like the data, found {source.modality}",
            where=str(options.source),
            fix="Give a data set of the same kind.",
        )
    return dataset, replace(_training(source), source=Path(options.source).name)


def with_source(dataset: Dataset, source: Dataset, split: Split) -> tuple[Plan, Dataset, Plan]:
    """Split the target and put the source beside it.

    Args:
        dataset: The target.
        source: What is lent.
        split: Splits the target.

    Returns:
        The plan of the target, all examples, and the plan of these.
    """
    plan = split(dataset, taught=_names(source))
    pooled, both = lend(dataset, plan, source)
    known = set(dataset.hashes)
    copies = sum(item in known for item in source.hashes)
    notes = [
        f"From {source.source} {len(source) - copies:,} examples train too; only the target is held out or scored."
    ]
    if copies:
        notes.append(f"Left out of {source.source}, as copies of items of the target: {copies:,}.")
    return replace(plan, notes=(*plan.notes, *notes, *notes_on_left_out(source))), pooled, both


def trained_too(lent: Dataset | None, outcome: Outcome) -> Dataset | None:
    """Return what is lent where the model that is shipped was trained on it."""
    return lent if outcome.source is not None and outcome.source.shipped == "source and target" else None


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
        raise DataError(problem, where=dataset.source, fix="Add it, or leave out --target-domain.")
    if name not in counts:
        found = ", ".join(map(repr, sorted(counts)[:5]))
        raise DataError(f"expected examples of domain {name!r}, found {found}", where=where, fix="Name one of these.")
    if len(counts) == 1:
        problem = f"expected examples of other domains besides {name!r}, found none"
        raise DataError(problem, where=where, fix="Leave it out.")
    here = np.array(dataset.domains) == name
    others = _training(dataset.take(np.flatnonzero(~here)))
    described = f"the other domains ({', '.join(sorted(set(counts) - {name}))})"
    unused = int((~here).sum()) - len(others)
    notes = [f"Target: domain {name!r}, {counts[name]:,} examples."]
    if unused:
        notes.append(f"Test examples of other domains, not used: {unused:,}.")
    target = replace(dataset.take(np.flatnonzero(here)), notes=(*dataset.notes, *notes))
    return target, replace(others, source=described)


def _training(source: Dataset) -> Dataset:
    """Return the training side of a source, or all of it where it has none."""
    parts = source.parts or ()
    rows = [i for i, part in enumerate(parts) if part != "test"]
    return source.take(rows) if rows else source


def _names(source: Dataset) -> tuple[str, ...]:
    """Name the classes, labels or types that a source teaches."""
    task = task_from_labels(source.kind, source.labels or ())
    return task.types if isinstance(task, Tagging) else task.classes
