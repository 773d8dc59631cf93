import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from headstart.data import load, load_items
from headstart.errors import DataError, OptionError


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_a_folder_per_class_in_the_order_of_names(make_images):
    root = make_images({"bées and wasps": 2, "ants": 3})
    dataset = load(root)
    assert dataset.places == ("ants/0.png", "ants/1.png", "ants/2.png", "bées and wasps/0.png", "bées and wasps/1.png")
    assert dataset.labels == ("ants",) * 3 + ("bées and wasps",) * 2
    assert dataset.items[0] == root / "ants" / "0.png"
    assert (dataset.modality, dataset.parts, dataset.groups) == ("image", None, None)
    assert dataset.notes == ("Task: image classification, 2 classes (folder names).",)


@pytest.mark.parametrize("val", ["val", "valid", "dev", "Validation"])
def test_part_folders_above_class_folders_are_honoured(make_images, val):
    dataset = load(make_images({"train/a": 2, "train/b": 1, f"{val}/a": 1, "test/b": 1, "old/a": 1}))
    assert dataset.parts == ("train", "train", "train", "val", "test")
    assert dataset.labels == ("a", "a", "b", "a", "b")
    assert "Parts: train 3, val 1, test 1." in dataset.notes
    assert "Files outside the parts, not used: 1 (first: old/a/0.png)." in dataset.notes


def test_what_is_passed_over_in_a_folder_is_said(make_images):
    root = make_images({"a": 2, "b": 2, "a/more": 1})
    for name in ("a/Thumbs.db", "a/.DS_Store", "a/readme.txt", "b/notes.md"):
        write(root / name, "x")
    (root / "empty").mkdir()
    (root / "cover.png").write_bytes((root / "a/0.png").read_bytes())
    dataset = load(root)
    assert dataset.labels == ("a", "a", "a", "b", "b")
    assert dataset.notes[1:] == (
        "Files that are not images, not used: 2 (first: a/readme.txt).",
        "Images outside class folders, not used: 1 (first: cover.png).",
        "Images in sub-folders of a class folder, taken into the class: 1 (first: a/more/0.png).",
        "Class folders without images: 1 (first: empty).",
        "Hidden files passed over: 2.",
    )


def test_images_without_class_folders_are_unlabelled(make_images):
    dataset = load(make_images({"": 2}))
    assert (dataset.labels, dataset.places) == (None, ("0.png", "1.png"))
    assert dataset.notes == ("No labels: 2 images.",)


def test_a_manifest_gives_every_column(make_images):
    root = make_images({"x": 3})
    write(
        root / "manifest.csv",
        "path,label,group,split,domain,fold\nx/0.png, a ,p1,train,d,1\nx/1.png,b,p2,dev,d,2\nx/2.png,a,p3,TEST,e,1\n",
    )
    for source in (root, root / "manifest.csv"):
        dataset = load(source)
        assert (dataset.labels, dataset.groups) == (("a", "b", "a"), ("p1", "p2", "p3"))
        assert (dataset.parts, dataset.domains, dataset.folds) == (
            ("train", "val", "test"),
            ("d", "d", "e"),
            ("1", "2", "1"),
        )
        assert dataset.places == ("manifest.csv:2", "manifest.csv:3", "manifest.csv:4")
        assert dataset.notes == (
            "Task: image classification, 2 classes (column 'label').",
            "Parts: train 1, val 1, test 1.",
            "Groups: 3.",
            "Domains: 2.",
            "Folds: 2.",
            "Labels with outer white space, removed: 1 (first: manifest.csv:2).",
        )


def test_tables_named_by_their_part_are_the_parts(tmp_path):
    write(tmp_path / "train.csv", "text,label,split\nNA,x,test\nnull,y,test\n")
    write(tmp_path / "testa.tsv", "text\tlabel\nc\tx\n")
    write(tmp_path / "testb.jsonl", '{"text": "d", "label": "y"}\n')
    write(tmp_path / "other.csv", "a,b\n")
    dataset = load(tmp_path)
    assert dataset.items == ("NA", "null", "c", "d")
    assert dataset.parts == ("train", "train", "val", "test")
    assert "The column 'split' of train.csv is not used: the file's name says its part." in dataset.notes
    assert "Tables that are no part of the data: other.csv." in dataset.notes


