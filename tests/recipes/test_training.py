"""What the recipes share."""

from argparse import Namespace

import pytest
import torch
from recipes.training import Run, claim_run, rate_at, save_half
from safetensors.torch import load_file
from torch import Tensor, nn


def _network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))


def _losses(network: nn.Module):
    def loss_at(step: int, share: float) -> Tensor:
        source = torch.Generator().manual_seed(step)
        rows = torch.randn(16, 4, generator=source)
        return nn.functional.cross_entropy(network(rows), (rows[:, 0] > 0).long() * (1 + (rows[:, 1] > 0).long()))

    return loss_at


def test_a_broken_run_reaches_the_same_weights(tmp_path, capsys):
    whole = Run(_network(), tmp_path / "whole", rate=1e-2, decay=0.05)
    whole.train(40, _losses(whole.network))
    first = Run(_network(), tmp_path / "broken", rate=1e-2, decay=0.05)
    first.train(40, _losses(first.network), until=17)
    torch.manual_seed(7)
    second = Run(
        nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3)),
        tmp_path / "broken",
        rate=1e-2,
        decay=0.05,
    )
    second.train(40, _losses(second.network))
    assert second.step == 40
    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, second.network.state_dict()[name]), name
        assert torch.equal(whole.average[name], second.average[name]), name
    assert "step 40 of 40" in capsys.readouterr().out


def test_a_run_goes_on_with_what_it_was_begun_with_and_with_nothing_else(tmp_path):
    out = str(tmp_path / "run")
    claim_run(Namespace(out=out, seed=0, scale=0.1), {"data_sha256": "ab", "weights": [1, 2]})
    claim_run(Namespace(out=out, seed=0, scale=0.1), {"data_sha256": "ab", "weights": [1, 2]})
    with pytest.raises(SystemExit, match="run holds what was made with another seed; name an empty folder"):
        claim_run(Namespace(out=out, seed=1, scale=0.1), {"data_sha256": "ab", "weights": [1, 2]})
    with pytest.raises(SystemExit, match="another scale, data_sha256; name"):
        claim_run(Namespace(out=out, seed=0, scale=1.0), {"data_sha256": "cd", "weights": [1, 2]})


def test_the_rate_rises_and_falls_to_zero():
    rates = [rate_at(step / 100, 2.0) for step in range(101)]
    assert rates[0] == 0
    assert max(rates) == 2.0
    assert rates[4] == 2.0
    assert rates[100] < 1e-12
    assert rates[4:] == sorted(rates[4:], reverse=True)


def test_weights_are_halved_and_counters_kept(tmp_path):
    state = _network().state_dict()
    save_half(state, tmp_path / "w.safetensors")
    read = load_file(tmp_path / "w.safetensors")
    assert read["0.weight"].dtype == torch.float16
    assert read["1.num_batches_tracked"].dtype == torch.int64
    assert torch.equal(read["0.weight"], state["0.weight"].half())
