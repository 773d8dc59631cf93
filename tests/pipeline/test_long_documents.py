"""A document of 5,000 words: one row for each, spans that are exact, and one answer whatever stands beside it."""

from pathlib import Path

import numpy as np
import pytest

import headstart
from headstart import FitOptions
from headstart.artifact import Artifact
from headstart.data import Document, split_words
from tests.pipeline.test_entities import folder
from tests.tagged import make_easy

STRIDE = 64 - 1 - 64 // 4  # tokens of the toy network from one window to the next
EDGE = 64  # words that the first windows of a text answer for


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    path = tmp_path_factory.mktemp("long")
    data = folder(path / "data", make_easy(100), make_easy(20, seed=1))
    options = FitOptions(backbones=("toy:text",), strategy="probe", offline=True, proof="none")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEADSTART_CACHE", str(path / "cache"))
        headstart.fit(data, path / "model", options=options)
    return headstart.load(path / "model")


@pytest.fixture(scope="module")
def text() -> str:
    words = [word for sentence in make_easy(900, seed=2)[0] for word in sentence if word.strip(".")][:5000]
    gaps = [" ", "\r\n", "\t", "  ", "\u00a0", "\n\n"]
    return "".join(word + gaps[i % 7 if i % 7 < len(gaps) else 0] for i, word in enumerate(words))


def predicted(model: Artifact, tmp_path: Path, *texts: str) -> list[dict]:
    paths = [tmp_path / f"{i}.txt" for i in range(len(texts))]
    for path, each in zip(paths, texts, strict=True):
        path.write_bytes(each.encode())
    return [{**row, "input": ""} for row in headstart.predict(model, paths)]


def test_every_word_has_one_row(model, text):
    document = Document.of_text(text)
    (rows,) = model.model.outputs([document])
    assert len(document.words) == 5000
    assert rows.shape == (5000, len(model.model.task.classes))
    assert np.isfinite(rows).all()
    np.testing.assert_allclose(rows.sum(axis=1), 1)
    parts = [text[i : i + 1000] for i in range(0, len(text), 1000)]
    sizes = [len(each) for each in model.model.outputs([Document.of_text(part) for part in parts])]
    assert sizes == [len(split_words(part)) for part in parts]


def test_spans_are_whole_words_and_their_characters(model, text, tmp_path):
    (row,) = predicted(model, tmp_path, text)
    words = Document.of_text(text).words
    starts, ends = {start for start, _ in words}, {end for _, end in words}
    assert len(row["spans"]) > 500
    last = 0
    for (start, end, *_), characters in zip(row["spans"], row["texts"], strict=True):
        assert last <= start < end
        assert (start in starts, end in ends) == (True, True)
        assert characters == text[start:end]
        last = end
    for name, word in (("PER", "Anna"), ("LOC", "Paris")):  # up to the very end, not only in the first window
        assert max(start for start, _, kind, _ in row["spans"] if kind == name) > text.rindex(word) - 2000


def test_one_document_has_one_answer(model, text, tmp_path):
    (alone,) = predicted(model, tmp_path, text)
    others = [" ".join(words) for words in make_easy(30, seed=3)[0]]
    beside = predicted(model, tmp_path, *others[:10], text, *others[10:], text)
    again = predicted(model, tmp_path, *others[::-1], text[: len(text) // 2], text)
    for other in (beside[10], beside[-1], again[-1]):
        assert [span[:3] for span in other["spans"]] == [span[:3] for span in alone["spans"]]
        assert other["texts"] == alone["texts"]
        np.testing.assert_allclose([s[3] for s in other["spans"]], [s[3] for s in alone["spans"]], rtol=1e-5)


def test_what_changes_with_other_windows_is_what_the_network_sees(model):
    words = [word for sentence in make_easy(900, seed=2)[0] for word in sentence][:5000]
    (rows,) = model.model.outputs([Document.of_words(words)])

    def largest_change(before: int) -> float:
        (moved,) = model.model.outputs([Document.of_words(["the"] * before + words)])
        return float(np.abs(moved[before:] - rows)[EDGE:].max())

    assert largest_change(STRIDE) < 1e-5  # the same windows again
    assert largest_change(STRIDE // 2) > 1e-3
