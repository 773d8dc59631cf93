"""Where a run works until its result is whole: ``MODEL.partial``, which the same command resumes.

MODEL.partial/run.json         data and options of the run; another run is refused
MODEL.partial/decisions.json   decisions that depended on time, replayed when the run is resumed
MODEL.partial/training/        checkpoints of long trainings, each in a folder of its own
MODEL.partial/model/           the model folder, renamed to MODEL at the end
"""

import json
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from shutil import rmtree
from typing import IO, Any, Final, Literal, final

from headstart.errors import ArtifactError, OptionError, writing

try:
    import fcntl
except ImportError:  # Windows has no such module; there, two processes on one model are not kept apart
    fcntl = None  # type: ignore[assignment]

MANIFEST = "manifest.json"
REPEAT = "Free space there and repeat the command."
BARE: Final = ("lock", "model", "run.tmp")  # what is there before run.json


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
        if output.name in ("", "..") or output.is_mount():
            raise OptionError(f"expected the name of a folder to make, found {str(output)!r}", where="-o")
        self.output: Final = output
        self.overwrite: Final = overwrite
        self.folder: Final = output.with_name(f"{output.name}.partial")
        self.model: Final = self.folder / "model"
        self._decisions: dict[str, Any] = {}
        self._locked: IO[str] | None = None
        if output.exists() or output.is_symlink():
            _check_replaceable(output, overwrite)

    def open(self, facts: Mapping[str, Any]) -> None:
        """Start the run, or resume the same one.

        Args:
            facts: Data and options as JSON values; another run that has decided or trained something is not replaced.

        Raises:
            OptionError: The partial folder belongs to another run, or to one that is still going on, or is no partial
                folder.
            ArtifactError: It cannot be made.
        """
        record = self.folder / "run.json"
        if self.folder.exists() and not record.exists() and not self._is_bare():
            raise OptionError(
                "the folder exists and is no unfinished run",
                where=str(self.folder),
                fix="Remove it, or choose another -o.",
            )
        # Once the model has taken its name, the rest of the folder is only what a killed process could not remove.
        finished = record.exists() and not self.model.exists()
        with writing("the model folder", self.folder, raises=ArtifactError, fix="Choose another -o."):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock()
            try:
                if finished:
                    self._forget()
                self._decisions = _read_json(self.folder / "decisions.json")
                if self._begun:
                    _check_same(self.folder, _read_json(record), facts)
                self._start_model()
                _write_json(record, facts)
            except BaseException:
                self._release()
                raise

    @property
    def _begun(self) -> bool:
        """Whether there is something to resume: a decision, or a checkpoint."""
        return bool(self._decisions) or any(self._training.glob("*/*"))

    @property
    def _training(self) -> Path:
        return self.folder / "training"

    def _is_bare(self) -> bool:
        """Say whether a process was killed before it could write what the run is."""
        return all(path.name in BARE and not (path.is_dir() and any(path.iterdir())) for path in self.folder.iterdir())

    def _start_model(self) -> None:
        """Make an empty model folder: what a killed process had half written counts for nothing."""
        self.model.mkdir(exist_ok=True)
        for path in self.model.iterdir():
            rmtree(path) if path.is_dir() else path.unlink()

    def _forget(self) -> None:
        (self.folder / "decisions.json").unlink(missing_ok=True)
        rmtree(self._training, ignore_errors=True)

    def _lock(self) -> None:
        """Keep a second process out; the system lets go of the lock when this one ends, however it ends."""
        if fcntl is None:
            return
        self._locked = (self.folder / "lock").open("w")
        try:
            fcntl.flock(self._locked, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._locked.close()
            raise OptionError(
                "another process is working on this model",
                where=str(self.folder),
                fix="Wait for it, or choose another -o.",
            ) from None

    def leave(self) -> None:
        """Let go of the folder, and remove it where nothing was decided or trained yet: there is nothing to resume."""
        self._release()
        if not self._begun and self.folder.exists():
            rmtree(self.folder, ignore_errors=True)

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
            with writing("a decision", self.folder, raises=ArtifactError, fix=REPEAT):
                _write_json(self.folder / "decisions.json", self._decisions)
        return self._decisions[name]

    def close(self) -> None:
        """Give the finished model its name; an older one of that name goes only now.

        Raises:
            OptionError: Something has taken the name meanwhile, and it may not be replaced.
            ArtifactError: The disk refuses.
        """
        old = self.output.with_name(f"{self.output.name}.{uuid.uuid4().hex[:8]}.old")
        with writing("the model folder", self.output, raises=ArtifactError, fix=REPEAT):
            if self.output.exists():
                _check_replaceable(self.output, self.overwrite)
                self.output.rename(old)
            self.model.rename(self.output)
            self._release()
            rmtree(self.folder)
        rmtree(old, ignore_errors=True)

    def _release(self) -> None:
        if self._locked is not None:
            self._locked.close()


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
    if before.get("data") != now["data"]:
        differing.append("the data has changed")
    options = before.get("options", {})
    for name in sorted(set(options) | set(now["options"])):
        was, is_now = options.get(name), now["options"].get(name)
        if was != is_now:
            differing.append(f"{name} was {was!r} and is {is_now!r}")
    if differing:
        raise OptionError(
            f"an unfinished run is there and differs: {'; '.join(differing)}",
            where=str(folder),
            fix="Repeat the same command to resume it, or remove that folder.",
        )


def _read_json(path: Path) -> dict[str, Any]:
    """Read what an earlier process wrote; what it could not finish counts as not written."""
    try:
        values = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


def _write_json(path: Path, values: Mapping[str, Any]) -> None:
    partial = path.with_suffix(".tmp")
    partial.write_text(json.dumps(values, indent=1), encoding="utf-8")
    partial.replace(path)
