#!/usr/bin/env python3
"""Pretrain `starter:audio-small`: Whisper's encoder, small, on synthetic speech and sounds, with YAMNet as teacher.

    python -m recipes.audio_small.prepare --out runs/sounds --teacher yamnet.audioset
    python -m recipes.audio_small.train --data runs/sounds --out runs/audio

Losses are added. Of speech: cross-entropy of the phoneme in each frame (20 ms), from espeak-ng's own alignment, and of
the language from the mean over frames. Of synthetic sounds: cross-entropy of the family they were drawn from. Of both:
what YAMNet hears in every patch of 0.96 s, from the mean over its frames: one minus the cosine between its features and
a linear map of ours (standardised), and binary cross-entropy from its 521 scores. Stretches of time and bands of
frequency are blanked out (SpecAugment, Park et al. 2019). The student starts from random weights. What is kept is the
moving average of the weights, in float16.

``--scale 0.1`` runs a tenth of the steps. The same command goes on after an interruption, to the same weights.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import torch
import transformers
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from headstart.backbones import Backbone, Batch, load
from headstart.engine import keep_freed_memory
from recipes.audio_small import examples
from recipes.training import Run, save_half, sha256

STEPS: Final = 3000
CLIPS: Final = 48  # of a step
RATE: Final = 2e-3
DECAY: Final = 0.05
WINDOW: Final = 500  # frames: 10 s
BLANK: Final = 0.0
CONFIG: Final[dict[str, Any]] = {
    "model_type": "whisper",
    "d_model": 224,
    "encoder_layers": 4,
    "encoder_attention_heads": 4,
    "encoder_ffn_dim": 896,
    "num_mel_bins": 80,
    "max_source_positions": WINDOW,
    "activation_function": "gelu",
    "dropout": 0.0,
    "attention_dropout": 0.0,
    "activation_dropout": 0.0,
    "license": "apache-2.0",
}
SPECTRA: Final[dict[str, Any]] = {
    "feature_extractor_type": "WhisperFeatureExtractor",
    "feature_size": 80,
    "sampling_rate": 16000,
    "hop_length": 160,
    "n_fft": 400,
    "chunk_length": 10,
    "headstart_padding": "none",
}


def describe(folder: Path) -> None:
    """Write the files beside the weights, in the layout of transformers."""
    (folder / "config.json").write_text(json.dumps(CONFIG, indent=1) + "\n")
    (folder / "preprocessor_config.json").write_text(json.dumps(SPECTRA, indent=1) + "\n")


def spread_out(network: nn.Module) -> None:
    """Draw random weights that let what is heard through.

    With transformers' own (all of standard deviation 0.02) the positions are some thirty times as strong as what the
    convolutions say, and training stays where all frames look alike.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv1d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        elif isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
    network.embed_positions.weight.data.mul_(0.1)


def untrained(folder: Path) -> Backbone:
    """Make the network with random weights, as Headstart reads it."""
    folder.mkdir(parents=True, exist_ok=True)
    describe(folder)
    config = transformers.WhisperConfig(**{k: v for k, v in CONFIG.items() if k not in ("model_type", "license")})
    network = transformers.models.whisper.modeling_whisper.WhisperEncoder(config)
    spread_out(network)
    state = {f"encoder.{name}": value.contiguous() for name, value in network.state_dict().items()}
    save_file(state, folder / "model.safetensors")
    return load(f"dir:{folder}")


class Student(nn.Module):
    """The network to be shipped, and the heads that only its pretraining uses."""

    def __init__(self, backbone: Backbone, data: examples.Examples) -> None:
        super().__init__()
        self.network = backbone.network
        self._frames = backbone.forward_to
        self._last = backbone.cuts[-1]
        width = backbone.num_features
        self.phonemes = nn.Linear(width, len(data.about["phonemes"]))
        self.languages = nn.Linear(width, len(data.about["languages"]))
        self.families = nn.Linear(width, len(data.about["families"]))
        self.features = nn.Linear(width, data.heard_features.shape[1])
        self.scores = nn.Linear(width, data.heard_scores.shape[1])
        nn.init.constant_(self.scores.bias, -6.0)  # nearly all of the 521 are nearly always near zero

    def forward(self, batch: Batch) -> Tensor:
        """Return (W, T, D) frames."""
        return self.network.layer_norm(self._frames(batch, self._last).values)


