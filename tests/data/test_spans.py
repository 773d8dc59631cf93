"""JSONL with character spans: what is read, what is refused by file, line and span, and what looks wrong."""

import json
import re
import unicodedata
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.data import inspect, load, split_words
from headstart.data._rows import Row
from headstart.data._spans import with_spans
from headstart.errors import DataError
from headstart.tasks import entities_of, read_tags

TEXT = "Ada went to Paris, France."  # Paris [12, 17], France [19, 25]
GOOD = {"text": TEXT, "spans": [[12, 17, "LOC"], [0, 3, "PER"]]}


def jsonl(folder, rows, name="a.jsonl"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder / name


def spans(dataset):
    """The spans of every text, by its words."""
    return [
        [[*item.span(entity.start, entity.end), entity.type] for entity in entities_of(read_tags(label))]
        for item, label in zip(dataset.items, dataset.labels, strict=True)
    ]


def test_spans_of_both_forms_come_back_in_order(tmp_path):
    objects = [{"start": 12, "end": 17, "label": "LOC"}, {"start": 0, "end": 3, "type": " PER "}]
    rows = [GOOD, {"text": TEXT, "spans": objects}, {"text": "nothing here", "spans": []}]
    dataset = load(jsonl(tmp_path, rows))
    assert spans(dataset) == [[[0, 3, "PER"], [12, 17, "LOC"]]] * 2 + [[]]
    assert (dataset.task, dataset.places[1]) == ("text-tagging", "a.jsonl:2")
    assert dataset.notes == ("Task: text tagging, 2 types of entities, 4 entities (column 'spans').",)
    assert [item.text for item in dataset.items] == [TEXT, TEXT, "nothing here"]


def test_other_columns_are_those_of_every_manifest(tmp_path):
    columns = {"group": "g1", "split": "train", "domain": "news"}
    rows = [GOOD | columns, GOOD | columns | {"group": "g2", "split": "testb", "domain": "web"}]
    dataset = load(jsonl(tmp_path, rows))
    assert (dataset.groups, dataset.parts) == (("g1", "g2"), ("train", "test"))
    assert dataset.domains == ("news", "web")
    folds = load(jsonl(tmp_path, [GOOD | {"fold": n, "doc": f"d{n}"} for n in (1, 2)]), group="doc")
    assert (folds.folds, folds.groups) == (("1", "2"), ("d1", "d2"))


def test_columns_of_other_names(tmp_path):
    path = jsonl(tmp_path, [{"body": TEXT, "entities": [[0, 3, "PER"]]}])
    assert spans(load(path, task="tagging", text="body", label="entities")) == [[[0, 3, "PER"]]]


def test_a_label_beside_spans_is_a_class_unless_tagging_is_asked_for(tmp_path):
    path = jsonl(tmp_path, [GOOD | {"label": "a"}, GOOD | {"label": "b"}])
    assert load(path).kind == "classification"
    assert load(path, task="tagging").kind == "tagging"
    assert load(jsonl(tmp_path, [GOOD]), task="text-tagging").kind == "tagging"


def test_a_folder_of_parts(tmp_path):
    for name in ("train", "dev", "test"):
        jsonl(tmp_path, [GOOD | {"split": "train"}], f"{name}.jsonl")
    dataset = load(tmp_path)
    assert (dataset.kind, dataset.parts) == ("tagging", ("train", "val", "test"))
    assert "The column 'split' of dev.jsonl is not used: the file's name says its part." in dataset.notes


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        (None, "expected a list of spans, found nothing"),
        ("0-3", "expected a list of spans, found a str"),
        ({"start": 0}, "expected a list of spans, found a dict"),
        ([[0, 3]], "span 1: expected [start, end, type], found [0, 3]"),
        ([[0, 3, "X", 1]], "span 1: expected [start, end, type], found [0, 3, 'X', 1]"),
        ([[0, 3, "X"], "Paris"], "span 2: expected [start, end, type], found 'Paris'"),
        ([[0.0, 3, "X"]], "span 1: expected whole numbers as start and end, found [0.0, 3]"),
        ([["0", 3, "X"]], "span 1: expected whole numbers as start and end, found ['0', 3]"),
        ([[True, 3, "X"]], "span 1: expected whole numbers as start and end, found [True, 3]"),
        ([{"start": 0, "label": "X"}], "span 1: expected whole numbers as start and end, found [0, None]"),
        ([[0, 3, ""]], "span 1: expected a type, found nothing"),
        ([[0, 3, None]], "span 1: expected a type, found nothing"),
        ([{"start": 0, "end": 3}], "span 1: expected a type, found nothing"),
        ([[0, 3, "  "]], "span 1: expected a type, found '  '"),
        ([[0, 3, 7]], "span 1: expected a type, found 7"),
        ([[0, 3, "a\0b"]], "span 1: expected a type that can be printed, found 'a\\x00b'"),
        ([[20, 27, "X"]], "span 1: expected offsets from 0 to 26, the length of the text, found [20, 27]"),
        ([[-1, 3, "X"]], "span 1: expected offsets from 0 to 26, the length of the text, found [-1, 3]"),
        ([[3, 3, "X"]], "span 1: expected a start below the end, found an empty span, [3, 3]"),
        ([[5, 3, "X"]], "span 1: expected a start below the end, found its end before its start, [5, 3]"),
        ([[3, 4, "X"]], "span 1: expected characters that are seen, found only white space in [3, 4]"),
        (
            [[12, 25, "X"], [0, 3, "P"], [19, 25, "Y"]],
            "expected separate spans, found that span 3, [19, 25] 'France', "
            "lies inside span 1, [12, 25] 'Paris, France'",
        ),
        (
            [[12, 20, "X"], [19, 25, "Y"]],
            "expected separate spans, found that span 2, [19, 25] 'France', overlaps span 1, [12, 20] 'Paris, F'",
        ),
        (
            [[0, 3, "X"], [0, 3, "X"]],
            "expected separate spans, found that span 2, [0, 3] 'Ada', lies inside span 1, [0, 3] 'Ada'",
        ),
        (
            [[0, 3, "X"], [0, 8, "Y"]],
            "expected separate spans, found that span 2, [0, 8] 'Ada went', overlaps span 1, [0, 3] 'Ada'",
        ),
        (
            [[0, 3, ""], [5, 5, "X"], [0, 3, "X"]],
            "span 1: expected a type, found nothing (and 1 more bad span in this row)",
        ),
    ],
)
def test_a_bad_span_is_named_with_file_line_and_number(tmp_path, wanted, problem):
    path = jsonl(tmp_path, [GOOD, {"text": TEXT, "spans": wanted}, GOOD])
    with pytest.raises(DataError, match="^" + re.escape(f"a.jsonl:2: {problem}.")):
        load(path)
    dataset = load(path, on_error="skip")
    assert dataset.places == ("a.jsonl:1", "a.jsonl:3")
    assert [(left.place, left.reason) for left in dataset.left_out] == [("a.jsonl:2", problem)]


