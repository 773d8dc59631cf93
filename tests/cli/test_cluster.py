"""The same command on a cluster: the same model."""

import json

import pytest

from headstart import load

pytest.importorskip("ray")


@pytest.mark.slow
def test_a_fit_on_a_cluster_makes_the_model_of_one_without(run, texts_csv, tmp_path, monkeypatch):
    told = {}
    for engine, more in (("local", ()), ("ray", ("--workers", "1"))):
        monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path / engine))
        words = ("--backbone", "toy:text", "--offline", "--json", "--engine", engine, *more)
        status, out, err = run("fit", texts_csv, "-o", tmp_path / f"m-{engine}", *words)
        assert status == 0, err
        told[engine] = json.loads(out)
        said = "Ray: 1 workers on 1 nodes, each with 1 processors and 0 GPUs."
        assert (said in err) == (engine == "ray")
    for name in ("backbone", "strategy", "chosen", "test", "baselines"):
        ours, theirs = (_timeless(told[engine][name]) for engine in ("local", "ray"))
        assert theirs == ours, name
    models = [load(tmp_path / f"m-{engine}").model for engine in told]
    assert (models[0].outputs(["a goat", "some rain"]) == models[1].outputs(["a goat", "some rain"])).all()


def _timeless(values):
    if isinstance(values, dict):
        return {name: _timeless(value) for name, value in values.items() if "second" not in name}
    return values


def test_a_cluster_that_is_not_there_is_an_error_line(run, texts_csv, tmp_path):
    status, _, err = run("fit", texts_csv, "-o", tmp_path / "m", "--workers", "2")
    assert status != 0
    assert "Error: --ray-address, --workers and --worker-gpus are of a cluster. Add --engine ray" in err
