"""A model in the formats that other tools read: each folder is loaded again and must answer as the model does."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, final

from headstart.artifact import Artifact
from headstart.data import Item
from headstart.errors import OptionError
from headstart.export import _onnx, _peft, _timm, _transformers
from headstart.export._base import NOTHING_ASKED, Asked, Written
from headstart.export._card import card, licence_of_weights, versions
from headstart.export._onnx import answers as answers_of
from headstart.export._parity import TOLERANCE, Parity, check_parity, compare, varied

__all__ = [
    "ASKABLE",
    "FORMATS",
    "NOTHING_ASKED",
    "RECORD",
    "Asked",
    "Exported",
    "Parity",
    "Written",
    "answers_of",
    "export",
]

# Each writes its files into a folder and says how they answer; the check, the card and the record are the same for all.
FORMATS: Final[Mapping[str, Callable[[Artifact, Path], Written]]] = {
    "onnx": _onnx.write,
    "transformers": _transformers.write,
    "timm": _timm.write,
    "peft": _peft.write,
}
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

    def with_facts(self, lies: Path, more: Mapping[str, Any], *, title: str, said: str) -> "Exported":
        """Keep more of what was measured.

        Args:
            lies: Where the folder lies now.
            more: JSON values.
            title: Of a section of the card.
            said: What it says.

        Returns:
            The same with these, which are in its record too.
        """
        changed = replace(self, facts={**self.facts, **more})
        record = json.loads((lies / RECORD).read_text("utf-8"))
        (lies / RECORD).write_text(json.dumps({**record, **more}, indent=1, ensure_ascii=False) + "\n", "utf-8")
        with (lies / CARD).open("a", encoding="utf-8") as card_file:
            card_file.write(f"\n## {title}\n\n{said}\n")
        return changed

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
    written = _onnx.write(saved, folder, asked) if format == ASKABLE else FORMATS[format](saved, folder)
    parity = compare(saved.model, written, [*varied(saved.model.backbone), *items], given=len(items))
    if written.exact:
        check_parity(parity, where=str(saved.folder), tool=written.library)
    (folder / CARD).write_text(card(saved, written, parity, format=format), encoding="utf-8")
    files = {path.relative_to(folder).as_posix(): path.stat().st_size for path in sorted(folder.rglob("*"))}
    exported = Exported(
        final,
        format,
        parity,
        written.call.replace("{folder}", str(final)),
        written.limits,
        licence_of_weights(saved),
        files,
        written.facts,
    )
    record = {**exported.to_dict(), "folder": final.name, "load": written.call, "versions": versions()}
    (folder / RECORD).write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return exported
