"""One document of 5,000 words, read whole and in pieces: which entities differ, and why.

    python benchmarks/entities/long_document.py --set bc5cdr --results FILE.jsonl

A model is fitted to 300 sentences (or given by --model), and real test sentences become one text: eight of them a
paragraph, one a line. What must be identical is counted first: the text alone, again, between others, in another order,
by another process, and scored from a cold and a warm store. Then what the network sees is changed:

* other texts: the same characters as texts of 64, 16, 8 (the paragraphs), 4, 2 sentences and of one, which take away
  what stands on the other side of their borders;
* other windows: words before the text move the borders of all windows. As many of them as a window is ahead of the last
  one move them onto each other, so that no word but those at the very beginning can differ: a test of the explanation.

Two spans are the same if borders and type are. `at a border` is how many of those that differ are less than eight words
from where one of the texts begins or ends, beside what share of all spans is.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from arms import ENTRY
from sets import SETS, Sentence, draw, write

import headstart
from headstart.artifact import Artifact
from headstart.data import Document

PARAGRAPH = 8  # sentences
NEAR = 8  # words
SIZES = (64, 16, 8, 4, 2, 1)  # sentences in a text
FILLER = "the"  # one token, which is in no entity
Span = tuple[int, int, str]
Found = dict[Span, float]  # with probabilities


@dataclass(frozen=True)
class Text:
    """Sentences as one text; `starts` and `ends` are their characters in it."""

    sentences: Sequence[Sentence]

    @cached_property
    def parts(self) -> list[str]:
        return [" ".join(sentence.words) for sentence in self.sentences]

    @cached_property
    def whole(self) -> str:
        breaks = ["\n\n" if n % PARAGRAPH == 0 else "\n" for n in range(1, len(self.parts))]
        return "".join(part + gap for part, gap in zip(self.parts, [*breaks, ""], strict=True))

    @cached_property
    def starts(self) -> list[int]:
        starts = [0]
        for n, part in enumerate(self.parts[:-1], start=1):
            starts.append(starts[-1] + len(part) + (2 if n % PARAGRAPH == 0 else 1))
        return starts

    def pieces(self, size: int) -> list[tuple[int, str]]:
        """Cut into texts of so many sentences, each with where it begins; no character of a sentence is lost."""
        first = range(0, len(self.parts), size)
        ends = [min(n + size, len(self.parts)) - 1 for n in first]
        places = [(self.starts[n], self.starts[end] + len(self.parts[end])) for n, end in zip(first, ends, strict=True)]
        return [(start, self.whole[start:end]) for start, end in places]

    @cached_property
    def marked(self) -> set[Span]:
        """The entities of the data as characters."""
        found = set[Span]()
        for start, sentence in zip(self.starts, self.sentences, strict=True):
            borders = [(start + low, start + high) for low, high in Document.of_words(sentence.words).words]
            for begin, end, name in _entities(sentence.tags):
                found.add((borders[begin][0], borders[end - 1][1], name))
        return found


@dataclass(frozen=True)
class Reader:
    """Predicts texts as files, as a user does."""

    model: Artifact
    folder: Path

    def read(self, texts: Sequence[str]) -> list[Found]:
        """Return the spans of every text, which must be exactly its characters."""
        paths = [self.folder / f"{n}.txt" for n in range(len(texts))]
        for path, text in zip(paths, texts, strict=True):
            path.write_bytes(text.encode())
        rows = list(headstart.predict(self.model, paths, offline=True))
        return [_checked(row, text) for row, text in zip(rows, texts, strict=True)]

    def joined(self, pieces: Sequence[tuple[int, str]]) -> Found:
        """Return the spans of all pieces as characters of the whole."""
        found = self.read([text for _, text in pieces])
        moved = zip(pieces, found, strict=True)
        return {(s + at, e + at, name): p for (at, _), spans in moved for (s, e, name), p in spans.items()}


def _entities(tags: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    for start, tag in enumerate(tags):
        if tag[0] == "B":
            end = next((n for n in range(start + 1, len(tags)) if tags[n] != f"I-{tag[2:]}"), len(tags))
            yield start, end, tag[2:]


def _checked(row: dict, text: str) -> Found:
    last = 0
    for (start, end, *_), characters in zip(row["spans"], row["texts"], strict=True):
        assert last <= start < end <= len(text), "spans in order, none overlapping"
        assert characters == text[start:end] == characters.strip(), "a span is its characters"
        last = end
    return {(start, end, name): p for start, end, name, p in row["spans"]}


def compared(reading: str, found: Found, text: Text, whole: Found, borders: Sequence[int]) -> dict:
    """Count where a reading differs from that of the whole."""
    differ = set(found) ^ set(whole)
    touched = {s for s in whole.keys() - found if any(s[0] < o[1] and o[0] < s[1] for o in found.keys() - whole)}
    right = len(text.marked & set(found))
    return {
        "reading": reading,
        "spans": len(found),
        "same": len(set(found) & set(whole)),
        "only_whole": len(whole.keys() - found) - len(touched),
        "only_here": len(found.keys() - whole) - len(touched),
        "other_border_or_type": len(touched),
        "differ_at_a_border": _share(differ, text, borders),
        "all_at_a_border": _share(set(whole) | set(found), text, borders),
        "probability_of_same": _mean([found[span] for span in found.keys() & whole]),
        "probability_of_differing": _mean([found.get(span, whole.get(span, 0.0)) for span in differ]),
        "largest_change_of_same": max((abs(found[span] - whole[span]) for span in found.keys() & whole), default=0.0),
        "last_difference": max((span[0] for span in differ), default=None),
        "f1": 2 * right / max(1, len(found) + len(text.marked)),
    }


def _share(spans: set[Span], text: Text, borders: Sequence[int]) -> float | None:
    if not spans or not borders:
        return None
    near = sum(
        any(len(text.whole[min(b, s[0]) : max(b, s[0])].split()) < NEAR for b in borders if abs(b - s[0]) < 40 * NEAR)
        for s in spans
    )
    return near / len(spans)


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def readings(text: Text, reader: Reader, others: Sequence[str], stride: int) -> Iterator[dict]:
    """Read the text in every way, the whole first."""
    (whole,) = reader.read([text.whole])
    yield compared("whole", whole, text, whole, [])
    yield compared("whole, again", reader.read([text.whole])[0], text, whole, [])
    yield compared("between others", reader.read([*others[:20], text.whole, *others[20:]])[20], text, whole, [])
    yield compared("in another order", reader.read([*others[::-1], text.whole])[-1], text, whole, [])
    yield compared("other process", _elsewhere(text, reader), text, whole, [])
    for size in SIZES:
        pieces = text.pieces(size)
        borders = [place for start, piece in pieces for place in (start, start + len(piece))][1:-1]
        yield compared(f"{len(pieces)} texts of {size}", reader.joined(pieces), text, whole, borders)
    for words in (1, stride // 4, stride // 2, 3 * stride // 4, stride, 2 * stride):
        before = f"{FILLER} " * words
        (found,) = reader.read([before + text.whole])
        back = {(s - len(before), e - len(before), name): p for (s, e, name), p in found.items() if s >= len(before)}
        yield compared(f"{words} words before", back, text, whole, [])


def _elsewhere(text: Text, reader: Reader) -> Found:
    path = reader.folder / "whole.txt"
    path.write_bytes(text.whole.encode())
    printed = _headstart("predict", str(reader.model.folder), str(path), "--offline", "--json")
    return _checked(json.loads(printed), text.whole)


def scored(text: Text, reader: Reader, whole: Sequence[Span]) -> list[float]:
    """Score what was predicted as if it were the truth, with a cold and a warm store: 1.0 where nothing differs."""
    path, cache = reader.folder / "told.jsonl", {"HEADSTART_CACHE": str(reader.folder / "cache")}
    path.write_text(json.dumps({"text": text.whole, "spans": whole}) + "\n", encoding="utf-8")
    words = ("evaluate", str(reader.model.folder), str(path), "--offline", "--json")
    return [json.loads(_headstart(*words, env=cache))["test"]["value"] for _ in range(2)]


def _headstart(*words: str, env: dict[str, str] | None = None) -> str:
    command = [sys.executable, "-c", ENTRY, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, **(env or {})}).stdout


def table(rows: Sequence[dict]) -> None:
    """Print one line a reading."""
    head = ("reading", "spans", "same", "only whole", "only here", "border/type", "differ at a border (of all)")
    print(" | ".join((*head, "p same", "p differing", "largest change", "F1")))
    for row in rows:
        counts = [str(row[n]) for n in ("spans", "same", "only_whole", "only_here", "other_border_or_type")]
        borders = f"{_said(row['differ_at_a_border'])} ({_said(row['all_at_a_border'])})"
        sure = [_said(row["probability_of_same"]), _said(row["probability_of_differing"])]
        print(" | ".join((row["reading"], *counts, borders, *sure, f"{row['largest_change_of_same']:.1e}")), end="")
        print(f" | {row['f1']:.3f}")


def _said(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def sentences_of(part: Sequence[Sentence], words: int) -> tuple[list[Sentence], list[str]]:
    """Take sentences until there are so many words, and 40 others as texts."""
    total = 0
    for place, sentence in enumerate(part):
        total += len(sentence.words)
        if total >= words:
            return list(part[: place + 1]), [" ".join(s.words) for s in part[place + 1 : place + 41]]
    raise SystemExit(f"expected {words} words in the test part, found {total}")


def measure(options: argparse.Namespace, folder: Path) -> list[dict]:
    """Fit where no model is given, then read."""
    (each,) = (one for one in SETS if one.name == options.set)
    train, test = draw(each, options.data, n=options.n, seed=options.seed)
    write(folder, train, test)
    model = options.model or folder / "model"
    if options.model is None:
        fit = ("fit", str(folder), "-o", str(model), "--task", "tagging", "--backbone", "starter:minilm-l6")
        _headstart(*fit, "--proof", "none", "--offline")
    sentences, others = sentences_of(test, options.words)
    text, reader = Text(sentences), Reader(headstart.load(model, offline=True), folder)
    settings = reader.model.model.backbone.preparer.settings
    stride = settings["window"] - 2 - settings["overlap"]  # two tokens of a window are marks
    rows = list(readings(text, reader, others, stride))
    store = scored(text, reader, list(reader.read([text.whole])[0]))
    about = {
        "set": each.name,
        "n": options.n,
        "words": sum(len(sentence.words) for sentence in sentences),
        "our_words": len(Document.of_text(text.whole).words),
        "sentences": len(sentences),
        "window": settings["window"],
        "overlap": settings["overlap"],
        "scored_from_cold_and_warm_store": store,
    }
    print(json.dumps(about))
    return [{**about, **row} for row in rows]


def main() -> None:
    """Measure, print a table and append JSON lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", choices=[each.name for each in SETS], default="bc5cdr")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/ner"))
    parser.add_argument("--model", type=Path, help="a fitted model; else one is fitted")
    parser.add_argument("--n", type=int, default=300, help="training sentences")
    parser.add_argument("--words", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--results", type=Path, help="where to append JSON lines")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        rows = measure(options, Path(name))
    table(rows)
    if options.results:
        with options.results.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)


if __name__ == "__main__":
    main()
