"""How much the ranking loses: regret at 1 and at 3, and weighted Kendall tau, against prior, LogME and kNN alone.

    python benchmarks/ranking/table.py FILE.jsonl

Regret at k: the best test accuracy among all candidates minus the best among the first k, in points.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from candidates import DECOY
from scipy import stats

WAYS = ("ranking", "prior", "logme", "neighbours", "probe", "h_score", "discriminant")


def value(row: Mapping, way: str) -> float:
    """Return what a way to rank says of a candidate; larger is better."""
    if way in ("ranking", "prior"):
        return row["score" if way == "ranking" else "prior"]
    return row["scores"][way]


def regret(order: Sequence[str], truth: Mapping[str, float], k: int) -> float:
    return 100 * (max(truth.values()) - max(truth[name] for name in order[:k]))


def main() -> None:
    rows = [json.loads(line) for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()]
    truths: dict[tuple, dict[str, float]] = defaultdict(dict)
    for row in rows:
        if row["what"] == "truth":
            truths[row["set"], row["seed"]][row["candidate"]] = row["accuracy"]
    found: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    for row in rows:
        truth = truths[row["set"], row["seed"]]
        if row["what"] != "ranking" or len(truth) < len(row["candidates"]):
            continue
        fine = [each for each in row["candidates"] if each["error"] is None]
        print(f"\n{row['set']} seed {row['seed']}, n = {row['n']}, signal {row['signal']}")
        for each in fine:
            print(
                f"  {each['candidate']:32} {each['score']:+.2f}  top 3 {each['p_top3']:4.0%}  tie {each['tie']}  "
                f"accuracy {truth[each['candidate']]:.3f}"
            )
        best = sorted(truth, key=truth.get, reverse=True)[:3]
        for each in fine[:3]:
            if DECOY in each["candidate"] and each["candidate"] not in best:
                print(f"  DECOY in the top three: {each['candidate']}")
        for way in WAYS:
            order = [each["candidate"] for each in sorted(fine, key=lambda each: -value(each, way))]
            tau = stats.weightedtau([truth[e["candidate"]] for e in fine], [value(e, way) for e in fine]).statistic
            found[way].append((regret(order, truth, 1), regret(order, truth, 3), tau))
    print(f"\n{'way':14} regret@1  regret@3  weighted tau   (means of {len(found['ranking'])})")
    for way in WAYS:
        one, three, tau = np.mean(found[way], axis=0)
        print(f"{way:14} {one:8.2f}  {three:8.2f}  {tau:12.2f}")


if __name__ == "__main__":
    main()
