"""Training the thawed part from stored activations equals training with the frozen part live, step by step."""

import pytest
import torch

from headstart.features import FeatureSource, Store
from headstart.strategies import FineTune, Run
from tests.backbones.families import make
from tests.strategies.small import data_for, one_head, recorded, task_of, three_ways

TOLERANCE = 1e-4


@pytest.mark.parametrize(
    ("family", "last"),
    [
        *(("resnet", 3), ("mobilenetv2", 5), ("convnext", 2), ("swin", 2)),
        *(("vit-token", 1), ("vit-token", "all"), ("vit-distilled", 1), ("vit-dinov3", 1)),
        *(("whisper", 1), ("whisper", "all"), ("whisper-window", 1), ("toy:audio", 1)),
        *(("conformer", 1), ("conformer", "all"), ("conformer-relative", 1)),
        *(("bert", 1), ("gpt2", 1), ("mpnet", 1), ("deberta-v2", 2), ("deberta-v3", 1), ("deberta-v3", "all")),
    ],
)
def test_stored_live_and_plain_training_take_the_same_steps_to_the_same_predictions(family, last, tmp_path):
    torch.manual_seed(0)  # some of these networks start from torch's own weights
    backbone = make(family, tmp_path)
    before = {name: value.clone() for name, value in backbone.network.state_dict().items()}
    strategy = FineTune(last=last, steps=50, batch=8, rate=3e-4)
    stored, live, plain = three_ways(strategy, backbone, data_for(backbone, 30), data_for(backbone, 12, seed=5))
    assert min(stored.moved, live.moved, plain.moved) > 0.01
    assert len(stored.losses) == len(plain.losses) == 50
    for other in (live, plain):
        losses, outputs = stored.differences(other)
        assert losses < TOLERANCE
        assert outputs < TOLERANCE
    assert all(torch.equal(before[name], value) for name, value in backbone.network.state_dict().items())


def test_a_store_without_room_makes_the_frozen_part_run_live_to_the_same_model(tmp_path):
    backbone, said = make("toy:image", tmp_path), []
    train, strategy = data_for(backbone, 24), FineTune(last=1, steps=10, batch=8)
    task = task_of(train)
    with one_head(), recorded() as runs:
        for source in (FeatureSource(), FeatureSource(Store(tmp_path / "full", limit=100))):
            strategy.tune(backbone, train, task, run=Run(source, say=said.append))
    losses = [run.losses for run in runs]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    assert len(said) == 1
    assert "(2 views of 24 items); the store has 0 MB for them, so the frozen part runs live" in said[0]
    assert not list((tmp_path / "full").rglob("*.safetensors"))


def test_room_is_asked_for_all_views_that_are_not_stored(tmp_path):
    backbone = make("toy:image", tmp_path)
    train = data_for(backbone, 24)
    plain = FeatureSource(Store(tmp_path / "store"))
    plain.activations(backbone, train, cut="conv2")
    one_view = sum(file.stat().st_size for file in (tmp_path / "store").rglob("*") if file.is_file())
    source = FeatureSource(Store(tmp_path / "store", limit=int(1.5 * one_view)))
    told: dict[str, str] = {}

    def decide(name, choose):
        return told.setdefault(name, choose())

    FineTune(last=1, views=4, steps=2).tune(backbone, train, task_of(train), run=Run(source, decide=decide))
    assert list(told.values()) == ["live"]
