"""The commands for a target without labels: adapt, and check with --target."""

import json

import pytest

from headstart.pipeline._adapting import KNOWN
from tests.pipeline.test_adapt import pictures

QUICK = ("--backbone", "toy:image")


@pytest.fixture
def domains(tmp_path):
    return pictures(tmp_path / "source", 12), pictures(tmp_path / "target", 12, light=-45, seed=500)


def test_adapt_says_what_was_chosen_and_why(run, domains, tmp_path):
    source, target = domains
    status, out, err = run("adapt", source, "--target", target, "-o", tmp_path / "m", *QUICK, "--offline")
    assert status == 0, err
    assert "no label of it is used" in err
    for start in ("Chosen", "Why", "Domains", "Gap", "Unlike", "Classes", "Looked at", "Not known", "Time", "Model"):
        assert any(line.startswith(start) for line in out.splitlines()), start
    assert f"headstart predict {tmp_path / 'm'} INPUT" in out
    assert run("predict", tmp_path / "m", target, "--offline")[0] == 0


def test_a_refusal_stands_first(run, domains, tmp_path):
    source, _ = domains
    status, out, _ = run("adapt", source, "--target", source, "-o", tmp_path / "m", *QUICK, "--offline")
    assert status == 0
    assert out.strip().splitlines()[0] == "Not adapted: the model is that of the source."
    assert "cannot be told apart" in out
    assert "headstart rank SOURCE" in out


def test_json_is_one_document(run, domains, tmp_path):
    source, target = domains
    words = ("adapt", source, "--target", target, "-o", tmp_path / "m", *QUICK, "--offline", "--json")
    status, out, _ = run(*words, "--method", "coral")
    assert status == 0
    values = json.loads(out)
    assert values["chosen"] == "coral"
    assert values["model"] == str(tmp_path / "m")


def test_without_a_target_the_error_says_what_to_type(run, domains, tmp_path):
    status, _, err = run("adapt", domains[0], "-o", tmp_path / "m", *QUICK)
    assert status == 1
    assert "--source-domain and --target-domain" in err


def test_check_compares_with_a_target(run, domains):
    source, target = domains
    status, out, _ = run("check", source, "--target", target, *QUICK)
    assert status == 0
    assert out.splitlines()[-1] == f"Ready to adapt: headstart adapt {source} --target {target} -o MODEL"
    status, out, _ = run("check", source, "--target", target, *QUICK, "--json")
    assert set(json.loads(out)) == {"backbone", "n", "gap", "classes", "unlike"}
    status, out, _ = run("check", source, "--target", source, *QUICK)
    assert out.splitlines()[-1].startswith("Nothing to adapt to: headstart fit")


def test_a_backbone_alone_is_wrong_usage(run, domains):
    status, _, err = run("check", domains[0], *QUICK)
    assert status == 2
    assert "--backbone goes with --target" in err


def test_every_way_is_in_the_help(run):
    out = run("adapt", "--help")[1]
    words = set(out.replace(",", " ").replace(";", " ").replace(".", " ").split())
    assert set(KNOWN) <= words


def test_what_was_asked_for_is_a_next_step(run, domains, tmp_path):
    source, target = domains
    words = ("adapt", source, "--target", target, *QUICK, "--offline", "--method", "standardise")
    status, out, err = run(*words, "-o", tmp_path / "m", "--ask", "3")
    assert status == 0, err
    table = tmp_path / "m.ask.csv"
    assert table.exists()
    assert f"--labelled {table}" in out
    lines = table.read_text(encoding="utf-8").splitlines()
    filled = [lines[0], *(line + "sky" for line in lines[1:])]
    table.write_text("\n".join(filled), encoding="utf-8")
    status, out, err = run(*words, "-o", tmp_path / "n", "--labelled", table)
    assert status == 0, err
    assert any(line.startswith("Labels") for line in out.splitlines())
