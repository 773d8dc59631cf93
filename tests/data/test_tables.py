import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headstart.data import load
from headstart.data._lines import read_lines
from headstart.data._tables import read_table
from headstart.errors import DataError

JSON_OK = b'{"text":"ok","label":"a"}\n\n'
JSON_END = b'\n{"text":"ok","label":"b"}'


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_lines_are_those_of_an_editor_also_after_texts_with_line_breaks(tmp_path):
    table = read_table(write(tmp_path, "t.csv", 'text,label\none,a\n"two\nlines ""quoted""",b\n\nNA,null\n'))
    assert table.columns == {"text": ("one", 'two\nlines "quoted"', "NA"), "label": ("a", "b", "null")}
    assert table.lines == (2, 3, 6)
    assert table.notes == ("Blank lines in t.csv, passed over: 1.",)


@pytest.mark.parametrize(
    ("name", "content", "notes"),
    [
        ("bom.csv", b"\xef\xbb\xbftext,label\ncaf\xc3\xa9,a\n", ()),
        ("crlf.csv", "text,label\r\ncafé,a\r\n".encode(), ()),
        ("spaces.csv", "text, label\ncafé,a\n".encode(), ()),
        ("semicolons.csv", "text;label\ncafé;a\n".encode(), ("semicolons.csv is separated by ';'.",)),
        ("tabs.csv", "text\tlabel\ncafé\ta\n".encode(), ()),
        ("plain.tsv", "text\tlabel\ncafé\ta\n".encode(), ()),
        ("rows.jsonl", '{"text": "café", "label": "a"}\n\n'.encode(), ()),
    ],
)
def test_spellings_of_one_table_read_alike(tmp_path, name, content, notes):
    table = read_table(write(tmp_path, name, content))
    assert table.columns == {"text": ("café",), "label": ("a",)}
    assert (table.faults, table.notes) == ((), notes)


def test_quotes_in_a_tsv_are_text_where_they_are_no_quoting(tmp_path):
    table = read_table(write(tmp_path, "t.tsv", 'text\tlabel\n"so" they say\ta\n"open\tb\n'))
    assert table.columns["text"] == ('"so" they say', '"open')
    assert table.notes == ("Quote characters in t.tsv are taken as text.",)
    assert read_table(write(tmp_path, "q.tsv", 'text\tlabel\n"a\tb"\tc\n')).columns["text"] == ("a\tb",)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"text,label\nok,a\none,two,three\nok,b\n", "t.csv:3: expected 2 fields as in the header, found 3"),
        ("t.csv", b"text,label\nok,a\nalone\nok,b\n", "t.csv:3: expected 2 fields as in the header, found 1"),
        ("t.csv", b"text,label\nok,a\ncaf\xe9,x\nok,b\n", "t.csv:3: expected UTF-8, found byte 0xE9 after 3 bytes of"),
        (
            "t.csv",
            b'text,label\nok,a\n"c\nf\xe9",x\nok,b\n',
            "t.csv:4: expected UTF-8, found byte 0xE9 after 1 bytes of",
        ),
        ("t.csv", b"text,label\nok,a\nn\0,x\nok,b\n", "t.csv:3: expected text, found a NUL byte. Remove"),
        (
            "t.csv",
            b'text,label\nok,a\n"x"y,x\nok,b\n',
            "t.csv:3: expected well-formed quotes, found: ',' expected after",
        ),
        ("t.jsonl", JSON_OK + b"[1]" + JSON_END, "t.jsonl:3: expected a JSON object, found a list"),
        ("t.jsonl", JSON_OK + b'{"text' + JSON_END, "t.jsonl:3: expected a JSON object on one line, found: Invalid"),
        (
            "t.jsonl",
            JSON_OK + b'{"text":"x","text":"y"}' + JSON_END,
            "t.jsonl:3: expected different column names, found 'text' more",
        ),
        ("t.jsonl", JSON_OK + b'{"text":"\\ud83d"}' + JSON_END, "t.jsonl:3: expected text, found half a character"),
        ("t.jsonl", JSON_OK + b'{"text":"\\u0000"}' + JSON_END, "t.jsonl:3: expected text, found a NUL character"),
        (
            "t.jsonl",
            JSON_OK + b'{"text":"\xff"}' + JSON_END,
            "t.jsonl:3: expected UTF-8, found byte 0xFF after 9 bytes",
        ),
    ],
)
def test_a_bad_row_is_a_fault_with_its_line_and_the_others_are_read(tmp_path, name, content, message):
    table = read_table(write(tmp_path, name, content))
    assert [str(fault).startswith(message) for _, fault in table.faults] == [True], table.faults
    assert table.columns == {"text": ("ok", "ok"), "label": ("a", "b")}


