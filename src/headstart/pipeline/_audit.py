"""Audit: what the files alone do not tell `check`, from features, predictions and properties of the items."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from headstart import audit as look
from headstart.backbones import Backbone
from headstart.data import (
    Dataset,
    Finding,
    Inspection,
    Severity,
    given_sides,
    inspect_and_keep,
    make_folds,
    united_groups,
)
from headstart.engine import Engine, LocalEngine
from headstart.errors import OptionError
from headstart.features import FeatureSource, Progress, frozen_pass, silent
from headstart.linear import cross_validate
from headstart.pipeline._candidates import load_named
from headstart.pipeline._corrections import Suspect
from headstart.pipeline._options import Reading
from headstart.pipeline._values import plain
from headstart.tasks import task_from_labels

Integers = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.floating[Any]]

FEWEST: Final = 20  # items; fewer have no usual distance
_SAMPLE: Final = {"image": 64, "text": 128, "audio": 24}  # items that altered copies are made of
_REPEATS: Final = 3  # of the folds under the probabilities that judge labels
_FOLDS: Final = 5
_FEWEST_OF_CLASS: Final = 5
_ORDER: Final = ("error", "warning", "info")


@dataclass(frozen=True, eq=False)
class AuditResult:
    """What `audit` found.

    Attributes:
        inspection: What `headstart.inspect` found, with the findings of the audit among its own.
        dataset: The items; None where the source could not be read.
        backbone: The network whose features were looked at.
        duplicates: Pairs that are nearly copies.
        leaks: How well properties alone tell the classes.
        flattery: Scores under random and grouped splits; None without groups.
        suspects: Items to look at, the most suspicious of each kind first.
        seconds: How long it took.
        unseen: What was not looked at, and why.
    """

    inspection: Inspection
    dataset: Dataset | None = None
    backbone: str = ""
    duplicates: look.NearDuplicates | None = None
    leaks: tuple[look.Leak, ...] = ()
    flattery: look.Flattery | None = None
    suspects: tuple[Suspect, ...] = ()
    seconds: float = 0.0
    unseen: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document of ``headstart check --deep --json``: that of ``check``, and details in ``deep``."""
        return self.inspection.to_dict() | {
            "deep": {
                "backbone": self.backbone,
                "near_duplicates": self._pairs(),
                "metadata": [self._leak(each) for each in self.leaks],
                "groups": self._flattery(),
                "suspects": [self._suspect(each) for each in self.suspects],
                "not_looked_at": list(self.unseen),
                "seconds": self.seconds,
            }
        }

    def _pairs(self) -> dict[str, Any] | None:
        found, dataset = self.duplicates, self.dataset
        if found is None or dataset is None:
            return None
        columns = zip(found.pairs.tolist(), found.distances.tolist(), found.feature_distances.tolist(), strict=True)
        pairs = [
            {"items": [dataset.places[i], dataset.places[j]], "distance": looks, "feature_distance": felt}
            for (i, j), looks, felt in columns
        ]
        return {
            "pairs": pairs,
            "limit": found.limit,
            "known_copies_found": plain(found.found),
            "only_sure": found.overlap,
        }

    def _leak(self, each: look.Leak) -> dict[str, Any]:
        return asdict(each) | {
            "label": self._classes()[each.label],
            "share": each.share,
            "beyond_chance": each.beyond_chance,
            "alarm": each.alarm,
        }

    def _flattery(self) -> dict[str, Any] | None:
        found = self.flattery
        if found is None:
            return None
        names = ("random", "grouped", "difference", "n_groups")
        told = {name: getattr(found, name) for name in names}
        return told | {"metric": "accuracy", "interval": [found.low, found.high], "seeds": found.seeds.tolist()}

    def _suspect(self, each: Suspect) -> dict[str, Any]:
        assert self.dataset is not None
        label = "" if self.dataset.labels is None else self.dataset.labels[each.index]
        place = self.dataset.places[each.index]
        return {"kind": each.kind, "place": place, "label": label, "suggested": each.suggested, "score": each.score}

    def _classes(self) -> tuple[str, ...]:
        assert self.dataset is not None
        return task_from_labels(self.dataset.kind, self.dataset.labels or ()).classes


