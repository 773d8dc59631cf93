"""Groups: rates by layer, thawing, what is refused."""

import pytest
import torch
from torch import nn

from headstart.errors import OptionError
from headstart.training import Group, Settings, layer_wise, layers_of, train
from tests.training.small import everything, loss_of, mlp

PLAIN = Settings(steps=1, rate=0.1, optimiser="sgd", schedule="constant", warmup=0.0, clip=None)


def test_one_step_of_sgd_moves_every_layer_by_its_own_rate():
    module, twin = mlp(), mlp()
    layers = layers_of(module, [("low", [module[0], module[1]]), ("middle", [module[3]]), ("top", [module[4]])])
    groups = layer_wise(layers, decay=0.5, rate=2.0)
    assert [(g.name, g.rate, list(g.parameters)) for g in groups] == [
        ("low", 0.5, ["0.weight", "0.bias", "1.weight", "1.bias"]),
        ("middle", 1.0, ["3.weight", "3.bias"]),
        ("top", 2.0, ["4.weight", "4.bias"]),
    ]
    train(module, groups, loss_of(module), settings=PLAIN)
    loss_of(twin)(0).backward()
    rate = {name: 0.1 * group.rate for group in groups for name in group.parameters}
    for name, p in twin.named_parameters():
        torch.testing.assert_close(module.get_parameter(name).detach(), p.detach() - rate[name] * p.grad)


def test_thawing_goes_from_the_top_down_evenly():
    layers = [(name, {}) for name in "abc"]
    assert [group.thaw for group in layer_wise(layers, decay=1.0, unfreezing=0.5)] == [0.5, 0.25, 0.0]
    assert [group.thaw for group in layer_wise(layers[:1], decay=1.0, unfreezing=0.5)] == [0.0]


@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
def test_a_group_stays_bit_identical_until_it_thaws(optimiser):
    module = mlp()
    before = {name: p.detach().clone() for name, p in module.named_parameters()}
    late = {name: p for name, p in module.named_parameters() if name.startswith("3")}
    rest = {name: p for name, p in module.named_parameters() if not name.startswith("3")}
    groups = [Group("late", late, thaw=0.3, weight_decay=0.1, pull=0.1), Group("rest", rest, weight_decay=0.1)]
    seen, loss = [], loss_of(module)

    def watched(step: int) -> torch.Tensor:
        seen.append(all(torch.equal(p, before[name]) for name, p in late.items()))
        return loss(step)

    settings = Settings(steps=10, rate=0.01, optimiser=optimiser, average=0.5)
    train(module, groups, watched, settings=settings)
    assert seen == [True] * 4 + [False] * 6  # steps 0 to 2 leave it alone; step 3 is the first to move it


def test_only_groups_train_and_every_flag_and_mode_is_as_it_was():
    module = mlp(dropout=0.5)
    module[0].eval()
    module[1].weight.requires_grad = False
    module[3].weight.grad = torch.ones_like(module[3].weight)
    before = {name: p.detach().clone() for name, p in module.named_parameters()}
    flags = {name: p.requires_grad for name, p in module.named_parameters()}
    modes = [inner.training for inner in module.modules()]
    groups = [Group("top", {"4.weight": module[4].weight}), Group("norm", {"1.weight": module[1].weight})]
    train(module, groups, loss_of(module), settings=Settings(steps=3, rate=0.1))
    moved = {name for name, p in module.named_parameters() if not torch.equal(p, before[name])}
    assert moved == {"4.weight", "1.weight"}
    assert {name: p.requires_grad for name, p in module.named_parameters()} == flags
    assert [inner.training for inner in module.modules()] == modes
    assert all(p.grad is None for p in module.parameters())


def test_flags_are_given_back_after_a_failure_too():
    module = mlp()

    def fails(step: int) -> torch.Tensor:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(module, [Group("top", {"4.weight": module[4].weight})], fails, settings=PLAIN)
    assert all(p.requires_grad for p in module.parameters())


def test_a_shared_parameter_belongs_to_the_first_part():
    module = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 3))
    module[2].weight = module[0].weight
    layers = layers_of(module, [("a", [module[0]]), ("none", [module[1]]), ("b", [module[2]])])
    assert [(name, list(parameters)) for name, parameters in layers] == [
        ("a", ["0.weight", "0.bias"]),
        ("b", ["2.bias"]),
    ]


def test_groups_that_do_not_fit_are_refused():
    module, other = mlp(), mlp()
    top = {"4.weight": module[4].weight}

    def attempt(*groups: Group) -> None:
        train(module, groups, loss_of(module), settings=PLAIN)

    with pytest.raises(OptionError, match="a: the module to train has no parameter '4.weight' that is this one"):
        attempt(Group("a", {"4.weight": other[4].weight}))
    with pytest.raises(OptionError, match="b: parameter '4.weight' is in group a too"):
        attempt(Group("a", top), Group("b", top))
    with pytest.raises(OptionError, match="expected groups of different names"):
        attempt(Group("a", top), Group("a", {"4.bias": module[4].bias}))
    with pytest.raises(OptionError, match="a group that trains from the start, found none.*thaw=0"):
        attempt(Group("a", top, thaw=0.5), Group("b", {}))
    with pytest.raises(OptionError, match="stray: a part has parameters that the module"):
        layers_of(module, [("stray", [other])])
    for wrong in ({"rate": -1}, {"pull": float("nan")}, {"thaw": 1.0}, {"weight_decay": -0.1}):
        with pytest.raises(OptionError, match="group all: expected rate, weight decay and pull from 0"):
            everything(module, **wrong)