def blanked(batch: Batch, source: torch.Generator) -> Batch:
    """Blank out a band of up to 16 of the 80 mel bands, and two stretches of up to 8 frames, of each clip."""
    values = batch.values.clone()
    windows, frames, width = values.shape
    bands = torch.arange(width) % (width // 2)

    def inside(places: Tensor, most: int, length: int) -> Tensor:
        extent = torch.randint(most + 1, (windows, 1), generator=source)
        start = (torch.rand(windows, 1, generator=source) * (length - extent)).long()
        return (places >= start) & (places < start + extent)

    values[inside(bands, 16, width // 2)[:, None, :].expand_as(values)] = BLANK
    for _ in range(2):
        stretch = inside(torch.arange(frames), min(8, frames // 8), frames)
        values[stretch[:, :, None].expand_as(values)] = BLANK
    return replace(batch, values=values)


def losses(student: Student, data: examples.Examples, drawn: examples.Drawn, batch: Batch) -> Tensor:
    """Add the losses of one batch."""
    with torch.autocast("cpu", torch.bfloat16):
        frames = student(batch)
        phonemes = student.phonemes(frames)
        means = examples.means(frames.float(), drawn.starts, drawn.ends, drawn.owners)
        near, scores = student.features(means), student.scores(means)
        whole = examples.pooled(frames.float(), batch.mask)
        languages, families = student.languages(whole), student.families(whole)
    target = (data.heard_features[drawn.patches].float() - data.mean) / data.spread
    heard = data.heard_scores[drawn.patches].float()
    unlike = 1 - functional.cosine_similarity(near.float(), target)
    answers = functional.binary_cross_entropy_with_logits(scores.float(), heard, reduction="none").sum(1)
    loss = (
        2 * unlike.mean()
        + 0.05 * answers.mean()
        + functional.cross_entropy(phonemes.float().flatten(0, 1), drawn.phonemes.flatten(), ignore_index=-1)
    )
    for found, wanted, weight in ((languages, drawn.languages, 0.2), (families, drawn.families, 0.3)):
        if (wanted >= 0).any():
            loss = loss + weight * functional.cross_entropy(found.float(), wanted, ignore_index=-1)
    return loss


def pretrain(options: argparse.Namespace) -> dict[str, Any]:
    """Train, and write what ships; returns the record of the run."""
    out = Path(options.out)
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    keep_freed_memory()
    backbone = untrained(out / "untrained")
    data = examples.read(Path(options.data), backbone)
    run = Run(student := Student(backbone, data), out, rate=RATE, decay=DECAY, clip=1.0)

    def loss_at(step: int, _: float) -> Tensor:
        source = torch.Generator().manual_seed(options.seed * 1_000_003 + step)
        drawn = data.draw(CLIPS, source)
        return losses(student, data, drawn, blanked(drawn.batch, source))

    run.train(round(STEPS * options.scale), loss_at)
    state = {f"encoder.{n.removeprefix('network.')}": v for n, v in run.average.items() if n.startswith("network.")}
    save_half(state, out / "model.safetensors")
    describe(out)
    record = {
        "seed": options.seed,
        "scale": options.scale,
        "steps": run.step,
        "seconds": round(run.seconds),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "threads": options.threads,
        "data": json.loads((Path(options.data) / "meta.json").read_text()),
        "model_sha256": sha256(out / "model.safetensors"),
    }
    (out / "record.json").write_text(json.dumps(record, indent=1) + "\n")
    return record


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="what prepare.py made")
    parser.add_argument("--out", required=True, help="folder for checkpoint and result")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the steps")
    parser.add_argument("--threads", type=int, default=2)
    print(json.dumps(pretrain(parser.parse_args()), indent=1))


if __name__ == "__main__":
    main()