def test_other_columns_are_named_by_options(tmp_path):
    source = write(tmp_path / "t.csv", "sentence,mood,writer\nfine day,good,w1\nbad day,bad,w2\n")
    dataset = load(source, text="sentence", label="mood", group="writer")
    assert (dataset.items, dataset.labels, dataset.groups) == (("fine day", "bad day"), ("good", "bad"), ("w1", "w2"))


def test_groups_are_read_from_file_names(make_images):
    root = make_images({"a": 2, "b": 1})
    for path in list(root.rglob("*.png")):
        path.rename(path.with_name(f"p{path.stem}_x.png"))
    assert load(root, group=r"filename:^(p\d+)_").groups == ("p0", "p1", "p0")
    with pytest.raises(DataError, match=r"a/p1_x.png: expected a file name that matches '\(p0\)', found 'p1_x.png'"):
        load(root, group="filename:(p0)")


def test_a_second_source_becomes_the_test_part(tmp_path, make_images):
    train, test = make_images({"a": 2, "b": 2}), make_images({"a": 1, "b": 1}, root="later")
    dataset = load(train, test=test)
    assert dataset.parts == ("train",) * 4 + ("test",) * 2
    assert dataset.places[4] == "later/a/0.png"
    whole = make_images({"train/a": 1, "test/a": 2}, root="whole")
    dataset = load(train, test=whole)
    assert dataset.places[4:] == ("whole/test/a/0.png", "whole/test/a/1.png")
    assert f"Of {whole}, only the test part is used." in dataset.notes
    with pytest.raises(OptionError, match=r"--test: the data has a test part of its own"):
        load(whole, test=test)
    texts = write(tmp_path / "t.csv", "text,label\na,b\n")
    with pytest.raises(DataError, match=r"t.csv: expected images as in the training data, found texts"):
        load(train, test=texts)


def test_columns_that_only_one_source_has_are_filled_or_dropped_and_said(tmp_path):
    train = write(tmp_path / "a.csv", "text,label,group,domain\nx,1,g,d\ny,2,h,d\n")
    test = write(tmp_path / "b.csv", "text,label\nz,1\n")
    dataset = load(train, test=test)
    assert (dataset.groups, dataset.domains) == (("g", "h", "b.csv:2"), None)
    assert "Without a group, each taken as a group of its own: 1 items." in dataset.notes
    assert "The column 'domain' is not used: 1 items are without it." in dataset.notes


def test_lines_of_a_text_file_are_unlabelled_items(tmp_path):
    dataset = load(write(tmp_path / "t.txt", "one\ntwo\n"))
    assert (dataset.items, dataset.labels, dataset.places) == (("one", "two"), None, ("t.txt:1", "t.txt:2"))


def test_conversions_are_said_once_per_kind(make_images):
    root = make_images({"a": 1, "b": 1})
    for name in ("g1", "g2"):
        Image.new("L", (20, 20)).save(root / "a" / f"{name}.png")
    Image.new("RGB", (1, 1)).save(root / "a" / "one.png")
    notes = load(root).notes
    assert "Converted: grayscale to RGB: 2 (first: a/g1.png)." in notes
    assert "Warning: under 8 pixels wide or high: 1 (first: a/one.png)." in notes


def test_faults_stop_with_the_first_and_the_number_of_others(make_images):
    root = make_images({"a": 2, "b": 2})
    write(root / "a" / "0.png", b"")
    write(root / "b" / "1.png", b"no image")
    with pytest.raises(DataError) as caught:
        load(root)
    assert str(caught.value) == (
        "a/0.png: expected an image, found an empty file (0 bytes) (the first of 2 faults). "
        f"Run `headstart check {root}` to see all, or pass --on-error skip to leave them out."
    )
    dataset = load(root, on_error="skip")
    assert dataset.places == ("a/1.png", "b/0.png")
    assert [one.place for one in dataset.left_out] == ["a/0.png", "b/1.png"]
    assert dataset.left_out[0].reason == "expected an image, found an empty file (0 bytes)"


