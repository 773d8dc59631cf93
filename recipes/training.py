"""What the recipes share: a training that can be interrupted, with a moving average of the weights.

A checkpoint holds the network, its average, the optimiser and the step, in one safetensors file, written whole or not
at all. Batches are functions of (seed, step), so a run that goes on reaches the weights of one that was not broken. A
folder keeps what its run was begun with, and with anything else nobody goes on there.
"""

import argparse
import hashlib
import json
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from headstart.engine import keep_freed_memory

WARM: Final = 0.04  # share of the steps in which the rate rises
EVERY: Final = 200  # steps between checkpoints
SAID: Final = 20  # steps between lines of progress
AVERAGE: Final = 0.999


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def rate_at(share: float, highest: float) -> float:
    """Warm up, then follow half a cosine down to zero."""
    return highest * min(share / WARM, 1) * 0.5 * (1 + math.cos(math.pi * max(share - WARM, 0) / (1 - WARM)))


class Run:
    """A training with AdamW.

    Args:
        network: What is trained; its state holds everything that a checkpoint needs.
        out: Folder for the checkpoint.
        rate: The highest learning rate.
        decay: Weight decay, for matrices and kernels only.
        clip: The largest norm of a gradient.
    """

    def __init__(self, network: nn.Module, out: Path, *, rate: float, decay: float, clip: float = 5.0) -> None:
        self.network, self.out, self.rate, self.clip = network, out, rate, clip
        self.step, self.seconds = 0, 0.0
        self.average = {name: value.clone() for name, value in network.state_dict().items()}
        trained = [p for p in network.parameters() if p.requires_grad]
        groups = [
            {"params": [p for p in trained if p.ndim > 1], "weight_decay": decay},
            {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
        ]
        self.optimiser = torch.optim.AdamW(groups, lr=rate)
        self._checkpoint = out / "checkpoint.safetensors"
        out.mkdir(parents=True, exist_ok=True)

    def train(self, steps: int, loss_at: Callable[[int, float], Tensor], *, until: int | None = None) -> None:
        """Go on from the checkpoint, where there is one, to the last step.

        Args:
            steps: How many the whole run has.
            loss_at: The loss at a step, given its number and share of the run.
            until: Stop after this step, as if interrupted; None goes to the end.
        """
        if self._checkpoint.is_file():
            self._resume()
        began = time.perf_counter() - self.seconds
        self.network.train()
        while self.step < (steps if until is None else until):
            share = self.step / steps
            loss = self._take(loss_at(self.step, share), rate_at(share, self.rate))
            self.seconds = time.perf_counter() - began
            if self.step % SAID == 0:
                print(f"step {self.step} of {steps}, loss {loss:.3f}, {self.seconds:.0f} s", flush=True)
            if self.step % EVERY == 0:
                self._save()
        self._save()

    def _take(self, loss: Tensor, rate: float) -> float:
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), self.clip)
        self.optimiser.step()
        self.step += 1
        keep = min(AVERAGE, self.step / (self.step + 10))
        with torch.no_grad():
            for name, value in self.network.state_dict().items():
                if value.is_floating_point():
                    self.average[name].lerp_(value, 1 - keep)
                else:
                    self.average[name].copy_(value)
        return float(loss.detach())

    def _save(self) -> None:
        tensors = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        tensors |= {f"average.{name}": value for name, value in self.average.items()}
        for k, state in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{k}.{name}": value for name, value in state.items()}
        tensors |= {"step": torch.tensor(self.step), "seconds": torch.tensor(self.seconds)}
        partial = self._checkpoint.with_suffix(".partial")
        save_file({name: value.contiguous() for name, value in tensors.items()}, partial)
        partial.replace(self._checkpoint)

    def _resume(self) -> None:
        tensors = load_file(self._checkpoint)
        self.step, self.seconds = int(tensors.pop("step")), float(tensors.pop("seconds"))
        parts: dict[str, dict[str, Tensor]] = {"network": {}, "average": {}, "optimiser": {}}
        for name, value in tensors.items():
            part, _, rest = name.partition(".")
            parts[part][rest] = value
        self.network.load_state_dict(parts["network"])
        self.average = parts["average"]
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in parts["optimiser"].items():
            k, _, rest = name.partition(".")
            state.setdefault(int(k), {})[rest] = value
        self.optimiser.load_state_dict({**self.optimiser.state_dict(), "state": state})


def arguments(about: str | None) -> argparse.ArgumentParser:
    """Return the options that every training has."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, help="folder for checkpoint and result")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the steps")
    parser.add_argument("--threads", type=int, default=2)
    return parser


def begin(options: argparse.Namespace) -> None:
    """Make what follows a function of the seed, on so many threads."""
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    keep_freed_memory()


def claim(file: Path, made_by: Mapping[str, Any]) -> None:
    """Write down what makes the content of a folder, or end the program if something else made what is there.

    Args:
        file: Where it is written, in that folder.
        made_by: Names and values, as JSON has them.
    """
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        record(file, made_by)
        return
    there = json.loads(file.read_text(encoding="utf-8"))
    other = [name for name, value in made_by.items() if there.get(name) != value]
    if other:
        sys.exit(f"{file.parent} holds what was made with another {', '.join(other)}; name an empty folder")


def record(file: Path, content: Mapping[str, Any]) -> None:
    """Write JSON for people to read."""
    file.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def claim_run(options: argparse.Namespace, made_by: Mapping[str, Any]) -> None:
    """Let a run go on only with the seed, length and data that it was begun with.

    Args:
        options: Those of `arguments`.
        made_by: What else decides the result, such as hashes.
    """
    claim(Path(options.out) / "begun.json", {"seed": options.seed, "scale": options.scale, **made_by})


def ship(run: Run, options: argparse.Namespace, about: Mapping[str, Any], *, without: Sequence[str] = ()) -> None:
    """Write the averaged weights of the part called ``network``, and print and write what they were made from.

    Args:
        run: The training, at its end.
        options: Those of `arguments`.
        about: What this recipe records besides.
        without: Weights to leave out.
    """
    state = {n.removeprefix("network."): value for n, value in run.average.items() if n.startswith("network.")}
    save_half({name: value for name, value in state.items() if name not in without}, run.out / "model.safetensors")
    made = {
        "seed": options.seed,
        "scale": options.scale,
        "steps": run.step,
        "seconds": round(run.seconds),
        "torch": torch.__version__,
        "threads": options.threads,
        **about,
        "model_sha256": sha256(run.out / "model.safetensors"),
    }
    record(run.out / "record.json", made)
    print(json.dumps(made, indent=1))


def save_half(state: dict[str, Tensor], path: Path) -> None:
    """Write weights in float16; counters stay what they are."""
    save_file({name: v.half().contiguous() if v.is_floating_point() else v for name, v in state.items()}, path)
