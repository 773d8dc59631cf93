"""Print the results of `deep.py` as Markdown tables.

    python benchmarks/adaptation/deep_table.py FILE.jsonl

The first has the accuracy of every way on every pair. The second says, for every score that needs no labels of the
target, what taking the way of the highest score gains over fine-tuning on the source alone, on how many pairs it loses,
and what an oracle would gain.
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path
from statistics import mean

PLAIN = "finetune"
SCORES = ("modularity", "information", "mixval")
Pairs = dict[tuple[str, str, str], dict[str, dict]]


def pairs_of(path: Path, steps: int) -> Pairs:
    """Sort rows by pair, then by way."""
    found: Pairs = defaultdict(dict)
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["steps"] == steps:
            found[row["set"], row["source"], row["target"]][row["method"]] = row
    return found


def accuracies(found: Pairs) -> list[list[str]]:
    ways = list(dict.fromkeys(way for rows in found.values() for way in rows))
    lines = [["set", "pair", *ways]]
    for (name, source, target), rows in found.items():
        cells = [f"{rows[way]['accuracy']:.3f} ({rows[way]['adaptation_seconds']:.0f} s)" if way in rows else ""
                 for way in ways]  # fmt: skip
        lines.append([name, f"{source} > {target}", *cells])
    common = [way for way in ways if all(way in rows for rows in found.values())]
    means = [f"{mean(rows[way]['accuracy'] for rows in found.values()):.3f}" if way in common else "" for way in ways]
    return [*lines, ["all", "", *means]]


def choices(found: Pairs) -> list[list[str]]:
    whole = [rows for rows in found.values() if PLAIN in rows and len(rows) > 1]
    lines = [["chosen by", "gain over fine-tuning", "least", "pairs that lose"]]
    for score in (*SCORES, "accuracy"):
        taken = [max(rows.values(), key=lambda row: row[score]) for rows in whole]
        gains = [row["accuracy"] - rows[PLAIN]["accuracy"] for row, rows in zip(taken, whole, strict=True)]
        name = "an oracle" if score == "accuracy" else score
        lost = sum(gain < 0 for gain in gains)
        lines.append([name, f"{mean(gains):+.3f}", f"{min(gains):+.3f}", f"{lost} of {len(gains)}"])
    return lines


def markdown(lines: list[list[str]]) -> str:
    header, *body = lines
    return "\n".join("| " + " | ".join(line) + " |" for line in (header, ["---"] * len(header), *body))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--steps", type=int, default=0, help="of the rows that are shown")
    options = parser.parse_args()
    found = pairs_of(options.results, options.steps)
    print(f"{markdown(accuracies(found))}\n\n{markdown(choices(found))}")


if __name__ == "__main__":
    main()
