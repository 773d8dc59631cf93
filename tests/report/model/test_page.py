"""The report of a model: everything escaped, nothing from elsewhere, and a page whatever is missing."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from headstart.artifact import read_documents
from headstart.errors import OptionError
from headstart.report import ModelRecord, write_model_report
from headstart.report.model._errors import _marked
from tests.report.model.pages import check

OLD = Path(__file__).parents[2] / "old_models"
EVIL = "<script>alert('&')</script>"


def baseline(value: float, difference: float, name: str = "ours") -> dict:
    ends = [difference - 0.05, difference + 0.05]
    return {
        "value": value,
        "interval": [value - 0.1, value + 0.1],
        "difference": difference,
        "difference_interval": ends,
        "seconds": 1.0,
        "compared": name,
    }


def record(**more) -> ModelRecord:
    rung = {"strategy": "probe()", "backbone": EVIL, "interval": [0.7, 0.9], "accepted": True, "reason": EVIL}
    evaluation = {
        "task": "image-classification",
        "test": {"metric": "accuracy", "value": 0.8, "interval": [0.7, 0.9], "n": 50, "how": "test", "metrics": {}},
        "transfer_helped": True,
        "baselines": {"majority class": baseline(0.5, 0.3), EVIL: baseline(0.6, 0.2)},
        "rungs": [
            {**rung, "name": EVIL, "value": 0.8, "seconds": 2.0},
            {**rung, "name": "deeper", "value": None, "seconds": 1.0, "accepted": False},
            {**rung, "name": "deepest", "value": 0.7, "seconds": 40.0, "accepted": False},
        ],
        "classes": {EVIL: {"n": 25, "precision": 0.8, "recall": None, "f1": 0.8}},
        "seconds": 100.0,
        "notes": [EVIL],
        "slices": {EVIL: {EVIL: {"n": 20, "value": 0.7, "interval": [0.5, 0.9], "few": False}}},
        "left_out": [{"place": EVIL, "reason": EVIL}],
    }
    shown = {"true": EVIL, "told": "b", "p": 0.9, "top": [[EVIL, 0.9], ["b", 0.1], ["c", 0.0]], "place": EVIL}
    picture = {"picture": "AAAA", "width": 4, "height": 4}
    given = {
        "name": EVIL,
        "version": "0.1.0",
        "task": {"kind": "classification", "classes": [EVIL, "b"]},
        "network": {"modality": "image", "backbone": EVIL, "strategy": "probe()"},
        "evaluation": evaluation,
        "data": {"parts": ["train", "test"], "groups": [EVIL, "g"], "fingerprint": "f" * 64, "source": EVIL},
        "kept": {
            "made": {"device": "cpu"},
            "asked": {"command": f"headstart fit {EVIL}"},
            "data": {"counts": {"train": {EVIL: 1}}, "findings": [{"found": EVIL, "severity": "warning"}]},
            "network": {"blocks": [{"name": EVIL, "trained": 1.0}], "licence": EVIL, "parameters": 10, "trained": 5},
            "scored": {"names": [EVIL, "b"], "pairs": [[EVIL, "b", 3], ["b", "b", 4]], "once": True},
            "map": {"points": [[0, 1, 0], [1, 0, 1], [2, 2, -1]], "wrong": [[1, 1, 0]], "names": [EVIL, "b"]},
        },
        "examples": {"source": EVIL, "command": EVIL, "notes": [EVIL], "worst": {"items": [shown | picture]}},
    }
    return ModelRecord(**given | more)


def written(tmp_path: Path, found: ModelRecord) -> str:
    write_model_report(found, tmp_path / "r.html")
    return (tmp_path / "r.html").read_text(encoding="utf-8")


def test_everything_of_the_user_is_escaped_and_nothing_is_opened(tmp_path):
    page = written(tmp_path, record())
    found = check(page)
    assert "alert('&')" in found.words
    assert "<script" not in page


def test_the_sections_are_in_the_order_in_which_they_are_asked_for(tmp_path):
    found = check(written(tmp_path, record()))
    expected = "asked data ladder scores confusion classes errors map frozen licences cost again"
    assert [section["id"] for section in found.of("section")] == expected.split()


@pytest.mark.parametrize(
    ("helped", "said"),
    [(True, "Transfer helped: it is better"), (False, "Transfer did not help here"), (None, "It is not shown that")],
)
def test_whether_transfer_helped_is_a_sentence_against_the_best_of_the_others(tmp_path, helped, said):
    found = record()
    evaluation = {**found.evaluation, "transfer_helped": helped}
    few = baseline(0.9, 0, "pretrained probe")
    evaluation["baselines"] = {"worse": baseline(0.4, 0.4), "best": baseline(0.7, 0.1), "few": few}
    words = check(written(tmp_path, replace(found, evaluation=evaluation))).words
    assert said in words
    assert "the difference to the best of them, best, is +0.100 [+0.050, +0.150]" in words
    assert "About 80 of 100 items" in words


def test_of_a_loss_the_best_other_model_is_the_lowest(tmp_path):
    found = record()
    test = {"metric": "log_loss", "value": 0.5, "interval": [0.4, 0.6], "n": 50, "how": "cv", "metrics": {}}
    baselines = {"lower": baseline(0.7, -0.2), "higher": baseline(0.9, -0.4)}
    words = check(written(tmp_path, replace(found, evaluation={"test": test, "baselines": baselines}))).words
    assert "the best of them, lower, is" in words
    assert "(lower is better)" in words


def test_the_energy_is_seconds_times_stated_watts(tmp_path):
    assert "about 1.8 Wh" in check(written(tmp_path, record())).words  # 100 s at 65 W
    kept = {**record().kept, "made": {"device": "cuda"}}
    words = check(written(tmp_path, record(kept=kept))).words
    assert "about 10 Wh" in words
    assert "365 W, 300 W for the GPU" in words


def test_without_examples_it_says_so_and_names_nothing_of_them(tmp_path):
    words = check(written(tmp_path, record(examples=None))).words
    assert "No example is shown or named in this report." in words
    assert "were left out on request" in words
    assert "data:image" not in words


def test_many_classes_are_the_pairs_that_are_mixed_up(tmp_path):
    names = [f"c{n}" for n in range(40)]
    kept = {"scored": {"names": names, "pairs": [["c1", "c2", 7], ["c1", "c1", 9], ["c3", "c4", 8]]}}
    words = check(written(tmp_path, record(kept=kept))).words
    assert "40 classes are too many for a matrix" in words
    assert words.index("c3 c4 8") < words.index("c1 c2 7") if "c3 c4 8" in words else "c3c48" in words


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_folder_of_an_older_version_has_a_report_of_what_is_known(tmp_path, number):
    documents = read_documents(OLD / f"format-{number}")
    found = ModelRecord(
        name="old",
        version=documents.version,
        task=documents.task,
        network=documents.network,
        evaluation=documents.evaluation,
        data=documents.data,
    )
    words = check(written(tmp_path, found)).words
    assert "Frozen and trained" in words
    assert "headstart predict old INPUT" in words


def test_a_page_that_cannot_be_written_is_an_error(tmp_path):
    with pytest.raises(OptionError, match="the page cannot be written"):
        write_model_report(record(), tmp_path / "missing" / "r.html")


def test_a_ranking_and_a_curve_are_drawn_with_their_numbers(tmp_path):
    found = record()
    row = {"score": 0.5, "interval": [0.3, 0.7], "milliseconds": 12.0, "megabytes": 45.0, "error": None}
    reached = [{"rung": "probe()", "value": 0.8, "interval": [0.7, 0.9], "accepted": True}]
    candidates = [
        {"name": "first", "chosen": True, "reached": reached, "ranking": {**row, "name": "first"}},
        {"name": "bad", "reached": [], "ranking": {"name": "bad", "score": None, "error": EVIL}},
    ]
    point = {"n": 20, "value": 0.6, "interval": [0.5, 0.7]}
    points = [{**point, "arm": arm, "n": n} for arm in ("probe", "scratch") for n in (20, 40)]
    curve = {"metric": "accuracy", "unit": "labels", "points": points, "label_saving": {"sentence": "Half the labels."}}
    full = replace(
        found, evaluation={**found.evaluation, "candidates": candidates}, kept={**found.kept, "curve": curve}
    )
    page = check(written(tmp_path, full))
    labels = [each["aria-label"] for each in page.of("svg")]
    assert any("Ranking of networks, best first: first 0.500 [0.300, 0.700]" in label for label in labels)
    assert any("probe 20: 0.600, 40: 0.600; scratch 20" in label for label in labels)
    assert "12 ms, 45 MB" in page.words
    assert "Half the labels." in page.words
    assert "Left out: bad" in page.words


def test_values_and_labels_have_their_own_pictures(tmp_path):
    kept = {"scored": {"points": [[1.0, 1.5], [2.0, 2.5]], "labels": {EVIL: [1, 2, 3, 4]}}}
    shown = {"labels": {"right": [EVIL], "missed": ["b"], "wrong": []}, "place": "x:1", "text": EVIL}
    page = check(written(tmp_path, record(kept=kept, examples={"worst": {"kind": "multilabel", "items": [shown]}})))
    assert "Predicted against true values of 2" in json.dumps([each["aria-label"] for each in page.of("svg")])
    assert "missed: b" in page.words


def test_words_are_marked_by_what_they_weigh_and_escaped():
    lines = "".join(_marked("a <b> & fine day", [[2, 5, 0.1], [8, 12, 0.4]]))
    assert lines == 'a <mark style="--w:0.25">&lt;b&gt;</mark> &amp; <mark style="--w:1.00">fine</mark> day'
    assert _marked("a < b", ()) == "a &lt; b"
