"""Fit: choose, adapt, measure and save a model for one data set."""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from headstart import artifact, strategies
from headstart.backbones import Backbone
from headstart.confidence import Confidence
from headstart.data import Dataset, LeftOut, Plan, plan_split
from headstart.engine import Engine, LocalEngine
from headstart.errors import BudgetError
from headstart.evaluation import Slices
from headstart.features import FeatureSource, Progress, silent
from headstart.partial import PartialFolder
from headstart.pipeline._candidates import names_for, proposal
from headstart.pipeline._confidence import confidence_of
from headstart.pipeline._continue import Before, Continued, open_before
from headstart.pipeline._corrections import note_on_scored_corrections
from headstart.pipeline._entities import EntityErrors, note_on_unseen, unquoted, with_unseen, without_quotes
from headstart.pipeline._fit_report import Fitted, Request, write_fit_report
from headstart.pipeline._mistakes import Mistakes
from headstart.pipeline._options import (
    DEFAULT_BUDGET,
    LADDER,
    FitOptions,
    Reading,
    Say,
    check_metric_defined,
    check_options,
    choose_metric,
    comparable,
    note_on_metric,
    notes_on_left_out,
    say_nothing,
    say_once,
    warnings_on,
)
from headstart.pipeline._privacy import (
    group_numbers,
    keeps_examples_out,
    nameless,
    nameless_evaluation,
    note_on_privacy,
)
from headstart.pipeline._rates import training_rates
from headstart.pipeline._shortlist import Row, reached, ready, shortlist
from headstart.pipeline._slices import slices_of, slices_to_dict
from headstart.pipeline._source import (
    check_source_options,
    read_source,
    said_of,
    source_to_dict,
    trained_too,
    with_source,
)
from headstart.pipeline._transcripts import SpeechErrors
from headstart.pipeline._trust import Trust, trust
from headstart.pipeline._values import plain, score_to_dict
from headstart.search import Outcome, Watch, climb, watch_nothing
from headstart.strategies import Run, Strategy
from headstart.tasks import Kind, Task, task_from_labels


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
        continued: The model this one continues, beside it; None where it continues none.
        ranking: The candidates as `headstart rank` has them, where they were more than three.
        entities: What is right and wrong with them, where the task is tagging.
        errors: What is right and wrong with what was heard, where it is transcription.
        trust: How far the answers can be trusted, where it is classification.
        slices: The scores of subgroups, where columns were named.
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
    continued: Continued | None = None
    ranking: Sequence[Row] = ()
    entities: EntityErrors | None = None
    errors: SpeechErrors | None = None
    trust: Trust | None = None
    slices: tuple[Slices, ...] = ()

    def to_dict(self, *, texts: bool = True) -> dict[str, Any]:
        """Return the result as JSON values, as ``headstart fit --json`` prints it.

        Args:
            texts: Whether words of the scored texts may be in it; where the model is shipped they may not.

        Returns:
            What was made and measured.
        """
        outcome = self.outcome
        kind = outcome.model.task.kind
        return {
            "task": self.task,
            "backbone": outcome.model.backbone.name,
            "strategy": outcome.model.strategy,
            "chosen": dict(outcome.chosen),
            "test": score_to_dict(outcome.score) | {"straddling_groups": self.straddling},
            "transfer_helped": outcome.transfer_helped,
            "rungs": [plain(asdict(rung)) for rung in outcome.rungs],
            "candidates": plain(reached(outcome, self.ranking)),
            "baselines": {name: plain(asdict(other)) for name, other in outcome.baselines.items()},
            "classes": {name: dict(facts) for name, facts in outcome.classes.items()},
            "adaptation_seconds": self.adaptation_seconds,
            "feature_seconds": self.feature_seconds,
            "seconds": self.seconds,
            "model": str(self.folder),
            "left_out": [asdict(item) for item in (self.left_out if texts else without_quotes(self.left_out, kind))],
            "seconds_over_budget": self.late,
            "notes": [note if texts else unquoted(note, kind) for note in self.notes],
            **({} if outcome.source is None else {"source": source_to_dict(outcome.source)}),
            **({} if self.continued is None else {"continued": self.continued.to_dict()}),
            **({} if self.entities is None else {"entities": self.entities.to_dict(texts=texts)}),
            **({} if self.errors is None else {"errors": self.errors.to_dict(texts=texts)}),
            **({} if self.trust is None else {"trust": self.trust.to_dict()}),
            **slices_to_dict(self.slices),
        }