def test_a_field_too_long_for_csv_is_a_fault_and_no_limit_in_jsonl(tmp_path):
    table = read_table(write(tmp_path, "t.csv", f"text,label\n{'x' * 140_000},a\nok,b\n"))
    assert (table.lines, [line for line, _ in table.faults]) == ((3,), [2])
    assert "field larger than field limit (131072)" in str(table.faults[0][1])
    table = read_table(write(tmp_path, "t.jsonl", f'{{"text": "{"x" * 140_000}", "label": "a"}}\n'))
    assert len(table.columns["text"][0]) == 140_000


def test_an_unclosed_quote_is_a_fault_where_it_opens(tmp_path):
    table = read_table(write(tmp_path, "t.csv", 'text,label\nok,a\n"open,b\nlast,c\n'))
    assert [line for line, _ in table.faults] == [3]
    assert "unexpected end of data. Double every quote" in str(table.faults[0][1])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"", "t.csv: expected rows, found an empty file. Fill"),
        ("t.jsonl", b" \n\n", "t.jsonl: expected rows, found an empty file. Fill"),
        ("t.parquet", b"", "t.parquet: expected rows, found an empty file. Fill"),
        ("t.csv", b"text,label\n\n", "t.csv: expected rows, found only a header. Add"),
        (
            "t.csv",
            b"text,label, text\na,b,c\n",
            "t.csv:1: expected different column names, found 'text' more than once",
        ),
        ("t.csv", b"t\xe9xt,label\na,b\n", "t.csv:1: expected UTF-8, found byte 0xE9 after 1 bytes"),
        (
            "t.csv",
            "text,label\na,b\n".encode("utf-16"),
            "t.csv: expected UTF-8, found UTF-16. Save the file again as UTF-8",
        ),
        (
            "t.parquet",
            b"not parquet at all",
            "t.parquet: expected a Parquet file, found: Parquet magic bytes not found",
        ),
    ],
)
def test_a_spoilt_table_is_refused_with_its_name(tmp_path, name, content, message):
    with pytest.raises(DataError) as caught:
        read_table(write(tmp_path, name, content))
    assert str(caught.value).startswith(message)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"expected a file, found: no such file or directory"):
        read_table(tmp_path / "none.csv")


def test_a_missing_column_names_those_found_and_the_option(tmp_path):
    table = read_table(write(tmp_path, "t.csv", "sentence,class\na,b\n"))
    with pytest.raises(DataError) as caught:
        table.column("label", option="--label")
    assert str(caught.value).startswith("t.csv: expected a column 'label', found 'sentence', 'class'. Name")
    assert "--label NAME" in str(caught.value)


def test_parquet_values_become_strings_and_nested_columns_are_not_read(tmp_path):
    columns = {
        "text": ["a", "b", "c\0", None],
        "label": [1.0, 2.5, 3.0, None],
        "flag": [True, False, None, True],
        "kind": pa.array(["x", "y", "x", "y"]).dictionary_encode(),
        "vector": [[1.0]] * 4,
        "image": [b"\xff"] * 4,
    }
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    table = read_table(tmp_path / "t.parquet")
    assert table.columns == {
        "text": ("a", "b", ""),
        "label": ("1", "2.5", ""),
        "flag": ("true", "false", "true"),
        "kind": ("x", "y", "y"),
    }
    assert (table.lines, [line for line, _ in table.faults]) == ((1, 2, 4), [3])
    assert table.nested == ("vector", "image")
    with pytest.raises(
        DataError, match=r"expected text or numbers in column 'image', found lists, structures or bytes"
    ):
        table.column("image", option="--text")


