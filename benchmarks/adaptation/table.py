"""Read what `run.py` measured: means over the pairs of each set, what was chosen, and what that harmed.

python benchmarks/adaptation/table.py FILE.jsonl
"""

import json
import sys
from pathlib import Path

import numpy as np

from headstart.domain_adaptation import METHODS


def main() -> None:
    rows = [json.loads(line) for line in Path(sys.argv[1]).read_text().splitlines()]
    print("| set | pairs | " + " | ".join(METHODS) + " | chosen | oracle | of its gain | harmed | refused |")
    print("|---" * (len(METHODS) + 7) + "|")
    for name in dict.fromkeys(row["set"] for row in rows):
        some = [row for row in rows if row["set"] == name]
        accuracy = {way: np.array([row["accuracy"][way] for row in some]) for way in METHODS}
        chosen = np.array([row["accuracy"][row["chosen"]] for row in some])
        oracle = np.array([max(row["accuracy"][way] for way in row["automatic"]) for row in some])
        gain, there = (chosen - accuracy["none"]).mean(), (oracle - accuracy["none"]).mean()
        harmed = [f"{row['source']} > {row['target']}" for row in some if row["difference"][1] < 0]
        cells = [f"{accuracy[way].mean():.3f}" for way in METHODS]
        cells += [f"{chosen.mean():.3f}", f"{oracle.mean():.3f}", f"{gain / there:.0%}", ", ".join(harmed) or "none"]
        print(f"| {name} | {len(some)} | " + " | ".join(cells) + f" | {sum(row['refused'] for row in some)} |")


if __name__ == "__main__":
    main()
