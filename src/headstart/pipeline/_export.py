"""Export: a saved model in a format that other tools read; the folder is there whole and checked, or not at all."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, final

import numpy as np
from numpy.typing import NDArray

from headstart import artifact
from headstart.artifact import Artifact
from headstart.data import Dataset, Item, hash_item, load_items
from headstart.engine import whole_or_absent
from headstart.errors import ArtifactError, DataError, OptionError
from headstart.evaluation import Comparison, Fold, compare, greater_is_better, score
from headstart.export import ASKABLE, RECORD, Asked, Exported, Measured
from headstart.export import export as write_export
from headstart.pipeline._confidence import NOTHING_ASKED, Promised, Wanted
from headstart.pipeline._options import Reading, Say, labels_of, say_nothing
from headstart.pipeline._pixels import said_of_pixels
from headstart.pipeline._values import plain

CALIBRATED_ON: Final = 64  # items of the training part
FEWEST_SCORED: Final = 10


def export(
    model: str | Path | Artifact,
    output: str | Path,
    *,
    format: str,  # noqa: A002 - the option's name
    check: str | Path | None = None,
    text: str | None = None,
    int8: bool = False,
    reading: Reading | None = None,
    wanted: Wanted = NOTHING_ASKED,
    overwrite: Literal["never", "export"] = "never",
    backbone: str | None = None,
    offline: bool = False,
    say: Say = say_nothing,
) -> Exported:
    """Write a model in another tool's format, load it again with that tool, and compare the answers.

    Args:
        model: The model folder, or a loaded one.
        output: The folder to make.
        format: One of `headstart.export.FORMATS`.
        check: Items to compare answers on, beside those that are made up: as `predict` takes them. Of the data that the
            model was made from it is the test part, whole; no label is read, but with ``int8``.
        text: Column of the texts in a manifest.
        int8: Weights of 8 bits, with what that costs on `check`, which is labelled data then; of ``onnx``.
        reading: How labelled data is read.
        wanted: What answers promise; of ``onnx``.
        overwrite: ``export`` allows an earlier export to be replaced.
        backbone: Where the backbone of a slim model lies, if not where it was.
        offline: Open no connection.
        say: Told what is left out, one sentence at a time.

    Returns:
        What was written, and how far its answers are from the model's.

    Raises:
        OptionError: The output exists and may not be replaced, there is no such format, or it cannot do what is asked.
        DataError: Nothing can be read from `check`.
        ArtifactError: The format cannot hold the model, its answers differ, or the folder cannot be written.
    """
    output = Path(output)
    _check_output(output, overwrite)
    _check_asked(format, int8=int8, check=check, wanted=wanted)
    saved = model if isinstance(model, Artifact) else artifact.load(model, backbone=backbone, offline=offline)
    asked, labelled = _asked(saved, wanted), None
    if int8 and check is not None:
        labelled = _Labelled.of(saved, check, replace(reading or Reading(), text=text))
        measure = partial(labelled.measured, saved)
        asked = replace(asked, int8=True, calibration=labelled.calibration, measure=measure)
    items = [] if check is None else labelled.items if labelled is not None else _items(saved, check, text, say)
    with whole_or_absent(output, "the export", raises=ArtifactError) as folder:
        exported = write_export(saved, folder, format=format, final=output, items=items, asked=asked)
        _check_output(output, overwrite)  # something may have taken the name meanwhile
    return exported


def _check_output(output: Path, overwrite: Literal["never", "export"]) -> None:
    if output.name in ("", "..") or output.is_mount():
        raise OptionError(f"expected the name of a folder to make, found {str(output)!r}", where="-o")
    if not output.exists() and not output.is_symlink():
        return
    if not (output / RECORD).is_file():
        problem = "it exists and is no export, so it is never replaced"
        raise OptionError(problem, where=str(output), fix="Choose another -o.")
    if overwrite == "never":
        raise OptionError("the export exists", where=str(output), fix="Choose another -o, or add --overwrite.")


def _check_asked(format: str, *, int8: bool, check: str | Path | None, wanted: Wanted) -> None:  # noqa: A002
    if format != ASKABLE and (int8 or wanted != NOTHING_ASKED):
        problem = f"the format {format} keeps the network and its head alone"
        fix = f"Leave --int8, --coverage, --max-error and --specificity out, or use --format {ASKABLE}."
        raise OptionError(problem, where="--format", fix=fix)
    if int8 and check is None:
        problem = "weights of 8 bits change answers, and what that costs is measured on labelled data"
        raise OptionError(problem, where="--int8", fix="Add --check DATA, the data the model was made from.")


def cost_said(cost: Mapping[str, Any]) -> str:
    """Say what 8 bits cost."""
    low, high = cost["interval"]
    return (
        f"With 8 bits {cost['metric']} is {cost['8 bits']:.3f}, with 32 {cost['32 bits']:.3f}, of {cost['n']} items: "
        f"{cost['difference']:+.3f} [{low:+.3f}, {high:+.3f}]."
    )


def _check_cost(cost: Mapping[str, Any], folder: Path) -> None:
    """Refuse 8 bits that make a model worse beyond noise."""
    low, high = cost["interval"]
    if high < 0 if greater_is_better(cost["metric"]) else low > 0:
        fix = "Nothing was written. Leave --int8 out."
        raise ArtifactError(f"8 bits make it worse beyond noise. {cost_said(cost)[:-1]}", where=str(folder), fix=fix)


def _asked(saved: Artifact, wanted: Wanted) -> Asked:
    promised = Promised.of(saved.confidence, saved.model.task, wanted)
    classes = saved.model.task.kind == "classification"
    told = {name: value for name, value in vars(wanted).items() if value is not None} if classes else {}
    said = (*promised.promises_said(), *said_of_pixels(saved.model.backbone))
    return Asked(promised.promises, told, said)


def _items(saved: Artifact, check: str | Path, text: str | None, say: Say) -> list[Item]:
    """Read what answers are compared on: of the model's own data its test part, else everything."""
    model = saved.model
    found = load_items([check], model.backbone.modality, text=text, kind=model.task.kind)
    good = [item for _, item in found if not isinstance(item, DataError)]
    faults = [item for _, item in found if isinstance(item, DataError)]
    if not good:
        problem = f"nothing can be read there{f' ({faults[0].problem})' if faults else ''}"
        raise DataError(problem, where=str(check), fix="Check the path after --check.")
    if faults:
        say(f"{len(faults)} of {len(found)} items of {check} cannot be read and are not compared.")
    own = _own(saved, "test")
    return [item for item in good if hash_item(item) in own] or good


