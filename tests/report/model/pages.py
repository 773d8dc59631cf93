"""Reading a page in tests: well-formed, opening nothing, everything with its alternative text."""

import re
from html.parser import HTMLParser

VOID = {"meta", "img", "br", "input", "hr", "circle", "line", "path", "polyline", "rect"}


class Page(HTMLParser):
    """All tags and all text; a tag that is closed in the wrong order fails."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert not self._open, f"left open: {self._open}"

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [found for name, found in self.tags if name == tag]

    @property
    def words(self) -> str:
        return " ".join("".join(self.text).split())


def check(page: str) -> Page:
    """Fail where a page is not well-formed, opens anything, runs anything, or shows what has no words for it."""
    found = Page(page)
    assert not found.of("script")
    assert not found.of("link")
    assert not found.of("iframe")
    assert not re.search(r"https?://|@import|url\(", page)
    for _, attributes in found.tags:
        assert not any(name.startswith("on") for name in attributes)
        assert (attributes.get("src") or "data:").startswith("data:")
        assert (attributes.get("href") or "#").startswith("#")
    assert all(image.get("alt") for image in found.of("img"))
    assert all(each.get("role") == "img" and each.get("aria-label") for each in found.of("svg"))
    anchors = {attributes["id"] for _, attributes in found.tags if "id" in attributes}
    assert {link["href"][1:] for link in found.of("a")} <= anchors
    return found
