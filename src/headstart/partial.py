"""Where a run works until its result is whole: ``MODEL.partial``, which the same command resumes.

MODEL.partial/run.json         data and options of the run; another run is refused
MODEL.partial/decisions.json   decisions that depended on time, replayed when the run is resumed
MODEL.partial/model/           the model folder, renamed to MODEL at the end
"""

import json
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from shutil import rmtree
from typing import Any, Final, Literal, final

from headstart.errors import ArtifactError, OptionError, writing

MANIFEST = "manifest.json"


@final
class PartialFolder:
    """The partial folder of one run.

    Args:
        output: The model folder to make.
        overwrite: ``model`` allows an existing model folder to be replaced.

    Raises:
        OptionError: The output exists and may not be replaced.
    """

    def __init__(self, output: Path, *, overwrite: Literal["never", "model"] = "never") -> None:
        self.output: Final = output
        self.folder: Final = output.with_name(f"{output.name}.partial")
        self.model: Final = self.folder / "model"
        self._decisions: dict[str, Any] = {}
        if output.exists() or output.is_symlink():
            _check_replaceable(output, overwrite)

    def open(self, facts: Mapping[str, Any]) -> None:
        """Start the run, or resume the same one.

        Args:
            facts: Data and options as JSON values; a run with others is refused.

        Raises:
            OptionError: The partial folder belongs to another run, or is no partial folder.
            ArtifactError: It cannot be made.
        """
        record = self.folder / "run.json"
        if record.is_file():
            _check_same(self.folder, json.loads(record.read_text("utf-8")), facts)
        elif self.folder.exists():
            raise OptionError(
                "the folder exists and is no unfinished run",
                where=str(self.folder),
                fix="Remove it, or choose another -o.",
            )
        with writing("the model folder", self.folder, raises=ArtifactError, fix="Choose another -o."):
            self.model.mkdir(parents=True, exist_ok=True)
            _write_json(record, facts)
        with suppress(FileNotFoundError):
            self._decisions = json.loads((self.folder / "decisions.json").read_text("utf-8"))

    def decide(self, name: str, choose: Callable[[], Any]) -> Any:
        """Return a decision taken before, or take it now and record it.

        Args:
            name: What is decided.
            choose: Takes the decision; returns JSON values.

        Returns:
            The decision.
        """
        if name not in self._decisions:
            self._decisions[name] = choose()
            _write_json(self.folder / "decisions.json", self._decisions)
        return self._decisions[name]

    def close(self) -> None:
        """Give the finished model its name; an older one of that name goes only now."""
        old = self.output.with_name(f"{self.output.name}.{uuid.uuid4().hex[:8]}.old")
        if self.output.exists():
            self.output.rename(old)
        self.model.rename(self.output)
        rmtree(self.folder)
        rmtree(old, ignore_errors=True)


def _check_replaceable(output: Path, overwrite: Literal["never", "model"]) -> None:
    if not (output / MANIFEST).is_file():
        raise OptionError(
            "it exists and is no model folder, so it is never replaced", where=str(output), fix="Choose another -o."
        )
    if overwrite == "never":
        raise OptionError("the model folder exists", where=str(output), fix="Choose another -o, or add --overwrite.")


def _check_same(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse to resume a run of other data or options, and say what differs."""
    differing = []
    if before["data"] != now["data"]:
        differing.append("the data has changed")
    names = sorted(set(before["options"]) | set(now["options"]))
    for name in names:
        was, is_now = before["options"].get(name), now["options"].get(name)
        if was != is_now:
            differing.append(f"{name} was {was!r} and is {is_now!r}")
    if differing:
        raise OptionError(
            f"an unfinished run is there and differs: {'; '.join(differing)}",
            where=str(folder),
            fix="Repeat the same command to resume it, or remove that folder.",
        )


def _write_json(path: Path, values: Mapping[str, Any]) -> None:
    partial = path.with_suffix(".tmp")
    partial.write_text(json.dumps(values, indent=1), encoding="utf-8")
    partial.replace(path)