def test_faults_of_rows_are_as_in_other_tables(tmp_path):
    path = tmp_path / "a.jsonl"
    rows = ['{"text": "x"}', '{"text": " ", "spans": []}', "{", '{"text": "a\\u0000", "spans": []}']
    path.write_text("\n".join([json.dumps(GOOD), *rows]) + "\n")
    assert [(left.place, left.reason[:36]) for left in load(path, on_error="skip").left_out] == [
        ("a.jsonl:2", "expected a list of spans, found noth"),
        ("a.jsonl:3", "expected a text, found an empty one"),
        ("a.jsonl:4", "expected a JSON object on one line, "),
        ("a.jsonl:5", "expected text, found a NUL character"),
    ]


def test_what_tagging_needs_is_said(tmp_path):
    fix = re.escape('Write {"text": "...", "spans": [[start, end, type], ...]} in a .jsonl file')
    with pytest.raises(DataError, match=f"expected a column 'spans' of spans in JSONL, found 'text', 'label'. {fix}"):
        load(jsonl(tmp_path, [{"text": "a", "label": "b"}]), task="tagging")
    with pytest.raises(DataError, match="found 'spans' without lists"):
        load(jsonl(tmp_path, [{"text": "a", "spans": "b"}]), task="tagging")
    (tmp_path / "t.csv").write_text("text,label\na,b\n")
    with pytest.raises(DataError, match=r"found .csv"):
        load(tmp_path / "t.csv", task="tagging")
    pq.write_table(pa.table({"text": ["a"], "spans": [[["0"]]]}), tmp_path / "t.parquet")
    with pytest.raises(DataError, match=r"found .parquet"):
        load(tmp_path / "t.parquet", task="tagging")


def findings(path):
    return {f.kind: f for f in inspect(path).findings if "spans" in f.kind}


@pytest.mark.parametrize(
    ("span", "kind", "found", "read"),
    [
        ([11, 16], "off-by-one-spans", "[11, 16] is ' Pari': did you mean [12, 17] 'Paris'?", " Pari"),
        ([13, 18], "off-by-one-spans", "[13, 18] is 'aris,': did you mean [12, 17] 'Paris'?", "aris,"),
        ([12, 16], "off-by-one-spans", "[12, 16] is 'Pari': did you mean [12, 17] 'Paris'?", "Pari"),
        ([13, 17], "off-by-one-spans", "[13, 17] is 'aris': did you mean [12, 17] 'Paris'?", "aris"),
        ([14, 16], "spans-cut-words", "[14, 16] is 'ri', which cuts 'Paris'", "ri"),
        ([5, 15], "spans-cut-words", "[5, 15] is 'ent to Par', which cuts 'went' and 'Paris'", "ent to Par"),
        ([11, 17], "spans-with-spaces", "[11, 17] is ' Paris'", "Paris"),
        ([8, 12], "spans-with-spaces", "[8, 12] is ' to '", "to"),
    ],
)
def test_a_span_that_does_not_fit_is_kept_and_the_likely_one_named(tmp_path, span, kind, found, read):
    path = jsonl(tmp_path, [GOOD, {"text": TEXT, "spans": [[*span, "LOC"]]}])
    dataset = load(path)
    start, end, _ = spans(dataset)[1][0]
    assert TEXT[start:end].strip() == read.strip()
    finding = findings(path)[kind]
    assert (finding.severity, finding.where) == ("warning", "a.jsonl:2 span 1")
    assert finding.found.endswith(f": 1 in a.jsonl (first: {found})")
    assert len(findings(path)) == 1
    assert any(found in note and "a.jsonl:2 span 1" in note for note in dataset.notes)


