"""Connected digits from few utterances: are a starter's frames worth more than cepstra, and than no pretraining?

    python benchmarks/starters/connected.py --results FILE.jsonl

Speech recognition is no task of the package yet, so everything particular to it is here: a CTC probe (one linear layer
on frozen, standardised frames, averaged to 40 ms and seen eleven at a time, which is about as long as a word; fitted by
L-BFGS, the penalty chosen on a training speaker held out), greedy decoding, and the word error rate on dev and test
together (160 utterances of two speakers that never train) with a bootstrap interval by utterance. Tokens are the ten
words, or with --tokens characters letters and spaces.

Arms, each on 10, 50 and all 300 training utterances:

* frames: activations at the last cut point of the starter, through the Backbone interface;
* random frames: the same of the network with random weights;
* cepstra: 20 coefficients, slopes and slopes of slopes, each utterance brought to mean 0 and variance 1;
* tuned, scratch: the whole network with that layer on top, trained from the starter's weights and from random ones, as
  many steps as fit into --train-seconds. Only as good as that time allows.

Rows are printed and appended as JSON lines; what the results file has is not measured again.
"""

import argparse
import json
import random
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from run import done
from torch import Tensor, nn

from headstart import backbones
from headstart.backbones import Backbone, Batch, from_scratch
from headstart.data import read_sound
from headstart.evaluation import SOUND_RATE
from headstart.evaluation.sounds import sound_frames

sys.path.insert(0, str(Path(__file__).parents[1] / "peers"))
from machine import here
from subsets import read_csv

Frames = NDArray[np.float32]  # (T, D)
PER_SECOND, SEEN = 25, 11  # frames that the probe takes, and how many its layer sees at a time
PENALTIES = (0.03, 0.1, 0.3, 1.0)
STEPS = 60  # of L-BFGS
BATCH, TUNED_RATE, SCRATCH_RATE = 8, 3e-4, 1e-3  # of the whole network
BLANK = 0


@dataclass(frozen=True)
class Utterance:
    """A recording, what is said in it and by whom."""

    path: Path
    words: tuple[str, ...]
    speaker: str


@dataclass(frozen=True)
class Tokens:
    """Numbers for what is recognised; 0 is CTC's blank."""

    names: tuple[str, ...]
    join: str  # between tokens in a transcript: a space between words, nothing between letters

    @classmethod
    def of(cls, kind: str, utterances: Sequence[Utterance]) -> "Tokens":
        join = " " if kind == "words" else ""
        every = {token for each in utterances for token in cls._split(each.words, join)}
        return cls(tuple(sorted(every)), join)

    def encode(self, words: Sequence[str]) -> list[int]:
        return [1 + self.names.index(token) for token in self._split(words, self.join)]

    def decode(self, best: Sequence[int]) -> tuple[str, ...]:
        """Join repeats, drop blanks, and split into words."""
        kept = [b for b, before in zip(best, [BLANK, *best], strict=False) if b not in (before, BLANK)]
        return tuple(self.join.join(self.names[b - 1] for b in kept).split())

    @staticmethod
    def _split(words: Sequence[str], join: str) -> Sequence[str]:
        return words if join else list(" ".join(words))


def read(folder: Path) -> dict[str, list[Utterance]]:
    parts: dict[str, list[Utterance]] = defaultdict(list)
    for row in read_csv(folder / "manifest.csv"):
        said = tuple(row["transcript"].split())
        parts[row["split"]].append(Utterance(folder / row["path"], said, row["group"]))
    return parts


def draw(train: Sequence[Utterance], n: int, seed: int) -> list[Utterance]:
    """Draw utterances of all speakers in turn."""
    rng, by_speaker = random.Random(f"{n} {seed}"), defaultdict[str, list[Utterance]](list)
    for each in train:
        by_speaker[each.speaker].append(each)
    shuffled = [rng.sample(own, len(own)) for own in by_speaker.values()]
    in_turn = [own[i] for i in range(max(map(len, shuffled))) for own in shuffled if i < len(own)]
    return in_turn[:n]


