"""The page of transcripts: recordings to listen to, what is said in them, what was heard, and what is wrong with it.

One HTML file that needs nothing else and runs no script; sounds and pictures are in it. The recordings with most errors
come first, then some that stand for all of them. Of a long one it shows the part with most errors. What is wrong has
words or signs beside its colour. All text is escaped, because it is the user's and may hold anything.
"""

from base64 import b64encode
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Final

import numpy as np

from headstart.data import sound_facts
from headstart.errors import MissingExtraError
from headstart.evaluation import Alignment, align_words
from headstart.report._clips import spectrogram_bytes, wav_bytes
from headstart.report._excerpts import HeardRecording, KeptClip, Shown, Word, clip_length, cut_clip
from headstart.report._page import page_head, write_page

WORST: Final = 12  # recordings
TYPICAL: Final = 8
MOST_BYTES: Final = 6_000_000
_MOST_WORDS: Final = 30  # in the table of words
_MOST_GROUPS: Final = 50
_STEPS: Final = (0.1, 0.2, 0.5, 1, 2)
_TICKS: Final = 6  # on a scale of seconds, at most, so that a telephone shows them apart; of a long clip one every 2 s
_REM_PER_SECOND: Final = 8  # of a clip; what does not fit across is scrolled
CLIPS: Final = """
.clip { overflow-x: auto; }
.time { position: relative; }
.time img { display: block; width: 100%; height: 7.5rem; border: 1px solid var(--line, #bbb); box-sizing: border-box; }
.lane { position: relative; height: 1.7rem; font-size: .8rem; }
.lane span { position: absolute; overflow: hidden; white-space: nowrap; text-overflow: ellipsis; top: 0; }
.lane i { position: absolute; bottom: .15rem; height: 3px; background: var(--soft, #767676); min-width: 2px; }
.lane .wrong { color: var(--bad, #a3001b); font-weight: 600; }
.lane i.wrong { background: var(--bad, #a3001b); }
.scale { position: relative; height: 1.2rem; font-size: .72rem; color: var(--soft, #595959); }
.scale span { position: absolute; border-left: 1px solid var(--soft, #999); padding-left: .15rem; white-space: nowrap; }
.said { display: flex; flex-wrap: wrap; gap: .4rem .5rem; margin-top: .5rem; }
.said > span { display: flex; flex-direction: column; line-height: 1.4; padding: 0 .2rem; border-radius: .2rem; }
.said small { font-size: .68rem; color: var(--soft, #595959); white-space: nowrap; }
.said b { font-weight: 400; overflow-wrap: anywhere; }
.said .names { color: var(--soft, #595959); font-size: .85rem; line-height: 1.65; padding-right: .4rem; }
.said .wrong { background: var(--mark, #fdecee); }
.said .wrong b { color: var(--bad, #a3001b); font-weight: 600; }
"""
_STYLE: Final = (
    CLIPS
    + """
body { max-width: 62rem; }
h2 { font-size: 1.15rem; margin: 2rem 0 .4rem; }
h3 { font-size: .85rem; font-weight: 600; color: #595959; margin: 0 0 .3rem; overflow-wrap: anywhere; }
p { margin: .4rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .15rem .8rem .15rem 0; border-bottom: 1px solid #e5e5e5; vertical-align: top; }
th { font-size: .85rem; font-weight: 600; color: #595959; }
th:first-child, td:first-child, .left { text-align: left; overflow-wrap: break-word; }
.tables { display: flex; flex-wrap: wrap; gap: 0 2rem; align-items: flex-start; }
.tall { max-height: 24rem; overflow: auto; }
article { border-top: 1px solid #ddd; padding: .8rem 0 1rem; }
audio { display: block; width: 100%; height: 2.4rem; margin: .3rem 0; }
@media print { .tall { max-height: none; } audio { display: none; } }
"""
)


