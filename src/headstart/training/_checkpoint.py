"""A checkpoint folder: everything a run needs to go on as if it had never stopped.

checkpoint.json            which run it belongs to, how far it came, the tensors' file and its SHA-256; written last
state-<name>.safetensors   weights, optimiser, average, best weights, losses

The tensors get a new file every time, and the record is renamed into place once they are on the disk; so a process
killed at any moment leaves the checkpoint before or the new one, whole, and at most one orphan, which the next writer
removes. One process at a time works in a folder.
"""

import json
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, final

from torch import Tensor

from headstart.backbones import read_tensors, write_tensors
from headstart.data import hash_item
from headstart.errors import ArtifactError, BackboneError, DataError, writing

FORMAT: Final = 1
RECORD: Final = "checkpoint.json"


@final
class Checkpoint:
    """The checkpoint of one run.

    Args:
        folder: Where it lies; made when first written.
        facts: What determines the run, as JSON values; a checkpoint of other facts counts as none.
    """

    def __init__(self, folder: Path, facts: Mapping[str, Any]) -> None:
        self.folder: Final = folder
        self._facts: Final = json.loads(json.dumps({"format": FORMAT, **facts}))

    def read(self) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
        """Return what was written last for these facts, or None where there is nothing whole."""
        try:
            record = json.loads((self.folder / RECORD).read_bytes())
            if record["facts"] != self._facts:
                return None
            tensors = self.folder / Path(record["tensors"]).name
            if hash_item(tensors) != record["sha256"]:
                return None
            return record["progress"], read_tensors(tensors)
        except (OSError, ValueError, KeyError, TypeError, BackboneError, DataError):
            return None

    def write(self, progress: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Write a checkpoint; the one before stays until it is whole.

        Args:
            progress: How far the run came, as JSON values.
            tensors: By name.

        Raises:
            ArtifactError: The disk refuses.
        """
        with writing("a checkpoint", self.folder, raises=ArtifactError, fix="Free space there and repeat the command."):
            self.folder.mkdir(parents=True, exist_ok=True)
            path = self.folder / f"state-{uuid.uuid4().hex[:12]}.safetensors"
            self._sweep()
            write_tensors(path, tensors)
            record = {"facts": self._facts, "tensors": path.name, "sha256": hash_item(path), "progress": progress}
            partial = self.folder / f"{RECORD}.tmp"
            partial.write_text(json.dumps(record, indent=1), encoding="utf-8")
            _flush(path)
            _flush(partial)
            partial.replace(self.folder / RECORD)
            self._sweep(keep=path.name)

    def _sweep(self, keep: str | None = None) -> None:
        """Remove tensors that no record names: older ones, and what a killed process left."""
        if keep is None:
            try:
                keep = json.loads((self.folder / RECORD).read_bytes())["tensors"]
            except (OSError, ValueError, KeyError, TypeError):
                keep = ""
        for path in self.folder.glob("state-*.safetensors"):
            if path.name != keep:
                path.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    """Have the system put a file on the disk, so that losing power cannot leave a record without its tensors."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