def frames_of(batch: Batch, inputs: Batch, n_items: int, space: tuple[int, int]) -> list[Tensor]:
    """Return the real frames of every item, its windows joined.

    Args:
        batch: Activations at a cut: (W, T, D), or (W, C, ., .) where time is the longer of the axes in ``space``.
        inputs: What the network was given; its mask says how much of each row is real.
        n_items: How many items there are.
        space: As the block has it.
    """
    values = batch.values
    if values.ndim == 4:
        time_axis = max(space, key=lambda axis: values.shape[axis])
        values = values.movedim(time_axis, 1).flatten(2)
    share = torch.ones(len(values)) if inputs.mask is None else inputs.mask.float().mean(dim=1).cpu()
    lengths = (share * values.shape[1]).ceil().long().clamp(min=1)
    owner = torch.arange(len(values)) if inputs.owner is None else inputs.owner.cpu()
    rows = [value[:length] for value, length in zip(values, lengths, strict=True)]
    return [torch.cat([rows[w] for w in torch.nonzero(owner == item)[:, 0]]) for item in range(n_items)]


def network_frames(backbone: Backbone, paths: Sequence[Path]) -> list[Tensor]:
    """Run the network up to its last cut."""
    inputs, last = backbone.prepare(paths), backbone.blocks[-1]
    return frames_of(backbone.forward_to(inputs, last.name), inputs, len(paths), last.space)


def frozen(backbone: Backbone) -> Callable[[Path], Frames]:
    backbone.network.eval()

    def describe(path: Path) -> Frames:
        with torch.inference_mode():
            return network_frames(backbone, [path])[0].float().cpu().numpy()

    return describe


def cepstra(path: Path) -> Frames:
    """Classical features, a frame every 10 ms, freed of what differs between speakers and microphones."""
    frames = sound_frames(read_sound(path, rate=SOUND_RATE))
    return ((frames - frames.mean(axis=0)) / (frames.std(axis=0) + 1e-6)).astype(np.float32)