def _own(saved: Artifact, part: str) -> set[str]:
    """Return the hashes of the items of a part of the model's own data."""
    pairs = zip(saved.data.get("items", ()), saved.data.get("parts", ()), strict=True)
    return {item for item, own in pairs if own == part}


@final
@dataclass(frozen=True, eq=False)
class _Labelled:
    """Labelled data, by which what 8 bits cost is measured.

    Attributes:
        dataset: What is scored: the model's own test part where it is there, else everything that it has not seen.
        calibration: Items of the training part.
    """

    dataset: Dataset
    calibration: tuple[Item, ...]

    @property
    def items(self) -> list[Item]:
        """What is scored."""
        return list(self.dataset.items)

    @classmethod
    def of(cls, saved: Artifact, source: str | Path, reading: Reading) -> "_Labelled":
        """Read labelled data."""
        dataset = replace(reading, task=reading.task or saved.model.task.kind).load(source)
        trained, tested = _own(saved, "train"), _own(saved, "test")
        test = [i for i, item in enumerate(dataset.hashes) if item in tested]
        scored = test or [i for i, item in enumerate(dataset.hashes) if item not in trained]
        if len(scored) < FEWEST_SCORED:
            problem = f"expected {FEWEST_SCORED} items that the model was not trained on, found {len(scored)}"
            fix = "Give other labelled data: one that has no test part was all trained on."
            raise DataError(problem, where=str(source), fix=fix)
        own = [item for item, hashed in zip(dataset.items, dataset.hashes, strict=True) if hashed in trained]
        step = max(1, len(own) // CALIBRATED_ON)
        return cls(dataset.take(scored), tuple(own[::step][:CALIBRATED_ON]))

    def measured(self, saved: Artifact, ours: NDArray[Any], theirs: NDArray[Any]) -> Measured:
        """Score the answers of the model and of the export to the items that are scored.

        Args:
            saved: The model.
            ours: Its answers.
            theirs: Those of the export.

        Returns:
            What 8 bits cost.

        Raises:
            ArtifactError: 8 bits make it worse beyond noise.
        """
        cost = self._cost(saved, ours, theirs)
        _check_cost(cost, saved.folder)
        return Measured("What 8 bits cost", cost_said(cost), {"int8_cost": cost})

    def _cost(self, saved: Artifact, *both: NDArray[Any]) -> dict[str, Any]:
        task, metric = saved.model.task, saved.evaluation["test"]["metric"]
        y = task.encode(labels_of(self.dataset))
        groups = None if self.dataset.groups is None else np.array(self.dataset.groups)
        folds = [Fold(y, outputs, saved.data["n_train"], groups) for outputs in both]
        before = score([folds[0]], metric=metric, how="test", n=len(y), seed=0)
        found: Comparison = compare([folds[1]], [folds[0]], metric=metric, seed=0, seconds=0.0)
        after = score([folds[1]], metric=metric, how="test", n=len(y), seed=0)
        interval = found.difference_interval
        values = {
            "metric": metric,
            "n": len(y),
            "32 bits": before.value,
            "8 bits": after.value,
            "difference": found.difference,
            "interval": [interval.low, interval.high],
        }
        return {name: plain(value) for name, value in values.items()}
