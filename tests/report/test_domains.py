"""The page of two domains."""

import base64
import re

import numpy as np
import pytest
from PIL import Image

from headstart.errors import OptionError
from headstart.report import DomainMap, Table, write_domains


def domain_map(name="before", classes=3):
    rng = np.random.default_rng(0)
    points = rng.normal(size=(40, 2)), rng.normal(size=(30, 2)) + 1
    return DomainMap(name, points, (np.arange(40) % classes, np.arange(30) % classes))


TABLE = Table("Classes", ["class", "share"], [["<b>sky", "0.5"]], "What it means.")


def test_everything_is_on_the_page_and_escaped(tmp_path):
    path = tmp_path / "page.html"
    write_domains(
        [domain_map(), domain_map("after")],
        ["<i>a", "b", "c"],
        path,
        title="m<odel",
        facts=["Chosen: none & nothing."],
        tables=[TABLE],
        places=["<a>.png"],
    )
    page = path.read_text(encoding="utf-8")
    for text in ("m&lt;odel", "none &amp; nothing.", "&lt;b&gt;sky", "What it means.", "&lt;a&gt;.png"):
        assert text in page, text
    assert "<b>sky" not in page
    picture = re.search(r"data:image/png;base64,([^\"]+)", page)
    assert picture
    (tmp_path / "drawn.png").write_bytes(base64.b64decode(picture[1]))
    with Image.open(tmp_path / "drawn.png") as drawn:
        assert drawn.width > drawn.height  # two maps side by side
    again = tmp_path / "again.html"
    write_domains([domain_map()], ["a", "b", "c"], again, title="m", facts=[])
    assert "like nothing" not in again.read_text(encoding="utf-8")


def test_more_classes_than_colours_are_others(tmp_path):
    write_domains([domain_map(classes=9)], list("abcdefghi"), tmp_path / "page.html", title="m", facts=[])


def test_a_place_that_cannot_be_written(tmp_path):
    with pytest.raises(OptionError, match="the page cannot be written"):
        write_domains([domain_map()], list("abc"), tmp_path / "no" / "page.html", title="m", facts=[])
