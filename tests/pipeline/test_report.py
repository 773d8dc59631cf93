"""The report in a model folder: what it is written from, and how all that shows examples is taken out of it."""

import base64
import json
import re
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import headstart
from headstart import FitOptions
from headstart.errors import ArtifactError, OptionError
from headstart.pipeline import Reading, write_report
from headstart.pipeline._asked import fit_command
from headstart.pipeline._kept import data_licence
from tests.conftest import make_texts
from tests.data.sounds import tone, write_sound
from tests.report.model.pages import check

TEXT = FitOptions(backbones=("toy:text",), offline=True, strategy="probe", proof="none")
IMAGE = replace(TEXT, backbones=("toy:image",))
OLD = Path(__file__).parents[1] / "old_models"


def page_of(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


def files_of(folder: Path) -> dict[str, str]:
    """The text of every file that is no weights."""
    paths = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".safetensors"]
    return {path.name: path.read_text(encoding="utf-8") for path in paths}


@pytest.fixture
def texts(tmp_path: Path) -> tuple[Path, list[str]]:
    """Sentences with a test part, hard enough to be wrong about."""
    sentences, labels = make_texts(120, classes=2)
    labels[::7] = [{"animals": "food", "food": "animals"}[label] for label in labels[::7]]
    parts = ["train"] * 80 + ["test"] * 40
    rows = zip(
        sentences, labels, [f"person{i % 40}" for i in range(80)] + [f"other{i}" for i in range(40)], parts, strict=True
    )
    data = tmp_path / "interviews.csv"
    data.write_text("text,label,group,split\n" + "".join(",".join(row) + "\n" for row in rows))
    return data, sentences


@pytest.fixture
def fitted(texts, tmp_path) -> tuple[Path, list[str]]:
    headstart.fit(texts[0], tmp_path / "m", options=TEXT)
    return tmp_path / "m", texts[1]