def test_skipping_everything_is_refused(tmp_path):
    source = write(tmp_path / "t.csv", "text,label\n,a\n")
    with pytest.raises(DataError, match=r"nothing is left that can be used; the first fault: t.csv:2: expected a text"):
        load(source, on_error="skip")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("x/0.png,,g,train", "m.csv:3: expected a label, found nothing in 'label'"),
        ("x/0.png,  ,g,train", "m.csv:3: expected a label, found nothing in 'label'"),
        ("x/0.png,a,,train", "m.csv:3: expected a group, found nothing in 'group'"),
        ("x/0.png,a,g,later", "m.csv:3: expected train, val or test, found 'later'"),
        (",a,g,train", "m.csv:3: expected a path, found nothing in 'path'"),
        ("../secret.png,a,g,train", "m.csv:3: expected a path inside the manifest's folder, found '../secret.png'"),
        ("x/../../secret.png,a,g,train", "m.csv:3: expected a path inside the manifest's folder"),
        ("/etc/secret.png,a,g,train", "m.csv:3: expected a path inside the manifest's folder, found '/etc"),
        ("link.png,a,g,train", "m.csv:3: expected a path inside the manifest's folder, found 'link.png'"),
        ("links/secret.png,a,g,train", "m.csv:3: expected a path inside the manifest's folder, found 'links/"),
        ("x/none.png,a,g,train", "m.csv:3 (none.png): expected an image, found no such file or directory"),
        ("x/0.png,a,g", "m.csv:3: expected 4 fields as in the header, found 3"),
        (f"{'x' * 300}.png,a,g,train", "m.csv:3: expected a path, found 304 characters (file name too long)"),
    ],
)
def test_a_bad_row_of_a_manifest_is_named_with_its_line(tmp_path, make_images, row, message):
    root = make_images({"x": 1})
    secret = write(tmp_path / "secret.png", (root / "x/0.png").read_bytes())
    (root / "link.png").symlink_to(secret)
    (root / "links").symlink_to(tmp_path)
    write(root / "m.csv", f"path,label,group,split\nx/0.png,a,g,train\n{row}\nx/0.png,b,g,test\n")
    with pytest.raises(DataError) as caught:
        load(root / "m.csv")
    assert str(caught.value).startswith(message)
    assert len(load(root / "m.csv", on_error="skip")) == 2


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a/readme.md": ""}, "expected images or sounds in a folder per class, found none. Put images"),
        ({"reviews.csv": ""}, "found none. Pass the file itself: .*reviews.csv"),
        ({"manifest.csv": "", "manifest.jsonl": ""}, "expected one file, found manifest.csv and manifest.jsonl. Keep"),
        (
            {"train.csv": "text,label\na,b\n", "val.csv": "", "dev.csv": ""},
            "expected one file, found dev.csv and val.csv",
        ),
        (
            {"train.csv": "text,label\na,b\n", "test.csv": "path,label\na,b\n"},
            "expected one kind of items, found texts and images",
        ),
        ({"test/a/0.png": "", "val/a/0.png": ""}, "expected train/, found only test/, val/. Add"),
        (
            {"manifest.csv": "text,path,label\na,b,c\n"},
            "manifest.csv: expected a column 'path' or a column 'text', found both",
        ),
        (
            {"manifest.csv": "file,label\na,b\n"},
            "expected a column 'path' \\(images or sounds\\) or 'text', found 'file', 'label'",
        ),
        ({"manifest.csv": "text,class\na,b\n"}, "expected a column 'label', found 'text', 'class'. .* --label NAME"),
    ],
)
def test_a_source_without_a_layout_is_refused(tmp_path, files, message):
    for name, content in files.items():
        write(tmp_path / "data" / name, content)
    with pytest.raises(DataError, match=message):
        load(tmp_path / "data")


