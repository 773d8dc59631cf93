"""Offsets end to end: whatever stands in a text, ``text[start:end]`` is the entity, by every way in and out."""

import io
import json
import sys
import unicodedata
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import headstart
from headstart import FitOptions, TransferTagger
from headstart.artifact import Artifact

PEOPLE = ["Ada", "E\u0301lise", "\u05e9\u05dc\u05d5\u05dd", "\u0639\u064e\u0631\u064e\u0628\u0650\u064a", "O\u2019Neil"]
PLACES = ["Zu\u0308rich", "\U0001f469\u200d\U0001f469\u200d\U0001f467", "\U0001f44d\U0001f3fd", "\u0130zmir", "Bath"]
FILLER = ["said", "the", "went", "(", ",", "\u202b", "3.5%", "\u00df", "\U0001d54f", "nai\u0308ve", "a\u200cb"]
GAPS = [" ", "  ", "\t", "\u00a0", "\u3000", "\u2003", " \u200b ", " \u00ad "]
BREAKS = ["\r\n", "\n", "\r\n\r\n", "\r"]
ODD = ["\x0b", "\x0c", "\x85", "\u2028", "\u2029", "\u200d", "\u0301", "\ufeff", "\u00ad", "Ada", "said"]

Made = tuple[str, list[tuple[int, int, str]]]


def made(words: list[str], gaps: list[str]) -> Made:
    """Join words, and say where the entities are."""
    text, spans = "", []
    for word, gap in zip(words, gaps, strict=True):
        name = "PER" if word in PEOPLE else "LOC" if word in PLACES else None
        if name:
            spans.append((len(text), len(text) + len(word), name))
        text += word + gap
    return text, spans


def drawn(seed: int, *, breaks: bool) -> Made:
    random = np.random.default_rng(seed)
    words = [str(word) for _ in range(6) for word in (*random.choice(FILLER, 2), random.choice(PEOPLE + PLACES))]
    return made(words, [str(gap) for gap in random.choice(GAPS + BREAKS * breaks, len(words))])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """A model fitted to spans in JSONL that knows its people and places by heart."""
    path = tmp_path_factory.mktemp("offsets")
    rows = [drawn(seed, breaks=True) for seed in range(120)]
    parts = ["test" if i % 6 == 0 else "train" for i in range(len(rows))]
    lines = [
        json.dumps({"text": text, "spans": spans, "split": part})
        for (text, spans), part in zip(rows, parts, strict=True)
    ]
    (path / "a.jsonl").write_text("\n".join(lines), encoding="utf-8")
    options = FitOptions(backbones=("toy:text",), strategy="probe", offline=True, proof="none")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEADSTART_CACHE", str(path / "cache"))
        result = headstart.fit(path / "a.jsonl", path / "model", options=options)
    assert result.outcome.score.value > 0.95
    return headstart.load(path / "model")


@pytest.fixture(scope="module")
def tagger() -> TransferTagger:
    rows = [drawn(seed, breaks=True) for seed in range(60)]
    return TransferTagger("toy:text").fit([text for text, _ in rows], [spans for _, spans in rows])


def check(row: dict, text: str) -> None:
    """The spans of a text are in order and apart, in it, begin and end with what is seen, and are their characters."""
    assert set(row) == {"input", "spans", "texts"}, row
    borders = [(0, 0), *((start, end) for start, end, *_ in row["spans"]), (len(text), len(text))]
    assert all(before[1] <= after[0] and after[0] <= after[1] for before, after in pairwise(borders))
    assert row["texts"] == [text[start:end] for start, end, *_ in row["spans"]]
    for characters in row["texts"]:
        assert all(_is_seen(characters[place]) for place in (0, -1))
    assert all(0 < p <= 1 for *_, p in row["spans"])


def _is_seen(character: str) -> bool:
    """Letters, marks, numbers, punctuation and symbols are, and so is private use, which fonts of icons fill."""
    group = unicodedata.category(character)
    return group[0] in "LMNPS" or group == "Co"


