#!/usr/bin/env python3
"""Pretrain `starter:image-small`: RegNetX-200MF on 178 classes at 32 pixels, with MobileNetV2's features as teacher.

    python -m recipes.image_small.train --data tiny-imagenet-32.parquet --teacher mobilenetv2_100.in1k --out runs/image

Three losses are added: cross-entropy on the labelled canvases; on all canvases, one minus the cosine between the
teacher's features and a linear map of ours (standardised); and Kullback-Leibler divergence from the teacher's 1,000
classes to those of a second classifier of ours (Hinton et al. 2015, at temperature 2). Of a labelled canvas the teacher
has seen the whole picture it was cut from, once, enlarged and as it was; of the others, the canvas itself. The student
starts from random weights. What is kept is the moving average of the weights, in float16.

``--scale 0.1`` runs a tenth of the steps. The same command goes on after an interruption, to the same weights.
"""

import argparse
import json
from pathlib import Path
from typing import Any, Final

import timm
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from recipes.image_small import pictures
from recipes.training import Run, arguments, begin, claim_run, sha256, ship

ARCHITECTURE: Final = "regnetx_002"
STEPS: Final = 4800
STAGES: Final = ((0.6, 64), (0.88, 96), (1.0, 128))  # up to which share of the steps, side of a canvas in pixels
LABELLED: Final = 192  # canvases of a step with a label, and without
UNLABELLED: Final = 64
TEACHER_SIDE: Final = 128
TEMPERATURE: Final = 2.0
RATE: Final = 3e-3
DECAY: Final = 0.05
INPUT_SIDE: Final = 128  # of the network that ships


class Student(nn.Module):
    """The network to be shipped, and the heads that only its pretraining uses."""

    def __init__(self, classes: int, teacher: "Teacher") -> None:
        super().__init__()
        self.network = timm.create_model(ARCHITECTURE, num_classes=0)
        width = self.network.num_features
        self.classifier = nn.Linear(width, classes)
        self.features = nn.Linear(width, teacher.network.num_features)
        self.logits = nn.Linear(width, teacher.network.num_classes)

    def forward(self, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return scores of the classes, the teacher's features and the teacher's logits."""
        features = self.network(values)
        return self.classifier(features).float(), self.features(features).float(), self.logits(features).float()


class Teacher:
    """MobileNetV2 as it was published, in bfloat16, and its features of all pictures."""

    def __init__(self, folder: Path, data: pictures.Pictures, kept: Path) -> None:
        network = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
        self.network = network.to(torch.bfloat16, memory_format=torch.channels_last)
        if not kept.is_file():
            partial = kept.with_suffix(".partial")
            save_file({"features": self._all(data)}, partial)
            partial.replace(kept)
        self.of_pictures = load_file(kept)["features"]
        self.mean, self.spread = self.of_pictures.float().mean(0), self.of_pictures.float().std(0) + 1e-3

    @torch.no_grad()
    def features(self, values: Tensor) -> Tensor:
        """Return the pooled features of canvases."""
        maps = self.network.forward_features(values.to(torch.bfloat16, memory_format=torch.channels_last))
        return self.network.forward_head(maps, pre_logits=True).float()

    @torch.no_grad()
    def logits(self, features: Tensor) -> Tensor:
        """Return the scores of its 1,000 classes."""
        return self.network.classifier(features.to(torch.bfloat16)).float()

    def _all(self, data: pictures.Pictures) -> Tensor:
        rows = []
        for part in data.values.split(256):
            enlarged = functional.interpolate(part.float() / 127.5 - 1, size=TEACHER_SIDE, mode="bicubic").clamp(-1, 1)
            rows.append(self.features(enlarged).half())
            if len(rows) % 50 == 0:
                print(f"teacher: {256 * len(rows)} of {len(data)} pictures", flush=True)
        return torch.cat(rows)


def losses(student: Student, teacher: Teacher, drawn: pictures.Canvases, weights: tuple[float, float]) -> Tensor:
    """Add the three losses."""
    with torch.autocast("cpu", torch.bfloat16):
        classes, near, logits = student(drawn.values)
    labelled = len(drawn.labels)
    seen = torch.cat([teacher.of_pictures[drawn.rows].float(), teacher.features(drawn.values[labelled:])])
    loss = functional.cross_entropy(classes[:labelled], drawn.labels, label_smoothing=0.1)
    unlike = 1 - functional.cosine_similarity(near, (seen - teacher.mean) / teacher.spread)
    divergence = functional.kl_div(
        functional.log_softmax(logits / TEMPERATURE, 1),
        functional.log_softmax(teacher.logits(seen) / TEMPERATURE, 1),
        log_target=True,
        reduction="batchmean",
    )
    return loss + weights[0] * unlike.mean() + weights[1] * divergence


def pretrain(options: argparse.Namespace) -> None:
    """Train, and write what ships."""
    out, source = Path(options.out), Path(options.data)
    begin(options)
    made_by = {
        "features": options.features,
        "logits": options.logits,
        "data_sha256": sha256(source),
        "teacher_sha256": sha256(Path(options.teacher) / "model.safetensors"),
    }
    claim_run(options, made_by)
    data = pictures.read(source, "train").of(held_out=False)
    teacher = Teacher(Path(options.teacher), data, out / "teacher.safetensors")
    student = Student(len(data.classes), teacher).to(memory_format=torch.channels_last)
    run = Run(student, out, rate=RATE, decay=DECAY)

    def loss_at(step: int, share: float) -> Tensor:
        side = next(side for upto, side in STAGES if share < upto)
        drawn = pictures.batch(data, seed=options.seed, step=step, size=LABELLED, count=UNLABELLED, side=side)
        return losses(student, teacher, drawn, (options.features, options.logits))

    run.train(round(STEPS * options.scale), loss_at)
    (out / "config.json").write_text(json.dumps(_config(student), indent=1) + "\n")
    about = {
        "timm": timm.__version__,
        "pictures": len(data),
        "classes": len(data.classes),
        **made_by,
    }
    ship(run, options, about)


def _config(student: Student) -> dict[str, Any]:
    """Describe the network in timm's layout."""
    return {
        "architecture": ARCHITECTURE,
        "num_classes": 0,
        "num_features": student.network.num_features,
        "license": "apache-2.0",
        "pretrained_cfg": {
            "input_size": [3, INPUT_SIDE, INPUT_SIDE],
            "interpolation": "bicubic",
            "crop_pct": 1.0,
            "crop_mode": "center",
            "mean": [0.5, 0.5, 0.5],
            "std": [0.5, 0.5, 0.5],
            "num_classes": 0,
        },
    }


def main() -> None:
    """Read the command line."""
    parser = arguments(__doc__)
    parser.add_argument("--data", required=True, help="Tiny ImageNet at 32 pixels, as parquet")
    parser.add_argument("--teacher", required=True, help="folder of MobileNetV2, in timm's layout")
    parser.add_argument("--features", type=float, default=2.0, help="weight of the teacher's features")
    parser.add_argument("--logits", type=float, default=0.5, help="weight of the teacher's classes")
    pretrain(parser.parse_args())


if __name__ == "__main__":
    main()
