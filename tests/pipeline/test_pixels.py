"""Pictures as they were measured, through whole jobs: the same pictures in other formats give the same answers."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

import headstart
from headstart import FitOptions, Reading, backbones
from headstart.errors import DataError, OptionError
from headstart.pipeline import Predictor, RankOptions, RobustnessOptions
from tests.dicoms import SECRETS, write_dicom

PROBE = FitOptions(backbones=("toy:image",), offline=True, strategy="probe", proof="none")


def _png(path: Path, gray: np.ndarray) -> Path:
    Image.fromarray(gray).save(path.with_suffix(".png"))
    return path.with_suffix(".png")


def _tiff(path: Path, gray: np.ndarray) -> Path:
    tifffile.imwrite(path.with_suffix(".tif"), gray)
    return path.with_suffix(".tif")


def _dicom(path: Path, gray: np.ndarray, **elements) -> Path:
    return write_dicom(path.with_suffix(".dcm"), gray, **elements)


WINDOW = {"WindowCenter": 128, "WindowWidth": 256}
# How an 8-bit gray picture is written so that nothing is lost.
FORMATS: dict[str, Callable[[Path, np.ndarray], Path]] = {
    "8-bit PNG": _png,
    "16-bit PNG": lambda path, gray: _png(path, gray.astype(np.uint16) * 257),
    "8-bit TIFF": _tiff,
    "16-bit TIFF": lambda path, gray: _tiff(path, gray.astype(np.uint16) * 257),
    "float TIFF": lambda path, gray: _tiff(path, gray.astype(np.float32) / 255),
    "8-bit DICOM": _dicom,
    "16-bit DICOM": lambda path, gray: _dicom(path, gray.astype(np.uint16) * 257),
    "MONOCHROME1": lambda path, gray: _dicom(path, 255 - gray, photometric="MONOCHROME1"),
    "slope and intercept": lambda path, gray: _dicom(
        path, gray.astype(np.uint16) * 257, RescaleSlope=2, RescaleIntercept=-1024
    ),
    "window": lambda path, gray: _dicom(
        path, gray.astype(np.int16) * 4 - 2000, RescaleSlope=0.25, RescaleIntercept=500, **WINDOW
    ),
    "MONOCHROME1, 16 bits": lambda path, gray: _dicom(
        path, (255 - gray.astype(np.uint16)) * 257, photometric="MONOCHROME1", RescaleSlope=0.5, RescaleIntercept=3
    ),
}


def pictures(n: int = 40, *, seed: int = 0) -> list[tuple[str, np.ndarray]]:
    """Gray pictures of spots that are more or less bright, as X-rays are: black and white occur in all."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:50, 0:70]
    made = []
    for i in range(n):
        label = ("well", "ill")[i % 2]
        y, x = rng.uniform(15, 35), rng.uniform(20, 50)
        spot = np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (60 if label == "ill" else 150))
        gray = np.rint(230 * spot + rng.uniform(0, 25, rows.shape)).clip(0, 255).astype(np.uint8)
        gray[0, 0], gray[-3:] = 0, 255
        made.append((label, gray))
    return made


def write_all(
    folder: Path, made: list[tuple[str, np.ndarray]], write: Callable[[Path, np.ndarray], Path]
) -> list[Path]:
    paths = []
    for i, (label, gray) in enumerate(made):
        (folder / label).mkdir(parents=True, exist_ok=True)
        paths.append(write(folder / label / f"{i:03}", gray))
    return paths


def probabilities(model: Path, paths: list[Path], **more) -> np.ndarray:
    rows = list(headstart.predict(model, paths, **more))
    return np.array([list(row["probabilities"].values()) for row in rows])


def test_the_same_pictures_give_the_same_answers_in_every_format(tmp_path):
    made, new = pictures(), pictures(8, seed=1)
    reference = None
    for name, write in FORMATS.items():
        write_all(tmp_path / name, made, write)
        headstart.fit(tmp_path / name, tmp_path / f"{name}.model", options=PROBE)
        found = probabilities(tmp_path / f"{name}.model", write_all(tmp_path / f"new {name}", new, write))
        reference = found if reference is None else reference
        assert np.abs(found - reference).max() < 1e-3, name
        on_png = probabilities(tmp_path / "8-bit PNG.model", list((tmp_path / f"new {name}").rglob("*.*")))
        of_png = probabilities(tmp_path / "8-bit PNG.model", list((tmp_path / "new 8-bit PNG").rglob("*.*")))
        assert np.abs(np.sort(on_png, axis=0) - np.sort(of_png, axis=0)).max() < 1e-3, name
    assert reference.max(axis=1).min() > 0.55  # they are answers, not even odds