def fit(
    source: str | Path,
    output: str | Path,
    *,
    reading: Reading | None = None,
    options: FitOptions | None = None,
    overwrite: Literal["never", "model"] = "never",
    engine: Engine | None = None,
    progress: Progress = silent,
    say: Say = say_nothing,
    watch: Watch = watch_nothing,
    started: float | None = None,
) -> FitResult:
    """Choose, adapt, measure and save a model for one data set.

    Args:
        source: The labelled data.
        output: The model folder to make; work goes on in ``<output>.partial`` until it is whole.
        reading: How the data is read.
        options: What to try and how.
        overwrite: ``model`` replaces an existing model folder, and nothing else.
        engine: Where frozen passes run; in this process where None.
        progress: Told about long work.
        say: Told what was inferred and decided, one sentence at a time.
        watch: Told about every rung as it ends.
        started: `time.monotonic` at the start of the process, from which the budget counts.

    Returns:
        The model and every number about it.
    """
    started = time.monotonic() if started is None else started
    reading, options = reading or Reading(), options or FitOptions()
    check_options(options)
    check_source_options(options)
    request = Request(str(source), Path(output), reading, options)
    work = PartialFolder(request.output, overwrite=overwrite)
    before = None if options.continue_from is None else open_before(options)
    if before is not None:
        reading, options = before.settle(reading, options)
    strategy = _strategy(options)
    dataset, lent = read_source(reading.load(source), reading, options)
    said = (*dataset.notes, *notes_on_left_out(dataset))
    metric = choose_metric(options.metric, dataset.kind, labels=dataset.labels or ())
    said += note_on_metric(options.metric, metric)
    options = replace(options, metric=metric, strategy=options.strategy or LADDER)
    dataset, plan, pooled, both = _split(dataset, lent, before, options)
    plan = replace(plan, notes=(*plan.notes, *note_on_scored_corrections(dataset, plan)))
    for note in dict.fromkeys((*said, *dataset.notes, *plan.notes, *warnings_on(dataset), *said_of(lent))):
        say(note)
    check_metric_defined(pooled, both, metric)
    tell, decided = say_once(say)
    _say_larger(dataset, options, say)
    names = ready(names_for(dataset.modality, options.backbones), dataset.modality, options, say=tell)
    also = {} if lent is None else {"source": lent.fingerprint}
    work.open({"data": dataset.fingerprint, "options": comparable(options) | also})
    try:
        run = _run(
            options,
            work,
            progress,
            engine=engine or LocalEngine(),
            say=tell,
            announce=say,
            metric=metric,
            started=started,
            items=len(pooled),
        )
        task = _task(pooled, both, tell)
        _say_budget(options, run, say)
        candidates, ranking = shortlist(names, dataset, plan, task, options=options, run=run)
        _say_notes(candidates, dataset.kind, say)
        known = None if before is None else before.predict(dataset, plan, run=run)
        outcome = climb(
            pooled,
            both,
            task,
            backbones=candidates,
            strategy=strategy,
            run=run,
            effort="usual" if options.budget is None else "more",
            proof=options.proof,
            watch=watch,
        )
        continued = None if before is None else before.compare(outcome, known, run=run)
        result = _result(outcome, dataset, plan, run, Path(output), started)
        mistakes = Mistakes.of(dataset, outcome.predictions, task)
        kept = confidence_of(outcome, pooled, task, seed=run.seed)
        result = replace(
            result,
            continued=continued,
            ranking=ranking,
            notes=(*result.notes, *decided),
            entities=mistakes.entities,
            errors=mistakes.errors,
            trust=_trust(outcome, kept, both, seed=run.seed),
            slices=slices_of(dataset, outcome.predictions, metric=metric, seed=options.seed),
        )
        seen = _seen(dataset, plan, lent, trained_too(pooled, both, outcome))
        private = keeps_examples_out(dataset, options.examples)
        _save(result, work, seen=seen, contents=options.contents, confidence=kept, private=private)
        if private:
            say(note_on_privacy(dataset))
        else:
            mistakes.write_page(work.model, source=dataset.source, score=outcome.score, say=say)
        fitted = Fitted(outcome, dataset, pooled, plan, mistakes, result.notes)
        write_fit_report(work.model, fitted, request, metric=metric, private=private, say=say)
        work.close()
    finally:
        work.leave()
    return _timed(result, run, started)


def _say_larger(dataset: Dataset, options: FitOptions, say: Say) -> None:
    """Name the larger networks of the catalogue to whoever named none and may open a connection."""
    larger = None if options.backbones or options.offline else proposal(dataset.modality)
    if larger:
        say(larger)


def _task(dataset: Dataset, plan: Plan, say: Say) -> Task:
    """Read from the training part what the labels mean; types of entity that it lacks are scored all the same."""
    task = task_from_labels(dataset.kind, dataset.take(plan.train).labels or ())
    task, unseen = with_unseen(task, dataset.labels or ())
    if unseen:
        say(note_on_unseen(unseen))
    return task


def _strategy(options: FitOptions) -> Strategy | None:
    """Return the strategy asked for; None is the ladder."""
    return None if options.strategy in (None, LADDER) else strategies.parse(str(options.strategy))


