"""The command `headstart rank`: a table, what it rests on, what to type next; one JSON document."""

import json
import shlex
from dataclasses import replace

import click
import pytest

TOY = ("--backbone", "toy:text", "--backbone", "dir:gone", "--offline")


def test_rank_shows_a_table_and_what_to_type_next(run, texts_csv, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, out, err = run("rank", texts_csv, *TOY)
    assert status == 0, err
    lines = out.strip().splitlines()
    heading = ["candidate", "score", "in", "top", "3", "tie", "log", "loss", "kNN", "one", "item", "weights"]
    assert lines[0].split() == [*heading, "memory", "took"]
    assert lines[1].split()[:2] == ["1", "toy:text"]
    assert any(line.startswith("left out  gone: there is no such folder") for line in lines)
    for start in ("Prior", "Signal", "Similarity", "Looked at", "Picture"):
        assert any(line.startswith(start) for line in lines), start
    assert lines[-1].endswith(f"headstart fit {shlex.quote(str(texts_csv))} -o MODEL --backbone toy:text --offline")
    assert (tmp_path / "rank.png").read_bytes().startswith(b"\x89PNG")


def test_rank_json_is_one_document(run, texts_csv, tmp_path):
    status, out, _ = run("rank", texts_csv, *TOY, "--json", "-o", tmp_path / "r.svg")
    values = json.loads(out)
    assert status == 0
    assert values["signal"] is True
    assert [(each["name"], each["error"] is None) for each in values["candidates"]] == [
        ("toy:text", True),
        ("dir:gone", False),
    ]
    assert values["picture"] == str(tmp_path / "r.svg")


def test_values_have_errors_in_the_table(run, values_csv, tmp_path):
    status, out, err = run(
        "rank", values_csv, "--task", "regression", "--backbone", "toy:text", "-o", tmp_path / "r.png"
    )
    assert status == 0, err
    assert "kNN R2" in out.splitlines()[1]


def test_a_neighbour_score_below_zero_is_shown_as_it_is(run, values_csv, tmp_path, monkeypatch):
    from headstart.transferability import _views

    told = _views.neighbours
    monkeypatch.setattr(_views, "neighbours", lambda *a, **k: replace(told(*a, **k), value=-0.25))
    words = ("--task", "regression", "--backbone", "toy:text", "--offline", "-o", tmp_path / "r.png")
    _, out, _ = run("rank", values_csv, *words)
    assert " -0.250 " in out


def test_what_to_type_next_reads_and_splits_the_data_as_the_ranking_did(run, values_csv, tmp_path):
    words = ("--task", "regression", "--seed", "3", "--on-error", "skip", "--backbone", "toy:text")
    status, out, err = run("rank", values_csv, *words, "--max-size", "1GB", "-o", tmp_path / "r.png")
    assert status == 0, err
    last = click.unstyle(out.strip().splitlines()[-1])
    assert set(zip(last.split()[-6::2], last.split()[-5::2], strict=True)) == {
        ("--task", "regression"),
        ("--seed", "3"),
        ("--on-error", "skip"),
    }
    assert "--max-size" not in last


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--max-size", "0.001KB", "expected at most 9.77e-07 MB (--max-size)"),
        ("--max-latency", "0.000001ms", "(--max-latency)"),
        ("--license", "mit", "expected a licence among mit, found a licence that is not known"),
    ],
)
def test_limits_leave_candidates_out(run, texts_csv, tmp_path, option, value, words):
    status, out, err = run("rank", texts_csv, *TOY, option, value, "-o", tmp_path / "r.png")
    assert status == 1
    assert err.endswith("Error: no candidate could be looked at; the lines above say why.\n")
    assert words in out
    assert "Next" not in out
    assert not (tmp_path / "r.png").exists()


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--max-size", "many", "expected a size such as 100MB or 1.5GB, found 'many'"),
        ("--max-latency", "soon", "expected a time such as 20ms or 0.5s, found 'soon'"),
    ],
)
def test_sizes_and_times_that_are_none_are_wrong_usage(run, texts_csv, option, value, words):
    status, _, err = run("rank", texts_csv, option, value)
    assert status == 2
    assert words in err


def test_units_of_size_and_time():
    from headstart.cli._rank import Latency, Size

    sizes = [Size().convert(text, None, None) for text in ("100", "100MB", "1.5 GB", "512kb")]
    assert sizes == [100.0, 100.0, 1536.0, 0.5]
    assert [Latency().convert(text, None, None) for text in ("20", "20ms", "0.5s")] == [20.0, 20.0, 500.0]


def test_an_existing_picture_is_replaced_only_on_request(run, texts_csv, tmp_path):
    (tmp_path / "r.png").write_bytes(b"mine")
    status, out, err = run("rank", texts_csv, *TOY, "-o", tmp_path / "r.png")
    assert (status, out) == (1, "")
    assert "the file exists" in err
    assert run("rank", texts_csv, *TOY, "-o", tmp_path / "r.png", "--overwrite")[0] == 0
    assert (tmp_path / "r.png").read_bytes() != b"mine"