@pytest.fixture
def patients(tmp_path: Path) -> Path:
    """Noisy pictures whose files are named after people."""
    folder = tmp_path / "clinic"
    rng = np.random.default_rng(0)
    for label, shade in (("ill", 110), ("well", 130)):
        (folder / label).mkdir(parents=True)
        for number in range(30):
            pixels = np.clip(rng.normal(shade, 60, (16, 16, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / label / f"Miller{number:02}_{label}.png")
    return folder


def test_fit_writes_a_report_that_shows_the_surest_errors(fitted):
    folder, sentences = fitted
    found = check(page_of(folder))
    kept = json.loads((folder / "examples.json").read_text())["worst"]
    assert 0 < len(kept["items"]) <= 12
    sure = [item["p"] for item in kept["items"] if item["true"] != item["told"]]
    assert sure == sorted(sure, reverse=True)
    assert all(item["text"] in sentences and item["text"] in found.words for item in kept["items"])
    assert len(page_of(folder)) < 5_000_000


def test_the_counts_are_those_of_the_scored_items(fitted):
    folder, _ = fitted
    scored = json.loads((folder / "report.json").read_text())["scored"]
    measured = json.loads((folder / "evaluation.json").read_text())
    assert sum(n for _, _, n in scored["pairs"]) == measured["test"]["n"] == 40
    right = sum(n for true, told, n in scored["pairs"] if true == told)
    assert right / 40 == pytest.approx(measured["test"]["metrics"]["accuracy"])


def test_the_folder_alone_gives_the_same_report(fitted, tmp_path):
    folder, _ = fitted
    before = page_of(folder)
    moved = tmp_path / "elsewhere" / "copy"
    shutil.copytree(folder, moved)
    shutil.rmtree(folder)
    (tmp_path / "interviews.csv").unlink()
    found = write_report(moved)
    assert found.path == moved / "report.html"
    assert page_of(moved) == before
    headstart.load(moved)


def test_no_file_of_the_report_is_part_of_the_model(fitted):
    folder, _ = fitted
    named = json.loads((folder / "manifest.json").read_text())["files"]
    assert not {"report.html", "report.json", "examples.json"} & set(named)
    for name in ("report.html", "report.json", "examples.json"):
        (folder / name).unlink()
    headstart.load(folder)
    assert write_report(folder).shown == 0
    check(page_of(folder))


def test_without_examples_nothing_in_the_folder_shows_quotes_or_names_one(fitted, texts):
    folder, sentences = fitted
    found = write_report(folder, examples="none")
    assert "examples.json" in found.removed
    assert not found.named
    for name, text in files_of(folder).items():
        assert not any(sentence in text for sentence in sentences), name
        assert not re.search(r"person\d|other\d|interviews", text), name
    assert "No example is shown or named in this report." in page_of(folder)
    rows = list(headstart.predict(folder, [str(texts[0])]))
    assert len(rows) == 120
    assert headstart.evaluate(folder, texts[0]).score.n == 40


def test_a_second_time_there_is_nothing_left_to_take_out(fitted):
    folder, _ = fitted
    write_report(folder, examples="none")
    before = files_of(folder)
    assert write_report(folder, examples="none").removed == ()
    assert files_of(folder) == before


def test_elsewhere_and_without_examples_the_folder_is_cleared_too(fitted, tmp_path):
    folder, sentences = fitted
    write_report(folder, tmp_path / "out.html", examples="none")
    for page in (tmp_path / "out.html", folder / "report.html"):
        assert not any(sentence in page.read_text() for sentence in sentences)


def test_pictures_are_small_copies_and_go_with_the_examples(patients, tmp_path):
    headstart.fit(patients, tmp_path / "m", options=IMAGE)
    kept = json.loads((tmp_path / "m" / "examples.json").read_text())["worst"]["items"]
    assert base64.b64decode(kept[0]["picture"])[:2] == b"\xff\xd8"
    assert len(check(page_of(tmp_path / "m")).of("img")) == len(kept)
    write_report(tmp_path / "m", examples="none")
    for name, text in files_of(tmp_path / "m").items():
        assert "Miller" not in text, name
        assert "clinic" not in text, name
        assert "data:image" not in text, name
        assert not any(item["picture"] in text for item in kept), name


def test_a_fit_without_examples_has_a_report_that_shows_none(patients, tmp_path):
    headstart.fit(patients, tmp_path / "m", options=replace(IMAGE, examples="none"))
    files = files_of(tmp_path / "m")
    assert "examples.json" not in files
    assert not any("Miller" in text or "clinic" in text for text in files.values())
    words = check(files["report.html"]).words
    assert "headstart fit DATA -o m" in words
    assert "--no-examples" in words


def test_recordings_can_be_played_and_seen(tmp_path):
    for label, pitch in (("low", 300), ("high", 330)):
        for number in range(20):
            (tmp_path / "sounds" / label).mkdir(parents=True, exist_ok=True)
            write_sound(tmp_path / "sounds" / label / f"{number}.wav", tone(pitch + 3 * number))
    headstart.fit(tmp_path / "sounds", tmp_path / "m", options=replace(TEXT, backbones=("toy:audio",)))
    page = check(page_of(tmp_path / "m"))
    assert 0 < len(page.of("audio")) <= 6
    assert len(page.of("audio")) == len([image for image in page.of("img") if image["alt"].startswith("spectrogram")])


def test_texts_with_entities_show_both_sides_and_go_with_the_examples(tmp_path):
    sentences = ["Ada|B-PER went|O home|O", "we|O saw|O Bob|B-PER", "nobody|O came|O today|O"] * 12
    lines = ["\n".join(word.replace("|", "\t") for word in sentence.split()) for sentence in sentences]
    (tmp_path / "diary.conll").write_text("\n\n".join(f"{line}\nx{n}\tO" for n, line in enumerate(lines)) + "\n")
    headstart.fit(tmp_path / "diary.conll", tmp_path / "m", options=TEXT)
    page = check(page_of(tmp_path / "m"))
    assert "underlined" in page.words
    assert "entities.html in the model folder" in page.words
    removed = write_report(tmp_path / "m", examples="none").removed
    assert set(removed) == {"examples.json", "entities.html"}
    for name, text in files_of(tmp_path / "m").items():
        assert "diary" not in text, name
        assert not re.search(r"\b(Ada|Bob|nobody)\b", text), name


def test_several_labels_and_values_have_their_own_errors(label_sets_csv, values_csv, tmp_path):
    headstart.fit(label_sets_csv, tmp_path / "a", options=TEXT)
    words = check(page_of(tmp_path / "a")).words
    assert "wrongly told" in words
    labels = json.loads((tmp_path / "a" / "report.json").read_text())["scored"]["labels"]
    assert all(sum(counts) == 90 for counts in labels.values())
    headstart.fit(values_csv, tmp_path / "b", options=TEXT, reading=Reading(task="regression"))
    page = check(page_of(tmp_path / "b"))
    assert any(each["aria-label"].startswith("Predicted against true") for each in page.of("svg"))
    kept = json.loads((tmp_path / "b" / "examples.json").read_text())["worst"]["items"]
    errors = [abs(float(item["true"]) - float(item["told"])) for item in kept]
    assert errors == sorted(errors, reverse=True)


def curve_file(path: Path) -> Path:
    point = {"arm": "probe", "n": 20, "value": 0.6, "interval": [0.5, 0.7], "values": [0.6]}
    following = {"sentence": "100 more labels bring little."}
    curve = {
        "metric": "accuracy",
        "unit": "labels",
        "points": [point, {**point, "n": 40}],
        "label_saving": {"sentence": "Half the labels are enough."},
        "next_100": following,
        "notes": ["secret.csv"],
    }
    path.write_text(json.dumps(curve))
    return path


def test_a_learning_curve_is_shown_and_kept(fitted, tmp_path):
    folder, _ = fitted
    write_report(folder, curve=curve_file(tmp_path / "curve.json"))
    write_report(folder)
    words = check(page_of(folder)).words
    assert "Half the labels are enough." in words
    assert "secret.csv" not in "".join(files_of(folder).values())


def test_what_is_no_curve_is_refused(fitted, tmp_path):
    folder, _ = fitted
    with pytest.raises(OptionError, match="the file cannot be read"):
        write_report(folder, curve=tmp_path / "none.json")
    for text in ("[]", "{}", "no json", '{"points": 3}'):
        (tmp_path / "c.json").write_text(text)
        with pytest.raises(OptionError, match="expected the JSON of a learning curve"):
            write_report(folder, curve=tmp_path / "c.json")


def test_another_name_than_that_of_a_page_is_refused(fitted, tmp_path):
    with pytest.raises(OptionError, match="expected a name ending in .html"):
        write_report(fitted[0], tmp_path / "page.pdf")


@pytest.mark.parametrize(("text", "problem"), [("{", "the file is damaged"), ("[]", "expected a JSON object")])
def test_a_damaged_file_for_the_report_is_named_with_the_way_out(fitted, text, problem):
    (fitted[0] / "report.json").write_text(text)
    with pytest.raises(ArtifactError, match=problem) as error:
        write_report(fitted[0])
    assert "Remove it" in error.value.fix


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_folders_of_older_versions_have_a_report_and_can_be_cleared(tmp_path, number):
    folder = tmp_path / "old"
    shutil.copytree(OLD / f"format-{number}", folder)
    write_report(folder)
    check(page_of(folder))
    write_report(folder, examples="none")
    headstart.load(folder)


def test_a_fit_whose_report_cannot_be_written_is_a_fit(texts, tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise OptionError("no room")

    monkeypatch.setattr("headstart.pipeline._report.write_model_report", refuse)
    said: list[str] = []
    headstart.fit(texts[0], tmp_path / "m", options=TEXT, say=said.append)
    assert "No report: no room" in said
    headstart.load(tmp_path / "m")


def test_a_fault_of_the_report_does_not_cost_the_model(texts, tmp_path, monkeypatch):
    monkeypatch.setattr("headstart.pipeline._fit_report.write_report", lambda _: 1 // 0)
    said: list[str] = []
    headstart.fit(texts[0], tmp_path / "m", options=TEXT, say=said.append)
    assert any("No report, by a fault of Headstart (ZeroDivisionError" in each for each in said)
    headstart.load(tmp_path / "m")
    monkeypatch.setenv("HEADSTART_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        headstart.fit(texts[0], tmp_path / "n", options=TEXT)


def test_the_command_asks_for_the_same_again(tmp_path):
    reading = Reading(group="filename:^(a b)", test="/secret/t.csv", slices=("site",))
    options = FitOptions(budget=90, seed=7, backbones=("toy:text",), offline=True, contents="slim", proof="full")
    words = shlex.split(fit_command("/secret/d.csv", tmp_path / "m", reading, options, named=True))
    assert words[:5] == ["headstart", "fit", "d.csv", "-o", "m"]
    for option, value in {"--budget": "90s", "--group": "filename:^(a b)", "--test": "t.csv", "--seed": "7"}.items():
        assert words[words.index(option) + 1] == value
    assert {"--offline", "--slim", "--slice", "--backbone", "--proof"} <= set(words)
    assert "secret" not in shlex.join(words)
    hidden = fit_command("/secret/d.csv", tmp_path / "m", reading, options, named=False)
    assert "d.csv" not in hidden
    assert "t.csv" not in hidden


def test_a_licence_beside_the_data_is_quoted(tmp_path):
    assert data_licence(tmp_path) == ""
    (tmp_path / "LICENSE.txt").write_text("\n  CC BY 4.0 \nmore")
    assert data_licence(tmp_path) == "a file LICENSE.txt beside it begins: CC BY 4.0"
    assert data_licence(tmp_path / "nowhere" / "data.csv") == ""
