"""What is learnt from the target alone: BatchNorm statistics, sure answers, pseudo-labels.

Statistics of a whole domain are the means over its batches, drawn without regard to the order of the data: batches of
one class would each vary too little.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from headstart.backbones import Backbone
from headstart.errors import OptionError
from headstart.linear import LinearModel, nearest_prototypes
from headstart.strategies._base import Run
from headstart.strategies._domain_losses import uninformative, unsure
from headstart.strategies._head import LinearHead
from headstart.strategies._looks import Looks
from headstart.strategies._thawed import ROWS_AT_ONCE, Thawed
from headstart.strategies._tuning import Material, Tuning, fit_probe, train_thawed
from headstart.strategies.finetune import Both
from headstart.training import Group, Settings

ROUNDS: Final = 5  # of pseudo-labels
PSEUDO: Final = 0.3  # weight of their loss
SURE_RATE: Final = 1e-3
NORMS: Final = (_BatchNorm, nn.LayerNorm, nn.GroupNorm)
NEEDS: Final[Mapping[str, tuple[tuple[type[nn.Module], ...], str]]] = {
    "adabn": ((_BatchNorm,), "BatchNorm statistics"),
    "tent": (NORMS, "gain and bias of normalising layers"),
}
"""What these move, and what that is called."""


def with_statistics(material: Material, target: Thawed, *, run: Run) -> LinearModel:
    """Fit a head under the source's own BatchNorm statistics, and leave those of the target in the network.

    Li et al., Revisiting batch normalization for practical domain adaptation (2016), in the blocks after the cut.

    Args:
        material: The copy and the examples of the source.
        target: The same copy with examples of the target.
        run: The seed.

    Returns:
        The head.
    """
    estimate(material.thawed, run=run)
    head = fit_probe(material, material.thawed.all_features(progress=run.progress), run=run)
    estimate(target, run=run)
    return head


def informed(
    strategy: Tuning, material: Material, head: LinearHead, groups: Sequence[Group], *, settings: Settings, run: Run
) -> None:
    """Make answers sure and different under a head that stays, with pseudo-labels by the target's own means.

    SHOT (Liang, Hu & Feng, Do we really need to access the source data?, 2020, eq. 3 to 7), where the labels are made
    anew 15 times, here 5 times, at a rate that does not fall.

    Args:
        strategy: What is named in messages and checkpoints.
        material: The copy and both domains.
        head: Of the source; left as it is.
        groups: The blocks that train.
        settings: Steps over all rounds, and the rate.
        run: The seed.
    """
    target, size = _target(material), ROWS_AT_ONCE
    looks, per_round = Looks.of(target, size, run.seed + 1), -(-settings.steps // ROUNDS)
    settings, device = replace(settings, steps=per_round, schedule="constant"), target.backbone.device
    module = Both(target.backbone.network, head)
    for number in range(ROUNDS):
        X = target.all_features(progress=run.progress)
        with torch.no_grad():
            p = functional.softmax(head(torch.from_numpy(X).to(device)).float(), dim=1).cpu().numpy()
        labels = torch.from_numpy(nearest_prototypes(X, p)).to(device)

        def loss(step: int, labels: Tensor = labels, first: int = number * per_round) -> Tensor:
            scores = head(looks.features(first + step))
            own = labels[torch.from_numpy(looks.items(first + step)).to(device)]
            return uninformative(scores) + PSEUDO * functional.cross_entropy(scores.float(), own)

        stage = f"pseudo-labels, round {number + 1} of {ROUNDS}"
        train_thawed(strategy, material, loss, groups, module=module, settings=settings, run=run, stage=stage)


def made_sure(strategy: Tuning, material: Material, head: LinearHead, *, settings: Settings, run: Run) -> None:
    """Lower the entropy of answers by gain and bias of the normalising layers alone, once through the target.

    TENT (Wang et al., Tent: fully test-time adaptation by entropy minimization, 2021), where a batch is normalised by
    its own statistics at the time of use as well; here the network keeps those of the whole target.

    Args:
        strategy: What is named in messages and checkpoints.
        material: The copy and both domains.
        head: Of the source; left as it is.
        settings: All but steps and rate.
        run: The seed.
    """
    target = _target(material)
    layers = _layers(target.backbone, target.cut, NORMS)
    own = {id(parameter) for layer in layers for parameter in layer.parameters(recurse=False)}
    looks = Looks.of(target, ROWS_AT_ONCE, run.seed + 1)
    module = Both(target.backbone.network, head)
    group = Group("normalising layers", {name: p for name, p in module.named_parameters() if id(p) in own})
    norms = _batch_norms(target)
    for norm in norms:
        norm.train()
    train_thawed(
        strategy,
        material,
        lambda step: unsure(head(looks.features(step))),
        [group],
        module=module,
        settings=replace(settings, steps=looks.per_epoch, rate=SURE_RATE, schedule="constant"),
        run=run,
        stage="sure answers",
    )
    if norms:
        estimate(target, run=run)


def estimate(thawed: Thawed, *, run: Run) -> None:
    """Replace the statistics of every BatchNorm in the blocks that train by those of a domain's plain views.

    Args:
        thawed: The copy, with the domain's activations.
        run: Where progress is told.
    """
    norms = _batch_norms(thawed)
    looks = Looks.of(replace(thawed, views=replace(thawed.views, sources=thawed.views.sources[:1])), ROWS_AT_ONCE, 0)
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches
        norm.train()
    with torch.no_grad():
        for step in range(looks.per_epoch):
            looks.features(step)
            run.progress("BatchNorm statistics", step + 1, looks.per_epoch)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()


def _target(material: Material) -> Thawed:
    assert material.target is not None
    return material.target


def check_layers(backbone: Backbone, cut: str | None, method: str) -> None:
    """Refuse a network whose blocks after a cut have no layers of the kind that a method moves.

    Args:
        backbone: The network.
        cut: The frozen boundary; None where all of it trains.
        method: A name from `NEEDS`.

    Raises:
        OptionError: There is none.
    """
    kinds, what = NEEDS[method]
    layers = _layers(backbone, cut, kinds)
    tensors = [each for layer in layers for each in (layer.buffers if method == "adabn" else layer.parameters)()]
    if not tensors:
        raise OptionError(
            f"{method} moves {what}, and the blocks that train have none",
            where=backbone.name,
            fix="Thaw more blocks, or choose another method.",
        )


def _layers(backbone: Backbone, cut: str | None, kinds: tuple[type[nn.Module], ...]) -> list[nn.Module]:
    """Return the layers of some kinds in the blocks after a cut and the tail, each once."""
    parts: list[nn.Module] = [backbone.network]
    if cut is not None:
        parts = [*(module for block in backbone.after(cut) for module in block.modules), *backbone.tail_modules]
    inside = dict.fromkeys(inner for part in parts for inner in part.modules())
    return [module for module in inside if isinstance(module, kinds)]


def _batch_norms(thawed: Thawed) -> list[_BatchNorm]:
    found = _layers(thawed.backbone, thawed.cut, (_BatchNorm,))
    return [norm for norm in found if isinstance(norm, _BatchNorm) and norm.track_running_stats]
