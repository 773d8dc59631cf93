"""What the jobs may be told, and what of it is refused before compute is spent."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np

from headstart import artifact, backbones, data
from headstart.artifact import Artifact
from headstart.backbones import Backbone
from headstart.data import UNEQUAL, Dataset, Plan, warnings_about
from headstart.errors import DataError, OptionError
from headstart.evaluation import DEFAULT_METRICS, find_metric
from headstart.pipeline._corrections import with_corrections
from headstart.pipeline._privacy import Examples
from headstart.search import Proof
from headstart.tasks import Kind, Spelling

Say = Callable[[str], None]
DEFAULT_BUDGET = 1800.0
MOST_WARNINGS = 8
MOST_LEFT_OUT = 20
LADDER = "ladder"


def say_nothing(text: str) -> None:
    """Tell nobody."""


def say_once(say: Say) -> tuple[Say, list[str]]:
    """Return what says each sentence once (every training of a rung says the same), and the list of what it said."""
    said: list[str] = []

    def tell(text: str) -> None:
        if text not in said:
            said.append(text)
            say(text)

    return tell, said


@dataclass(frozen=True)
class Reading:
    """How a data set is read.

    Attributes:
        task: ``image-``, ``text-`` or ``audio-`` and ``classification``, ``multilabel`` or ``regression``,
            ``text-tagging``, ``audio-transcription``, or the kind alone; inferred where None, except regression.
        label: Column of the labels.
        text: Column of the texts.
        group: Column of the groups, ``filename:REGEX`` or ``dicom:PatientID``.
        test: Where a separate test part lies.
        on_error: ``skip`` leaves unreadable items out and lists them.
        transcripts: ``plain`` takes them in lower case and without punctuation, ``written`` as they are.
        labels_from: A table of corrected labels, as ``headstart check --deep --labels`` writes it.
        slices: Columns whose values make the subgroups that are scored.
    """

    task: str | None = None
    label: str | None = None
    text: str | None = None
    group: str | None = None
    test: str | None = None
    on_error: Literal["stop", "skip"] = "stop"
    transcripts: Spelling = "plain"
    labels_from: str | None = None
    slices: tuple[str, ...] = ()

    def load(self, source: str | Path) -> Dataset:
        """Read and check a data set, and correct its labels."""
        return self.corrected(data.load(source, **self.options()))

    def corrected(self, dataset: Dataset) -> Dataset:
        """Correct the labels, where a table of them is given."""
        return dataset if self.labels_from is None else with_corrections(dataset, Path(self.labels_from))

    def options(self) -> dict[str, Any]:
        """Return the arguments of `headstart.data.load`."""
        return {name: value for name, value in asdict(self).items() if name != "labels_from"}


@dataclass(frozen=True)
class FitOptions:
    """What `fit` may be told besides the data.

    Attributes:
        backbones: Addresses of the candidates, or loaded ones; by default those that need no network.
        strategy: ``ladder`` climbs from the probe to deeper adaptation while it pays; a call string such as
            ``probe(head='knn')`` fixes one. None stands for the ladder, and with ``continue_from`` for what that model
            used.
        metric: The score to report and to compare by; where None accuracy, of labels micro F1, of values RMSE, of
            entities their F1, of speech the word error rate.
        budget: Seconds until the model must be saved; half an hour where None.
        seed: Every random choice comes from it.
        offline: Open no connection.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        resplit: Split anew by group where groups straddle the given split.
        allow_straddling: Keep a given split that groups straddle, and mark every score.
        contents: ``slim`` leaves the backbone's weights out of the model folder.
        proof: What transfer is compared with: ``none`` nothing, ``quick`` the majority class, a classical model and the
            same network with random weights, ``full`` also the same network trained from scratch.
        continue_from: A model folder whose backbone, strategy and test part are kept.
        checkpoint_seconds: Least time between two checkpoints of a training; a shorter one leaves none.
        source: Another labelled data set of the same kind: its training part trains too and is never scored.
        examples: ``none`` keeps every name and every picture, sound or text of an example out of the model folder;
            ``auto`` does so for DICOM files, ``shown`` for none.
        target_domain: Of data with a column ``domain``, the one that is held out and scored; the others are the source.
    """

    backbones: tuple[str | Backbone, ...] = ()
    strategy: str | None = None
    metric: str | None = None
    budget: float | None = None
    seed: int = 0
    offline: bool = False
    device: str = "auto"
    resplit: bool = False
    allow_straddling: bool = False
    contents: artifact.Contents = "whole"
    proof: Proof = "quick"
    continue_from: str | None = None
    checkpoint_seconds: float = 20.0
    source: str | Path | None = None
    target_domain: str | None = None
    examples: Examples = "auto"


def comparable(options: FitOptions) -> dict[str, Any]:
    """Return the options that change the result; the budget may differ when a run is resumed."""
    values = {field.name: getattr(options, field.name) for field in fields(options)}
    for name in ("budget", "offline", "checkpoint_seconds", "source"):  # the source counts by what it holds
        del values[name]
    values["backbones"] = [
        b if isinstance(b, str) else f"{b.name} {b.weights_hash} {b.preprocessing_hash}" for b in options.backbones
    ]
    return values


def check_options(options: FitOptions) -> None:
    """Refuse what can be refused before anything is read."""
    for name in options.backbones:
        if isinstance(name, str):
            backbones.parse_name(name)
    if options.budget is not None and options.budget <= 0:
        raise OptionError(f"expected a time above zero, found {options.budget:g} s", where="--budget")


def choose_metric(metric: str | None, kind: Kind, *, labels: Sequence[str] = ()) -> str:
    """Return the metric asked for, or the usual one of a kind of task.

    Args:
        metric: What was asked for.
        kind: The kind of task.
        labels: Of classes; where the largest is `UNEQUAL` times the smallest, all classes count alike.

    Returns:
        The name of the metric.

    Raises:
        OptionError: The kind of task has no such metric.
    """
    if metric is None:
        unequal = kind == "classification" and _times_larger(labels) >= UNEQUAL
        return "balanced_accuracy" if unequal else DEFAULT_METRICS[kind]
    try:
        find_metric(metric, kind)
    except OptionError as error:
        raise OptionError(error.problem, where="--metric", fix=error.fix) from error
    return metric


def note_on_metric(metric: str | None, chosen: str) -> tuple[str, ...]:
    """Say that all classes count alike, where nobody asked for that."""
    if metric is not None or chosen != "balanced_accuracy":
        return ()
    return (
        "The classes are very unequal: balanced accuracy is reported first, and rare classes weigh as much as common "
        "ones in training (--metric accuracy counts every item alike).",
    )


def _times_larger(labels: Sequence[str]) -> float:
    """Return how many times larger the largest class is than the smallest."""
    counts = Counter(labels).values()
    return max(counts) / min(counts) if counts else 1.0


def check_metric_defined(dataset: Dataset, plan: Plan, metric: str) -> None:
    """Refuse AUROC before any compute where a class is missing from what is scored: it would be undefined."""
    if metric != "auroc":
        return
    labels = labels_of(dataset)
    counts = Counter(labels[i] for i in (dataset.own if plan.test is None else plan.test))
    # Every fold of a repeat scores about n / k examples; to be in all k of them a class needs k.
    needed = 1 if plan.folds is None else round(len(dataset.own) / np.mean([len(scored) for _, scored in plan.folds]))
    rare = sorted(name for name in set(labels) if counts[name] < needed)
    if rare:
        raise OptionError(
            f"auroc needs {needed} scored example(s) of every class, found {counts[rare[0]]} of {rare[0]!r}",
            where="--metric",
            fix="Choose another, such as accuracy or log_loss.",
        )


def check_fits(dataset: Dataset, saved: Artifact, *, fix: str = "") -> None:
    """Refuse data that a saved model does not read, or labels of another kind.

    Args:
        dataset: The data.
        saved: The model.
        fix: What to do about either; by default advice of its own for each.

    Raises:
        DataError: The model reads another modality.
        OptionError: The model does another kind of task.
    """
    model = saved.model
    if dataset.modality != model.backbone.modality:
        raise DataError(
            f"the model reads {model.backbone.modality} and the data is {dataset.modality}",
            where=str(saved.folder),
            fix=fix or "Check that model and data belong together.",
        )
    if dataset.kind != model.task.kind:
        raise OptionError(
            f"the model does {model.task.kind} and {dataset.kind} is asked for",
            where="--task",
            fix=fix or "Leave out --task.",
        )


def labels_of(dataset: Dataset) -> tuple[str, ...]:
    """Return the labels, or say that there are none."""
    if dataset.labels is None:
        fix = "Put images or sounds into a folder per class, or add a column 'label' or 'transcript' (or --label NAME)."
        raise DataError("expected labelled data, found no labels", where=dataset.source, fix=fix)
    return dataset.labels


def notes_on_left_out(dataset: Dataset) -> tuple[str, ...]:
    """Say what was left out on request, the first few by name."""
    notes = tuple(f"Left out: {item.place}: {item.reason}" for item in dataset.left_out[:MOST_LEFT_OUT])
    more = len(dataset.left_out) - MOST_LEFT_OUT
    return notes if more <= 0 else (*notes, f"Left out: {more:,} more; headstart check shows them.")


def warnings_on(dataset: Dataset, *, among: Collection[str] | None = None) -> list[str]:
    """Say what `headstart check` warns of, all kinds or some, as far as it costs no more than was read anyway."""
    found = [finding for finding in warnings_about(dataset) if among is None or finding.kind in among]
    lines = [f"Warning: {finding.where}: {finding.found}. {finding.fix}" for finding in found[:MOST_WARNINGS]]
    if len(found) > MOST_WARNINGS:
        lines.append(f"Warning: {len(found) - MOST_WARNINGS} more like these; headstart check lists them all.")
    return lines
