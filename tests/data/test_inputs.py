"""Inputs for prediction with a tagging model: documents, from every kind of input."""

import io
import sys

import pytest
from PIL import Image

from headstart.data import Document, load_items
from headstart.errors import DataError


def items(*inputs, **options):
    return load_items([str(one) for one in inputs], "text", kind="tagging", **options)


def problems(*inputs):
    return [(name, item.problem) for name, item in items(*inputs) if isinstance(item, DataError)]


def test_a_text_file_is_one_document_with_its_line_ends(tmp_path):
    text = "Ada\r\nwent 👩\u200d🔬\tto\u00a0Paris\r\n\n"
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbf" + text.encode())
    [(name, item)] = items(tmp_path / "a.txt")
    assert (name, item) == (str(tmp_path / "a.txt"), Document.of_text(text))
    assert [item.text[start:end] for start, end in item.words] == ["Ada", "went", "👩\u200d🔬", "to", "Paris"]


@pytest.mark.parametrize(
    ("data", "where", "problem"),
    [
        (b"", "", "expected a text, found an empty file"),
        (b" \n\t\n", "", "expected a text, found an empty file"),
        (b"good\nb\xffd\n", ":2", "expected UTF-8, found byte 0xFF after 1 bytes of the line"),
        (b"b\0d\n", ":1", "expected text, found a NUL byte"),
    ],
)
def test_a_text_file_that_cannot_be_read_is_an_error_in_its_place(tmp_path, data, where, problem):
    (tmp_path / "a.txt").write_bytes(data)
    (tmp_path / "b.txt").write_text("fine")
    found = items(tmp_path / "a.txt", tmp_path / "b.txt")
    assert found[1][1] == Document.of_text("fine")
    assert found[0][1].problem == problem
    assert found[0][0] == f"{tmp_path / 'a.txt'}{where}"


def test_lines_of_standard_input_are_documents(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(b"Ada went.\r\n\nto Paris\n"))
    monkeypatch.setattr(sys, "stdin", stream)
    found = items("-")
    assert [name for name, _ in found] == ["-:1", "-:2", "-:3"]
    assert (found[0][1], found[2][1]) == (Document.of_text("Ada went."), Document.of_text("to Paris"))
    assert isinstance(found[1][1], DataError)


def test_rows_of_tables_are_documents(tmp_path):
    (tmp_path / "a.csv").write_text('text,label\n"Ada,\nwent",x\nParis,y\n')
    (tmp_path / "b.jsonl").write_text('{"text": "Ada\\r\\nwent", "spans": "any"}\n')
    found = items(tmp_path / "a.csv", tmp_path / "b.jsonl")
    assert [item for _, item in found] == [Document.of_text(text) for text in ("Ada,\nwent", "Paris", "Ada\r\nwent")]
    assert found[1][0] == f"{tmp_path / 'a.csv'}:4"
    (tmp_path / "c.tsv").write_text("body\tx\nParis\t1\n")
    assert items(tmp_path / "c.tsv", text="body")[0][1] == Document.of_text("Paris")


@pytest.mark.parametrize(
    "text",
    [
        "New\nYork\n\n-DOCSTART-\n\nParis\n",
        "New O\nYork anything\n\n-DOCSTART- O\n\nParis X-Y\n",
        "New\tNN\tO\nYork\tNN\tO\n\nParis\tNN\tO\n",
    ],
)
def test_sentences_of_columns_are_documents_and_tags_are_not_read(tmp_path, text):
    (tmp_path / "a.conll").write_text(text)
    found = items(tmp_path / "a.conll")
    assert [item for _, item in found] == [Document.of_words(["New", "York"]), Document.of_words(["Paris"])]
    assert found[0][0] == f"{tmp_path / 'a.conll'}:1"


def test_a_line_that_would_lose_a_word_is_an_error(tmp_path):
    (tmp_path / "a.conll").write_text("in\nNew York\n\nParis\n")
    assert problems(tmp_path / "a.conll") == [
        (f"{tmp_path / 'a.conll'}:2", "expected 1 columns as in most lines, found 2: 'New York'")
    ]


def test_folders_hold_documents_of_all_kinds(tmp_path):
    (tmp_path / "a.conll").write_text("Paris\n")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "c.txt").write_text("one\ntwo")
    (tmp_path / "d.csv").write_text("text\nthree\n")
    assert [str(item) for _, item in items(tmp_path)] == ["Paris", "one\ntwo", "three"]


def test_models_of_other_kinds_take_texts_as_before(tmp_path):
    (tmp_path / "a.txt").write_text("one\ntwo\n")
    assert [item for _, item in load_items([tmp_path / "a.txt"], "text")] == ["one", "two"]
    (tmp_path / "a.conll").write_text("Paris\n")
    [(name, item)] = load_items([tmp_path / "a.conll"], "text")
    assert (name, item.problem) == (str(tmp_path / "a.conll"), "expected texts, found tagged texts")


def test_what_a_folder_holds_besides_is_passed_over_and_said(tmp_path):
    (tmp_path / "a.txt").write_text("fine")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "notes.md").write_text("# notes")
    (tmp_path / "b.png").write_bytes(b"")
    said: list[str] = []
    assert len(items(tmp_path, say=said.append)) == 1
    assert said == [f"{tmp_path}: files that are not texts, passed over: 2 (first: 'b.png')."]
    (tmp_path / "images").mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "images" / "c.png")
    said.clear()
    assert len(load_items([str(tmp_path / "images")], "image", say=said.append)) == 1
    assert said == []