def borders(row: dict) -> list[tuple[int, int, str]]:
    return [(start, end, name) for start, end, name, _ in row["spans"]]


def from_files(model: Artifact, folder: Path, texts: list[str]) -> list[dict]:
    for n, text in enumerate(texts):
        (folder / f"{n:03}.txt").write_bytes(text.encode())
    return list(headstart.predict(model, [folder / f"{n:03}.txt" for n in range(len(texts))]))


def from_rows(model: Artifact, folder: Path, texts: list[str], *, ascii_only: bool) -> list[dict]:
    lines = [json.dumps({"text": text}, ensure_ascii=ascii_only) for text in texts]
    (folder / "in.jsonl").write_bytes("\n".join(lines).encode())
    return list(headstart.predict(model, [folder / "in.jsonl"]))


def from_lines(model: Artifact, texts: list[str], end: str) -> list[dict]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("".join(text + end for text in texts).encode())))
        return list(headstart.predict(model, ["-"]))


def test_entities_come_back_as_the_characters_they_are(model, tmp_path):
    known = [drawn(seed, breaks=True) for seed in range(200, 260)]
    texts = [text for text, _ in known]
    rows = from_files(model, tmp_path, texts)
    for row, text in zip(rows, texts, strict=True):
        check(row, text)
    found = [set(borders(row)) for row in rows]
    right = sum(len(spans & set(true)) for spans, (_, true) in zip(found, known, strict=True))
    assert right > 0.95 * sum(len(true) for _, true in known)
    for again in (from_rows(model, tmp_path, texts, ascii_only=flag) for flag in (True, False)):
        assert [borders(row) for row in again] == [borders(row) for row in rows]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lines_of_standard_input_are_texts_of_their_own(model, tmp_path, end):
    texts = [drawn(seed, breaks=False)[0] for seed in range(300, 330)]
    rows = from_lines(model, texts, end)
    assert [row["input"] for row in rows] == [f"-:{n}" for n in range(1, len(texts) + 1)]
    for row, text in zip(rows, texts, strict=True):
        check(row, text)
    assert [borders(row) for row in rows] == [borders(row) for row in from_files(model, tmp_path, texts)]


def test_a_tagger_answers_as_the_command_does(tagger):
    known = [drawn(seed, breaks=True) for seed in range(400, 440)]
    texts = [text for text, _ in known]
    sure = tagger.predict_proba(texts)
    for text, spans in zip(texts, sure, strict=True):
        check({"input": "", "spans": spans, "texts": [text[start:end] for start, end, *_ in spans]}, text)
    assert tagger.predict(texts) == [[span[:3] for span in spans] for spans in sure]
    assert tagger.score(texts, [spans for _, spans in known]) > 0.95


words = st.sampled_from(PEOPLE + PLACES + FILLER + GAPS + BREAKS + ODD) | st.text(max_size=4)
mixed = st.lists(words, min_size=1, max_size=25).map("".join).map(lambda text: text.replace("\0", ""))
slow = settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


@slow
@given(texts=st.lists(mixed.filter(lambda text: text.removeprefix("\ufeff").strip()), min_size=1, max_size=5))
@example(texts=["Ada\u00ad", "said\r\nAda\u200d \u200dBath", "\u0301Ada\u0301", "\u200b"])
def test_any_text_has_spans_that_are_its_characters(model, tagger, tmp_path, texts):
    from_each = [from_files(model, tmp_path, texts), from_rows(model, tmp_path, texts, ascii_only=False)]
    for rows in from_each:
        for row, text in zip(rows, texts, strict=True):
            check(row, text.removeprefix("\ufeff") if rows is from_each[0] else text)  # a file may begin with a mark
    lines = [line for text in texts for line in text.replace("\r", "\n").split("\n") if line.strip()]
    for row, line in zip(from_lines(model, lines, "\r\n"), lines, strict=True):
        if row["input"] != "-:1":  # the first may begin with a mark
            check(row, line)
    for text, spans in zip(texts, tagger.predict_proba(texts), strict=True):
        check({"input": "", "spans": spans, "texts": [text[start:end] for start, end, *_ in spans]}, text)