def audit(
    source: str | Path,
    *,
    reading: Reading | None = None,
    backbone: str | Backbone | None = None,
    seed: int = 0,
    offline: bool = False,
    device: str = "auto",
    engine: Engine | None = None,
    progress: Progress = silent,
) -> AuditResult:
    """Look at the data as `headstart.inspect` does, and at features, predictions and properties of every item.

    Args:
        source: Labelled data; without labels, near-duplicates and outliers are looked for.
        reading: How it is read.
        backbone: An address, or a loaded backbone; by default the first that needs no network.
        seed: Of every random choice.
        offline: Open no connection.
        device: Where the network runs.
        engine: Where frozen passes run; in this process where None.
        progress: Told about frozen passes.

    Returns:
        All findings, and the details of those of the audit.

    Raises:
        OptionError: The items have an answer for each of their words, or an option does not fit the data.
    """
    started, reading = time.monotonic(), reading or Reading()
    options = {name: value for name, value in reading.options().items() if name != "on_error"}  # all are reported
    inspection, usable = inspect_and_keep(source, **options)
    if usable is None or not len(usable):
        return AuditResult(inspection, unseen=("Nothing: no item can be read.",))
    dataset = reading.corrected(usable)
    if dataset.kind == "tagging":
        raise OptionError(
            "--deep looks at items with one answer each, found tagged texts", where=str(source), fix="Leave it out."
        )
    if len(dataset) < FEWEST:
        return AuditResult(inspection, dataset, unseen=(f"Nothing: {FEWEST} items are needed, found {len(dataset)}.",))
    loaded = load_named(backbone, dataset.modality, offline=offline, device=device)
    features = FeatureSource(engine=engine or LocalEngine(), progress=progress)
    found = _Look(dataset, loaded, features, seed).everything()
    findings = sorted([*inspection.findings, *found.findings], key=lambda each: _ORDER.index(each.severity))
    return AuditResult(
        replace(inspection, findings=tuple(findings)),
        dataset,
        loaded.name,
        found.duplicates,
        found.leaks,
        found.flattery,
        found.suspects,
        time.monotonic() - started,
        found.unseen,
    )