def windows(path: Path, frames: Frames) -> Frames:
    """Average frames down to 25 a second, where there are more, and give each its neighbours."""
    seconds = len(read_sound(path, rate=SOUND_RATE)) / SOUND_RATE
    joined = max(1, round(len(frames) / seconds / PER_SECOND))
    starts = np.arange(0, len(frames), joined)
    means = np.add.reduceat(frames, starts) / np.diff([*starts, len(frames)])[:, None]
    padded = np.pad(means, ((SEEN // 2, SEEN // 2), (0, 0)), mode="edge")
    return np.hstack([padded[i : i + len(means)] for i in range(SEEN)]).astype(np.float32)


def ctc(scores: Tensor, lengths: Sequence[int], targets: Sequence[Sequence[int]]) -> Tensor:
    """Loss per utterance over its tokens, averaged; utterances too short for their tokens count nothing."""
    joined = torch.tensor([token for target in targets for token in target])
    return nn.functional.ctc_loss(
        scores.log_softmax(dim=2).transpose(0, 1),
        joined,
        torch.tensor(lengths),
        torch.tensor([len(target) for target in targets]),
        blank=BLANK,
        zero_infinity=True,
    )


@dataclass(frozen=True)
class Probe:
    """Standardised frames to scores of tokens."""

    mean: Tensor
    spread: Tensor
    layer: nn.Linear

    def standardised(self, frames: Sequence[Frames]) -> tuple[Tensor, list[int]]:
        rows = [(torch.from_numpy(each) - self.mean) / self.spread for each in frames]
        return nn.utils.rnn.pad_sequence(rows, batch_first=True), [len(each) for each in frames]

    def scores(self, frames: Sequence[Frames]) -> tuple[Tensor, list[int]]:
        rows, lengths = self.standardised(frames)
        return self.layer(rows), lengths


def fit_probe(
    train: Sequence[Utterance], frames: Sequence[Frames], targets: Sequence[list[int]], n_tokens: int
) -> tuple[Probe, float]:
    """Choose the penalty on one of the speakers, then fit on all."""
    held = [i for i, each in enumerate(train) if each.speaker == train[0].speaker]
    inside = [i for i in range(len(train)) if i not in held]
    losses = []
    for penalty in PENALTIES:
        probe = fitted([frames[i] for i in inside], [targets[i] for i in inside], n_tokens, penalty)
        with torch.inference_mode():
            losses.append(float(ctc(*probe.scores([frames[i] for i in held]), [targets[i] for i in held])))
    best = PENALTIES[int(np.argmin(losses))]
    return fitted(frames, targets, n_tokens, best), best


def fitted(frames: Sequence[Frames], targets: Sequence[list[int]], n_tokens: int, penalty: float) -> Probe:
    every = np.concatenate(list(frames))
    mean, spread = every.mean(axis=0), every.std(axis=0)
    spread = np.maximum(spread, 1e-3 * np.median(spread) + 1e-8)
    layer = nn.Linear(every.shape[1], n_tokens + 1)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    probe = Probe(torch.from_numpy(mean), torch.from_numpy(spread), layer)
    rows, lengths = probe.standardised(frames)
    # Stochastic steps stay on CTC's plateau of blanks far longer.
    optimiser = torch.optim.LBFGS(layer.parameters(), max_iter=STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = ctc(layer(rows), lengths, targets) + 0.5 * penalty * layer.weight.square().sum()
        value.backward()
        return value

    optimiser.step(loss)
    return probe


def train_whole(
    backbone: Backbone, utterances: Sequence[Utterance], targets: Sequence[list[int]], n_tokens: int,
    *, rate: float, seconds: float, seed: int,
) -> tuple[nn.Linear, int]:  # fmt: skip
    """Train every weight for so many seconds, the rate falling to zero as they pass; returns the last layer too."""
    torch.manual_seed(seed)
    network, rng = backbone.network.train(), random.Random(seed)
    layer = nn.LazyLinear(n_tokens + 1)
    layer(network_frames(backbone, [utterances[0].path])[0])
    parameters = [*network.parameters(), *layer.parameters()]
    for parameter in parameters:
        parameter.requires_grad_(True)
    optimiser = torch.optim.AdamW(parameters, lr=rate, weight_decay=0.05)
    started, steps = time.monotonic(), 0
    while (passed := (time.monotonic() - started) / seconds) < 1:
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1, 20 * passed + 0.01) * 0.5 * (1 + np.cos(np.pi * passed))
        some = rng.sample(range(len(utterances)), min(BATCH, len(utterances)))
        rows = network_frames(backbone, [utterances[i].path for i in some])
        scores = layer(nn.utils.rnn.pad_sequence(rows, batch_first=True))
        loss = ctc(scores, [len(row) for row in rows], [targets[i] for i in some])
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        steps += 1
    network.eval()
    return layer, steps


def errors(said: Sequence[str], heard: Sequence[str]) -> int:
    """Count the words put in, left out or changed."""
    row = list(range(len(heard) + 1))
    for i, word in enumerate(said, 1):
        row, before = [i], row
        for j, other in enumerate(heard, 1):
            row.append(min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (word != other)))
    return row[-1]


def word_error_rate(test: Sequence[Utterance], heard: Sequence[tuple[str, ...]]) -> dict:
    wrong = np.array([errors(each.words, words) for each, words in zip(test, heard, strict=True)])
    lengths = np.array([len(each.words) for each in test])
    drawn = np.random.default_rng(0).integers(len(test), size=(2000, len(test)))
    low, high = np.quantile(wrong[drawn].sum(axis=1) / lengths[drawn].sum(axis=1), [0.025, 0.975])
    by_speaker = {}
    for speaker in sorted({each.speaker for each in test}):
        own = np.array([each.speaker == speaker for each in test])
        by_speaker[speaker] = float(wrong[own].sum() / lengths[own].sum())
    return {
        "wer": float(wrong.sum() / lengths.sum()),
        "interval": [float(low), float(high)],
        "by_speaker": by_speaker,
        "errors": wrong.tolist(),
        "n_test": len(test),
    }


def recognise(scores: Tensor, lengths: Sequence[int], tokens: Tokens) -> list[tuple[str, ...]]:
    best = scores.argmax(dim=2).tolist()
    return [tokens.decode(row[:length]) for row, length in zip(best, lengths, strict=True)]


@dataclass(frozen=True)
class Bench:
    """The recordings, the networks and how long to train."""

    parts: Mapping[str, list[Utterance]]
    backbone: Backbone
    tokens: Tokens
    train_seconds: float

    @property
    def test(self) -> list[Utterance]:
        return self.parts["dev"] + self.parts["test"]

    def probed(self, train: Sequence[Utterance], describe: Callable[[Path], Frames]) -> dict:
        frames = {each.path: windows(each.path, describe(each.path)) for each in [*train, *self.test]}
        targets = [self.tokens.encode(each.words) for each in train]
        own = [frames[each.path] for each in train]
        probe, penalty = fit_probe(train, own, targets, len(self.tokens.names))
        with torch.inference_mode():
            heard = recognise(*probe.scores([frames[each.path] for each in self.test]), self.tokens)
        return {**word_error_rate(self.test, heard), "penalty": penalty}

    def trained(self, train: Sequence[Utterance], backbone: Backbone, *, rate: float, seed: int) -> dict:
        targets = [self.tokens.encode(each.words) for each in train]
        layer, steps = train_whole(
            backbone, train, targets, len(self.tokens.names), rate=rate, seconds=self.train_seconds, seed=seed
        )
        describe, heard = frozen(backbone), []
        with torch.inference_mode():
            for each in self.test:
                scores = layer(torch.from_numpy(describe(each.path)))[None]
                heard += recognise(scores, [scores.shape[1]], self.tokens)
        return {**word_error_rate(self.test, heard), "steps": steps}

    def arms(self, train: Sequence[Utterance], seed: int) -> Iterator[tuple[str, Callable[[], dict]]]:
        blank = from_scratch(self.backbone, seed=seed)
        yield "frames", lambda: self.probed(train, frozen(self.backbone))
        yield "random frames", lambda: self.probed(train, frozen(blank))
        yield "cepstra", lambda: self.probed(train, cepstra)
        if self.train_seconds > 0:
            start = self.backbone.copy(after=None)
            yield "tuned", lambda: self.trained(train, start, rate=TUNED_RATE, seed=seed)
            yield "scratch", lambda: self.trained(train, blank, rate=SCRATCH_RATE, seed=seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with audio/")
    parser.add_argument("--results", type=Path, required=True, help="JSON lines; made, or added to")
    parser.add_argument("--backbone", default="starter:audio-small", help="the network measured")
    parser.add_argument("--utterances", type=int, nargs="+", default=[10, 50, 300], help="to train on")
    parser.add_argument("--seeds", type=int, default=3, help="draws; of all utterances there is one")
    parser.add_argument("--tokens", choices=["words", "characters"], default="words")
    parser.add_argument("--train-seconds", type=float, default=60, help="of the whole network; 0 leaves that out")
    parser.add_argument("--arm", action="append", help="only this one; may be repeated")
    options = parser.parse_args()
    parts = read(options.data / "audio" / "connected-digits")
    tokens = Tokens.of(options.tokens, parts["train"])
    bench = Bench(parts, backbones.load(options.backbone, offline=True), tokens, options.train_seconds)
    for n in options.utterances:
        for seed in range(options.seeds if n < len(parts["train"]) else 1):
            measure(bench, n, seed, options)


def measure(bench: Bench, n: int, seed: int, options: argparse.Namespace) -> None:
    """Measure the arms of one draw that the results do not have yet."""
    train = draw(bench.parts["train"], n, seed)
    network = {"backbone": bench.backbone.name, "weights": bench.backbone.weights_hash[:12]}
    for name, work in bench.arms(train, seed):
        about = {"n": n, "seed": seed, "arm": name, "tokens": options.tokens}
        about |= {"backbone": None, "weights": None} if name == "cepstra" else network
        if name not in (options.arm or [name]) or done(options.results, about):
            continue
        started = time.monotonic()
        row = {**about, **work(), "seconds": time.monotonic() - started, **here()}
        with options.results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        low, high = row["interval"]
        said = f"word error rate {row['wer']:.3f} [{low:.3f}, {high:.3f}] in {row['seconds']:.0f} s"
        print(f"{n} utterances, seed {seed}, {name}: {said}", flush=True)


if __name__ == "__main__":
    main()
