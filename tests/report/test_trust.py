"""The page about a classifier's confidence."""

from pathlib import Path

import pytest

from headstart.errors import OptionError
from headstart.report import PrecisionRecall, Reliability, write_confidence

BINS = [Reliability(0.6, 0.5, (0.3, 0.7), 20), Reliability(0.9, 0.95, (0.8, 1.0), 20)]


def test_the_page_shows_a_picture_and_what_was_found(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    curve = PrecisionRecall("ill <b>", [0.2, 1.0], [1.0, 0.4], 0.3)
    write_confidence(BINS, page, title="A & B", facts=[("Sets", "0.9 < 1"), ("", "more")], curve=curve)
    text = page.read_text()
    assert text.count("data:image/png;base64,") == 1
    assert "precision by recall" in text
    assert "<dt>Sets</dt><dd>0.9 &lt; 1</dd>" in text
    assert "<title>A &amp; B</title>" in text
    assert "<script" not in text


def test_without_a_curve_there_is_one_panel(tmp_path: Path) -> None:
    write_confidence(BINS, tmp_path / "page.html", title="A", facts=[])
    assert "precision by recall" not in (tmp_path / "page.html").read_text()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="the page cannot be written"):
        write_confidence(BINS, tmp_path / "missing" / "page.html", title="A", facts=[])
