"""The data sets of entities, how their parts are drawn, and the CoNLL files that every arm reads.

Standard library only, and a reader of its own: the interpreters of all arms import it, and what Headstart makes of a
file is not what it is measured by.

Every set has its own training and test part (of CoNLL-2002 Spanish testb), but wikigold, of which a fixed 20 % of the
documents are held out. The test part is at most 1,500 sentences, drawn once by a fixed seed (documents whole where they
are marked), so that every arm and every draw of the training part sees the same. Training parts are nested: the first n
sentences of one order per seed, put back into the order of the file.
"""

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

MOST_TEST = 1500
HELD_OUT = 0.2  # of the documents of wikigold
MARK = "-DOCSTART-"


@dataclass(frozen=True)
class Sentence:
    """Words and their IOB2 tags; `document` counts the marks before it, None where the file has no marks."""

    words: tuple[str, ...]
    tags: tuple[str, ...]
    document: int | None = None


Part = list[Sentence]


@dataclass(frozen=True)
class Set:
    """A data set and the files of its parts below the folder of all; without a test file, documents are held out.

    `twice` says that the files are UTF-8 of UTF-8 read as Latin-1 (``espaÃ±ola``), which is undone.
    """

    name: str
    train: str
    test: str | None
    twice: bool = False

    def parts(self, root: Path) -> tuple[Part, Part]:
        """Return the whole training part and the whole test part."""
        train = read(root / self.train, twice=self.twice)
        if self.test is not None:
            return train, read(root / self.test, twice=self.twice)
        documents = list(dict.fromkeys(sentence.document for sentence in train))
        held_out = set(random.Random(f"{self.name} test").sample(documents, round(HELD_OUT * len(documents))))
        return [s for s in train if s.document not in held_out], [s for s in train if s.document in held_out]


SETS = (
    *(Set(name, f"{name}/train.conll", f"{name}/test.conll") for name in ("wnut17", "bc5cdr", "ncbi-disease")),
    Set("conll2002-es", "conll2002-es/train.conll", "conll2002-es/testb.conll", twice=True),
    Set("wikigold", "wikigold.conll", None),
)


def read(path: Path, *, twice: bool = False) -> Part:
    """Read a CoNLL file with words first and tags last, in IOB1 or IOB2."""
    text = path.read_bytes().decode("utf-8")
    text = text.encode("latin-1").decode("utf-8") if twice else text
    found, words, tags, marks = Part(), list[str](), list[str](), 0
    for line in [*text.split("\n"), ""]:  # no other sign ends a line: there are some within words
        columns = line.split("\t" if "\t" in line else " ")
        if columns[0] and columns[0] != MARK:
            words.append(columns[0])
            tags.append(columns[-1])
            continue
        if words:
            found.append(Sentence(tuple(words), iob2(tags), marks))
            words, tags = [], []
        marks += columns[0] == MARK
    return found if marks else [replace(sentence, document=None) for sentence in found]


def iob2(tags: Sequence[str]) -> tuple[str, ...]:
    """Begin every entity with B-, as IOB1 does only where two of a type meet."""
    begins = (tag[0] == "I" and before[1:] != tag[1:] for before, tag in pairwise(["O", *tags]))
    return tuple("B" + tag[1:] if first else tag for tag, first in zip(tags, begins, strict=True))


def draw(each: Set, root: Path, *, n: int | None, seed: int, most_test: int = MOST_TEST) -> tuple[Part, Part]:
    """Draw the training part of one seed, and the test part.

    Args:
        each: The data set.
        root: Folder with all of them.
        n: Sentences to train on; None takes all.
        seed: Which draw.
        most_test: How many sentences are tested at most.

    Returns:
        Training part and test part, in the order of the files.
    """
    train, test = each.parts(root)
    order = random.Random(f"{each.name} {seed}").sample(range(len(train)), len(train))
    return [train[place] for place in sorted(order[:n])], thinned(test, most_test, name=each.name)


def thinned(test: Part, most: int, *, name: str) -> Part:
    """Draw at most so many sentences, whole documents where they are marked, once and for all."""
    sizes, kept, room = Counter(unit_of(test)), set[int](), most
    for unit in random.Random(f"{name} thinned").sample(list(sizes), len(sizes)):
        if sizes[unit] <= room:
            kept.add(unit)
            room -= sizes[unit]
    return [sentence for sentence, unit in zip(test, unit_of(test), strict=True) if unit in kept]


def unit_of(part: Sequence[Sentence]) -> list[int]:
    """Number what is drawn as a whole: the document of every sentence, or itself where none is marked."""
    return [place if sentence.document is None else sentence.document for place, sentence in enumerate(part)]


def write(folder: Path, train: Iterable[Sentence], test: Iterable[Sentence]) -> None:
    """Write ``train.conll`` and ``test.conll``: two columns with a tab between, a mark before each new document."""
    for part, sentences in (("train", train), ("test", test)):
        blocks, document = list[str](), None
        for sentence in sentences:
            if sentence.document != document:
                blocks.append(f"{MARK}\tO\n")
                document = sentence.document
            rows = zip(sentence.words, sentence.tags, strict=True)
            blocks.append("".join(f"{word}\t{tag}\n" for word, tag in rows))
        (folder / f"{part}.conll").write_text("\n".join(blocks), encoding="utf-8", newline="\n")


def types_of(part: Iterable[Sentence]) -> list[str]:
    """Return the types of entities that occur, sorted."""
    return sorted({tag[2:] for sentence in part for tag in sentence.tags if tag != "O"})
