"""Continuing a model with more labels: its backbone, strategy and test part stay, and both are scored on that part.

What the old model was tested on stays the test part, by content, and never trains; every other item trains. So the old
and the new score are of the same items, their difference is paired, and a test part that was looked at once is not
looked at by training later. Training starts from the pretrained weights again: what the old model saw and what is new
count alike.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart import artifact, backbones
from headstart.artifact import Artifact
from headstart.backbones import Backbone
from headstart.data import Dataset, LeftOut, Part, Plan, plan_split
from headstart.errors import BackboneError, BudgetError, DataError, OptionError
from headstart.evaluation import Fold, Interval, compare
from headstart.pipeline._options import FitOptions, Reading, check_fits, labels_of
from headstart.pipeline._values import plain
from headstart.search import Outcome
from headstart.strategies import Run
from headstart.tasks import Heard, Tagging, Task, Transcription, is_ragged, ragged, task_from_labels

AFRESH = "Leave out --continue-from to fit afresh."


@dataclass(frozen=True)
class Continued:
    """The old model's score beside the new one.

    Attributes:
        model: Name of the old model's folder.
        value: Its score: on the same test part, or the recorded one where it was cross-validated; None where it has
            none in this metric, or was not scored for lack of time.
        interval: The interval of that.
        difference: New minus old on the same items; None where the old one was cross-validated or not scored.
        difference_interval: The paired interval of that.
        n: How many items both were scored on.
    """

    model: str
    value: float | None
    interval: Interval | None
    difference: float | None = None
    difference_interval: Interval | None = None
    n: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        values: dict[str, Any] = plain(asdict(self))
        return values


@dataclass(frozen=True)
class Before:
    """The model that is continued.

    Attributes:
        saved: The model folder.
        start: The pretrained network it stands on.
    """

    saved: Artifact
    start: Backbone

    @property
    def tested(self) -> frozenset[str]:
        """Hashes of the items it was tested on; none where it was cross-validated."""
        rows = zip(self.saved.data["items"], self.saved.data["parts"], strict=True)
        return frozenset(item for item, part in rows if part == "test")

    @property
    def name(self) -> str:
        """How messages call it."""
        return str(self.saved.folder)

    def settle(self, reading: Reading, options: FitOptions) -> tuple[Reading, FitOptions]:
        """Fill in what was not said with what the old model did."""
        model = self.saved.model
        spelling = model.task.spelling if isinstance(model.task, Transcription) else reading.transcripts
        return replace(reading, task=reading.task or model.task.kind, transcripts=spelling), replace(
            options,
            backbones=(self.start,),
            strategy=options.strategy or model.strategy,
            metric=options.metric or self.saved.evaluation["test"]["metric"],
        )

    def split(self, dataset: Dataset, options: FitOptions) -> tuple[Dataset, Plan]:
        """Split new data as the old model's was split.

        Args:
            dataset: The labelled examples, old and new.
            options: Whether groups may straddle, and the seed.

        Returns:
            The examples that are used, and which of them train.

        Raises:
            DataError: The data does not fit the model, or holds nothing of its test part.
            OptionError: Another task is asked for, or groups are missing.
        """
        check_fits(dataset, self.saved, fix=AFRESH)
        _check_classes(dataset, self)
        if lent := self.saved.data.get("lent"):
            known = f"{self.name} was trained on {len(lent['items']):,} examples of {lent['source']} too"
            dataset = replace(dataset, notes=(*dataset.notes, f"{known}, and this is not."))
        if not self.tested:
            plan = plan_split(
                dataset, seed=options.seed, allow_straddling=options.allow_straddling, without_test="folds"
            )
            this = "so is this" if plan.test is None else "this is scored on the test part of the new data"
            note = f"{self.name} was cross-validated, and {this}."
            return replace(dataset, notes=(*dataset.notes, note)), plan
        dataset = _with_test_part(dataset, self, straddling=options.allow_straddling)
        plan = plan_split(dataset, seed=options.seed, allow_straddling=options.allow_straddling)
        return dataset, replace(plan, how=self.saved.data["how"])

    def predict(self, dataset: Dataset, plan: Plan, *, run: Run) -> NDArray[np.float64] | None:
        """Predict the test part with the old model: first, so that what follows is held to the time that is left.

        Args:
            dataset: The examples.
            plan: Which of them are the test part.
            run: The store and the deadline of its passes.

        Returns:
            (n, K) outputs; None where the model was cross-validated, or, said, where time is too short.
        """
        if not self.tested:
            return None
        assert plan.test is not None
        tested, found = dataset.take(plan.test), list[NDArray[np.float64]]()

        def choose() -> str:
            try:
                found.append(self._outputs(tested, run))
            except BudgetError as error:
                return error.problem
            return ""

        why_not: str = run.decide(f"left out: {self.saved.folder.name}, which is continued", choose)
        if why_not:
            run.say(f"{self.name} is not scored on the test part for lack of time: {why_not}.")
            return None
        return found[0] if found else self._outputs(tested, run)

    def _outputs(self, dataset: Dataset, run: Run) -> NDArray[np.float64]:
        model, device = self.saved.model, str(self.start.device)
        try:
            features = run.features.features(model.backbone.to(device), dataset, view=model.view)
        finally:
            if model.backbone is not self.start:  # the device's memory is for the new one
                model.backbone.to("cpu")
        return model.head.outputs(features)

    def compare(self, outcome: Outcome, outputs: NDArray[np.float64] | None, *, run: Run) -> Continued:
        """Score the old model on the items the new one was scored on.

        Args:
            outcome: The new model and its predictions.
            outputs: What the old model predicted for the test part, from `predict`.
            run: The metric, and whom to tell where it is not defined.

        Returns:
            Both, and the paired difference.
        """
        name, has = self.saved.folder.name, self.saved.model.task.classes
        if not self.tested:
            return self._recorded(name, run.metric)
        if outputs is None:
            return Continued(name, None, None)
        (ours,) = outcome.predictions
        assert ours.items is not None
        outputs = _in_columns(outputs, has, outcome.model.task.classes)
        theirs = Fold(ours.y, outputs, self.saved.data["n_train"], ours.groups, ours.items)
        try:
            found = compare([ours], [theirs], metric=run.metric, seed=run.seed, seconds=0.0)
        except DataError as error:
            run.say(f"No comparison with {self.name}: {error.problem}.")
            return Continued(name, None, None)
        return Continued(
            name, found.value, found.interval, found.difference, found.difference_interval, len(ours.items)
        )

    def _recorded(self, name: str, metric: str) -> Continued:
        test = self.saved.evaluation["test"]
        if test["metric"] != metric:
            return Continued(name, test["metrics"].get(metric), None)
        low, high = test["interval"]
        return Continued(name, test["value"], Interval(low, high, test.get("interval_method", "as recorded")))


def open_before(options: FitOptions) -> Before:
    """Load the model to continue and find the pretrained network under it.

    Args:
        options: The model folder, and where its network lies if not where it was.

    Returns:
        The model.

    Raises:
        OptionError: Options do not go with it, or the network is not found.
    """
    assert options.continue_from is not None
    if len(options.backbones) > 1:
        raise OptionError(
            f"expected the backbone of {options.continue_from} alone, found {len(options.backbones)} backbones",
            where="--backbone",
            fix="Leave it out; it only says where that backbone lies now.",
        )
    if options.resplit:
        raise OptionError("the test part stays as it is with --continue-from", where="--resplit", fix="Leave it out.")
    given = _loaded(options.backbones[0], options) if options.backbones else None
    saved = artifact.load(options.continue_from, backbone=given, offline=options.offline)
    if "test" not in saved.evaluation:
        raise OptionError(
            "the model was adapted to a target without labels, so there is no score to hold a new one against",
            where="--continue-from",
            fix="Fit the labelled examples: headstart fit DATA -o MODEL, with --source for those of the other domain.",
        )
    return Before(saved, given or _start(saved, options))


def _loaded(name: str | Backbone, options: FitOptions) -> Backbone:
    return backbones.load(name, offline=options.offline) if isinstance(name, str) else name


def _start(saved: Artifact, options: FitOptions) -> Backbone:
    """Return the model's own network where it never moved, else the one it started from."""
    base = saved.model.base
    if base is None:
        return saved.model.backbone
    fix = "Say where it lies: --backbone NAME."
    try:
        start = _loaded(base.name, options)
    except BackboneError as error:
        problem = f"the network it started from, {base.name}, cannot be loaded: {error.problem}"
        raise OptionError(problem, where=str(saved.folder), fix=fix) from error
    if start.weights_hash != base.weights_hash:
        problem = f"expected {base.name} with weights {base.weights_hash[:12]}, found {start.weights_hash[:12]}"
        raise OptionError(problem, where=str(saved.folder), fix=fix)
    return start


