"""Print the results of `run.py` as Markdown tables.

    python benchmarks/entities/table.py FILE.jsonl [--lenient]

F1 is that of entities, exact in borders and type, over all types together; means over seeds. Intervals of 95 % come
from drawing the test part again, documents where they are marked, else sentences, its answers under all seeds together.
A difference is paired: the same draws, the same test sentences; beside it stands the range over seeds. "not lower" is
yes where the difference is not negative, unclear where it is and the interval holds zero, else no; of the ratio of
adaptation times, yes says that it is at most a third. --lenient counts an I- that continues nothing as the begin of an
entity, which favours arms whose tags need not be valid.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

import numpy as np
from scoring import f1, interval, resampled

ARMS = ("headstart", "headstart finetune", "huggingface", "classical")
PAIRS = (
    ("headstart", "huggingface"), ("headstart finetune", "huggingface"), ("headstart", "headstart finetune"),
    ("headstart", "classical"), ("huggingface", "classical"),
)  # fmt: skip
PEER, MOST = "huggingface", 1 / 3  # of the peer's adaptation

Seeds = Mapping[int, dict]  # rows of one arm by seed
Cells = Mapping[tuple[str, str], Mapping[str, Seeds]]  # by set and number of sentences, then by arm


@dataclass(frozen=True)
class Measured:
    """A mean over seeds, its interval over test sentences or documents, and the value of every seed."""

    value: float
    low: float
    high: float
    by_seed: tuple[float, ...]

    @property
    def not_lower(self) -> str:
        return "yes" if self.value >= 0 else "unclear" if self.high >= 0 else "no"

    def signed(self) -> str:
        seeds = f" ({min(self.by_seed):+.3f} to {max(self.by_seed):+.3f})" if len(self.by_seed) > 1 else ""
        return f"{self.value:+.3f} [{self.low:+.3f}, {self.high:+.3f}]{seeds}"

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def score(rows: Seeds, which: str) -> Measured:
    """Return the mean F1 of an arm."""
    tallies = stacked(rows, sorted(rows), which)
    return measured(f1(tallies.sum(axis=1)), resampled(tallies, units(rows)))


def difference(one: Seeds, other: Seeds, which: str) -> Measured | None:
    """Pair two arms by seed and sentence; None where they share no seed."""
    seeds = sorted(set(one) & set(other))
    if not seeds:
        return None
    assert {one[s]["test"] for s in seeds} == {other[s]["test"] for s in seeds}, "arms were tested on other sentences"
    a, b = (stacked(rows, seeds, which) for rows in (one, other))
    drawn = resampled(a, units(one)) - resampled(b, units(one))
    return measured(f1(a.sum(axis=1)) - f1(b.sum(axis=1)), drawn)


def measured(by_seed: np.ndarray, drawn: np.ndarray) -> Measured:
    low, high = interval(drawn.mean(axis=0))
    return Measured(float(by_seed.mean()), low, high, tuple(by_seed.tolist()))


def stacked(rows: Seeds, seeds: Sequence[int], which: str) -> np.ndarray:
    """Return (seeds, sentences, 3) tallies."""
    return np.array([rows[seed][which] for seed in seeds])


def units(rows: Seeds) -> Sequence[int]:
    some = next(iter(rows.values()))
    return some["units"] or range(some["n_test"])


def scores_table(cells: Cells, which: str) -> str:
    arms = present(cells)
    lines = [["set", "n", "trained on", "tested on", "entities", "seeds", *arms]]
    for (name, n), found in cells.items():
        some = next(iter(next(iter(found.values())).values()))
        entities = sum(right + missed for right, _, missed in some["tallies"])
        counted = max(len(rows) for rows in found.values())
        about = [name, n, str(some["n_train"]), str(some["n_test"]), str(entities), str(counted)]
        lines.append([*about, *(str(score(found[arm], which)) if arm in found else "" for arm in arms)])
    return markdown(lines)


def differences_table(cells: Cells, which: str) -> str:
    pairs = [pair for pair in PAIRS if set(pair) <= set(present(cells))]
    lines, every = [["set", "n", *(f"{a} - {b}" for a, b in pairs)]], defaultdict[tuple[str, str], list[Measured]](list)
    for (name, n), found in cells.items():
        line = [name, n]
        for pair in pairs:
            paired = difference(*(found.get(arm, {}) for arm in pair), which)
            line.append(f"{paired.signed()} {paired.not_lower}" if paired else "")
            every[pair] += [paired] if paired else []
        lines.append(line)
    lines.append(["all", "", *(summary(every[pair]) for pair in pairs)])
    return markdown(lines)


def summary(found: Sequence[Measured]) -> str:
    if not found:
        return ""
    counted = {verdict: sum(each.not_lower == verdict for each in found) for verdict in ("yes", "unclear", "no")}
    verdicts = ", ".join(f"{verdict} {number}" for verdict, number in counted.items())
    return f"{mean(each.value for each in found):+.3f}; not lower: {verdicts} of {len(found)}"


def times_table(cells: Cells) -> str:
    """Write medians over seeds, and those of every arm over the peer's on the seeds both have."""
    arms = present(cells)
    others = [arm for arm in arms if arm != PEER] if PEER in arms else []
    lines = [["set", "n", *(f"{arm} s" for arm in arms), *(f"{arm} / {PEER}, adaptation, all" for arm in others)]]
    for (name, n), found in cells.items():
        clocks = [
            f"{clock(found[arm]):.1f} ({clock(found[arm], 'seconds'):.1f})" if arm in found else "" for arm in arms
        ]
        lines.append([name, n, *clocks, *(ratios(found.get(arm, {}), found.get(PEER, {})) for arm in others)])
    return markdown(lines)


