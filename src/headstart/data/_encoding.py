"""Texts that were encoded twice: UTF-8 that was read as Latin-1 or Windows-1252 and saved as UTF-8 again."""

import re
from typing import Final

from headstart.data._findings import Finding
from headstart.data.dataset import Dataset

# The bytes of a letter in UTF-8 as either encoding shows them; such pairs are rare in any language.
_NEXT: Final = "[\u0080-\u00bf\u0152-\u017e\u02c6\u02dc\u2013-\u2122]"
_LOOKS_SO: Final = re.compile(
    f"[\u00c2-\u00df]{_NEXT}|[\u00e0-\u00ef]{_NEXT}{{2}}|[\u00f0-\u00f4]{_NEXT}{{3}}",
)
_ENCODINGS: Final = ("latin-1", "cp1252")


def about_encoding(dataset: Dataset) -> list[Finding]:
    """Look for texts whose letters fell apart.

    Args:
        dataset: Texts, documents or transcripts; nothing else has an encoding.

    Returns:
        One finding, with the first such text put right, or none.
    """
    spoken = dataset.kind == "transcription"
    if dataset.modality != "text" and not spoken:
        return []
    found = [
        (place, right)
        for place, item in zip(dataset.places, (dataset.labels or ()) if spoken else dataset.items, strict=True)
        if (right := repaired(str(item))) is not None
    ]
    if not found:
        return []
    place, (wrong, meant) = found[0]
    what = "transcripts" if spoken else "texts"
    said = f"{len(found)} {what} look like UTF-8 that was encoded twice, such as {wrong!r} for {meant!r}"
    fix = "Convert the file back once: iconv -f UTF-8 -t LATIN1 FILE > NEW, which is UTF-8 then."
    return [Finding("encoded-twice", "warning", place, said, fix)]


def repaired(text: str) -> tuple[str, str] | None:
    """Return the first word of a text that was encoded twice, and what it should be; None where none was.

    Args:
        text: Any characters.

    Returns:
        The word as it stands and as it was meant. A text counts only where all of it can be put right.
    """
    if not _LOOKS_SO.search(text):
        return None
    for encoding in _ENCODINGS:
        try:
            text.encode(encoding).decode("utf-8")
            wrong = next(word for word in text.split() if _LOOKS_SO.search(word))
            return wrong, wrong.encode(encoding).decode("utf-8")
        except (UnicodeError, StopIteration):
            continue
    return None
