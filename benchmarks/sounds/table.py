"""Print the results of `run.py` as a Markdown table.

    python benchmarks/sounds/table.py FILE.jsonl

Of several folds the scores are averaged by the items tested (word error rates by words, so it is the rate over all).
Where every fold is one of at least five speakers, the 95 % interval comes from drawing speakers again; else the folds'
own intervals are put together as those of independent parts, which test different items: half widths are weighted as
the scores are, and added as squares.
"""

import argparse
import json
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FEWEST_SPEAKERS, DRAWS = 5, 2000


@dataclass(frozen=True)
class Folds:
    """A number with its interval for every fold, and what each fold weighs."""

    values: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    weights: NDArray[np.float64]
    by_speaker: bool

    @property
    def value(self) -> float:
        return float(self.values @ self.weights / self.weights.sum())

    def interval(self) -> tuple[float, float]:
        if self.by_speaker and len(self.values) >= FEWEST_SPEAKERS:
            drawn = np.random.default_rng(0).integers(len(self.values), size=(DRAWS, len(self.values)))
            means = (self.values * self.weights)[drawn].sum(axis=1) / self.weights[drawn].sum(axis=1)
            low, high = np.quantile(means, [0.025, 0.975])
            return float(low), float(high)
        share = self.weights / self.weights.sum()
        below, above = (np.sqrt(np.square(share * (edge - self.values)).sum()) for edge in (self.low, self.high))
        return self.value - float(below), self.value + float(above)

    def show(self, form: str = ".3f") -> str:
        low, high = self.interval()
        return f"{self.value:{form}} [{low:{form}}, {high:{form}}]"


def folds(rows: Sequence[dict], found: Sequence[dict], *, key: str = "value", interval: str = "interval") -> Folds:
    """Take one number of every fold, from what was found of it there."""
    edges = np.array([each[interval] for each in found], dtype=float)
    words = [sum(group["words"] for group in (row["groups"] or {}).values()) for row in rows]
    weights = np.array([count or row["n"] for count, row in zip(words, rows, strict=True)], dtype=float)
    by_speaker = all(len(row["groups"] or ()) == 1 for row in rows)
    return Folds(np.array([each[key] for each in found], dtype=float), edges[:, 0], edges[:, 1], weights, by_speaker)


def line(rows: Sequence[dict]) -> list[str]:
    """Write the line of one case and network."""
    ours, others = folds(rows, rows), []
    for start in ("MFCC", "random weights", "from scratch"):
        found = [next((b for name, b in row["baselines"].items() if name.startswith(start)), None) for row in rows]
        if any(each is None for each in found):
            others.append(f"in {sum(each is not None for each in found)} of {len(rows)} folds")
            continue
        theirs = folds(rows, found).value
        minus = folds(rows, found, key="difference", interval="difference_interval").show("+.3f")
        others.append(f"{theirs:.3f}; {minus}")
    chosen = sorted({re.sub(r"\(.*", "", row["strategy"]) for row in rows})
    seconds = np.median([row["adaptation_seconds"] for row in rows])
    tested = f"{sum(row['n'] for row in rows):,} in {len(rows)}"
    about = rows[0]
    return [about["case"], about["backbone"], f"{about['budget']:.0f} s", tested, about["metric"], ours.show(),
            *others, ", ".join(chosen), f"{seconds:.0f} s"]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="JSON lines that run.py wrote")
    rows = [json.loads(text) for text in parser.parse_args().results.read_text(encoding="utf-8").splitlines()]
    cases = defaultdict[tuple[str, str, float], list[dict]](list)
    for row in rows:
        cases[row["case"], row["backbone"], row["budget"]].append(row)
    header = ["case", "network", "budget", "tested, folds", "score", "headstart", "MFCC; ours minus it",
              "random weights, probe; pretrained probe minus it", "from scratch; ours minus it", "chosen",
              "adapted in"]  # fmt: skip
    for cells in (header, ["---"] * len(header), *map(line, cases.values())):
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
