"""Speech recognition at the command line."""

import json

from headstart.linear import _speech as fitting
from tests.spoken import write_spoken


def test_a_ranking_shows_no_scores_that_do_not_apply(run, tmp_path, monkeypatch):
    monkeypatch.setattr(fitting, "STEPS", 8)
    folder = write_spoken(tmp_path / "speech", 30)
    words = ["rank", folder, "--backbone", "toy:audio", "--offline", "-o", tmp_path / "r.png"]
    status, out, _ = run(*words)
    assert status == 0
    heading = next(line for line in out.splitlines() if "candidate" in line)
    assert "kNN" not in heading
    assert "log loss" not in heading
    assert "  loss  " in heading
    assert "by chance alone the best probe would be as far ahead of a model that hears nothing" in out
    assert "Scored by the held-out loss of a probe of frames alone" in out
    status, out, _ = run(*words, "--json", "--overwrite")
    assert list(json.loads(out)["candidates"][0]["scores"]) == ["probe"]
