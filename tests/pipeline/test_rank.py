"""Rank end to end on toy backbones: which part of the data is looked at, which candidates, and a fit that follows."""

import time
from dataclasses import replace

import numpy as np
import pytest

import headstart
from headstart import FitOptions, RankOptions, Reading, backbones
from headstart.errors import BackboneError, DataError, OptionError
from headstart.features import FeatureSource
from headstart.pipeline import _rank, _shortlist
from tests.conftest import make_texts
from tests.pipeline.test_curve import write


def candidates(n):
    toy = backbones.load("toy:text")
    return (toy, *(replace(backbones.from_scratch(toy, seed=k), name=f"other {k}") for k in range(1, n)))


TOYS = RankOptions(backbones=candidates(3), offline=True)


def test_candidates_come_best_first_with_everything_a_script_needs(texts_csv, tmp_path):
    result = headstart.rank(texts_csv, tmp_path / "r.png", options=TOYS)
    values = result.to_dict()
    assert values["task"] == "text-classification"
    assert values["n"] == 90
    assert values["signal"] is True
    scores = [each["score"] for each in values["candidates"]]
    assert scores == sorted(scores, reverse=True)
    needed = {"name", "score", "interval", "p_top3", "tie", "seconds", "megabytes", "error", "milliseconds"}
    for each in values["candidates"]:
        assert needed | {"memory_megabytes", "licence", "similarity", "prior", "scores", "view"} <= set(each)
    assert values["shortlist"] == [each["name"] for each in values["candidates"]]
    assert (tmp_path / "r.png").read_bytes().startswith(b"\x89PNG")


def test_the_part_that_a_fit_would_score_is_not_looked_at(tmp_path, monkeypatch):
    seen, features = [], FeatureSource.features

    def spy(self, backbone, dataset, **more):
        seen.extend(dataset.items)
        return features(self, backbone, dataset, **more)

    monkeypatch.setattr(FeatureSource, "features", spy)
    texts, labels = make_texts(60)
    folder = tmp_path / "data"
    write(folder / "train.csv", texts[:40], labels[:40])
    write(folder / "test.csv", texts[40:], labels[40:])
    result = headstart.rank(folder, options=TOYS)
    assert result.ranking.n == len(set(texts[:40]) & set(seen)) == 40
    assert not set(seen) & set(texts[40:])


def test_a_fit_afterwards_computes_nothing_of_the_training_part_again(texts_csv, tmp_path):
    headstart.rank(texts_csv, options=TOYS)
    options = FitOptions(backbones=TOYS.backbones, offline=True, strategy="probe()", proof="none")
    assert headstart.fit(texts_csv, tmp_path / "m", options=options).feature_seconds == 0.0


def test_of_more_than_three_candidates_a_fit_tries_the_best_three_and_says_what_each_reached(texts_csv, tmp_path):
    said = []
    options = FitOptions(backbones=("dir:gone", *candidates(5)), offline=True, proof="none")
    result = headstart.fit(texts_csv, tmp_path / "m", options=options, say=said.append)
    order = [row["name"] for row in result.ranking if row["error"] is None]
    assert len(order) == 5
    assert {rung.backbone for rung in result.outcome.rungs} == set(order[:3])
    assert f"Shortlist: {', '.join(order[:3])}." in said
    assert any(line.startswith("Left out: dir:gone: gone: there is no such folder") for line in said)
    assert "The shortlist was made once, on all examples: the score may be a little too good." in said
    found = {each["name"]: each for each in result.to_dict()["candidates"]}
    assert set(found) == {*order, "dir:gone"}
    assert [each["chosen"] for each in found.values()] == [True] + [False] * 5
    assert all(found[name]["reached"][0]["rung"] == "probe()" for name in order[:3])
    assert sum(len(found[name]["reached"]) > 1 for name in order[:3]) == 2
    assert all(found[name]["reached"] == [] for name in [*order[3:], "dir:gone"])
    assert found["dir:gone"]["ranking"]["error"].startswith("gone: there is no such folder")


def test_three_candidates_are_all_tried_without_a_ranking(texts_csv, tmp_path):
    options = FitOptions(backbones=candidates(3), offline=True, strategy="probe()", proof="none")
    result = headstart.fit(texts_csv, tmp_path / "m", options=options)
    assert result.ranking == ()
    assert len(result.outcome.rungs) == 3


