"""Columns to slice scores by travel with their items and change nothing else."""

import json

import pytest

from headstart.data import load
from headstart.errors import DataError, OptionError
from tests.conftest import make_image


def write(path, rows):
    path.write_text("text,label,site,age\n" + "".join(",".join(map(str, row)) + "\n" for row in rows))
    return path


@pytest.fixture
def table(tmp_path):
    rows = [(f"text number {i}", "ab"[i % 2], ["north", " south ", ""][i % 3], 30 + i) for i in range(12)]
    return write(tmp_path / "t.csv", rows)


def test_columns_travel_with_the_items_and_a_missing_value_is_a_subgroup_of_its_own(table):
    dataset = load(table, slices=("site", "age"))
    assert dataset.extra["site"][:3] == ("north", "south", "(none)")
    assert dataset.take([5, 3]).extra == {"site": ("(none)", "north"), "age": ("35", "33")}


def test_the_fingerprint_does_not_change(table):
    assert load(table, slices=("site",)).fingerprint == load(table).fingerprint
    assert load(table).extra == {}


def test_a_column_that_is_not_there_names_those_that_are(table):
    with pytest.raises(OptionError, match=r"--slice: expected a column 'sex', found 'text', 'label', 'site', 'age'\."):
        load(table, slices=("sex",))


def test_a_column_of_lists_is_refused(tmp_path):
    rows = [{"text": f"text {i}", "label": "ab"[i % 2], "site": [1, 2]} for i in range(4)]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(DataError, match="expected text or numbers in column 'site'.*--slice NAME"):
        load(tmp_path / "t.jsonl", slices=("site",))


def test_a_file_without_the_column_has_no_values(tmp_path):
    folder = tmp_path / "parts"
    folder.mkdir()
    (folder / "train.csv").write_text("text,label\none,a\ntwo,b\n")
    (folder / "test.csv").write_text("text,label,site\nthree,a,north\nfour,b,south\n")
    assert load(folder, slices=("site",)).extra["site"] == ("(none)", "(none)", "north", "south")
    apart = load(folder / "train.csv", test=folder / "test.csv", slices=("site",))
    assert apart.extra["site"] == ("(none)", "(none)", "north", "south")


def test_group_domain_and_folder_need_no_column_of_that_name(tmp_path, photos):
    dataset = load(photos, group="filename:([0-9])[0-9]", slices=("folder", "group"))
    assert set(dataset.extra["folder"]) == {"red", "blue"}
    assert dataset.extra["group"] == dataset.groups
    with pytest.raises(OptionError, match=r"expected a column 'site', found 'folder'\."):
        load(photos, slices=("site",))
    (tmp_path / "d.csv").write_text("text,label,domain\none,a,books\ntwo,b,dvd\n")
    assert load(tmp_path / "d.csv", slices=("domain",)).extra["domain"] == ("books", "dvd")


def test_texts_have_no_folder(table):
    with pytest.raises(OptionError, match="expected a column 'folder', found 'text', 'label'"):
        load(table, slices=("folder",))


def test_pictures_of_a_manifest_keep_their_columns(tmp_path):
    for i in range(4):
        make_image((40 * i, 0, 0), seed=i).save(tmp_path / f"{i}.png")
    rows = "".join(f"{i}.png,{'ab'[i % 2]},site {i % 2}\n" for i in range(4))
    (tmp_path / "manifest.csv").write_text("path,label,site\n" + rows)
    assert load(tmp_path, slices=("site",)).extra["site"] == ("site 0", "site 1", "site 0", "site 1")


def test_texts_with_spans_keep_their_columns(tmp_path):
    rows = [
        {"text": "Ann is here", "spans": [[0, 3, "PER"]], "site": "north"},
        {"text": "so", "spans": [], "site": None},
    ]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert load(tmp_path / "t.jsonl", slices=("site",)).extra["site"] == ("north", "(none)")


def test_rows_that_are_left_out_take_their_values_with_them(tmp_path):
    path = write(tmp_path / "t.csv", [("one", "a", "x", 1), ("", "b", "y", 2), ("three", "b", "z", 3)])
    assert load(path, on_error="skip", slices=("site",)).extra["site"] == ("x", "z")