def test_numbers_in_jsonl_become_labels_without_a_decimal_point(tmp_path):
    table = read_table(write(tmp_path, "t.jsonl", '{"text":"a","label":3}\n{"text":"b","label":3.0}\n{"text":"c"}\n'))
    assert table.columns["label"] == ("3", "3", "")


def test_parquet_with_duplicated_columns_is_refused(tmp_path):
    pq.write_table(
        pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["text", "text"]), tmp_path / "t.parquet"
    )
    with pytest.raises(DataError, match=r"t.parquet: expected different column names, found 'text' more than once"):
        read_table(tmp_path / "t.parquet")


def test_a_parquet_file_with_a_changed_footer_is_refused(tmp_path):
    pq.write_table(pa.table({"text": ["a"], "label": ["b"]}), tmp_path / "t.parquet")
    data = bytearray((tmp_path / "t.parquet").read_bytes())
    data[-60:-20] = b"\xff" * 40
    (tmp_path / "t.parquet").write_bytes(data)
    with pytest.raises(DataError, match=r"t\.parquet: expected a Parquet file, found: "):
        read_table(tmp_path / "t.parquet")


def test_lines_of_text_split_only_at_line_ends(tmp_path):
    rows = read_lines(write(tmp_path, "t.txt", "a\u2028b\n\nc\x0cd\r\n".encode() + b"\xff"))
    assert rows[:3] == [(1, ("a\u2028b",)), (2, ("",)), (3, ("c\x0cd",))]
    assert str(rows[3][1]).startswith("t.txt:4: expected UTF-8, found byte 0xFF after 0 bytes")


def test_json_nested_too_deeply_is_a_fault_of_its_row(tmp_path):
    deep = b'{"text":' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    table = read_table(write(tmp_path, "t.jsonl", JSON_OK + deep + JSON_END))
    assert table.columns["text"] == ("ok", "ok")
    assert str(table.faults[0][1]).startswith("t.jsonl:3: expected a JSON object, found one nested too deeply. Write")


def test_json_lines_that_are_all_faulty_are_refused_with_the_first(tmp_path):
    with pytest.raises(DataError, match=r"t\.jsonl:1: expected a JSON object, found a list"):
        read_table(write(tmp_path, "t.jsonl", "[1]\n{\n"))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "expected a JSON object on one line, found: Expecting property name enclosed in double quotes at ch"),
        ('{"text": "b"} x', "expected a JSON object on one line, found: Extra data at character 15"),
        ('"b"', "expected a JSON object, found a text"),
        ("null", "expected a JSON object, found null"),
        ("5", "expected a JSON object, found a number"),
        ("true", "expected a JSON object, found true or false"),
    ],
)
def test_a_line_that_is_no_object_is_said_in_words(tmp_path, line, problem):
    (tmp_path / "t.jsonl").write_text(f'{{"text": "a"}}\n{line}\n')
    (fault,) = read_table(tmp_path / "t.jsonl").faults
    assert str(fault[1]).startswith(f"t.jsonl:2: {problem}")


@pytest.mark.parametrize("column", ["group", "split", "domain", "fold", "text"])
def test_a_list_in_a_column_of_texts_is_named_with_its_line(tmp_path, column):
    row = {"text": "a", "label": "x", "group": "g", "split": "train", "domain": "d", "fold": "1"}
    rows = [row, row, row | {column: ["g"]}, row]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
    with pytest.raises(DataError, match=rf"^t\.jsonl:3: expected text or numbers in column '{column}', found lists, "):
        load(tmp_path / "t.jsonl")
