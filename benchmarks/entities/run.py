"""Entities with few labels: Headstart against transformers' recipe with the same weights and a classical model.

    python benchmarks/entities/run.py --peers-python PYTHON --results FILE.jsonl
    python benchmarks/entities/table.py FILE.jsonl

For every data set (`sets.py`), number of training sentences and seed, on the same two CoNLL files:

* huggingface: `huggingface.py`, all weights of the MiniLM-L6 that `headstart models path starter:minilm-l6` names;
* classical: `classical.py`, a conditional random field on surface features;
* headstart: the default `headstart fit --task tagging`, and headstart finetune: the same with `--strategy finetune`,
  each in a process of its own with an empty cache, the tags read from what `headstart predict` prints.

MiniLM knows English in lower case: CoNLL-2002 Spanish shows what that costs every arm but the classical one.

`adaptation_seconds` is from loaded weights to the final model, for a peer the training call alone, for ours what `fit`
reports; `seconds` is the wall clock of the whole processes. All arms take --threads threads. With all training
sentences there is one seed. A row is printed and appended as soon as it is there, and what the results file has is not
measured again: stop and go on at will. Every row holds the tallies of every test sentence, so `table.py` pairs any two
arms. `benchmarks/results/entities.jsonl` has rows of the whole grid, which goes on from there.

The peers live in an environment of their own: torch, transformers, accelerate and sklearn-crfsuite.
"""

import argparse
import hashlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from arms import ARMS, ENTRY, Places
from scoring import scored
from sets import MOST_TEST, SETS, Set, draw, write

sys.path.append(str(Path(__file__).parents[1] / "peers"))
from machine import measured, record, timed

SIZES = ("100", "300", "1000", "all")
DEFAULT_ARMS = ("huggingface", "headstart", "headstart finetune", "classical")


def cells(options: argparse.Namespace) -> Iterator[tuple[Set, str, int]]:
    """Yield what to measure: the first seed of everything first, so that an early stop leaves a whole picture."""
    for seed in options.seeds:
        for n in options.n:
            for each in SETS:
                if each.name in (options.set or [each.name]) and not (n == "all" and seed):
                    yield each, n, seed


def measure(each: Set, n: str, seed: int, options: argparse.Namespace, progress: Callable[[], str]) -> None:
    """Measure all arms of one draw that the results do not have yet."""
    cell, arms = {"set": each.name, "n": n, "seed": seed}, options.arm or DEFAULT_ARMS
    todo = [name for name in arms if not measured(options.results, {**cell, "arm": name})]
    if not todo:
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "data"
        folder.mkdir()
        train, test = draw(each, options.data, n=None if n == "all" else int(n), seed=seed, most_test=options.most_test)
        write(folder, train, test)
        about = {**cell, "n_train": len(train), "n_test": len(test)}
        about["test"] = hashlib.sha256((folder / "test.conll").read_bytes()).hexdigest()[:12]
        for arm in todo:
            scratch = Path(name) / arm
            scratch.mkdir()
            row = ARMS[arm](folder, scratch, options.places, seed=seed)
            found = scored(test, row.pop("predictions"))
            append(options.results, {**about, "arm": arm, **row, "threads": options.threads, **found}, progress)


def append(results: Path, row: Mapping, progress: Callable[[], str]) -> None:
    record(results, row)
    low, high = row["interval"]
    print(
        f"{progress()} {row['set']} {row['n']}, seed {row['seed']}, {row['arm']}: F1 {row['f1']:.3f} "
        f"[{low:.3f}, {high:.3f}], {row['adaptation_seconds']:.1f} s adaptation, {row['seconds']:.1f} s",
        flush=True,
    )


def minilm_folder(python: str) -> str:
    return timed([python, "-c", ENTRY, "models", "path", "starter:minilm-l6"], cwd=Path.cwd()).printed.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/ner"), help="folder with the sets")
    parser.add_argument("--peers-python", required=True, help="interpreter that has the peers")
    parser.add_argument("--ours-python", default=sys.executable, help="interpreter that has Headstart [this one]")
    parser.add_argument("--results", type=Path, required=True, help="JSON lines; made, or added to")
    parser.add_argument("--set", action="append", choices=[each.name for each in SETS], help="may be repeated")
    parser.add_argument("--n", nargs="+", default=SIZES, help="training sentences: numbers, or all")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of draws; only 0 for all sentences")
    parser.add_argument("--arm", action="append", choices=list(ARMS), help="may be repeated")
    parser.add_argument("--threads", type=int, default=2, help="of every arm")
    parser.add_argument("--most-test", type=int, default=MOST_TEST, help="test sentences of a set")
    options = parser.parse_args()
    options.data, options.results = options.data.resolve(), options.results.resolve()
    options.places = Places(
        peers_python=options.peers_python,
        ours_python=options.ours_python,
        weights=minilm_folder(options.ours_python),
        threads=options.threads,
    )
    started, every = time.monotonic(), list(cells(options))
    for number, (each, n, seed) in enumerate(every, 1):

        def progress(number: int = number) -> str:
            return f"[{number}/{len(every)}, {time.monotonic() - started:.0f} s]"

        measure(each, n, seed, options, progress)


if __name__ == "__main__":
    main()
