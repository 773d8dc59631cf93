"""Curve: how many labels are needed, and what the head start saves of them: transfer against scratch."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Final, Literal

import numpy as np

from headstart.backbones import Backbone, word_backbone
from headstart.data import Dataset, Indices, Plan, make_folds, plan_split, united_groups
from headstart.engine import Engine, LocalEngine
from headstart.errors import DataError, OptionError
from headstart.evaluation import (
    CurvePoint,
    Estimate,
    LabelSaving,
    find_metric,
    fit_curve,
    greater_is_better,
    label_saving,
    metric_name,
    nested_subsets,
    sentence,
    sizes,
)
from headstart.features import FeatureSource, Progress, silent
from headstart.pipeline._affordable import FEWEST_DRAWS
from headstart.pipeline._candidates import load_one, names_for
from headstart.pipeline._curve_result import MORE, CurveOptions, CurveResult, unit_of
from headstart.pipeline._draws import PROBE, SCRATCH, Draws
from headstart.pipeline._options import (
    FitOptions,
    Reading,
    Say,
    check_metric_defined,
    check_options,
    choose_metric,
    note_on_metric,
    notes_on_left_out,
    say_nothing,
    say_once,
)
from headstart.pipeline._pictures import check_picture, drawn
from headstart.report import plot_curve
from headstart.strategies import Contrastive, Run, Tuning, finetuning, reading_for
from headstart.tasks import Kind, Task, task_from_labels

CURVE_BUDGET: Final = 600.0
THIRDS: Final = 3
FEW_SPEAKERS: Final = 20  # groups of recordings, below which subsets are not of whole groups
SILENT: Final = 1.0  # the error rate of who says nothing


def curve(
    source: str | Path,
    output: str | Path | None = None,
    *,
    reading: Reading | None = None,
    options: CurveOptions | None = None,
    overwrite: Literal["never", "file"] = "never",
    engine: Engine | None = None,
    progress: Progress = silent,
    say: Say = say_nothing,
    started: float | None = None,
) -> CurveResult:
    """Measure scores against the number of labels: probe, fine-tuned, and the same network from scratch.

    Args:
        source: The labelled data.
        output: The picture to make, ending in ``.png`` or ``.svg``; none where None.
        reading: How the data is read.
        options: What to try and how.
        overwrite: ``file`` replaces an existing picture.
        engine: Where frozen passes run; in this process where None.
        progress: Told about long work.
        say: Told what was inferred, decided or given up, one sentence at a time.
        started: `time.monotonic` at the start of the process, from which the budget counts.

    Returns:
        The points, the label saving and what more labels would bring.
    """
    started = time.monotonic() if started is None else started
    reading, options = reading or Reading(), options or CurveOptions()
    picture = None if output is None else check_picture(Path(output), overwrite)
    _check(options)
    tell, notes = say_once(say)
    dataset = reading.load(source)
    metric = choose_metric(options.metric, dataset.kind, labels=dataset.labels or ())
    plan = _plan(dataset, options)
    for note in (*dataset.notes, *plan.notes, *notes_on_left_out(dataset), *note_on_metric(options.metric, metric)):
        tell(note)
    check_metric_defined(dataset, plan, metric)
    draws = _draws(
        dataset,
        plan,
        options,
        metric=metric,
        started=started,
        engine=engine or LocalEngine(),
        progress=progress,
        say=tell,
    )
    measured = draws.measure(metric=metric, seed=options.seed)
    points, transfer = measured.points, measured.transfer
    unit = unit_of(dataset.kind)
    saving, said = _saving(points, transfer, metric=metric, kind=dataset.kind, seed=options.seed)
    gaining = max((transfer, PROBE), key=lambda arm: points[arm][-1].n)
    gain = fit_curve(points[gaining], metric=metric, seed=options.seed).gain(MORE)
    if picture is not None:
        title = f"{Path(source).name}: {draws.backbone.name.rpartition('/')[2]}"
        picture = drawn(
            lambda path: plot_curve(points, saving, path, title=title, metric=metric, unit=unit), picture, say=tell
        )
    assert plan.test is not None
    return CurveResult(
        points=points,
        transfer=transfer,
        saving=saving,
        sentence=said,
        gain=gain,
        gaining=gaining,
        next_sentence=_next_sentence(gain, metric, arm=gaining, n=points[gaining][-1].n, unit=unit),
        metric=metric,
        task=dataset.task,
        backbone=draws.backbone.name,
        n_test=len(plan.test),
        how=plan.how,
        seconds=time.monotonic() - started,
        late=max(0.0, time.monotonic() - draws.deadline),
        picture=picture,
        notes=tuple(notes),
        unit=unit,
    )


def _check(options: CurveOptions) -> None:
    """Refuse what can be refused before anything is read."""
    check_options(_as_fit(options))
    if options.seeds < FEWEST_DRAWS:
        fix = "Intervals come from the spread over seeds."
        raise OptionError(f"expected at least {FEWEST_DRAWS} seeds, found {options.seeds}", where="--seeds", fix=fix)
    if options.sizes is not None and options.most is not None:
        raise OptionError("expected --sizes or --most, found both", where="--sizes", fix="The last size is the most.")


def _as_fit(options: CurveOptions) -> FitOptions:
    """Return the options that `fit` has too."""
    names = () if options.backbone is None else (options.backbone,)
    return FitOptions(backbones=names, budget=options.budget, offline=options.offline, device=options.device)


def _plan(dataset: Dataset, options: CurveOptions) -> Plan:
    """Decide on one test part for all sizes and draws."""
    plan = plan_split(dataset, seed=options.seed, resplit=options.resplit, allow_straddling=options.allow_straddling)
    if plan.folds is None:
        return plan
    if dataset.folds and not options.resplit:
        train, test = plan.folds[0]
        note = f"One test part is needed for all sizes: fold {dataset.folds[test[0]]!r} ({len(test)} examples)."
        return Plan(train, test, "holdout", None, (note,))
    labels = dataset.labels or ()
    y = np.array(labels) if dataset.kind == "classification" else task_from_labels(dataset.kind, labels).encode(labels)
    units = united_groups(dataset)
    train, test = make_folds(y, groups=units, n_splits=min(THIRDS, int(units.max()) + 1), seed=options.seed)[0]
    note = f"No test part: a third ({len(test)}) is held out, once for all draws."
    return Plan(train, test, "holdout", None, (note,))


def _draws(
    dataset: Dataset,
    plan: Plan,
    options: CurveOptions,
    *,
    metric: str,
    started: float,
    engine: Engine,
    progress: Progress,
    say: Say,
) -> Draws:
    """Load the network, draw the subsets, and say what is compared and in which time."""
    deadline = started + (options.budget or CURVE_BUDGET)
    late = deadline if options.budget else None
    features = FeatureSource(engine=engine, progress=progress, deadline=late, items=len(dataset))
    run = Run(features, seed=options.seed, progress=progress, metric=metric, say=say)
    task = task_from_labels(dataset.kind, dataset.labels or ())
    backbone = _backbone(dataset, plan, task, options, run)
    for note in backbone.notes:
        say(f"{backbone.name}: {note}.")
    if options.budget is None:
        say(f"Time allowed: {CURVE_BUDGET / 60:.0f} min (--budget sets another).")
    subsets = _subsets(dataset, plan, task.n_outputs, options, say)
    above = _rung_above(dataset, backbone)
    counts = ", ".join(str(len(subset)) for subset in subsets[0])
    say(f"{unit_of(dataset.kind).capitalize()}: {counts}; {len(subsets)} seeds. Fine-tuned means {above}.")
    runs = tuple(replace(run, seed=run.seed + draw) for draw in range(len(subsets)))
    return Draws(dataset, plan, task, backbone, subsets, runs, above, deadline, say)


def _backbone(dataset: Dataset, plan: Plan, task: Task, options: CurveOptions, run: Run) -> Backbone:
    """Load the network named, or the first of those that need no network.

    What stands for a word is the mean of its tokens for all sizes: choosing it would need more labels than the smallest
    has. How many frames a second has follows from how fast people speak, in the whole training part.
    """
    names = names_for(dataset.modality, () if options.backbone is None else (options.backbone,))
    backbone = load_one(names[0], dataset.modality, offline=options.offline, device=options.device)
    if dataset.kind == "tagging" and backbone.pooling_of_words is None:
        return word_backbone(backbone, "mean")
    return reading_for([backbone], dataset.take(plan.train), task, run=run)[0]


def _rung_above(dataset: Dataset, backbone: Backbone) -> Tuning:
    """Return the usual rung above the probe: one for all sizes, so that points of an arm differ in labels alone.

    The ladder of `headstart.search` moves more layers, less, where a class has at most 16 texts.
    """
    if dataset.modality == "text" and dataset.kind == "classification":
        return Contrastive()
    return replace(finetuning(backbone, dataset), steps=0)  # ten times through the examples at every size


def _subsets(
    dataset: Dataset, plan: Plan, n_outputs: int, options: CurveOptions, say: Say
) -> tuple[tuple[Indices, ...], ...]:
    """Draw the training examples of every size, as positions in the data set; sizes that a draw lacks are left out."""
    train = dataset.take(plan.train)
    n_classes = {"regression": 1, "transcription": 1, "tagging": n_outputs // 2}.get(dataset.kind, n_outputs)
    wanted = _sizes(len(train), n_classes, options, unit_of(dataset.kind))
    y = np.asarray(task_from_labels(dataset.kind, dataset.labels or ()).encode(train.labels or ()))
    groups = None if train.groups is None else np.array(train.groups)
    by_speaker = False
    if dataset.kind == "transcription" and groups is not None and len(np.unique(groups)) < FEW_SPEAKERS:
        # Whole speakers would be few sizes, far apart.
        y, groups, by_speaker = np.unique(groups, return_inverse=True)[1], None, True
        have = np.bincount(y)
        far = ", as far as each goes" if np.ptp(have) else ""
        say(f"Few groups ({len(have)}), so every size has recordings of each, in equal shares{far}.")
    drawn = [
        nested_subsets(y, groups, wanted, seed=options.seed + draw, equal=by_speaker) for draw in range(options.seeds)
    ]
    units = united_groups(train)
    usable = [size for size in range(len(wanted)) if all(_usable(each, size, units) for each in drawn)]
    if not usable:
        fix = "Add examples that are not copies, or from other groups."
        raise DataError("expected at least 2 separate training examples or groups", where=dataset.source, fix=fix)
    return tuple(tuple(plan.train[each[size]] for size in usable) for each in drawn)


def _sizes(n: int, n_classes: int, options: CurveOptions, unit: str) -> tuple[int, ...]:
    """Return the sizes asked for, or a series of them."""
    fewest = sizes(n, n_classes)[0]
    wanted = options.sizes or sizes(n, n_classes, options.most)
    if wanted[0] < fewest:
        raise OptionError(
            f"expected at least {fewest} {unit}, found {wanted[0]}",
            where="--most" if options.sizes is None else "--sizes",
            fix=f"Give {fewest} or more.",
        )
    if wanted[-1] > n or any(more <= few for few, more in pairwise(wanted)):
        raise OptionError(
            f"expected rising numbers of {unit} up to the {n} of the training part, "
            f"found {', '.join(map(str, wanted))}",
            where="--sizes",
            fix=f"Leave out those above {n}, and put the others in order.",
        )
    return wanted


def _usable(drawn: Sequence[Indices], size: int, units: Indices) -> bool:
    """Whether settings can be chosen on a subset, and it is larger than the one before."""
    larger = size == 0 or len(drawn[size]) > len(drawn[size - 1])
    return larger and len(np.unique(units[drawn[size]])) > 1


def _saving(
    points: Mapping[str, tuple[CurvePoint, ...]], transfer: str, *, metric: str, kind: Kind, seed: int
) -> tuple[LabelSaving | None, str]:
    unit = unit_of(kind)
    if SCRATCH not in points:
        return None, f"How many {unit} transfer saves is not known: nothing was trained from scratch."
    table = find_metric(metric, kind)
    most, errors = points[SCRATCH][-1], metric in ("wer", "cer")
    # Of errors there is no worst, but who says nothing has as many as there are words.
    worst = SILENT if errors else table.bounds[0 if table.greater_is_better else 1]
    if all(round(point.value, 2) >= worst if errors else point.value == worst for point in points[SCRATCH]):
        learnt = f"from scratch nothing is learnt with up to {most.n} ({worst:.2f} {metric_name(metric)})"
        return None, f"How many {unit} transfer saves cannot be told: {learnt}."
    found = label_saving(points[transfer], points[SCRATCH], metric=metric, seed=seed)
    return found, sentence(found, metric, unit=unit)


def _next_sentence(gain: Estimate | None, metric: str, *, arm: str, n: int, unit: str) -> str:
    if gain is None:
        return f"What {MORE} more {unit} would bring cannot be said from fewer than four sizes."
    sign = 1 if greater_is_better(metric) else -1
    ends = [sign * end for end in (gain.value, gain.interval.low, gain.interval.high)]
    decimals = max(0, 1 - math.floor(math.log10(max(map(abs, ends))))) if any(ends) else 2
    value, low, high = (f"{end:+.{decimals}f}" if end else "0" for end in ends)
    score = f"{value} {metric_name(metric)} ({arm}; interval {low} to {high})"
    return f"{MORE} more {unit} than {n} would bring about {score}."
