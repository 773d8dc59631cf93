"""The partial folder: resumed by the same command, refused by another, never in the way of the user's own files."""

from pathlib import Path

import pytest

from headstart.errors import ArtifactError, OptionError
from headstart.partial import PartialFolder

FACTS = {"data": "abc", "options": {"seed": 0, "strategy": "probe"}}


def test_the_finished_model_takes_its_name_and_nothing_else_remains(tmp_path):
    work = PartialFolder(tmp_path / "deep" / "m")
    work.open(FACTS)
    (work.model / "manifest.json").write_text("{}")
    work.close()
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["m"]
    assert [p.name for p in (tmp_path / "deep" / "m").iterdir()] == ["manifest.json"]


def test_decisions_are_replayed_when_the_same_run_is_opened_again(tmp_path):
    first = PartialFolder(tmp_path / "m")
    first.open(FACTS)
    assert first.decide("outer folds", lambda: 7) == 7
    first.leave()
    second = PartialFolder(tmp_path / "m")
    second.open(FACTS)
    assert second.decide("outer folds", lambda: 9) == 7
    assert second.decide("another", lambda: 1) == 1
    second.leave()


def test_another_run_is_refused_and_told_what_differs(tmp_path):
    first = PartialFolder(tmp_path / "m")
    first.open(FACTS)
    first.decide("outer folds", lambda: 7)
    first.leave()
    with pytest.raises(OptionError, match=r"m\.partial.*the data has changed; seed was 0 and is 1.*remove that folder"):
        PartialFolder(tmp_path / "m").open({"data": "xyz", "options": {"seed": 1, "strategy": "probe"}})


def test_a_folder_that_is_no_unfinished_run_is_left_alone(tmp_path):
    (tmp_path / "m.partial").mkdir()
    (tmp_path / "m.partial" / "thesis.txt").write_text("mine")
    with pytest.raises(OptionError, match="the folder exists and is no unfinished run"):
        PartialFolder(tmp_path / "m").open(FACTS)


def test_an_existing_model_needs_overwrite_and_stays_until_the_new_one_is_whole(tmp_path):
    old = tmp_path / "m"
    old.mkdir()
    (old / "manifest.json").write_text("old")
    with pytest.raises(OptionError, match="the model folder exists.*--overwrite"):
        PartialFolder(old)
    work = PartialFolder(old, overwrite="model")
    work.open(FACTS)
    (work.model / "manifest.json").write_text("new")
    assert (old / "manifest.json").read_text() == "old"
    work.close()
    assert (old / "manifest.json").read_text() == "new"
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith("m")] == ["m"]


def test_something_that_is_no_model_is_never_replaced(tmp_path):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "photo.jpg").write_text("mine")
    with pytest.raises(OptionError, match="is no model folder, so it is never replaced"):
        PartialFolder(tmp_path / "m", overwrite="model")


def test_a_place_that_cannot_be_made_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ArtifactError, match="the model folder cannot be written"):
        PartialFolder(tmp_path / "file" / "m").open(FACTS)


def test_a_run_that_decided_nothing_leaves_nothing_and_is_in_nobodys_way(tmp_path):
    first = PartialFolder(tmp_path / "m")
    first.open(FACTS)
    first.leave()
    assert list(tmp_path.iterdir()) == []


def test_a_record_that_was_never_finished_counts_as_not_written(tmp_path):
    for text in ("", "{}", "[1]"):
        (tmp_path / "m.partial").mkdir(exist_ok=True)
        (tmp_path / "m.partial" / "run.json").write_text(text)
        work = PartialFolder(tmp_path / "m")
        work.open(FACTS)
        work.leave()


def test_two_processes_never_work_on_one_model(tmp_path):
    first = PartialFolder(tmp_path / "m")
    first.open(FACTS)
    with pytest.raises(OptionError, match="another process is working on this model"):
        PartialFolder(tmp_path / "m").open(FACTS)
    first.leave()
    second = PartialFolder(tmp_path / "m")
    second.open(FACTS)
    second.leave()


def test_a_model_that_appeared_meanwhile_is_not_replaced(tmp_path):
    work = PartialFolder(tmp_path / "m")
    work.open(FACTS)
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "manifest.json").write_text("theirs")
    with pytest.raises(OptionError, match="the model folder exists"):
        work.close()
    assert (tmp_path / "m" / "manifest.json").read_text() == "theirs"
    work.leave()


@pytest.mark.parametrize("name", ["", ".", "/", "a/.."])
def test_a_name_that_names_nothing_new_is_refused(name):
    with pytest.raises(OptionError, match="expected the name of a folder to make"):
        PartialFolder(Path(name))


def test_a_disk_that_fills_up_is_one_line(tmp_path, monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    work = PartialFolder(tmp_path / "m")
    work.open(FACTS)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        with pytest.raises(ArtifactError, match="the disk is full"):
            work.decide("outer folds", lambda: 7)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", full)
        with pytest.raises(ArtifactError, match="the disk is full"):
            work.close()
    work.leave()


def test_a_run_with_a_checkpoint_stays_and_another_is_refused(tmp_path):
    first = PartialFolder(tmp_path / "m")
    first.open(FACTS)
    (first.folder / "training" / "ab").mkdir(parents=True)
    (first.folder / "training" / "ab" / "checkpoint.json").write_text("{}")
    first.leave()
    with pytest.raises(OptionError, match="seed was 0 and is 1"):
        PartialFolder(tmp_path / "m").open({"data": "abc", "options": {"seed": 1, "strategy": "probe"}})
    second = PartialFolder(tmp_path / "m")
    second.open(FACTS)
    assert (second.folder / "training" / "ab" / "checkpoint.json").is_file()
    (second.model / "manifest.json").write_text("{}")
    second.close()
    assert [p.name for p in (tmp_path / "m").iterdir()] == ["manifest.json"]


def test_a_process_killed_while_it_started_is_in_nobodys_way(tmp_path):
    (tmp_path / "m.partial" / "model").mkdir(parents=True)
    (tmp_path / "m.partial" / "lock").write_text("")
    (tmp_path / "m.partial" / "run.tmp").write_text("{")
    work = PartialFolder(tmp_path / "m")
    work.open(FACTS)
    work.leave()
    assert list(tmp_path.iterdir()) == []


def test_a_half_written_model_of_a_killed_process_counts_for_nothing(tmp_path):
    first = PartialFolder(tmp_path / "m")
    first.open(FACTS)
    first.decide("outer folds", lambda: 7)
    (first.model / "assets").mkdir()
    (first.model / "weights.safetensors").write_text("half")
    first.leave()
    second = PartialFolder(tmp_path / "m")
    second.open(FACTS)
    assert list(second.model.iterdir()) == []
    second.leave()


def test_what_a_process_killed_after_it_finished_left_behind_belongs_to_no_run(tmp_path):
    first = PartialFolder(tmp_path / "m")
    first.open(FACTS)
    first.decide("outer folds", lambda: 7)
    (first.folder / "training" / "ab").mkdir(parents=True)
    (first.folder / "training" / "ab" / "checkpoint.json").write_text("{}")
    first.leave()
    first.model.rename(tmp_path / "m")
    (tmp_path / "m" / "manifest.json").write_text("old")
    other = {"data": "xyz", "options": {}}
    second = PartialFolder(tmp_path / "m", overwrite="model")
    second.open(other)
    assert second.decide("outer folds", lambda: 9) == 9
    assert not (second.folder / "training").exists()
    second.leave()
