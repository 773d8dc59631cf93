"""The trainings behind a curve: what they are expected to cost, and what is given up for lack of time or memory."""

import time

import numpy as np
import pytest

from headstart import backbones
from headstart.data import Dataset, Plan
from headstart.errors import TrainingError
from headstart.features import FeatureSource
from headstart.pipeline import _draws
from headstart.pipeline._draws import Draws
from headstart.pipeline._standing import Inside
from headstart.strategies import Contrastive, FineTune, Probe, Run, Scratch, Tuned, Tuning, TuningForecast
from headstart.tasks import task_from_labels
from tests.conftest import make_texts

TINY = FineTune(last=1, steps=2)


class Clock:
    """A clock that trainings advance."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


def draws_of(subsets, *, above=TINY, deadline=None, say=lambda _: None, source=None) -> Draws:
    """Draws of subsets of eighty texts, measured on forty others."""
    texts, labels = make_texts(120, classes=2)
    dataset = Dataset("text", tuple(texts), tuple(texts), labels=tuple(labels))
    plan, source = Plan(np.arange(80), np.arange(80, 120), "holdout"), source or FeatureSource()
    runs = [Run(source, seed=seed) for seed in range(len(subsets))]
    task = task_from_labels("classification", labels)
    deadline = time.monotonic() + 1e6 if deadline is None else deadline
    return Draws(dataset, plan, task, backbones.load("toy:text"), subsets, runs, above, deadline, say)


def test_later_draws_cost_activations_of_the_examples_that_the_first_lacks(monkeypatch):
    monkeypatch.setattr(_draws, "forecast", lambda *a, **k: TuningForecast(8.0, 1.0, 1.0))  # a second per five
    first, other = [np.arange(20), np.arange(40)], [np.arange(10, 30), np.arange(10, 50)]
    same, new = (draws_of(subsets)._forecast("finetuned", FineTune(), 2) for subsets in ([first] * 3, [first, other]))
    assert same.again == (0.0, 0.0)
    assert new.again == (2.0, 2.0)
    assert new.first[1] - same.first[1] == 0


def test_many_classes_make_contrastive_trainings_longer(monkeypatch):
    monkeypatch.setattr(_draws, "forecast", lambda *a, **k: TuningForecast(0.0, 1.0, 1.0))
    draws = draws_of([[np.arange(20), np.arange(80)]] * 2, above=Contrastive())
    assert draws._examples(Contrastive(), 80) == 40 * 48
    monkeypatch.setattr(type(draws.task), "n_outputs", 30)
    assert draws._examples(Contrastive(), 80) == 40 * 60


def test_the_test_part_is_stored_once_before_the_first_training_that_is_measured_on_it(monkeypatch):
    happened, source = [], FeatureSource()
    keep, tune, outputs = Tuning.keep, Tuning.tune, Tuned.outputs

    def counted(what, function):
        def spy(self, *args, **kwargs):
            before = source.computed
            result = function(self, *args, **kwargs)
            happened.append((what, source.computed - before))
            return result

        return spy

    monkeypatch.setattr(Tuning, "keep", counted("keep", keep))
    monkeypatch.setattr(Tuning, "tune", counted("tune", tune))
    monkeypatch.setattr(Tuned, "outputs", counted("outputs", outputs))
    draws = draws_of([[np.arange(20), np.arange(30)]] * 2, source=source)
    monkeypatch.setattr(draws, "_arms", lambda: {"finetuned": draws.above})
    draws.measure(metric="accuracy", seed=0)
    assert happened[0] == ("keep", 40)
    assert [what for what, _ in happened].count("keep") == 1
    assert {computed for what, computed in happened if what == "outputs"} == {0}


@pytest.mark.parametrize("arm", [Scratch, FineTune])
def test_an_arm_that_memory_cannot_hold_is_dropped_and_the_others_measured(arm, monkeypatch):
    said, subsets = [], [[np.arange(20), np.arange(30)]] * 2

    def expected(strategy, *args, **kwargs):
        if isinstance(strategy, arm):
            raise TrainingError("expected memory for every step, found too little")
        return TuningForecast(0.0, 0.1, 1.0)

    monkeypatch.setattr(_draws, "forecast", expected)
    monkeypatch.setattr(_draws, "Scratch", lambda: Scratch(steps=2))
    draws = draws_of(subsets, say=said.append)
    name, other = ("scratch", "finetuned") if arm is Scratch else ("finetuned", "scratch")
    assert set(draws.measure(metric="accuracy", seed=0).points) == {"probe", other}
    assert f"There is no arm {name}: expected memory for every step, found too little." in said


@pytest.fixture
def measure(monkeypatch):
    """Measure with trainings that take the seconds told, by a clock that they alone advance."""

    def run(*, probe=0.0, tuned=1.0, scratch=1.0, forecast=1.0, budget=1e6, wild=np.inf) -> tuple[dict, list[str]]:
        clock, said = Clock(), []
        monkeypatch.setattr(_draws, "time", clock)
        monkeypatch.setattr(_draws, "forecast", lambda *a, **k: TuningForecast(0.0, forecast, 1.0))

        def predict(self, strategy, train, run, *, cross_validate):
            each = scratch[run.seed] if isinstance(scratch, list) else scratch  # seconds may differ between draws
            took = {Probe: probe, Scratch: each}.get(type(strategy), tuned)
            if isinstance(strategy, Scratch) and len(train) >= wild:
                raise TrainingError("expected finite losses, found nan")
            clock.now += took * (4 if cross_validate else 1) * len(train) / 80
            p = np.random.default_rng([len(train), run.seed]).uniform(0.3, 1, len(self._y))
            return np.where(np.arange(2) == self._y[:, None], p[:, None], 1 - p[:, None]), Inside(1.0, 0.5)

        monkeypatch.setattr(Draws, "_predict", predict)
        subsets = [[np.arange(n) for n in (10, 20, 40, 80)]] * 3
        draws = draws_of(subsets, deadline=budget, say=said.append)
        found = draws.measure(metric="accuracy", seed=0)
        return {arm: (len(points), len(points[0].values)) for arm, points in found.points.items()}, said

    return run


def test_with_time_enough_everything_is_measured(measure):
    points, said = measure()
    assert points == {"probe": (4, 3), "finetuned": (4, 3), "scratch": (4, 3)}
    assert not any("lack of time" in note for note in said)


def test_probes_that_take_a_third_of_the_time_bound_the_labels_of_all_arms(measure):
    points, said = measure(probe=60, budget=700)
    assert points["probe"] == (3, 3)
    assert "For lack of time nothing is tried with more than 40 labels." in said


@pytest.mark.parametrize(("budget", "sizes", "labels"), [(125, 2, 20), (190, 3, 40)])
def test_scratch_that_takes_longer_than_forecast_gives_up_its_largest_sizes_before_draws(
    measure, budget, sizes, labels
):
    points, said = measure(scratch=60, budget=budget)
    assert points["scratch"] == (sizes, 3)
    assert (
        f"For lack of time scratch is trained with up to {labels} labels only: it takes longer than forecast." in said
    )


def test_a_machine_that_grows_slower_costs_the_largest_size_from_scratch_before_a_draw(measure):
    points, said = measure(scratch=[40, 60, 60], budget=270)
    assert (points["finetuned"], points["scratch"]) == ((4, 3), (3, 3))
    why = "the first seeds took longer than forecast"
    assert f"For lack of time scratch is trained with up to 40 labels only: {why}." in said


def test_fine_tuning_that_takes_longer_than_forecast_costs_draws_and_then_scratch(measure):
    points, said = measure(tuned=20, budget=180)
    assert points["finetuned"] == (4, 2)
    assert "For lack of time 2 seeds instead of 3." in said
    points, said = measure(tuned=20, scratch=10, budget=150)
    assert points == {"probe": (4, 2), "finetuned": (4, 2)}
    assert "For lack of time scratch is left out: it takes longer than forecast." in said


def test_a_forecast_that_was_too_high_gives_its_draws_back(measure):
    points, said = measure(tuned=1, scratch=1, forecast=10, budget=70)
    assert points["finetuned"][1] == 3
    assert "There is time for 3 seeds after all." in said


@pytest.mark.parametrize(
    ("wild", "sizes", "kept"), [(80, 3, "is trained with up to 40 labels only"), (20, 0, "is left out")]
)
def test_training_from_scratch_that_fails_costs_no_other_arm(measure, wild, sizes, kept):
    points, said = measure(wild=wild)
    assert points.get("scratch", (0, 3)) == (sizes, 3)
    assert (points["probe"], points["finetuned"]) == ((4, 3), (4, 3))
    assert f"Training failed: scratch {kept}: expected finite losses, found nan." in said
