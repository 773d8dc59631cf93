"""Tables in pages; all cells are escaped, because they may be the user's."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape


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


def table_lines(table: Table) -> Iterator[str]:
    """Yield a table as lines of HTML."""
    yield f'<h2>{escape(table.title)}</h2><div class="wide"><table>'
    yield "<tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in table.head) + "</tr>"
    for row in table.rows:
        yield "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
    yield "</table></div>"
    if table.note:
        yield f"<p>{escape(table.note)}</p>"
