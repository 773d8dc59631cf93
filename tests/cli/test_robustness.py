"""`evaluate --robustness` and `--slice` of evaluate and fit: what is printed, drawn and refused."""

import json

import pytest

from headstart.cli._robustness_text import robustness_lines
from headstart.cli._slices_text import slice_lines
from headstart.evaluation import Interval, Measured, Robustness, Slices, Subgroup
from headstart.pipeline import RobustnessResult

PROBE = ("--strategy", "probe", "--proof", "none", "--backbone", "toy:text", "--offline")


@pytest.fixture
def sited(texts_csv):
    """The texts, with a column of sites."""
    head, *rows = texts_csv.read_text().splitlines()
    rows = [f"{row},{['north', 'south', 'east'][i % 3 if i < 88 else 2]}" for i, row in enumerate(rows)]
    texts_csv.write_text("\n".join([f"{head},site", *rows]) + "\n")
    return texts_csv


def test_a_table_of_corruptions_the_other_model_a_sentence_and_a_picture(run, texts_csv, tmp_path):
    for name in ("ours", "other"):
        assert run("fit", texts_csv, "-o", tmp_path / name, *PROBE)[0] == 0
    picture = tmp_path / "robust.png"
    status, out, err = run(
        *("evaluate", tmp_path / "ours", texts_csv, "--robustness", "--robustness-items", 30, "--offline"),
        *("--against", tmp_path / "other", "--plot", picture),
    )
    assert status == 0, err
    lines = out.splitlines()
    assert "On corrupted items (30 of the 90 items):" in lines
    first = next(number for number, line in enumerate(lines) if line.startswith("corruption"))
    assert lines[first].split() == ["corruption", "severity", "accuracy", "minus", "clean", "other", "minus", "it"]
    rows = lines[first + 1 : first + 12]  # clean, three corruptions at three severities, the mean
    assert (rows[0].split()[0], rows[1].split()[:2], rows[-1].split()[0]) == ("none", ["typos", "1:"], "mean")
    assert any(line.startswith("It loses ") and line.endswith("of its clean score on average.") for line in lines)
    assert any(line.startswith("On corrupted items no difference is shown: accuracy +0.000 ") for line in lines)
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert f"Picture: {picture}" in err


def test_json_has_every_figure_with_its_interval(run, texts_csv, tmp_path):
    assert run("fit", texts_csv, "-o", tmp_path / "m", *PROBE)[0] == 0
    words = ("evaluate", tmp_path / "m", texts_csv, "--robustness", "--json", "--offline", "--against", tmp_path / "m")
    status, out, _ = run(*words)
    found = json.loads(out)["robustness"]
    assert status == 0
    assert (found["metric"], found["n"], found["of"], found["left_out"]) == ("accuracy", 90, 90, [])
    assert [(row["corruption"], row["severity"]) for row in found["corruptions"][:4]] == [
        ("typos", 1),
        ("typos", 2),
        ("typos", 3),
        ("case", 1),
    ]
    for row in (*found["corruptions"], *found["by_corruption"].values(), found["mean"]):
        assert row["interval"][0] <= row["value"] <= row["interval"][1]
        assert row["difference_interval"][0] <= row["difference"] <= row["difference_interval"][1]
    assert set(found["relative_drop"]) == {"value", "interval"}
    (other,) = found["against"]
    assert (other["model"], other["more_robust"], other["better"]) == ("m", None, None)
    assert len(other["differences"]) == 9
    assert other["mean_difference"]["value"] == 0
    assert run(*words)[1] == out


@pytest.mark.parametrize("option", [("--against", "other"), ("--robustness-items", "5"), ("--plot", "a.png")])
def test_what_belongs_to_robustness_is_refused_without_it(run, option):
    status, out, err = run("evaluate", "m", "data.csv", *option)
    assert (status, out) == (2, "")
    assert f"{option[0]} goes with --robustness." in err


def test_a_picture_of_another_kind_is_refused_before_anything_is_read(run):
    status, _, err = run("evaluate", "m", "data.csv", "--robustness", "--plot", "a.pdf")
    assert (status, err) == (1, "Error: --plot: expected a name ending in .png or .svg, found 'a.pdf'\n")


def test_fit_and_evaluate_show_subgroups(run, sited, tmp_path):
    status, out, err = run("fit", sited, "-o", tmp_path / "m", *PROBE, "--slice", "site")
    assert status == 0, err
    assert any(line.split() == ["site", "n", "accuracy"] for line in out.splitlines())
    assert any(line.startswith("The worst subgroup by 'site' is ") for line in out.splitlines())
    status, out, _ = run("evaluate", tmp_path / "m", sited, "--slice", "site", "--json", "--offline")
    found = json.loads(out)
    assert set(found["slices"]["site"]) == {"north", "south", "east"}
    assert found["slices"]["site"]["north"]["n"] == 30
    assert set(found["worst_slices"]["site"]) == {"name", "difference", "interval", "compared", "is_worse", "sentence"}


def test_a_column_that_is_not_there_is_one_line(run, sited, tmp_path):
    status, out, err = run("fit", sited, "-o", tmp_path / "m", *PROBE, "--slice", "sex")
    assert (status, out) == (1, "")
    assert err.endswith(
        "Error: --slice: expected a column 'sex', found 'text', 'label', 'site'. Name one of these, or add it.\n"
    )


def interval(value):
    return Interval(value - 0.05, value + 0.05, "bootstrap")


def test_subgroups_are_listed_worst_first_and_only_so_many():
    groups = [Subgroup(f"s{i:02d}", 20, 0.9 - i / 100, interval(0.9 - i / 100)) for i in range(22)]
    groups += [Subgroup("tiny", 3, 0.1, interval(0.1)), Subgroup("one class", 30, None, None)]
    lines = slice_lines([Slices("site", "accuracy", tuple(groups), None, "A sentence.")])
    assert lines[2].split() == ["s21", "20", "0.690", "[0.640,", "0.740]"]
    assert lines[-2] == "... and 4 more; --json lists them all."
    assert lines[-1] == "A sentence."
    few = slice_lines([Slices("site", "accuracy", tuple(groups[-2:]), None, "A sentence.")])
    assert few[2].endswith("not defined")
    assert few[3].endswith("(fewer than 10 items: too few)")
    assert slice_lines([]) == []


def test_errors_grow_and_what_is_not_defined_is_said():
    one = Measured(0.5, interval(0.5))
    found = Robustness("rmse", one, (), (), one, one, one)
    lines = robustness_lines(RobustnessResult(found, (), 5, 5, 0, ()))
    assert lines[-1] == "Its error grows by 50.0% [45.0%, 55.0%] on average."
    assert "RMSE (lower is better)" in lines[2]
    nothing = Measured(None, None)
    lines = robustness_lines(RobustnessResult(Robustness("auroc", *[nothing], (), (), *[nothing] * 3), (), 5, 5, 0, ()))
    assert lines[-1] == "What share of its clean score it loses is not defined."
    assert "undefined" in lines[3]
