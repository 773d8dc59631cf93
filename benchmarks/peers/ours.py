"""Our arm: `headstart fit` as a user types it, with an empty cache; on images twice."""

import json
from collections.abc import Iterator
from pathlib import Path

from machine import timed
from subsets import read_part

ENTRY = "from headstart.cli import main; main()"


def measure(folder: Path, scratch: Path, *, python: str, backbone: str | None, seed: int) -> Iterator[dict]:
    """Fit on the folder, and for images once more with another seed.

    Args:
        folder: What `subsets.write` made.
        scratch: An empty folder for the cache and the models.
        python: Interpreter that has Headstart.
        backbone: Address of the backbone; None leaves the choice to `fit`.
        seed: Of the first fit; the second takes the next one.

    Yields:
        One row each: arm, both clocks, the test accuracy `fit` says, and the predictions of the saved model.
    """
    yield fit(folder, scratch, "ours", python=python, backbone=backbone, seed=seed)
    if backbone:
        yield fit(folder, scratch, "ours, second", python=python, backbone=backbone, seed=seed + 1)


def fit(folder: Path, scratch: Path, arm: str, *, python: str, backbone: str | None, seed: int) -> dict:
    headstart = [python, "-c", ENTRY]
    model, cache = scratch / arm, {"HEADSTART_CACHE": str(scratch / "cache")}
    command = [*headstart, "fit", str(folder), "-o", str(model), "--seed", str(seed), "--metric", "accuracy", "--json"]
    done = timed([*command, *(["--backbone", backbone] if backbone else [])], cwd=scratch, env=cache)
    result = json.loads(done.printed)
    items = read_part(folder, "test")[0] if backbone else [str(folder / "test.csv")]
    predicted = timed([*headstart, "predict", str(model), *items, "--json"], cwd=scratch, env=cache)
    return {
        "arm": arm,
        "adaptation_seconds": result["adaptation_seconds"],
        **done.clocks(),
        "said": result["test"]["value"],
        "strategy": result["strategy"],
        "predictions": [json.loads(line)["label"] for line in predicted.printed.splitlines()],
    }
