"""Domain adaptation on stored features: every way, and what is chosen without a label of the target.

    python benchmarks/adaptation/run.py --results FILE.jsonl
    python benchmarks/adaptation/table.py FILE.jsonl

For every ordered pair of domains of a set (`sets.py`) the head of the source as it is, every way of
`headstart.domain_adaptation.METHODS`, and what `decide` makes of those that `automatic` names. Labels of the target are
looked at for the score alone, after all that. Domains are taken whole, but for at most --most examples of each.

A row is printed and appended as soon as it is there; what the results file has is not measured again.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from itertools import permutations
from pathlib import Path

import numpy as np
from sets import SETS, Features, Set, read

from headstart.data import make_folds
from headstart.domain_adaptation import METHODS, Pair, candidates, clustering, decide, measure_gap
from headstart.evaluation import paired_interval

sys.path.append(str(Path(__file__).parents[1] / "peers"))
from machine import describe, measured, record

OURS = ("headstart", "torch", "scikit-learn", "pot")
FOLDS = 5
Measure = Callable[[Features, str, str, argparse.Namespace], dict]


def pair_of(features: Features, source: str, target: str, *, most: int) -> tuple[Pair, np.ndarray]:
    """Two domains, and the target's labels besides."""
    generator = np.random.default_rng(0)
    rows = [np.flatnonzero(features.domain == name) for name in (source, target)]
    here, there = (np.sort(generator.permutation(each)[:most]) for each in rows)
    y = features.y[here]
    folds = make_folds(y, groups=np.arange(len(y)), n_splits=FOLDS, seed=0)
    return Pair(features.X[here], y, features.X[there], len(features.classes), folds), features.y[there]


def measure(features: Features, source: str, target: str, options: argparse.Namespace) -> dict:
    """Adapt in every way, choose, and only then look at the target's labels."""
    pair, truth = pair_of(features, source, target, most=options.most)
    began = time.monotonic()
    gap = measure_gap(pair.source, pair.target)
    automatic = candidates(pair)  # as `headstart adapt` has it
    decision = decide(pair, automatic, gap, classes=features.classes)
    seconds = time.monotonic() - began
    tried = [each.name for each in automatic]
    every = candidates(pair, list(METHODS), ways_back="all")
    plain = automatic[0].predicted
    interval = paired_interval("accuracy", truth, decision.chosen.predicted, plain, seed=0)
    return {
        "n": [len(pair.source), len(pair.target)],
        "accuracy": {each.name: float((each.predicted.argmax(axis=1) == truth).mean()) for each in every},
        "modularity": {each.name: each.modularity for each in every},
        "back": {each.name: each.back for each in every},
        "gap": {"auc": gap.auc, "mmd_p": gap.mmd_p, "unlike": len(gap.unlike) / len(truth)},
        "clustering": clustering(pair),
        "automatic": tried,
        "chosen": decision.chosen.name,
        "refused": decision.refused,
        "reason": decision.reason,
        "difference": [interval.low, interval.high],
        "seconds": seconds,
    }


def rows_of(each: Set, options: argparse.Namespace, found_in: Measure, **more: int) -> Iterator[dict]:
    """Measure and record the pairs of one set that the results do not have."""
    features = read(each, options.data, options.weights)
    for source, target in permutations(sorted(set(features.domain)), 2):
        cell = {"set": each.name, "source": source, "target": target, "most": options.most, **more}
        if (each.sources and source not in each.sources) or measured(options.results, cell):
            continue
        row = cell | found_in(features, source, target, options)
        record(options.results, row | describe(sys.executable, OURS))
        yield row


def run(each: Set, options: argparse.Namespace) -> None:
    """Measure the pairs of one set, and print what is chosen."""
    for row in rows_of(each, options, measure):
        found = row["accuracy"]
        print(
            f"{each.name} {row['source']} > {row['target']}: none {found['none']:.3f}, chosen {row['chosen']} "
            f"{found[row['chosen']]:.3f}, best of automatic {max(found[name] for name in row['automatic']):.3f}, "
            f"{row['seconds']:.1f} s{'; refused: ' + row['reason'] if row['refused'] else ''}",
            flush=True,
        )


def parser_of(description: str) -> argparse.ArgumentParser:
    """Return the options that all benchmarks on features of pairs have."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with the sets")
    parser.add_argument("--weights", type=Path, default=Path("../shared/weights"), help="folder with MobileNetV2")
    parser.add_argument("--results", type=Path, required=True, help="JSON lines; made, or added to")
    parser.add_argument("--set", action="append", choices=[each.name for each in SETS], help="may be repeated")
    parser.add_argument("--most", type=int, default=2000, help="examples of a domain")
    return parser


def main() -> None:
    options = parser_of(str(__doc__)).parse_args()
    for each in SETS:
        if each.name in (options.set or [each.name]):
            run(each, options)


if __name__ == "__main__":
    main()
