"""The page of highlighted text: what is marked, what was predicted, and what is wrong with it.

One HTML file that needs nothing else and runs no script. What is marked is underlined, what is predicted has a coloured
ground, each type has a colour, and a word behind every entity says what it is: nothing is told by colour alone. All
text is escaped, because it is the user's and may hold anything.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Final

from headstart.data import Document
from headstart.evaluation.entities import MATCHES, Match, match_entities
from headstart.report._drawing import COLOURS
from headstart.report._page import page_head, write_page
from headstart.tasks import Entity

MOST_TEXTS: Final = 100
_ANGLE: Final = 137.5  # between the hues of types that have no colour of Okabe and Ito's left
_WHAT: Final[Mapping[Match, str]] = {
    "exact": "right",
    "wrong type": "wrong type",
    "wrong border": "wrong border",
    "wrong type and border": "wrong type and border",
    "missed": "missed",
    "spurious": "not marked",
}
MARKS: Final = """
.text { white-space: pre-wrap; overflow-wrap: anywhere; max-height: 30rem; overflow: auto; line-height: 2; }
.m { border-bottom: 3px solid var(--marked); }
.p { background: color-mix(in srgb, var(--told) 22%, var(--paper, white)); }
.m, .p { padding: .1rem 0; }
.text small { font-size: .72rem; font-weight: 600; margin: 0 .15rem 0 .3rem; white-space: nowrap; }
.text small.wrong { color: var(--bad, #a3001b); }
@media print { .text { max-height: none; } }
"""
_STYLE: Final = (
    MARKS
    + """
body { line-height: 1.75; }
p { margin: .4rem 0; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; }
nav { margin: 1rem 0; }
nav label { display: inline-block; border: 1px solid #767676; border-radius: 1rem; padding: 0 .8rem; margin: .15rem 0;
  cursor: pointer; }
input { position: absolute; opacity: 0; }
article { border-top: 1px solid #ddd; padding: .6rem 0; }
h2 { font-size: .85rem; font-weight: 600; color: #595959; margin: 0; overflow-wrap: anywhere; }
@media print { nav { display: none; } }
"""
)


@dataclass(frozen=True)
class TaggedText:
    """A text with what is marked in it and what was predicted.

    Attributes:
        name: Where it came from.
        document: The text and its words.
        marked: The true entities, in order.
        predicted: The predicted ones, in order.
    """

    name: str
    document: Document
    marked: tuple[Entity, ...]
    predicted: tuple[Entity, ...]


@dataclass(frozen=True)
class _Shown:
    """An entity or a pair of them, as it is shown: what it is, and both sides where there are."""

    match: Match
    marked: Entity | None
    predicted: Entity | None

    @property
    def end(self) -> int:
        return max(side.end for side in (self.marked, self.predicted) if side is not None)


def write_entities(texts: Sequence[TaggedText], path: Path, *, title: str, facts: Sequence[str] = ()) -> None:
    """Write a page that shows entities in their texts, those with most mistakes first.

    Args:
        texts: Scored texts; the first 100 in that order are shown.
        path: The file to write.
        title: What stands above the page.
        facts: Sentences under the title.

    Raises:
        OptionError: The file cannot be written.
    """
    write_page(_page(texts, title=title, facts=facts), path)


def _page(texts: Sequence[TaggedText], *, title: str, facts: Sequence[str]) -> str:
    counts, shown = _matched(texts)
    order = sorted(range(len(texts)), key=lambda i: -sum(each.match != "exact" for each in shown[i]))[:MOST_TEXTS]
    types = sorted({side.type for text in texts for side in (*text.marked, *text.predicted)})
    colours = {name: _colour(place) for place, name in enumerate(types)}
    limit = f"{len(order)} of {len(texts):,} texts, those with most mistakes first." if order else "No text."
    lines = [
        *page_head(title, _STYLE + _filters(), (*facts, limit)),
        _legend(colours),
        *_choice(counts),
        "<main>",
        *(_article(texts[i], shown[i], colours) for i in order),
        "</main></body></html>",
    ]
    return "\n".join(lines) + "\n"


def tagged_lines(texts: Sequence[TaggedText]) -> Iterator[str]:
    """Yield texts with their entities for a part of another page, in the order given, after what the marks mean.

    Args:
        texts: At least one.

    Yields:
        Lines of HTML; `MARKS` is their style.
    """
    _, shown = _matched(texts)
    types = sorted({side.type for text in texts for side in (*text.marked, *text.predicted)})
    colours = {name: _colour(place) for place, name in enumerate(types)}
    yield _legend(colours)
    for text, its in zip(texts, shown, strict=True):
        yield f'<div class="item"><b>{escape(text.name)}: {_mistakes(its)}</b>'
        yield f'<div class="text" dir="auto">{"".join(_marked_up(text, its, colours))}</div></div>'


def _matched(texts: Sequence[TaggedText]) -> tuple[Mapping[Match, int], list[list[_Shown]]]:
    """Count the matches, and list for every text what is shown, in the order of the text."""
    counts, mistakes = match_entities([text.marked for text in texts], [text.predicted for text in texts])
    shown: list[list[_Shown]] = [[] for _ in texts]
    for each in mistakes:
        shown[each.document].append(_Shown(each.match, each.marked, each.predicted))
    for text, found in zip(texts, shown, strict=True):
        wrong = {each.marked for each in found}
        told = {(entity.start, entity.end): entity for entity in text.predicted}
        found += [
            _Shown("exact", entity, told[entity.start, entity.end]) for entity in text.marked if entity not in wrong
        ]
        found.sort(key=lambda each: each.end)
    return counts, shown


def _colour(place: int) -> str:
    if place < len(COLOURS):
        return COLOURS[place]
    return f"hsl({_ANGLE * place % 360:.0f} 65% 42%)"


def _legend(colours: Mapping[str, str]) -> str:
    types = "".join(
        f'<span class="m p" style="--marked:{colour};--told:{colour}">&nbsp;<bdi>{escape(name)}</bdi>&nbsp;</span>'
        for name, colour in colours.items()
    )
    example = COLOURS[0]
    return (
        f'<p class="legend">{types}</p><p class="legend">'
        f'<span><span class="m" style="--marked:{example}">underlined</span>: marked in the data</span>'
        f'<span><span class="p" style="--told:{example}">coloured ground</span>: predicted</span>'
        "<span>A → B: marked A, predicted B</span><span>Point at one for its probability.</span></p>"
    )


def _choice(counts: Mapping[Match, int]) -> Iterator[str]:
    """Yield the buttons that choose what is shown: they stand beside the texts, as the style needs it."""
    kinds = [match for match in MATCHES if match != "exact" and counts[match]]
    yield '<input type="radio" name="show" id="show-all" checked>'
    for match in kinds:
        yield f'<input type="radio" name="show" id="show-{_id(match)}">'
    labels = "".join(f'<label for="show-{_id(match)}">{_WHAT[match]} {counts[match]:,}</label> ' for match in kinds)
    yield f'<nav>right {counts["exact"]:,}; show <label for="show-all">all texts</label> {labels}</nav>'


def _filters() -> str:
    """Hide the texts without the kind of mistake that is chosen, and show which is."""
    every = [_id(match) for match in MATCHES if match != "exact"]
    hidden = "".join(f"#show-{name}:checked ~ main article:not(.{name}) {{ display: none; }}\n" for name in every)
    chosen = ", ".join(f'#show-{name}:checked ~ nav label[for="show-{name}"]' for name in ("all", *every))
    focused = chosen.replace(":checked", ":focus-visible")
    return f"{hidden}{chosen} {{ background: #222; color: #fff; }}\n{focused} {{ outline: 3px solid #0072B2; }}\n"


def _id(match: Match) -> str:
    return match.replace(" ", "-")


def _article(text: TaggedText, shown: Sequence[_Shown], colours: Mapping[str, str]) -> str:
    names = " ".join(_id(match) for match in dict.fromkeys(each.match for each in shown) if match != "exact")
    return (
        f'<article class="{names}"><h2>{escape(text.name)}: {_mistakes(shown)}</h2>'
        f'<div class="text" dir="auto">{"".join(_marked_up(text, shown, colours))}</div></article>'
    )


def _mistakes(shown: Sequence[_Shown]) -> str:
    kinds = Counter(each.match for each in shown if each.match != "exact")
    return ", ".join(f"{_WHAT[match]} {n}" for match, n in kinds.items()) or "no mistake"


def _marked_up(text: TaggedText, shown: Sequence[_Shown], colours: Mapping[str, str]) -> Iterator[str]:
    """Yield the text piece by piece, cut at every border: two sides of a match may overlap, which tags could not."""
    document = text.document
    sides = [(each, side) for each in shown for side in (each.marked, each.predicted) if side is not None]
    borders = {place for _, side in sides for place in document.span(side.start, side.end)}
    places = sorted(borders | {0, len(document.text)})
    labels: dict[int, list[str]] = {}
    for each in shown:
        labels.setdefault(document.words[each.end - 1][1], []).append(_label(each))
    for start, end in pairwise(places):
        yield _piece(document, start, end, shown, colours)
        yield from labels.get(end, [])


def _piece(document: Document, start: int, end: int, shown: Sequence[_Shown], colours: Mapping[str, str]) -> str:
    """Mark a piece of text that lies inside or outside of every entity as a whole."""
    classes, styles, titles = [], [], []
    for each in shown:
        marked, told = _covers(document, each.marked, start), _covers(document, each.predicted, start)
        if marked and each.marked:
            classes.append("m")
            styles.append(f"--marked:{colours[each.marked.type]}")
        if told and each.predicted:
            classes.append("p")
            styles.append(f"--told:{colours[each.predicted.type]}")
        if marked or told:
            titles.append(_title(document, each))
    inside = escape(document.text[start:end])
    if not classes:
        return inside
    title = escape("; ".join(dict.fromkeys(titles)))
    return f'<span class="{" ".join(classes)}" style="{";".join(styles)}" title="{title}">{inside}</span>'


def _covers(document: Document, entity: Entity | None, place: int) -> bool:
    if entity is None:
        return False
    start, end = document.span(entity.start, entity.end)
    return start <= place < end


def _label(each: _Shown) -> str:
    """Say behind an entity what it is, and what is wrong."""
    true, told = each.marked, each.predicted
    name = (true or told or Entity(0, 0, "")).type
    also = f" → <bdi>{escape(told.type)}</bdi>" if true and told and told.type != true.type else ""
    wrong = "" if each.match == "exact" else f" {_WHAT[each.match]}"
    # In a text that runs from right to left, an arrow between the types would point the wrong way.
    return f'<small dir="ltr" class="{"wrong" if wrong else "right"}"><bdi>{escape(name)}</bdi>{also}{wrong}</small>'


def _title(document: Document, each: _Shown) -> str:
    def said(side: Entity) -> str:
        start, end = document.span(side.start, side.end)
        return f"{side.type} “{document.text[start:end]}”"

    sides = [] if each.marked is None else [f"marked {said(each.marked)}"]
    if each.predicted is not None:
        sides.append(f"predicted {said(each.predicted)}, probability {each.predicted.probability:.3f}")
    return f"{_WHAT[each.match]}: {', '.join(sides)}"
