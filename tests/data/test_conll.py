"""CoNLL columns: what is read, and what is wrong with a file, by line."""

import re
from collections import Counter

import pytest

from headstart.data import Document, inspect, load
from headstart.errors import DataError, OptionError
from headstart.tasks import entities_of, read_tags


def write(folder, text, name="a.conll"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def words(document):
    return [document.text[start:end] for start, end in document.words]


def found(dataset):
    """The entities of every sentence as (text, type)."""
    return [
        [
            (item.text[slice(*item.span(entity.start, entity.end))], entity.type)
            for entity in entities_of(read_tags(label))
        ]
        for item, label in zip(dataset.items, dataset.labels, strict=True)
    ]


GOOD = "Ada B-PER\nLovelace I-PER\nwrote O\n\nin O\nLondon B-LOC\n"


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        GOOD.replace(" ", "\t"),
        GOOD.replace(" ", "   "),
        GOOD.replace(" ", " NNP \t"),
        GOOD.replace("\n", "\r\n"),
        "\ufeff" + GOOD,
        GOOD.replace("\n\n", "\n\n \t\n\n"),
        GOOD.rstrip("\n"),
        "\n\n" + GOOD + "\n\n",
        GOOD.replace("B-LOC", "B-LOC  "),
        GOOD.replace("Ada B-PER", "Ada I-PER").replace("London B", "London I"),
        GOOD.replace("Lovelace I-PER", "Lovelace E-PER").replace("London B", "London S"),
        GOOD.replace("Lovelace I-PER", "Lovelace L-PER").replace("London B", "London U"),
        "# sent_id = 1\n# text = Ada Lovelace wrote\n" + GOOD,
    ],
)
def test_columns_in_every_form_are_the_same_data(tmp_path, text):
    dataset = load(write(tmp_path, text))
    assert (dataset.task, dataset.groups, dataset.parts) == ("text-tagging", None, None)
    assert dataset.items == (Document.of_words(["Ada", "Lovelace", "wrote"]), Document.of_words(["in", "London"]))
    assert [read_tags(label) for label in dataset.labels] == [["B-PER", "I-PER", "O"], ["O", "B-LOC"]]
    assert dataset.notes[0] == "Task: text tagging, 2 types of entities, 2 entities (CoNLL tags)."


def test_places_are_the_lines_of_first_tokens(tmp_path):
    assert load(write(tmp_path, "\n\n# a comment\n" + GOOD)).places == ("a.conll:4", "a.conll:8")


def test_what_was_assumed_is_said(tmp_path):
    assert load(write(tmp_path, GOOD)).notes[1:] == ("Tags in a.conll: IOB2.",)
    mixed = GOOD.replace("in O", "# text = in London\nin\tO")
    assert load(write(tmp_path, mixed)).notes[1:] == (
        "Tags in a.conll: IOB2.",
        "Columns in a.conll are separated by tabs in some lines and by spaces in others.",
        "Comment lines in a.conll, passed over: 1.",
    )
    bioes = GOOD.replace("Lovelace I-PER", "Lovelace E-PER").replace("London B", "London S")
    assert "Tags in a.conll: BIOES, read as IOB2." in load(write(tmp_path, bioes)).notes
    assert "Tags in a.conll: IO, or IOB1 (no 'B-'), read as IOB2." in load(write(tmp_path, "a I-X\n")).notes
    assert "Tags in a.conll: no entity." in load(write(tmp_path, "a O\n")).notes


def test_documents_are_groups_and_marks_are_no_sentences(tmp_path):
    text = "a O\n\n-DOCSTART- -X- O\n\n-DOCSTART- O\n\nb B-X\n\nc O\n-DOCSTART-\nd O\n-DOCSTART- O\n"
    dataset = load(write(tmp_path, text))
    assert [words(item) for item in dataset.items] == [["a"], ["b"], ["c"], ["d"]]
    assert dataset.groups == tuple(f"a.conll document {n}" for n in (1, 2, 2, 3))
    assert "Documents marked in a.conll, each a group: 3." in dataset.notes


def test_one_mark_at_the_top_separates_nothing(tmp_path):
    assert load(write(tmp_path, "-DOCSTART- O\n\n" + GOOD)).groups is None