def write_transcripts(
    recordings: Sequence[HeardRecording], path: Path, *, title: str, facts: Sequence[str] = ()
) -> None:
    """Write a page on which recordings can be listened to, beside what is said and what was heard.

    Args:
        recordings: Scored recordings.
        path: The file to write, of about six megabytes at most.
        title: What stands above the page.
        facts: Sentences under the title.

    Raises:
        OptionError: The file cannot be written.
        DataError: A recording cannot be read any more.
    """
    write_page("\n".join(_page(recordings, title=title, facts=facts)) + "\n", path)


def _page(recordings: Sequence[HeardRecording], *, title: str, facts: Sequence[str]) -> Iterator[str]:
    aligned = [align_words(each.said, each.heard.text) for each in recordings]
    worst, typical = _chosen(aligned)
    yield from page_head(title, _STYLE, facts)
    yield from _counts(recordings, aligned)
    shown = {i: Shown(recordings[i], aligned[i], sound_facts(recordings[i].item)) for i in (*worst, *typical)}
    left, most = MOST_BYTES, clip_length([each.facts for each in shown.values()])
    for heading, chosen in (("Most errors", worst), ("Typical", typical)):
        articles = list(_articles([shown[i] for i in chosen], most=most, room=left))
        left -= sum(map(len, articles))
        yield f"<section><h2>{heading}</h2><p>{_which(heading, len(articles), len(recordings))}</p>"
        yield from articles
        yield "</section>"
    yield "</body></html>"


