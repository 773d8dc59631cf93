"""Twenty labels of the target: what `headstart adapt --ask 20` and the check by them are worth.

    python benchmarks/adaptation/asking.py --results FILE.jsonl

For every ordered pair of domains of a set (`sets.py`) the choice without labels, and after 20 labels drawn as
`worth_asking` draws them, for several draws; the labels given are the true ones. A row is printed and appended as soon
as it is there; what the results file has is not measured again.
"""

import argparse

from run import pair_of, parser_of, rows_of
from sets import SETS, Features

from headstart.domain_adaptation import after_asking, candidates, decide, measure_gap, worth_asking
from headstart.evaluation import paired_interval


def measure(features: Features, source: str, target: str, options: argparse.Namespace) -> dict:
    """Choose without labels, and with some, several times."""
    pair, truth = pair_of(features, source, target, most=options.most)
    found = candidates(pair)
    accuracy = {each.name: float((each.predicted.argmax(axis=1) == truth).mean()) for each in found}
    decision = decide(pair, found, measure_gap(pair.source, pair.target), classes=features.classes)
    after, held = [], []
    for seed in range(options.draws):
        rows = worth_asking(found, options.ask, seed=seed)
        again, said = after_asking(decision, found, rows, truth[rows])
        after.append(again.chosen.name)
        true = accuracy[said.rival] - accuracy["none"]
        held.append(said.gain is None or said.gain[1] <= true <= said.gain[2])
    interval = paired_interval("accuracy", truth, decision.chosen.predicted, found[0].predicted, seed=0)
    return {
        "accuracy": accuracy,
        "difference": [interval.low, interval.high],
        "reason": decision.reason,
        "chosen": decision.chosen.name,
        "refused": decision.refused,
        "after": after,
        "held": sum(held),
        "after_accuracy": sum(accuracy[name] for name in after) / len(after),
    }


def main() -> None:
    parser = parser_of(str(__doc__))
    parser.add_argument("--ask", type=int, default=20, help="labels")
    parser.add_argument("--draws", type=int, default=20, help="of these labels")
    options = parser.parse_args()
    for each in SETS:
        if each.name not in (options.set or [each.name]):
            continue
        for row in rows_of(each, options, measure, ask=options.ask):
            found = row["accuracy"]
            print(
                f"{each.name} {row['source']} > {row['target']}: none {found['none']:.3f}, chosen "
                f"{found[row['chosen']]:.3f}, with labels {row['after_accuracy']:.3f} ({row['held']} of "
                f"{options.draws} intervals hold)",
                flush=True,
            )


if __name__ == "__main__":
    main()