def test_tokens_that_look_like_something_else_are_tokens(tmp_path):
    text = "# O\n#tag B-X\n# O\n\n#tag O\n\n\u00a0 O\n\u3000x\u2003 O\n\nO O\nB-X O\n"
    dataset = load(write(tmp_path, text))
    assert [words(item) for item in dataset.items] == [
        ["#", "#tag", "#"],
        ["#tag"],
        ["\u00a0", "\u3000x\u2003"],
        ["O", "B-X"],
    ]
    assert not any("Comment" in note for note in dataset.notes)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("word", "expected a token and a tag, found only 'word'"),
        ("word\t", "expected a token and a tag, found only 'word'"),
        ("\tO", "expected a token and a tag, found only 'O'"),
        ("#", "expected a token and a tag, found only '#'"),
        ("New York B-LOC", "expected 2 columns as in most lines, found 3: 'New York B-LOC'"),
        ("word X-PER", "expected O or a tag like B-TYPE, found 'X-PER'"),
        ("word B", "expected O or a tag like B-TYPE, found 'B'"),
        ("word B-", "expected O or a tag like B-TYPE, found 'B-'"),
        ("word PER", "expected O or a tag like B-TYPE, found 'PER'"),
        ("word E-PER", "expected O or a tag with B-, I- (IOB2, as in the rest of the file), found 'E-PER'"),
        ("wo\0rd O", "expected text, found a NUL byte"),
        (b"wo\xffrd O", "expected UTF-8, found byte 0xFF after 2 bytes of the line"),
    ],
)
def test_a_bad_line_is_the_fault_of_its_sentence(tmp_path, line, problem):
    line = line if isinstance(line, bytes) else line.encode()
    path = write(tmp_path, GOOD.encode() + b"\nbefore O\n" + line + b"\nafter O\n\n" + GOOD.encode())
    with pytest.raises(DataError, match="^" + re.escape(f"a.conll:9: {problem}.")):
        load(path)
    dataset = load(path, on_error="skip")
    assert [words(item)[0] for item in dataset.items] == ["Ada", "in", "Ada", "in"]
    assert [(left.place, left.reason) for left in dataset.left_out] == [("a.conll:9", problem)]
    assert [(f.where, f.found) for f in inspect(path).findings if f.kind == "unreadable"] == [("a.conll:9", problem)]


def test_several_bad_lines_of_a_sentence_are_one_fault(tmp_path):
    path = write(tmp_path, GOOD + "\nx\ny\nz O\n\nx\n")
    left = load(path, on_error="skip").left_out
    assert [(one.place, one.reason) for one in left] == [
        ("a.conll:8", "expected a token and a tag, found only 'x' (and 1 more bad line in this sentence)"),
        ("a.conll:12", "expected a token and a tag, found only 'x'"),
    ]


def test_a_file_of_words_only_says_what_lacks(tmp_path):
    with pytest.raises(DataError, match=r"a.conll:1: expected a token and a tag, found only 'a' .*first of 2 faults"):
        load(write(tmp_path, "a\nb\n\nc\n"))


def test_impossible_sequences_are_mended_and_said_with_their_place(tmp_path):
    path = write(tmp_path, GOOD * 3 + "\na O\nb I-LOC\nc O\nd I-PER\n")
    dataset = load(path)
    assert found(dataset)[-1] == [("b", "LOC"), ("d", "PER")]
    said = "mpossible tag sequences in a.conll (IOB2), mended: 2 (first: 'I-LOC' after 'O')"
    assert f"I{said} (a.conll:21)." in dataset.notes
    finding = next(f for f in inspect(path).findings if f.kind == "impossible-tags")
    assert (finding.severity, finding.where, finding.found) == ("warning", "a.conll:21", f"i{said}")


@pytest.mark.parametrize("text", ["-DOCSTART- O\n\n", "# only comments here\n\n# and here\n"])
def test_a_file_without_sentences_is_an_error(tmp_path, text):
    with pytest.raises(DataError, match="a.conll: expected sentences, found none"):
        load(write(tmp_path, text))


def test_an_empty_file_and_utf_16_are_errors(tmp_path):
    with pytest.raises(DataError, match=r"a.conll: expected rows, found an empty file"):
        load(write(tmp_path, "\n \n"))
    with pytest.raises(DataError, match="expected UTF-8, found UTF-16"):
        load(write(tmp_path, GOOD.encode("utf-16")))


@pytest.mark.parametrize("group", ["doc", "filename:(.)"])
def test_columns_have_no_group_column(tmp_path, group):
    with pytest.raises(OptionError, match="CoNLL columns have no column of groups"):
        load(write(tmp_path, GOOD), group=group)


@pytest.mark.parametrize("suffix", [".conll", ".iob", ".iob2", ".bio", ".bioes", ".CoNLL"])
def test_suffixes_of_columns(tmp_path, suffix):
    assert load(write(tmp_path, GOOD, f"a{suffix}")).kind == "tagging"


@pytest.mark.parametrize("suffix", [".txt", ".tsv"])
def test_other_files_are_columns_on_request(tmp_path, suffix):
    path = write(tmp_path, GOOD, f"a{suffix}")
    assert found(load(path, task="tagging")) == [[("Ada Lovelace", "PER")], [("London", "LOC")]]
    if suffix == ".txt":
        assert load(path, on_error="skip").labels is None