def _chosen(aligned: Sequence[Alignment]) -> tuple[list[int], list[int]]:
    """Choose the recordings with most errors, and of all others some evenly spread from bad to good."""
    order = sorted(range(len(aligned)), key=lambda i: (-aligned[i].errors, aligned[i].words))
    wrong = [i for i in order if aligned[i].errors][:WORST]
    others = order[len(wrong) :]
    n = min(TYPICAL, len(others))
    return wrong, [others[(2 * k + 1) * len(others) // (2 * n)] for k in range(n)]


def _which(heading: str, shown: int, n: int) -> str:
    if not shown:
        return "None."
    if heading == "Typical":
        return f"{shown} of the others, evenly spread from those with more errors to those with fewer."
    return f"{shown} of {n:,} recordings. Numbers are seconds; point at a word for its probability."


def _articles(shown: Sequence[Shown], *, most: float, room: int) -> Iterator[str]:
    for each in shown:
        article = "\n".join(clip_lines(keep_clip(each, most)))
        room -= len(article)
        if room < 0:
            return
        yield article


def worst_clips(recordings: Sequence[HeardRecording], *, most: int, seconds: float) -> list[KeptClip]:
    """Cut parts of the recordings with most errors, as a page shows them.

    Args:
        recordings: Scored recordings.
        most: How many.
        seconds: Of each, at most.

    Returns:
        The worst first; where none has an error, the first few.

    Raises:
        DataError: A recording cannot be read any more.
    """
    aligned = [align_words(each.said, each.heard.text) for each in recordings]
    worst = _chosen(aligned)[0] or range(len(recordings))
    shown = [Shown(recordings[i], aligned[i], sound_facts(recordings[i].item)) for i in worst[:most]]
    return [keep_clip(each, seconds) for each in shown]


def keep_clip(shown: Shown, most: float) -> KeptClip:
    """Cut the part of a recording that is shown, as a sound and a picture.

    Args:
        shown: A recording with what was heard in it.
        most: Seconds of the part, at most.

    Returns:
        What a page needs, without the recording.

    Raises:
        DataError: The recording cannot be read any more.
    """
    clip, recording = cut_clip(shown, most), shown.recording
    parts = [getattr(recording.item, "name", ""), recording.group or ""]
    also = [part for part in parts if part and part not in recording.name]
    part = ""
    if clip.seconds < clip.whole - 1e-3:
        part = f"; seconds {clip.start:.1f} to {clip.start + clip.seconds:.1f} of {clip.whole:.1f}"
    try:
        drawn, problem = b64encode(spectrogram_bytes(clip.samples, clip.rate)).decode(), ""
    except MissingExtraError as error:
        drawn, problem = "", str(error)
    return KeptClip(
        name=recording.name + f" ({', '.join(also)})" * bool(also),
        said=_errors(shown.alignment) + part,
        audio=b64encode(wav_bytes(clip.samples, clip.rate)).decode(),
        spectrogram=drawn,
        problem=problem,
        start=clip.start,
        seconds=clip.seconds,
        rate=clip.rate,
        words=clip.words,
    )


def clip_lines(clip: KeptClip) -> Iterator[str]:
    """Yield a part of a recording with what is said and heard in it; `CLIPS` is the style."""
    words = "".join(_pair(word, clip.start) for word in clip.words)
    yield f"<article><h3><bdi>{escape(clip.name)}</bdi>: {escape(clip.said)}</h3>"
    yield f'<audio controls preload="metadata" src="data:audio/wav;base64,{clip.audio}"></audio>'
    yield from _picture(clip)
    yield f'<div class="said" dir="auto">{_names()}{words}</div></article>'


def _errors(alignment: Alignment) -> str:
    if not alignment.errors:
        return "no error"
    words = "1 word" if alignment.words == 1 else f"{alignment.words:,} words"
    return f"{alignment.errors:,} {'error' if alignment.errors == 1 else 'errors'} in {words}"


def _picture(clip: KeptClip) -> Iterator[str]:
    """Draw the spectrogram with the words that were heard above it, and a scale of seconds below."""
    width = f"max(100%, {_REM_PER_SECOND * clip.seconds:.1f}rem)"
    heard = [word for word in clip.words if word.operation.heard]
    yield f'<div class="clip"><div class="time" style="width:{width}"><div class="lane">'
    for number, word in enumerate(heard):
        following = heard[number + 1].start if number + 1 < len(heard) else clip.seconds
        yield _at(clip, word, following)
    yield "</div>"
    high = f"{clip.rate / 2000:g} kHz"
    if clip.problem:
        yield f"<p>No spectrogram: {escape(clip.problem)}</p>"
    else:
        yield f'<img alt="spectrogram, 0 to {high}" title="0 to {high}" src="data:image/png;base64,{clip.spectrogram}">'
    yield f'<div class="scale">{_scale(clip)}</div></div></div>'


def _at(clip: KeptClip, word: Word, following: float) -> str:
    def share(seconds: float) -> str:
        return f"{100 * seconds / clip.seconds:.2f}%"

    of = ' class="wrong"' if word.wrong else ""
    room, length = share(max(0.0, following - word.start)), share(word.end - word.start)
    return (
        f'<span{of} style="left:{share(word.start)};max-width:{room}" title="{_title(word)}">'
        f"<bdi>{escape(word.operation.heard)}</bdi></span>"
        f'<i{of} style="left:{share(word.start)};width:{length}"></i>'
    )


def _scale(clip: KeptClip) -> str:
    step = next(step for step in _STEPS if step == _STEPS[-1] or clip.seconds / step <= _TICKS)
    first = int(np.ceil(clip.start / step - 1e-6))
    ticks = (number * step for number in range(first, first + int(clip.seconds / step) + 1))
    return "".join(
        f'<span style="left:{100 * (tick - clip.start) / clip.seconds:.2f}%">{round(tick, 3):g} s</span>'
        for tick in ticks
        if tick - clip.start < 0.97 * clip.seconds
    )


def _names() -> str:
    return '<span class="names" dir="ltr"><span>said</span><span>heard</span></span>'


def _pair(word: Word, clip_start: float) -> str:
    """Show a word that was said above what was heard in its place; no <bdi>, so that the first decides the row."""
    operation = word.operation
    of = ' class="wrong"' if word.wrong else ""
    sides = (operation.said, operation.heard)
    upper, lower = (f"<b>{escape(text)}</b>" if text else "<b>–</b>" for text in sides)
    when = f"{clip_start + word.start:.2f}–{clip_start + word.end:.2f}" if operation.heard else "left out"
    if operation.edit == "put in":
        when += " put in"
    return f'<span{of} title="{_title(word)}">{upper}{lower}<small dir="ltr">{when}</small></span>'


def _title(word: Word) -> str:
    said, heard = word.operation.said, word.operation.heard
    sides = [f"said “{said}”"] if said else []
    sides += [f"heard “{heard}”, probability {word.probability:.3f}"] if heard else []
    return escape(f"{'right' if not word.wrong else word.operation.edit}: {', '.join(sides)}")


def _counts(recordings: Sequence[HeardRecording], aligned: Sequence[Alignment]) -> Iterator[str]:
    counts = Counter(each.edit for alignment in aligned for each in alignment.operations)
    yield (
        f"<p>{counts['same']:,} words right, {counts['substituted']:,} substituted, {counts['left out']:,} left out, "
        f"{counts['put in']:,} put in.</p>"
    )
    yield '<div class="tables">'
    yield from _by_word(aligned)
    yield from _by_group(recordings, aligned)
    yield "</div>"


def _by_word(aligned: Sequence[Alignment]) -> Iterator[str]:
    """Show the words with most errors: those said, and those put in where nothing was."""
    said, missing, added = Counter[str](), Counter[str](), Counter[str]()
    instead: dict[str, Counter[str]] = {}
    for each in (each for alignment in aligned for each in alignment.operations):
        said.update([each.said] if each.said else [])
        missing.update([each.said] if each.edit == "left out" else [])
        added.update([each.heard] if each.edit == "put in" else [])
        if each.edit == "substituted":
            instead.setdefault(each.said, Counter()).update([each.heard])
    errors = Counter({word: other.total() for word, other in instead.items()}) + missing + added
    rows = sorted(errors.items(), key=lambda row: (-row[1], row[0]))
    if not rows:
        return
    limit = f": {_MOST_WORDS} of {len(rows):,}" if len(rows) > _MOST_WORDS else ""
    yield f'<section><h2>Errors by word{limit}</h2><div class="tall"><table>'
    yield '<tr><th>word<th>said<th>left out<th>put in<th>substituted<th class="left">by'
    for word, _ in rows[:_MOST_WORDS]:
        others = instead.get(word, Counter())
        by = ", ".join(f"<bdi>{escape(other)}</bdi> {n:,}" for other, n in sorted(others.items(), key=_often)[:3])
        numbers = "".join(f"<td>{n:,}" for n in (said[word], missing[word], added[word], others.total()))
        yield f'<tr><td><bdi>{escape(word)}</bdi>{numbers}<td class="left">{by}{", …" * (len(others) > 3)}'
    yield "</table></div></section>"


def _often(row: tuple[str, int]) -> tuple[int, str]:
    return -row[1], row[0]


def _by_group(recordings: Sequence[HeardRecording], aligned: Sequence[Alignment]) -> Iterator[str]:
    """Show the word error rate of every group, the highest first, where there are several."""
    found: dict[str, list[Alignment]] = {}
    for recording, alignment in zip(recordings, aligned, strict=True):
        if recording.group is not None:
            found.setdefault(recording.group, []).append(alignment)
    if len(found) < 2:
        return
    rates: Mapping[str, tuple[int, int]] = {
        name: (sum(each.errors for each in its), sum(each.words for each in its)) for name, its in found.items()
    }
    order = sorted(rates, key=lambda name: (-rates[name][0] / max(1, rates[name][1]), name))
    limit = f": {_MOST_GROUPS} of {len(order):,}" if len(order) > _MOST_GROUPS else ""
    yield f'<section><h2>Errors by group (speaker){limit}</h2><div class="tall"><table>'
    yield "<tr><th>group<th>recordings<th>words<th>errors<th>word error rate"
    for name in order[:_MOST_GROUPS]:
        errors, words = rates[name]
        rate = f"{errors / words:.3f}" if words else "-"
        numbers = f"<td>{len(found[name]):,}<td>{words:,}<td>{errors:,}<td>{rate}"
        yield f"<tr><td><bdi>{escape(name)}</bdi>{numbers}"
    yield "</table></div></section>"
