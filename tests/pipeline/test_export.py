"""Exports of fitted models: what is compared, what is promised, and what 8 bits cost."""

import json
from pathlib import Path

import pytest

import headstart
from headstart.errors import ArtifactError, DataError, OptionError
from headstart.pipeline import FitOptions, Wanted, export
from headstart.pipeline._export import _check_cost
from headstart.runtime.exported import ExportedModel
from tests.conftest import make_image

COLOURS = {"blue": (40, 60, 200), "red": (200, 60, 40)}


def pictures(folder: Path, *, first: int = 0, n: int = 14) -> Path:
    for part, count in (("train", n), ("test", n // 2)):
        for name, colour in COLOURS.items():
            (folder / part / name).mkdir(parents=True, exist_ok=True)
            for seed in range(first, first + count):
                place = folder / part / name / f"{seed}.png"
                make_image(colour, seed=seed + 1000 * (part == "test") + 500 * (name == "red")).save(place)
    return folder


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("fitted")
    data = pictures(folder / "data")
    options = FitOptions(backbones=("starter:image-small",), strategy="probe()", proof="none", offline=True)
    headstart.fit(data, folder / "model", options=options)
    return folder / "model", data


@pytest.mark.slow
def test_the_whole_test_part_is_compared_and_promises_go_along(fitted: tuple[Path, Path], tmp_path: Path) -> None:
    model, data = fitted
    found = export(model, tmp_path / "out", format="onnx", check=data, wanted=Wanted(coverage=0.8))
    assert found.parity.given == 14  # of 42
    assert found.parity.difference < 1e-5
    assert json.loads((tmp_path / "out" / "headstart-export.json").read_text())["promises"]["coverage"] == 0.8
    picture = next((data / "test" / "red").iterdir())
    (row,) = ExportedModel.open(tmp_path / "out").predict([picture])
    (expected,) = headstart.pipeline.predict(model, [picture], wanted=Wanted(coverage=0.8))
    assert row["label"] == expected["label"]
    assert row["set"] == expected["set"]
    assert row["novelty"] == pytest.approx(expected["novelty"], abs=0.05)  # a step of so few examples


@pytest.mark.slow
def test_8_bits_say_what_they_cost(fitted: tuple[Path, Path], tmp_path: Path) -> None:
    model, data = fitted
    found = export(model, tmp_path / "out", format="onnx", check=data, int8=True)
    cost = found.facts["int8_cost"]
    assert (cost["metric"], cost["n"], cost["32 bits"]) == ("accuracy", 14, 1.0)
    assert cost["difference"] == pytest.approx(cost["8 bits"] - cost["32 bits"])
    assert "## What 8 bits cost" in (tmp_path / "out" / "README.md").read_text()
    assert cost == json.loads((tmp_path / "out" / "headstart-export.json").read_text())["int8_cost"]
    assert found.files["model.onnx"] < 4_000_000  # of 9.5 MB
    elsewhere = pictures(tmp_path / "others", first=5000, n=4)
    with pytest.raises(DataError, match="expected 10 items that the model was not trained on, found 0"):
        export(model, tmp_path / "out2", format="onnx", check=data / "train", int8=True)
    assert not (tmp_path / "out2").exists()
    assert export(model, tmp_path / "out3", format="onnx", check=elsewhere, int8=True).facts["int8_cost"]["n"] == 12


def test_what_cannot_be_asked_of_a_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="what that costs is measured on labelled data. Add --check DATA"):
        export(tmp_path / "model", tmp_path / "out", format="onnx", int8=True)
    for more in ({"int8": True, "check": "data"}, {"wanted": Wanted(max_error=0.1)}):
        with pytest.raises(OptionError, match="the format timm keeps the network and its head alone"):
            export(tmp_path / "model", tmp_path / "out", format="timm", **more)  # type: ignore[arg-type]


def test_8_bits_that_make_a_model_worse_are_refused(tmp_path: Path) -> None:
    cost = {"metric": "accuracy", "n": 624, "32 bits": 0.788, "8 bits": 0.718, "difference": -0.07}
    with pytest.raises(ArtifactError, match="8 bits make it worse beyond noise. With 8 bits accuracy is 0.718"):
        _check_cost({**cost, "interval": [-0.097, -0.044]}, tmp_path)
    _check_cost({**cost, "interval": [-0.097, 0.001]}, tmp_path)
    with pytest.raises(ArtifactError, match="worse beyond noise"):
        _check_cost({**cost, "metric": "log_loss", "interval": [0.1, 0.2]}, tmp_path)
