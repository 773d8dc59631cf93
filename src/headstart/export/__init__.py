"""A model in the formats that other tools read: each folder is loaded again and must answer as the model does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

from headstart.artifact import Artifact, write_json
from headstart.backbones import known_licence
from headstart.data import Item
from headstart.errors import OptionError
from headstart.export._base import NOTHING_ASKED, Asked, Measured, Written
from headstart.export._card import card, versions
from headstart.export._parity import TOLERANCE, Parity, answer_both, check_parity, compare, varied

__all__ = [
    "ASKABLE",
    "FORMATS",
    "NOTHING_ASKED",
    "RECORD",
    "Asked",
    "Exported",
    "Measured",
    "Parity",
    "Written",
    "export",
]

FORMATS: Final = ("onnx", "transformers", "timm", "peft")
ASKABLE: Final = "onnx"  # the one format that keeps what answers promise, and can be made smaller
RECORD: Final = "headstart-export.json"  # what marks a folder as an export
CARD: Final = "README.md"


@final
@dataclass(frozen=True)
class Exported:
    """An exported model.

    Attributes:
        folder: Where it lies.
        format: Its format.
        parity: How far its answers are from the model's.
        call: A line of Python that loads it.
        limits: What the format cannot keep, as sentences.
        licence: Of the pretrained weights, where it is known.
        files: Size of every file in bytes, by name.
        facts: What else is worth keeping, as JSON values.
    """

    folder: Path
    format: str
    parity: Parity
    call: str
    limits: tuple[str, ...]
    licence: str | None
    files: Mapping[str, int]
    facts: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "folder": str(self.folder),
            "format": self.format,
            "parity": {**self.parity.to_dict(), "tolerance": TOLERANCE},
            "load": self.call,
            "limits": list(self.limits),
            "licence": self.licence,
            "files": dict(self.files),
            **self.facts,
        }


def export(
    saved: Artifact,
    folder: Path,
    *,
    format: str,  # noqa: A002 - the option's name
    final: Path | None = None,
    items: Sequence[Item] = (),
    asked: Asked = NOTHING_ASKED,
) -> Exported:
    """Write a model in another format, load it again, and compare the answers.

    Args:
        saved: The model.
        folder: An existing, empty folder; what is in it counts only once this function returns.
        format: One of `FORMATS`.
        final: Where the folder will lie, for what names it; itself where None.
        items: Items to compare the answers on, beside those that are made up.
        asked: What it is to promise and how small it is to be; of ``onnx`` alone.

    Returns:
        What was written and how it was checked.

    Raises:
        OptionError: There is no such format.
        ArtifactError: The format cannot hold the model, or the answers differ.
        BackboneError: The format cannot hold its network.
    """
    if format not in FORMATS:
        fix = f"Write one of: {', '.join(FORMATS)}."
        raise OptionError(f"there is no format {format!r}", where="--format", fix=fix)
    final = final or folder
    saved.model.backbone.to("cpu")
    written = _write(saved, folder, format, asked)
    made_up = varied(saved.model.backbone)
    answers = answer_both(saved.model, written, [*made_up, *items])
    parity = compare(answers, saved.model.task, given=len(items))
    if written.exact:
        check_parity(parity, where=str(saved.folder), tool=written.library)
    measured = None if asked.measure is None else asked.measure(*answers.since(len(made_up)))
    said = card(saved, written, parity, measured, format=format)
    (folder / CARD).write_text(said, encoding="utf-8")
    files = {path.relative_to(folder).as_posix(): path.stat().st_size for path in sorted(folder.rglob("*"))}
    exported = Exported(
        final,
        format,
        parity,
        written.call.replace("{folder}", str(final)),
        written.limits,
        known_licence(saved.model.pretrained),
        files,
        {**written.facts, **({} if measured is None else measured.facts)},
    )
    record = {**exported.to_dict(), "folder": final.name, "load": written.call, "versions": versions()}
    write_json(folder / RECORD, record)
    return exported


def _write(saved: Artifact, folder: Path, format: str, asked: Asked) -> Written:  # noqa: A002 - the option's name
    """Write the files of a format, and say how they answer; the libraries of the others take seconds to be imported."""
    if format == "onnx":
        from headstart.export import _onnx

        return _onnx.write(saved, folder, asked)
    if format == "transformers":
        from headstart.export import _transformers

        return _transformers.write(saved, folder)
    if format == "timm":
        from headstart.export import _timm

        return _timm.write(saved, folder)
    from headstart.export import _peft

    return _peft.write(saved, folder)
