"""Are the probabilities of entities to be believed? Of those said with 0.9, nine of ten should be right.

    python benchmarks/entities/calibration.py --set bc5cdr --n 300

Fits on a draw of the training part (`sets.py`, seed 0), finds entities in the test sentences, one document each, and
prints by probability how many are right (borders and type), and the expected calibration error over these bins.
"""

import argparse
import tempfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scoring import Span, spans
from sets import MOST_TEST, SETS, Sentence, draw, write

import headstart
from headstart.pipeline import predict

EDGES = (0, 0.4, 0.6, 0.8, 0.9, 0.97, 1 + 1e-9)


def marked(sentence: Sentence) -> set[Span]:
    """Return the entities of a sentence as characters of its words joined by spaces."""
    ends = np.cumsum([len(word) + 1 for word in sentence.words]) - 1
    starts = ends - [len(word) for word in sentence.words]
    return {(int(starts[first]), int(ends[end - 1]), kind) for first, end, kind in spans(sentence.tags)}


def told(model: Path, test: Sequence[Sentence], folder: Path) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the probability of every entity found, and whether it is right."""
    paths = [folder / f"{number:05d}.txt" for number in range(len(test))]
    for path, sentence in zip(paths, test, strict=True):
        path.write_text(" ".join(sentence.words), encoding="utf-8")
    rows = predict(model, paths, offline=True)
    pairs = [
        (probability, (start, end, kind) in marked(sentence))
        for row, sentence in zip(rows, test, strict=True)
        for start, end, kind, probability in row["spans"]
    ]
    return np.array([p for p, _ in pairs]), np.array([right for _, right in pairs])


def show(probabilities: NDArray[np.float64], right: NDArray[np.bool_]) -> None:
    """Print the bins."""
    error = 0.0
    where = np.digitize(probabilities, EDGES) - 1
    for number, (low, high) in enumerate(pairwise(EDGES)):
        inside = where == number
        if inside.any():
            said, found = probabilities[inside].mean(), right[inside].mean()
            error += inside.mean() * abs(said - found)
            print(f"{low:.2f} to {min(high, 1):.2f}: {inside.sum():5} entities, said {said:.3f}, right {found:.3f}")
    print(f"expected calibration error {error:.3f} of {len(right):,} entities, {right.mean():.3f} right")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/ner"), help="folder with the sets")
    parser.add_argument("--set", choices=[each.name for each in SETS], default="bc5cdr")
    parser.add_argument("--n", type=int, default=300, help="training sentences")
    options = parser.parse_args()
    each = next(each for each in SETS if each.name == options.set)
    train, test = draw(each, options.data, n=options.n, seed=0, most_test=MOST_TEST)
    with tempfile.TemporaryDirectory() as name:
        data, model, documents = (Path(name) / part for part in ("data", "model", "documents"))
        data.mkdir()
        documents.mkdir()
        write(data, train, test)
        reading = headstart.Reading(task="tagging")
        headstart.fit(data, model, reading=reading, options=headstart.FitOptions(proof="none", offline=True))
        show(*told(model, test, documents))


if __name__ == "__main__":
    main()
