"""A ranking on one screen: a line per candidate, what is left out and why, and what to type next."""

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import click

from headstart.cli._render import row

if TYPE_CHECKING:
    from headstart.pipeline import RankResult
    from headstart.transferability import Ranked

HEADING: Final = (
    *("", "candidate", "score", "in top 3", "tie", "log loss", "kNN"),
    *("one item", "weights", "memory", "took"),
)
SPEECH_HEADING: Final = tuple({"log loss": "loss"}.get(name, name) for name in HEADING if name != "kNN")
VALUES_HEADING: Final = tuple({"log loss": "error", "kNN": "kNN R2"}.get(name, name) for name in HEADING)


def rank_text(result: "RankResult", *, options: Sequence[str] = ()) -> str:
    """Describe a ranking.

    Args:
        result: What `headstart.rank` returned.
        options: What was typed that a fit on the same split needs too.

    Returns:
        Lines of text.
    """
    fine = [each for each in result.ranking.candidates if each.error is None]
    failed = [each for each in result.ranking.candidates if each.error is not None]
    heading = {"regression": VALUES_HEADING, "transcription": SPEECH_HEADING}.get(_kind(result), HEADING)
    lines = ["", *_table([heading, *(_cells(place, each) for place, each in enumerate(fine, 1))])] if fine else [""]
    lines += [click.style(f"left out  {_why(each)}", fg="yellow") for each in failed]
    lines += ["", *_explanation(result)]
    if result.picture is not None:
        lines.append(row("Picture", str(result.picture)))
    if result.elsewhere:
        known = f"{len(result.elsewhere)} more networks of the catalogue have to be downloaded first: add --download."
        lines.append(row("Elsewhere", known))
    if fine:
        lines.append(row("Next", click.style(_next(result, options), bold=True)))
    return "\n".join(lines)


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Align names to the left and numbers to the right."""
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    sides = ["<" if column == HEADING.index("candidate") else ">" for column in range(len(wide))]
    return [
        "  ".join(f"{cell:{side}{width}}" for cell, side, width in zip(row, sides, wide, strict=True)).rstrip()
        for row in rows
    ]


def _cells(place: int, each: "Ranked") -> tuple[str, ...]:
    assert each.score is not None
    assert each.interval is not None
    assert each.costs is not None
    low, high = each.interval
    return (
        f"{place}",
        each.name,
        f"{each.score:+.2f} [{low:+.2f}, {high:+.2f}]",
        f"{each.p_top3 or 0.0:.0%}",
        f"{each.tie}",
        f"{abs(each.scores['probe']):.3f}",
        *([f"{each.scores['neighbours']:.3f}"] if "neighbours" in each.scores else []),
        f"{each.costs.milliseconds:,.1f} ms",
        f"{each.costs.megabytes:,.1f} MB",
        f"{each.costs.memory_megabytes:,.1f} MB",
        f"{each.costs.seconds:,.1f} s",
    )


def _kind(result: "RankResult") -> str:
    return result.task.partition("-")[2]


def _why(each: "Ranked") -> str:
    """Say why a candidate is left out; most errors name it already."""
    error = each.error or ""
    return error if each.name.partition(":")[2] in error else f"{each.name}: {error}"


def _explanation(result: "RankResult") -> list[str]:
    """Say what the order rests on, how far it goes, and what speaks against it."""
    lines, ranking = [], result.ranking
    if ranking.prior is not None:
        prior = f"{ranking.prior.what}, counted {ranking.prior.weight:.2f} times beside the data"
        lines.append(row("Prior", prior))
    if ranking.signal is not None:
        word = "detected" if ranking.signal.detected else click.style("not detected", fg="red", bold=True)
        how = "with labels permuted the best score is as high"
        if _kind(result) == "transcription":
            how = "by chance alone the best probe would be as far ahead of a model that hears nothing"
        text = f"{word}: {how} with probability {ranking.signal.p_value:.2f}"
        lines.append(row("Signal", text))
    similar = [each for each in ranking.candidates if each.similarity is not None]
    for sentence in dict.fromkeys(each.similarity.sentence for each in similar if each.similarity is not None):
        names = [each.name for each in similar if each.similarity is not None and each.similarity.sentence == sentence]
        who = "all" if len(names) == len(similar) else ", ".join(names)
        lines.append(row("Similarity", f"{who}: {sentence}"))
    lines += [row("Note", note) for note in ranking.notes]
    what = {"tagging": "texts", "transcription": "recordings"}.get(_kind(result), "examples")
    lines.append(row("Looked at", f"{ranking.n:,} training {what} in {result.seconds:.1f} s"))
    return lines


def _next(result: "RankResult", options: Sequence[str]) -> str:
    names = [word for name in result.shortlist for word in ("--backbone", name)]
    return f"headstart fit {shlex.quote(result.source)} -o MODEL {shlex.join([*names, *options])}"
