"""The main job on real data and real weights; skipped where they are not beside the repository."""

from pathlib import Path

import pytest

import headstart
from headstart import FitOptions
from headstart.pipeline import FitResult

pytestmark = [pytest.mark.shared, pytest.mark.slow]


def fit(source: Path, folder: Path, *backbones: str, metric: str | None = None) -> FitResult:
    options = FitOptions(backbones=backbones, offline=True, strategy="probe", metric=metric)
    return headstart.fit(source, folder, options=options)


def test_ants_and_bees_with_mobilenet_and_the_better_of_two_networks_is_chosen(shared, tmp_path):
    mobilenet = f"dir:{shared}/weights/mobilenetv2_100.in1k"
    squeezenet = f"dir:{shared}/weights/squeezenet1_0.in1k"
    result = fit(shared / "data/images/hymenoptera", tmp_path / "m", squeezenet, mobilenet)
    score = result.outcome.score
    assert (score.how, score.n) == ("test", 153)
    assert result.outcome.model.backbone.name == mobilenet
    assert score.value == pytest.approx(0.967, abs=0.014)  # two photos
    assert score.interval.low < score.value < score.interval.high
    assert result.outcome.transfer_helped is True
    files = sorted((shared / "data/images/hymenoptera/val/bees").iterdir())[:20]
    rows = list(headstart.predict(tmp_path / "m", files))
    assert sum(row["label"] == "bees" for row in rows) >= 17


def test_chest_x_rays_keep_patients_apart_and_say_that_gray_became_rgb(shared, tmp_path):
    result = fit(
        shared / "data/images/chest-xray/manifest.csv",
        tmp_path / "m",
        f"dir:{shared}/weights/mobilenetv2_100.in1k",
    )
    assert result.outcome.score.n == 624
    assert 0.79 < result.outcome.score.value < 0.88
    assert any("grayscale to RGB: 1424" in note for note in result.notes)
    seen = headstart.load(tmp_path / "m").data
    sides: dict[str, set[str]] = {}
    for group, part in zip(seen["groups"], seen["parts"], strict=True):
        sides.setdefault(group, set()).add(part)
    assert len(sides) == 1024
    assert all(len(parts) == 1 for parts in sides.values())


def test_question_types_with_the_starter_and_copies_across_parts_are_said(shared, tmp_path):
    usual = fit(shared / "data/text/trec6", tmp_path / "usual").outcome.score
    assert (usual.metric, usual.value > 0.85) == ("balanced_accuracy", True)  # 86 abbreviations, 1,250 entities
    result = fit(shared / "data/text/trec6", tmp_path / "m", metric="accuracy")
    assert result.outcome.score.n == 500
    assert 0.90 < result.outcome.score.value < 0.95
    assert result.outcome.transfer_helped is True
    assert any("exact copy on the other side of the given split: 10" in note for note in result.notes)
