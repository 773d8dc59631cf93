"""Groups of parameters: which train, from when on, how fast, and what holds them back."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, final

from torch import Tensor, nn

from headstart.errors import OptionError

Layer = tuple[str, Mapping[str, nn.Parameter]]
"""A name, and parameters by their full name in the module."""


@final
@dataclass(frozen=True, eq=False)
class Group:
    """Parameters that share a rate.

    Attributes:
        name: Such as ``head`` or ``encoder.layer.5``.
        parameters: By their full name in the module.
        rate: Times the base rate.
        weight_decay: Decoupled weight decay; biases and norm parameters (fewer than two dimensions) never decay.
        pull: Strength of L2-SP: pull/2 * ||w - w0||^2 is added to the loss, w0 being the values at the start
            (Li, Grandvalet and Davoine, ICML 2018, section 3). It passes through the optimiser as any gradient does.
        thaw: Share of all steps after which the group starts to train (gradual unfreezing); until then its parameters
            stay as they are, bit for bit.
    """

    name: str
    parameters: Mapping[str, nn.Parameter]
    rate: float = 1.0
    weight_decay: float = 0.0
    pull: float = 0.0
    thaw: float = 0.0

    def __post_init__(self) -> None:
        values = (self.rate, self.weight_decay, self.pull, self.thaw)
        if not all(0 <= value < math.inf for value in values) or self.thaw >= 1:
            raise OptionError(
                f"expected rate, weight decay and pull from 0 and thaw from 0 to below 1, found {values}",
                where=f"group {self.name}",
            )

    def thawed(self, step: int, steps: int) -> bool:
        """Say whether the group trains in a step, counted from 0."""
        return step >= round(self.thaw * steps)

    @property
    def facts(self) -> dict[str, Any]:
        """What is recorded of the group, as JSON values."""
        shapes = {name: list(parameter.shape) for name, parameter in self.parameters.items()}
        return {
            "name": self.name,
            "rate": self.rate,
            "weight_decay": self.weight_decay,
            "pull": self.pull,
            "thaw": self.thaw,
            "shapes": shapes,
        }


def layers_of(module: nn.Module, parts: Sequence[tuple[str, Sequence[nn.Module]]]) -> list[Layer]:
    """Find the parameters of parts of a network and their full names in it.

    Args:
        module: The whole that is trained.
        parts: Named modules inside it, input to output, such as name and modules of a backbone's blocks.

    Returns:
        One layer per part that has parameters. A parameter that several parts share belongs to the first.

    Raises:
        OptionError: A part has a parameter that the module has not.
    """
    full = {parameter: name for name, parameter in module.named_parameters()}
    layers: list[Layer] = []
    taken = set[nn.Parameter]()
    for part, modules in parts:
        own = dict.fromkeys(p for inner in modules for p in inner.parameters() if p not in taken)
        if any(p not in full for p in own):
            raise OptionError("a part has parameters that the module to train has not", where=part)
        taken.update(own)
        if own:
            layers.append((part, {full[p]: p for p in own}))
    return layers


def layer_wise(
    layers: Sequence[Layer],
    *,
    decay: float,
    rate: float = 1.0,
    weight_decay: float = 0.0,
    pull: float = 0.0,
    unfreezing: float = 0.0,
) -> list[Group]:
    """Make one group per layer, with smaller rates for earlier layers.

    The rate of a layer is ``rate * decay**d``, d counted from the output (Howard and Ruder, ACL 2018, section 3.2,
    where decay is 1/2.6; encoders of twelve layers take 0.8 to 0.95).

    Args:
        layers: Input to output.
        decay: Rate of a layer over that of the next one.
        rate: Rate of the last layer, times the base rate.
        weight_decay: Of every group.
        pull: Of every group.
        unfreezing: Share of all steps after which the first layer trains too; the last trains at once and those between
            thaw one after another, evenly, from the top.

    Returns:
        Groups, input to output.
    """
    top = len(layers) - 1
    return [
        Group(
            name,
            parameters,
            rate=rate * decay ** (top - i),
            weight_decay=weight_decay,
            pull=pull,
            thaw=unfreezing * (top - i) / max(1, top),
        )
        for i, (name, parameters) in enumerate(layers)
    ]


def check_groups(module: nn.Module, groups: Sequence[Group]) -> None:
    """Refuse groups that do not fit the module.

    Args:
        module: The whole that is trained.
        groups: What trains.

    Raises:
        OptionError: A parameter is not the module's or is in two groups, two groups share a name, or nothing trains
            from the start.
    """
    full = dict(module.named_parameters(remove_duplicate=False))
    home: dict[nn.Parameter, str] = {}
    for group in groups:
        for name, parameter in group.parameters.items():
            if full.get(name) is not parameter:
                raise OptionError(f"the module to train has no parameter {name!r} that is this one", where=group.name)
            if parameter in home:
                raise OptionError(f"parameter {name!r} is in group {home[parameter]} too", where=group.name)
            home[parameter] = group.name
    if len({group.name for group in groups}) < len(groups):
        raise OptionError(f"expected groups of different names, found {[group.name for group in groups]}")
    if not any(group.parameters and group.thaw == 0 for group in groups):
        raise OptionError("expected a group that trains from the start, found none", fix="Give one group thaw=0.")


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Freeze every parameter; on leaving, gradients are dropped and every parameter is as trainable as it was.

    Args:
        module: The whole.

    Yields:
        Nothing.
    """
    before = [(parameter, parameter.requires_grad) for parameter in module.parameters()]
    try:
        module.requires_grad_(requires_grad=False)
        module.zero_grad(set_to_none=True)  # the optimiser would take an old gradient for one of this run
        yield
    finally:
        for parameter, required in before:
            parameter.grad = None
            parameter.requires_grad_(required)


def weights(module: nn.Module, groups: Sequence[Group]) -> dict[str, Tensor]:
    """Return what training can change, without copying: the groups' parameters, and the buffers that are state.

    Args:
        module: The whole that is trained.
        groups: What trains.

    Returns:
        Tensors by full name.
    """
    trained = {name: p.detach() for group in groups for name, p in group.parameters.items()}
    state = module.state_dict()  # without buffers that are mere caches, which may grow or come later
    return trained | {name: state[name] for name, _ in module.named_buffers() if name in state}
