"""Bad and odd data of entities on the command line: every fault by file and line, and what can be learnt from is."""

import json
from pathlib import Path

import pytest

from tests.tagged import make_easy, write_conll

WORDS = ("--backbone", "toy:text", "--strategy", "probe", "--offline", "--proof", "none", "--task", "tagging")
LINES = {
    b"word": "expected a token and a tag, found only 'word'",
    b"New York B-LOC": "expected 2 columns as in most lines, found 3: 'New York B-LOC'",
    b"word X-PER": "expected O or a tag like B-TYPE, found 'X-PER'",
    b"word B-": "expected O or a tag like B-TYPE, found 'B-'",
    b"word E-PER": "expected O or a tag with B-, I- (IOB2, as in the rest of the file), found 'E-PER'",
    b"wo\0rd O": "expected text, found a NUL byte",
    b"wo\xffrd O": "expected UTF-8, found byte 0xFF after 2 bytes of the line",
}
ROWS = {
    '{"text": "Ada went"}': "expected a list of spans, found nothing",
    '{"text": "Ada went", "spans": "0-3"}': "expected a list of spans, found a str",
    '{"text": " ", "spans": []}': "expected a text, found an empty one",
    '{"text": "Ada went", "spans": [[0, 3, "PER"]': "expected a JSON object on one line, found: Expecting",
    "[]": "expected a JSON object, found a list",
    '{"text": "Ada", "text": "went", "spans": []}': "expected different column names, found 'text' more than once",
    '{"text": "\\ud800", "spans": []}': "expected text, found half a character",
    '{"text": "a\\u0000", "spans": []}': "expected text, found a NUL character",
    '{"text": "Ada went", "spans": [[0, 3]]}': "span 1: expected [start, end, type], found [0, 3]",
    '{"text": "Ada went", "spans": [["0", 3, "P"]]}': "span 1: expected whole numbers as start and end, found ['0', 3]",
    '{"text": "Ada went", "spans": [[0, 3, ""]]}': "span 1: expected a type, found nothing",
    '{"text": "Ada went", "spans": [[0, 3, "a\\n"], [4, 8, "a\\nb"]]}': "span 2: expected a type that can be printed",
    '{"text": "Ada went", "spans": [[4, 9, "P"]]}': "span 1: expected offsets from 0 to 8, the length of the text",
    '{"text": "Ada went", "spans": [[3, 0, "P"]]}': "span 1: expected a start below the end, found its end before",
    '{"text": "Ada went", "spans": [[3, 3, "P"]]}': "span 1: expected a start below the end, found an empty span",
    '{"text": "Ada went", "spans": [[3, 4, "P"]]}': "span 1: expected characters that are seen, found only white space",
    '{"text": "Ada went", "spans": [[0, 8, "P"], [4, 8, "Q"]]}': "expected separate spans, found that span 2, [4, 8] '",
    '{"text": "Ada went", "spans": [[0, 5, "P"], [4, 8, "Q"]]}': "expected separate spans, found that span 2, [4, 8] '",
}


def columns(path: Path, *bad: bytes) -> Path:
    """Sixty good sentences with bad ones in the middle, the bad line of each between good ones."""
    sentences, tags = make_easy(60)
    write_conll(path, sentences, tags)
    halves = path.read_bytes().split(b"\n\n")
    spoilt = [b"before O\n" + line + b"\nafter O" for line in bad]
    path.write_bytes(b"\n\n".join([*halves[:30], *spoilt, *halves[30:]]))
    return path


def spans(path: Path, *bad: str, good: int = 60) -> Path:
    """Good rows with bad ones in the middle."""
    lines = [
        json.dumps({"text": f"w{i} said {name} went{i % 7}", "spans": [[start := len(f"w{i} said "), start + 4, kind]]})
        for i in range(good)
        for name, kind in [(("Anna", "PER"), ("Oslo", "LOC"))[i % 2]]
    ]
    path.write_text("\n".join([*lines[:30], *bad, *lines[30:]]) + "\n", encoding="utf-8")
    return path


def line_of(path: Path, bad: bytes) -> int:
    return path.read_bytes().split(b"\n").index(bad) + 1


