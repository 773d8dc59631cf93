"""Corruptions of texts: typing errors, case, and punctuation that is left out.

* **Typos**: 5, 15 or 30 % of the words get one error, in equal shares a neighbour on the (QWERTY) keyboard, two letters
  in the other order, or a letter left out: the keyboard and swap noise of Belinkov and Bisk (Synthetic and Natural
  Noise Both Break Neural Machine Translation, ICLR 2018) and the drops of Pruthi, Dhingra and Lipton (Combating
  Adversarial Misspellings, ACL 2019), at rates of our own. A letter that is on no such keyboard, as of other scripts,
  is swapped instead.
* **Case**: 10, 30 or 100 % of the words are written in capitals, or in small letters where they already are.
* **Punctuation**: a third, two thirds or all of the marks are left out.

A word is a run of letters; those of scripts without spaces between words are long. A document whose words are tagged
keeps every character in its place: there letters are replaced and swapped within a word, none is left out, and
punctuation stays, because the words and entities marked in it would move.
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Final
from unicodedata import category

import numpy as np

from headstart.corruptions._base import Corruption
from headstart.data import Document

TYPOS: Final = (0.05, 0.15, 0.3)  # share of the words
CAPITALS: Final = (0.1, 0.3, 1.0)  # share of the words
DROPPED: Final = (1 / 3, 2 / 3, 1.0)  # share of the marks
_WORD: Final = re.compile(r"[^\W\d_]+")
_ROWS: Final = (("qwertyuiop", 0.0), ("asdfghjkl", 0.25), ("zxcvbnm", 0.75))  # keys and where the row begins

Edit = Callable[[str, np.random.Generator], str]


def _neighbours() -> dict[str, str]:
    """Return the keys beside, above and below each key: at most one key's width away, along the row and across."""
    places = {key: (begin + i, row) for row, (keys, begin) in enumerate(_ROWS) for i, key in enumerate(keys)}
    return {
        key: "".join(
            other
            for other, (column, line) in places.items()
            if other != key and abs(column - place) <= 1 and abs(line - row) <= 1
        )
        for key, (place, row) in places.items()
    }


NEIGHBOURS: Final = _neighbours()


def typos(text: str, severity: int, rng: np.random.Generator) -> str:
    """Misspell words by a wrong key, two letters in the wrong order, or one left out."""
    return _edited(text, TYPOS[severity - 1], rng, partial(_misspelt, kinds=3))


def case(text: str, severity: int, rng: np.random.Generator) -> str:
    """Write words in capitals, or in small letters where they are in capitals."""
    return _edited(text, CAPITALS[severity - 1], rng, _recased)


def punctuation(text: str, severity: int, rng: np.random.Generator) -> str:
    """Leave out marks, and the space before one that has spaces on both sides; a text of marks alone stays as it is."""
    kept: list[str] = []
    left_out = False
    for character in text:
        if category(character)[0] == "P" and rng.random() < DROPPED[severity - 1]:
            left_out = True
            continue
        if left_out and character.isspace() and kept and kept[-1].isspace():
            continue  # of the two spaces around a mark one is enough
        left_out = False
        kept.append(character)
    found = "".join(kept)
    found = found.rstrip() if left_out else found
    return found if found.strip() else text


def document_typos(document: Document, severity: int, rng: np.random.Generator) -> Document:
    """Misspell words without moving a character."""
    return _in_place(document, TYPOS[severity - 1], rng, partial(_misspelt, kinds=2))


def document_case(document: Document, severity: int, rng: np.random.Generator) -> Document:
    """Change the case of words without moving a character."""
    return _in_place(document, CAPITALS[severity - 1], rng, _recased)


_TYPOS: Final = ("5 % of words", "15 % of words", "30 % of words")
_CASE: Final = ("10 % of words", "30 % of words", "every word")
TEXT_CORRUPTIONS: Final = (
    Corruption("typos", _TYPOS, typos),
    Corruption("case", _CASE, case),
    Corruption("punctuation", ("1/3 left out", "2/3 left out", "all left out"), punctuation),
)
DOCUMENT_CORRUPTIONS: Final = (
    Corruption("typos", _TYPOS, document_typos),
    Corruption("case", _CASE, document_case),
)


def _edited(text: str, share: float, rng: np.random.Generator, edit: Edit) -> str:
    """Edit a share of the words; as many numbers are drawn whatever the share, so that a larger one edits more."""

    def replaced(match: re.Match[str]) -> str:
        chance, edited = rng.random(), edit(match[0], rng)
        return edited if chance < share else match[0]

    return _WORD.sub(replaced, text)


def _in_place(document: Document, share: float, rng: np.random.Generator, edit: Edit) -> Document:
    """Edit each marked word by itself, so that no letter goes from one to the next."""
    pieces, end = [], 0
    for start, stop in document.words:
        pieces += [document.text[end:start], _edited(document.text[start:stop], share, rng, edit)]
        end = stop
    return Document("".join([*pieces, document.text[end:]]), document.words)


def _misspelt(word: str, rng: np.random.Generator, *, kinds: int) -> str:
    """Misspell a word by a neighbour, a swap or, of three kinds, a letter left out; one letter alone stays."""
    kind, place, which = int(rng.integers(kinds)), int(rng.integers(len(word))), rng.random()
    if len(word) < 2:
        return word
    near = NEIGHBOURS.get(word[place].lower(), "")
    if kind == 0 and near:
        key = near[int(which * len(near))]
        return word[:place] + (key.upper() if word[place].isupper() else key) + word[place + 1 :]
    if kind == 2:
        return word[:place] + word[place + 1 :]
    place = min(place, len(word) - 2)
    return word[:place] + word[place + 1] + word[place] + word[place + 2 :]


def _recased(word: str, rng: np.random.Generator) -> str:
    """Write a word in capitals, or small; a letter whose other form is longer stays."""
    del rng
    change = str.lower if word == word.upper() else str.upper
    return "".join(changed if len(changed := change(letter)) == 1 else letter for letter in word)
