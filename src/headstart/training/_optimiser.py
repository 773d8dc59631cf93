"""One step from a loss to new weights: gradient, pull, clipping, rates, update."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, final

import torch
from torch import Tensor, nn

from headstart.training._groups import Group
from headstart.training._schedule import factor
from headstart.training._settings import Settings

MOMENTUM: Final = 0.9
# One fused call per step. Median of 30 steps side by side, AdamW, 10 million parameters, 2 cores, torch 2.15: fused
# 22 ms, one tensor after another 40 ms, foreach 156 ms (SGD at best: 12, 17 and 17 ms).
FUSED: Final = ("cpu", "cuda")
# Of a loss in float16. A step whose gradients overflow is lost and halves the scale: torch's own start of 65,536 lost 7
# of 12 steps of a small network, and few labels mean few steps. Gradients from 6e-11 on are still told from zero.
SCALE: Final = 2.0**10


@final
class Optimiser:
    """Updates the parameters of groups.

    Args:
        groups: What trains.
        settings: Of the run.
        device: Where the parameters are.
    """

    def __init__(self, groups: Sequence[Group], settings: Settings, device: torch.device) -> None:
        self._groups, self._settings = groups, settings
        self._named: Final = {name: p for group in groups for name, p in group.parameters.items()}
        self._start: Final = {
            p: p.detach().clone() for group in groups if group.pull for p in group.parameters.values()
        }
        self._torch: Final = _build(groups, settings, fused=device.type in FUSED or None)
        self._scaler: Final = torch.amp.GradScaler(
            device.type, init_scale=SCALE, enabled=settings.precision == "float16"
        )

    def step(self, loss: Tensor, step: int) -> None:
        """Take one step down the gradient.

        Args:
            loss: Scalar with a graph.
            step: Number of the step, from 0.
        """
        settings = self._settings
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self._scaler.unscale_(self._torch)
        self._pull()
        if settings.clip is not None:
            nn.utils.clip_grad_norm_(self._named.values(), settings.clip)
        now = settings.rate * factor(settings.schedule, step, steps=settings.steps, warmup=settings.warmup)
        for group in self._torch.param_groups:
            group["lr"] = now * group["times"]
        self._scaler.step(self._torch)
        self._scaler.update()
        self._torch.zero_grad(set_to_none=True)

    def _pull(self) -> None:
        """Add the gradient of L2-SP; a parameter that had no part in this loss is left alone, as by decay."""
        for group in self._groups:
            for p in group.parameters.values() if group.pull else ():
                if p.grad is not None:
                    p.grad.add_(p.detach() - self._start[p], alpha=group.pull)

    def state(self) -> dict[str, Tensor]:
        """Return what the next step depends on besides weights and step number, by name."""
        tensors = {
            f"{key}/{name}": value
            for name, p in self._named.items()
            for key, value in self._torch.state.get(p, {}).items()
            if isinstance(value, Tensor)
        }
        scale = self._scaler.state_dict() if self._scaler.is_enabled() else {}
        return tensors | {f"scaler/{key}": torch.tensor(value, dtype=torch.float64) for key, value in scale.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take up a state that `state` returned for the same groups and settings.

        Args:
            state: Tensors by name, anywhere.
        """
        scale: dict[str, float] = {}
        for key, value in state.items():
            kind, name = key.split("/", 1)
            if kind == "scaler":
                scale[name] = int(value) if "interval" in name or "tracker" in name else float(value)
            else:
                p = self._named[name]
                if kind == "step":
                    own = torch.empty_like(value, device=p.device if self._torch.defaults["fused"] else "cpu")
                else:  # in the parameter's layout as well: another order in memory can mean another rounding
                    own = torch.empty_like(p, dtype=value.dtype, requires_grad=False)
                self._torch.state[p][kind] = own.copy_(value)
        if scale:
            self._scaler.load_state_dict(scale)


def _build(groups: Sequence[Group], settings: Settings, *, fused: bool | None) -> torch.optim.Optimizer:
    parts: list[dict[str, Any]] = []
    for group in groups:
        for decays in (True, False):
            chosen = [p for p in group.parameters.values() if (p.ndim >= 2) == decays]
            if chosen:
                parts.append({"params": chosen, "times": group.rate, "decay": group.weight_decay if decays else 0.0})
    if settings.optimiser == "adamw":
        for part in parts:
            part["weight_decay"] = part["decay"]
        return torch.optim.AdamW(parts, lr=settings.rate, fused=fused)
    optimiser = torch.optim.SGD(parts, lr=settings.rate, momentum=MOMENTUM, fused=fused)
    # torch's SGD adds weight decay to the gradient, where momentum and clipping would reach it.
    optimiser.register_step_pre_hook(_decay)
    return optimiser


@torch.no_grad()
def _decay(optimiser: torch.optim.Optimizer, _args: object, _kwargs: object) -> None:
    for group in optimiser.param_groups:
        for p in group["params"] if group["decay"] else ():
            if p.grad is not None:
                p.mul_(1 - group["lr"] * group["decay"])
