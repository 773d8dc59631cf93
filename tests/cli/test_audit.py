"""`headstart check --deep`, its page and its table, and the way back into `fit`."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from tests.conftest import make_texts
from tests.dicoms import write_dicom

TOY = ("--deep", "--backbone", "toy:text", "--offline")


@pytest.fixture
def texts(tmp_path):
    """Texts of three topics, six of them with another topic's label."""
    items, labels = make_texts(150)
    for i in range(0, 60, 10):
        labels[i] = next(name for name in sorted(set(labels)) if name != labels[i])
    path = tmp_path / "texts.csv"
    path.write_text("text,label\n" + "".join(f"{t},{c}\n" for t, c in zip(items, labels, strict=True)))
    return path


def test_the_plain_check_says_what_it_has_not_looked_at(run, texts):
    status, out, _ = run("check", texts)
    assert status == 0
    assert "--deep" in out


def test_the_next_command_reads_the_data_alike(run, texts):
    _, out, _ = run("check", texts, "--label", "label", "--task", "classification")
    asked = f"{texts} --task classification --label label"
    assert f"headstart fit {asked} -o MODEL" in out
    assert f"headstart check {asked} --deep" in out


def test_doubtful_labels_go_to_a_table_and_come_back_corrected(run, texts, tmp_path):
    table = tmp_path / "doubts.csv"
    status, out, _ = run("check", texts, *TOY, "--labels", table, "-o", tmp_path / "page.html")
    assert status == 0
    assert "label-errors" in out
    assert "<html" in (tmp_path / "page.html").read_text()
    rows = list(csv.DictReader(table.read_text().splitlines()))
    doubts = [row for row in rows if row["kind"] == "label-errors"]
    assert doubts
    doubts[0]["corrected"] = doubts[0]["suggested"]
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    words = ("--backbone", "toy:text", "--strategy", "probe", "--proof", "none", "--offline")
    status, _, err = run("fit", texts, "-o", tmp_path / "m", "--labels-from", table, *words)
    assert status == 0
    assert f"Labels changed by doubts.csv: 1 of {len(rows)} rows" in err


def test_the_findings_are_one_json_document(run, texts):
    status, out, _ = run("check", texts, *TOY, "--json")
    assert status == 0
    assert {"kind", "severity", "where", "found", "fix"} == set(json.loads(out)["findings"][0])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-o", "page.html"), "-o and --labels go with --deep"),
        (("--backbone", "toy:text"), "--backbone goes with --target or --deep"),
        (("--deep", "--no-examples"), "--examples and --no-examples go with -o"),
        (("--deep", "--target", "other.csv"), "give one of them"),
    ],
)
def test_what_does_not_go_together_is_wrong_usage(run, texts, words, said):
    status, _, err = run("check", texts, *words)
    assert status == 2
    assert said in err


def test_no_patient_is_on_the_page_unless_that_is_asked_for(run, tmp_path):
    rng = np.random.default_rng(0)
    for i in range(24):
        label = ("ill", "well")[i % 2]
        (tmp_path / "d" / label).mkdir(parents=True, exist_ok=True)
        pixels = np.clip(rng.normal((70, 180)[i % 2], 30, (16, 16)), 0, 255).astype(np.uint8)
        write_dicom(tmp_path / "d" / label / f"Miller{i}.dcm", pixels)
    first = Image.fromarray(np.full((16, 16), 90, dtype=np.uint8))
    for name in ("MillerA", "MillerB"):
        write_dicom(tmp_path / "d" / "ill" / f"{name}.dcm", np.asarray(first) + np.arange(16, dtype=np.uint8) * 5)
    words = ("--deep", "--backbone", "toy:image", "--offline")
    assert run("check", tmp_path / "d", *words, "-o", tmp_path / "page.html")[0] == 0
    page = (tmp_path / "page.html").read_text()
    assert "Miller" not in page
    assert "data:image" not in page
    assert "No item is shown or named here (--examples does both)." in page
    assert run("check", tmp_path / "d", *words, "--examples", "-o", tmp_path / "page.html")[0] == 0
    assert "No item is shown" not in (tmp_path / "page.html").read_text()
