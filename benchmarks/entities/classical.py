"""The arm "classical": a conditional random field on surface features of each word and its neighbours.

    python classical.py FOLDER

sklearn-crfsuite's L-BFGS with a little of both penalties (c1 = c2 = 0.1), 100 iterations, tag pairs never seen allowed.
Nothing in it is random. The clock covers the features of the training part and the fit. Prints one JSON document.
"""

import argparse
import json
import re
import time
from collections.abc import Sequence
from pathlib import Path

import sklearn_crfsuite
from sets import read

AROUND = (-2, -1, 0, 1, 2)


def run(folder: Path) -> dict:
    train, test = (read(folder / f"{part}.conll") for part in ("train", "test"))
    started = time.perf_counter()
    field = sklearn_crfsuite.CRF(algorithm="lbfgs", c1=0.1, c2=0.1, max_iterations=100, all_possible_transitions=True)
    field.fit([features(sentence.words) for sentence in train], [list(sentence.tags) for sentence in train])
    seconds = time.perf_counter() - started
    predicted = field.predict([features(sentence.words) for sentence in test])
    return {"adaptation_seconds": seconds, "predictions": [list(tags) for tags in predicted]}


def features(words: Sequence[str]) -> list[dict[str, str | bool]]:
    """Describe every word by itself and by the two words on either side."""
    own = [surface(word) for word in words]
    return [
        {
            f"{offset:+d} {name}": value
            for offset in AROUND
            if 0 <= place + offset < len(words)
            for name, value in own[place + offset].items()
            if offset == 0 or name in ("word", "shape", "title")
        }
        | {"first": place == 0, "last": place == len(words) - 1, "bias": True}
        for place in range(len(words))
    ]


def surface(word: str) -> dict[str, str | bool]:
    lower = word.lower()
    ends = {f"prefix {n}": lower[:n] for n in (2, 3, 4)} | {f"suffix {n}": lower[-n:] for n in (2, 3, 4)}
    flags = {"title": word.istitle(), "upper": word.isupper(), "digits": word.isdigit(), "hyphen": "-" in word}
    return {"word": lower, "shape": shape(word), **ends, **flags}


def shape(word: str) -> str:
    """Return letters and digits by kind, runs shortened: ``McDonald's`` is ``XxXx'x``."""
    kinds = "".join("X" if c.isupper() else "x" if c.isalpha() else "9" if c.isdigit() else c for c in word)
    return re.sub(r"(.)\1+", r"\1", kinds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    print(json.dumps(run(parser.parse_args().folder)))