@dataclass(frozen=True, eq=False)
class _Found:
    duplicates: look.NearDuplicates
    leaks: tuple[look.Leak, ...]
    flattery: look.Flattery | None
    suspects: tuple[Suspect, ...]
    findings: tuple[Finding, ...]
    unseen: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Look:
    """One data set under one network."""

    dataset: Dataset
    backbone: Backbone
    source: FeatureSource
    seed: int

    def everything(self) -> _Found:
        """Look at all there is; groups, copies and near-duplicates stay together wherever something is predicted."""
        dataset = self.dataset
        X = np.asarray(self.source.features(self.backbone, dataset), dtype=np.float32)
        copies = np.unique(dataset.hashes, return_inverse=True)[1]
        duplicates = self._duplicates(X, copies)
        pairs = look.united(copies, duplicates.pairs)
        units = look.united(united_groups(dataset), duplicates.pairs)
        far, times = look.outliers(_unit(X - X.mean(axis=0)), same=pairs)
        odd = tuple(Suspect(int(i), "outliers", "", float(t)) for i, t in zip(far, times, strict=True))
        findings, conflicts = self._said_of_pairs(duplicates)
        unseen = self._unlooked(units)
        wrong, leaks, flattery = tuple[Suspect, ...](), tuple[look.Leak, ...](), None
        if not unseen:
            y = np.asarray(task_from_labels(dataset.kind, dataset.labels or ()).encode(dataset.labels or ()))
            own = self._training()
            wrong = self._label_errors(X, y, units)
            leaks = tuple(self._leaks(X[own], y[own], units[own], own))
            if dataset.groups is not None:
                groups = np.unique(united_groups(dataset)[own], return_inverse=True)[1]
                same = np.unique(copies[own], return_inverse=True)[1]
                several = int(y.max()) + 1
                flattery = look.flattery(X[own], y[own], copies=same, groups=groups, n_classes=several, seed=self.seed)
            else:
                unseen = ("Random against grouped splits: there are no groups; --group names them.",)
        findings += [*self._said_of_leaks(leaks), *self._said_of_groups(flattery), *self._said_of_items(wrong, odd)]
        return _Found(duplicates, leaks, flattery, (*wrong, *conflicts, *odd), tuple(findings), unseen)

    def _duplicates(self, X: npt.NDArray[np.float32], copies: Integers) -> look.NearDuplicates:
        """Compare all items, with limits from altered copies of a sample."""
        dataset, modality = self.dataset, self.dataset.modality
        chosen = np.sort(np.random.default_rng(self.seed).permutation(len(dataset))[: _SAMPLE[modality]])
        made = [(i, copy) for i in chosen.tolist() for copy in look.altered(dataset.items[i], modality)]
        of, items = np.array([i for i, _ in made], dtype=np.intp), tuple(copy for _, copy in made)
        altered = Dataset(modality, items, tuple(f"copy of {dataset.places[i]}" for i in of))
        signed, centre = look.signatures(dataset), X.mean(axis=0)
        known = look.Copies(
            of,
            look.comparable(look.signatures(altered), modality, signed),
            _unit(_unstored(self.backbone, altered) - centre),
        )
        return look.near_duplicates(look.comparable(signed, modality), _unit(X - centre), known, same=copies)

    def _training(self) -> Integers:
        """What scores may be made on: all but a given test part."""
        sides = given_sides(self.dataset) or {}
        if "parts" not in sides:
            return np.arange(len(self.dataset))
        return np.flatnonzero(np.array(sides["parts"]) == "train")

    def _unlooked(self, units: Integers) -> tuple[str, ...]:
        """Say why labels are not looked at, if they are not."""
        dataset = self.dataset
        what = "Label errors, metadata and grouped splits"
        if dataset.labels is None or dataset.kind != "classification":
            return (f"{what}: they need classes.",)
        own = self._training()
        counts = Counter(dataset.labels[i] for i in own)
        if min(counts.values(), default=0) < _FEWEST_OF_CLASS or len(counts) < 2:
            return (f"{what}: they need two classes of {_FEWEST_OF_CLASS} training examples each.",)
        rows: dict[str, set[int]] = {}
        for i in own:
            rows.setdefault(dataset.labels[i], set()).add(int(units[i]))
        if min(map(len, rows.values())) < 2:
            return (f"{what}: a class lies in one group.",)
        return ()

    def _label_errors(self, X: Floats, y: Integers, units: Integers) -> tuple[Suspect, ...]:
        classes = task_from_labels(self.dataset.kind, self.dataset.labels or ()).classes
        found = look.label_errors(y, self._held_out(X, y, units, repeats=_REPEATS))
        columns = zip(found.items.tolist(), found.wrong.tolist(), found.better.tolist(), strict=True)
        return tuple(Suspect(i, "label-errors", classes[better], wrong) for i, wrong, better in columns)

    def _leaks(self, X: Floats, y: Integers, units: Integers, own: Integers) -> list[look.Leak]:
        units, n_classes = np.unique(units, return_inverse=True)[1], int(y.max()) + 1
        outputs = self._held_out(X, y, units, repeats=1)
        some = look.properties(self.dataset.take(own))
        return look.told_by_properties(some, y, outputs, units=units, n_classes=n_classes, seed=self.seed)

    def _held_out(self, X: Floats, y: Integers, units: Integers, *, repeats: int) -> Floats:
        """Probabilities by probes that saw neither the item nor its copies, near-duplicates or group."""
        n_splits = min(_FOLDS, len(np.unique(units)))
        folds = make_folds(y, groups=units, n_splits=n_splits, repeats=repeats, seed=self.seed)
        return cross_validate(X, y, folds, n_classes=int(y.max()) + 1).outputs

    def _said_of_pairs(self, found: look.NearDuplicates) -> tuple[list[Finding], tuple[Suspect, ...]]:
        dataset, sides = self.dataset, given_sides(self.dataset)
        side = next(iter(sides.values())) if sides else ("",) * len(dataset)
        label = dataset.labels or ("",) * len(dataset)
        pairs = [(int(i), int(j)) for i, j in found.pairs]
        across = [pair for pair in pairs if side[pair[0]] != side[pair[1]]]
        other = [pair for pair in pairs if label[pair[0]] != label[pair[1]]] if dataset.kind != "regression" else []
        rest = [pair for pair in pairs if pair not in {*across, *other}]
        sure = " (only the sure ones: different items lie as near as altered copies here)" if found.overlap else ""
        findings = [
            Finding(
                "conflicting-near-duplicates",
                "warning",
                f"{dataset.places[i]}, {dataset.places[j]}",
                f"nearly the same item with different labels: {label[i]}, {label[j]}",
                "Correct the labels or remove one of them.",
            )
            for i, j in other
        ]
        findings += self._counted(
            across,
            "near-duplicates-across-parts",
            "warning",
            f"pairs of near-duplicates in training and scored part{sure}",
            "Remove one of each, or give them one group: the score counts what was seen in training.",
        )
        findings += self._counted(
            rest,
            "near-duplicates",
            "info",
            f"pairs of near-duplicates{sure}",
            "Give them one group, or remove one of each: else a split may tear them apart.",
        )
        conflicts = [Suspect(i, "conflicting-near-duplicates", "", float("nan")) for pair in other for i in pair]
        return findings, tuple(dict.fromkeys(conflicts))

    def _counted(
        self, pairs: Sequence[tuple[int, int]], kind: str, severity: Severity, what: str, fix: str
    ) -> list[Finding]:
        if not pairs:
            return []
        where = " ~ ".join(self.dataset.places[i] for i in pairs[0])
        return [Finding(kind, severity, where, f"{what}: {len(pairs)}", fix)]

    def _said_of_leaks(self, leaks: Sequence[look.Leak]) -> list[Finding]:
        classes = task_from_labels(self.dataset.kind, self.dataset.labels or ()).classes if leaks else ()
        told = [each for each in leaks if each.alarm or each.worth_saying]
        return [_said_of_leak(each, classes[each.label], self.dataset.source) for each in told]

    def _said_of_groups(self, found: look.Flattery | None) -> list[Finding]:
        if found is None:
            return []
        scores = f"accuracy of a probe {found.random:.3f} under random splits, {found.grouped:.3f} with groups together"
        by = f"{found.difference:+.3f} [{found.low:+.3f}, {found.high:+.3f}] over {found.n_groups} groups"
        if found.low > 0:
            what = f"{scores}: a random split flatters by {by}"
            fix = "Keep the groups (as headstart fit does), and mistrust scores of random splits."
            return [Finding("groups-flatter", "warning", self.dataset.source, what, fix)]
        what = f"{scores}: the difference is within noise, {by}"
        return [Finding("groups-flatter", "info", self.dataset.source, what, "Nothing; keep the groups all the same.")]

    def _said_of_items(self, wrong: Sequence[Suspect], odd: Sequence[Suspect]) -> list[Finding]:
        dataset, findings = self.dataset, list[Finding]()
        if wrong:
            first, labels = wrong[0], dataset.labels or ()
            what = f"labels that are probably wrong: {len(wrong)} of {len(dataset)} (first: {labels[first.index]!r}"
            what += f", probably {first.suggested!r})"
            fix = "Look at them: --labels FILE.csv writes them, headstart fit --labels-from reads them corrected."
            findings.append(Finding("label-errors", "warning", dataset.places[first.index], what, fix))
        if odd:
            what = f"items like no other: {len(odd)} (first: {odd[0].score:.1f} times the usual distance)"
            fix = "Look at them: they may be broken, or of another kind."
            findings.append(Finding("outliers", "info", dataset.places[odd[0].index], what, fix))
        return findings


