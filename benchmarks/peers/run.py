"""Headstart against its peers: the same examples, the same weights, the same machine, turn by turn.

    python benchmarks/peers/run.py --data DATA --mobilenet FOLDER --peers-python PYTHON --results FILE.jsonl
    python benchmarks/peers/table.py FILE.jsonl

What is compared (`cases.py` lists the cases):

* Text: TREC-6 and SST-2, the MiniLM-L6 weights that `headstart models path starter:minilm-l6` names, for all arms.
  With 64 labels per class against transformers' Trainer fine-tuning all weights; with 8 and 16 against SetFit.
* Images: hymenoptera with its own split, flowers5 and chest-xray with few labels per class, MobileNetV2 from one
  folder, against fastai's `vision_learner` and `fine_tune(5)`. flowers5 has no split: a fixed 30 % of each class is
  the test part.
* Ours is the default `headstart fit DATA -o MODEL --json` in a process of its own with an empty cache; on images
  `--backbone dir:FOLDER` is added, and a second fit with another seed on the cache the first one filled.

How:

* One function draws the labels of a seed (`subsets.subset`) and writes one folder; both arms read that folder and
  nothing else. The test part is always the whole one, and one function scores the predictions of every arm.
* Two clocks in every row. Adaptation: from imported libraries and loaded weights to the final model, without the test
  pass; for a peer the training call alone, for ours what `fit` reports. Process: the wall clock of the whole process,
  imports, test pass and, for ours, saving included.
* Arms take turns (peer seed 0, ours seed 0, peer seed 1, ...), each with its tool's default number of threads. A row
  is appended as soon as it is measured, with versions, commit and processor; what a results file has is not measured
  again. Run each peer once for trying out first: an environment's first imports compile its bytecode.

The peers live in an environment of their own: torch, torchvision, transformers, accelerate, datasets, setfit,
sentence-transformers, fastai, timm and scikit-learn, in the versions of ours where they install together.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import ours
from cases import CASES, OURS, PACKAGES, Case
from machine import describe, here, timed
from subsets import read_part, subset, write

OFFLINE = {"HF_HUB_OFFLINE": "1"}


@dataclass(frozen=True)
class Places:
    """Where everything lies: the data sets, the weights of each modality and the two interpreters."""

    data: Path
    minilm: str
    mobilenet: str
    ours_python: str
    peers_python: str


def measure(case: Case, seed: int, arm: str, places: Places) -> Iterator[dict]:
    """Yield the finished rows of one arm of one case on one subset."""
    with tempfile.TemporaryDirectory() as name:
        folder, scratch = Path(name) / "data", Path(name) / "scratch"
        folder.mkdir()
        scratch.mkdir()
        write(folder, *subset(places.data, case.dataset, per_class=case.per_class, seed=seed))
        labels = {part: read_part(folder, part)[1] for part in ("train", "test")}
        about = {"case": case.name, "seed": seed, "train": len(labels["train"]), "test": len(labels["test"])}
        for row in arm_rows(case, seed, arm, places, folder=folder, scratch=scratch):
            found = accuracy(row.pop("predictions"), labels["test"])
            yield about | row | {"accuracy": found, "finished": time.strftime("%Y-%m-%d %H:%M")} | here()


def arm_rows(case: Case, seed: int, arm: str, places: Places, *, folder: Path, scratch: Path) -> Iterator[dict]:
    if arm == "peer":
        yield peer(case, seed, places, folder=folder, scratch=scratch)
        return
    backbone = f"dir:{places.mobilenet}" if case.modality == "image" else None
    for row in ours.measure(folder, scratch, python=places.ours_python, backbone=backbone, seed=seed):
        yield row | describe(places.ours_python, OURS)


def peer(case: Case, seed: int, places: Places, *, folder: Path, scratch: Path) -> dict:
    weights = places.mobilenet if case.modality == "image" else places.minilm
    script = Path(__file__).with_name(f"peer_{case.peer}.py")
    command = [places.peers_python, str(script), str(folder), "--weights", weights, "--seed", str(seed)]
    done = timed(command, cwd=scratch, env=OFFLINE)
    result = json.loads(done.printed.splitlines()[-1])
    row = {"arm": "peer", "peer": case.peer} | done.clocks()
    return row | result | describe(places.peers_python, PACKAGES[case.peer])


def accuracy(predicted: Sequence[str], labels: Sequence[str]) -> float:
    """Return the share of predictions that are right; there must be one for every label."""
    return sum(a == b for a, b in zip(predicted, labels, strict=True)) / len(labels)


def measured(results: Path) -> set[tuple]:
    rows = results.read_text(encoding="utf-8").splitlines() if results.exists() else []
    return {(row["case"], row["seed"], row["arm"]) for row in map(json.loads, rows)}


def run(cases: Iterable[Case], places: Places, *, results: Path, arms: Sequence[str], seeds: int | None) -> None:
    """Measure what the results file does not have yet; every finished row is appended at once."""
    done = measured(results)
    for case in cases:
        for seed in range(min(case.seeds, seeds or case.seeds)):
            for arm in arms:
                if (case.name, seed, last_arm(case, arm)) in done:
                    continue
                for row in measure(case, seed, arm, places):
                    if (case.name, seed, row["arm"]) not in done:
                        append(results, row)


def last_arm(case: Case, arm: str) -> str:
    """Name the row that is written last for an arm: once it is there, the arm is finished."""
    return "ours, second" if arm == "ours" and case.modality == "image" else arm


def append(results: Path, row: dict) -> None:
    with results.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
    clocks = f"{row['adaptation_seconds']:.2f} s adaptation, {row['process_seconds']:.1f} s process"
    print(f"{row['case']} seed {row['seed']} {row['arm']}: accuracy {row['accuracy']:.4f}, {clocks}", flush=True)


def minilm_folder(python: str) -> str:
    command = [python, "-c", ours.ENTRY, "models", "path", "starter:minilm-l6"]
    return timed(command, cwd=Path.cwd()).printed.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with text/ and images/")
    parser.add_argument("--mobilenet", required=True, help="folder of mobilenetv2_100.in1k")
    parser.add_argument("--peers-python", required=True, help="interpreter that has the peers")
    parser.add_argument("--ours-python", default=sys.executable, help="interpreter that has Headstart [this one]")
    parser.add_argument("--results", type=Path, required=True, help="JSON lines; made, or added to")
    parser.add_argument("--only", choices=["text", "image"])
    parser.add_argument("--case", action="append", choices=[case.name for case in CASES], help="may be repeated")
    parser.add_argument("--seeds", type=int, help="fewer subsets than the case asks for")
    parser.add_argument("--arm", choices=["peer", "ours"], help="only this one: for trying out, not for results")
    options = parser.parse_args()
    places = Places(
        data=options.data.resolve(),
        minilm=minilm_folder(options.ours_python),
        mobilenet=str(Path(options.mobilenet).resolve()),
        ours_python=options.ours_python,
        peers_python=options.peers_python,
    )
    chosen = [
        case for case in CASES if options.only in (None, case.modality) and case.name in (options.case or [case.name])
    ]
    arms = [options.arm] if options.arm else ["peer", "ours"]
    run(chosen, places, results=options.results, arms=arms, seeds=options.seeds)


if __name__ == "__main__":
    main()
