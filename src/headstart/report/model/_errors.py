"""Scored examples with the worst answers: pictures, texts with their entities, recordings to listen to.

What is shown was kept beside the model for this, small and bounded; without it the section says why it is empty.
"""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any, Final

from headstart.data import Document
from headstart.report._entities import TaggedText, tagged_lines
from headstart.report._excerpts import KeptClip
from headstart.report._transcripts import clip_lines
from headstart.report.model._html import bullets, paragraph, part, table
from headstart.report.model._record import ModelRecord
from headstart.tasks import Entity

NOT_SHOWN: Final = "No example is shown or named in this report."
HANGS_ON: Final = "Marked: words without which the model finds what it said less probable; the darker, the more."
_NEARLY: Final = 0.995
_UNNAMED: Final = {"entities.html": "more texts with their entities", "transcripts.html": "more recordings"}


def errors(record: ModelRecord) -> Iterator[str]:
    """Yield the section.

    Args:
        record: The model.

    Yields:
        Lines of HTML; none for a model that was not scored.
    """
    if record.adapted:
        yield from _unlike(record)
        return
    found = part(record.shown, "worst")
    if record.examples is None:
        yield paragraph(NOT_SHOWN)
        return
    if not found.get("items"):
        yield paragraph("No scored example was kept to be shown.")
        return
    yield paragraph(str(found.get("said") or ""))
    kind = found.get("kind")
    if kind == "tagging":
        yield from tagged_lines([_tagged(each) for each in found["items"]])
    elif kind == "transcription":
        for each in found["items"]:
            yield from clip_lines(KeptClip.from_dict(each))
        yield from _words(part(record.shown, "words"))
    else:
        broad = "" if all("picture" in each for each in found["items"]) else " broad"
        yield f'<div class="items{broad}">'
        for each in found["items"]:
            yield from _item(each)
        yield "</div>"
        if any(each.get("marks") for each in found["items"]):
            yield paragraph(HANGS_ON, style="note")
    for page in record.pages:
        said = (
            f"{page} in the model folder shows {_UNNAMED.get(page, 'more')}; it quotes scored data and may be removed."
        )
        yield paragraph(said, style="note")


def _item(each: Mapping[str, Any]) -> Iterator[str]:
    yield '<div class="item">'
    yield from _content(each)
    yield f"<p>{_answer(each)}</p>"
    for name, share in each["top"] if len(each.get("top") or ()) > 2 else ():
        yield f'<div class="soft"><bdi>{escape(str(name))}</bdi> {share:.2f}</div>'
        yield f'<div class="meter"><i style="width:{100 * share:.0f}%"></i></div>'
    yield f'<p class="soft"><bdi>{escape(str(each.get("place", "")))}</bdi></p></div>'


def _content(each: Mapping[str, Any]) -> Iterator[str]:
    about = escape(f"{_plain_answer(each)} ({each.get('place', '')})", quote=True)
    if "picture" in each:
        size = f'width="{int(each["width"])}" height="{int(each["height"])}"'
        yield f'<img {size} alt="{about}" src="data:image/jpeg;base64,{escape(each["picture"])}">'
    elif "audio" in each:
        yield f'<audio controls preload="metadata" src="data:audio/wav;base64,{escape(each["audio"])}"></audio>'
        if each.get("spectrogram"):
            high = f"spectrogram, 0 to {each['rate'] / 2000:g} kHz: {about}"
            yield f'<img class="spectrogram" alt="{high}" src="data:image/png;base64,{escape(each["spectrogram"])}">'
        if each.get("cut"):
            yield paragraph(f"The first {each['seconds']:.1f} seconds.", style="soft")
    elif "text" in each:
        yield f'<blockquote dir="auto">{_marked(each["text"], each.get("marks") or ())}</blockquote>'
    else:
        yield paragraph(str(each.get("problem") or ""), style="soft")


def _marked(text: str, marks: Sequence[Sequence[float]]) -> str:
    """Mark the words an answer hangs on, the heaviest the most."""
    heaviest, parts, at = max((mark[2] for mark in marks), default=1.0), [], 0
    for start, end, weight in marks:
        first, last, share = int(start), int(end), float(weight) / heaviest
        parts += [escape(text[at:first]), f'<mark style="--w:{share:.2f}">{escape(text[first:last])}</mark>']
        at = last
    return "".join([*parts, escape(text[at:])])


def _answer(each: Mapping[str, Any]) -> str:
    """Say what is true and what the model says."""
    if "labels" in each:
        sides = [
            (name, escape(", ".join(each["labels"][key]) or "–"))
            for name, key in (("right", "right"), ("missed", "missed"), ("wrongly told", "wrong"))
        ]
        return "<br>".join(f"{name}: <b>{names}</b>" for name, names in sides)
    style = "right" if each["true"] == each["told"] else "wrong"
    share = "" if "p" not in each else f" ({each['p']:.2f})" if each["p"] < _NEARLY else " (above 0.99)"
    true, told = escape(str(each["true"])), escape(str(each["told"]))
    return f'true: <b><bdi>{true}</bdi></b><br>said: <b class="{style}"><bdi>{told}</bdi></b>{share}'


def _plain_answer(each: Mapping[str, Any]) -> str:
    if "labels" in each:
        return f"missed {', '.join(each['labels']['missed']) or 'none'}"
    return f"true {each['true']}, said {each['told']}"


def _tagged(each: Mapping[str, Any]) -> TaggedText:
    words = tuple((int(start), int(end)) for start, end in each["words"])
    marked, predicted = (tuple(Entity(*entity) for entity in each[side]) for side in ("marked", "predicted"))
    return TaggedText(str(each["place"]), Document(str(each["text"]), words), marked, predicted)


def _words(found: Mapping[str, Any]) -> Iterator[str]:
    rows = [[said, f"heard as {heard}", f"{n:,}"] for said, heard, n in found.get("substituted") or ()]
    rows += [[said, "left out", f"{n:,}"] for said, n in found.get("left_out") or ()]
    rows += [[heard, "put in", f"{n:,}"] for heard, n in found.get("put_in") or ()]
    if rows:
        yield "<h3>Words most often wrong</h3>"
        yield from table(
            ["word", "what happened", "n"], sorted(rows, key=lambda row: -int(row[2].replace(",", "")))[:25], left=2
        )


def _unlike(record: ModelRecord) -> Iterator[str]:
    """List examples of the target that are like nothing in the source, where they may be named."""
    places = record.evaluation.get("unlike") or []
    if record.examples is None:
        yield paragraph(NOT_SHOWN)
        return
    yield paragraph("Examples of the target that are like nothing in the source, the farthest first:")
    yield from bullets(str(place) for place in places[:50])