def test_a_source_that_is_missing_or_of_another_kind_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"nowhere: expected a file or a folder, found nothing"):
        load(tmp_path / "nowhere")
    with pytest.raises(
        DataError, match=r"expected a folder or a file of .conll, .csv, .jsonl, .parquet, .tsv, .txt, found 'a.docx'"
    ):
        load(write(tmp_path / "a.docx", "x"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"task": "tagging"}, "task 'tagging' does not fit: the data holds images without tags"),
        ({"task": "image-tagging"}, "'image-tagging' is not supported. Choose one of: classification, .*image-classif"),
        ({"task": "NER"}, "task 'NER' is not supported. That is tagging here. Choose one of: "),
        ({"task": "text-classification"}, "task 'text-classification' does not fit: the data holds images"),
        ({"group": "dicom:Patient"}, "--group: DICOM has no element called 'Patient'"),
        ({"group": "patient"}, "--group patient: folders of files have no columns"),
        ({"group": "filename:("}, "--group: not a regular expression: missing \\)"),
        ({"group": "filename:p1"}, "--group: expected a capture group \\( \\) in 'p1', found none"),
    ],
)
def test_an_option_that_does_not_fit_is_refused(make_images, options, message):
    with pytest.raises(OptionError, match=message):
        load(make_images({"a": 1, "b": 1}), **options)


def test_groups_from_file_names_need_files(tmp_path):
    with pytest.raises(OptionError, match=r"--group filename: needs files, and this data is a table of texts"):
        load(write(tmp_path / "t.csv", "text,label\na,b\n"), group="filename:(a)")


@pytest.mark.parametrize("task", [None, "classification", "image-classification"])
def test_a_task_that_fits_is_taken(make_images, task):
    assert len(load(make_images({"a": 1, "b": 1}), task=task)) == 2


def test_inputs_for_prediction_keep_their_order_and_faults_stand_in_their_place(make_images, monkeypatch):
    root = make_images({"deep/er": 1, "": 2})
    write(root / "0.png", b"")
    manifest = write(root / "sub" / "manifest.csv", "path\n0.png\n../1.png\n")
    (root / "sub" / "0.png").write_bytes((root / "1.png").read_bytes())
    single, missing = root / "1.png", root / "none.png"
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{single}\n"))
    rows = load_items([missing, manifest.parent, root / "deep", single, "-", root / "0.png"], "image")
    assert [name for name, _ in rows] == [
        str(missing),
        str(root / "sub/0.png"),
        f"{manifest}:3",
        str(root / "deep/er/0.png"),
        str(single),
        str(single),
        str(root / "0.png"),
    ]
    assert [type(item).__name__ for _, item in rows] == [
        "DataError",
        "PosixPath",
        "DataError",
        "PosixPath",
        "PosixPath",
        "PosixPath",
        "DataError",
    ]
    assert "no such file" in str(rows[0][1])


def test_texts_for_prediction_come_from_lines_tables_and_folders(tmp_path, monkeypatch):
    lines = write(tmp_path / "in" / "a.txt", "one\n\nthree\n")
    table = write(tmp_path / "in" / "b.csv", "text\nfour\nx,y\n")
    monkeypatch.setattr("sys.stdin", io.StringIO("five\n\n"))
    rows = load_items([tmp_path / "in", lines, "-", tmp_path / "no.txt", table], "text")
    items = [item if isinstance(item, str) else "!" for _, item in rows]
    assert items == ["one", "!", "three", "four", "!", "one", "!", "three", "five", "!", "!", "four", "!"]
    assert [name for name, _ in rows[:5]] == [f"{lines}:1", f"{lines}:2", f"{lines}:3", f"{table}:2", f"{table}:3"]
    six = write(tmp_path / "c.csv", "body\nsix\n")
    assert load_items([six], "text", text="body") == [(f"{six}:2", "six")]
    monkeypatch.chdir(tmp_path)
    assert load_items(["c.csv"], "text", text="body") == [("c.csv:2", "six")]