def _split(
    dataset: Dataset, lent: Dataset | None, before: Before | None, options: FitOptions
) -> tuple[Dataset, Plan, Dataset, Plan]:
    """Decide what trains and what is scored, and leave out what may do neither; then the same with what is lent."""
    if before is not None:
        dataset, plan = before.split(dataset, options)
        return dataset, plan, dataset, plan

    def split(target: Dataset, *, taught: Collection[str] = ()) -> Plan:
        return plan_split(
            target,
            seed=options.seed,
            resplit=options.resplit,
            allow_straddling=options.allow_straddling,
            chooses=True,
            taught=taught,
        )

    if lent is None:
        plan = split(dataset)
        return dataset, plan, dataset, plan
    return dataset, *with_source(dataset, lent, split, shared_groups=options.target_domain is not None)


def _save(
    result: FitResult,
    work: PartialFolder,
    *,
    seen: Mapping[str, Any],
    contents: artifact.Contents,
    confidence: Confidence,
    private: bool,
) -> None:
    """Write the model; the place it was made at, and the texts, are nobody's business where it is shipped."""
    measured = result.to_dict(texts=False) | {"model": result.folder.name}
    if private:
        measured, seen = nameless_evaluation(measured, group_numbers(seen)), nameless(seen)
    artifact.save(
        result.outcome.model, work.model, evaluation=measured, data=seen, contents=contents, confidence=confidence
    )


def _trust(outcome: Outcome, kept: Confidence, plan: Plan, *, seed: int) -> Trust | None:
    """Hold what is kept to the part that was kept apart, if any."""
    return trust(
        kept,
        outcome.predictions,
        outcome.model.task,
        apart=plan.test is not None,
        temperature=float(outcome.chosen.get("temperature", 1.0)),
        features=None if outcome.answers is None else outcome.answers.scored,
        seed=seed,
    )


def _timed(result: FitResult, run: Run, started: float) -> FitResult:
    """Bring the times up to the saved model."""
    now = time.monotonic()
    return replace(result, seconds=now - started, late=max(0.0, now - (run.deadline or now)))


def _say_budget(options: FitOptions, run: Run, say: Say) -> None:
    """Say what time is allowed; refuse where it is up already."""
    if options.budget is None:
        say(f"Time allowed: {DEFAULT_BUDGET / 60:.0f} min (--budget sets another).")
    elif run.deadline is not None and time.monotonic() > run.deadline:
        spent = time.monotonic() - run.deadline + options.budget
        raise BudgetError(
            f"starting and reading took {spent:.0f} s and the budget is {options.budget:g} s",
            where="--budget",
            fix=f"Give {spent + 60:.0f}s or more.",
        )


def _say_notes(candidates: Sequence[Backbone], kind: Kind, say: Say) -> None:
    """Say what a user should know of the candidates; of speech not what stands for a whole recording."""
    for backbone in candidates:
        notes = [note for note in backbone.notes if kind != "transcription" or not note.startswith("a recording's")]
        if notes:
            say(f"{backbone.name}: {'; '.join(notes)}.")


def _result(outcome: Outcome, dataset: Dataset, plan: Plan, run: Run, output: Path, started: float) -> FitResult:
    seconds = time.monotonic() - started
    late = [] if run.deadline is None else [time.monotonic() - run.deadline]
    return FitResult(
        outcome=outcome,
        task=dataset.task,
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


def _run(
    options: FitOptions,
    work: PartialFolder,
    progress: Progress,
    *,
    engine: Engine,
    say: Say,
    announce: Say,
    metric: str,
    started: float,
    items: int,
) -> Run:
    deadline = started + (options.budget or DEFAULT_BUDGET)
    late = deadline if options.budget else None
    features = FeatureSource(engine=engine, progress=progress, deadline=late, items=items)
    return Run(
        features,
        seed=options.seed,
        deadline=deadline,
        progress=progress,
        metric=metric,
        decide=work.decide,
        say=say,
        announce=announce,
        folder=work.folder,
        checkpoint_seconds=options.checkpoint_seconds,
    )


def _seen(dataset: Dataset, plan: Plan, lent: Dataset | None, lent_items: Sequence[str]) -> dict[str, Any]:
    """Which items the model was fitted on and measured on, so that later scores can say what it has seen."""
    part = {int(i): "test" for i in (() if plan.test is None else plan.test)}
    part |= {int(i): "train" for i in plan.train}
    return {
        "source": Path(dataset.source).name,  # the rest of the path is nobody's business where the model is shipped
        **({"lent": {"source": lent.source, "items": list(lent_items)}} if lent and lent_items else {}),
        "fingerprint": dataset.fingerprint,
        "how": plan.how,
        "n_train": len(plan.train),
        "items": list(dataset.hashes),
        "places": list(dataset.places),
        "parts": [part.get(i, "unused") for i in range(len(dataset))],
        "groups": None if dataset.groups is None else list(dataset.groups),
        **training_rates(dataset, plan.train),
        "left_out": [asdict(item) for item in without_quotes(dataset.left_out, dataset.kind)],
    }
