"""What people read on the screen about entities: mistakes with examples, and predicted spans."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from headstart.pipeline import EntityErrors

_WORDS: Final[Mapping[str, str]] = {"exact": "right", "spurious": "predicted, not marked"}
_EMPTY: Final = dict.fromkeys(("start", "end", "type", "text", "probability", "error"))


def errors_lines(errors: "EntityErrors") -> Iterator[str]:
    """Show what is right and wrong with entities, with examples: a line per kind of match.

    Args:
        errors: What was counted.

    Yields:
        Lines of text.
    """
    width = max(len(_WORDS.get(match, match)) for match in errors.matches)
    yield f"{'entities':<{width}}  {'n':>6}"
    for match, n in errors.matches.items():
        yield f"{_WORDS.get(match, match):<{width}}  {n:>6}"
        for example in errors.examples:
            if example.match == match:
                yield f"  {example.place}: {example.context}"


def interval_over(errors: "EntityErrors", how: str) -> str:
    """Say in a few words what the interval of a score draws.

    Args:
        errors: What was scored.
        how: Where the score comes from; ``cv`` is outer folds.

    Returns:
        A part of a sentence.
    """
    over = "interval over folds of" if how == "cv" else "interval over"
    if errors.interval_over == "groups":
        return f"{over} {errors.drawn:,} documents (groups)"
    return f"{over} {errors.drawn:,} sentences or texts, since no documents are marked"


def spans_text(row: Mapping[str, Any]) -> str:
    """Show the entities of an input: its name, then a line for each.

    Args:
        row: A row of `headstart.predict`.

    Returns:
        Lines of text.
    """
    lines = [f"{row['input']}\t{len(row['spans'])} entities" if len(row["spans"]) != 1 else f"{row['input']}\t1 entity"]
    for (start, end, name, probability), text in zip(row["spans"], row["texts"], strict=True):
        lines.append(f'  {start}-{end}\t{name}\t{probability:.3f}\t"{" ".join(text.split())}"')
    return "\n".join(lines)


def span_rows(row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table for one input: one per entity, one that is empty but for its name without any.

    Args:
        row: A row of `headstart.predict`.

    Yields:
        Columns input, start, end, type, text, probability and error.
    """
    empty = {"input": row["input"], **_EMPTY}
    if not row["spans"]:
        yield empty
    for (start, end, name, probability), text in zip(row["spans"], row["texts"], strict=True):
        yield {**empty, "start": start, "end": end, "type": name, "text": text, "probability": probability}
