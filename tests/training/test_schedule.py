"""Schedules against the implementations of torch and transformers."""

import pytest
import torch
from transformers import (
    get_constant_schedule_with_warmup,
    get_cosine_schedule_with_warmup,
    get_linear_schedule_with_warmup,
)

from headstart.training import factor


def optimiser() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)


def rates(scheduler: torch.optim.lr_scheduler.LRScheduler, steps: int) -> list[float]:
    found = []
    for _ in range(steps):
        found.append(scheduler.get_last_lr()[0])
        scheduler.optimizer.step()
        scheduler.step()
    return found


@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.35])
@pytest.mark.parametrize("steps", [1, 2, 40])
def test_warmed_schedules_are_those_of_transformers_without_its_steps_at_rate_zero(warmup, steps):
    rising = round(warmup * steps)
    theirs = {
        "cosine": get_cosine_schedule_with_warmup(optimiser(), rising + 1, steps + 1),
        "linear": get_linear_schedule_with_warmup(optimiser(), rising + 1, steps + 1),
        "constant": get_constant_schedule_with_warmup(optimiser(), rising + 1),
    }
    for name, scheduler in theirs.items():
        ours = [factor(name, step, steps=steps, warmup=warmup) for step in range(steps)]
        assert ours == pytest.approx(rates(scheduler, steps + 1)[1:], abs=1e-12)
        assert min(ours) > 0


@pytest.mark.parametrize("warmup", [0.1, 0.25, 0.3])
def test_one_cycle_is_that_of_torch(warmup):
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        optimiser(), max_lr=1.0, total_steps=40, pct_start=warmup, cycle_momentum=False
    )
    ours = [factor("one_cycle", step, steps=40, warmup=warmup) for step in range(40)]
    assert ours == pytest.approx([*rates(theirs, 39), 1 / 250000], abs=1e-9)


@pytest.mark.parametrize("schedule", ["cosine", "one_cycle", "linear", "constant"])
@pytest.mark.parametrize(("steps", "warmup"), [(1, 0.0), (1, 0.1), (10, 0.1), (3, 0.99)])
def test_short_runs_have_rates_too(schedule, steps, warmup):
    assert all(0 < factor(schedule, step, steps=steps, warmup=warmup) <= 1 for step in range(steps))
