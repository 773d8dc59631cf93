"""A model knows the sampling rates it was fitted on, and says once which inputs are below."""

import json
from pathlib import Path

import pytest

import headstart
from headstart import FitOptions, pipeline
from headstart.data import Dataset
from headstart.pipeline._rates import LowRates, training_rates
from tests.data.sounds import noise, write_sound
from tests.strategies.small import topics

TOY = FitOptions(backbones=("toy:audio",), strategy="probe", offline=True, proof="none")


def write(root: Path, *, rates: dict[str, int]) -> Path:
    """Twelve recordings of each of two classes at 16 kHz, the last four to be tested, and some of other rates."""
    for kind in ("owl", "wren"):
        for i in range(12):
            part = "train" if i < 8 else "test"
            write_sound(root / part / kind / f"{i}.wav", noise(0.1, seed=i + 100 * (kind == "owl")))
    for name, rate in rates.items():
        write_sound(root / name, noise(0.1, rate=rate, seed=rate), rate)
    return root


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fitted on recordings from 11,025 Hz; what is only tested, at 8,000, does not count."""
    rates = {"train/owl/a.wav": 11_025, "train/wren/b.wav": 48_000, "test/owl/c.wav": 8000}
    root = write(tmp_path_factory.mktemp("data") / "calls", rates=rates)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEADSTART_CACHE", str(tmp_path_factory.mktemp("cache")))
        return headstart.fit(root, tmp_path_factory.mktemp("models") / "m", options=TOY).folder


def predicted(model: Path, inputs: list[Path]) -> tuple[list[str], int]:
    said: list[str] = []
    rows = list(pipeline.predict(model, inputs, say=said.append))
    return said, len([row for row in rows if "error" not in row])


def test_the_rates_of_training_are_kept(model: Path) -> None:
    assert json.loads((model / "data.json").read_text())["rates"] == {"16000": 16, "11025": 1, "48000": 1}


def test_inputs_of_lower_rates_are_told_once(model: Path, tmp_path: Path) -> None:
    rates = {"a.wav": 16_000, "b.wav": 8000, "c.wav": 11_025, "d.wav": 6000}
    paths = [write_sound(tmp_path / name, noise(0.1, rate=rate), rate) for name, rate in rates.items()]
    said, answered = predicted(model, [*paths, tmp_path / "none.wav"])
    assert answered == 4
    assert said == [
        "2 of 4 inputs have a lower sampling rate than all that the model was fitted on (11025 Hz or more; first: "
        f"{paths[1]}, 8000 Hz): nothing above 4000 Hz is heard in it, so expect more mistakes. Record at a higher "
        "rate, or fit on recordings like these too."
    ]
    assert predicted(model, [paths[0], paths[2]]) == ([], 2)


def test_above_what_networks_hear_nothing_is_lost(tmp_path: Path) -> None:
    low = LowRates({"rates": {"44100": 3, "48000": 1}})
    path = write_sound(tmp_path / "a.wav", noise(), 16_000)
    low.look("a.wav", headstart.data.sound_facts(path))
    said: list[str] = []
    low.tell(said.append)
    assert said == []
    low.look("b.wav", headstart.data.sound_facts(write_sound(tmp_path / "b.wav", noise(rate=12_000), 12_000)))
    low.tell(said.append)
    assert len(said) == 1
    assert "(16000 Hz or more; first: b.wav, 12000 Hz)" in said[0]


def test_models_that_kept_no_rates_say_nothing(model: Path, tmp_path: Path) -> None:
    low = LowRates({"items": []})
    low.look("a.wav", headstart.data.sound_facts(write_sound(tmp_path / "a.wav", noise(rate=2000), 2000)))
    said: list[str] = []
    low.tell(said.append)
    assert said == []


def test_what_is_no_recording_has_no_rates(tmp_path: Path) -> None:
    assert training_rates(topics(6), [0, 1]) == {}
    path = write_sound(tmp_path / "a.wav", noise())
    gone = Dataset("audio", (path, tmp_path / "gone.wav"), ("a", "b"))
    assert training_rates(gone, [0, 1]) == {"rates": {"16000": 1}}
