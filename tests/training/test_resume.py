"""Resuming: the same numbers as an unbroken run, whatever happened in between."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from headstart.backbones import read_tensors
from headstart.errors import ArtifactError, BudgetError
from headstart.training import Settings, Trained, train
from headstart.training import _checkpoint as checkpoint
from headstart.training import _loop as loop
from tests.training.small import LONG, SETTINGS, convnet, everything, held_out_of, loss_of, mlp, run


class StoppedError(Exception):
    pass


def stopping(module: nn.Module, at: int):
    loss = loss_of(module)

    def inner(step: int) -> Tensor:
        if step == at:
            raise StoppedError
        return loss(step)

    return inner


def never(step: int) -> Tensor:
    raise AssertionError("nothing is left to train")


def same(module: nn.Module, expected: nn.Module) -> bool:
    other = expected.state_dict()
    return all(torch.equal(value, other[name]) for name, value in module.state_dict().items())


def assert_equal(found: Trained, expected: Trained) -> None:
    assert np.array_equal(found.losses, expected.losses)
    assert (found.steps, found.held_out, found.best_step) == (expected.steps, expected.held_out, expected.best_step)


def normed() -> nn.Sequential:
    torch.manual_seed(2)
    return nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(0.2), nn.Linear(8, 3))


CASES = [
    (lambda: mlp(dropout=0.3), {}),
    (convnet, {"optimiser": "sgd"}),
    (normed, {"average": None, "patience": 24, "check_every": 1}),
    (mlp, {"optimiser": "sgd", "schedule": "one_cycle", "precision": "bfloat16"}),
    (mlp, {"precision": "float16"}),
]


@pytest.mark.parametrize(("make", "changed"), CASES)
@pytest.mark.parametrize("at", [1, 10, 23])
def test_a_run_that_failed_at_a_step_goes_on_bit_for_bit(tmp_path, monkeypatch, make, changed, at):
    monkeypatch.setattr(loop, "SCALED", ("cpu",))
    settings = replace(SETTINGS, **changed)
    whole, broken, resumed = make(), make(), make()
    expected = run(whole, settings=settings)
    assert expected.steps == 24
    with pytest.raises(StoppedError):
        run(broken, tmp_path / "c", settings=settings, loss=stopping(broken, at))
    told = []
    found = run(resumed, tmp_path / "c", settings=settings, progress=lambda what, done, total: told.append(done))
    assert told[0] == at + 1
    assert_equal(found, expected)
    assert same(resumed, whole)


def test_a_finished_run_returns_at_once_and_keeps_only_what_it_needs(tmp_path):
    first, again = mlp(), mlp()
    expected = run(first, tmp_path / "c")
    assert_equal(run(again, tmp_path / "c", loss=never, held_out=never), expected)
    assert same(again, first)
    (tensors,) = (tmp_path / "c").glob("*.safetensors")
    assert {name.split("/")[0] for name in read_tensors(tensors)} == {"weights", "losses"}
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == ["checkpoint.json", tensors.name]


def test_patience_that_ran_out_has_run_out_after_resuming(tmp_path):
    settings = replace(SETTINGS, patience=2, check_every=3)

    def rising(module: nn.Module):
        return lambda: float(module[0].weight.detach().double().sub(mlp()[0].weight).abs().sum())

    whole, broken, resumed = mlp(), mlp(), mlp()
    expected = run(whole, settings=settings, held_out=rising(whole))
    with pytest.raises(StoppedError):
        run(broken, tmp_path / "c", settings=settings, held_out=rising(broken), loss=stopping(broken, 4))
    assert_equal(run(resumed, tmp_path / "c", settings=settings, held_out=rising(resumed)), expected)
    assert expected.steps < 24


def test_short_training_leaves_nothing(tmp_path):
    module, plain = mlp(), mlp()
    run(module, tmp_path / "c", every_seconds=3600.0)
    assert not (tmp_path / "c").exists()
    run(plain)
    assert same(module, plain)


@pytest.mark.parametrize("what", ["settings", "groups", "fingerprint", "start", "held_out"])
def test_the_checkpoint_of_another_run_counts_as_none(tmp_path, what):
    def attempt(module: nn.Module, folder: Path | None, *, differs: bool) -> Trained:
        changed = what if differs else ""
        if changed == "start":
            with torch.no_grad():
                module[0].weight[0, 0] += 1
        settings = replace(SETTINGS, seed=6) if changed == "settings" else SETTINGS
        return train(
            module,
            everything(module, pull=0.5 if changed == "groups" else 0.0),
            loss_of(module),
            settings=settings,
            held_out=None if changed == "held_out" else held_out_of(module),
            checkpoint=folder,
            fingerprint="other" if changed == "fingerprint" else "",
            every_seconds=0.0,
        )

    attempt(mlp(), tmp_path / "c", differs=False)
    module = mlp()
    expected = attempt(mlp(), None, differs=True)
    found = attempt(module, tmp_path / "c", differs=True)
    assert_equal(found, expected)
    record = json.loads((tmp_path / "c" / "checkpoint.json").read_text())
    assert record["progress"]["finished"]
    assert len(list((tmp_path / "c").iterdir())) == 2


@pytest.mark.parametrize("damage", ["tensors", "cut", "missing", "record", "list", "fields"])
def test_a_damaged_checkpoint_counts_as_none(tmp_path, damage):
    whole, broken, resumed = mlp(), mlp(), mlp()
    expected = run(whole)
    with pytest.raises(StoppedError):
        run(broken, tmp_path, loss=stopping(broken, 12))
    record, (tensors,) = tmp_path / "checkpoint.json", tmp_path.glob("*.safetensors")
    content = bytearray(tensors.read_bytes())
    content[-3] ^= 1
    {
        "tensors": lambda: tensors.write_bytes(content),
        "cut": lambda: tensors.write_bytes(content[:-9]),
        "missing": tensors.unlink,
        "record": lambda: record.write_text(record.read_text()[:-20]),
        "list": lambda: record.write_text("[1]"),
        "fields": lambda: record.write_text("{}"),
    }[damage]()
    told = []
    assert_equal(run(resumed, tmp_path, progress=lambda what, done, total: told.append(done)), expected)
    assert told[0] == 1
    assert same(resumed, whole)


@pytest.mark.parametrize("at", ["write_tensors", "hash_item", "_flush", "replace", "after"])
def test_a_write_that_fails_midway_leaves_the_checkpoint_before(tmp_path, monkeypatch, at):
    whole, broken, resumed = mlp(), mlp(), mlp()
    expected = run(whole)
    with pytest.raises(StoppedError):
        run(broken, tmp_path, loss=stopping(broken, 12))

    def dies(*_: object, **__: object) -> None:
        raise StoppedError

    found = iter([checkpoint.hash_item])  # the first time it reads what is there, the second what was written
    target, name, instead = {
        "replace": (Path, "replace", dies),
        "after": (Path, "unlink", dies),
        "hash_item": (checkpoint, "hash_item", lambda path: next(found, dies)(path)),
    }.get(at, (checkpoint, at, dies))
    with monkeypatch.context() as patch:
        patch.setattr(target, name, instead)
        with pytest.raises(StoppedError):
            run(mlp(), tmp_path)
    told = []
    assert_equal(run(resumed, tmp_path, progress=lambda what, done, total: told.append(done)), expected)
    assert told[0] >= 13
    assert same(resumed, whole)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_full_disk_is_one_line(tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "write_tensors", full)
    with pytest.raises(ArtifactError, match="the disk is full.*Free space there and repeat the command"):
        run(mlp(), tmp_path / "c")


def test_what_a_late_run_computed_is_kept(tmp_path):
    module, whole = mlp(), mlp()
    settings = Settings(steps=10, rate=0.01)

    def attempt() -> Trained:
        module.load_state_dict(mlp().state_dict())
        return train(
            module,
            everything(module),
            loss_of(module),
            settings=settings,
            checkpoint=tmp_path,
            every_seconds=0.0,
            deadline=time.monotonic(),
        )

    for _ in range(9):
        with pytest.raises(BudgetError, match="more are needed and the budget leaves 0 s"):
            attempt()
    found = attempt()
    assert_equal(found, train(whole, everything(whole), loss_of(whole), settings=settings))
    assert same(module, whole)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
def test_a_process_killed_at_random_moments_goes_on_bit_for_bit(tmp_path):
    command = [sys.executable, "-m", "tests.training.small", str(tmp_path), "8"]
    subprocess.run(command, cwd=Path(__file__).parents[2], check=True)
    begun = [line.split() for line in (tmp_path / "begun.txt").read_text().splitlines()]
    assert sum(int(step) > 1 for _, step in begun) >= 2  # it was killed in the middle, more than once
    for name, whole in (("mlp", mlp(dropout=0.3)), ("convnet", convnet())):
        run(whole, settings=LONG)
        found = read_tensors(tmp_path / f"{name}.safetensors")
        assert all(torch.equal(found[key], value) for key, value in whole.state_dict().items())