def test_spans_that_fit_are_no_finding(tmp_path):
    path = jsonl(tmp_path, [GOOD, {"text": "A-B (C)", "spans": [[0, 1, "X"], [2, 3, "X"], [4, 7, "Y"]]}])
    assert findings(path) == {}


@pytest.mark.parametrize(
    ("shift", "advice"),
    [
        ((1, 1), "Subtract 1 from both offsets, if they count from 1. (3 of 3 look like that.)"),
        ((0, -1), "Add 1 to the ends, if they are inclusive: ours are exclusive. (3 of 3 look like that.)"),
    ],
)
def test_a_slip_of_all_spans_is_explained(tmp_path, shift, advice):
    rows = [{"text": TEXT, "spans": [[s + shift[0], e + shift[1], "X"] for s, e in [(0, 3), (12, 17), (19, 25)]]}]
    finding = findings(jsonl(tmp_path, rows))["off-by-one-spans"]
    assert finding.fix == advice


@pytest.mark.parametrize(("encoding", "width", "said"), [("utf-16-le", 2, "UTF-16"), ("utf-8", 1, "bytes")])
def test_offsets_that_count_something_else_are_told(tmp_path, encoding, width, said):
    text = "😀😀😀 Paris met Ada."
    before = [len(text[:place].encode(encoding)) // width for place in (4, 9)]
    finding = findings(jsonl(tmp_path, [{"text": text + " " * 9, "spans": [[*before, "LOC"]]}]))["off-by-one-spans"]
    assert "did you mean [4, 9] 'Paris'?" in finding.found
    assert said in finding.fix


PIECES = [
    *("Ada", "naïve", "e\u0301te\u0301", "Zu\u0308rich", "\u0915\u094d\u0937\u0947", "東京都", "ภาษา"),
    *("שלום", "عَرَبِيّ", "👩\u200d👩\u200d👧", "👍🏽", "🇩🇪", "x\u00ady", "U.S.", "IL-2", "a_b", "3.5%", "\u202eabc\u202c"),
    *(" ", "  ", "\t", "\r\n", "\n", "\u00a0", "\u3000", "\u200b", ",", "-", "(", "’"),
]


def drawn(random):
    """A text and spans anywhere in it, each with a character that is seen at both ends."""
    text = "".join(random.choice(PIECES, size=random.integers(1, 30)))
    wanted, place = [], 0
    while place < len(text):
        start = place + int(random.integers(0, 5))
        end = start + int(random.integers(1, 12))
        seen = end <= len(text) and all(_is_seen(text[i]) for i in (start, end - 1))
        if seen:
            wanted.append([start, end, str(random.choice(["A", "B"]))])
        place = end if seen else place + 1
    return text, wanted


def _is_seen(character):
    return unicodedata.category(character)[0] in "LNPS"


def test_every_span_in_a_file_is_exactly_what_comes_back(tmp_path):
    drawn_rows = [drawn(np.random.default_rng(seed)) for seed in range(300)]
    rows = [(text, wanted) for text, wanted in drawn_rows if text.strip()]
    dataset = load(jsonl(tmp_path, [{"text": text, "spans": wanted} for text, wanted in rows]))
    assert [item.text for item in dataset.items] == [text for text, _ in rows]
    assert spans(dataset) == [wanted for _, wanted in rows]
    assert sum(len(wanted) for _, wanted in rows) > 300


@given(pieces=st.lists(st.sampled_from(PIECES), min_size=1, max_size=20), cuts=st.sets(st.integers(0, 60)))
@settings(deadline=None)
def test_spans_of_any_borders_come_back_without_their_outer_white_space(pieces, cuts):
    text = "".join(pieces)
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    wanted = [[*pair, "X"] for pair in pairwise(places) if split_words(text[slice(*pair)])]
    row = with_spans(Row(text, "a.jsonl:1"), wanted, [])
    document, tags = row.item, read_tags(row.label)
    back = [document.span(entity.start, entity.end) for entity in entities_of(tags)]
    assert len(back) == len(wanted)
    for (start, end), (low, high, _) in zip(back, wanted, strict=True):
        assert low <= start < end <= high
        assert not split_words(text[low:start])
        assert not split_words(text[end:high])
    assert all(one[1] <= other[0] for one, other in pairwise(document.words))
    seen = {place for start, end in document.words for place in range(start, end)}
    assert seen >= {place for place, character in enumerate(text) if _is_seen(character)}
