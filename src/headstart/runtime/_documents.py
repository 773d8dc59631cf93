"""Documents for tagging: a text and where its words are.

Offsets are characters of Python strings (Unicode code points), the end exclusive, so that ``text[start:end]`` is the
word. Where the data gives words (CoNLL), they are kept and joined by single spaces. Where it gives running text, a word
is a run of letters and digits with the marks on them, and every other visible character is a word of its own; in
scripts written without spaces (Chinese, Japanese, Thai, Lao, Khmer, Burmese) so is every letter.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal
from unicodedata import category

Borders = tuple[tuple[int, int], ...]
_Kind = Literal["letter", "alone", "joins", "mark", "space"]

_JOINERS: Final = frozenset("\u200c\u200d\u00ad\u2060")  # within a word: zero-width joiners, soft hyphen, word joiner
_ON_SYMBOLS: Final = range(0x1F3FB, 0x1F400)  # skin tones, which are part of the sign before them
_WITHOUT_SPACES: Final = (
    *(range(0x0E00, 0x0F00), range(0x1000, 0x10A0), range(0x1780, 0x1800)),
    *(range(0x3040, 0x3100), range(0x31F0, 0x3200), range(0x3400, 0x4DC0), range(0x4E00, 0xA000)),
    *(range(0xF900, 0xFB00), range(0x20000, 0x32000)),
)


@dataclass(frozen=True, slots=True)
class Document:
    """A text and its words.

    Attributes:
        text: The characters, as they came.
        words: Start and end of every word, in order, none empty and no two overlapping.
    """

    text: str
    words: Borders

    def __len__(self) -> int:
        return len(self.text)

    def __str__(self) -> str:
        return self.text

    @staticmethod
    def of_text(text: str) -> "Document":
        """Find the words of a running text."""
        return Document(text, split_words(text))

    @staticmethod
    def of_words(words: Sequence[str]) -> "Document":
        """Join given words by single spaces."""
        starts = [0]
        for word in words:
            starts.append(starts[-1] + len(word) + 1)
        borders = tuple((start, start + len(word)) for start, word in zip(starts, words, strict=False))
        return Document(" ".join(words), borders)

    def split_at(self, places: Iterable[int]) -> "Document":
        """Return the same text with words cut at further places, where these lie inside words."""
        cuts = sorted(set(places))
        borders: list[tuple[int, int]] = []
        for start, end in self.words:
            ends = [*(cut for cut in cuts if start < cut < end), end]
            borders += zip([start, *ends[:-1]], ends, strict=True)
        return Document(self.text, tuple(borders))

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the characters from the first of some words to the last.

        Args:
            start: Number of the first word.
            end: Number of the word after the last.

        Returns:
            Start and end in the text.
        """
        return self.words[start][0], self.words[end - 1][1]


def split_words(text: str) -> Borders:
    """Find the words of a running text.

    Args:
        text: Any characters.

    Returns:
        Start and end of every word; every character that is seen is in one of them.
    """
    borders: list[tuple[int, int]] = []
    open_until = -1  # where a run of letters has come to; a letter there goes on with it
    for place, character in enumerate(text):
        kind = _kind(character)
        follows = bool(borders) and borders[-1][1] == place
        joined = kind == "alone" and follows and text[place - 1] == "\u200d"  # signs of several parts
        goes_on = (kind in ("joins", "mark") and follows) or (kind == "letter" and open_until == place)
        if kind == "space" or (kind == "joins" and not follows):
            continue
        if joined or goes_on:
            borders[-1] = (borders[-1][0], place + 1)
            open_until = place + 1 if open_until == place else -1
        else:
            borders.append((place, place + 1))
            open_until = place + 1 if kind == "letter" else -1
    return tuple((start, _without_joiners(text, end)) for start, end in borders)


def _without_joiners(text: str, end: int) -> int:
    """Return where a word ends that is seen; what joins nothing after it is no part of it."""
    while text[end - 1] in _JOINERS:
        end -= 1
    return end


def _kind(character: str) -> _Kind:
    """Say what a character does: begins or goes on with a word, stands alone, or is part of what is before it."""
    if character in _JOINERS:
        return "joins"
    code, group = ord(character), category(character)
    if group[0] == "M" or code in _ON_SYMBOLS:
        return "mark"
    if group[0] in "LN" or character == "_":
        return "alone" if any(code in block for block in _WITHOUT_SPACES) else "letter"
    return "space" if group[0] in "ZC" and group not in ("Co", "Cs") else "alone"
