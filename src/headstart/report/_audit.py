"""The page of an audit: near-duplicates side by side, items whose labels are probably wrong, items like no other.

One HTML file that needs nothing else and runs no script. Pictures are small JPEGs inside it. All names and texts are
escaped, because they are the user's.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Final

from headstart.data import Item, Modality, read_image
from headstart.errors import DataError
from headstart.report._page import page_head, write_page
from headstart.report._tables import Table, table_lines
from headstart.report._thumbnails import thumbnail

MOST_SHOWN: Final = 100  # pairs, and items of each kind
_EXCERPT: Final = 400  # characters
_STYLE: Final = """
body { line-height: 1.5; max-width: 64rem; }
h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .85rem; }
th, td { text-align: right; padding: .15rem .7rem .15rem 0; border-bottom: 1px solid #ddd; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(22rem, 1fr)); gap: 1rem; }
.items { display: grid; grid-template-columns: repeat(auto-fill, minmax(11.5rem, 1fr)); gap: 1rem; }
.card { border: 1px solid #ccc; border-radius: 4px; padding: .5rem; font-size: .85rem; }
.pair { display: flex; gap: .5rem; }
.pair > figure { flex: 1; }
figure { margin: 0; min-width: 0; }
figcaption { overflow-wrap: anywhere; }
img { max-width: 100%; height: auto; image-rendering: auto; background: #eee; display: block; }
blockquote { margin: 0; overflow-wrap: anywhere; }
.head { margin: 0 0 .3rem; }
.mark { font-weight: 600; color: #8a3b00; }
"""


@dataclass(frozen=True, eq=False)
class ShownItem:
    """An item on the page.

    Attributes:
        item: A picture, a text or a sound.
        place: Where it came from.
        label: Its label; empty where it has none.
        said: What is said of it.
    """

    item: Item
    place: str
    label: str
    said: str = ""


@dataclass(frozen=True, eq=False)
class ShownPair:
    """Two items that are nearly one.

    Attributes:
        items: Both.
        said: What is said of the pair.
        marked: Whether it matters: their labels differ, or they lie in training and scored part.
    """

    items: tuple[ShownItem, ShownItem]
    said: str
    marked: bool


def write_audit(
    path: Path,
    modality: Modality,
    *,
    title: str,
    facts: Sequence[str],
    tables: Sequence[Table],
    pairs: Sequence[ShownPair],
    kinds: Sequence[tuple[str, Sequence[ShownItem]]],
) -> None:
    """Write the page.

    Args:
        path: The file to write.
        modality: What the items are; sounds are named, not played.
        title: What stands above the page.
        facts: Sentences under the title.
        tables: Figures.
        pairs: Near-duplicates; the first hundred are shown, those that matter before the others.
        kinds: Title and items of each kind, the first hundred of which are shown.

    Raises:
        OptionError: The file cannot be written.
    """
    write_page("\n".join(_page(modality, title, facts, tables, pairs, kinds)) + "\n", path)


def _page(
    modality: Modality,
    title: str,
    facts: Sequence[str],
    tables: Sequence[Table],
    pairs: Sequence[ShownPair],
    kinds: Sequence[tuple[str, Sequence[ShownItem]]],
) -> Iterator[str]:
    yield from page_head(title, _STYLE, facts)
    for table in tables:
        yield from table_lines(table)
    if pairs:
        yield f"<h2>Near-duplicates{_of(len(pairs))}</h2>"
        yield '<div class="grid">'
        for pair in sorted(pairs, key=lambda each: not each.marked)[:MOST_SHOWN]:
            yield from _pair(pair, modality)
        yield "</div>"
    for name, items in kinds:
        if items:
            yield f"<h2>{escape(name)}{_of(len(items))}</h2>"
            yield '<div class="items">'
            for item in items[:MOST_SHOWN]:
                yield f'<div class="card">{_figure(item, modality)}</div>'
            yield "</div>"
    yield "</body></html>"


def _of(n: int) -> str:
    return f": {n:,}" if n <= MOST_SHOWN else f": {n:,}, the first {MOST_SHOWN} shown"


def _pair(pair: ShownPair, modality: Modality) -> Iterator[str]:
    mark = ' class="head mark"' if pair.marked else ' class="head"'
    yield f'<div class="card"><p{mark}>{escape(pair.said)}</p><div class="pair">'
    yield from (_figure(item, modality) for item in pair.items)
    yield "</div></div>"


def _figure(shown: ShownItem, modality: Modality) -> str:
    lines = [f"<b>{escape(shown.label)}</b>" if shown.label else "", escape(shown.said), escape(shown.place)]
    caption = "<br>".join(line for line in lines if line)
    return f"<figure>{_content(shown, modality)}<figcaption>{caption}</figcaption></figure>"


def _content(shown: ShownItem, modality: Modality) -> str:
    if modality == "text":
        text = str(shown.item)
        return f"<blockquote>{escape(text[:_EXCERPT])}{' ...' if len(text) > _EXCERPT else ''}</blockquote>"
    if modality == "audio":
        return ""
    try:
        image = read_image(shown.item)
    except DataError as error:  # it could be read a minute ago
        return f"<p>{escape(error.problem)}</p>"
    source, width, _ = thumbnail(image)
    about = escape(f"{shown.label} {shown.place}".strip(), quote=True)
    return f'<img width="{width}" alt="{about}" src="data:image/jpeg;base64,{source}">'
