"""Print the results of `run.py` as a Markdown table, with what was aimed at and whether it was met.

    python benchmarks/peers/table.py RESULTS.jsonl

Clocks are medians over seeds, accuracies means with the standard deviation over seeds. The difference is ours less the
peer's, paired by seed, with the 95 % t-interval of its mean. Ratios are median over median. Aimed at:

* accuracy not lower than the peer's. "yes" where the mean difference is not negative, "unclear" where it is and the
  interval holds zero, else "no";
* the ratio of adaptation clocks that `cases.py` names, or 1 where the peer's adaptation takes less than a minute; for
  the second experiment on the same data, 1/50.
"""

import argparse
import json
import statistics
from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from cases import CASES, PEERS, QUICK, SECOND, Case
from scipy import stats

Rows = dict[int, dict]
HEADER = (
    "case", "labels", "seeds", "peer", "peer accuracy", "our accuracy", "difference [95 %]", "not lower",
    "peer adaptation s", "ours", "ratio", "at most", "met", "peer process s", "ours", "ratio",
)  # fmt: skip


def lines(case: Case, arms: dict[str, Rows]) -> list[tuple[str, ...]]:
    """Return a case's lines of the table: one for the fit, one more where a second experiment was run."""
    found = []
    for arm, aim in (("ours", case.ratio), ("ours, second", SECOND)):
        seeds = sorted(set(arms["peer"]) & set(arms[arm]))
        if seeds:
            peer, ours = ([arms[name][seed] for seed in seeds] for name in ("peer", arm))
            found.append(line(case, peer, ours, name=case.name + arm.removeprefix("ours"), aim=aim))
    return found


def line(case: Case, peer: Sequence[dict], ours: Sequence[dict], *, name: str, aim: float) -> tuple[str, ...]:
    adaptation, process = (clocks(peer, ours, f"{clock}_seconds") for clock in ("adaptation", "process"))
    limit = 1.0 if adaptation[0] < QUICK else aim
    differences = [b["accuracy"] - a["accuracy"] for a, b in zip(peer, ours, strict=True)]
    return (
        name, str(peer[0]["train"]), str(len(peer)), PEERS[case.peer], spread(peer), spread(ours),
        difference(differences), not_lower(differences),
        *shown(*adaptation), str(Fraction(limit).limit_denominator(100)), "yes" if adaptation[2] <= limit else "no",
        *shown(*process),
    )  # fmt: skip


def clocks(peer: Sequence[dict], ours: Sequence[dict], key: str) -> tuple[float, float, float]:
    """Return the median of each arm and ours over the peer's."""
    theirs, own = (statistics.median(row[key] for row in rows) for rows in (peer, ours))
    return theirs, own, own / theirs


def shown(theirs: float, own: float, ratio: float) -> tuple[str, str, str]:
    return f"{theirs:.1f}", f"{own:.2f}", f"{ratio:.3f}"


def spread(rows: Sequence[dict]) -> str:
    values = [row["accuracy"] for row in rows]
    deviation = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.3f}{deviation}"


def interval(differences: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % t-interval of the mean of paired differences; unbounded for one pair."""
    if len(differences) < 2:
        return float("-inf"), float("inf")
    half = stats.t.ppf(0.975, len(differences) - 1) * stats.sem(differences)
    mean = statistics.mean(differences)
    return mean - half, mean + half


def difference(differences: Sequence[float]) -> str:
    low, high = interval(differences)
    bounds = f" [{low:+.3f}, {high:+.3f}]" if len(differences) > 1 else ""
    return f"{statistics.mean(differences):+.3f}{bounds}"


def not_lower(differences: Sequence[float]) -> str:
    if statistics.mean(differences) >= 0:
        return "yes"
    return "unclear" if interval(differences)[1] >= 0 else "no"


def alone(case: Case, arms: dict[str, Rows]) -> list[str]:
    """Return a line for every arm that was measured without the other: for trying out, not a comparison."""
    found = []
    for arm, rows in arms.items():
        if rows and not set(rows) & set(arms["ours" if arm == "peer" else "peer"]):
            medians = [
                statistics.median(row[f"{clock}_seconds"] for row in rows.values())
                for clock in ("adaptation", "process")
            ]
            who = PEERS[case.peer] if arm == "peer" else arm
            found.append(
                f"{case.name}, {who} alone: {spread(list(rows.values()))}, {medians[0]:.1f} s, {medians[1]:.1f} s"
            )
    return found


def conditions(rows: Sequence[dict]) -> list[str]:
    """Say once what the rows were measured with; several lines where they differ."""
    found = {
        f"{row.get('peer', 'headstart')}: commit {row['commit']}, {row['cpu']}, {row['processors']} processors, "
        f"{row['threads']} threads, " + ", ".join(f"{name} {number}" for name, number in row["versions"].items())
        for row in rows
    }
    return sorted(found)


def table(rows: Sequence[dict]) -> str:
    measured: dict[str, dict[str, Rows]] = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        measured[row["case"]][row["arm"]][row["seed"]] = row
    body = [line for case in CASES for line in lines(case, measured[case.name])]
    printed = ["| " + " | ".join(cells) + " |" for cells in (HEADER, ["---"] * len(HEADER), *body)]
    left = [line for case in CASES for line in alone(case, measured[case.name])]
    return "\n".join([*printed, "", *left, *conditions(rows)])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    print(table([json.loads(row) for row in parser.parse_args().results.read_text(encoding="utf-8").splitlines()]))