def _check_classes(dataset: Dataset, before: Before) -> None:
    """Refuse data without examples of a class that the old model knows; a rare character may be missing."""
    if dataset.kind == "transcription":
        return
    here = _names(task_from_labels(dataset.kind, labels_of(dataset)))
    missing = sorted(set(_names(before.saved.model.task)) - set(here))
    if missing:
        raise DataError(
            f"expected examples of every class of {before.name}, found none of {', '.join(map(repr, missing[:5]))}",
            where=dataset.source,
            fix=f"Add the data that model was made of. {AFRESH}",
        )


def _with_test_part(dataset: Dataset, before: Before, *, straddling: bool) -> Dataset:
    """Mark the old test part as such and all else as training, and say what that changes."""
    stays = np.array([item in before.tested for item in dataset.hashes])
    if not stays.any():
        raise DataError(
            f"expected the {len(before.tested)} test items of {before.name}, found none of them",
            where=dataset.source,
            fix=f"Add them to the data. {AFRESH}",
        )
    notes = [*_notes(dataset, before, stays), *_new_classes(dataset, before)]
    shut_out = np.zeros(len(stays), dtype=bool) if straddling else _shut_out(dataset, before, stays)
    left_out = [_left_out(dataset, int(i), before) for i in np.flatnonzero(shut_out)]
    if left_out:
        notes.append(
            f"{len(left_out)} items are left out, because their groups are in the test part of {before.name} "
            f"(first: {left_out[0].place}; --allow-straddling trains on them)."
        )
    parts: tuple[Part, ...] = tuple("test" if is_test else "train" for is_test in stays)
    marked = replace(
        dataset,
        parts=parts,
        folds=None,
        notes=(*dataset.notes, *notes),
        left_out=(*dataset.left_out, *left_out),
    )
    vars(marked)["hashes"] = dataset.hashes  # files need not be read again
    return marked.take(np.flatnonzero(~shut_out))


