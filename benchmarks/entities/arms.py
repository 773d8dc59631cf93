"""What is compared: every arm is a process of its own on the same two CoNLL files.

An arm returns one row: `predictions`, the IOB2 tags of every test sentence, its clocks, and what it says about itself.
"""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sets import Sentence, read

sys.path.append(str(Path(__file__).parents[1] / "peers"))
from machine import Finished, describe, timed

OFFLINE = {"HF_HUB_OFFLINE": "1"}
OURS = ("headstart", "torch", "transformers", "scikit-learn")
HUGGINGFACE = ("torch", "transformers", "accelerate")
CLASSICAL = ("sklearn-crfsuite", "python-crfsuite")
ENTRY = "from headstart.cli import main; main()"


@dataclass(frozen=True)
class Places:
    """The two interpreters, the folder of the weights all networks start from, and the threads of every arm."""

    peers_python: str
    ours_python: str
    weights: str
    threads: int

    @property
    def env(self) -> dict[str, str]:
        return {name: str(self.threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")} | OFFLINE


def huggingface(folder: Path, scratch: Path, places: Places, *, seed: int) -> dict:
    extra = ["--weights", places.weights, "--seed", str(seed), "--threads", str(places.threads)]
    return peer("huggingface.py", HUGGINGFACE, [str(folder), *extra], scratch=scratch, places=places)


def classical(folder: Path, scratch: Path, places: Places, *, seed: int) -> dict:
    del seed  # the draw is all that changes
    return peer("classical.py", CLASSICAL, [str(folder)], scratch=scratch, places=places)


def peer(script: str, packages: tuple[str, ...], arguments: Sequence[str], *, scratch: Path, places: Places) -> dict:
    path = str(Path(__file__).with_name(script))
    done = timed([places.peers_python, path, *arguments], cwd=scratch, env=places.env)
    versions = describe(places.peers_python, packages)["versions"]
    return json.loads(done.printed.splitlines()[-1]) | clocks(done) | {"versions": versions}


def headstart(folder: Path, scratch: Path, places: Places, *, seed: int, strategy: str | None) -> dict:
    """Fit as a user types it, with an empty cache, and read the spans that the saved model predicts."""
    program = [places.ours_python, "-c", ENTRY]
    env, model, test = (
        places.env | {"HEADSTART_CACHE": str(scratch / "cache")},
        str(scratch / "model"),
        folder / "test.conll",
    )
    data = [str(folder / "train.conll"), "--test", str(test), "--task", "tagging"]
    options = ["-o", model, "--offline", "--json", "--seed", str(seed), *(["--strategy", strategy] if strategy else [])]
    fitted = timed([*program, "fit", *data, *options], cwd=scratch, env=env)
    done = timed([*program, "predict", model, str(test), "--offline", "--json"], cwd=scratch, env=env)
    result = json.loads(fitted.printed)
    rows = [json.loads(line) for line in done.printed.splitlines()]
    predicted = [tags_of(sentence, row["spans"]) for sentence, row in zip(read(test), rows, strict=True)]
    said = {"adaptation_seconds": result["adaptation_seconds"], "strategy": result.get("strategy")}
    versions = describe(places.ours_python, OURS)["versions"]
    return said | clocks(fitted, done) | {"predictions": predicted, "versions": versions}


def tags_of(sentence: Sentence, spans: Sequence[Sequence]) -> list[str]:
    """Turn spans of characters, the words joined by single spaces, into tags; every border must be a word's."""
    starts, ends, place = dict[int, int](), dict[int, int](), 0
    for number, word in enumerate(sentence.words):
        starts[place], ends[place + len(word)] = number, number
        place += len(word) + 1
    tags = ["O"] * len(sentence.words)
    for start, end, name, *_ in spans:
        first, last = starts[start], ends[end]
        tags[first : last + 1] = [f"B-{name}", *[f"I-{name}"] * (last - first)]
    return tags


def clocks(*done: Finished) -> dict[str, float]:
    """Return wall clock and processor time of whole processes."""
    return {"seconds": sum(each.seconds for each in done), "cpu_seconds": sum(each.cpu_seconds for each in done)}


ARMS: Mapping[str, Callable[..., dict]] = {
    "classical": classical,
    "huggingface": huggingface,
    "headstart": partial(headstart, strategy=None),
    "headstart finetune": partial(headstart, strategy="finetune"),
}
