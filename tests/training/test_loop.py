"""The loop against plain loops written out by hand, and everything it refuses."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from headstart.errors import BudgetError, OptionError, TrainingError
from headstart.training import Group, Settings, Trained, train
from headstart.training import _clock as clock
from headstart.training import _loop as loop
from tests.training.small import everything, held_out_of, loss_of, mlp

PLAIN = Settings(steps=30, rate=3e-3, clip=None)


def plain_adamw(module: nn.Module, loss, *, steps: int, rate: float, decay: float = 0.0, clip: float | None = None):
    """AdamW and half a cosine, written out; yields the parameters after every step."""
    names = dict(module.named_parameters())
    m, v = ({name: torch.zeros_like(p) for name, p in names.items()} for _ in range(2))
    rising = round(0.1 * steps)
    for step in range(steps):
        now = (step + 1) / (rising + 1)
        if step >= rising:
            now = (1 + math.cos(math.pi * (step - rising) / (steps - rising))) / 2
        now *= rate
        gradients = dict(zip(names, torch.autograd.grad(loss(step), names.values()), strict=True))
        norm = math.sqrt(sum(float((g**2).sum()) for g in gradients.values()))
        shrink = min(1.0, clip / (norm + 1e-6)) if clip else 1.0
        with torch.no_grad():
            for name, p in names.items():
                g = gradients[name] * shrink
                m[name] = 0.9 * m[name] + 0.1 * g
                v[name] = 0.999 * v[name] + 0.001 * g**2
                if p.ndim >= 2:
                    p -= now * decay * p
                p -= now * (m[name] / (1 - 0.9 ** (step + 1))) / ((v[name] / (1 - 0.999 ** (step + 1))).sqrt() + 1e-8)
        yield {name: p.detach().clone() for name, p in names.items()}


def assert_same(module: nn.Module, expected: dict[str, torch.Tensor], *, tolerance: float = 1e-6) -> None:
    for name, p in module.named_parameters():
        torch.testing.assert_close(p.detach(), expected[name], atol=tolerance, rtol=0)


@pytest.mark.parametrize("clip", [None, 0.1])
def test_the_loop_equals_adamw_with_a_cosine_written_out(clip):
    module, twin = mlp(), mlp()
    done = train(module, everything(module, weight_decay=0.1), loss_of(module), settings=replace(PLAIN, clip=clip))
    *_, expected = plain_adamw(twin, loss_of(twin), steps=30, rate=3e-3, decay=0.1, clip=clip)
    assert_same(module, expected)
    assert (done.steps, done.best_step, done.held_out, done.losses.shape) == (30, 30, (), (30,))
    assert done.losses[0] == float(loss_of(mlp())(0).detach())


def test_sgd_has_momentum_and_decays_apart_from_it():
    module, twin = mlp(), mlp()
    settings = replace(PLAIN, optimiser="sgd", schedule="constant", warmup=0.0)
    train(module, everything(module, weight_decay=0.5), loss_of(module), settings=settings)
    velocity = [torch.zeros_like(p) for p in twin.parameters()]
    for step in range(30):
        gradients = torch.autograd.grad(loss_of(twin)(step), list(twin.parameters()))
        with torch.no_grad():
            for p, g, move in zip(twin.parameters(), gradients, velocity, strict=True):
                move.mul_(0.9).add_(g)
                p -= 3e-3 * move + (3e-3 * 0.5 * p if p.ndim >= 2 else 0)
    assert_same(module, dict(twin.named_parameters()))


def test_the_pull_is_the_gradient_of_the_formula():
    module, twin = mlp(), mlp()
    start = [p.detach().clone() for p in twin.parameters()]
    loss = loss_of(twin)

    def pulled(step: int) -> torch.Tensor:
        return loss(step) + 0.3 / 2 * sum(((p - w) ** 2).sum() for p, w in zip(twin.parameters(), start, strict=True))

    train(module, everything(module, pull=0.3), loss_of(module), settings=PLAIN)
    *_, expected = plain_adamw(twin, pulled, steps=30, rate=3e-3)
    assert_same(module, expected)
    unpulled = mlp()
    done = train(unpulled, everything(unpulled), loss_of(unpulled), settings=PLAIN)
    assert float((unpulled[0].weight - module[0].weight).abs().max().detach()) > 1e-4
    assert done.losses[0] == float(loss_of(mlp())(0).detach())


def test_the_average_is_that_of_a_plain_loop_and_is_what_is_kept():
    module, twin = mlp(), mlp()
    average = {name: p.detach().double().clone() for name, p in twin.named_parameters()}
    for t, now in enumerate(plain_adamw(twin, loss_of(twin), steps=30, rate=3e-3), start=1):
        decay = min(0.8, (1 + t) / (10 + t))
        average = {name: decay * average[name] + (1 - decay) * now[name] for name in average}
    train(module, everything(module), loss_of(module), settings=replace(PLAIN, average=0.8))
    assert_same(module, {name: value.float() for name, value in average.items()})


def test_patience_stops_and_the_best_weights_are_kept():
    module, seen = mlp(), []
    script = iter([5.0, 4.0, 1.0, 2.0, 1.0, 3.0, 0.0])

    def held_out() -> float:
        assert not torch.is_grad_enabled()
        seen.append({name: p.detach().clone() for name, p in module.named_parameters()})
        return next(script)

    settings = replace(PLAIN, patience=3, check_every=4)
    done = train(module, everything(module), loss_of(module), settings=settings, held_out=held_out)
    assert done.held_out == ((0, 5.0), (4, 4.0), (8, 1.0), (12, 2.0), (16, 1.0), (20, 3.0))
    assert (done.steps, done.best_step, len(done.losses)) == (20, 8, 20)
    assert_same(module, seen[2], tolerance=0)


def test_the_start_is_kept_where_training_only_harms_and_buffers_go_with_the_weights():
    module = nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4), nn.Linear(4, 3))
    start = {name: value.clone() for name, value in module.state_dict().items()}
    values = iter([0.0, 1.0, 2.0])
    train(
        module, everything(module), loss_of(module), settings=replace(PLAIN, steps=2, check_every=1),
        held_out=lambda: next(values),
    )  # fmt: skip
    assert all(torch.equal(value, start[name]) for name, value in module.state_dict().items())


def test_the_held_out_loss_is_measured_on_the_averaged_weights_and_changes_nothing():
    module, twin = mlp(), mlp()
    settings = replace(PLAIN, average=0.9, check_every=5)
    measured = train(
        module, everything(module), loss_of(module), settings=settings, held_out=held_out_of(module)
    )  # fmt: skip
    plain = train(twin, everything(twin), loss_of(twin), settings=settings)
    assert np.array_equal(measured.losses, plain.losses)
    assert measured.held_out[-1][1] == held_out_of(twin)()


def test_random_numbers_depend_on_seed_and_step_and_the_callers_are_given_back():
    def losses(seed: int, *, waste: int) -> np.ndarray:
        module = mlp(dropout=0.5)
        torch.rand(waste)
        return train(
            module, everything(module), loss_of(module), settings=replace(PLAIN, seed=seed)
        ).losses  # fmt: skip

    assert np.array_equal(losses(1, waste=1), losses(1, waste=5))
    assert not np.array_equal(losses(1, waste=1), losses(2, waste=1))
    before = torch.get_rng_state()
    module = mlp(dropout=0.5)
    torch.set_rng_state(before)
    train(module, everything(module), loss_of(module), settings=PLAIN)
    assert torch.equal(torch.get_rng_state(), before)


def test_half_precision_is_for_the_forward_pass_alone():
    module, kinds = mlp(), set()
    module[4].register_forward_hook(lambda *hooked: kinds.add(hooked[2].dtype))
    done = train(module, everything(module), loss_of(module), settings=replace(PLAIN, precision="bfloat16"))
    assert kinds == {torch.bfloat16}
    assert {p.dtype for p in module.parameters()} == {torch.float32}
    assert done.losses[-5:].mean() < done.losses[:5].mean()


def test_float16_scales_the_loss(monkeypatch):
    module, twin = mlp(), mlp()
    monkeypatch.setattr(loop, "SCALED", ("cpu",))
    train(module, everything(module), loss_of(module), settings=replace(PLAIN, precision="float16"))
    train(twin, everything(twin), loss_of(twin), settings=PLAIN)
    assert_same(module, dict(twin.named_parameters()), tolerance=0.02)
    assert not torch.equal(module[0].weight, mlp()[0].weight)


def test_losses_read_seldom_are_the_same_losses(monkeypatch):
    def run() -> Trained:
        module = mlp()
        return train(module, everything(module), loss_of(module), settings=PLAIN, held_out=held_out_of(module))

    expected = run()
    read, monkeypatched = loop._Run._read_losses, []

    def seldom(self) -> None:
        monkeypatched.append(len(self._pending))
        if len(self._pending) >= 7 or self._state.step == 30:
            read(self)

    monkeypatch.setattr(loop._Run, "_read_losses", seldom)
    assert np.array_equal(run().losses, expected.losses)
    assert max(monkeypatched) == 7


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_names_step_rate_and_remedy(value):
    module = mlp()
    loss = loss_of(module)
    settings = replace(PLAIN, schedule="constant", warmup=0.0, precision="bfloat16")
    with pytest.raises(TrainingError) as caught:
        train(
            module, everything(module), lambda step: loss(step) * (value if step == 3 else 1), settings=settings,
            name="last 2 blocks",
        )  # fmt: skip
    assert str(caught.value) == (
        f"last 2 blocks: expected finite loss, found {value} at step 3 of 30 (rate 0.003). "
        "Try a smaller rate, such as 0.0003."
    )


def test_weights_and_held_out_losses_that_are_not_finite_are_refused():
    module = mlp()
    loss = loss_of(module)

    def breaks(step: int) -> torch.Tensor:
        value = loss(step)
        if step == 29:  # finite, with a gradient that is not
            value = value + (module[4].bias * 0).abs().sqrt().sum()
        return value

    with pytest.raises(TrainingError, match="expected finite weights, found others at step 29 of 30"):
        train(module, everything(module), breaks, settings=PLAIN)
    module = mlp()
    with pytest.raises(TrainingError, match="expected finite held-out loss, found nan at step 0"):
        train(module, everything(module), loss_of(module), settings=PLAIN, held_out=lambda: math.nan)


def test_a_deadline_that_passes_or_will_be_missed_ends_training(monkeypatch):
    module = mlp()
    now = [100.0]
    monkeypatch.setattr(clock.time, "monotonic", lambda: now[0])
    loss = loss_of(module)

    def slow(step: int) -> torch.Tensor:
        now[0] += 1.0
        return loss(step)

    def run(left: float, **more: object) -> Trained:
        return train(
            module, everything(module), slow, settings=replace(PLAIN, **more), deadline=now[0] + left,
            held_out=held_out_of(module), name="rung 2",
        )  # fmt: skip

    with pytest.raises(
        BudgetError, match=r"rung 2: after 4 of 30 steps about 26 s more.* leaves 16 s\. Give 63 s more"
    ):
        run(20)
    assert run(28).steps == 30  # within a tenth
    with pytest.raises(BudgetError, match=r"after 12 of 30 steps about 18 s more are needed and the budget leaves 0 s"):
        run(10.5, patience=9)
    with pytest.raises(BudgetError, match="after 1 of 30 steps about 29 s"):
        run(-1.0)


def test_progress_counts_steps():
    module, told = mlp(), []
    train(
        module, everything(module), loss_of(module), settings=replace(PLAIN, steps=2), name="rung 2",
        progress=lambda *what: told.append(what),
    )  # fmt: skip
    assert told == [("rung 2", 1, 2), ("rung 2", 2, 2)]


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"steps": 0}, "expected steps to be at least 1, found 0"),
        ({"rate": 0.0}, "expected rate to be a number above 0"),
        ({"rate": math.nan}, "expected rate to be a number above 0, found nan"),
        ({"warmup": 1.0}, "expected warmup to be a share"),
        ({"clip": 0.0}, "expected clip to be"),
        ({"average": 1.0}, "expected average to be above 0 and below 1"),
        ({"patience": 0}, "expected patience to be"),
        ({"check_every": 0}, "expected check_every to be"),
        ({"seed": -1}, "expected seed to be"),
    ],
)
def test_settings_out_of_range_are_refused(wrong, text):
    with pytest.raises(OptionError, match=text):
        replace(PLAIN, **wrong)


def test_settings_that_do_not_fit_each_other_or_the_device_are_refused():
    module = mlp()
    groups = [Group("top", {"4.weight": module[4].weight})]
    with pytest.raises(OptionError, match="patience needs a held-out loss to watch, found none"):
        train(module, groups, loss_of(module), settings=replace(PLAIN, patience=2))
    with pytest.raises(OptionError, match="expected a CUDA device for float16, found cpu"):
        train(module, groups, loss_of(module), settings=replace(PLAIN, precision="float16"))


@pytest.mark.parametrize(
    ("error", "found"),
    [
        (
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0"),
            "none left for another 20.00 MiB",
        ),
        (RuntimeError("MPS backend out of memory (MPS allocated: 17.5 GB)"), "too little"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4096 bytes."),
            "none left for another 4096 bytes",
        ),
        (
            RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 4096 bytes."),
            "none left for another 4096 bytes",
        ),
        (MemoryError(), "too little"),
    ],
)
def test_running_out_of_memory_is_a_training_error_that_says_what_to_change(error, found):
    module = mlp()

    def loss(step: int) -> torch.Tensor:
        if step == 2:
            raise error
        return loss_of(module)(step)

    with pytest.raises(
        TrainingError, match=rf"rung: expected memory for every step, found {found}. Try a smaller batch"
    ):
        train(module, everything(module), loss, settings=PLAIN, name="rung")


def test_other_errors_inside_a_loss_pass_unchanged():
    def loss(step: int) -> torch.Tensor:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    module = mlp()
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied") as caught:
        train(module, everything(module), loss, settings=PLAIN)
    assert not isinstance(caught.value, TrainingError)