def test_an_interrupted_fit_goes_on_with_the_shortlist_it_had(texts_csv, tmp_path, monkeypatch):
    options = FitOptions(backbones=candidates(5), offline=True, strategy="probe()", proof="none")
    with monkeypatch.context() as patch:
        patch.setattr("headstart.pipeline._fit.climb", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            headstart.fit(texts_csv, tmp_path / "m", options=options)

    def never(*_, **__):
        raise AssertionError("ranked again")

    monkeypatch.setattr(_shortlist, "rank", never)
    result = headstart.fit(texts_csv, tmp_path / "m", options=options)
    assert len(result.outcome.rungs) == 3
    assert len(result.ranking) == 5


def test_what_a_ranking_said_is_said_again_where_its_fit_goes_on(texts_csv, tmp_path, monkeypatch):
    """Else the model of a resumed run would know less of itself than that of one in a piece."""
    noted = []

    def rank(*words, **more):
        noted.append(replace(ran(*words, **more), notes=("No detectable signal.",)))
        return noted[-1]

    ran = _shortlist.rank
    monkeypatch.setattr(_shortlist, "rank", rank)
    options = FitOptions(backbones=("dir:gone", *candidates(4)), offline=True, strategy="probe()", proof="none")
    with monkeypatch.context() as patch:
        patch.setattr("headstart.pipeline._fit.climb", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            headstart.fit(texts_csv, tmp_path / "m", options=options)
    resumed = headstart.fit(texts_csv, tmp_path / "m", options=options)
    assert len(noted) == 1
    assert "No detectable signal." in resumed.notes
    assert any(note.startswith("Left out: dir:gone: ") for note in resumed.notes)
    whole = headstart.fit(texts_csv, tmp_path / "n", options=options)
    assert whole.notes == resumed.notes


def test_an_interrupt_while_candidates_are_ranked_ends_a_fit_and_records_nothing(texts_csv, tmp_path, monkeypatch):
    ran = _shortlist.rank
    monkeypatch.setattr(_shortlist, "rank", lambda *a, **k: replace(ran(*a, **k), interrupted=True))
    options = FitOptions(backbones=candidates(4), offline=True, strategy="probe()", proof="none")
    with pytest.raises(KeyboardInterrupt):
        headstart.fit(texts_csv, tmp_path / "m", options=options)
    assert not (tmp_path / "m.partial").exists()


def test_candidates_that_were_all_broken_may_be_mended_and_the_command_repeated(texts_csv, tmp_path):
    names = tuple(f"dir:{tmp_path / name}" for name in "abcd")
    options = FitOptions(backbones=names, offline=True, strategy="probe()", proof="none")
    with pytest.raises(BackboneError, match="no candidate could be looked at"):
        headstart.fit(texts_csv, tmp_path / "m", options=options)
    for name in "ab":
        backbones.write_folder(backbones.load("toy:text"), tmp_path / name)
    assert len(headstart.fit(texts_csv, tmp_path / "m", options=options).outcome.rungs) == 2


def test_half_of_the_time_is_left_for_what_follows_the_ranking(texts_csv, tmp_path, monkeypatch):
    until, ran = [], _shortlist.rank

    def rank(*words, **more):
        until.append(more["until"] - time.monotonic())
        return ran(*words, **more)

    monkeypatch.setattr(_shortlist, "rank", rank)
    options = FitOptions(backbones=candidates(4), budget=1000.0, offline=True, strategy="probe()", proof="none")
    headstart.fit(texts_csv, tmp_path / "m", options=options)
    assert 480 < until[0] <= 500


def test_two_candidates_of_one_name_are_refused(texts_csv, tmp_path):
    two = (*candidates(2), replace(candidates(2)[1]))
    with pytest.raises(
        OptionError, match="--backbone: expected candidates of different names, found 2 called 'other 1'"
    ):
        headstart.fit(texts_csv, tmp_path / "m", options=FitOptions(backbones=two))
    with pytest.raises(OptionError, match="found 2 called 'other 1'"):
        headstart.rank(texts_csv, options=RankOptions(backbones=two))


def test_a_device_that_is_not_there_is_an_error_and_not_one_of_every_candidate(texts_csv, tmp_path):
    with pytest.raises(OptionError, match="device 'tpu' is not available"):
        headstart.rank(texts_csv, options=RankOptions(backbones=candidates(2), device="tpu"))
    many = FitOptions(backbones=candidates(4), offline=True, device="tpu")
    with pytest.raises(OptionError, match="device 'tpu' is not available"):
        headstart.fit(texts_csv, tmp_path / "m", options=many)


def test_loaded_candidates_are_ranked_on_the_device_that_a_fit_uses(texts_csv, monkeypatch):
    moved = []
    monkeypatch.setattr(backbones.Backbone, "to", lambda self, device: moved.append(self.name) or self)
    headstart.rank(texts_csv, options=TOYS)
    assert moved == [each.name for each in TOYS.backbones]


def test_a_network_named_after_its_last_block_is_a_candidate_like_another(texts_csv, tmp_path):
    last = f"toy:text#{backbones.load('toy:text').cuts[-1]}"
    options = FitOptions(backbones=(last, *candidates(4)[1:]), offline=True, strategy="probe()", proof="none")
    result = headstart.fit(texts_csv, tmp_path / "m", options=options)
    assert last in {each["name"] for each in result.to_dict()["candidates"]}
    assert {rung.backbone for rung in result.outcome.rungs} <= set(map(str, (last, "other 1", "other 2", "other 3")))


def test_a_fit_with_only_broken_candidates_ends_with_the_first_error(texts_csv, tmp_path):
    few = FitOptions(backbones=("dir:a", "dir:b"), offline=True)
    with pytest.raises(BackboneError, match="^a: there is no such folder"):
        headstart.fit(texts_csv, tmp_path / "m", options=few)
    many = FitOptions(backbones=("dir:a", "dir:b", "dir:c", "dir:d"), offline=True)
    with pytest.raises(BackboneError, match="^dir:a: no candidate could be looked at; the first: a: there is no such"):
        headstart.fit(texts_csv, tmp_path / "n", options=many)


def test_of_few_candidates_the_broken_are_left_out_too(texts_csv, tmp_path):
    said = []
    options = FitOptions(backbones=("dir:a", "toy:image", "toy:text"), offline=True, strategy="probe()", proof="none")
    result = headstart.fit(texts_csv, tmp_path / "m", options=options, say=said.append)
    assert [rung.backbone for rung in result.outcome.rungs] == ["toy:text"]
    assert any(line.startswith("Left out: a: there is no such folder") for line in said)
    assert any(note.startswith("Left out: a: there is no such folder") for note in result.notes)
    assert any(line.startswith("Left out: --backbone: toy:image reads image and the data is text") for line in said)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (RankOptions(backbones=("bert",)), "'bert' is not the full name of a backbone"),
        (RankOptions(max_size=0.0), "--max-size: expected a number above zero, found 0"),
        (RankOptions(max_latency=-1.0), "--max-latency: expected a number above zero, found -1"),
        (RankOptions(download=True, offline=True), "--download needs a connection, and --offline opens none"),
    ],
)
def test_options_are_refused_before_anything_is_read(options, words):
    with pytest.raises((BackboneError, OptionError), match=words):
        headstart.rank("there is no such data", options=options)