def clock(rows: Seeds, which: str = "adaptation_seconds") -> float:
    return median(row[which] for row in rows.values())


def ratios(one: Seeds, peer: Seeds) -> str:
    seeds = set(one) & set(peer)
    if not seeds:
        return ""
    one, peer = ({seed: rows[seed] for seed in seeds} for rows in (one, peer))
    adaptation, whole = (clock(one, which) / clock(peer, which) for which in ("adaptation_seconds", "seconds"))
    return f"{adaptation:.3f} {'yes' if adaptation <= MOST else 'no'}, {whole:.3f}"


def present(cells: Cells) -> list[str]:
    return [arm for arm in ARMS if any(arm in found for found in cells.values())]


def markdown(lines: Sequence[Sequence[str]]) -> str:
    header, *body = lines
    return "\n".join("| " + " | ".join(line) + " |" for line in (header, ["---"] * len(header), *body))


def cells_of(rows: Iterable[dict]) -> Cells:
    """Sort rows by set and number of sentences, arm and seed."""
    found: dict[tuple[str, str], dict[str, dict[int, dict]]] = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        found[row["set"], row["n"]][row["arm"]][row["seed"]] = row
    sets = list(dict.fromkeys(name for name, _ in found))
    ordered = sorted(found, key=lambda cell: (sets.index(cell[0]), float("inf") if cell[1] == "all" else int(cell[1])))
    return {cell: found[cell] for cell in ordered}


def conditions(rows: Iterable[dict]) -> str:
    """Say once what each arm was measured with, and how many words it lost."""
    found = {
        f"{row['arm']}: commit {row['commit']}, {row['cpu']}, {row['processors']} processors, "
        f"{row['threads']} threads, " + ", ".join(f"{name} {number}" for name, number in row["versions"].items())
        for row in rows
    }
    tested = {(row["set"], row["arm"]): row["lost_in_test"] for row in rows if row.get("lost_in_test")}
    lost = [f"{arm}, {name}: {number} words of the test part lost" for (name, arm), number in sorted(tested.items())]
    return "\n".join([*sorted(found), *lost])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--lenient", action="store_true", help="read invalid tags as seqeval's default does")
    options = parser.parse_args()
    rows = [json.loads(line) for line in options.results.read_text(encoding="utf-8").splitlines()]
    which, cells = "lenient_tallies" if options.lenient else "tallies", cells_of(rows)
    print(f"F1\n\n{scores_table(cells, which)}\n\nDifferences\n\n{differences_table(cells, which)}\n")
    print(f"Median seconds of adaptation (whole processes)\n\n{times_table(cells)}\n\n{conditions(rows)}")


if __name__ == "__main__":
    main()
