"""The page of two domains: maps of their features before and after adapting, how far apart they lie, what was chosen.

One HTML file that needs nothing else and runs no script. All names are escaped, because they are the user's.
"""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from headstart.report._drawing import COLOURS, GREY, INK, picture
from headstart.report._page import page_head, write_page

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CLASS_COLOURS: Final = (*COLOURS, "#000000")
MOST_CLASSES: Final = len(CLASS_COLOURS)  # that have a colour of their own; the others are grey
_SIZE: Final = (9.0, 8.4)  # inches
_STYLE: Final = """
h2 { font-size: 1.1rem; margin: 1.6rem 0 .3rem; }
img { max-width: 100%; height: auto; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; }
th, td { text-align: right; padding: .15rem .9rem .15rem 0; border-bottom: 1px solid #ddd; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
li { overflow-wrap: anywhere; }
"""


@dataclass(frozen=True, eq=False)
class DomainMap:
    """Features of both domains along two axes.

    Attributes:
        name: What stands above it.
        points: (n, 2) of the source and (m, 2) of the target.
        classes: (n,) numbers of the source's labels and (m,) of the answers the target gets.
    """

    name: str
    points: tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]]]
    classes: tuple[NDArray[np.integer[Any]], NDArray[np.integer[Any]]]


@dataclass(frozen=True)
class Table:
    """A table of the page.

    Attributes:
        title: What stands above it.
        head: Names of the columns.
        rows: Cells, as many in each row.
        note: What the figures mean.
    """

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


def write_domains(
    maps: Sequence[DomainMap],
    classes: Sequence[str],
    path: Path,
    *,
    title: str,
    facts: Sequence[str],
    tables: Sequence[Table] = (),
    places: Sequence[str] = (),
) -> None:
    """Write the page.

    Args:
        maps: One or two, before and after adapting.
        classes: Names of the classes.
        path: The file to write.
        title: What stands above the page.
        facts: Sentences under the title.
        tables: Figures.
        places: Where examples of the target are that are like nothing in the source.

    Raises:
        MissingExtraError: matplotlib is missing or broken.
        OptionError: The file cannot be written.
    """
    drawn = picture(lambda: _figure(maps, classes))
    write_page("\n".join(_page(drawn, title=title, facts=facts, tables=tables, places=places)) + "\n", path)


def _page(
    drawn: bytes, *, title: str, facts: Sequence[str], tables: Sequence[Table], places: Sequence[str]
) -> Iterator[str]:
    yield from page_head(title, _STYLE, facts)
    yield "<h2>Both domains, along the two axes on which they vary most</h2>"
    about = "Features of source and target, before and after adapting, coloured by domain and by class"
    yield f'<img alt="{about}" src="data:image/png;base64,{base64.b64encode(drawn).decode()}">'
    yield "<p>Below, the source is coloured by its labels and the target by the answers it gets.</p>"
    for table in tables:
        yield from table_lines(table)
    if places:
        yield "<h2>Examples of the target that are like nothing in the source</h2><ul>"
        yield from (f"<li>{escape(place)}</li>" for place in places)
        yield "</ul>"
    yield "</body></html>"


def table_lines(table: Table) -> Iterator[str]:
    """Yield a table as lines of HTML."""
    yield f'<h2>{escape(table.title)}</h2><div class="wide"><table>'
    yield "<tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in table.head) + "</tr>"
    for row in table.rows:
        yield "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
    yield "</table></div>"
    if table.note:
        yield f"<p>{escape(table.note)}</p>"


def _figure(maps: Sequence[DomainMap], classes: Sequence[str]) -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_SIZE[0] / 2 * max(len(maps), 1), _SIZE[1]), layout="constrained")
    axes = figure.subplots(2, len(maps), squeeze=False)
    for column, each in enumerate(maps):
        _by_domain(axes[0, column], each)
        _by_class(axes[1, column], each)
        axes[0, column].set_title(each.name, fontsize=13, fontweight="bold", color=INK)
        for one in axes[:, column]:
            one.set_xticks([])
            one.set_yticks([])
    shown = _shown(maps[0])
    handles = [_mark(COLOURS[0], "o", "source"), _mark(COLOURS[1], "x", "target")]
    axes[0, 0].legend(handles=handles, loc="best", fontsize=10)
    handles = [_mark(_colour(number, shown), "s", classes[number]) for number in shown]
    handles += [_mark(GREY, "s", "others")] * (len(shown) < len(classes))
    axes[1, 0].legend(handles=handles, loc="best", fontsize=9)
    return figure


def _mark(colour: str, marker: str, name: str) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], color=colour, marker=marker, linestyle="none", label=name)


def _by_domain(axes: "Axes", each: DomainMap) -> None:
    for side, marker in enumerate("ox"):
        points = each.points[side]
        axes.scatter(points[:, 0], points[:, 1], s=10, marker=marker, color=COLOURS[side], alpha=0.5, linewidths=0.7)


def _by_class(axes: "Axes", each: DomainMap) -> None:
    shown = _shown(each)
    for side, marker in enumerate("ox"):
        points = each.points[side]
        colours = [_colour(int(number), shown) for number in each.classes[side]]
        axes.scatter(points[:, 0], points[:, 1], s=10, marker=marker, c=colours, alpha=0.5, linewidths=0.7)


def _shown(each: DomainMap) -> list[int]:
    """Return the classes that have a colour: the commonest in the source, in order."""
    counts = np.bincount(each.classes[0])
    common = np.argsort(-counts, kind="stable")[:MOST_CLASSES]
    return sorted(int(number) for number in common if counts[number])


def _colour(number: int, shown: Sequence[int]) -> str:
    return CLASS_COLOURS[shown.index(number)] if number in shown else GREY
