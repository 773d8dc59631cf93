"""Print the results of `run.py` as Markdown tables, one for each network measured in the starter's place.

    python benchmarks/starters/table.py FILE.jsonl

Accuracies are means over seeds. A difference is paired: the same draws, the same test items; its 95 % interval comes
from drawing items again, an item's answers under all seeds together, and beside it stands the range over seeds. The
last line counts the cells in which the interval lies on one side of zero and every seed agrees.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import numpy as np

from headstart.evaluation import paired_interval

OWN = ("probe", "ladder", "random probe", "scratch")  # arms that rest on the network measured
OTHERS = ("classical", "mobilenetv2", "squeezenet1", "majority")
PAIRS = (
    ("probe", "random probe"), ("ladder", "scratch"), ("probe", "classical"), ("ladder", "probe"),
    ("ladder", "mobilenetv2"),
)  # fmt: skip

Seeds = Mapping[int, dict]  # rows of one arm by seed


@dataclass(frozen=True)
class Difference:
    """One arm minus another: value, interval over items, and the difference of every seed."""

    value: float
    low: float
    high: float
    by_seed: tuple[float, ...]

    @property
    def sign(self) -> int:
        """1 or -1 where the interval and all seeds are on one side of zero, else 0."""
        if self.low > 0 and min(self.by_seed) > 0:
            return 1
        return -1 if self.high < 0 and max(self.by_seed) < 0 else 0

    def __str__(self) -> str:
        seeds = f" ({min(self.by_seed):+.3f} to {max(self.by_seed):+.3f})" if len(self.by_seed) > 1 else ""
        return f"{self.value:+.3f} [{self.low:+.3f}, {self.high:+.3f}]{seeds}"


def difference(one: Seeds, other: Seeds) -> Difference | None:
    """Pair two arms by seed and item; None where they share no seed."""
    seeds = sorted(set(one) & set(other))
    if not seeds:
        return None
    a, b = (np.concatenate([answers(rows[seed]) for seed in seeds]) for rows in (one, other))
    items = [f"{one[seed]['test']} {i}" for seed in seeds for i in range(one[seed]["n_test"])]
    y = np.ones(len(a), dtype=int)
    found = paired_interval("accuracy", y, one_hot(a), one_hot(b), groups=np.array(items), seed=0)
    by_seed = tuple(one[seed]["accuracy"] - other[seed]["accuracy"] for seed in seeds)
    return Difference(mean(by_seed), found.low, found.high, by_seed)


def answers(row: dict) -> np.ndarray:
    return np.array([int(each) for each in row["right"]])


def one_hot(right: np.ndarray) -> np.ndarray:
    return np.column_stack([1 - right, right]).astype(float)


def table(cells: Mapping[tuple[str, int], Mapping[str, Seeds]]) -> str:
    """Write one table: a line for each data set and number of labels."""
    arms = [arm for arm in (*OWN, *OTHERS) if any(found.get(arm) for found in cells.values())]
    pairs = [pair for pair in PAIRS if set(pair) <= set(arms)]
    header = ["set", "per class", "trained on", "tested on", "seeds", *arms, *(f"{a} - {b}" for a, b in pairs)]
    lines, counted = [header, ["---"] * len(header)], defaultdict[tuple[str, str], list[Difference]](list)
    for (name, n), found in cells.items():
        some = next(iter(next(iter(found.values())).values()))
        seeds = max(len(rows) for rows in found.values())
        line = [name, str(n), str(some["n_train"]), str(some["n_test"]), str(seeds)]
        line += [f"{mean(row['accuracy'] for row in found[arm].values()):.3f}" if arm in found else "" for arm in arms]
        for pair in pairs:
            paired = difference(*(found.get(arm, {}) for arm in pair))
            line.append(str(paired or ""))
            counted[pair] += [paired] if paired else []
        lines.append(line)
    lines.append(["all", "", "", "", "", *[""] * len(arms), *(summary(counted[pair]) for pair in pairs)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def summary(found: Sequence[Difference]) -> str:
    if not found:
        return ""
    better, worse = (sum(each.sign == sign for each in found) for sign in (1, -1))
    return f"{mean(each.value for each in found):+.3f}; better {better}, worse {worse} of {len(found)}"


def cells(rows: Iterable[dict], network: tuple[str, str]) -> dict[tuple[str, int], dict[str, dict[int, dict]]]:
    """Sort the rows of a network, and those of the arms without it on the same sets, by cell, arm and seed."""
    found: dict[tuple[str, int], dict[str, dict[int, dict]]] = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        if row["arm"] in OTHERS or (row["backbone"], row["weights"]) == network:
            found[row["set"], row["per_class"]][row["arm"]][row["seed"]] = row
    sets = list(dict.fromkeys(name for name, _ in found))
    ordered = sorted(found.items(), key=lambda item: (sets.index(item[0][0]), item[0][1]))
    return {cell: dict(arms) for cell, arms in ordered if set(arms) & set(OWN)}


def seconds(rows: Iterable[dict]) -> str:
    """Say what the arms cost: the median over all cells."""
    by_arm = defaultdict[str, list[float]](list)
    for row in rows:
        by_arm[row["arm"]].append(row["seconds"])
    return "Median seconds: " + ", ".join(f"{arm} {np.median(values):.1f}" for arm, values in by_arm.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    rows = [json.loads(line) for line in parser.parse_args().results.read_text(encoding="utf-8").splitlines()]
    for network in dict.fromkeys((row["backbone"], row["weights"]) for row in rows if row["arm"] in OWN):
        own = [row for row in rows if (row["backbone"], row["weights"]) == network]
        print(f"\n{network[0]}, weights {network[1]}\n\n{table(cells(rows, network))}\n\n{seconds(own)}")


if __name__ == "__main__":
    main()
