"""Small networks and data to train on; run as a program, it trains in processes that it kills."""

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from headstart.backbones import write_tensors
from headstart.training import Group, Settings, Trained, epochs, layer_wise, layers_of, train

SETTINGS = Settings(steps=24, rate=3e-3, average=0.9, check_every=5, seed=5)
LONG = replace(SETTINGS, steps=80)


def mlp(*, dropout: float = 0.0) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 16), nn.LayerNorm(16), nn.Dropout(dropout), nn.Linear(16, 8), nn.Linear(8, 3))


def convnet() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Unflatten(1, (1, 2, 3)), nn.Conv2d(1, 4, 2, padding=1), nn.GELU(), nn.Flatten(), nn.Linear(48, 3)
    ).to(memory_format=torch.channels_last)


def data(n: int = 45) -> tuple[Tensor, Tensor]:
    source = torch.Generator().manual_seed(7)
    X = torch.randn(n, 6, generator=source)
    return X, (X[:, 0] > 0).long() + (X[:, 1] > 0.3).long()


def loss_of(module: nn.Module, *, size: int = 8) -> Callable[[int], Tensor]:
    X, y = data()
    batches = epochs(len(y), size, seed=3)

    def loss(step: int) -> Tensor:
        rows = torch.from_numpy(batches.rows(step))
        return cross_entropy(module(X[rows]), y[rows])

    return loss


def held_out_of(module: nn.Module) -> Callable[[], float]:
    X, y = data(200)
    return lambda: float(cross_entropy(module(X[100:]), y[100:]).detach())


def everything(module: nn.Module, **settings: float) -> list[Group]:
    return [Group("all", dict(module.named_parameters()), **settings)]


def by_layer(module: nn.Sequential) -> list[Group]:
    layers = layers_of(module, [(name, [inner]) for name, inner in module.named_children()])
    return layer_wise(layers, decay=0.7, weight_decay=0.05, pull=0.01, unfreezing=0.4)


def run(module: nn.Sequential, folder: Path | None = None, *, settings: Settings = SETTINGS, **more: object) -> Trained:
    return train(
        module,
        by_layer(module),
        more.pop("loss", loss_of(module)),
        settings=settings,
        held_out=more.pop("held_out", held_out_of(module)),
        checkpoint=folder,
        every_seconds=more.pop("every_seconds", 0.0),
        fingerprint="small",
        **more,
    )


def train_both(work: Path) -> None:
    """Train two networks one after the other, noting the step each begins with."""
    with (work / "begun.txt").open("a", buffering=1) as file:
        for name, module in (("mlp", mlp(dropout=0.3)), ("convnet", convnet())):
            told: list[int] = []

            def note(what: str, done: int, total: int, *, name: str = name, told: list[int] = told) -> None:
                if not told:
                    told.append(done)
                    file.write(f"{name} {done}\n")

            run(module, work / name, settings=LONG, progress=note)
            write_tensors(work / f"{name}.safetensors", module.state_dict())
        file.write("end 0\n")


def kill_at_random(work: Path, times: int) -> None:
    """Run `train_both` in processes of its own; kill them, but for the last one."""
    rng, begun = random.Random(0), work / "begun.txt"
    begun.touch()
    for _ in range(times):
        before, child = begun.stat().st_size, _fork(work)
        while begun.stat().st_size == before:
            time.sleep(0.005)
        time.sleep(rng.uniform(0.0, 0.06))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    _, status = os.waitpid(_fork(work), 0)
    sys.exit(os.waitstatus_to_exitcode(status))


def _fork(work: Path) -> int:
    """Start a copy of this process, which has computed nothing yet and so has no threads to lose."""
    child = os.fork()
    if child == 0:
        try:
            train_both(work)
        except BaseException:
            (work / "begun.txt").write_text("failed 0\n" * 99)
            raise
        os._exit(0)
    return child


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)  # imports much; once is enough
    kill_at_random(Path(sys.argv[1]), int(sys.argv[2]))