@pytest.mark.parametrize(("bad", "problem"), [*LINES.items(), *ROWS.items()])
def test_a_fault_is_one_line_with_its_place_and_a_way_out(run, tmp_path, bad, problem):
    path = columns(tmp_path / "a.conll", bad) if isinstance(bad, bytes) else spans(tmp_path / "a.jsonl", bad)
    place = f"{path.name}:{line_of(path, bad if isinstance(bad, bytes) else bad.encode())}"
    status, out, err = run("fit", path, "-o", tmp_path / "m", *WORDS)
    assert (status, out) == (1, "")
    (line,) = err.splitlines()
    assert line.startswith(f"Error: {place}: {problem}")
    assert line.rstrip().endswith((".", "with --on-error skip.")), line
    assert not (tmp_path / "m").exists()
    status, out, _ = run("check", path, "--task", "tagging", "--json")
    assert status == 1
    (finding,) = (each for each in json.loads(out)["findings"] if each["kind"] == "unreadable")
    assert finding["where"] == place
    assert finding["found"].startswith(problem)
    assert finding["fix"]


@pytest.mark.parametrize("form", ["columns", "spans"])
def test_skip_keeps_every_good_sentence_and_lists_the_others(run, tmp_path, form):
    path = columns(tmp_path / "a.conll", *LINES) if form == "columns" else spans(tmp_path / "a.jsonl", *ROWS)
    bad = [*LINES] if form == "columns" else [row.encode() for row in ROWS]
    test = write_conll(tmp_path / "t.conll", *make_easy(12, seed=5)) if form == "columns" else tmp_path / "t.jsonl"
    if form == "spans":
        spans(test, good=12).write_text(test.read_text().replace('"w', '"v'))
    status, _, err = run("fit", path, "--test", test, "-o", tmp_path / "m", *WORDS, "--on-error", "skip")
    assert status == 0, err
    kept = json.loads((tmp_path / "m" / "data.json").read_text())
    assert kept["n_train"] == 60
    assert {left["place"] for left in kept["left_out"]} == {f"{path.name}:{line_of(path, line)}" for line in bad}
    assert all(f"Left out: {left['place']}: {left['reason']}" in err for left in kept["left_out"])


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([("the dog {}", [])] * 30, "expected entities, found none in 30 training texts. Check"),
        ([("Anna went", [[0, 4, "PER"]])], "expected at least 2 separate examples or groups, found 1. Add"),
        ([("Anna went", [[0, 4, "PER"]])] * 30, "expected at least 2 separate examples or groups, found 1. Add"),
        ([("Anna {}", [[0, 4, "PER"]])] * 2, "expected at least 3 separate training examples or groups to choose "),
        ([("\u200b", [])] * 9, "expected entities, found none in 9 training texts. Check"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused_before_any_work(run, tmp_path, rows, problem):
    lines = [json.dumps({"text": text.format(i), "spans": spans}) for i, (text, spans) in enumerate(rows)]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    status, out, err = run("fit", tmp_path / "a.jsonl", "-o", tmp_path / "m", *WORDS)
    assert (status, out) == (1, "")
    (line,) = err.splitlines()
    assert line.startswith(f"Error: {tmp_path / 'a.jsonl'}: {problem}")
    status, out, _ = run("check", tmp_path / "a.jsonl", "--task", "tagging")
    assert status == 1
    assert problem.split(".")[0] in out


@pytest.mark.parametrize("form", ["columns", "spans"])
def test_two_documents_are_too_few_without_a_test_part_and_enough_with_one(run, tmp_path, form):
    sentences, tags = make_easy(40)
    write_conll(tmp_path / "test.conll", *make_easy(12, seed=5))
    path = write_conll(tmp_path / "a.conll", sentences, tags)
    if form == "columns":
        parts = path.read_text().split("\n\n")
        path.write_text("-DOCSTART- O\n\n" + "\n\n".join([*parts[:20], "-DOCSTART- O", *parts[20:]]))
    else:
        path = spans(tmp_path / "a.jsonl", good=40)
        rows = [json.loads(line) | {"group": f"d{i // 20}"} for i, line in enumerate(path.read_text().splitlines())]
        path.write_text("\n".join(map(json.dumps, rows)))
        (tmp_path / "test.conll").unlink()
        spans(tmp_path / "test.jsonl", good=12)
    status, _, err = run("fit", path, "-o", tmp_path / "m", *WORDS)
    assert status == 1
    assert "expected at least 3 separate training examples or groups to choose settings on, found 2. " in err
    assert err.rstrip().endswith("or give a test part of its own with --test.")
    assert run("check", path, "--task", "tagging")[0] == 1
    test = tmp_path / f"test{path.suffix}"
    text = test.read_text()
    test.write_text("\n".join(line.replace('"w', '"v') for line in text.splitlines()) + "\n")
    assert run("fit", path, "--test", test, "-o", tmp_path / "m", *WORDS)[0] == 0


NAMES = ["a b", "\u00c4-\u03b2", "x|y", "B-I", "O", "\u540d\u524d", "I-", '"q"', "<b>&", "E\u0301"]


def test_names_of_types_may_be_anything_that_can_be_printed(run, tmp_path):
    def write(path: Path, ids: range) -> Path:
        rows = [{"text": f"the City{i % 10} said {i}", "spans": [[4, 9, NAMES[i % 10]]]} for i in ids]
        path.write_text("\n".join(json.dumps(row) for row in rows))
        return path

    train, test = write(tmp_path / "a.jsonl", range(120)), write(tmp_path / "b.jsonl", range(120, 160))
    status, out, err = run("fit", train, "--test", test, "-o", tmp_path / "m", *WORDS, "--json")
    assert status == 0, err
    found = json.loads(out)
    assert found["test"]["value"] > 0.9
    assert set(found["classes"]) == set(NAMES)
    _, out, _ = run("predict", tmp_path / "m", "-", "--json", stdin="".join(f"the City{i} said\n" for i in range(10)))
    assert [[span[:3] for span in json.loads(line)["spans"]] for line in out.splitlines()] == [
        [[4, 9, name]] for name in NAMES
    ]
    page = (tmp_path / "m" / "entities.html").read_text()
    assert "&lt;b&gt;&amp;" in page
    assert "<b>&" not in page
    status, out, _ = run("evaluate", tmp_path / "m", test)
    assert status == 0
    assert all(f"\n{name} " in out for name in NAMES)


def test_thirty_types_and_an_entity_that_is_the_whole_document(run, tmp_path):
    def write(path: Path, ids: range) -> Path:
        rows = [{"text": f"Word{i % 30}" + ("!" * (i // 30)), "type": f"TYPE{i % 30}"} for i in ids]
        lines = [{"text": row["text"], "spans": [[0, len(row["text"]), row["type"]]]} for row in rows]
        path.write_text("\n".join(json.dumps(row) for row in lines))
        return path

    train, test = write(tmp_path / "a.jsonl", range(240)), write(tmp_path / "b.jsonl", range(240, 300))
    status, out, err = run("fit", train, "--test", test, "-o", tmp_path / "m", *WORDS, "--json")
    assert status == 0, err
    assert len(json.loads(out)["classes"]) == 30
    _, out, _ = run("predict", tmp_path / "m", "-", "--json", stdin="Word7\nWord12!!\n")
    assert [[span[:3] for span in json.loads(line)["spans"]] for line in out.splitlines()] == [
        [[0, 5, "TYPE7"]],
        [[0, 8, "TYPE12"]],
    ]


def test_documents_without_a_word_train_and_are_predicted_among_others(run, tmp_path):
    empty = [json.dumps({"text": text, "spans": []}) for text in ("\u200b", "\u200d\u2060", "\u00ad", "\u202e")]
    path = spans(tmp_path / "a.jsonl", *empty)
    test = spans(tmp_path / "b.jsonl", empty[0], good=31)
    test.write_text(test.read_text().replace('"w', '"v'))
    status, out, err = run("fit", path, "--test", test, "-o", tmp_path / "m", *WORDS, "--json")
    assert status == 0, err
    assert json.loads(out)["test"]["n"] == 32
    assert json.loads((tmp_path / "m" / "data.json").read_text())["n_train"] == 64
    given = "\u200b\nx said Anna y\n\u00ad\n"
    status, out, _ = run("predict", tmp_path / "m", "-", "--json", stdin=given)
    assert (status, [json.loads(line)["texts"] for line in out.splitlines()]) == (0, [[], ["Anna"], []])
    (tmp_path / "z.txt").write_text("\u200b")
    status, out, _ = run("predict", tmp_path / "m", tmp_path / "z.txt")
    assert (status, out) == (0, f"{tmp_path / 'z.txt'}\t0 entities\n")
