#!/usr/bin/env python3
"""Pretrain `starter:audio-small`: a small Conformer on synthetic speech and sounds, with YAMNet as teacher.

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
from pathlib import Path
from typing import Any, Final

import torch
import transformers
from torch import Tensor, nn
from torch.nn import functional

from recipes.audio_small import examples
from recipes.training import Run, arguments, begin, claim_run, ship

STEPS: Final = 6000
CLIPS: Final = 48  # of a step
RATE: Final = 2e-3
DECAY: Final = 0.05
CONFIG: Final[dict[str, Any]] = {
    "hidden_size": 192,
    "num_hidden_layers": 5,
    "num_attention_heads": 4,
    "intermediate_size": 384,
    "feature_projection_input_dim": 160,
    "conv_depthwise_kernel_size": 15,
    "position_embeddings_type": None,
    "hidden_dropout": 0.0,
    "activation_dropout": 0.0,
    "attention_dropout": 0.0,
    "feat_proj_dropout": 0.0,
    "conformer_conv_dropout": 0.0,
    "layerdrop": 0.0,
    "apply_spec_augment": False,
}
SPECTRA: Final[dict[str, Any]] = {
    "feature_size": 80,
    "num_mel_bins": 80,
    "sampling_rate": 16000,
    "stride": 2,
    "padding_value": 0.0,
}
WINDOW: Final = 10  # seconds
# Silence is ten times the power of rounding to 16 bits. Chosen after the pretraining, which does without.
QUIET: Final = {"headstart_floor": 3000, "headstart_spread": 1}


def describe(folder: Path) -> None:
    """Write the files beside the weights, in the layout of transformers."""
    config = {"model_type": "wav2vec2-bert", **CONFIG, "headstart_window": WINDOW, "license": "apache-2.0"}
    spectra = {"feature_extractor_type": "SeamlessM4TFeatureExtractor", **SPECTRA, **QUIET}
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    (folder / "preprocessor_config.json").write_text(json.dumps(spectra, indent=1) + "\n")


def untrained() -> nn.Module:
    """Make the network with random weights; its plain attention is the fastest on a processor at these lengths."""
    config = transformers.Wav2Vec2BertConfig(**CONFIG)
    return transformers.Wav2Vec2BertModel._from_config(config, attn_implementation="eager")


class Student(nn.Module):
    """The network to be shipped, and the heads that only its pretraining uses."""

    def __init__(self, network: nn.Module, data: examples.Examples) -> None:
        super().__init__()
        self.network = network
        width = network.config.hidden_size
        self.phonemes = nn.Linear(width, len(data.about["phonemes"]))
        self.languages = nn.Linear(width, len(data.about["languages"]))
        self.families = nn.Linear(width, len(data.about["families"]))
        self.features = nn.Linear(width, data.heard_features.shape[1])
        self.scores = nn.Linear(width, data.heard_scores.shape[1])
        nn.init.constant_(self.scores.bias, -6.0)  # nearly all of the 521 are nearly always near zero

    def forward(self, spectra: Tensor, mask: Tensor) -> Tensor:
        """Return (W, T, D) frames."""
        return self.network(spectra, attention_mask=mask).last_hidden_state


def blanked(spectra: Tensor, source: torch.Generator) -> Tensor:
    """Blank out a band of up to 16 of the 80 mel bands, and two stretches of up to 8 frames, of each clip."""
    values = spectra.clone()
    windows, frames, width = values.shape
    bands = torch.arange(width) % (width // 2)

    def inside(places: Tensor, most: int, length: int) -> Tensor:
        extent = torch.randint(most + 1, (windows, 1), generator=source)
        start = (torch.rand(windows, 1, generator=source) * (length - extent)).long()
        return (places >= start) & (places < start + extent)

    values[inside(bands, 16, width // 2)[:, None, :].expand_as(values)] = 0
    for _ in range(2):
        stretch = inside(torch.arange(frames), min(8, frames // 8), frames)
        values[stretch[:, :, None].expand_as(values)] = 0
    return values


def losses(student: Student, data: examples.Examples, drawn: examples.Drawn, spectra: Tensor) -> Tensor:
    """Add the losses of one batch."""
    with torch.autocast("cpu", torch.bfloat16):
        frames = student(spectra, drawn.mask)
        phonemes = student.phonemes(frames)
        means = examples.means(frames.float(), drawn.starts, drawn.ends, drawn.owners)
        near, scores = student.features(means), student.scores(means)
        whole = examples.pooled(frames.float(), drawn.mask)
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


def pretrain(options: argparse.Namespace) -> None:
    """Train, and write what ships."""
    begin(options)
    data = examples.read(Path(options.data), transformers.SeamlessM4TFeatureExtractor(**SPECTRA))
    claim_run(options, {"data": data.about})
    run = Run(student := Student(untrained(), data), Path(options.out), rate=RATE, decay=DECAY, clip=1.0)

    def loss_at(step: int, _: float) -> Tensor:
        source = torch.Generator().manual_seed(options.seed * 1_000_003 + step)
        drawn = data.draw(CLIPS, source)
        return losses(student, data, drawn, blanked(drawn.spectra, source))

    run.train(round(STEPS * options.scale), loss_at)
    describe(run.out)
    about = {"transformers": transformers.__version__, "data": data.about}
    # Of transformers' own SpecAugment, which is not used.
    ship(run, options, about, without=("masked_spec_embed",))


def main() -> None:
    """Read the command line."""
    parser = arguments(__doc__)
    parser.add_argument("--data", required=True, help="what prepare.py made")
    pretrain(parser.parse_args())


if __name__ == "__main__":
    main()
