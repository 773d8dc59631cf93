"""Adapt: a labelled source, an unlabelled target, and a model for it, or the reason why there is no better one."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal

from headstart import artifact
from headstart.backbones import Backbone
from headstart.domain_adaptation import METHODS, Candidate, Decision, Pair, candidates, decide
from headstart.errors import OptionError
from headstart.features import FeatureSource, Progress, silent
from headstart.model import AdaptedModel
from headstart.partial import PartialFolder
from headstart.pipeline._candidates import load_all, names_for
from headstart.pipeline._domains import Compared, Domains, compare_domains, read_domains, under
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
from headstart.strategies import Run
from headstart.tasks import Task, task_from_labels

AUTO: Final = "auto"


@dataclass(frozen=True)
class AdaptOptions:
    """What `adapt` may be told besides the two domains.

    Attributes:
        source_domain: Of one data set with a column ``domain``, the labelled domain.
        target_domain: Of the same, the domain to adapt to.
        method: A name from `headstart.domain_adaptation.METHODS`, applied whatever is known of it; ``auto`` chooses,
            or refuses.
        backbones: Addresses of the candidates, or loaded ones; by default those that need no network.
        seed: Every random choice comes from it.
        offline: Open no connection.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        contents: ``slim`` leaves the backbone's weights out of the model folder.
    """

    source_domain: str | None = None
    target_domain: str | None = None
    method: str = AUTO
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
        backbone: The network, chosen by the source's held-out loss among several.
        losses: That loss of every candidate.
        decision: Which head is shipped, and why.
        candidates: All heads that were looked at.
        compared: How far apart the domains lie.
        folder: The model folder.
        seconds: From the start to the saved model.
        feature_seconds: Of these, spent in frozen passes.
        notes: What was inferred or left out.
    """

    task: str
    backbone: str
    losses: Mapping[str, float]
    decision: Decision
    candidates: Sequence[Candidate]
    compared: Compared
    folder: Path
    seconds: float
    feature_seconds: float
    notes: tuple[str, ...] = field(default=())

    def changed(self, candidate: Candidate) -> float:
        """Return the share of the target's answers that a candidate gives otherwise than the head as it is."""
        plain = self.candidates[0].predicted.argmax(axis=1)
        return float((candidate.predicted.argmax(axis=1) != plain).mean())

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON values, as ``headstart adapt --json`` prints it."""
        return {
            "task": self.task,
            "backbone": self.backbone,
            "backbones": dict(self.losses),
            "chosen": self.decision.chosen.name,
            "refused": self.decision.refused,
            "reason": self.decision.reason,
            "back": self.candidates[0].back,
            "candidates": [
                {
                    "name": each.name,
                    "modularity": each.modularity,
                    "better": each.better,
                    "changed": self.changed(each),
                }
                for each in self.candidates
            ],
            **self.compared.to_dict(),
            "seconds": self.seconds,
            "feature_seconds": self.feature_seconds,
            "model": str(self.folder),
            "notes": list(self.notes),
        }


def adapt(
    source: str | Path,
    target: str | Path | None,
    output: str | Path,
    *,
    reading: Reading | None = None,
    options: AdaptOptions | None = None,
    overwrite: Literal["never", "model"] = "never",
    progress: Progress = silent,
    say: Say = say_nothing,
    started: float | None = None,
) -> AdaptResult:
    """Make a model for a target of which no label is known.

    Args:
        source: Labelled data; or one data set with a column ``domain``, where the options name two of them.
        target: What the model will be used on, as `headstart.predict` takes it; labels there are not read.
        output: The model folder to make.
        reading: How the source is read.
        options: What to try and how.
        overwrite: ``model`` replaces an existing model folder, and nothing else.
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
    domains = read_domains(source, target, reading=reading, names=(options.source_domain, options.target_domain))
    notes = _notes(domains)
    for note in notes:
        say(note)
    work.open({"data": domains.source.fingerprint + domains.target.fingerprint, "options": comparable(named)})
    try:
        run = Run(FeatureSource(progress=progress), seed=options.seed, progress=progress, say=say)
        task = task_from_labels(domains.source.kind, labels_of(domains.source))
        loaded = load_all(names_for(domains.source.modality, named.backbones), domains.source.modality, named, say=say)
        networks = [under(domains, backbone, task, run=run) for backbone in loaded]
        best = min(networks, key=lambda each: each.loss)
        names = None if options.method == AUTO else [options.method]
        found = candidates(best.pair, names, strength=best.strength)
        compared = compare_domains(domains, best.pair, found[0].head, task)
        decision = _decision(found, best.pair, compared, task, options)
        result = AdaptResult(
            task=domains.source.task,
            backbone=best.backbone.name,
            losses={each.backbone.name: each.loss for each in networks},
            decision=decision,
            candidates=found,
            compared=compared,
            folder=Path(output),
            seconds=time.monotonic() - started,
            feature_seconds=run.features.seconds,
            notes=notes,
        )
        strategy = f"adapt(method={decision.chosen.name!r})"
        model = AdaptedModel(best.backbone, decision.chosen.head, task, best.view, strategy)
        measured = result.to_dict() | {"model": Path(output).name}
        artifact.save(model, work.model, evaluation=measured, data=_seen(domains), contents=options.contents)
        work.close()
    finally:
        work.leave()
    return replace(result, seconds=time.monotonic() - started)


def _checked(options: AdaptOptions) -> FitOptions:
    """Refuse an unknown method; the rest is checked as `fit` checks it."""
    if options.method not in (AUTO, *METHODS):
        known = ", ".join((AUTO, *METHODS))
        raise OptionError(f"unknown method {options.method!r}", where="--method", fix=f"Known: {known}.")
    named = FitOptions(
        backbones=options.backbones,
        strategy=f"adapt(method={options.method!r})",
        seed=options.seed,
        offline=options.offline,
        device=options.device,
        contents=options.contents,
        target_domain=options.target_domain,
    )
    check_options(named)
    return named


def _decision(
    found: Sequence[Candidate], pair: Pair, compared: Compared, task: Task, options: AdaptOptions
) -> Decision:
    if options.method == AUTO:
        return decide(pair, found, compared.gap, classes=task.classes)
    chosen = next(each for each in found if each.name == options.method)
    return Decision(chosen, refused=False, reason=f"{options.method} was asked for (--method).")


def _notes(domains: Domains) -> tuple[str, ...]:
    """Say what was read, and which items are in both domains."""
    source, target = domains.source, domains.target
    notes = [*source.notes, *notes_on_left_out(source), *notes_on_left_out(target)]
    notes.append(f"Target: {target.source}, {len(target):,} examples; no label of it is used.")
    both = len(set(source.hashes) & set(target.hashes))
    if both:
        notes.append(f"Items that are in both domains: {both:,}.")
    return tuple(notes)


def _seen(domains: Domains) -> dict[str, Any]:
    """Which items the model was fitted on, so that later scores can say what it has seen."""
    source, target = domains.source, domains.target
    return {
        "source": Path(source.source).name,
        "fingerprint": source.fingerprint,
        "how": "adapted",
        "n_train": len(source),
        "items": list(source.hashes),
        "places": list(source.places),
        "parts": ["train"] * len(source),
        "groups": None if source.groups is None else list(source.groups),
        "target": {"source": Path(target.source).name, "items": list(target.hashes)},
        "left_out": [asdict(item) for item in (*source.left_out, *target.left_out)],
    }
