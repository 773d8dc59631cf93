"""How transcripts are spelt: as written, or plain, without what a recording does not tell."""

import re
import unicodedata
from typing import Final, Literal

Spelling = Literal["plain", "written"]
_SPACES: Final = re.compile(r"\s+")
_WITHIN: Final = frozenset("'\u2019\u02bc-\u2010\u2011\u200c\u200d")  # kept between letters: don't, twenty-one
_APOSTROPHES: Final = str.maketrans({"\u2019": "'", "\u02bc": "'", "\u2010": "-", "\u2011": "-"})


def written(text: str) -> str:
    """Return a transcript as written: characters composed (NFC), runs of white space one space, none at the ends."""
    return _SPACES.sub(" ", unicodedata.normalize("NFC", text)).strip()


def plain(text: str) -> str:
    """Return a transcript in lower case and without punctuation and symbols, which nobody hears.

    Letters, combining marks and digits of all languages stay, and apostrophes and hyphens between them.

    Args:
        text: The transcript.

    Returns:
        The plain transcript; the same again for itself.
    """
    lower = written(text.lower()).translate(_APOSTROPHES)
    kept = [char if _is_heard(lower, place) else " " for place, char in enumerate(lower)]
    return written("".join(kept))


def _is_heard(text: str, place: int) -> bool:
    char = text[place]
    if char in _WITHIN:
        around = text[place - 1 : place] + text[place + 1 : place + 2]
        return len(around) == 2 and all(unicodedata.category(each)[0] in "LMN" for each in around)
    return unicodedata.category(char)[0] in "LMNZ"
