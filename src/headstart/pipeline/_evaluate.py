"""Evaluate: score a saved model on labelled data."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from headstart import artifact
from headstart.artifact import Artifact
from headstart.backbones import Backbone
from headstart.data import Dataset
from headstart.engine import Engine, LocalEngine, pick_device
from headstart.errors import OptionError
from headstart.evaluation import ClassScores, Fold, Score, Slices, metrics_for, per_class, score
from headstart.features import FeatureSource, Progress, silent
from headstart.pipeline._confidence import Wanted
from headstart.pipeline._entities import EntityErrors, note_on_unseen, wider, with_unseen
from headstart.pipeline._mistakes import Mistakes
from headstart.pipeline._options import (
    Reading,
    Say,
    check_fits,
    choose_metric,
    labels_of,
    notes_on_left_out,
    say_nothing,
)
from headstart.pipeline._robustness import RobustnessOptions, RobustnessResult, measure_robustness, open_others
from headstart.pipeline._slices import slices_of, slices_to_dict
from headstart.pipeline._transcripts import SpeechErrors
from headstart.pipeline._trust import MEASURED, Trust, trust
from headstart.pipeline._values import score_to_dict
from headstart.tasks import Spelling


@dataclass(frozen=True)
class EvaluateResult:
    """A model's score on labelled data.

    Attributes:
        score: The score.
        classes: Precision, recall and F1 per class, label or type of entity; empty for values and transcripts.
        notes: Whether the model has seen any of these items.
        entities: What is right and wrong with them, where the model tags.
        errors: What is right and wrong with what was heard, where it transcribes.
        trust: How far the answers of a classifier can be trusted.
        slices: The scores of subgroups, where columns were named.
        robustness: The scores on corrupted items, where they were asked for.
    """

    score: Score
    classes: Mapping[str, ClassScores]
    notes: tuple[str, ...]
    entities: EntityErrors | None = None
    errors: SpeechErrors | None = None
    trust: Trust | None = None
    slices: tuple[Slices, ...] = ()
    robustness: RobustnessResult | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON values, as ``headstart evaluate --json`` prints it."""
        classes = {name: dict(facts) for name, facts in self.classes.items()}
        found = {"test": score_to_dict(self.score), "classes": classes, "notes": list(self.notes)}
        if self.entities is not None:
            found["entities"] = self.entities.to_dict()
        if self.errors is not None:
            found["errors"] = self.errors.to_dict()
        if self.trust is not None:
            found["trust"] = self.trust.to_dict()
        if self.robustness is not None:
            found["robustness"] = self.robustness.to_dict()
        return found | slices_to_dict(self.slices)


def evaluate(
    folder: str | Path,
    source: str | Path,
    *,
    reading: Reading | None = None,
    metric: str | None = None,
    wanted: Wanted = MEASURED,
    backbone: Backbone | str | None = None,
    seed: int = 0,
    device: str = "auto",
    offline: bool = False,
    robustness: RobustnessOptions | None = None,
    engine: Engine | None = None,
    progress: Progress = silent,
    say: Say = say_nothing,
) -> EvaluateResult:
    """Score a saved model on labelled data: on its test part where it has one, else on all of it.

    Args:
        folder: The model folder.
        source: Labelled data.
        reading: How the data is read.
        metric: The score wanted first; that of the fit where None.
        wanted: What answers are to promise, which is held to these items.
        backbone: Where the backbone of a slim model lies, if not where it was.
        seed: For the resampling of the interval.
        device: Where the network runs.
        offline: Open no connection.
        robustness: What is measured on corrupted items; nothing where None.
        engine: Where frozen passes run; in this process where None.
        progress: Told about long work.
        say: Told what was inferred, one sentence at a time.

    Returns:
        The score with its interval, the scores per class where there are any, what is wrong with texts, and the scores
        of subgroups and on corrupted items where they were asked for.
    """
    saved = artifact.load(folder, backbone=backbone, offline=offline)
    saved.model.backbone.to(pick_device(device))
    task = saved.model.task
    usual = saved.evaluation.get("test", {}).get("metric")
    metric = choose_metric(metric or (usual if usual in metrics_for(task.kind) else None), task.kind)
    reading = reading or Reading()
    spelling: Spelling = "written" if task.kind == "transcription" else "plain"  # the task spells as the model does
    try:
        dataset = replace(reading, task=reading.task or task.kind, transcripts=spelling).load(source)
    except OptionError as error:
        if reading.task is not None:
            raise
        fix = "Check that model and data belong together."
        raise OptionError(f"the model does {task.kind}: {error.problem}", where=str(source), fix=fix) from error
    check_fits(dataset, saved)
    for note in (*dataset.notes, *notes_on_left_out(dataset)):
        say(note)
    if dataset.parts and "test" in dataset.parts:
        dataset = dataset.take(i for i, part in enumerate(dataset.parts) if part == "test")
        say("Only the test part of the data is scored.")
    others = [] if robustness is None else open_others(robustness.against, dataset, offline=offline, device=device)
    task, unseen = with_unseen(task, labels_of(dataset))
    y = task.encode(labels_of(dataset))
    source_of_features = FeatureSource(engine=engine or LocalEngine(), progress=progress)
    features = source_of_features.features(saved.model.backbone, dataset, view=saved.model.view)
    outputs = saved.model.head.outputs(features)
    if unseen:
        outputs = wider(outputs, task)
    groups = None if dataset.groups is None else np.array(dataset.groups)
    fold = Fold(y, outputs, saved.data["n_train"], groups)
    found = score([fold], metric=metric, how="test", n=len(y), seed=seed)
    notes = (*((note_on_unseen(unseen),) if unseen else ()), *_overlap(dataset, saved))
    mistakes = Mistakes.of(dataset, [fold], task)
    result = EvaluateResult(
        score=found,
        classes=per_class(y, outputs, task.classes),
        notes=notes,
        entities=mistakes.entities,
        errors=mistakes.errors,
        trust=trust(
            saved.confidence,
            [fold],
            task,
            wanted=wanted,
            apart=True,
            temperature=_temperature(saved),
            features=features,
            seed=seed,
        ),
        slices=slices_of(dataset, [fold], metric=metric, seed=seed),
    )
    if robustness is None:
        return result
    measured = measure_robustness(
        saved, dataset, robustness, metric=metric, others=others, seed=seed, progress=progress, say=say
    )
    also = tuple(f"{other.folder.name}: {note}" for other in others for note in _overlap(dataset, other))
    return replace(result, robustness=measured, notes=(*notes, *also))


def _temperature(saved: Artifact) -> float:
    """What the scores of a saved model were divided by."""
    chosen = saved.evaluation.get("chosen")
    return float(chosen.get("temperature", 1.0)) if isinstance(chosen, Mapping) else 1.0


def _overlap(dataset: Dataset, saved: Artifact) -> tuple[str, ...]:
    chosen_by = set(saved.data.get("target", {}).get("labelled", ()))
    if asked := sum(item in chosen_by for item in dataset.hashes):
        return (f"By {asked} of these {len(dataset)} items the model was chosen: the score is not that of new items.",)
    trained = {h for h, part in zip(saved.data["items"], saved.data["parts"], strict=True) if part == "train"}
    trained.update(saved.data.get("lent", {}).get("items", ()))
    seen = sum(item in trained for item in dataset.hashes)
    if not seen:
        return ()
    return (f"{seen} of these {len(dataset)} items were in the model's training part: the score is too good.",)
