"""Entities of a target without labels: what adapting the source's head on features of words gains.

    python benchmarks/entities/unlabelled.py --results FILE.jsonl

For every pair one `headstart.adapt`, whose target is a CoNLL file of which no tag is read. Types are mapped to those
that both have; other entities are outside. Then every way of `headstart.domain_adaptation.METHODS` on the same
features. Tags of the target are looked at for the scores alone, after all that. A row is printed and appended as soon
as it is there, and what the results file has is not measured again.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from domains import BY_NAME, DUTCH, SAME, WNUT, mapped
from scoring import f1, interval, resampled, spans, tally
from sets import Part, Sentence, draw, unit_of, write

import headstart
from headstart import AdaptOptions, Reading
from headstart.domain_adaptation import METHODS, candidates
from headstart.tasks import Task, cut

sys.path.append(str(Path(__file__).parents[1] / "peers"))
from machine import describe, measured, record

OURS = ("headstart", "torch", "scikit-learn", "pot")
TYPES: Mapping[str, Mapping[str, str]] = {
    "wnut17": {name: kind for name, kind in WNUT.items() if kind != "MISC"},
    "wikigold": {name: name for name in ("PER", "LOC", "ORG")},
    "ncbi-disease": {"Disease": "Disease"},
    "bc5cdr": {"Disease": "Disease"},
    "conll2002-es": SAME,
    "conll2002-nl": SAME,
}
SETS = BY_NAME | {DUTCH.name: DUTCH}
PAIRS = (
    ("wnut17", "wikigold"), ("wikigold", "wnut17"), ("ncbi-disease", "bc5cdr"), ("bc5cdr", "ncbi-disease"),
    ("conll2002-es", "conll2002-nl"), ("conll2002-nl", "conll2002-es"),
)  # fmt: skip


def measure(source: str, target: str, options: argparse.Namespace) -> dict:
    """Adapt, then try every way, and only then look at the target's tags."""
    train, _ = draw(SETS[source], options.data, n=options.most_source, seed=0)
    _, test = draw(SETS[target], options.data, n=1, seed=0, most_test=options.most_target)
    train, test = mapped(train, TYPES[source]), mapped(test, TYPES[target])
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, train, test)
        result = headstart.adapt(
            folder / "train.conll",
            folder / "test.conll",
            folder / "model",
            reading=Reading(task="tagging"),
            options=AdaptOptions(offline=True),
        )
    seconds = time.monotonic() - began
    adapted = result.adapted
    # Ways that can take minutes on so many rows, and are of no use on classes either, are left out.
    names = [name for name in METHODS if name not in ("entropic_transport", "subspace")]
    every = candidates(adapted.best.pair, names, strength=adapted.best.strength)
    found = {each.name: told(each.predicted, adapted.model.task, test) for each in every}
    tallies = {name: tally(test, tags) for name, tags in found.items()}
    units = unit_of(test)
    chosen = result.decision.chosen.name
    gain = resampled(tallies[chosen], units) - resampled(tallies["none"], units)
    return {
        "n": [len(train), len(test)],
        "f1": {name: float(f1(each.sum(axis=0))) for name, each in tallies.items()},
        "modularity": {each.name: each.modularity for each in every},
        "back": every[0].back,
        "chosen": chosen,
        "refused": result.decision.refused,
        "reason": result.decision.reason,
        "gain": interval(gain),
        "entities": sum(len(spans(each.tags)) for each in test),
        "gap": {"auc": result.compared.gap.auc, "mmd_p": result.compared.gap.mmd_p},
        "seconds": seconds,
    }


def told(predicted: np.ndarray, task: Task, test: Part) -> list[list[str]]:
    """Turn probabilities of words into the tags of every sentence."""
    sizes = [len(each.words) for each in test]
    return [written(each, entities) for each, entities in zip(test, task.decode(cut(predicted, sizes)), strict=True)]


def written(sentence: Sentence, entities: Sequence) -> list[str]:
    tags = ["O"] * len(sentence.words)
    for each in entities:
        tags[each.start : each.end] = [f"B-{each.type}", *[f"I-{each.type}"] * (each.end - each.start - 1)]
    return tags


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/ner"), help="folder with the sets")
    parser.add_argument("--results", type=Path, required=True, help="JSON lines; made, or added to")
    parser.add_argument("--most-source", type=int, default=2000, help="sentences of the source at most")
    parser.add_argument("--most-target", type=int, default=1000, help="sentences of the target at most")
    options = parser.parse_args()
    for source, target in PAIRS:
        cell = {"source": source, "target": target}
        if measured(options.results, cell):
            continue
        row = measure(source, target, options)
        record(options.results, cell | row | describe(sys.executable, OURS))
        scores = ", ".join(f"{name} {value:.3f}" for name, value in row["f1"].items())
        print(f"{source} > {target}: {scores}; chosen {row['chosen']}; {row['seconds']:.0f} s", flush=True)


if __name__ == "__main__":
    main()
