"""Two contenders on the same folds: cooled alike, classes weighed as the metric has it, scored on the same items."""

from functools import cached_property

import numpy as np
import pytest
from scipy import special

from headstart.data import Dataset, Plan
from headstart.features import FeatureSource
from headstart.linear import item_losses
from headstart.search import _judging
from headstart.search._judging import NOTHING_KNOWN, Prior
from headstart.search._problem import Problem
from headstart.search._race import Contender, race
from headstart.strategies import Run
from headstart.tasks import task_from_labels

CERTAIN = Prior(confidence=1.0)  # never sure enough


class Setting:
    """A task whose items are numbered, and folds in the order of the items."""

    def __init__(self, labels, metric="accuracy", kind="classification"):
        n = len(labels)
        self.labels, self.metric, self.kind = labels, metric, kind
        every = np.arange(n)
        self.folds = [(np.delete(every, part), part) for part in np.array_split(every, 3)]

    @cached_property
    def problem(self):
        n = len(self.labels)
        items, places = tuple(f"text {i}" for i in range(n)), tuple(map(str, range(n)))
        data = Dataset("text", items, places, labels=tuple(self.labels), kind=self.kind)
        task = task_from_labels(self.kind, data.labels)
        plan, run = Plan(np.arange(n), np.arange(0), "test"), Run(FeatureSource(), metric=self.metric)
        return Problem(data, plan, task, (), None, run, np.asarray(task.encode(data.labels)))

    def contender(self, outputs):
        """Someone who answers item i with row i."""
        return Contender(self.problem, self.folds, lambda _, outside: outputs[[int(place) for place in outside.places]])

    def race(self, before, after, **more):
        more = {"prior": NOTHING_KNOWN, "looks": 3, **more}
        return race(self.contender(after), self.contender(before), **more)


def classes(y, names="abc"):
    return [names[c] for c in y]


def told_apart(y, *, signal, seed=0, n_classes=3):
    """Probabilities that know something of y."""
    noise = np.random.default_rng(seed).normal(size=(len(y), n_classes))
    return special.softmax(noise + signal * np.eye(n_classes)[y], axis=1)


def sharpened(p, power):
    return p**power / (p**power).sum(axis=1, keepdims=True)


def test_being_less_sure_of_the_same_is_no_gain_for_either_side():
    y = np.arange(240) % 3
    plain = told_apart(y, signal=1.0)
    setting = Setting(classes(y))
    for before, after in ((sharpened(plain, 4), plain), (plain, sharpened(plain, 4))):
        found = setting.race(before, after)
        assert found.judgement.answer == "not better"
        assert found.judgement.gain == pytest.approx(0, abs=1e-2)
    assert found.temperature.value == pytest.approx(4, rel=0.2)


def test_knowing_more_is_a_gain_and_a_clear_one_costs_one_fold():
    y = np.arange(240) % 3
    setting = Setting(classes(y))
    challenger, best = (setting.contender(told_apart(y, signal=s)) for s in (4.0, 0.5))
    found = race(challenger, best, prior=NOTHING_KNOWN, looks=3)
    assert (found.judgement.answer, found.looks) == ("better", 1)
    assert [each.missing(3) for each in (challenger, best)] == [2, 2]
    assert best.missing(1) == 0


def test_folds_that_cost_nothing_are_all_looked_at_before_the_first_answer():
    """One lucky fold must not decide between two that are known on all of them."""
    y = np.arange(240) % 3
    after, before = told_apart(y, signal=0.5, seed=1), told_apart(y, signal=1.5, seed=2)
    after[:80] = told_apart(y[:80], signal=4.0, seed=3)
    after[80:] = told_apart(y[80:], signal=-2.0, seed=4)
    setting = Setting(classes(y))
    either = Prior(confidence=0.5)
    assert setting.race(before, after, prior=either).judgement.answer == "better"
    found = setting.race(before, after, prior=either, first=3)
    assert (found.judgement.answer, found.looks) == ("not better", 3)


def test_scores_are_of_the_outputs_that_were_compared_on_the_items_looked_at(monkeypatch):
    monkeypatch.setattr(_judging, "HOPELESS", 0.0)
    y = np.arange(90) % 3
    setting = Setting(classes(y), metric="log_loss")
    before, after = told_apart(y, signal=1.0, seed=1), sharpened(told_apart(y, signal=1.5), 3)
    found = setting.race(before, after, looks=2, prior=CERTAIN)
    assert (found.looks, len(found.outputs), len(found.before)) == (2, 60, 60)
    loss, per_fold = found.fold_scores()
    value, interval = found.score()
    assert found.temperature.value > 1.2
    assert value == pytest.approx(loss)
    assert np.mean(per_fold) == pytest.approx(loss)
    assert len(per_fold) == 2
    assert interval.low < value < interval.high
    was, now = found.values()
    assert now == value
    assert was - now == pytest.approx(found.judgement.gain)
    assert value < item_losses(y[:60], after[:60]).mean()


def test_a_metric_that_is_not_defined_on_the_items_gives_no_score():
    y = np.repeat([0, 1], [60, 3])
    setting = Setting(classes(y), metric="auroc")
    p = told_apart(y, signal=1.0, n_classes=2)
    found = setting.race(p, p, looks=1)
    value, interval = found.score()
    assert (value, interval.method, found.values()) == (None, "not measured", (None, None))
    assert np.isnan(found.fold_scores()[1]).all()


@pytest.mark.parametrize(("metric", "answer"), [("balanced_accuracy", "better"), ("accuracy", "not better")])
def test_items_of_a_rare_class_count_as_much_as_those_of_a_common_one_where_the_metric_has_it_so(metric, answer):
    rng = np.random.default_rng(0)
    y = (np.arange(600) % 20 == 0).astype(int)  # one in twenty
    nothing, something = rng.normal(-3, 0.2, 600), rng.normal(np.where(y == 1, 0, -2), 1.5)
    before, after = (np.stack([1 - p, p], axis=1) for p in map(special.expit, (nothing, something)))
    found = Setting(classes(y), metric=metric).race(before, after)
    saved = item_losses(y[: len(found.outputs)], found.before) - item_losses(y[: len(found.outputs)], found.outputs)
    assert saved[y[: len(saved)] == 1].mean() > 0.5
    assert saved[y[: len(saved)] == 0].mean() < 0
    assert found.judgement.answer == answer


def test_values_and_labels_are_compared_too():
    rng = np.random.default_rng(0)
    y = rng.normal(size=90)
    near, far = (y[:, None] + rng.normal(0, s, (90, 1)) for s in (0.1, 1.0))
    found = Setting([str(v) for v in y], metric="rmse", kind="regression").race(far, near)
    assert (found.judgement.answer, found.temperature.value) == ("better", 1.0)
    was, now = found.values()
    assert was > 3 * now
    both = ["a" if i % 2 else "a|b" if i % 4 else "b" for i in range(90)]
    has = np.array([["a" in labels, "b" in labels] for labels in both])
    p = special.expit(np.where(has, 1, -1) + rng.normal(size=(90, 2)))
    sure = special.expit(3 * special.logit(p))
    labels = Setting(both, metric="macro_f1", kind="multilabel").race(sure, p)
    assert labels.judgement.answer == "not better"
    assert labels.judgement.gain == pytest.approx(0, abs=0.02)
