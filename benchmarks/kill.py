"""Kill `headstart fit` at random moments until it ends, and compare its weights with those of a run left in peace.

    python benchmarks/kill.py ../shared/data/text/trec6 [--rows 600] [--kills 3] [--seed 0] [--backbone NAME]

Both runs are processes of their own, with the default ladder and a store of their own; trainings write a checkpoint
every second, so that kills meet them. The hashes must be equal.
"""

import argparse
import csv
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def some_rows(source: Path, folder: Path, rows: int) -> Path:
    """Write the first rows of train.csv, and test.csv, into a folder."""
    folder.mkdir()
    for name, most in (("train.csv", rows), ("test.csv", rows // 4)):
        with (source / name).open(newline="", encoding="utf-8") as file:
            header, *lines = list(csv.reader(file))
        with (folder / name).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([header, *lines[:most]])
    return folder


FIT = """
import sys, headstart
data, output, backbone = sys.argv[1:]
options = headstart.FitOptions(backbones=(backbone,), offline=True, checkpoint_seconds=1.0)
headstart.fit(data, output, options=options)
"""


def command(data: Path, output: Path, backbone: str) -> list[str]:
    return [sys.executable, "-c", FIT, str(data), str(output), backbone]


def held(left: Path) -> str:
    """Say what a killed run left, and how far each checkpoint is."""
    names = sorted(path.name for path in left.iterdir()) if left.exists() else ["nothing"]
    records = [json.loads(path.read_bytes())["progress"] for path in left.glob("training/*/*.json")]
    steps = sorted(record["step"] for record in records)
    return ", ".join(names) + (f"; checkpoints at steps {', '.join(map(str, steps))}" if steps else "")


def run(words: list[str], cache: Path, seconds: float | None) -> int:
    """Run a command; kill it after so many seconds where it still runs."""
    environment = {**os.environ, "HEADSTART_CACHE": str(cache)}
    process = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        return process.wait()


def digest(model: Path) -> str:
    return hashlib.sha256((model / "weights.safetensors").read_bytes()).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("--rows", type=int, default=600)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--backbone", default="starter:minilm-l6")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        data = some_rows(options.source, folder / "data", options.rows)
        started = time.monotonic()
        if run(command(data, folder / "whole", options.backbone), folder / "cache-whole", None):
            sys.exit("The run left in peace failed.")
        seconds = time.monotonic() - started
        print(f"left in peace: {digest(folder / 'whole')}  {seconds:.0f} s")
        words, kills = command(data, folder / "killed", options.backbone), 0
        while not (folder / "killed").exists():
            # The later half of a run is where its decisions and trainings are.
            moment = rng.uniform(0.2, 0.9) * seconds if kills < options.kills else None
            status = run(words, folder / "cache-killed", moment)
            if status == -signal.SIGKILL:
                kills += 1
                print(f"killed after {moment:.0f} s; left: {held(folder / 'killed.partial')}", flush=True)
            elif status:
                sys.exit(f"The run failed with status {status}.")
        print(f"killed {kills} times: {digest(folder / 'killed')}")
        if digest(folder / "whole") != digest(folder / "killed"):
            sys.exit("The weights differ.")
        print("The weights are equal.")


if __name__ == "__main__":
    main()
