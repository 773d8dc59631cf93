"""Sound through the product itself: `headstart fit --proof full` on every fold of every set.

    python benchmarks/sounds/run.py --data DATA --results FILE.jsonl
    python benchmarks/sounds/table.py FILE.jsonl

A fold's test part is scored once, by what the default ladder chose on its training part. Beside it stand what `fit`
compares with: MFCC statistics with logistic regression (of speech MFCC frames with CTC), the most frequent answer, the
same network with random weights, and the same network trained from scratch in as much time as adapting took.
`--backbone` takes another network than the starter; features go through the ordinary store (HEADSTART_CACHE).

A row is printed and appended as soon as it is there, and what the results file has is not measured again. Of a
transcription it holds errors and words of every speaker, for an interval by speaker over all folds.
`benchmarks/results/sounds.jsonl` has the rows behind the log.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from cases import CASES, Case, Row

import headstart

sys.path.insert(0, str(Path(__file__).parents[1] / "peers"))
from machine import measured, record


def fitted(folder: Path, options: argparse.Namespace) -> dict:
    """Fit, and return what `headstart fit --json` would print."""
    asked = headstart.FitOptions(backbones=(options.backbone,), proof="full", offline=True, budget=options.budget)
    return headstart.fit(folder / "manifest.csv", folder.with_name("model"), options=asked).to_dict()


def row_of(found: dict) -> dict:
    """Keep what the table needs."""
    test, errors = found["test"], found.get("errors")
    groups = errors and errors["groups"]
    rungs = [{key: rung[key] for key in ("name", "value", "accepted", "reason", "seconds")} for rung in found["rungs"]]
    told = ("strategy", "chosen", "adaptation_seconds", "seconds", "notes", "transfer_helped")
    kept = {key: found[key] for key in told}
    score = {key: test[key] for key in ("metric", "value", "interval", "interval_method", "n", "metrics")}
    return {**score, **kept, "rungs": rungs, "baselines": found["baselines"], "groups": groups or None}


def measure(case: Case, rows: list[Row], tested: tuple[str, ...], options: argparse.Namespace) -> None:
    """Measure one fold, unless the results have it."""
    about = {"case": case.name, "tested": " ".join(tested), "backbone": options.backbone, "budget": options.budget}
    if measured(options.results, about):
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "data"
        case.write(options.data, rows, tested, folder)
        row = {**about, **row_of(fitted(folder, options))}
    record(options.results, row)
    low, high = row["interval"]
    score = f"{row['metric']} {row['value']:.3f} [{low:.3f}, {high:.3f}]"
    others = ", ".join(f"{other} {its['value']:.3f}" for other, its in row["baselines"].items())
    fold = f"{case.name}, tested on {' and '.join(tested)}"
    print(f"{fold}: {score}, {row['strategy']}, {row['seconds']:.0f} s; {others}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with audio/")
    parser.add_argument("--results", type=Path, required=True, help="JSON lines; made, or added to")
    parser.add_argument("--backbone", default="starter:audio-small", help="the network measured")
    parser.add_argument("--budget", type=float, default=1800, help="seconds that one fit may take")
    parser.add_argument("--case", action="append", help=f"one of: {'; '.join(case.name for case in CASES)}")
    options = parser.parse_args()
    for case in CASES:
        if case.name in (options.case or [case.name]):
            rows = case.rows(options.data)
            for tested in case.tested(rows):
                measure(case, rows, tested, options)


if __name__ == "__main__":
    main()
