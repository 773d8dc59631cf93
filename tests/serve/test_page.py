"""The page to try a model, in a real browser."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from headstart.errors import DataError
from headstart.serve import Access, Limits, encoded_of, text_of
from tests.conftest import make_image
from tests.data.sounds import noise, write_sound
from tests.serve.browser import BROWSER, Page, browsing
from tests.serve.conftest import TOKEN, Echo, running

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="there is no Chromium on this machine"),
]
MARKUP = "<img src=x onerror=alert(1)>"


class Answers:
    """A model of any kind that answers with rows that are given."""

    name, promises, classes = "model & <b>co</b>", ("It promises a little.",), ()

    def __init__(self, modality: str, kind: str, *rows: dict[str, Any]) -> None:
        self.modality, self.kind, self.rows, self.items = modality, kind, rows, list[Any]()

    def read(self, payload: bytes | str, limits: Limits) -> Any:
        if self.modality == "text":
            return text_of(payload, limits)
        item = encoded_of(payload, limits)
        if self.modality == "image":
            from headstart.data import check_picture

            check_picture(item)
        return item

    def answer(self, items: Sequence[Any]) -> list[dict[str, Any]]:
        self.items += items
        return [self.rows[i % len(self.rows)] for i in range(len(items))]


CLASSES = {
    "label": "ant",
    "probabilities": {"ant": 0.7, MARKUP: 0.25, "fly": 0.05},
    "set": ["ant", MARKUP],
    "abstain": False,
    "novelty": 0.97,
}


@pytest.fixture
def page(tmp_path) -> Iterator[Page]:
    with browsing(tmp_path / "profile") as found:
        yield found
        assert found.complaints() == []
        assert "alert" not in [event.get("method") for event in found.events]


def answered(page: Page, count: int = 1) -> str:
    page.wait(f"document.querySelectorAll('.answer').length === {count}")
    return page.text("#answers")


def test_a_picture_is_chosen_dropped_and_pasted(page, tmp_path):
    picture = tmp_path / "a picture.png"
    make_image((200, 30, 30), seed=0).save(picture)
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"hello")
    model = Answers("image", "classification", CLASSES)
    with running(model) as server:
        page.open(f"http://127.0.0.1:{server.port}/")
        page.wait("!document.querySelector('#file-form').hidden")
        assert page.text("h1") == model.name
        assert "It promises a little." in page.text("#about")
        assert not page.run("document.querySelector('#recording').offsetParent")
        page.choose("#file", [picture, broken])
        said = answered(page, 2)
        assert "Unlike the training data: more unusual than 97 % of it." in said
        assert f"It may be ant or {MARKUP}." in said
        assert "70 %" in said
        assert "No answer" in said
        assert "a file of another kind" in said
        assert page.run("document.querySelector('.answer img').naturalWidth") == 20
        assert page.run("document.querySelectorAll('#answers [onerror]').length") == 0
        assert page.run("Array.from(document.querySelectorAll('progress')).map((bar) => bar.value)") == [
            0.7,
            0.25,
            0.05,
        ]
        assert page.text("#status") == "1 of 2 answered."
        code = f"""(() => {{
            const bytes = Uint8Array.from({list(picture.read_bytes())});
            const given = new DataTransfer();
            given.items.add(new File([bytes], "given.png", {{ type: "image/png" }}));
            document.dispatchEvent(new %s);
        }})()"""
        page.run(code % 'DragEvent("drop", { dataTransfer: given, bubbles: true, cancelable: true })')
        page.wait("document.querySelector('#status').innerText === 'Answer: ant, 70 %.'")
        page.run(code % 'ClipboardEvent("paste", { clipboardData: given, bubbles: true })')
        page.wait("document.querySelector('#status').innerText === 'Answer: ant, 70 %.'")
        assert len(model.items) == 3
        assert all(item.content == picture.read_bytes() for item in model.items)


def test_a_model_that_would_rather_not_answer_says_so(page):
    row = {**CLASSES, "abstain": True, "novelty": 0.3, "set": ["ant"]}
    with running(Answers("text", "classification", row)) as server:
        page.open(f"http://127.0.0.1:{server.port}/")
        page.wait("!document.querySelector('#text-form').hidden")
        page.run("document.querySelector('#text').value = 'hello'; document.querySelector('#text-form button').click()")
        said = answered(page)
        assert "It would rather not answer" in said
        assert "It is not sure enough. The likeliest is ant." in said
        assert "Like the training data: more unusual than 30 % of it." in said


def test_entities_are_marked_where_they_stand_and_all_is_done_with_the_keyboard(page):
    text = f"\U0001f600 Anna Berg of Oslo {MARKUP}"
    spans = [[2, 11, "PERSON", 0.9], [15, 19, "PLACE", 0.8], [20, 20 + len(MARKUP), "PERSON", 0.5]]
    texts = [text[start:end] for start, end, *_ in spans]
    assert texts[:2] == ["Anna Berg", "Oslo"]
    with running(Answers("text", "tagging", {"spans": spans, "texts": texts})) as server:
        page.open(f"http://127.0.0.1:{server.port}/")
        page.wait("!document.querySelector('#text-form').hidden")
        page.press("Tab", code=9)
        assert page.run("document.activeElement.id") == "text"
        page.call("Input.insertText", text=text)
        page.press("Enter", ctrl=True, code=13)
        answered(page)
        marks = "Array.from(document.querySelectorAll('mark')).map((m) => [m.firstChild.data, m.lastChild.textContent])"
        kinds = [" PERSON", " PLACE", " PERSON"]
        assert page.run(marks) == [list(pair) for pair in zip(texts, kinds, strict=True)]
        assert page.run("document.querySelectorAll('mark.t0').length") == 2
        page.press("Tab", code=9)
        assert page.run("document.activeElement.innerText") == "Ask"
        page.run("document.querySelector('#answers').replaceChildren()")
        page.press("Enter", code=13, text="\r")
        answered(page)


def test_values_and_label_sets(page):
    for kind, row, said in (
        ("regression", {"value": 12.3456789, "novelty": 0.1}, "12.3457"),
        ("multilabel", {"labels": ["sea", "beach"], "probabilities": {"sea": 0.9, "beach": 0.6}}, "sea, beach"),
        ("multilabel", {"labels": [], "probabilities": {f"label {i}": 0.001 for i in range(30)}}, "and 20 others"),
    ):
        with running(Answers("text", kind, row)) as server:
            page.open(f"http://127.0.0.1:{server.port}/")
            page.wait("!document.querySelector('#text-form').hidden")
            page.run("document.querySelector('#text').value = 'x'; document.querySelector('#text-form button').click()")
            assert said in answered(page)


def test_sounds_are_chosen_recorded_and_played(page, tmp_path):
    path = write_sound(tmp_path / "a.wav", noise(1.0))
    row = {"transcript": "ab cad", "words": [[0.1, 0.3, "ab", 0.9], [0.4, 0.7, "cad", 0.3]]}
    model = Answers("audio", "transcription", row)
    with running(model) as server:
        page.open(f"http://127.0.0.1:{server.port}/")
        page.wait("document.querySelector('#recording').offsetParent !== null")
        page.choose("#file", [path])
        assert "ab cad" in answered(page)
        page.wait("document.querySelector('audio').duration > 0.9")
        page.run("document.querySelectorAll('.words button')[1].click()")
        page.wait("document.querySelector('audio').currentTime >= 0.4")
        assert page.run("document.querySelectorAll('.words .unsure').length") == 1
        page.run("document.querySelector('#record').click()")
        page.wait("document.querySelector('#record').getAttribute('aria-pressed') === 'true'")
        page.wait("document.querySelector('#record-hint').innerText === '1 s'")
        page.run("document.querySelector('#record').click()")
        page.wait("document.querySelector('.given').innerText === 'recording.wav'")
        from headstart.data import sound_facts

        facts = sound_facts(model.items[-1])
        assert (facts.format, facts.channels) == ("WAV", 1)
        assert 0.9 < facts.seconds < 5
        assert facts.peak > 0.01, "the browser's test device beeps"


def test_the_page_asks_for_a_token_and_keeps_it_to_the_tab(page):
    with running(Echo(), access=Access.at("127.0.0.1", token=TOKEN)) as server:
        page.open(f"http://127.0.0.1:{server.port}/")
        page.wait("!document.querySelector('#token-form').hidden")
        for given, outcome in (("wrong", "That is not this server's token."), (TOKEN, "")):
            page.run(f"document.querySelector('#token').value = {json.dumps(given)}")
            page.run("document.querySelector('#token-form button').click()")
            page.run("document.querySelector('#text').value = 'x'; document.querySelector('#text-form button').click()")
            if outcome:
                page.wait(f"document.querySelector('#problem').innerText === {json.dumps(outcome)}")
                page.events.clear()  # the browser, too, complains of 401
        answered(page)
        assert page.run("localStorage.length") == 0
        assert page.run("document.cookie") == ""


def test_errors_are_told(page):
    with running(Echo(), items=1) as server:
        page.open(f"http://127.0.0.1:{server.port}/")
        page.wait("!document.querySelector('#text-form').hidden")
        page.run("document.querySelector('#text-form button').click()")
        assert page.text("#problem") == "There is no text yet."
    page.run("document.querySelector('#text').value = 'x'; document.querySelector('#text-form button').click()")
    page.wait("document.querySelector('#problem').innerText === 'The server does not answer.'")
    page.events.clear()  # the browser complains of that, too


@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_a_telephone_in_light_and_dark(tmp_path, dark):
    long = {"label": "a" * 200, "probabilities": {"a" * 200: 0.9, "b": 0.1}, "set": ["a" * 200], "novelty": 0.99}
    phone = browsing(tmp_path / "profile", width=320, height=640, dark=dark)
    with running(Answers("text", "classification", long)) as server, phone as page:
        page.open(f"http://127.0.0.1:{server.port}/")
        page.wait("!document.querySelector('#text-form').hidden")
        page.run("document.querySelector('#text').value = 'x'; document.querySelector('#text-form button').click()")
        answered(page)
        assert page.run("document.documentElement.scrollWidth") <= 320
        paper = page.run("getComputedStyle(document.body).backgroundColor")
        assert paper == ("rgb(22, 22, 22)" if dark else "rgb(255, 255, 255)")
        page.open(f"http://127.0.0.1:{server.port}/docs")
        assert page.run("document.documentElement.scrollWidth") <= 320
        assert page.complaints() == []


def test_a_screen_reader_is_told_what_everything_is(page):
    with running(Answers("image", "classification", CLASSES)) as server:
        page.open(f"http://127.0.0.1:{server.port}/")
        page.wait("!document.querySelector('#file-form').hidden")
        named = page.names()
        assert ("heading", "model & <b>co</b>") in named
        assert any(name.startswith("Choose pictures") for role, name in named if role == "button")
        assert ("region", "Answers") in named
        assert all(name for role, name in named if role in ("button", "textbox", "link", "image"))


def test_nothing_is_loaded_from_elsewhere(page):
    with running(Answers("image", "classification", CLASSES)) as server:
        for path in ("/", "/docs"):
            page.open(f"http://127.0.0.1:{server.port}{path}")
            names = page.run("performance.getEntriesByType('resource').map((entry) => entry.name)")
            assert names
            assert all(name.startswith(f"http://127.0.0.1:{server.port}/") for name in names)


def test_the_stand_in_reads_as_models_do():
    with pytest.raises(DataError):
        Answers("image", "classification").read(b"hello", Limits())