@pytest.mark.parametrize(
    ("val", "test"),
    [("dev", "test"), ("val", "test"), ("valid", "test"), ("testa", "testb"), ("validation", "testing")],
)
@pytest.mark.parametrize("suffix", [".conll", ".txt"])
def test_a_folder_of_parts(tmp_path, val, test, suffix):
    for name in ("train", val, test):
        write(tmp_path, GOOD, name + suffix)
    write(tmp_path, "x", "notes.md")
    dataset = load(tmp_path, task="text-tagging")
    assert Counter(dataset.parts) == {"train": 2, "val": 2, "test": 2}
    assert dataset.places[-1] == f"{test}{suffix}:5"
    assert "Parts: train 2, val 2, test 2." in dataset.notes


def test_parts_of_other_kinds_are_refused(tmp_path):
    write(tmp_path, GOOD, "train.conll")
    write(tmp_path, "text,label\na,b\n", "test.csv")
    with pytest.raises(DataError, match="expected one kind of items, found tagged texts and texts"):
        load(tmp_path)


def test_a_second_source_is_the_test_part_with_documents_of_its_own(tmp_path):
    text = "-DOCSTART- O\n\n" + GOOD + "\n-DOCSTART- O\n\n" + GOOD
    dataset = load(write(tmp_path, text, "one/a.conll"), test=write(tmp_path, text, "two/a.conll"))
    assert Counter(dataset.parts) == {"train": 4, "test": 4}
    assert set(dataset.groups[:4]).isdisjoint(dataset.groups[4:])
    table = write(tmp_path, "text,label\na,b\n", "t.csv")
    with pytest.raises(DataError, match="expected tagged texts as in the training data, found texts"):
        load(tmp_path / "one" / "a.conll", test=table)


@pytest.mark.parametrize("task", ["classification", "text-multilabel"])
def test_another_task_does_not_fit(tmp_path, task):
    with pytest.raises(OptionError, match="does not fit: the data holds words with tags"):
        load(write(tmp_path, GOOD), task=task)


@pytest.mark.parametrize("task", ["image-tagging", "audio-tagging"])
def test_only_texts_are_tagged(tmp_path, task):
    with pytest.raises(OptionError, match=f"task '{task}' is not supported. Choose one of: ") as error:
        load(write(tmp_path, GOOD), task=task)
    assert "text-tagging" in str(error.value)
    assert "image-tagging" not in error.value.fix
    assert "audio-tagging" not in error.value.fix


def test_tagging_is_not_what_folders_of_images_hold(make_images):
    folder = make_images({"a": 1, "b": 1})
    with pytest.raises(OptionError, match="task 'text-tagging' does not fit: the data holds images"):
        load(folder, task="text-tagging")
    with pytest.raises(OptionError, match="task 'tagging' does not fit: the data holds images without tags"):
        load(folder, task="tagging")


def independent(paths):
    """Sentences, documents and entities by counting lines: an entity begins at B-, or where I- continues nothing."""
    sentences, documents, entities = 0, 0, Counter()
    for path in paths:
        before, inside = "O", False
        for line in path.read_text(encoding="utf-8").split("\n"):
            cells = line.split()
            if not cells or cells[0] == "-DOCSTART-":
                before, inside = "O", False
                documents += bool(cells)
                continue
            sentences += not inside
            inside, tag = True, cells[-1]
            if tag[0] == "B" or (tag[0] == "I" and before[2:] != tag[2:]):
                entities[tag[2:]] += 1
            before = tag
    return sentences, documents, dict(entities)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "sentences", "parts"),
    [
        ("wnut17", 5690, [3394, 1009, 1287]),
        ("bc5cdr", 13938, [4560, 4581, 4797]),
        ("ncbi-disease", 7287, [5424, 923, 940]),
        ("conll2002-es", 11755, [8323, 1915, 1517]),
        ("conll2002-nl", 23896, [15806, 2895, 5195]),
        ("wikigold.conll", 1696, None),
    ],
)
def test_real_data_is_counted_as_lines_are(shared, name, sentences, parts):
    source = shared / "data" / "ner" / name
    dataset = load(source)
    files = sorted(source.iterdir()) if source.is_dir() else [source]
    expected, documents, entities = independent(files)
    assert len(dataset) == expected == sentences
    assert parts is None or [dataset.parts.count(part) for part in ("train", "val", "test")] == parts
    assert Counter(name for each in found(dataset) for _, name in each) == entities
    assert (len(set(dataset.groups)) if dataset.groups else 0) == documents
    assert not dataset.left_out
