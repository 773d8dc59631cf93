"""Few labels of one domain or language beside many of another: what a source is worth.

    python benchmarks/entities/domains.py --results FILE.jsonl

For every pair and seed one `headstart fit TARGET --source SOURCE`, which climbs on the target alone and on both, ships
what inner folds prefer, and measures both on the target's test part (`sets.py`). Types are mapped to those of the
target, and those without a counterpart are left out. With --source-only also a model of the source alone.

* wikigold <- WNUT-17: encyclopaedia from tweets and comments;
* wikigold <- CoNLL-2002 Dutch or Spanish: English from another language, under a network that knows English;
* NCBI-disease <- BC5CDR: diseases in abstracts by other annotators.

A row is printed and appended as soon as it is there, and what the results file has is not measured again.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sets import SETS, Part, Sentence, Set, draw, types_of, write

import headstart
from headstart import FitOptions, Reading

sys.path.append(str(Path(__file__).parents[1] / "peers"))
from machine import measured, record

MOST_TEST = 600  # sentences
ARMS = ("source only", "target only", "source and target")
BY_NAME = {each.name: each for each in SETS}
DUTCH = Set("conll2002-nl", "conll2002-nl/train.conll", "conll2002-nl/testb.conll")
SAME = {name: name for name in ("PER", "LOC", "ORG", "MISC")}
WNUT = {
    "person": "PER", "location": "LOC", "corporation": "ORG", "group": "ORG", "creative-work": "MISC", "product": "MISC"
}  # fmt: skip


@dataclass(frozen=True)
class Pair:
    """A target, a source, and what the source's types are called there."""

    target: Set
    source: Set
    types: Mapping[str, str]

    @property
    def name(self) -> str:
        return f"{self.target.name} <- {self.source.name}"


PAIRS = (
    Pair(BY_NAME["wikigold"], BY_NAME["wnut17"], WNUT),
    Pair(BY_NAME["ncbi-disease"], BY_NAME["bc5cdr"], {"Disease": "Disease"}),
    Pair(BY_NAME["wikigold"], BY_NAME["conll2002-es"], SAME),
    Pair(BY_NAME["wikigold"], DUTCH, SAME),
)


def mapped(part: Part, types: Mapping[str, str]) -> Part:
    """Call types by their names in the target; words of others are outside."""
    return [
        Sentence(each.words, tuple(f"{tag[:2]}{types[tag[2:]]}" if tag[2:] in types else "O" for tag in each.tags))
        for each in part
    ]


def measure(pair: Pair, seed: int, options: argparse.Namespace) -> dict:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "target").mkdir()
        (folder / "source").mkdir()
        train, test = draw(pair.target, options.data, n=options.n, seed=seed, most_test=options.most_test)
        source, _ = draw(pair.source, options.data, n=options.most_source, seed=seed)
        source = mapped(source, pair.types)
        write(folder / "target", train, test)
        write(folder / "source", source, [])
        (folder / "source" / "test.conll").unlink()
        began = time.monotonic()
        both = fit(folder / "target", folder / "both", seed, source=folder / "source" / "train.conll")
        seconds = time.monotonic() - began
        alone = {}
        if options.source_only:
            found = fit(folder / "source", folder / "alone", seed, test=str(folder / "target" / "test.conll"))["test"]
            alone = {"source only": {"f1": found["value"], "interval": found["interval"]}}
    use, score = both["source"], both["test"]
    of_other = {"f1": use["other"]["value"], "interval": use["other"]["interval"]}
    of_ours = {"f1": score["value"], "interval": score["interval"]}
    sign = 1 if use["shipped"] == "source and target" else -1
    gain = [sign * value for value in (use["other"]["difference"], *use["other"]["difference_interval"])]
    return {
        "pair": pair.name,
        "seed": seed,
        "n_train": len(train),
        "n_source": len(source),
        "n_test": len(test),
        "types": types_of(test),
        "shipped": use["shipped"],
        "why": use["why"],
        "helped": use["helped"],
        "source and target": of_ours if sign > 0 else of_other,
        "target only": of_other if sign > 0 else of_ours,
        "gain": {"f1": gain[0], "interval": sorted(gain[1:])},
        **alone,
        "seconds": seconds,
        "strategies": {rung["name"]: rung["value"] for rung in both["rungs"]},
    }


def fit(data: Path, model: Path, seed: int, *, source: Path | None = None, test: str | None = None) -> dict:
    options = FitOptions(seed=seed, offline=True, proof="none", source=source)
    return headstart.fit(data, model, reading=Reading(task="tagging", test=test), options=options).to_dict()


def show(row: Mapping) -> str:
    values = (f"{name} {row[name]['f1']:.3f}" for name in ARMS if name in row)
    low, high = row["gain"]["interval"]
    gain = f"gain {row['gain']['f1']:+.3f} [{low:+.3f}, {high:+.3f}]"
    what = f"{row['pair']}, seed {row['seed']}: {', '.join(values)}"
    return f"{what}; {gain}; shipped {row['shipped']}; {row['seconds']:.0f} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/ner"), help="folder with the sets")
    parser.add_argument("--results", type=Path, required=True, help="JSON lines; made, or added to")
    parser.add_argument("--pair", action="append", choices=[pair.name for pair in PAIRS], help="may be repeated")
    parser.add_argument("--n", type=int, default=100, help="target sentences to train on")
    parser.add_argument("--most-source", type=int, default=4000, help="sentences of the source at most")
    parser.add_argument("--most-test", type=int, default=MOST_TEST, help="test sentences at most")
    parser.add_argument("--source-only", action="store_true", help="measure a model of the source alone too")
    parser.add_argument("--seeds", type=int, default=1, help="draws of both")
    options = parser.parse_args()
    for seed in range(options.seeds):
        for pair in PAIRS:
            known = measured(options.results, {"pair": pair.name, "seed": seed})
            if pair.name in (options.pair or [pair.name]) and not known:
                row = measure(pair, seed, options)
                record(options.results, row)
                print(show(row), flush=True)


if __name__ == "__main__":
    main()
