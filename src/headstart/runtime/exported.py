"""An exported model: the folder that `headstart export --format onnx` writes, ready to predict."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self, final

import numpy as np
from numpy.typing import NDArray

from headstart.errors import ArtifactError, DataError, MissingExtraError, first_line
from headstart.runtime._answers import Promises, answer_rows, span_row, transcript_row
from headstart.runtime._decoders import Decoder, decoder_from
from headstart.runtime._heard import Heard
from headstart.runtime._items import Item, Kind, Modality
from headstart.runtime._novelty import Novelty
from headstart.runtime._tags import decode_entities
from headstart.runtime.readers import FrameReader, Read, Reader, reader_of

FORMAT: Final = 1
GRAPH: Final = "model.onnx"
FACTS: Final = "preprocessing.json"
ARRAYS: Final = "arrays.npz"
AT_ONCE: Final = 32  # items
WINDOWS_AT_ONCE: Final = 8  # of a recording that is heard frame by frame
Outputs = tuple[NDArray[Any] | None, NDArray[Any]]  # features (n, D) and outputs (n, K) of some items


@final
class ExportedModel:
    """A model that predicts with onnxruntime alone.

    Args:
        folder: What `headstart export` wrote.
        facts: Its ``preprocessing.json``.
        reader: Reads items.
        session: Runs the graph.
        arrays: What ``arrays.npz`` holds.
    """

    def __init__(
        self, folder: Path, facts: Mapping[str, Any], reader: Reader, session: Any, arrays: Mapping[str, NDArray[Any]]
    ) -> None:
        self.folder, self.facts, self.reader, self._session = folder, facts, reader, session
        task = facts["task"]
        self.modality: Final[Modality] = facts["inputs"]["modality"]
        self.kind: Final[Kind] = task["kind"]
        self.classes: Final[tuple[str, ...]] = tuple(task.get("classes", ()))
        self._types = tuple(task.get("types", ()))
        self._characters = tuple(task.get("characters", ()))
        self.promises: Final[tuple[str, ...]] = tuple(facts.get("promises", {}).get("notes", ()))
        self._promises = _promises(facts, self.classes, arrays)
        self._decoder: Decoder | None = None
        if self.kind == "transcription":
            self._decoder = decoder_from(_under(arrays, "decoder."), self._characters)

    @classmethod
    def open(cls, folder: str | Path, *, threads: int | None = None) -> Self:
        """Open an exported model; every file is checked against the hashes that were written with it.

        Args:
            folder: What `headstart export --format onnx` wrote.
            threads: How many the graph takes; as many as there are cores where None.

        Returns:
            The model.

        Raises:
            ArtifactError: A file is missing, damaged or of another version.
            MissingExtraError: onnxruntime is not installed.
        """
        folder = Path(folder)
        facts = _read_facts(folder)
        arrays: dict[str, NDArray[Any]] = {}
        if (folder / ARRAYS).is_file():
            with np.load(folder / ARRAYS, allow_pickle=False) as kept:
                arrays = {name: kept[name] for name in kept.files}
        reader = reader_of(facts["inputs"], folder, arrays)
        return cls(folder, facts, reader, _session(folder / GRAPH, threads), arrays)

    def read(self, item: Item) -> Read:
        """Decode one item.

        Args:
            item: A path, a text, or what `headstart.runtime` calls an item.

        Returns:
            What `answer` takes.

        Raises:
            DataError: It cannot be read.
        """
        return self.reader.read(item)

    def answer(self, several: Sequence[Read]) -> list[dict[str, Any]]:
        """Answer items that were read.

        Args:
            several: N items.

        Returns:
            N rows as `headstart predict --json` prints them, less the input's name.
        """
        rows: list[dict[str, Any]] = [{} for _ in several]
        order = sorted(range(len(several)), key=lambda i: self.reader.cost(several[i]))
        for start in range(0, len(order), AT_ONCE):
            some = order[start : start + AT_ONCE]
            found = self._answer([several[i] for i in some])
            for i, row in zip(some, found, strict=True):
                rows[i] = row
        return rows

    def predict(self, items: Sequence[Item]) -> list[dict[str, Any]]:
        """Read and answer items; one that cannot be read, or is an error, becomes ``{"error"}`` in its place."""
        read = [self._read_or_error(item) for item in items]
        answers = iter(self.answer([each for each in read if not isinstance(each, DataError)]))
        return [{"error": str(each)} if isinstance(each, DataError) else next(answers) for each in read]

    def outputs(self, several: Sequence[Read]) -> Iterator[Outputs]:
        """Run the graph on items that were read, all at once; frame by frame, one at a time.

        Args:
            several: N items.

        Yields:
            Features (n, D) where items have one row of them, and outputs; of words and frames those of one item each.
        """
        if isinstance(self.reader, FrameReader):
            for each in several:
                parts = self.reader.parts(each, WINDOWS_AT_ONCE)
                yield None, np.concatenate([self._run([part])[1][own] for part, own in parts])
            return
        if self.kind != "tagging":
            yield self._run(several)
            return
        counts = [len(document.words) for document, _ in several]
        nothing = np.empty((0, 1 + 2 * len(self._types)))
        words = self._run(several)[1] if any(counts) else nothing  # a graph of nothing does not run
        for each in np.split(words, np.cumsum(counts)[:-1]):
            yield None, each

    def _answer(self, several: Sequence[Read]) -> list[dict[str, Any]]:
        found = list(self.outputs(several))
        if self.kind == "transcription":
            return [self._transcript(p) for _, p in found]
        if self.kind == "tagging":
            return [self._spans(each[0], p) for each, (_, p) in zip(several, found, strict=True)]
        ((features, outputs),) = found
        beside = self._promises.rows(features, outputs)
        return [row | more for row, more in zip(answer_rows(self.kind, self.classes, outputs), beside, strict=True)]

    def _spans(self, document: Any, p: NDArray[Any]) -> dict[str, Any]:
        column = np.empty(1, dtype=object)
        column[0] = p
        (found,) = decode_entities(column)
        return span_row(document, [(start, end, self._types[number], chance) for start, end, number, chance in found])

    def heard(self, log_probabilities: NDArray[Any]) -> Heard:
        """Return what is heard in a recording.

        Args:
            log_probabilities: (T, K) of its frames, as `outputs` yields them.

        Returns:
            Probabilities and text.
        """
        assert self._decoder is not None, "a model of another task"
        text = self._decoder.text(log_probabilities, self._characters)
        return Heard(np.exp(log_probabilities), text, self._characters)

    def _transcript(self, log_probabilities: NDArray[Any]) -> dict[str, Any]:
        assert isinstance(self.reader, FrameReader), "a model of whole recordings"
        return transcript_row(self.heard(log_probabilities), self.reader.seconds)

    def _run(self, several: Sequence[Read]) -> tuple[NDArray[Any], NDArray[Any]]:
        features, outputs = self._session.run(["features", "outputs"], self.reader.feed(several))
        return features, np.asarray(outputs, dtype=np.float32 if self.kind == "transcription" else np.float64)

    def _read_or_error(self, item: Item) -> Read | DataError:
        if isinstance(item, DataError):
            return item
        try:
            return self.read(item)
        except DataError as error:
            return error


def _promises(facts: Mapping[str, Any], classes: Sequence[str], arrays: Mapping[str, NDArray[Any]]) -> Promises:
    kept, novelty = facts.get("promises", {}), _under(arrays, "novelty.")
    positive = kept.get("positive")
    return Promises(
        classes,
        arrays.get("thresholds"),
        kept.get("abstain_below"),
        None if positive is None else (int(positive[0]), float(positive[1])),
        Novelty.from_arrays(novelty) if novelty else None,
    )


def _under(arrays: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _read_facts(folder: Path) -> dict[str, Any]:
    """Read ``preprocessing.json`` and check what it names."""
    path = folder / FACTS
    try:
        facts: dict[str, Any] = json.loads(path.read_text("utf-8"))
        known = facts["format"] == FORMAT
        files = dict(facts["files"])
    except FileNotFoundError as error:
        problem = f"expected an exported model with {FACTS}, found none"
        fix = "Name the folder that `headstart export MODEL -o FOLDER --format onnx` wrote."
        raise ArtifactError(problem, where=str(folder), fix=fix) from error
    except (ValueError, KeyError, TypeError) as error:
        raise ArtifactError("the file is damaged", where=str(path), fix="Copy the folder again.") from error
    if not known:
        problem = f"expected an exported model of format {FORMAT}, found {facts['format']!r}"
        raise ArtifactError(problem, where=str(path), fix="Use the predict.py beside it, or export the model again.")
    for name, expected in files.items():
        inside = folder / name
        if Path(name).name != name or not inside.is_file() or _sha256(inside) != expected:
            problem = "a file of the exported model is missing or was changed"
            raise ArtifactError(problem, where=str(inside), fix="Copy the folder again, whole.")
    return facts


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _session(path: Path, threads: int | None) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError("onnxruntime is not installed", fix="Type: pip install onnxruntime") from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if threads is not None:
        options.intra_op_num_threads = threads
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises nothing more specific
        problem = f"onnxruntime cannot load the graph ({first_line(error)})"
        raise ArtifactError(problem, where=str(path), fix="Update onnxruntime, or export the model again.") from error
