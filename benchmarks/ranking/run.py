"""Does the ranking find what the full ladder would have chosen? Every candidate is fitted, and all are ranked.

    python benchmarks/ranking/run.py --data DATA --weights WEIGHTS --results FILE.jsonl
    python benchmarks/ranking/table.py FILE.jsonl

For every data set and draw of the labels, each candidate gets a fit of its own (the default ladder), scored on the
whole test part; that is the truth. Then `headstart.rank` ranks all of them on the same training part. A row is appended
as soon as it is there, and what the results file has is not measured again.
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from candidates import make

import headstart
from headstart.backbones import Backbone

sys.path.insert(0, str(Path(__file__).parents[1] / "peers"))  # the same subsets as against the peers
from machine import measured, record
from subsets import subset, write


@dataclass(frozen=True)
class Set:
    """A data set and how many labels of each class train; None takes all."""

    name: str
    modality: str
    per_class: int | None


SETS = (
    Set("trec6", "text", 32),
    Set("sst2", "text", 64),
    Set("tweeteval-emotion", "text", 64),
    Set("banking77", "text", 10),
    Set("hymenoptera", "image", None),
    Set("flowers5", "image", 50),
    Set("chest-xray", "image", 100),
    Set("pacs-sketch", "image", 30),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with text/ and images/")
    parser.add_argument("--weights", type=Path, required=True, help="folder with the pretrained image networks")
    parser.add_argument("--candidates", type=Path, help="where candidates are made [beside the results]")
    parser.add_argument("--results", type=Path, required=True, help="JSON lines; made, or added to")
    parser.add_argument("--set", action="append", choices=[each.name for each in SETS], help="may be repeated")
    parser.add_argument("--seeds", type=int, default=1, help="draws of the labels")
    parser.add_argument("--only", choices=["truth", "ranking"])
    options = parser.parse_args()
    folder = options.candidates or options.results.with_suffix("")
    for seed in range(options.seeds):
        for each in SETS:
            if each.name in (options.set or [each.name]):
                found = make(options.weights.resolve(), (folder / each.modality).resolve(), each.modality)
                measure(each, seed, found, options)


def measure(each: Set, seed: int, found: Mapping[str, str | Backbone], options: argparse.Namespace) -> None:
    """Measure one draw of one data set."""
    with tempfile.TemporaryDirectory() as name:
        data = Path(name) / "data"
        data.mkdir()
        write(data, *subset(options.data, each.name, per_class=each.per_class, seed=seed))
        about = {"set": each.name, "seed": seed, "modality": each.modality}
        if options.only != "ranking":
            for candidate in found:
                truth(data, candidate, found[candidate], about, options.results)
        if options.only != "truth":
            ranking(data, found, about, options.results)


def truth(data: Path, name: str, backbone: str | Backbone, about: Mapping, results: Path) -> None:
    """Fit one candidate on its own."""
    row = {**about, "what": "truth", "candidate": name}
    if measured(results, row):
        return
    with tempfile.TemporaryDirectory() as folder:
        chosen = headstart.FitOptions(backbones=(backbone,), proof="none", offline=True, metric="accuracy")
        result = headstart.fit(data, Path(folder) / "model", options=chosen)
    outcome = result.outcome
    found = {"accuracy": outcome.score.value, "n_test": outcome.score.n, "strategy": outcome.model.strategy}
    append(results, {**row, **found, "seconds": result.seconds})


def ranking(data: Path, found: Mapping[str, str | Backbone], about: Mapping, results: Path) -> None:
    """Rank all candidates."""
    row = {**about, "what": "ranking"}
    if measured(results, row):
        return
    options = headstart.RankOptions(backbones=tuple(found.values()), offline=True)
    result = headstart.rank(data, options=options).to_dict()
    names = {value if isinstance(value, str) else value.name: name for name, value in found.items()}
    candidates = [{**each, "candidate": names[each["name"]]} for each in result["candidates"]]
    append(results, {**row, **result, "candidates": candidates})


def append(results: Path, row: Mapping) -> None:
    record(results, row)
    value = f"{row['accuracy']:.4f} in {row['seconds']:.0f} s" if "accuracy" in row else f"{row['seconds']:.0f} s"
    print(f"{row['set']} seed {row['seed']} {row.get('candidate', 'ranking')}: {value}", flush=True)


if __name__ == "__main__":
    main()
