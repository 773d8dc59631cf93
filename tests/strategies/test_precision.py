"""Half precision: of what is stored at the cut, on request; of training, where a card has nothing better."""

from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
import torch

from headstart.backbones import Batch
from headstart.errors import OptionError
from headstart.features import FeatureSource, Store
from headstart.strategies import FineTune, LoRA, Run, _precision, finetune
from headstart.strategies._precision import auto_precision
from headstart.training import _loop as loop
from tests.backbones.families import make
from tests.strategies.small import FAST, data_for, live, pictures, recorded, task_of, topics, toy, tune

EFFECT = "float16 moves features by"


def in_store(folder):
    return sum(path.stat().st_size for path in folder.rglob("*.rows"))


@pytest.mark.parametrize("name", ["finetune", "contrastive", "lora"])
@pytest.mark.parametrize("family", ["toy:text", "toy:image", "bert"])
def test_half_precision_takes_half_the_store_and_hardly_changes_predictions(name, family, tmp_path):
    backbone = make(family, tmp_path)
    train, test = (topics(n) if family == "toy:text" else data_for(backbone, n, seed=n) for n in (24, 12))
    sizes, outputs, chosen = [], [], []
    for activations in ("float32", "float16"):
        strategy = replace(FAST[name], activations=activations)
        run = Run(FeatureSource(Store(tmp_path / activations)))
        tuned = strategy.tune(backbone, train, task_of(train), run=run)
        sizes.append(in_store(tmp_path / activations))
        outputs.append(tuned.outputs(test, run=run))
        chosen.append(tuned.chosen)
    assert sizes[0] == 2 * sizes[1] > 0
    # A dozen steps can carry one item far from where rounding moved it, on some processors further than on others.
    assert np.abs(outputs[1] - outputs[0]).mean() < 0.02
    assert (outputs[1].argmax(axis=1) == outputs[0].argmax(axis=1)).all()
    assert EFFECT not in chosen[0]
    assert 0 < chosen[1][EFFECT] < 0.002


def test_the_effect_is_that_on_the_features_of_the_trained_network():
    train = pictures(90)  # more than are looked at
    strategy = FineTune(last=1, steps=4, batch=8, views=2, activations="float16")
    tuned = tune(strategy, toy(train), train)
    rows = np.linspace(0, 89, 64).astype(int)
    network, start = tuned.model.backbone, tuned.start
    with torch.no_grad():
        exact = start.forward_to(start.prepare([train.items[row] for row in rows]), tuned.cut).values
        whole, rounded = (network.forward_from(Batch(v), tuned.cut) for v in (exact, exact.half().float()))
    assert tuned.chosen[EFFECT] == pytest.approx(float((rounded - whole).norm() / whole.norm()), rel=0.02)


def test_where_the_frozen_part_runs_live_nothing_is_rounded():
    train = topics(24)
    tuned = tune(replace(FAST["finetune"], activations="float16"), toy(train), train, decide=live)
    assert tuned.chosen["activations"] == "live, in float32"
    assert EFFECT not in tuned.chosen


def test_half_precision_is_stored_where_full_precision_has_no_room(tmp_path):
    train, whole = pictures(24), FeatureSource(Store(tmp_path / "whole"))
    strategies = [FineTune(last=1, steps=2, views=2, activations=kind) for kind in ("float32", "float16")]
    strategies[0].gather(toy(train), train, run=Run(whole))
    told: dict[str, str] = {}

    def decide(name, choose):
        return told.setdefault(name, choose())

    for strategy in strategies:
        source = FeatureSource(Store(tmp_path / strategy.activations, limit=in_store(tmp_path / "whole")))
        strategy.gather(toy(train), train, run=Run(source, decide=decide))
    assert list(told.values()) == ["live", "stored"]
    assert in_store(tmp_path / "float16") == in_store(tmp_path / "whole") / 2


@pytest.mark.parametrize("kind", [FineTune, LoRA])
def test_half_precision_is_refused_where_nothing_is_stored(kind):
    train = pictures(12)
    strategy = kind(last="all", activations="float16")
    with pytest.raises(OptionError, match="activations='float16' needs a cut .* found last='all'. Thaw fewer blocks"):
        strategy.fit(toy(train), train, task_of(train), run=Run(FeatureSource()))


@pytest.mark.parametrize(
    ("device", "capability", "expected"),
    [("cuda", (9, 0), "bfloat16"), ("cuda", (8, 0), "bfloat16"), ("cuda", (7, 5), "float16"), ("mps", None, "float32")],
)
def test_cards_without_bfloat16_of_their_own_train_in_float16(device, capability, expected, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: capability)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)  # emulated, on an older card
    assert auto_precision(torch.device(device)) == expected


@pytest.mark.parametrize(("native", "expected"), [(True, "bfloat16"), (False, "float32")])
def test_processors_never_train_in_float16(native, expected, monkeypatch):
    monkeypatch.setattr(_precision, "computes_bfloat16", lambda _kind: native)
    assert auto_precision(torch.device("cpu")) == expected


def test_training_in_scaled_float16_takes_the_steps_of_float32(monkeypatch):
    monkeypatch.setattr(loop, "SCALED", ("cpu",))  # no card is needed for the arithmetic
    train, strategy = pictures(24), FineTune(last=1, steps=30, batch=8, rate=3e-4)
    with recorded() as runs:
        for precision in ("float32", "float16"):
            with patch.object(finetune, "auto_precision", lambda _device, precision=precision: precision):
                tune(strategy, toy(train), train)
    full, half = (np.array(run.losses) for run in runs)
    assert not np.array_equal(full, half)
    np.testing.assert_allclose(half[:5], full[:5], rtol=0.01)
    assert half[-10:].mean() == pytest.approx(full[-10:].mean(), rel=0.1)  # a step may overflow and be lost