def test_without_names_the_networks_on_this_machine_are_ranked_and_the_others_counted(texts_csv, monkeypatch):
    known = [c.name for c in backbones.catalogue() if c.modality == "text"]

    def locate(name, *, offline):
        assert offline
        if name != known[1]:
            raise BackboneError("not in the local cache", where=name)

    monkeypatch.setattr(_rank.backbones, "locate", locate)
    toy = replace(backbones.load("toy:text"), name=known[1])
    monkeypatch.setattr(_rank, "load_one", lambda name, *_, **__: toy)
    result = headstart.rank(texts_csv)
    assert [each.name for each in result.ranking.candidates] == [known[1]]
    assert result.elsewhere == tuple(name for name in known if name != known[1])
    everything = headstart.rank(texts_csv, options=RankOptions(download=True))
    assert len(everything.ranking.candidates) == len(known)
    assert everything.elsewhere == ()


def test_where_no_network_is_on_this_machine_that_is_said_with_what_to_do(texts_csv, monkeypatch):
    def locate(name, *, offline):
        raise BackboneError("not in the local cache", where=name)

    monkeypatch.setattr(_rank.backbones, "locate", locate)
    with pytest.raises(OptionError, match="no text backbone is installed on this machine"):
        headstart.rank(texts_csv)


def test_data_without_labels_is_refused(tmp_path):
    path = tmp_path / "texts.csv"
    path.write_text("text\n" + "\n".join(make_texts(20)[0]) + "\n")
    with pytest.raises(DataError, match="expected a column 'label'"):
        headstart.rank(path, options=TOYS)


def test_groups_are_ranked_whole(tmp_path):
    texts, labels = make_texts(60)
    path = write(tmp_path / "texts.csv", texts, labels, patient=np.arange(60) // 3)
    result = headstart.rank(path, options=TOYS, reading=Reading(group="patient"))
    low, high = result.ranking.candidates[0].interval
    assert low < high


def test_what_the_ranking_found_is_among_the_notes(tmp_path):
    texts, labels = make_texts(60)
    path = write(tmp_path / "texts.csv", texts, list(np.random.default_rng(0).permutation(labels)))
    notes = headstart.rank(path, options=TOYS).to_dict()["notes"]
    assert any(note.startswith("No detectable signal") for note in notes)
