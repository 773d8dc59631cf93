"""From a labelled source to a model for a target without labels."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import headstart
from headstart import AdaptOptions, FitOptions, Reading
from headstart.domain_adaptation import METHODS
from headstart.errors import DataError, OptionError
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
        *("task", "backbone", "backbones", "chosen", "refused", "reason", "back", "candidates", "n", "gap", "classes"),
        *("unlike", "seconds", "feature_seconds", "model", "notes"),
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
    result = headstart.adapt(source, target, tmp_path / "m", options=replace(TOY, method=name))
    assert result.decision.chosen.name == name
    assert not result.decision.refused
    assert result.decision.reason == f"{name} was asked for (--method)."
    assert len(list(headstart.predict(tmp_path / "m", [target]))) == 45


def test_the_network_of_lower_held_out_loss_on_the_source_is_taken(source, target, tmp_path):
    two = replace(TOY, backbones=("toy:image", "toy:image#conv1"))
    result = headstart.adapt(source, target, tmp_path / "m", options=two)
    assert set(result.losses) == {"toy:image", "toy:image#conv1"}
    assert result.backbone == min(result.losses, key=result.losses.__getitem__)


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
    with pytest.raises(OptionError, match="needs classes, found regression"):
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
        headstart.adapt("nowhere", "nowhere", tmp_path / "m", options=replace(TOY, method="magic"))
    assert "linear_transport" in str(refused.value)


def test_an_existing_model_is_replaced_only_on_request(source, target, tmp_path):
    headstart.adapt(source, target, tmp_path / "m", options=TOY)
    with pytest.raises(OptionError, match="the model folder exists"):
        headstart.adapt(source, target, tmp_path / "m", options=TOY)
    headstart.adapt(source, target, tmp_path / "m", options=replace(TOY, method="coral"), overwrite="model")
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
