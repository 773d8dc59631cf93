"""Suspicious items go to a table and come back with corrected labels, or are left out."""

import csv

import numpy as np
import pytest

from headstart.data import Plan, load, plan_split
from headstart.errors import DataError, OptionError
from headstart.pipeline import FitOptions, Reading, check_labels_table, fit, write_suspects
from headstart.pipeline._corrections import Suspect, note_on_scored_corrections


@pytest.fixture
def table(tmp_path, photos):
    """Three suspicious pictures, one of them named twice."""
    path = tmp_path / "suspects.csv"
    found = [Suspect(0, "label-errors", "red", 0.93), Suspect(40, "label-errors", "blue", 0.6)]
    found += [Suspect(40, "outliers", "", 2.5), Suspect(5, "conflicting-near-duplicates", "", float("nan"))]
    assert write_suspects(path, load(photos), found) == 3
    return path


def change(path, **corrected: str):
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for number, label in corrected.items():
        rows[int(number[1:])]["corrected"] = label
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def test_the_table_says_what_is_suspected_and_changes_nothing_by_itself(table, photos):
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["kind"] for row in rows] == ["label-errors", "label-errors|outliers", "conflicting-near-duplicates"]
    assert all(row["corrected"] == row["label"] for row in rows)
    assert [row["score"] for row in rows] == ["0.93", "0.6", ""]
    plain, same = load(photos), Reading(labels_from=str(table)).load(photos)
    assert same.labels == plain.labels
    assert same.notes[-1] == "Labels changed by suspects.csv: 0 of 3 rows; items left out by it: 0."


def test_corrected_labels_are_taken_and_empty_ones_leave_the_item_out(table, photos):
    change(table, r0="red", r1="")
    plain, found = load(photos), Reading(labels_from=str(table)).load(photos)
    assert len(found) == len(plain) - 1
    assert plain.places[40] not in found.places
    assert found.labels[0] == "red" != plain.labels[0]
    assert found.labels[1:40] == plain.labels[1:40]
    assert [item.place for item in found.left_out] == [plain.places[40]]
    assert found.left_out[0].reason == "its corrected label in suspects.csv is empty"
    assert found.notes[-1] == "Labels changed by suspects.csv: 1 of 3 rows; items left out by it: 1."


def test_a_score_on_labels_of_which_some_were_corrected_says_how_far_it_may_flatter(table, photos):
    change(table, r0="red")
    dataset = Reading(labels_from=str(table)).load(photos)
    everything = plan_split(dataset, seed=0, without_test="folds")
    (said,) = note_on_scored_corrections(dataset, everything)
    assert f"1 of the {len(dataset)} labels that are scored were corrected" in said
    assert said.endswith(f"accuracy is lower by at most {1 / len(dataset):.3f}.")
    with_it, without_it = (
        Plan(np.setdiff1d(np.arange(len(dataset)), scored), np.array(scored), "test") for scored in ([0, 1], [1, 2])
    )
    assert "1 of the 2 labels" in note_on_scored_corrections(dataset, with_it)[0]
    assert note_on_scored_corrections(dataset, without_it) == ()
    assert note_on_scored_corrections(load(photos), everything) == ()


def test_a_fit_on_corrected_labels_says_so_in_its_result(table, photos, tmp_path):
    change(table, r0="red")
    options = FitOptions(strategy="probe", proof="none")
    found = fit(photos, tmp_path / "m", reading=Reading(labels_from=str(table)), options=options)
    assert any("labels that are scored were corrected" in note for note in found.notes)


def test_rows_that_fit_no_item_are_refused(table, photos):
    first = load(photos).items[0]
    first.rename(first.with_name("elsewhere.png"))
    with pytest.raises(DataError, match=r"suspects.csv:2: expected an item of .*photos, found 'blue/blue 00.png'"):
        Reading(labels_from=str(table)).load(photos)


def test_an_item_that_has_changed_is_refused(table, photos):
    items = load(photos).items
    items[0].write_bytes(items[1].read_bytes())
    with pytest.raises(DataError, match="expected the content that was checked, found another in 'blue/blue 00.png'"):
        Reading(labels_from=str(table)).load(photos)


def test_labels_that_do_not_fit_are_refused(table, photos, texts_csv, values_csv, tmp_path):
    change(table, r0="purple")
    with pytest.raises(DataError, match="suspects.csv:2: expected a class of the data, found 'purple'. 'blue', 'red'"):
        Reading(labels_from=str(table)).load(photos)
    change(table, r0="red")
    lines = table.read_text().splitlines()
    table.write_text("\n".join([*lines, lines[1].replace(",red,,/", ",blue,,/")]) + "\n")
    with pytest.raises(DataError, match="expected one label for 'blue/blue 00.png', found 'blue' and 'red'"):
        Reading(labels_from=str(table)).load(photos)
    with pytest.raises(DataError, match="expected a table of corrected labels, found none"):
        Reading(labels_from=str(tmp_path / "none.csv")).load(photos)
    with pytest.raises(DataError, match="expected a column 'place', found 'text', 'label'"):
        Reading(labels_from=str(texts_csv)).load(photos)
    with pytest.raises(OptionError, match="--labels-from corrects classes, found regression"):
        Reading(labels_from=str(table), task="regression").load(values_csv)


def test_a_table_that_would_be_overwritten_is_refused(table, tmp_path):
    with pytest.raises(OptionError, match="may hold corrected labels. Give it to headstart fit --labels-from"):
        check_labels_table(table)
    with pytest.raises(OptionError, match=r"expected a name ending in .csv, found 'x.txt'"):
        check_labels_table(tmp_path / "x.txt")
    with pytest.raises(OptionError, match="the folder does not exist"):
        check_labels_table(tmp_path / "no" / "x.csv")
    assert check_labels_table(tmp_path / "new.csv") == tmp_path / "new.csv"
