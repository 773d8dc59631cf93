"""Memory of the process that hands out the work, as the number of items grows.

    python benchmarks/cluster/memory.py [--items 10000 50000 200000] [--workers 1] [-o FILE.json]

Synthetic texts under a small network, each number in a process of its own; what the list of items itself takes is told
beside the peak.
"""

import argparse
import json
import resource
import subprocess
import sys
from pathlib import Path

from headstart.backbones import load
from headstart.engine import LocalEngine, open_engine
from headstart.features import frozen_pass


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def one(n: int, workers: int, name: str) -> None:
    backbone = load("toy:text")
    options = {"workers": workers} if name == "ray" else {}
    with open_engine(name, **options) as engine:
        list(frozen_pass(backbone, ["a text"] * 4096, engine=engine))
        list(frozen_pass(backbone, ["a text"] * 4096, engine=LocalEngine()))
        before = peak()
        items = [f"text number {i} of a synthetic set" for i in range(n)]
        with_items = peak()
        rows = sum(len(part.positions) for part in frozen_pass(backbone, items, engine=engine))
        assert rows == n
        print(json.dumps({"items": n, "before": before, "with_items": with_items, "after": peak()}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, nargs="+", default=[10_000, 50_000, 200_000])
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--engine", default="ray")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    parser.add_argument("-o", "--output", type=Path)
    asked = parser.parse_args()
    if asked.one:
        one(asked.one, asked.workers, asked.engine)
        return
    rows = []
    for n in asked.items:
        words = [sys.executable, __file__, "--one", str(n), "--workers", str(asked.workers), "--engine", asked.engine]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        rows.append({k: round(v, 1) for k, v in json.loads(done.stdout.splitlines()[-1]).items()})
        print(rows[-1], flush=True)
    if asked.output:
        asked.output.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
