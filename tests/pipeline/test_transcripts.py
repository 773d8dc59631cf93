"""Speech from fit to predict: what is heard and when, what is wrong with it, and what is kept where it is shipped."""

import json
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import headstart
from headstart import FitOptions, Reading, backbones, pipeline
from headstart.data import Dataset
from headstart.errors import DataError, OptionError
from headstart.evaluation import Fold
from headstart.pipeline import FitResult
from headstart.pipeline._mistakes import Mistakes
from headstart.pipeline._transcripts import TRANSCRIPTS_PAGE
from headstart.tasks import Classification, Heard, Transcription, plain
from tests.data.sounds import write_sound
from tests.spoken import RATE, sound, spoken

TOY = FitOptions(backbones=("toy:audio",), strategy="probe", offline=True, proof="none")
N, TESTED = 36, 12


def write(root: Path, texts: dict[str, str], *, parts: dict[str, str] | None = None) -> Path:
    """Write a manifest of recordings; what is said is the plain spelling of the transcript."""
    rows = ["path,transcript,split,group"]
    for number, (name, text) in enumerate(texts.items()):
        write_sound(root / f"{name}.wav", sound(plain(text), seed=number))
        rows.append(f'{name}.wav,"{text}",{(parts or {}).get(name, "test")},{name[0]}')
    (root / "manifest.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return root


def texts_of(n: int, seed: int = 0) -> list[str]:
    return list(spoken(n, seed=seed).labels or ())


def recordings(root: Path, *, more: dict[str, str] | None = None) -> Path:
    """Train on 24 recordings of six speakers and test on twelve of four others, of which one is marked wrongly."""
    said = {f"{'abcdef'[i % 6] if i >= TESTED else 'wxyz'[i % 4]}{i:02d}": text for i, text in enumerate(texts_of(N))}
    said["x01"] = "dab ab é"
    parts = {name: "train" for name in said if name[0] in "abcdef"}
    return write(root, said | (more or {}), parts=parts | dict.fromkeys(more or {}, "train"))


def spelt(root: Path, form: str) -> Path:
    """The same with a capital at the beginning, six speakers training and the others tested."""
    said = {
        f"{'abcdef'[i % 6] if i >= TESTED else 'wxyz'[i % 4]}{i}": form.format(text.capitalize())
        for i, text in enumerate(texts_of(N))
    }
    return write(root, said, parts={name: "train" for name in said if name[0] in "abcdef"})


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recordings(tmp_path_factory.mktemp("spoken") / "data")


@pytest.fixture(scope="module")
def fitted(data: Path, tmp_path_factory: pytest.TempPathFactory) -> FitResult:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEADSTART_CACHE", str(tmp_path_factory.mktemp("cache")))
        return headstart.fit(data, tmp_path_factory.mktemp("models") / "model", options=TOY)


def test_fit_counts_errors_by_kind_and_by_speaker(fitted: FitResult) -> None:
    found = fitted.to_dict()["errors"]
    score = fitted.outcome.score
    wrong = sum(found["counts"][edit] for edit in ("substituted", "left out", "put in"))
    words = sum(found["counts"][edit] for edit in ("same", "substituted", "left out"))
    assert score.metric == "wer"
    assert score.value == pytest.approx(wrong / words)
    assert score.value < 0.5
    assert found["outside"] == {"é": 1}
    assert list(found["groups"]) == ["w", "x", "y", "z"]
    assert sum(group["words"] for group in found["groups"].values()) == words
    assert sum(group["errors"] for group in found["groups"].values()) == wrong
    assert found["groups"]["x"]["wer"] == pytest.approx(found["groups"]["x"]["errors"] / found["groups"]["x"]["words"])
    assert (found["interval_over"], found["drawn"]) == ("items", TESTED)  # of four speakers recordings are drawn
    assert all(row["errors"] for row in found["worst"])
    assert [row["errors"] for row in found["worst"]] == sorted((row["errors"] for row in found["worst"]), reverse=True)
    (marked,) = [row["marked"] for row in found["worst"] if row["place"].endswith(":3")] or ["é"]
    assert "é" in marked


def test_what_is_shipped_holds_no_words_but_a_page_that_may_be_removed(fitted: FitResult, tmp_path: Path) -> None:
    kept = json.loads((fitted.folder / "evaluation.json").read_text())["errors"]
    said = fitted.to_dict()["errors"]
    assert kept["counts"] == said["counts"]
    assert kept["groups"] == said["groups"]
    assert [row["place"] for row in kept["worst"]] == [row["place"] for row in said["worst"]]
    assert not {"substituted", "left_out", "put_in"} & set(kept)
    assert all(set(row) == {"place", "words", "errors"} for row in kept["worst"])
    page = (fitted.folder / TRANSCRIPTS_PAGE).read_text()
    assert "data:audio/wav;base64," in page
    assert f"Word error rate {fitted.outcome.score.value:.3f}" in page
    assert "may be removed" in page
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in fitted.folder.iterdir():
        if path.name != TRANSCRIPTS_PAGE:
            (copy / path.name).write_bytes(path.read_bytes())
    assert headstart.load(copy).model.task.kind == "transcription"


def test_a_note_on_spelling_is_kept_without_its_example(tmp_path: Path) -> None:
    result = headstart.fit(spelt(tmp_path / "data", "{}."), tmp_path / "m", options=TOY)
    (note,) = [note for note in result.notes if "lower case" in note]
    assert ", such as" in note
    kept = json.loads((result.folder / "evaluation.json").read_text())["notes"]
    assert note.split(", such as")[0] in kept
    assert note not in kept


def test_a_page_that_cannot_be_written_costs_no_model(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OptionError("no room")

    monkeypatch.setattr("headstart.pipeline._transcripts.write_transcripts", refuse)
    said: list[str] = []
    headstart.fit(data, tmp_path / "m", options=TOY, say=said.append)
    assert "No page of the recordings: no room" in said
    assert not (tmp_path / "m" / TRANSCRIPTS_PAGE).exists()
    headstart.load(tmp_path / "m")


def test_words_are_told_when_they_are_said(fitted: FitResult, data: Path, tmp_path: Path) -> None:
    (tmp_path / "not.wav").write_text("no sound")
    inputs = [data / "w00.wav", tmp_path / "not.wav", tmp_path / "gone.wav"]
    first, broken, gone = headstart.predict(fitted.folder, inputs)
    assert set(first) == {"input", "transcript", "words"}
    assert first["transcript"].split() == [word for _, _, word, _ in first["words"]]
    seconds = len(sound(texts_of(N)[0], seed=0)) / RATE
    times = [time for start, end, *_ in first["words"] for time in (start, end)]
    assert times == sorted(times)
    assert times[0] >= 0
    assert times[-1] <= seconds + 0.04
    assert all(0 < p <= 1 for *_, p in first["words"])
    assert json.loads(json.dumps(first)) == first
    assert set(broken) == set(gone) == {"input", "error"}
    assert headstart.load(fitted.folder).model.predict([inputs[0]]) == [first["transcript"]]


def test_times_are_those_of_the_sound(fitted: FitResult, tmp_path: Path) -> None:
    pause = np.zeros(2 * RATE, dtype=np.float32)
    noise = 0.01 * np.random.default_rng(3).standard_normal(len(pause)).astype(np.float32)
    path = write_sound(tmp_path / "late.wav", np.concatenate([pause + noise, sound("bad", seed=5)]))
    (row,) = headstart.predict(fitted.folder, [path])
    starts = [start for start, _, word, _ in row["words"] if len(word) > 1]
    assert starts
    assert min(starts) == pytest.approx(2.1, abs=0.25)


def test_folders_and_manifests_are_read_in_order(fitted: FitResult, data: Path, tmp_path: Path) -> None:
    for number in range(70):  # more than are transcribed at once
        write_sound(tmp_path / "in" / f"{number:02d}.wav", sound("ab", seed=number, letter=0.05))
    rows = list(headstart.predict(fitted.folder, [tmp_path / "in"]))
    assert [Path(row["input"]).name for row in rows] == [f"{number:02d}.wav" for number in range(70)]
    listed = list(headstart.predict(fitted.folder, [data / "manifest.csv"]))
    assert len(listed) == N
    assert all("transcript" in row for row in listed)


def test_half_an_hour_runs_through_the_network_a_little_at_a_time(fitted: FitResult, tmp_path: Path) -> None:
    part = np.concatenate([sound(text, seed=i) for i, text in enumerate(texts_of(20, seed=4))])
    minutes = np.tile(part, 1 + 30 * 60 * RATE // len(part))[: 30 * 60 * RATE]
    path = write_sound(tmp_path / "long.wav", minutes)
    saved = headstart.load(fitted.folder)
    seen: list[int] = []
    block = saved.model.backbone.blocks[-1].modules[0]
    block.register_forward_hook(lambda _module, inputs, _output: seen.append(inputs[0].shape[0] * inputs[0].shape[1]))
    (once,) = headstart.predict(saved, [path])
    assert max(seen) <= 1024
    assert sum(seen) > 30 * 60 * 50
    assert once["words"][-1][1] > 29 * 60
    (few,) = headstart.predict(saved, [write_sound(tmp_path / "part.wav", part)])
    repeats = 30 * 60 * RATE / len(part)
    assert len(once["words"]) == pytest.approx(repeats * len(few["words"]), rel=0.05)


def test_recordings_are_not_all_in_memory_at_once(fitted: FitResult) -> None:
    model = headstart.load(fitted.folder).model
    item = spoken(1).items[0]
    long = replace(item, samples=np.tile(item.samples, 30))

    def peak(n: int) -> int:
        tracemalloc.start()
        model.predict([long] * n)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(2)
    assert peak(60) < 2 * peak(20)


def test_a_saved_model_predicts_the_same_slim_or_whole(data: Path, tmp_path: Path, fitted: FitResult) -> None:
    headstart.fit(data, tmp_path / "slim", options=replace(TOY, contents="slim"))
    expected = list(headstart.predict(fitted.folder, [data]))
    assert list(headstart.predict(tmp_path / "slim", [data])) == expected
    given = backbones.load("toy:audio")
    assert list(headstart.predict(tmp_path / "slim", [data], backbone=given)) == expected
    assert given.frames is None
    in_memory = fitted.outcome.model.predict([data / "w00.wav", data / "x01.wav"])
    assert in_memory == [row["transcript"] for row in expected if Path(row["input"]).stem in ("w00", "x01")]


def test_evaluate_scores_as_fit_did_and_spells_as_the_model(fitted: FitResult, data: Path, tmp_path: Path) -> None:
    found = headstart.evaluate(fitted.folder, data)
    assert found.score.value == pytest.approx(fitted.outcome.score.value)
    assert found.errors == fitted.errors
    assert found.classes == {}
    assert set(found.to_dict()) == {"test", "classes", "notes", "errors"}
    shouted = write(tmp_path / "loud", {f"q{i}": f"{text.upper()}!" for i, text in enumerate(texts_of(8))})
    loud = headstart.evaluate(fitted.folder, shouted)
    assert loud.errors.outside == {}
    assert loud.score.value < 0.5


def test_the_interval_draws_speakers_from_five_on(fitted: FitResult, tmp_path: Path) -> None:
    path = write(tmp_path / "data", {f"{'abcde'[i % 5]}{i}": text for i, text in enumerate(texts_of(10, seed=7))})
    found = headstart.evaluate(fitted.folder, path)
    assert (found.errors.interval_over, found.errors.drawn) == ("groups", 5)
    assert "5 groups" in found.score.interval.method


def test_evaluate_refuses_labels_of_another_kind(fitted: FitResult, tmp_path: Path) -> None:
    write_sound(tmp_path / "yes" / "1.wav", sound("ab"))
    write_sound(tmp_path / "no" / "1.wav", sound("ba"))
    with pytest.raises((OptionError, DataError)):
        headstart.evaluate(fitted.folder, tmp_path, reading=Reading(task="classification"))


def test_of_repeated_predictions_the_first_counts() -> None:
    data = spoken(4, groups=2)
    labels = np.array(data.labels)
    right, wrong = (np.empty(2, dtype=object) for _ in range(2))
    characters = Transcription.from_labels(data.labels or ()).characters
    p = np.full((60, 1 + len(characters)), 1 / (1 + len(characters)), dtype=np.float32)
    right[:] = [Heard(p, text, characters) for text in labels[:2]]
    wrong[:] = [Heard(p, "", characters) for _ in range(2)]
    folds = [
        Fold(labels[:2], right, 2, np.array(["s0", "s1"]), np.array([0, 1])),
        Fold(labels[:2], wrong, 2, np.array(["s0", "s1"]), np.array([0, 1])),
        Fold(labels[2:], wrong, 2, np.array(["s0", "s1"]), np.array([2, 3])),
    ]
    found = Mistakes.of(data, folds, Transcription(characters)).errors
    assert found is not None
    assert found.counts["left out"] == sum(len(text.split()) for text in labels[2:])
    assert found.counts["same"] == sum(len(text.split()) for text in labels[:2])
    assert (found.interval_over, found.drawn) == ("groups", 2)  # of folds, which hold whole groups
    assert [each.place for each in found.worst] == sorted("23", key=lambda i: -len(labels[int(i)].split()))


def test_what_has_one_answer_per_item_has_no_mistakes_of_this_kind(tmp_path: Path) -> None:
    assert Mistakes.of(Dataset("text", (), ()), [], Classification(("a", "b"))) == Mistakes()


def test_a_model_is_continued_with_more_recordings_and_a_new_character(
    data: Path, fitted: FitResult, tmp_path: Path
) -> None:
    more = {f"g{i}": f"e {text}" for i, text in enumerate(texts_of(6, seed=9))}
    path = recordings(tmp_path / "more", more=more)
    said: list[str] = []
    options = FitOptions(continue_from=str(fitted.folder), offline=True, proof="none")
    result = headstart.fit(path, tmp_path / "m2", options=options, say=said.append)
    assert result.continued is not None
    assert result.continued.value == pytest.approx(fitted.outcome.score.value)
    assert result.continued.difference is not None
    assert "e" in result.outcome.model.task.characters
    assert "New characters: 'e', 'é'." in said


def test_continuing_spells_as_the_model_does(tmp_path: Path) -> None:
    path = spelt(tmp_path / "data", "{}")
    first = pipeline.fit(path, tmp_path / "m", options=TOY, reading=Reading(transcripts="written"))
    assert first.outcome.model.task.spelling == "written"
    again = FitOptions(continue_from=str(first.folder), offline=True, proof="none")
    second = pipeline.fit(path, tmp_path / "m2", options=again)
    assert second.outcome.model.task == first.outcome.model.task
    assert second.continued.value == pytest.approx(second.outcome.score.value)
