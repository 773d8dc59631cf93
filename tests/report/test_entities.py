"""The page of highlighted texts: everything escaped, every mistake said, nothing from elsewhere."""

import re
from html.parser import HTMLParser

import pytest

from headstart.data import Document
from headstart.errors import OptionError
from headstart.report import TaggedText, write_entities
from headstart.tasks import Entity

NASTY = '<script>alert(1)</script> & "Tom" O\'Neil\nשלום 😀 e\u0301'


def text(words: str, marked=(), predicted=(), name="test.conll:1") -> TaggedText:
    return TaggedText(name, Document.of_words(words.split()), tuple(marked), tuple(predicted))


TURING = text("so said Alan Turing .", [Entity(2, 4, "PER")], [Entity(2, 4, "PER", 0.875)], "right")
WRONG = text(
    "Anna Berg saw Paris and Rome with Bo of New York City yesterday",
    [Entity(0, 2, "PER"), Entity(3, 4, "LOC"), Entity(5, 6, "LOC"), Entity(9, 12, "LOC")],
    [Entity(1, 3, "PER", 0.5), Entity(3, 4, "PER", 0.625), Entity(7, 8, "PER", 0.75), Entity(9, 11, "PER", 0.25)],
    "wrong",
)


class Reader(HTMLParser):
    """The text of every article, its tags, and the label and title of every marked piece."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.labels: list[str] = []
        self._in: list[tuple[str, str]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.append((tag, found))
        if tag not in ("input", "meta"):
            self._in.append((tag, found.get("class") or ""))
        if (tag, found.get("class")) == ("div", "text"):
            self.texts.append("")
        if tag == "small":
            self.labels.append("")

    def handle_endtag(self, tag):
        assert self._in.pop()[0] == tag

    def handle_data(self, data):
        if any(tag == "small" for tag, _ in self._in):
            self.labels[-1] += data
        elif ("div", "text") in self._in:
            self.texts[-1] += data

    def titles(self) -> list[str]:
        return [found["title"] or "" for tag, found in self.tags if tag == "span" and "title" in found]


def page(tmp_path, texts, **more) -> str:
    write_entities(texts, tmp_path / "e.html", title="<b>Title</b>", **more)
    return (tmp_path / "e.html").read_text(encoding="utf-8")


def test_texts_come_back_as_they_were_and_run_nothing(tmp_path):
    document = Document.of_text(NASTY)
    nasty = TaggedText('a "b" <i>.txt', document, (Entity(0, 2, "<u>"),), (Entity(0, 3, 'T"', 0.5),))
    written = page(tmp_path, [nasty], facts=["1 < 2"])
    read = Reader(written)
    assert read.texts == [NASTY]
    assert not {"script", "link", "img", "iframe", "object", "a", "i", "u"} & {tag for tag, _ in read.tags}
    assert not any(name.startswith("on") or name in ("src", "href") for _, found in read.tags for name in found)
    assert "url(" not in written
    assert "1 &lt; 2" in written
    assert "<b>" not in written
    assert "<u>" not in written
    assert [tag for tag, found in read.tags if found.get("dir") == "auto"] == ["div"]


def test_every_kind_of_mistake_is_said_in_words_with_its_probability(tmp_path):
    read = Reader(page(tmp_path, [TURING, WRONG]))
    assert read.labels == [
        "PER wrong border",
        "LOC → PER wrong type",
        "LOC missed",
        "PER not marked",
        "LOC → PER wrong type and border",
        "PER",
    ]
    assert all(found["dir"] == "ltr" for tag, found in read.tags if tag == "small")  # of a right-to-left text too
    titles = list(dict.fromkeys(read.titles()))
    assert titles[0] == "wrong border: marked PER “Anna Berg”, predicted PER “Berg saw”, probability 0.500"
    assert "missed: marked LOC “Rome”" in titles
    assert "not marked: predicted PER “Bo”, probability 0.750" in titles
    assert titles[-1] == "right: marked PER “Alan Turing”, predicted PER “Alan Turing”, probability 0.875"


def test_both_sides_are_shown_where_they_overlap(tmp_path):
    written = page(tmp_path, [WRONG])
    pieces = re.findall(r'<span class="([mp ]+)" style="[^"]+" title="[^"]+">([^<]+)</span>', written)
    assert pieces[:3] == [("m", "Anna "), ("m p", "Berg"), ("p", " saw")]
    styles = re.findall(r'style="([^"]+)" title="wrong type:', written)
    assert styles == ["--marked:#0072B2;--told:#D55E00"]  # LOC in the data, PER predicted


def test_texts_with_most_mistakes_come_first_and_a_hundred_are_shown(tmp_path):
    one = text("only Rome", [Entity(1, 2, "LOC")], (), "one")
    texts = [*[TURING] * 150, one, WRONG]
    written = page(tmp_path, texts)
    heads = re.findall(r"<h2>(.*?)</h2>", written)
    assert len(heads) == 100
    assert [head.split(":")[0] for head in heads[:3]] == ["wrong", "one", "right"]
    assert heads[1:3] == ["one: missed 1", "right: no mistake"]
    assert "100 of 152 texts, those with most mistakes first." in written


def test_buttons_choose_a_kind_of_mistake_without_a_script(tmp_path):
    read = Reader(page(tmp_path, [TURING, WRONG]))
    buttons = [found["id"] for tag, found in read.tags if tag == "input"]
    kinds = ["wrong-type", "wrong-border", "wrong-type-and-border", "missed", "spurious"]
    assert buttons == ["show-all", *(f"show-{kind}" for kind in kinds)]
    classes = [(found["class"] or "").split() for tag, found in read.tags if tag == "article"]
    assert [sorted(each) for each in classes] == [sorted(kinds), []]
    written = (tmp_path / "e.html").read_text(encoding="utf-8")
    assert all(f"#show-{kind}:checked ~ main article:not(.{kind})" in written for kind in kinds)


def test_many_types_have_colours_of_their_own(tmp_path):
    types = [f"T{number:02d}" for number in range(20)]
    texts = [text("Rome", [Entity(0, 1, name)], [Entity(0, 1, name, 1.0)]) for name in types]
    colours = re.findall(r"--marked:([^;]+);--told", page(tmp_path, texts).split('<p class="legend">')[1])
    assert len(set(colours)) == 20


def test_no_words_no_texts_and_half_characters_are_no_obstacle(tmp_path):
    assert Reader(page(tmp_path, [TaggedText("empty", Document("", ()), (), ())])).texts == [""]
    assert "No text." in page(tmp_path, [])
    broken = TaggedText("broken", Document.of_text("a \ud83d b"), (), ())
    assert Reader(page(tmp_path, [broken])).texts == ["a ? b"]


def test_a_page_that_cannot_be_written_is_one_error(tmp_path):
    with pytest.raises(OptionError, match=r"gone.e\.html: the page cannot be written .* Choose another place"):
        write_entities([TURING], tmp_path / "gone" / "e.html", title="T")