def _notes(dataset: Dataset, before: Before, stays: NDArray[np.bool_]) -> list[str]:
    """Compare the split that came with the data with the old one."""
    given = np.array(dataset.parts or [""] * len(dataset))
    if (strays := np.flatnonzero((given == "test") & ~stays)).size:
        raise DataError(
            f"expected only test items of {before.name} in the test part, found {strays.size} others",
            where=dataset.places[strays[0]],
            fix=f"Give them no part, or the part train. {AFRESH}",
        )
    n = len({dataset.hashes[i] for i in np.flatnonzero(stays)})
    notes = [f"Continues {before.name}: its {n} test items stay the test part, all others train."]
    if gone := len(before.tested) - n:
        notes.append(f"{gone} test items of {before.name} are not in this data; both are scored on the others.")
    if moved := int(((given == "train") | (given == "val"))[stays].sum()):
        notes.append(f"{moved} items given as train or val stay in the test part.")
    return notes


def _new_classes(dataset: Dataset, before: Before) -> list[str]:
    known = set(_names(before.saved.model.task))
    new = sorted(set(_names(task_from_labels(dataset.kind, labels_of(dataset)))) - known)
    what = "New characters" if dataset.kind == "transcription" else "New, and not in the test part"
    return [f"{what}: {', '.join(map(repr, new))}."] if new else []


def _shut_out(dataset: Dataset, before: Before, stays: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Find the items that share a group with the test part."""
    data = before.saved.data
    if dataset.groups is None:
        if data["groups"] is not None:
            raise OptionError(
                f"{before.name} was fitted with groups and this data has none",
                where="--group",
                fix="Name their column.",
            )
        return np.zeros(len(stays), dtype=bool)
    old = {group for group, part in zip(data["groups"] or (), data["parts"], strict=False) if part == "test"}
    tested = old | {dataset.groups[i] for i in np.flatnonzero(stays)}
    return np.array([group in tested for group in dataset.groups]) & ~stays


def _left_out(dataset: Dataset, i: int, before: Before) -> LeftOut:
    group = (dataset.groups or ())[i]
    return LeftOut(dataset.places[i], f"group {group!r} is in the test part of {Path(before.name).name}")


def _names(task: Task) -> tuple[str, ...]:
    """Return what data calls the classes: types of entity, of which the output columns are the tags."""
    return task.types if isinstance(task, Tagging) else task.classes


def _in_columns(outputs: NDArray[np.float64], has: Sequence[str], wanted: Sequence[str]) -> NDArray[np.float64]:
    """Put probabilities under the new classes; a class the old model does not know has none."""
    if not has or any(isinstance(each, Heard) for each in outputs[:1]):  # texts are compared, of any characters
        return outputs
    if is_ragged(outputs):
        return ragged(_in_columns(each, has, wanted) for each in outputs)
    columns = np.zeros((len(outputs), len(wanted)))
    columns[:, [wanted.index(name) for name in has]] = outputs
    return columns
