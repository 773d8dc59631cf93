"""Entities as character spans, checked one by one and turned into tags of words.

A span that begins or ends inside a word cuts the word there, so that the entity is exactly what the data says. Where
that looks like a slip of counting, the likely span is named: one character off, an inclusive end, or offsets that
count bytes or UTF-16 units instead of characters.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Literal, NamedTuple

from headstart.data._findings import Finding
from headstart.data._rows import Row
from headstart.errors import DataError
from headstart.runtime import Document, split_words
from headstart.tasks import Entity, tags_of, write_tags

Oddity = Literal["off-by-one-spans", "spans-cut-words", "spans-with-spaces"]

_SHIFTS: Final = ((-1, -1), (1, 1), (0, 1), (-1, 0), (0, -1), (1, 0))  # what to add, the likeliest first
_ADVICE: Final[dict[object, str]] = {
    (-1, -1): "Subtract 1 from both offsets, if they count from 1.",
    (1, 1): "Add 1 to both offsets.",
    (0, 1): "Add 1 to the ends, if they are inclusive: ours are exclusive.",
    "utf-16-le": "Count characters (Unicode code points): these seem to be UTF-16 units.",
    "utf-8": "Count characters: these seem to be bytes.",
}
_SAID: Final[dict[Oddity, str]] = {
    "off-by-one-spans": "spans that may be shifted",
    "spans-cut-words": "spans that begin or end inside a word, which is cut there",
    "spans-with-spaces": "spans with outer white space, read without it",
}


class Span(NamedTuple):
    """A span as the data gives it, with its number in the row, from 1."""

    number: int
    start: int
    end: int
    type: str


class Odd(NamedTuple):
    """A span that can be read and looks wrong; ``shift`` names the likely slip."""

    kind: Oddity
    place: str
    found: str
    shift: object = None


def with_spans(row: Row, spans: object, odd: list[Odd]) -> Row | DataError:
    """Turn a text and its spans into a document and the tags of its words.

    Args:
        row: A row whose item is a text.
        spans: What the data gives as its spans.
        odd: Where to put what looks wrong.

    Returns:
        The row with a `Document` and a label, or its first fault.
    """
    text: str = row.item
    read = list(_read(spans, text, row.place))
    faults = [span for span in read if isinstance(span, DataError)]
    good = sorted((span for span in read if isinstance(span, Span)), key=lambda span: (span.start, span.end))
    faults = faults or list(_overlaps(good, text, row.place))
    if faults:
        first, more = faults[0], len(faults) - 1
        others = f"{more} more bad span{'s' * (more > 1)} in this row"
        problem = f"{first.problem} (and {others})" if more else first.problem
        return DataError(problem, where=first.where, fix=first.fix)
    whole = Document.of_text(text)
    odd += _oddities(good, whole, row.place)
    document = whole.split_at(place for span in good for place in (span.start, span.end))
    return replace(row, item=document, label=write_tags(_tags(good, document)))


def _tags(spans: Sequence[Span], document: Document) -> list[str]:
    """Tag the words in each span; spans and words are both in order."""
    entities, place = [], 0
    words = document.words
    for span in spans:
        while words[place][0] < span.start:
            place += 1
        first = place
        while place < len(words) and words[place][1] <= span.end:
            place += 1
        entities.append(Entity(first, place, span.type))
    return tags_of(entities, len(words))


def _read(spans: object, text: str, place: str) -> Iterator[Span | DataError]:
    if spans is None or not isinstance(spans, list):
        found = "nothing" if spans is None else f"a {type(spans).__name__}"
        fix = 'Write "spans": [[start, end, type], ...], an empty list where there is no entity.'
        yield DataError(f"expected a list of spans, found {found}", where=place, fix=fix)
        return
    for number, span in enumerate(spans, start=1):
        fault = _fault(span, text)
        if fault:
            problem, fix = fault
            yield DataError(f"span {number}: {problem}", where=place, fix=fix)
        else:
            start, end, name = _parts(span)
            yield Span(number, start, end, name.strip())


def _parts(span: Any) -> Sequence[Any]:
    """Return start, end and type as written, of a list or an object."""
    if isinstance(span, dict):
        return [span.get("start"), span.get("end"), span.get("label", span.get("type"))]
    return span if isinstance(span, list) else ()


def _fault(span: Any, text: str) -> tuple[str, str] | None:
    """Say what makes a span unreadable, and what to do."""
    parts = _parts(span)
    fix = "Offsets count characters from 0, the end is exclusive."
    if len(parts) != 3:
        return f"expected [start, end, type], found {_short(span)}", "Write the three of them."
    start, end, name = parts
    if not all(isinstance(offset, int) and not isinstance(offset, bool) for offset in (start, end)):
        return f"expected whole numbers as start and end, found {_short([start, end])}", fix
    if not isinstance(name, str) or not name.strip():
        return f"expected a type, found {'nothing' if name in (None, '') else _short(name)}", "Write its name."
    if not name.strip().isprintable():
        return f"expected a type that can be printed, found {_short(name)}", "Correct its name."
    if start < 0 or end > len(text):
        return f"expected offsets from 0 to {len(text)}, the length of the text, found [{start}, {end}]", fix
    if start >= end:
        found = "an empty span" if start == end else "its end before its start"
        return f"expected a start below the end, found {found}, [{start}, {end}]", fix
    if not split_words(text[start:end]):
        return f"expected characters that are seen, found only white space in [{start}, {end}]", "Remove the span."
    return None


def _short(value: object) -> str:
    return repr(value) if len(repr(value)) <= 60 else f"{repr(value)[:57]}..."


def _overlaps(spans: Sequence[Span], text: str, place: str) -> Iterator[DataError]:
    """Find spans that share characters, given in order of their starts."""
    widest: Span | None = None
    for span in spans:
        if widest and span.start < widest.end:
            how = "lies inside" if span.end <= widest.end else "overlaps"
            found = f"span {span.number}, {_quoted(span, text)}, {how} span {widest.number}, {_quoted(widest, text)}"
            fix = "Keep one of them: a word is in one entity at most."
            yield DataError(f"expected separate spans, found that {found}", where=place, fix=fix)
        if not widest or span.end > widest.end:
            widest = span


def _quoted(span: Span, text: str) -> str:
    return f"[{span.start}, {span.end}] {_short(text[span.start : span.end])}"


def _oddities(spans: Sequence[Span], document: Document, place: str) -> Iterator[Odd]:
    """Find spans that do not fit the words, and look for what was meant."""
    text = document.text
    starts, ends = dict(document.words), {last for _, last in document.words}
    order = sorted(starts)
    for number, start, end, _ in spans:
        if start in starts and end in ends:
            continue
        where, here = f"{place} span {number}", f"[{start}, {end}] is {_short(text[start:end])}"
        around = [_around(cut, order, starts) for cut in (start, end)]
        likely = _likely(text, start, end, lambda low, high: low in starts and high in ends, cuts=any(around))
        if likely:
            shift, low, high = likely
            found = f"{here}: did you mean [{low}, {high}] {_short(text[low:high])}?"
            yield Odd("off-by-one-spans", where, found, shift)
        elif not any(around):
            yield Odd("spans-with-spaces", where, here)
        else:
            words = " and ".join(dict.fromkeys(_short(text[slice(*word)]) for word in around if word))
            yield Odd("spans-cut-words", where, f"{here}, which cuts {words}")


def _around(place: int, order: Sequence[int], words: Mapping[int, int]) -> tuple[int, int] | None:
    """Return the borders of the word that a place lies inside of."""
    number = bisect_left(order, place) - 1
    return (order[number], words[order[number]]) if number >= 0 and place < words[order[number]] else None


def _likely(
    text: str, start: int, end: int, fits: Callable[[int, int], bool], *, cuts: bool
) -> tuple[object, int, int] | None:
    """Return the slip and the span without it, for the first slip that explains a span which does not fit."""
    for shift in _SHIFTS if cuts else ():
        low, high = start + shift[0], end + shift[1]
        if low < high and fits(low, high):
            return shift, low, high
    if text.isascii():
        return None
    for encoding, width in (("utf-16-le", 2), ("utf-8", 1)):
        data = text.encode(encoding)
        low, high = (len(data[: offset * width].decode(encoding, "ignore")) for offset in (start, end))
        if low < high and (low, high) != (start, end) and fits(low, high):
            return encoding, low, high
    return None


def about_spans(odd: Sequence[Odd], name: str) -> tuple[Finding, ...]:
    """Sum up what looks wrong, one finding a kind.

    Args:
        odd: What `with_spans` has met.
        name: The file's name.

    Returns:
        Findings with a count and the first place.
    """
    found = {kind: [one for one in odd if one.kind == kind] for kind in _SAID}
    return tuple(
        Finding(kind, "warning", some[0].place, f"{_SAID[kind]}: {len(some)} in {name} (first: {some[0].found})", fix)
        for kind, some in found.items()
        if some and (fix := _fix(kind, some))
    )


def _fix(kind: Oddity, odd: Sequence[Odd]) -> str:
    if kind == "off-by-one-spans":
        shift, number = Counter(one.shift for one in odd).most_common(1)[0]
        advice = _ADVICE.get(shift, "Correct the offsets, if this is not meant.")
        return f"{advice} ({number} of {len(odd)} look like that.)"
    if kind == "spans-with-spaces":
        return "Leave white space out of the spans."
    return "Nothing, if it is meant; else correct the offsets: they count characters from 0, the end is exclusive."
