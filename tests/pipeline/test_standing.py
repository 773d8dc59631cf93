"""Which arm of a curve stands for transfer: by loss, of entities by the wanted metric."""

from types import SimpleNamespace

import pytest

from headstart.pipeline._standing import Inside, standing

SURE, USEFUL = Inside(0.30, 0.21), Inside(0.44, 0.33)
ARMS = {"probe": SURE, "finetuned": USEFUL}


@pytest.mark.parametrize(
    ("kind", "metric", "chosen"),
    [
        ("classification", "accuracy", "probe"),
        ("tagging", "entity_f1", "finetuned"),
        ("tagging", "log_loss", "probe"),  # of which less is better
    ],
)
def test_entities_are_judged_by_the_metric_and_all_else_by_loss(kind, metric, chosen):
    assert standing(ARMS, kind=kind, metric=metric)[0] == chosen


def test_why_is_said_in_words():
    assert standing(ARMS, kind="tagging", metric="entity_f1")[1] == "entity F1 is 0.330, of probe 0.210"
    assert standing(ARMS, kind="regression", metric="rmse")[1] == "loss is 0.300, of finetuned 0.440"


def test_where_the_metric_is_not_defined_the_loss_decides():
    undefined = Inside.of(SimpleNamespace(loss=0.2, fold_values=(0.5, float("nan"))))
    assert standing({**ARMS, "finetuned": undefined}, kind="tagging", metric="entity_f1")[0] == "finetuned"