def deep(path: Path, gray: np.ndarray) -> Path:
    """Write 12 bits in 16, with something in the lowest."""
    return _png(path, gray.astype(np.uint16) * 16 + 3)


@pytest.mark.parametrize("contents", ["whole", "slim"])
def test_the_range_is_learnt_on_the_training_part_said_kept_and_repeated(tmp_path, contents):
    made = pictures()
    write_all(tmp_path / "d" / "train", made[:30], deep)
    brighter = [(label, np.where(gray > 250, 255, gray).astype(np.uint8)) for label, gray in made[30:]]
    write_all(tmp_path / "d" / "test", brighter, lambda path, gray: _png(path, gray.astype(np.uint16) * 200))
    said = []
    options = FitOptions(backbones=("toy:image",), offline=True, strategy="probe", contents=contents)
    headstart.fit(tmp_path / "d", tmp_path / "m", options=options, say=said.append)
    assert "16-bit pixels from 3 to 4,083 become black to white, in all pictures alike." in said
    kept = json.loads((tmp_path / "m" / "preprocessing.json").read_text())
    assert kept["preprocessing"]["pixels"] == {"ranges": {"uint16": [3.0, 4083.0]}, "channels": 3}
    model = headstart.load(tmp_path / "m").model
    assert model.backbone.pixels.ranges == {"uint16": (3.0, 4083.0)}
    one = write_all(tmp_path / "one", made[:1], deep)[0]
    values = model.backbone.prepare([one]).values
    alone = backbones.load("toy:image").prepare([made[0][1]]).values
    assert float((values - alone).abs().max()) * 0.25 * 255 < 2.5  # as the 8-bit picture, though a pixel may round


def test_12_bits_in_16_are_told_apart_as_well_as_8_bits_are(tmp_path):
    """In the full range of the type they would be nearly black."""
    write_all(tmp_path / "eight", pictures(), _png)
    write_all(tmp_path / "twelve", pictures(), deep)
    scores = [headstart.fit(tmp_path / name, tmp_path / f"{name}.m", options=PROBE) for name in ("eight", "twelve")]
    eight, twelve = (result.outcome.score.value for result in scores)
    assert twelve >= eight > 0.8


def test_predicting_another_kind_of_pixels_is_said(tmp_path):
    write_all(tmp_path / "d", pictures(), _png)
    headstart.fit(tmp_path / "d", tmp_path / "m", options=PROBE)
    paths, said = write_all(tmp_path / "new", pictures(3), deep), []
    probabilities(tmp_path / "m", paths, say=said.append)
    assert "3 of 3 inputs have pixels of a kind that the model was not fitted on (first: " in said[0]
    served = Predictor.open(tmp_path / "m").promises  # which looks at one picture at a time
    assert served[-1].startswith("It was fitted on pictures of 8-bit pixels; in others what is black and white")
    said.clear()
    probabilities(tmp_path / "m", write_all(tmp_path / "also", pictures(3), FORMATS["16-bit PNG"]), say=said.append)
    assert said == []


def test_nothing_of_a_header_reaches_the_model_but_a_hash(tmp_path):
    for i, (label, gray) in enumerate(pictures()):
        (tmp_path / "d" / label).mkdir(parents=True, exist_ok=True)
        elements = {"PatientID": f"{SECRETS[1]}-{i // 4}", "RescaleSlope": 1, "RescaleIntercept": -3}
        write_dicom(tmp_path / "d" / label / f"{i}.dcm", gray.astype(np.uint16) * 16, bits=12, **elements)
    said = []
    reading = Reading(group="dicom:PatientID")
    result = headstart.fit(tmp_path / "d", tmp_path / "m", reading=reading, options=PROBE, say=said.append)
    saved = headstart.load(tmp_path / "m")
    assert len(set(saved.data["groups"])) == 10
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".dcm")
    for secret in SECRETS:
        assert secret.encode() not in written
        assert secret not in json.dumps([said, result.to_dict()])
    assert list((tmp_path / "headstart-cache").rglob("*"))  # what is cached was among it
    assert saved.data["places"][0] == "#1"  # nor a file name, unasked
    assert any(note.endswith("by which later scores can say what the model has seen.") for note in said)


def test_corruptions_begin_from_what_the_network_sees_of_12_bits(tmp_path):
    write_all(tmp_path / "d", pictures(), deep)
    headstart.fit(tmp_path / "d", tmp_path / "m", options=PROBE)
    options = RobustnessOptions()
    found = headstart.evaluate(tmp_path / "m", tmp_path / "d", robustness=options, offline=True)
    assert found.robustness is not None
    assert found.robustness.found.clean.value == pytest.approx(found.score.value, abs=0.03)  # in 8 bits of the range


