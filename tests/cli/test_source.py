"""fit --source and --target-domain on the command line, and how the worth of a source reads."""

import json

import pytest

from headstart.cli._source import NOT_MEASURED, other_name, source_line
from headstart.search import SourceUse
from tests.conftest import make_texts
from tests.pipeline.test_fit import write


def test_fit_with_a_source_shows_what_it_was_worth(run, tmp_path):
    data = write(tmp_path / "t.csv", *make_texts(160), split=["train"] * 12 + ["test"] * 148)
    source = write(tmp_path / "s.csv", *make_texts(150, seed=1))
    words = ("--backbone", "toy:text", "--strategy", "probe", "--proof", "none", "--offline")
    status, out, _ = run("fit", data, "-o", tmp_path / "m", "--source", source, *words)
    assert status == 0
    line = next(line for line in out.splitlines() if line.startswith("Source"))
    assert "helped: better than the target only, beyond noise. The model is trained on source and target" in line
    assert "target only  0." in out
    assert "ours minus it +0." in out


def test_fit_on_one_domain_prints_the_same_as_json(run, tmp_path):
    one, other = make_texts(60), make_texts(90, seed=1)
    domain = ["a"] * 60 + ["b"] * 90
    data = write(tmp_path / "t.csv", *(x + y for x, y in zip(one, other, strict=True)), domain=domain)
    words = ("--backbone", "toy:text", "--strategy", "probe", "--proof", "none", "--offline", "--json")
    status, out, _ = run("fit", data, "-o", tmp_path / "m", "--target-domain", "a", *words)
    assert status == 0
    assert json.loads(out)["source"]["n"] == 90


def test_two_sources_are_refused(run, tmp_path, texts_csv):
    status, _, err = run("fit", texts_csv, "-o", tmp_path / "m", "--source", texts_csv, "--target-domain", "a")
    assert status != 0
    assert "expected one source" in err


@pytest.mark.parametrize(
    ("shipped", "other"), [("target only", "source and target"), ("source and target", "target only")]
)
def test_what_was_not_measured_is_said(shipped, other):
    use = SourceUse(shipped, 3, "left out: no time")
    assert source_line(use) == f"{NOT_MEASURED}. The model is trained on {shipped} (left out: no time)"
    assert other_name(use) == other
