"""The report of a model folder: what is kept for it there, and writing it again from that.

report.json     what a report needs besides ``evaluation.json``; it names and shows no example
examples.json   scored examples with the worst answers, and what names the data; it may be removed
report.html     the report

None of them is named by the manifest: the model needs none.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from headstart.artifact import Documents, read_documents, replace_documents
from headstart.errors import ArtifactError, OptionError, writing
from headstart.pipeline._privacy import group_numbers, nameless, nameless_evaluation
from headstart.report import ModelRecord, write_model_report

REPORT: Final = "report.html"
RECORD: Final = "report.json"
EXAMPLES: Final = "examples.json"
PAGES: Final = ("entities.html", "transcripts.html")  # that belong to a report, and quote scored data
_QUOTING: Final = (EXAMPLES, *PAGES, "adaptation.html", "confidence.html")  # the last two of older versions
_CURVE: Final = ("metric", "unit", "points")


@dataclass(frozen=True)
class ReportResult:
    """A report that was written.

    Attributes:
        path: Where.
        shown: How many examples it shows.
        removed: Files that showed or named examples and were removed from the model folder.
        named: Whether the model folder names examples.
    """

    path: Path
    shown: int
    removed: tuple[str, ...] = ()
    named: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values, as ``headstart report --json`` prints it."""
        return {
            "report": str(self.path),
            "bytes": self.path.stat().st_size,
            "shown": self.shown,
            "removed": list(self.removed),
            "named": self.named,
        }


def keep_for_report(folder: Path, record: Mapping[str, Any], examples: Mapping[str, Any] | None) -> None:
    """Write what a report needs into a model folder.

    Args:
        folder: The model folder.
        record: What names and shows no example.
        examples: What does; None where nothing may.

    Raises:
        ArtifactError: The disk is full or not writable.
    """
    with writing("what the report needs", folder, raises=ArtifactError, fix="Free space there."):
        _write(folder / RECORD, record)
        if examples is not None:
            _write(folder / EXAMPLES, examples)


def write_report(
    folder: str | Path,
    output: str | Path | None = None,
    *,
    curve: str | Path | None = None,
    examples: Literal["shown", "none"] = "shown",
) -> ReportResult:
    """Write the report of a model folder, from the folder alone.

    Args:
        folder: The model folder, of any format.
        output: The file to write; ``report.html`` in the folder where None.
        curve: What ``headstart curve --json`` printed; it is kept for later reports.
        examples: ``none`` also takes out of the folder all that shows, quotes or names an example.

    Returns:
        Where it is, and what it shows.

    Raises:
        OptionError: The curve is no such file, or the report cannot be written.
        ArtifactError: It is no model folder, or a file for the report is damaged.
    """
    folder = Path(folder)
    documents = read_documents(folder)
    path = folder / REPORT if output is None else _page_path(Path(output))
    if curve is not None:
        keep_for_report(folder, _kept(folder / RECORD) | {"curve": _read_curve(Path(curve))}, None)
    removed: tuple[str, ...] = ()
    if examples == "none":
        removed = _without_examples(documents)
        documents = read_documents(folder)
        if output is not None:
            write_model_report(model_record(documents), folder / REPORT)
    record = model_record(documents)
    write_model_report(record, path)
    shown = len(record.shown.get("worst", {}).get("items", ()))
    return ReportResult(path, shown, removed, any(not str(p).startswith("#") for p in documents.data.get("places", ())))


def model_record(documents: Documents) -> ModelRecord:
    """Read what a report is written from.

    Args:
        documents: Those of the model.

    Returns:
        All that is known.

    Raises:
        ArtifactError: A file for the report is damaged.
    """
    folder = documents.folder
    return ModelRecord(
        name=str(documents.evaluation.get("model") or folder.name),
        version=documents.version,
        task=documents.task,
        network=documents.network,
        evaluation=documents.evaluation,
        data=documents.data,
        kept=_kept(folder / RECORD),
        examples=_kept(folder / EXAMPLES) if (folder / EXAMPLES).exists() else None,
        pages=tuple(name for name in PAGES if (folder / name).exists()),
    )


def _without_examples(documents: Documents) -> tuple[str, ...]:
    """Take out of the folder what shows, quotes or names an example; say which files went."""
    folder, numbers = documents.folder, group_numbers(documents.data)
    evaluation = nameless_evaluation(documents.evaluation, numbers)
    replace_documents(folder, evaluation=evaluation, data=nameless(documents.data))
    there = tuple(name for name in _QUOTING if (folder / name).exists())
    with writing("the model folder", folder, raises=ArtifactError, fix="Make it writable, and repeat the command."):
        for name in (*there, REPORT):  # should writing the report fail, the old one must not be left
            (folder / name).unlink(missing_ok=True)
    return there


def _page_path(path: Path) -> Path:
    if path.suffix.lower() not in (".html", ".htm"):
        raise OptionError(f"expected a name ending in .html, found {path.name!r}", where="-o", fix="Choose another -o.")
    return path


def _read_curve(path: Path) -> dict[str, Any]:
    """Read what a report shows of a learning curve."""
    fix = "Make it with: headstart curve DATA --json > curve.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        found = {name: values[name] for name in _CURVE}
        found |= {name: {"sentence": values[name]["sentence"]} for name in ("label_saving", "next_100")}
        found["points"] = [
            {"arm": str(p["arm"]), "n": int(p["n"]), "value": float(p["value"]), "interval": p["interval"]}
            for p in values["points"]
        ]
    except OSError as error:
        raise OptionError(f"the file cannot be read ({error.strerror})", where=str(path), fix=fix) from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise OptionError(
            "expected the JSON of a learning curve, found something else", where=str(path), fix=fix
        ) from error
    return found


def _kept(path: Path) -> dict[str, Any]:
    """Read a file that is kept for the report; an empty one where there is none."""
    if not path.exists():
        return {}
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        fix = "Remove it; the report is then written without."
        raise ArtifactError("the file is damaged", where=str(path), fix=fix) from error
    if not isinstance(values, dict):
        fix = "Remove it; the report is then written without."
        raise ArtifactError("expected a JSON object", where=str(path), fix=fix)
    return values


def _write(path: Path, values: Mapping[str, Any]) -> None:
    path.write_bytes((json.dumps(values, ensure_ascii=False) + "\n").encode("utf-8", "replace"))