def test_five_channels_go_through_ranking_fitting_thawing_and_prediction(tmp_path):
    def write(path: Path, gray: np.ndarray) -> Path:
        stack = np.stack([gray, gray // 2, 255 - gray, gray, gray // 3], axis=-1)
        tifffile.imwrite(path.with_suffix(".tif"), stack, photometric="minisblack", planarconfig="contig")
        return path.with_suffix(".tif")

    paths = write_all(tmp_path / "d", pictures(), write)
    ranked = headstart.rank(tmp_path / "d", options=RankOptions(backbones=("toy:image",), offline=True))
    assert ranked.ranking.candidates[0].error is None
    said = []
    options = FitOptions(
        backbones=("toy:image",), offline=True, strategy="finetune(last='all', steps=5)", proof="quick"
    )
    for contents in ("whole", "slim"):
        model = tmp_path / contents
        headstart.fit(tmp_path / "d", model, options=replace(options, contents=contents), say=said.append)
        loaded = headstart.load(model).model
        assert loaded.backbone.network[0][0].weight.shape[1] == 5
        assert probabilities(model, paths[:4]).shape == (4, 2)
    assert np.allclose(probabilities(tmp_path / "whole", paths[:4]), probabilities(tmp_path / "slim", paths[:4]))
    assert any("first layer is adapted to 5 channels" in note for note in said)
    other = write_all(tmp_path / "x", pictures(1), _png)[0]
    good, error = headstart.predict(tmp_path / "whole", [paths[0], other])
    assert set(good["probabilities"]) == {"ill", "well"}
    assert "expected 5 channels, as all of the training part have, found a gray or RGB picture" in error["error"]
    with pytest.raises(OptionError, match="corruptions are of gray pictures and of colours, and the model sees 5"):
        headstart.evaluate(tmp_path / "whole", tmp_path / "d", robustness=RobustnessOptions(), offline=True)


def test_a_dicom_file_without_the_window_that_all_others_have_is_an_error_of_its_own(tmp_path):
    write_all(tmp_path / "d", pictures(), FORMATS["window"])
    headstart.fit(tmp_path / "d", tmp_path / "m", options=PROBE)
    good = write_all(tmp_path / "new", pictures(1), FORMATS["window"])[0]
    bare = write_all(tmp_path / "bare", pictures(1), FORMATS["slope and intercept"])[0]
    answer, error = headstart.predict(tmp_path / "m", [good, bare])
    assert "probabilities" in answer
    assert error["error"].startswith(f"{bare}: expected a DICOM file with a window, as all of the training part have")


def test_pictures_of_different_channels_are_refused_with_their_place(tmp_path):
    write_all(tmp_path / "d", pictures(), _png)
    tifffile.imwrite(
        tmp_path / "d" / "ill" / "x.tif",
        np.zeros((30, 30, 5), np.uint8),
        photometric="minisblack",
        planarconfig="contig",
    )
    expected = r"ill/x\.tif: expected a gray or RGB picture, as most have, found 5 channels. Give pictures of the same"
    with pytest.raises(DataError, match=expected):
        headstart.fit(tmp_path / "d", tmp_path / "m", options=PROBE)
    result = headstart.fit(tmp_path / "d", tmp_path / "m", reading=Reading(on_error="skip"), options=PROBE)
    assert [item.place for item in result.left_out] == ["ill/x.tif"]


@pytest.mark.shared
@pytest.mark.slow
def test_chest_x_rays_give_the_same_answers_in_every_format(shared, tmp_path):
    """Seen: no difference at all, in any of the formats."""
    folder = shared / "data/images/chest-xray/train"
    files = [path for label in ("NORMAL", "PNEUMONIA") for path in sorted((folder / label).iterdir())[:38]]
    made = [(path.parent.name, np.asarray(Image.open(path).convert("L"))) for path in files]
    train, new = made[:30] + made[38:68], made[30:38] + made[68:]
    options = FitOptions(backbones=("starter:image-small",), offline=True, strategy="probe", proof="none")
    reference = None
    for name, write in FORMATS.items():
        write_all(tmp_path / name, train, write)
        headstart.fit(tmp_path / name, tmp_path / "models" / name, options=options)
        found = probabilities(tmp_path / "models" / name, write_all(tmp_path / f"new {name}", new, write))
        reference = found if reference is None else reference
        difference = float(np.abs(found - reference).max())
        assert difference < 1e-6, name
