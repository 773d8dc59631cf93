"""Subgroups by a column: in what evaluate returns, in what fit prints and stores, and in nothing else."""

import json
from dataclasses import replace

import numpy as np
import pytest

import headstart
from headstart.errors import OptionError
from headstart.evaluation import Interval, Slices, Subgroup, accuracy
from headstart.pipeline import FitOptions, Reading
from headstart.pipeline._slices import slices_to_dict
from tests.conftest import make_texts

CHEAP = FitOptions(strategy="probe", proof="none", offline=True, backbones=("toy:text",))


@pytest.fixture
def sites(tmp_path):
    path = tmp_path / "sites.csv"
    texts, labels = make_texts(120)
    rows = [
        f"{t},{y},{['north', 'south', ''][i % 3]},{'train' if i < 60 else 'test'}\n"
        for i, (t, y) in enumerate(zip(texts, labels, strict=True))
    ]
    path.write_text("text,label,site,split\n" + "".join(rows))
    return path


def test_fit_scores_the_test_part_by_subgroup_and_stores_it(sites, tmp_path):
    result = headstart.fit(sites, tmp_path / "m", reading=Reading(slices=("site",)), options=CHEAP)
    (found,) = result.slices
    assert [(each.name, each.n) for each in found.subgroups] == [("(none)", 20), ("north", 20), ("south", 20)]
    (fold,) = result.outcome.predictions
    rows = np.arange(60) % 3 == 0
    assert found.subgroups[1].value == accuracy(fold.y[rows], fold.probabilities[rows])
    stored = json.loads((tmp_path / "m" / "evaluation.json").read_text())
    assert stored["slices"] == result.to_dict()["slices"]
    assert set(stored["slices"]["site"]["north"]) == {"value", "interval", "n", "few"}
    assert stored["worst_slices"]["site"]["sentence"] == found.sentence


def test_evaluate_gives_the_same_subgroups(sites, tmp_path):
    result = headstart.fit(sites, tmp_path / "m", reading=Reading(slices=("site",)), options=CHEAP)
    again = headstart.evaluate(tmp_path / "m", sites, reading=Reading(slices=("site",)), offline=True)
    assert again.to_dict()["slices"] == result.to_dict()["slices"]
    assert "slices" not in headstart.evaluate(tmp_path / "m", sites, offline=True).to_dict()


def test_cross_validated_items_are_scored_by_subgroup_each_once(texts_csv, tmp_path):
    texts, labels = make_texts(60)
    (tmp_path / "t.csv").write_text(
        "text,label,site\n" + "".join(f"{t},{y},s{i % 2}\n" for i, (t, y) in enumerate(zip(texts, labels, strict=True)))
    )
    result = headstart.fit(tmp_path / "t.csv", tmp_path / "m", reading=Reading(slices=("site",)), options=CHEAP)
    assert result.outcome.score.how == "cv"
    assert [each.n for each in result.slices[0].subgroups] == [30, 30]


def test_a_lent_source_needs_no_such_column_and_is_in_no_subgroup(sites, tmp_path):
    texts, labels = make_texts(60, seed=5)
    (tmp_path / "lent.csv").write_text(
        "text,label\n" + "".join(f"{t} lent,{y}\n" for t, y in zip(texts, labels, strict=True))
    )
    options = replace(CHEAP, source=tmp_path / "lent.csv")
    result = headstart.fit(sites, tmp_path / "m", reading=Reading(slices=("site",)), options=options)
    assert sum(each.n for each in result.slices[0].subgroups) == 60


def test_a_missing_column_is_said_before_anything_is_computed(sites, tmp_path):
    with pytest.raises(OptionError, match="--slice: expected a column 'sex', found 'text', 'label', 'site', 'split'"):
        headstart.fit(sites, tmp_path / "m", reading=Reading(slices=("sex",)), options=CHEAP)
    assert not (tmp_path / "m").exists()


def test_subgroups_may_be_called_what_intervals_are_made_of():
    groups = tuple(Subgroup(name, 20, 0.5, Interval(0.4, np.inf, "open")) for name in ("high", "low", "method"))
    found = slices_to_dict([Slices("dose", "rmse", groups, None, "A sentence.")])
    assert found["slices"]["dose"]["low"] == {"value": 0.5, "interval": [0.4, None], "n": 20, "few": False}
    assert found["worst_slices"] == {"dose": {"sentence": "A sentence."}}
    assert slices_to_dict([]) == {}


@pytest.mark.shared
@pytest.mark.slow
def test_pneumonia_by_subtype_has_an_interval_each_and_viral_ones_are_fewer(shared, tmp_path):
    options = replace(CHEAP, backbones=("starter:image-small",))
    source = shared / "data/images/chest-xray"
    result = headstart.fit(source, tmp_path / "m", reading=Reading(slices=("subtype",)), options=options)
    (found,) = result.slices
    assert {each.name: each.n for each in found.subgroups} == {"bacteria": 242, "none": 234, "virus": 148}
    assert all(each.interval.low < each.value <= each.interval.high for each in found.subgroups)
    assert found.worst.compared == 3
