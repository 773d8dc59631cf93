"""From a labelled source to a model for a target without labels."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import headstart
from headstart import AdaptOptions, FitOptions, Reading
from headstart.data import Dataset
from headstart.domain_adaptation import METHODS, Decision
from headstart.errors import DataError, OptionError
from headstart.pipeline._asking import write_asked
from tests.conftest import make_image, make_texts
from tests.pipeline.test_fit import write

TOY = AdaptOptions(backbones=("toy:image",), offline=True)
TEXTS = AdaptOptions(backbones=("toy:text",), offline=True)
COLOURS = {"brick": (190, 60, 50), "leaf": (60, 170, 70), "sky": (70, 90, 200)}


def pictures(folder: Path, n: int, *, light: int = 0, seed: int = 0, per_class: bool = True) -> Path:
    """Pictures of three colours, all lighter or darker by so much."""
    for number, (name, colour) in enumerate(COLOURS.items()):
        place = folder / name if per_class else folder
        place.mkdir(parents=True, exist_ok=True)
        shade = tuple(max(0, min(255, part + light)) for part in colour)
        for i in range(n):
            make_image(shade, seed=seed + 1000 * number + i).save(place / f"{name}{i}.png")
    return folder


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return pictures(tmp_path / "source", 15)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return pictures(tmp_path / "target", 15, light=-45, seed=500)


def test_a_model_for_the_target_is_a_model_like_any_other(source, target, tmp_path):
    said: list[str] = []
    result = headstart.adapt(source, target, tmp_path / "m", options=TOY, say=said.append)
    assert f"Target: {target}, 45 examples; no label of it is used." in said
    told = result.to_dict()
    assert set(told) == {
        *("task", "backbone", "backbones", "chosen", "refused", "reason", "back", "candidates", "left_out"),
        *("n", "gap", "classes"),
        *("unlike", "labelled", "ask", "seconds", "feature_seconds", "model", "notes"),
    }
    assert told["n"] == {"source": 45, "target": 45}
    assert told["gap"]["auc"] > 0.9
    assert json.loads(json.dumps(told)) == told
    saved = headstart.load(tmp_path / "m")
    assert saved.evaluation["chosen"] == result.decision.chosen.name == told["chosen"]
    assert saved.evaluation["model"] == "m"
    assert saved.model.strategy == f"adapt(method={told['chosen']!r})"
    rows = list(headstart.predict(tmp_path / "m", [target]))
    assert [max(row["probabilities"], key=row["probabilities"].get) for row in rows] == [row["label"] for row in rows]
    scored = headstart.evaluate(tmp_path / "m", target)
    assert scored.score.n == 45
    assert scored.notes == ()
    (note,) = headstart.evaluate(tmp_path / "m", source).notes
    assert note.startswith("45 of these 45 items were in the model's training part")


def test_labels_of_the_target_are_not_looked_at(source, target, tmp_path):
    flat = pictures(tmp_path / "flat", 15, light=-45, seed=500, per_class=False)
    one, other = (headstart.adapt(source, each, tmp_path / each.name / "m", options=TOY) for each in (target, flat))
    a, b = (sorted(each.decision.chosen.predicted.tolist()) for each in (one, other))
    assert np.allclose(a, b, atol=1e-3)
    assert one.decision.chosen.name == other.decision.chosen.name


def test_the_same_again(source, target, tmp_path):
    heads = [headstart.adapt(source, target, tmp_path / name, options=TOY).decision.chosen.head for name in "ab"]
    assert np.array_equal(heads[0].weights, heads[1].weights)


def test_identical_domains_are_refused(source, tmp_path):
    result = headstart.adapt(source, source, tmp_path / "m", options=TOY)
    assert result.decision.refused
    assert result.decision.chosen.name == "none"
    assert "cannot be told apart" in result.decision.reason
    assert "Items that are in both domains: 45." in result.notes
    assert headstart.load(tmp_path / "m").evaluation["refused"] is True


@pytest.mark.parametrize("name", METHODS)
def test_a_method_that_is_asked_for_is_applied(name, source, target, tmp_path):
    result = headstart.adapt(source, target, tmp_path / "m", options=replace(TOY, methods=(name,)))
    assert result.decision.chosen.name == name
    assert not result.decision.refused
    assert result.decision.reason == f"{name} was asked for (--method)."
    assert len(list(headstart.predict(tmp_path / "m", [target]))) == 45


def test_the_network_of_lower_held_out_loss_on_the_source_is_taken(source, target, tmp_path):
    two = replace(TOY, backbones=("toy:image", "toy:image#conv1"))
    result = headstart.adapt(source, target, tmp_path / "m", options=two)
    assert set(result.adapted.losses) == {"toy:image", "toy:image#conv1"}
    assert result.backbone == min(result.adapted.losses, key=result.adapted.losses.__getitem__)


def test_two_domains_of_one_data_set(tmp_path):
    texts, labels = make_texts(60)
    more, others = make_texts(60, seed=1)
    path = write(tmp_path / "all.csv", texts + more, labels + others, domain=["news"] * 60 + ["mail"] * 60)
    options = replace(TEXTS, source_domain="news", target_domain="mail")
    result = headstart.adapt(path, None, tmp_path / "m", options=options)
    assert result.to_dict()["n"] == {"source": 60, "target": 60}
    assert len(headstart.load(tmp_path / "m").data["items"]) == 60


def test_test_examples_of_the_source_do_not_train(tmp_path):
    texts, labels = make_texts(80)
    path = write(tmp_path / "s.csv", texts, labels, split=["train"] * 60 + ["test"] * 20)
    target = write(tmp_path / "t.csv", *make_texts(40, seed=1))
    assert headstart.adapt(path, target, tmp_path / "m", options=TEXTS).to_dict()["n"]["source"] == 60


@pytest.mark.parametrize(
    ("names", "target", "problem"),
    [
        ((None, None), None, "expected either --target, or --source-domain and --target-domain"),
        (("news", None), None, "expected either --target, or --source-domain and --target-domain"),
        (("news", "mail"), "t.csv", "expected either --target, or --source-domain and --target-domain"),
        (("news", None), "t.csv", "expected either --target, or --source-domain and --target-domain"),
        (("news", "web"), None, "expected two different domains, 'news' and 'web', found 'mail', 'news'"),
        (("news", "news"), None, "expected two different domains, 'news' and 'news', found 'mail', 'news'"),
    ],
)
def test_domains_that_are_not_told(names, target, problem, tmp_path):
    texts, labels = make_texts(60)
    path = write(tmp_path / "all.csv", texts, labels, domain=["news"] * 30 + ["mail"] * 30)
    options = replace(TEXTS, source_domain=names[0], target_domain=names[1])
    with pytest.raises((OptionError, DataError), match=problem):
        headstart.adapt(path, target, tmp_path / "m", options=options)
    assert not (tmp_path / "m").exists()
    assert not (tmp_path / "m.partial").exists()


def test_domains_need_their_column(texts_csv, tmp_path):
    options = replace(TEXTS, source_domain="news", target_domain="mail")
    with pytest.raises(DataError, match="expected a column 'domain' that every example has, found none"):
        headstart.adapt(texts_csv, None, tmp_path / "m", options=options)


def test_values_have_no_classes(values_csv, texts_csv, tmp_path):
    with pytest.raises(OptionError, match="needs classes or entities, found regression"):
        headstart.adapt(values_csv, texts_csv, tmp_path / "m", reading=Reading(task="regression"), options=TEXTS)


def test_a_source_without_labels(tmp_path, texts_csv):
    lines = tmp_path / "lines.txt"
    lines.write_text("\n".join(make_texts(30)[0]), encoding="utf-8")
    with pytest.raises(DataError, match="expected labelled data, found no labels"):
        headstart.adapt(lines, texts_csv, tmp_path / "m", options=TEXTS)


def test_a_few_examples_of_the_target_are_no_neighbourhood(tmp_path, texts_csv):
    few = write(tmp_path / "few.csv", *make_texts(19))
    with pytest.raises(DataError, match="at least 20 examples of the target, found 19"):
        headstart.adapt(texts_csv, few, tmp_path / "m", options=TEXTS)


def test_a_target_that_cannot_be_read_stops_or_is_left_out(source, target, tmp_path):
    (target / "sky" / "torn.png").write_bytes(b"\x89PNG torn")
    with pytest.raises(DataError, match=r"torn\.png"):
        headstart.adapt(source, target, tmp_path / "m", options=TOY)
    said: list[str] = []
    result = headstart.adapt(
        source, target, tmp_path / "m", reading=Reading(on_error="skip"), options=TOY, say=said.append
    )
    assert result.to_dict()["n"]["target"] == 45
    assert any("torn.png" in line and line.startswith("Left out") for line in said)


def test_a_target_of_another_kind_of_item(source, texts_csv, tmp_path):
    with pytest.raises(DataError, match="expected images, found texts"):
        headstart.adapt(source, texts_csv, tmp_path / "m", options=TOY)


def test_an_unknown_method_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(OptionError, match="unknown method 'magic'") as refused:
        headstart.adapt("nowhere", "nowhere", tmp_path / "m", options=replace(TOY, methods=("magic",)))
    assert "linear_transport" in str(refused.value)


def test_the_page_shows_both_domains_before_and_after(source, target, tmp_path):
    headstart.adapt(source, target, tmp_path / "m", options=replace(TOY, methods=("coral",)))
    page = (tmp_path / "m" / "report.html").read_text(encoding="utf-8")
    assert "Adapted by coral." in page
    assert "coral was asked for (--method)." in page
    assert "Before adapting" in page
    assert "After adapting" in page
    assert all(name in page for name in COLOURS)
    command = "headstart adapt source --target target -o m --offline --method coral"
    assert all(word in page for word in command.split())
    assert "<script" not in page


def test_ways_that_train_the_last_blocks_join_by_name(source, target, tmp_path):
    said: list[str] = []
    options = replace(TOY, methods=("auto", "mcc", "finetune"))
    result = headstart.adapt(source, target, tmp_path / "m", options=options, say=said.append)
    names = [each.name for each in result.adapted.candidates]
    assert names[:2] == ["none", "standardise"]
    assert set(names) | set(result.to_dict()["left_out"]) >= {"finetune", "mcc"}
    told = {each["name"]: each for each in result.to_dict()["candidates"]}
    assert 0 <= told["mcc"]["mixval"] <= 1
    assert told["mcc"]["information"] > 0
    assert "mixval" not in told["none"]


def test_named_beside_auto_a_way_on_features_is_a_candidate_too(source, target, tmp_path):
    result = headstart.adapt(source, target, tmp_path / "m", options=replace(TOY, methods=("auto", "subspace")))
    assert "subspace" in [each.name for each in result.adapted.candidates]


def test_a_way_that_cannot_train_the_network_is_left_out_beside_others(source, target, tmp_path):
    said: list[str] = []
    options = replace(TOY, methods=("auto", "adabn"))
    result = headstart.adapt(source, target, tmp_path / "m", options=options, say=said.append)
    problem = "adabn moves BatchNorm statistics, and the blocks that train have none"
    assert result.to_dict()["left_out"] == {"adabn": problem}
    assert f"Left out: adabn, {problem}." in said
    with pytest.raises(OptionError, match="adabn moves BatchNorm statistics"):
        headstart.adapt(source, target, tmp_path / "n", options=replace(TOY, methods=("adabn",)))


def test_what_makes_clusters_is_left_out_where_classes_are_none(tmp_path):
    texts, labels = make_texts(60)
    path = write(tmp_path / "s.csv", texts, labels[::-1])  # labels that follow nothing
    target = write(tmp_path / "t.csv", [f"{text} today tomorrow" for text in make_texts(60, seed=1)[0]], labels)
    options = replace(TEXTS, methods=("none", "shot"))
    result = headstart.adapt(path, target, tmp_path / "m", options=options)
    left_out = result.to_dict()["left_out"]
    assert result.decision.refused or left_out["shot"].startswith("classes are no clusters in the source")
    assert result.decision.chosen.name == "none"


def test_a_network_that_no_longer_answers_the_source_is_no_candidate(source, target, tmp_path, monkeypatch):
    def collapsed(self, dataset, *, run):
        return np.tile([1.0, 0.0, 0.0], (len(dataset), 1))

    monkeypatch.setattr("headstart.strategies.Tuned.outputs", collapsed)
    result = headstart.adapt(source, target, tmp_path / "m", options=replace(TOY, methods=("auto", "mcc")))
    why = result.to_dict()["left_out"]["mcc"]
    assert why.startswith("it is right on 33.3% of the source it learnt from")
    assert "mcc" not in [each.name for each in result.adapted.candidates]
    assert json.loads((tmp_path / "m" / "evaluation.json").read_text(encoding="utf-8"))["left_out"] == {"mcc": why}


def test_a_way_that_trains_is_applied_where_it_is_asked_for(source, target, tmp_path):
    result = headstart.adapt(source, target, tmp_path / "m", options=replace(TOY, methods=("mcc",)))
    assert result.decision.chosen.name == "mcc"
    model = headstart.load(tmp_path / "m").model
    assert model.strategy == "adapt(method='mcc')"
    assert model.base.name == "toy:image"
    rows = list(headstart.predict(tmp_path / "m", [target]))
    names = sorted(COLOURS)
    expected = sorted(names[number] for number in result.decision.chosen.predicted.argmax(axis=1))
    assert sorted(row["label"] for row in rows) == expected
    assert "After adapting" in (tmp_path / "m" / "report.html").read_text(encoding="utf-8")


def test_nothing_is_trained_where_adapting_is_refused(source, tmp_path):
    result = headstart.adapt(source, source, tmp_path / "m", options=replace(TOY, methods=("auto", "mcc")))
    assert result.decision.refused
    assert "mcc" not in [each.name for each in result.adapted.candidates]


def labelled(table: Path, label) -> Path:
    """Fill in what `--ask` wrote."""
    with table.open(encoding="utf-8", newline="") as file:
        head, *rows = list(csv.reader(file))
    assert head == ["path", "label"]
    assert all(each == "" for _, each in rows)
    with table.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([head, *([path, label(path)] for path, _ in rows)])
    return table


def colour_of(path: str) -> str:
    return next(name for name in COLOURS if Path(path).name.startswith(name))


def test_labels_are_asked_for_and_checked(source, target, tmp_path):
    asking = replace(TOY, methods=("standardise",), ask=6)
    result = headstart.adapt(source, target, tmp_path / "m", options=asking)
    table = tmp_path / "m.ask.csv"
    assert result.asked == table
    assert result.to_dict()["ask"] == str(table)
    assert result.to_dict()["labelled"] is None
    labelled(table, colour_of)
    checked = replace(TOY, methods=("standardise",), labelled=table, ask=5)
    said: list[str] = []
    result = headstart.adapt(source, target, tmp_path / "n", options=checked, say=said.append)
    assert f"Target: {target}, 45 examples; of it 6 labels check the choice." in said
    told = result.to_dict()["labelled"]
    assert told["n"] == 6
    assert told["rival"] == "standardise"
    assert "labelled examples" in result.decision.reason
    again = (tmp_path / "n.ask.csv").read_text(encoding="utf-8").splitlines()[1:]
    asked = {line.split(",")[0] for line in table.read_text(encoding="utf-8").splitlines()[1:]}
    assert len(again) == 5
    assert not asked & {line.split(",")[0] for line in again}
    (note,) = headstart.evaluate(tmp_path / "n", target).notes
    assert note == "By 6 of these 45 items the model was chosen: the score is not that of new items."


def test_labels_that_speak_against_the_choice_turn_it(source, tmp_path, monkeypatch):
    target = pictures(tmp_path / "light", 15, light=60, seed=500)
    plain = headstart.adapt(source, target, tmp_path / "p", options=replace(TOY, methods=("none",)))
    answers = plain.decision.chosen.predicted.argmax(axis=1)
    options = replace(TOY, methods=("none", "coral"))
    other = headstart.adapt(source, target, tmp_path / "o", options=options).adapted.candidates[1]
    differ = np.flatnonzero(answers != other.predicted.argmax(axis=1))
    assert len(differ)
    names, places = sorted(COLOURS), sorted(str(path) for path in target.rglob("*.png"))
    rows = [[places[i], names[answers[i]]] for i in differ]
    table = tmp_path / "labels.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["path", "label"], *rows])
    turned = replace(options, labelled=table)
    monkeypatch.setattr("headstart.pipeline._adapting.decide", lambda pair, found, *_, **__: taken(found[1]))
    result = headstart.adapt(source, target, tmp_path / "m", options=turned)
    assert result.decision.chosen.name == "none"
    assert result.decision.refused
    named = headstart.adapt(source, target, tmp_path / "n", options=replace(turned, methods=("coral",)))
    assert named.decision.chosen.name == "coral"
    assert named.to_dict()["labelled"]["worse"] == len(differ)


def taken(candidate) -> Decision:
    return Decision(candidate, refused=False, reason="It looks better.")


def test_a_table_of_labels_is_never_written_over(source, target, tmp_path):
    (tmp_path / "m.ask.csv").write_text("path,label\n", encoding="utf-8")
    with pytest.raises(OptionError, match="is there already, and may hold labels"):
        headstart.adapt(source, target, tmp_path / "m", options=replace(TOY, ask=5))
    assert (tmp_path / "m.ask.csv").read_text(encoding="utf-8") == "path,label\n"
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (["path,label", "{0},sky", "other.png,sky"], "labels.csv:3: expected an example of the target"),
        (["path,label", "{0},moon"], "labels.csv:2: expected a class of the source, found 'moon'. Known: 'brick'"),
        (["path,label", "{0},", "{1}, "], "expected labels, found none"),
        (["path,label", "{0},sky", "{0},leaf"], "labels.csv:3: expected one label for an example, found 'leaf'"),
        (["text,label", "{0},sky"], "expected a column 'path', found 'text', 'label'"),
        (["path,colour", "{0},sky"], "expected a column 'label', found 'path', 'colour'"),
        (["path,label", "{0},sky,more"], "labels.csv:2: expected 2 fields as in the header"),
    ],
)
def test_labels_that_do_not_fit_are_refused_with_their_place(lines, problem, source, target, tmp_path):
    places = sorted(str(path) for path in target.rglob("*.png"))
    table = tmp_path / "labels.csv"
    table.write_text("\n".join(line.format(*places) for line in lines) + "\n", encoding="utf-8")
    with pytest.raises(DataError) as refused:
        headstart.adapt(source, target, tmp_path / "m", options=replace(TOY, labelled=table))
    assert problem in str(refused.value)
    assert not (tmp_path / "m.partial").exists()


@pytest.mark.parametrize("name", ["nowhere.csv", "labels.txt"])
def test_a_table_that_is_none(name, source, target, tmp_path):
    (tmp_path / "labels.txt").write_text("a", encoding="utf-8")
    with pytest.raises(DataError, match="expected a table of labels, found none"):
        headstart.adapt(source, target, tmp_path / "m", options=replace(TOY, labelled=tmp_path / name))


def test_a_number_of_questions_below_zero(tmp_path):
    with pytest.raises(OptionError, match="expected a number from 0, found -1"):
        headstart.adapt("nowhere", "nowhere", tmp_path / "m", options=replace(TOY, ask=-1))


def test_labels_compare_nothing_with_the_head_as_it_is_alone(tmp_path):
    options = replace(TOY, methods=("none",), labelled="labels.csv")
    with pytest.raises(OptionError, match="found --method none alone"):
        headstart.adapt("nowhere", "nowhere", tmp_path / "m", options=options)


def test_a_table_that_cannot_be_written_and_one_that_came_meanwhile(tmp_path):
    dataset = Dataset("text", ("a", "b"), ("1", "2"))
    with pytest.raises(OptionError, match="the examples to label"):
        write_asked(tmp_path / "no" / "t.csv", dataset, np.array([0]))
    table = tmp_path / "t.csv"
    with pytest.raises(OptionError, match="is there already, and may hold labels"):
        write_asked(table, dataset, np.array([0]), then=lambda: table.write_text("mine") and None)
    assert table.read_text() == "mine"


def test_no_method_at_all(tmp_path):
    with pytest.raises(OptionError, match="expected a method, found none"):
        headstart.adapt("nowhere", "nowhere", tmp_path / "m", options=replace(TOY, methods=()))


def test_texts_are_asked_for_as_texts(tmp_path):
    path = write(tmp_path / "s.csv", *make_texts(60))
    texts, labels = make_texts(60, seed=1)
    target = write(tmp_path / "t.csv", texts, labels)
    headstart.adapt(path, target, tmp_path / "m", options=replace(TEXTS, ask=4))
    with (tmp_path / "m.ask.csv").open(encoding="utf-8", newline="") as file:
        head, *rows = list(csv.reader(file))
    assert head == ["text", "label"]
    assert all(text in texts for text, _ in rows)


def sentences(path: Path, n: int, *, seed: int = 0, names=("Ada", "Alan")) -> Path:
    """Sentences in CoNLL columns, each with a name or without."""
    rng = np.random.default_rng(seed)
    lines = []
    for i in range(n):
        words = [str(word) for word in rng.choice(["walks", "home", "sees", "rain", "today"], size=4)]
        tags = ["O"] * 4
        if i % 2:
            words[1], tags[1] = names[i % len(names)], "B-PER"
        lines += [f"{word} {tag}" for word, tag in zip(words, tags, strict=True)] + [""]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_entities_are_adapted_on_features_of_words(tmp_path):
    source = sentences(tmp_path / "s.conll", 40)
    target = sentences(tmp_path / "t.conll", 40, seed=1, names=("Grace", "Mary"))
    result = headstart.adapt(source, target, tmp_path / "m", reading=Reading(task="tagging"), options=TEXTS)
    assert result.task == "text-tagging"
    assert {each.name for each in result.adapted.candidates} == {"none", "importance_weighting"}
    assert result.to_dict()["n"] == {"source": 40, "target": 40}
    assert set(result.compared.shares) == {"O", "B-PER", "I-PER"}
    rows = list(headstart.predict(tmp_path / "m", [target]))
    assert len(rows) == 40
    assert "I-PER" in (tmp_path / "m" / "report.html").read_text(encoding="utf-8")
    scored = headstart.evaluate(tmp_path / "m", target)
    assert scored.score.metric == "entity_f1"


def test_a_target_in_a_language_that_the_network_does_not_know_is_refused(tmp_path):
    english = ["a good film", "a bad film", "the actors are great", "the story is dull"] * 15
    arabic = ["فيلم رائع جدا", "القصة مملة للغاية", "الممثلون ممتازون", "لم يعجبني الفيلم"] * 15
    source = write(tmp_path / "s.csv", [f"{text} {i}" for i, text in enumerate(english)], ["good", "bad"] * 30)
    target = write(tmp_path / "t.csv", [f"{text} {i}" for i, text in enumerate(arabic)], ["good", "bad"] * 30)
    options = AdaptOptions(offline=True)
    result = headstart.adapt(source, target, tmp_path / "m", options=options)
    assert result.decision.refused
    assert result.decision.reason.startswith("The network does not know the target's language: its tokenizer breaks up")
    named = headstart.adapt(source, target, tmp_path / "n", options=replace(options, methods=("coral",)))
    assert named.decision.chosen.name == "coral"


def test_a_way_that_trains_needs_classes(tmp_path):
    source = sentences(tmp_path / "s.conll", 40)
    options = replace(TEXTS, methods=("mcc",))
    with pytest.raises(OptionError, match="mcc needs one class per item, found tagging"):
        headstart.adapt(source, source, tmp_path / "m", reading=Reading(task="tagging"), options=options)


@pytest.mark.parametrize("asked", [{"ask": 3}, {"labelled": "x.csv"}])
def test_single_words_are_not_asked_for(asked, tmp_path):
    source = sentences(tmp_path / "s.conll", 40)
    with pytest.raises(OptionError, match="labels of single examples need classes, found tagging"):
        headstart.adapt(
            source, source, tmp_path / "m", reading=Reading(task="tagging"), options=replace(TEXTS, **asked)
        )


def test_an_existing_model_is_replaced_only_on_request(source, target, tmp_path):
    headstart.adapt(source, target, tmp_path / "m", options=TOY)
    with pytest.raises(OptionError, match="the model folder exists"):
        headstart.adapt(source, target, tmp_path / "m", options=TOY)
    headstart.adapt(source, target, tmp_path / "m", options=replace(TOY, methods=("coral",)), overwrite="model")
    assert headstart.load(tmp_path / "m").evaluation["chosen"] == "coral"


def test_an_adapted_model_is_not_continued(source, target, tmp_path):
    headstart.adapt(source, target, tmp_path / "m", options=TOY)
    with pytest.raises(OptionError, match="was adapted to a target without labels"):
        headstart.fit(
            source,
            tmp_path / "n",
            options=FitOptions(backbones=("toy:image",), offline=True, continue_from=str(tmp_path / "m")),
        )


def test_groups_of_both_domains_are_kept(tmp_path):
    texts, labels = make_texts(120)
    with (tmp_path / "all.csv").open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(["text", "label", "domain", "group"])
        for i, (text, label) in enumerate(zip(texts, labels, strict=True)):
            out.writerow([text, label, "news" if i < 60 else "mail", f"g{i // 4}"])
    options = replace(TEXTS, source_domain="news", target_domain="mail")
    result = headstart.adapt(tmp_path / "all.csv", None, tmp_path / "m", options=options)
    assert len(set(headstart.load(tmp_path / "m").data["groups"])) == 15
    assert result.compared.gap.interval.method.endswith("groups")


def test_comparing_adapts_nothing(source, target):
    found = headstart.compare(source, target, backbone="toy:image", offline=True)
    told = found.to_dict()
    assert told["backbone"] == "toy:image"
    assert told["n"] == {"source": 45, "target": 45}
    assert set(told["classes"]) == set(COLOURS)
    assert sum(each["target"] for each in told["classes"].values()) == pytest.approx(1)
    same = headstart.compare(source, source, backbone="toy:image", offline=True).to_dict()
    assert same["gap"]["within_noise"] is True
    assert same["unlike"] == [] or len(same["unlike"]) < 5
