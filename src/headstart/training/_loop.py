"""The loop itself; see the package for what it decides."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, final

import numpy as np
import torch
from torch import Tensor, nn

from headstart.backbones import hash_state
from headstart.errors import OptionError, TrainingError
from headstart.features import Progress, silent
from headstart.training._checkpoint import Checkpoint
from headstart.training._clock import Clock
from headstart.training._groups import Group, check_groups, frozen, weights
from headstart.training._memory import within_memory
from headstart.training._optimiser import Optimiser
from headstart.training._precision import in_precision
from headstart.training._random import own_random_state, seed_step
from headstart.training._schedule import factor
from headstart.training._settings import Settings, Trained

SCALED: Final = ("cuda",)  # devices that train in float16
# Reading a loss makes the processor wait for the device, so there it is done once in so many steps.
STEPS_BETWEEN_READINGS: Final = 50


def train(
    module: nn.Module,
    groups: Sequence[Group],
    loss: Callable[[int], Tensor],
    *,
    settings: Settings,
    held_out: Callable[[], float] | None = None,
    checkpoint: Path | None = None,
    fingerprint: str = "",
    every_seconds: float = 20.0,
    deadline: float | None = None,
    progress: Progress = silent,
    name: str = "training",
) -> Trained:
    """Train parameters of a module in place.

    The module's modes (training, evaluation) are left as they are. On an exception its weights are those of the moment.

    Args:
        module: The network; its weights at the call are the start.
        groups: What trains; everything else is frozen meanwhile.
        loss: Step number, from 0, to a scalar; draws its own batch, as a function of the step alone.
        settings: How long, how fast, with what.
        held_out: Measures a loss on examples kept out of training, without gradient; the weights of its lowest value
            are kept.
        checkpoint: A folder of this run's own for checkpoints, or None to keep none.
        fingerprint: Stands for everything else the loss depends on: data, frozen weights, augmentation.
        every_seconds: Least time between two checkpoints; training shorter than that leaves none.
        deadline: `time.monotonic` value to finish by, or None.
        progress: Told about every step.
        name: What to call it in messages.

    Returns:
        What happened; the module holds the weights kept.

    Raises:
        OptionError: Groups do not fit the module, or settings do not fit each other or the device.
        TrainingError: A loss or a weight is not finite, or memory runs out.
        BudgetError: The time until the deadline is overrun by more than a tenth, or will be.
        ArtifactError: A checkpoint cannot be written.
    """
    check_groups(module, groups)
    device = _device(groups)
    _check_settings(settings, device, measured=held_out is not None)
    kept = None
    if checkpoint is not None:
        kept = Checkpoint(
            checkpoint, _facts(module, groups, settings, fingerprint=fingerprint, measured=held_out is not None)
        )
    with frozen(module), own_random_state(device), within_memory(name):
        run = _Run(module, groups, settings, checkpoint=kept, name=name)
        run.resume()
        return run.train(loss, held_out, every_seconds=every_seconds, deadline=deadline, progress=progress)


@dataclass
class _State:
    """How far a run has come, weights and optimiser aside.

    Attributes:
        step: Steps taken.
        losses: Their losses.
        held_out: Step and value of every check.
        seconds: Time spent before this call.
        finished: Whether the weights kept are in place.
        best: Weights of the lowest held-out loss.
        average: Moving average of the trained parameters.
    """

    step: int = 0
    losses: list[float] = field(default_factory=list)
    held_out: list[tuple[int, float]] = field(default_factory=list)
    seconds: float = 0.0
    finished: bool = False
    best: dict[str, Tensor] = field(default_factory=dict)
    average: dict[str, Tensor] = field(default_factory=dict)

    @property
    def best_step(self) -> int:
        """The step of the lowest held-out loss, the earliest of equal ones; without checks, the last step."""
        return min(self.held_out, key=lambda check: check[1])[0] if self.held_out else self.step

    def over(self, settings: Settings) -> bool:
        """Say whether all steps are taken, or patience has run out."""
        since = sum(step > self.best_step for step, _ in self.held_out)
        return self.step >= settings.steps or (settings.patience is not None and since >= settings.patience)


@final
class _Run:
    """One run from start, or from its checkpoint, to end."""

    def __init__(
        self,
        module: nn.Module,
        groups: Sequence[Group],
        settings: Settings,
        *,
        checkpoint: Checkpoint | None,
        name: str,
    ) -> None:
        self._module, self._groups, self._settings, self._name = module, groups, settings, name
        self._device, self._checkpoint = _device(groups), checkpoint
        self._parameters: Final = {name: p for group in groups for name, p in group.parameters.items()}
        self._optimiser: Final = Optimiser(groups, settings, self._device)
        self._state = _State()
        self._pending: list[Tensor] = []
        self._started = self._saved = time.monotonic()
        self._saves = 0
        if settings.average is not None:
            self._state.average = _copies({name: p.detach() for name, p in self._parameters.items()})

    def train(
        self,
        loss: Callable[[int], Tensor],
        held_out: Callable[[], float] | None,
        *,
        every_seconds: float,
        deadline: float | None,
        progress: Progress,
    ) -> Trained:
        state, settings = self._state, self._settings
        clock = Clock(deadline, settings, self._name)
        if held_out is not None and not state.held_out:
            self._check(held_out)
        while not state.finished and not state.over(settings):
            self._step(loss)
            if held_out is not None and (state.step % settings.check_every == 0 or state.step == settings.steps):
                self._check(held_out)
            progress(self._name, state.step, settings.steps)
            if state.over(settings):
                break
            if time.monotonic() - self._saved >= every_seconds:
                self._save()
            if late := clock.late(state.step):
                self._save_at_last(every_seconds)
                raise late
        if not state.finished:
            self._finish()
            self._save_at_last(every_seconds)
        return self._trained()

    def _step(self, loss: Callable[[int], Tensor]) -> None:
        state, settings = self._state, self._settings
        for group in self._groups:
            if group.thawed(state.step, settings.steps):
                for p in group.parameters.values():
                    p.requires_grad_()
        seed_step(settings.seed, state.step, self._device)
        with in_precision(settings.precision, self._device):
            value = loss(state.step)
        self._pending.append(value.detach())
        if self._device.type == "cpu" or len(self._pending) >= STEPS_BETWEEN_READINGS:
            self._read_losses()
        self._optimiser.step(value, state.step)
        state.step += 1
        self._average()

    @torch.no_grad()
    def _average(self) -> None:
        if self._settings.average is None:
            return
        t = self._state.step
        decay = min(self._settings.average, (1 + t) / (10 + t))
        for name, average in self._state.average.items():
            average.lerp_(self._parameters[name], 1 - decay)

    def _read_losses(self) -> None:
        if not self._pending:
            return
        self._state.losses += torch.stack(self._pending).cpu().double().tolist()
        first = len(self._state.losses) - len(self._pending)
        self._pending.clear()
        for step, value in enumerate(self._state.losses[first:], start=first):
            if not math.isfinite(value):
                raise self._not_finite(f"loss, found {value}", step)

    @torch.no_grad()
    def _check(self, held_out: Callable[[], float]) -> None:
        """Measure the held-out loss and keep the weights where it is the lowest so far."""
        state = self._state
        self._read_losses()
        seed_step(self._settings.seed, state.step, self._device)
        with self._averaged():
            value = float(held_out())
            if math.isnan(value):
                raise self._not_finite(f"held-out loss, found {value}", state.step)
            state.held_out.append((state.step, value))
            if state.best_step == state.step:
                state.best = _copies(weights(self._module, self._groups))

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """Put the averaged weights in place for a while, where there are any."""
        now = _copies({name: self._parameters[name].detach() for name in self._state.average})
        try:
            self._place(self._state.average)
            yield
        finally:
            self._place(now)

    @torch.no_grad()
    def _place(self, values: dict[str, Tensor]) -> None:
        """Copy values into the module, so that each weight stays where and as it lies in memory."""
        live = weights(self._module, self._groups)
        for name, value in values.items():
            live[name].copy_(value)

    def _finish(self) -> None:
        """Put the weights that are kept in place."""
        state = self._state
        self._read_losses()
        self._place(state.best or state.average)
        finite = [torch.isfinite(p.detach()).all() for p in self._parameters.values()]
        if not bool(torch.stack(finite).all()):
            raise self._not_finite("weights, found others", state.step - 1)
        state.finished, state.best, state.average = True, {}, {}

    def _save_at_last(self, every_seconds: float) -> None:
        """Write what short runs do not leave behind."""
        if self._saves or time.monotonic() - self._started >= every_seconds:
            self._save()

    def _save(self) -> None:
        if self._checkpoint is None:
            return
        state = self._state
        self._read_losses()
        parts: dict[str, dict[str, Tensor]] = {"weights": weights(self._module, self._groups)}
        if not state.finished:
            parts |= {"optimiser": self._optimiser.state(), "best": state.best, "average": state.average}
        tensors = {f"{part}/{key}": value for part, values in parts.items() for key, value in values.items()}
        tensors["losses"] = torch.tensor(state.losses, dtype=torch.float64)
        seconds = state.seconds + time.monotonic() - self._started
        progress = {"step": state.step, "finished": state.finished, "seconds": seconds, "held_out": state.held_out}
        self._checkpoint.write(progress, tensors)
        self._saves, self._saved = self._saves + 1, time.monotonic()

    def resume(self) -> None:
        """Go to where the checkpoint of this run stands, if there is one."""
        found = self._checkpoint.read() if self._checkpoint is not None else None
        if found is None:
            return
        progress, tensors = found
        parts: dict[str, dict[str, Tensor]] = {"weights": {}, "optimiser": {}, "best": {}, "average": {}}
        for name, value in tensors.items():
            part, _, key = name.partition("/")
            if part in parts:
                parts[part][key] = value
        self._place(parts["weights"])
        self._optimiser.restore(parts["optimiser"])
        self._state = _State(
            progress["step"],
            tensors["losses"].tolist(),
            [(step, value) for step, value in progress["held_out"]],
            progress["seconds"],
            progress["finished"],
            self._like_live(parts["best"]),
            self._like_live(parts["average"]),
        )
        self._saves = 1

    def _like_live(self, values: dict[str, Tensor]) -> dict[str, Tensor]:
        live = weights(self._module, self._groups)
        return {name: torch.empty_like(live[name]).copy_(value) for name, value in values.items()}

    def _trained(self) -> Trained:
        state = self._state
        seconds = state.seconds + time.monotonic() - self._started
        return Trained(state.step, np.array(state.losses), tuple(state.held_out), state.best_step, seconds)

    def _not_finite(self, what: str, step: int) -> TrainingError:
        settings = self._settings
        rate = settings.rate * factor(settings.schedule, step, steps=settings.steps, warmup=settings.warmup)
        return TrainingError(
            f"expected finite {what} at step {step} of {settings.steps} (rate {rate:.3g})",
            where=self._name,
            fix=f"Try a smaller rate, such as {settings.rate / 10:.3g}.",
        )


def _check_settings(settings: Settings, device: torch.device, *, measured: bool) -> None:
    if settings.patience is not None and not measured:
        raise OptionError("patience needs a held-out loss to watch, found none", fix="Pass held_out, or no patience.")
    if settings.precision == "float16" and device.type not in SCALED:
        raise OptionError(
            f"expected a CUDA device for float16, found {device.type}", fix="Choose float32 or bfloat16 there."
        )


def _facts(
    module: nn.Module,
    groups: Sequence[Group],
    settings: Settings,
    *,
    fingerprint: str,
    measured: bool,
) -> dict[str, Any]:
    """Collect what decides every number of a run, so that no other run takes up its checkpoint."""
    return {
        "torch": torch.__version__,
        "device": _device(groups).type,
        "settings": asdict(settings),
        "groups": [group.facts for group in groups],
        "held_out": measured,
        "start": hash_state(weights(module, groups)),
        "fingerprint": fingerprint,
    }


def _device(groups: Sequence[Group]) -> torch.device:
    return next(p.device for group in groups for p in group.parameters.values())


def _copies(values: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in values.items()}