def _said_of_leak(found: look.Leak, label: str, where: str) -> Finding:
    """Say how well properties alone tell a class, and which does it."""
    told = (
        f"class {label!r} is told by {found.by!r} alone with AUROC {found.by_area:.2f}; all such properties give it "
        f"{found.area:.2f}, the features {found.feature_area:.2f}, labels that changed places {found.permuted:.2f}; "
        f"over all classes they are right in {found.accuracy:.1%}, the features in {found.feature_accuracy:.1%}, the "
        f"commonest class in {found.chance:.1%} (gain [{found.low:+.3f}, {found.high:+.3f}])"
    )
    if found.kind == "behind":
        fix = "No network sees it, but classes from different sources may differ in more than the class: look at both."
    elif found.alarm:
        fix = "Make it alike in all classes (crop, pad, convert or record anew): a model can score without the task."
    else:
        fix = "Nothing, if it follows from what is shown; if the classes were made differently, make them alike."
    if found.alarm:
        return Finding("metadata-leak", "warning", where, told, fix)
    return Finding("metadata", "info", where, f"no leak, but {told}", fix)


def _unstored(backbone: Backbone, dataset: Dataset) -> npt.NDArray[np.float32]:
    """Return features (n, D) of the last layer, without leaving in the store what belongs to no item of the data."""
    found, view = np.empty((len(dataset), backbone.num_features), dtype=np.float32), backbone.views.index("last")
    for rows in frozen_pass(backbone, dataset.items, engine=LocalEngine()):
        found[rows.positions] = rows.values[:, view]
    return found


def _unit(X: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    lengths = np.linalg.norm(X, axis=1, keepdims=True)
    return np.asarray(X / np.where(lengths > 0, lengths, 1.0), dtype=np.float32)
