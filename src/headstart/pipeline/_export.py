"""Export: a saved model in a format that other tools read; the folder is there whole and checked, or not at all."""

from pathlib import Path
from typing import Final, Literal

from headstart import artifact
from headstart.artifact import Artifact
from headstart.data import Item, load_items
from headstart.engine import whole_or_absent
from headstart.errors import ArtifactError, DataError, OptionError
from headstart.export import RECORD, Exported
from headstart.export import export as write_export
from headstart.pipeline._options import Say, say_nothing

MOST_CHECKED: Final = 500  # items of the user's: parity is no matter of thousands


def export(
    model: str | Path | Artifact,
    output: str | Path,
    *,
    format: str,  # noqa: A002 - the option's name
    check: str | Path | None = None,
    text: str | None = None,
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
        check: Items to compare answers on, beside those that are made up: as `predict` takes them; no label is read.
        text: Column of the texts in a manifest.
        overwrite: ``export`` allows an earlier export to be replaced.
        backbone: Where the backbone of a slim model lies, if not where it was.
        offline: Open no connection.
        say: Told what is left out, one sentence at a time.

    Returns:
        What was written, and how far its answers are from the model's.

    Raises:
        OptionError: The output exists and may not be replaced, or there is no such format.
        DataError: Nothing can be read from `check`.
        ArtifactError: The format cannot hold the model, its answers differ, or the folder cannot be written.
    """
    output = Path(output)
    _check_output(output, overwrite)
    saved = model if isinstance(model, Artifact) else artifact.load(model, backbone=backbone, offline=offline)
    items = [] if check is None else _items(saved, check, text, say)
    with whole_or_absent(output, "the export", raises=ArtifactError) as partial:
        exported = write_export(saved, partial, format=format, final=output, items=items)
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


def _items(saved: Artifact, check: str | Path, text: str | None, say: Say) -> list[Item]:
    model = saved.model
    found = load_items([check], model.backbone.modality, text=text, kind=model.task.kind)
    good = [item for _, item in found if not isinstance(item, DataError)]
    faults = [item for _, item in found if isinstance(item, DataError)]
    if not good:
        problem = f"nothing can be read there{f' ({faults[0].problem})' if faults else ''}"
        raise DataError(problem, where=str(check), fix="Check the path after --check.")
    if faults:
        say(f"{len(faults)} of {len(found)} items of {check} cannot be read and are not compared.")
    if len(good) > MOST_CHECKED:
        say(f"Answers are compared on the first {MOST_CHECKED} of {len(good)} items of {check}.")
    return good[:MOST_CHECKED]