@pytest.mark.parametrize(
    ("name", "modality", "message"),
    [
        ("empty", "image", "expected images, found none in the folder"),
        ("empty", "text", "expected texts, found none in the folder"),
        ("t.csv", "image", "expected images, found texts"),
        ("t.csv", "text", "expected a column 'path' (images or sounds) or 'text', found 'body'"),
    ],
)
def test_an_input_that_holds_nothing_for_the_model_is_one_error(tmp_path, name, modality, message):
    (tmp_path / "empty").mkdir()
    write(tmp_path / "t.csv", "text\na\n" if modality == "image" else "body\na\n")
    ((shown, error),) = load_items([tmp_path / name], modality)
    assert shown == str(tmp_path / name)
    assert message in str(error)


def test_white_space_around_a_path_is_not_part_of_it(make_images):
    root = make_images({"x": 1})
    dataset = load(write(root / "m.csv", "path,label\n x/0.png ,a\nx/0.png,b\n"))
    assert dataset.items == (root / "x/0.png",) * 2


@pytest.mark.parametrize("modality", ["image", "text"])
def test_a_text_or_a_mistyped_name_instead_of_a_file_is_one_error(tmp_path, modality):
    rows = load_items(["so " * 2000, tmp_path / "mistyped.doc"], modality)
    assert str(rows[0][1]).startswith(
        f"{('so ' * 2000)[:40]}: expected a path, found 6000 characters (file name too long)"
    )
    assert rows[1][0] == str(tmp_path / "mistyped.doc")
    assert "no such file" in str(rows[1][1])
    with pytest.raises(DataError, match=r"expected a path, found 6000 characters"):
        load("so " * 2000)


@pytest.mark.parametrize("modality", ["image", "text"])
def test_a_bad_line_of_standard_input_is_an_error_of_that_line(make_images, monkeypatch, modality):
    good = str(make_images({"": 1}) / "0.png").encode()
    content = b"\n".join([good, b"caf\xe9", b"n\0", good])
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content), encoding="utf-8"))
    rows = load_items(["-"], modality)
    assert [isinstance(item, DataError) for _, item in rows] == [False, True, True, False]
    assert str(rows[1][1]).startswith("-:2: expected UTF-8, found byte 0xE9 after 3 bytes")
    assert str(rows[2][1]).startswith("-:3: expected text, found a NUL byte")


@pytest.mark.parametrize("name", ["a/caf\udce9.png", "caf\udce9/0.png"])
def test_a_name_that_is_not_utf_8_is_refused_with_its_repr(make_images, name):
    root = make_images({"a": 1, "b": 1})
    (root / name).parent.mkdir(exist_ok=True)
    try:
        os.link(root / "b/0.png", root / name)
    except OSError:
        pytest.skip("this file system takes only names in UTF-8")
    message = r"'.*caf\\udce9.*': expected a file name in UTF-8, found other bytes. Rename it"
    for source in (root, root / name):
        with pytest.raises(DataError, match=message):
            load(source)
    rows = load_items([root, root / name], "image")
    faults = [str(item) for _, item in rows if isinstance(item, DataError)]
    assert (len(rows), len(faults)) == (4, 2)
    assert all("Rename it" in fault and fault.isascii() for fault in faults)


def test_real_sets_have_the_counts_of_their_documentation(shared):
    hymenoptera = load(shared / "data/images/hymenoptera")
    assert [hymenoptera.parts.count(part) for part in ("train", "val")] == [245, 153]
    assert np.unique(hymenoptera.labels).tolist() == ["ants", "bees"]
    trec = load(shared / "data/text/trec6")
    assert [trec.parts.count(part) for part in ("train", "test")] == [5452, 500]
    assert trec.labels.count("abbreviation") == 86 + 9
