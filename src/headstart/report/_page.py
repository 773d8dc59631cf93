"""What all pages share: one HTML file with its style inside, written as a whole."""

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Final

from headstart.errors import OptionError

_STYLE: Final = """
:root { color-scheme: light; }
body { font: 16px/1.6 system-ui, sans-serif; color: #222; background: #fff; max-width: 60rem; margin: 2rem auto;
  padding: 0 1rem; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .5rem; overflow-wrap: anywhere; }
"""


def page_head(title: str, style: str, facts: Sequence[str]) -> Iterator[str]:
    """Yield the lines of a page down to the facts under its title; all but the style is escaped.

    Args:
        title: What stands above the page, and in the window's title.
        style: CSS, beside what all pages share.
        facts: A paragraph each.

    Yields:
        Lines of HTML; head and title are closed, the body is open.
    """
    yield "<!DOCTYPE html>"
    yield '<html lang="en"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{escape(title)}</title><style>{_STYLE}{style}</style></head><body>"
    yield f"<h1>{escape(title)}</h1>"
    yield from (f"<p>{escape(fact)}</p>" for fact in facts)


def write_page(page: str, path: Path) -> None:
    """Write a page.

    Args:
        page: HTML.
        path: The file.

    Raises:
        OptionError: It cannot be written.
    """
    try:
        # Half a character of a broken text cannot be written; a question mark shows that it was there.
        path.write_bytes(page.encode("utf-8", "replace"))
    except OSError as error:
        fix = "Choose another place."
        raise OptionError(f"the page cannot be written ({error.strerror})", where=str(path), fix=fix) from error
