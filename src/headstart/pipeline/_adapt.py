"""Adapt: a labelled source, an unlabelled target, and a model for it, or the reason why there is no better one."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from headstart import artifact
from headstart.backbones import Backbone
from headstart.domain_adaptation import Asked, Candidate, Decision, worth_asking
from headstart.engine import Engine, LocalEngine
from headstart.errors import OptionError
from headstart.evaluation import DEFAULT_METRICS
from headstart.features import FeatureSource, Progress, silent
from headstart.partial import PartialFolder
from headstart.pipeline._adapting import AUTO, Adapted, Labelled, adapt_domains, check_methods
from headstart.pipeline._asked import adapt_command
from headstart.pipeline._asking import read_asked, write_asked
from headstart.pipeline._candidates import load_all, names_for
from headstart.pipeline._domains import Compared, Domains, read_domains
from headstart.pipeline._maps import write_adaptation_report
from headstart.pipeline._options import (
    FitOptions,
    Reading,
    Say,
    check_options,
    comparable,
    labels_of,
    notes_on_left_out,
    say_nothing,
)
from headstart.pipeline._privacy import group_numbers, nameless, nameless_evaluation, note_on_privacy, of_patients
from headstart.strategies import Run, reading_for
from headstart.tasks import Task, task_from_labels


@dataclass(frozen=True)
class AdaptOptions:
    """What `adapt` may be told besides the two domains.

    Attributes:
        source_domain: Of one data set with a column ``domain``, the labelled domain.
        target_domain: Of the same, the domain to adapt to.
        methods: Names from `headstart.domain_adaptation.METHODS` and `headstart.strategies.DeepMethod`. One alone is
            applied whatever is known of it; ``auto`` chooses among a few on frozen features, and those that are named
            beside it, or refuses.
        ask: How many examples of the target to write into a table for labelling: those that tell the most.
        labelled: That table, with labels: the choice is checked by them.
        backbones: Addresses of the candidates, or loaded ones; by default those that need no network.
        seed: Every random choice comes from it.
        offline: Open no connection.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        contents: ``slim`` leaves the backbone's weights out of the model folder.
    """

    source_domain: str | None = None
    target_domain: str | None = None
    methods: tuple[str, ...] = (AUTO,)
    ask: int = 0
    labelled: str | Path | None = None
    backbones: tuple[str | Backbone, ...] = ()
    seed: int = 0
    offline: bool = False
    device: str = "auto"
    contents: artifact.Contents = "whole"


@dataclass(frozen=True, eq=False)
class AdaptResult:
    """What `adapt` made.

    Attributes:
        task: Modality and kind.
        adapted: The choice, the candidates, the gap.
        folder: The model folder.
        seconds: From the start to the saved model.
        feature_seconds: Of these, spent in frozen passes.
        asked: The table of examples to label, where it was asked for.
        notes: What was inferred or left out.
    """

    task: str
    adapted: Adapted
    folder: Path
    seconds: float
    feature_seconds: float
    asked: Path | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def decision(self) -> Decision:
        """Which head is shipped, and why."""
        return self.adapted.decision

    @property
    def compared(self) -> Compared:
        """How far apart the domains lie."""
        return self.adapted.compared

    @property
    def backbone(self) -> str:
        """The network, chosen by the source's held-out loss among several."""
        return self.adapted.best.backbone.name

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON values, as ``headstart adapt --json`` prints it."""
        adapted, decision = self.adapted, self.decision
        return {
            "task": self.task,
            "backbone": self.backbone,
            "backbones": dict(adapted.losses),
            "chosen": decision.chosen.name,
            "refused": decision.refused,
            "reason": decision.reason,
            "back": adapted.candidates[0].back,
            "candidates": [self._told(each) for each in adapted.candidates],
            "left_out": adapted.trained.left_out,
            **self.compared.to_dict(),
            "labelled": _told(adapted.asked),
            "ask": self.asked and str(self.asked),
            "seconds": self.seconds,
            "feature_seconds": self.feature_seconds,
            "model": str(self.folder),
            "notes": list(self.notes),
        }

    def _told(self, each: Candidate) -> dict[str, Any]:
        told = {
            "name": each.name,
            "modularity": each.modularity,
            "better": each.better,
            "changed": self.adapted.changed(each),
        }
        return told | self.adapted.trained.scores.get(each.name, {})


def _told(asked: Asked | None) -> dict[str, Any] | None:
    if asked is None:
        return None
    gain: Mapping[str, Any] = {}
    if asked.gain is not None:
        gain = {"gain": asked.gain[0], "interval": list(asked.gain[1:])}
    return {"n": asked.n, "rival": asked.rival, "better": asked.better, "worse": asked.worse, **gain}


def adapt(
    source: str | Path,
    target: str | Path | None,
    output: str | Path,
    *,
    reading: Reading | None = None,
    options: AdaptOptions | None = None,
    overwrite: Literal["never", "model"] = "never",
    engine: Engine | None = None,
    progress: Progress = silent,
    say: Say = say_nothing,
    started: float | None = None,
) -> AdaptResult:
    """Make a model for a target of which no label is known, or but a few.

    Args:
        source: Labelled data; or one data set with a column ``domain``, where the options name two of them.
        target: What the model will be used on, as `headstart.predict` takes it; labels there are not read.
        output: The model folder to make; work goes on in ``<output>.partial`` until it is whole.
        reading: How the source is read.
        options: What to try and how.
        overwrite: ``model`` replaces an existing model folder, and nothing else.
        engine: Where frozen passes run; in this process where None.
        progress: Told about long work.
        say: Told what was inferred and decided, one sentence at a time.
        started: `time.monotonic` at the start of the process.

    Returns:
        The model, why it is that one, and every number about it.
    """
    started = time.monotonic() if started is None else started
    reading, options = reading or Reading(), options or AdaptOptions()
    named = _checked(options)
    work = PartialFolder(Path(output), overwrite=overwrite)
    table = _free(Path(output), options)
    domains = read_domains(source, target, reading=reading, names=(options.source_domain, options.target_domain))
    task = task_from_labels(domains.source.kind, labels_of(domains.source))
    labelled = _labelled(domains, task, options)
    notes = _notes(domains, labelled)
    for note in notes:
        say(note)
    work.open({"data": domains.source.fingerprint + domains.target.fingerprint, "options": comparable(named)})
    try:
        run = Run(
            FeatureSource(engine=engine or LocalEngine(), progress=progress),
            seed=options.seed,
            progress=progress,
            metric=DEFAULT_METRICS[task.kind],
            say=say,
            folder=work.folder,
            decide=work.decide,
        )
        loaded = load_all(names_for(domains.source.modality, named.backbones), domains.source.modality, named, say=say)
        networks = reading_for(loaded, domains.source, task, run=run)
        adapted = adapt_domains(domains, networks, task, methods=options.methods, labelled=labelled, run=run)
        result = AdaptResult(
            task=domains.source.task,
            adapted=adapted,
            folder=Path(output),
            seconds=time.monotonic() - started,
            feature_seconds=run.features.seconds,
            asked=table,
            notes=notes,
        )
        private = next((each for each in (domains.source, domains.target) if of_patients(each)), None)
        measured = result.to_dict() | {"model": Path(output).name, "ask": table and table.name}
        seen = _seen(domains, labelled)
        if private is not None:
            measured, seen = nameless_evaluation(measured, group_numbers(seen)), nameless(seen)
            say(note_on_privacy(private))
        artifact.save(adapted.model, work.model, evaluation=measured, data=seen, contents=options.contents)
        write_adaptation_report(
            adapted,
            domains,
            task,
            work.model,
            commands=_commands(source, target, Path(output), reading, options),
            notes=notes,
            private=private is not None,
            run=run,
            say=say,
        )
        if table is not None:
            known = None if labelled is None else labelled.rows
            rows = worth_asking(adapted.candidates, options.ask, seed=options.seed, known=known)
            write_asked(table, domains.target, rows, then=work.close)
        else:
            work.close()
    finally:
        work.leave()
    return replace(result, seconds=time.monotonic() - started)


def _commands(
    source: str | Path, target: str | Path | None, output: Path, reading: Reading, options: AdaptOptions
) -> tuple[str, str]:
    """Return the command that asks for this again, with the names of files and without."""
    asked = str(source), None if target is None else str(target), output, reading, options
    return adapt_command(*asked, named=True), adapt_command(*asked, named=False)


def _checked(options: AdaptOptions) -> FitOptions:
    """Refuse an unknown method; the rest is checked as `fit` checks it."""
    check_methods(options.methods)
    if options.labelled is not None and options.methods == ("none",):
        raise OptionError(
            "labels compare the head as it is with another, found --method none alone",
            where="--labelled",
            fix="Name another method, or none.",
        )
    if options.ask < 0:
        raise OptionError(f"expected a number from 0, found {options.ask}", where="--ask")
    named = FitOptions(
        backbones=options.backbones,
        strategy=f"adapt(methods={options.methods!r}, ask={options.ask}, labelled={str(options.labelled)!r})",
        seed=options.seed,
        offline=options.offline,
        device=options.device,
        contents=options.contents,
        target_domain=options.target_domain,
    )
    check_options(named)
    return named


def _free(output: Path, options: AdaptOptions) -> Path | None:
    """Return where the examples to label go, before anything is computed for a place that is taken."""
    if not options.ask:
        return None
    table = output.with_name(f"{output.name}.ask.csv")
    if table.exists():
        problem = "the file of examples to label is there already, and may hold labels"
        raise OptionError(problem, where=str(table), fix=f"Give it back with --labelled {table}, or move it.")
    return table


def _labelled(domains: Domains, task: Task, options: AdaptOptions) -> Labelled | None:
    """Read the labels of the target that were given, if any."""
    if options.labelled is None and not options.ask:
        return None
    if task.kind != "classification":
        where = "--ask" if options.labelled is None else "--labelled"
        fix = "Label some texts, and run headstart fit --source."
        raise OptionError(f"labels of single examples need classes, found {task.kind}", where=where, fix=fix)
    if options.labelled is None:
        return None
    return read_asked(Path(options.labelled), domains.target, task)


def _notes(domains: Domains, labelled: Labelled | None) -> tuple[str, ...]:
    """Say what was read, and which items are in both domains."""
    source, target = domains.source, domains.target
    notes = [*source.notes, *notes_on_left_out(source), *notes_on_left_out(target)]
    used = "no label of it is used" if labelled is None else f"of it {len(labelled.rows)} labels check the choice"
    notes.append(f"Target: {target.source}, {len(target):,} examples; {used}.")
    both = len(set(source.hashes) & set(target.hashes))
    if both:
        notes.append(f"Items that are in both domains: {both:,}.")
    return tuple(notes)


def _seen(domains: Domains, labelled: Labelled | None) -> dict[str, Any]:
    """Which items the model was fitted on, so that later scores can say what it has seen."""
    source, target = domains.source, domains.target
    chosen_by = [] if labelled is None else [target.hashes[row] for row in labelled.rows]
    return {
        "source": Path(source.source).name,
        "fingerprint": source.fingerprint,
        "how": "adapted",
        "n_train": len(source),
        "items": list(source.hashes),
        "places": list(source.places),
        "parts": ["train"] * len(source),
        "groups": None if source.groups is None else list(source.groups),
        "target": {"source": Path(target.source).name, "items": list(target.hashes), "labelled": chosen_by},
        "left_out": [asdict(item) for item in (*source.left_out, *target.left_out)],
    }
