"""Training on another language or domain besides: from a second data set, or from the other domains of the same."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import headstart
from headstart import FitOptions, Reading
from headstart.data import Dataset, Plan, plan_split
from headstart.errors import DataError, OptionError
from headstart.pipeline._source import read_source, said_of, with_source
from headstart.search import _source
from tests.conftest import make_image, make_label_sets, make_texts
from tests.pipeline.test_fit import write
from tests.tagged import make_easy, write_conll

TOY = FitOptions(backbones=("toy:text",), offline=True, strategy="probe", proof="none")
PARTS = ["train"] * 12 + ["test"] * 148


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return write(tmp_path / "target.csv", *make_texts(160), split=PARTS)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write(tmp_path / "source.csv", *make_texts(150, seed=1), split=["train"] * 140 + ["test"] * 10)


def domains(path: Path, *, n: int = 60, names: Sequence[str] = ("news", "mail"), **columns: list[str]) -> Path:
    texts, labels = make_texts(n)
    more, others = make_texts(150, seed=1)
    domain = [names[0]] * n + [names[1]] * 150
    return write(path, texts + more, labels + others, domain=domain, **columns)


def test_a_source_trains_too_and_its_worth_is_told(target, source, tmp_path):
    said: list[str] = []
    result = headstart.fit(target, tmp_path / "m", options=replace(TOY, source=source), say=said.append)
    assert "From source.csv 140 examples train too; only the target is held out or scored." in said
    told = result.to_dict()["source"]
    assert (told["shipped"], told["n"], told["helped"]) == ("source and target", 140, True)
    assert told["other"]["difference_interval"][0] > 0
    assert result.outcome.score.n == 148
    saved = headstart.load(tmp_path / "m")
    assert saved.evaluation["source"]["helped"] is True
    assert len(saved.data["items"]) == 160
    assert (saved.data["lent"]["source"], len(saved.data["lent"]["items"])) == ("source.csv", 140)
    (note,) = headstart.evaluate(tmp_path / "m", source).notes or ("",)
    assert "too good" not in note  # its test part was not trained on
    texts, labels = make_texts(140, seed=1)
    (note,) = headstart.evaluate(tmp_path / "m", write(tmp_path / "again.csv", texts, labels)).notes
    assert note.startswith("140 of these 140 items were in the model's training part")


def test_a_source_that_hurts_is_not_in_the_model(tmp_path):
    target = write(tmp_path / "target.csv", *make_texts(160), split=["train"] * 40 + ["test"] * 120)
    texts, labels = make_texts(150, seed=1)
    wrong = write(tmp_path / "wrong.csv", texts, labels[1:] + labels[:1])
    result = headstart.fit(target, tmp_path / "m", options=replace(TOY, source=wrong))
    assert result.outcome.source.shipped == "target only"
    assert result.outcome.source.helped is False
    assert "lent" not in headstart.load(tmp_path / "m").data


def test_one_domain_of_the_data_is_the_target_and_the_others_are_the_source(tmp_path):
    split = PARTS + ["train"] * 120 + ["test"] * 30
    said: list[str] = []
    data = domains(tmp_path / "all.csv", n=160, split=split)
    result = headstart.fit(data, tmp_path / "m", options=replace(TOY, target_domain="news"), say=said.append)
    assert "Target: domain 'news', 160 examples." in said
    assert "Test examples of other domains, not used: 30." in said
    assert "From the other domains (mail) 120 examples train too; only the target is held out or scored." in said
    assert (result.outcome.score.n, result.outcome.source.n) == (148, 120)


def test_without_a_split_only_the_target_is_cut_into_folds(tmp_path):
    result = headstart.fit(domains(tmp_path / "all.csv"), tmp_path / "m", options=replace(TOY, target_domain="news"))
    assert (result.outcome.score.how, result.outcome.score.n) == ("cv", 60)


def test_classes_are_those_of_both_and_copies_of_the_target_are_not_lent(target, tmp_path):
    texts, _ = make_texts(160)
    more, labels = make_texts(90, seed=1)
    source = write(tmp_path / "s.csv", texts[:20] + more, ["other"] * 20 + ["fourth"] * 30 + labels[30:])
    said: list[str] = []
    result = headstart.fit(target, tmp_path / "m", options=replace(TOY, source=source), say=said.append)
    assert "Left out of s.csv, as copies of items of the target: 20." in said
    assert "fourth" in result.outcome.model.task.classes
    assert result.outcome.source.n == 90


def test_auroc_of_a_class_that_only_the_source_has_is_refused_before_any_compute(target, tmp_path):
    texts, labels = make_texts(60, seed=1)
    source = write(tmp_path / "s.csv", texts, ["fourth"] * 30 + labels[30:])
    with pytest.raises(OptionError, match="found 0 of 'fourth'"):
        headstart.fit(target, tmp_path / "m", options=replace(TOY, source=source, metric="auroc"))


def test_entities_of_another_domain_teach_types_that_few_texts_lack(tmp_path):
    words, tags = make_easy(12)
    tags = [["O" if "LOC" in tag else tag for tag in row] for row in tags]
    write_conll(tmp_path / "t" / "train.conll", words, tags)
    write_conll(tmp_path / "t" / "test.conll", *make_easy(40, seed=1))
    write_conll(tmp_path / "s" / "train.conll", *make_easy(150, seed=2))
    options = replace(TOY, source=tmp_path / "s")
    result = headstart.fit(tmp_path / "t", tmp_path / "m", options=options)
    assert result.outcome.model.task.types == ("LOC", "PER")
    assert result.outcome.source.n == 150
    assert result.entities.drawn == 40


@pytest.mark.parametrize("kind", ["multilabel", "regression"])
def test_labels_and_values_are_lent_too(kind, tmp_path):
    def data(name: str, n: int, seed: int) -> Path:
        texts, labels = make_label_sets(n, seed=seed) if kind == "multilabel" else make_texts(n, seed=seed)
        numbers = {"animals": "1.5", "food": "2.5", "weather": "4.5"}
        return write(tmp_path / name, texts, labels if kind == "multilabel" else [numbers[each] for each in labels])

    reading = Reading(task=kind)
    options = replace(TOY, source=data("s.csv", 120, 1))
    result = headstart.fit(data("t.csv", 40, 0), tmp_path / "m", reading=reading, options=options)
    assert result.outcome.score.n == 40
    assert 110 < result.outcome.source.n <= 120  # of which a few say the same


def read_both(data: Path, options: FitOptions, **reading: str) -> list[str]:
    """Everything that is said before any compute of a target and its source."""
    how = Reading(**reading)
    dataset, lent = read_source(how.load(data), how, options)

    def split(target: Dataset, *, taught: Sequence[str] = ()) -> Plan:
        return plan_split(target, seed=0, taught=taught)

    plan, _, _ = with_source(dataset, lent, split, shared_groups=options.target_domain is not None)
    return [*plan.notes, *said_of(lent)]


def test_groups_that_are_scored_do_not_train_in_another_domain(tmp_path):
    def patients(n: int) -> list[str]:
        return [f"p{i % 20}" for i in range(n)]

    split = ["train" if i % 20 < 12 else "test" for i in range(60)] + ["train"] * 150
    data = domains(tmp_path / "all.csv", split=split, group=patients(60) + patients(150))
    said = read_both(data, replace(TOY, target_domain="news"))
    assert "From the other domains (mail) 94 examples train too; only the target is held out or scored." in said
    assert "Left out of the other domains (mail), as of groups that are scored: 56." in said


def test_a_source_that_is_the_data_is_refused(target):
    with pytest.raises(DataError, match=r"found only copies of the target \(12\) and groups that are scored \(0\)"):
        headstart.fit(target, target.parent / "m", options=replace(TOY, source=target))


def test_labels_of_copies_that_are_not_lent_teach_nothing(tmp_path):
    texts, labels = make_texts(40)
    data = write(tmp_path / "t.csv", texts, [*labels[:39], "rare"], split=["train"] * 20 + ["test"] * 20)
    more, others = make_texts(30, seed=1)
    source = write(tmp_path / "s.csv", [*more, texts[39]], [*others, "rare"])
    with pytest.raises(DataError, match="found 'rare' in the test part alone"):
        headstart.fit(data, tmp_path / "m", options=replace(TOY, source=source))


def test_names_that_only_the_source_has_are_said(target, tmp_path):
    texts, labels = make_texts(60, seed=1)
    some = write(tmp_path / "some.csv", texts, ["other"] * 30 + labels[30:])
    assert "In some.csv alone: classes 'other'." in read_both(target, replace(TOY, source=some))
    none = write(tmp_path / "none.csv", texts, [label.upper() for label in labels])
    (warning,) = (line for line in read_both(target, replace(TOY, source=none)) if line.startswith("Warning"))
    assert "none.csv has none of the target's classes, but 'ANIMALS', 'FOOD', 'WEATHER'." in warning


def test_types_that_the_source_does_not_mark_are_said(tmp_path):
    data = write_conll(tmp_path / "t.conll", *make_easy(30))
    words, tags = make_easy(30, seed=1)
    source = write_conll(tmp_path / "s.conll", words, [["O" if "LOC" in tag else tag for tag in row] for row in tags])
    said = read_both(data, replace(TOY, source=source))
    assert "Not marked in s.conll, which so teaches that there are none: types 'LOC'." in said


def test_how_the_source_was_read_is_said_and_what_looks_wrong_in_it(tmp_path):
    data = write_conll(tmp_path / "t.conll", *make_easy(30))
    words, tags = make_easy(30, seed=1)
    tags[0][0], tags[1] = "E-PER", [tag.replace("B-", "I-") for tag in tags[1]]
    source = write_conll(tmp_path / "s.conll", words, tags)
    with pytest.raises(DataError, match=r"s\.conll:1"):
        read_both(data, replace(TOY, source=source))
    tags[0][0] = "O"
    write_conll(source, [*words, words[0]], [*tags, ["B-LOC", *tags[0][1:]]])
    said = read_both(data, replace(TOY, source=source))
    assert "s.conll: Tags in s.conll: IOB2." in said
    assert any(line.startswith("s.conll: Impossible tag sequences in s.conll") for line in said)
    assert any(line.startswith("s.conll: Warning") and "the same text with different tags: 1" in line for line in said)


def test_a_model_that_was_trained_on_a_source_is_continued_without_it_and_that_is_said(target, source, tmp_path):
    headstart.fit(target, tmp_path / "m", options=replace(TOY, source=source))
    said: list[str] = []
    options = replace(TOY, backbones=(), continue_from=str(tmp_path / "m"))
    result = headstart.fit(target, tmp_path / "m2", options=options, say=said.append)
    assert any(line.endswith("m was trained on 140 examples of source.csv too, and this is not.") for line in said)
    assert result.continued.difference < 0


def test_copies_of_the_test_part_in_the_source_are_not_taken_for_training(target, source, tmp_path):
    texts, labels = make_texts(160)
    more, others = make_texts(60, seed=1)
    both = write(tmp_path / "both.csv", more + texts[100:], others + labels[100:])
    result = headstart.fit(target, tmp_path / "m", options=replace(TOY, source=both))
    assert (result.outcome.source.shipped, result.outcome.source.n) == ("source and target", 60)
    assert len(headstart.load(tmp_path / "m").data["lent"]["items"]) == 60
    assert headstart.evaluate(tmp_path / "m", target).notes == ()


def test_a_source_with_nothing_but_a_test_part_is_used_whole(target, tmp_path):
    whole = write(tmp_path / "s.csv", *make_texts(90, seed=1), split=["test"] * 90)
    assert headstart.fit(target, tmp_path / "m", options=replace(TOY, source=whole)).outcome.source.n == 90


def test_a_killed_fit_goes_on_with_the_same_source_and_not_with_another(target, source, tmp_path, monkeypatch):
    whole = headstart.fit(target, tmp_path / "whole", options=replace(TOY, source=source))

    def killed(*_: object, **__: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(_source, "_race", killed)
        with pytest.raises(SystemExit):
            headstart.fit(target, tmp_path / "m", options=replace(TOY, source=source))
    other = write(tmp_path / "other.csv", *make_texts(30, seed=2))
    with pytest.raises(OptionError, match="source was"):
        headstart.fit(target, tmp_path / "m", options=replace(TOY, source=other))
    resumed = headstart.fit(target, tmp_path / "m", options=replace(TOY, source=source))
    assert resumed.outcome.score == whole.outcome.score
    assert resumed.outcome.source.other.difference == whole.outcome.source.other.difference


def test_a_source_of_something_else_is_refused(target, tmp_path):
    (tmp_path / "s" / "a").mkdir(parents=True)
    (tmp_path / "s" / "b").mkdir()
    for name in ("a", "b"):
        make_image((100, 100, 100), seed=1).save(tmp_path / "s" / name / "x.png")
    with pytest.raises(DataError, match="expected a source of text like the data, found image"):
        headstart.fit(target, tmp_path / "m", options=replace(TOY, source=tmp_path / "s"))


def test_a_source_of_another_task_is_refused_by_its_name(target, tmp_path):
    tagged = write_conll(tmp_path / "s.conll", *make_easy(5))
    with pytest.raises(DataError, match=r"s\.conll: expected a source of text-classification like the data: task"):
        headstart.fit(target, tmp_path / "m", options=replace(TOY, source=tagged))


def test_a_target_domain_without_training_examples_is_refused(tmp_path):
    data = domains(tmp_path / "all.csv", split=["test"] * 60 + ["train"] * 150)
    with pytest.raises(DataError, match="expected some training examples of domain 'news', found only its test part"):
        headstart.fit(data, tmp_path / "m", options=replace(TOY, target_domain="news"))


def test_a_source_without_labels_is_refused(target, tmp_path):
    (tmp_path / "s.txt").write_text("one\ntwo\n")
    with pytest.raises(DataError, match="expected labelled data"):
        headstart.fit(target, tmp_path / "m", options=replace(TOY, source=tmp_path / "s.txt"))


def test_a_domain_needs_a_column_its_name_and_others(target, tmp_path):
    with pytest.raises(DataError, match="expected a column 'domain'"):
        headstart.fit(target, tmp_path / "m", options=replace(TOY, target_domain="news"))
    data = domains(tmp_path / "all.csv")
    with pytest.raises(DataError, match="expected examples of domain 'law', found 'mail', 'news'"):
        headstart.fit(data, tmp_path / "m", options=replace(TOY, target_domain="law"))
    alone = domains(tmp_path / "one.csv", names=("news", "news"))
    with pytest.raises(DataError, match="of other domains besides 'news', found none"):
        headstart.fit(alone, tmp_path / "m", options=replace(TOY, target_domain="news"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"source": "a", "target_domain": "b"}, "expected one source, found --source and --target-domain"),
        ({"source": "a", "continue_from": "m"}, "--source does not go with --continue-from"),
        ({"target_domain": "a", "continue_from": "m"}, "--target-domain does not go with --continue-from"),
    ],
)
def test_options_that_do_not_go_together_are_refused(given, message, tmp_path):
    with pytest.raises(OptionError, match=message):
        headstart.fit(tmp_path / "none.csv", tmp_path / "m", options=replace(TOY, **given))


def test_what_is_recorded_of_the_source_is_its_name_and_not_its_place(target, source, tmp_path):
    headstart.fit(target, tmp_path / "m", options=replace(TOY, source=source))
    for path in (tmp_path / "m").glob("*.json"):
        assert str(tmp_path) not in json.dumps(json.loads(path.read_text()))
