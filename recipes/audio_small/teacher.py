"""The teacher: YAMNet, which heard AudioSet, in torch: `Teacher(folder)(waveform)` gives what it makes of each patch.

The folder holds ``model.safetensors`` (BatchNorm folded into the convolutions) and ``config.json`` (front end, table of
layers, padding). A patch is 0.975 s; the next begins 0.48 s later; silence fills the last one.
"""

import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from recipes.training import sha256

PATCH_HOP: Final = 7680
BATCH: Final = 64


def patches_of(length: int, hop: int = PATCH_HOP, size: int = 15600) -> int:
    """Number of patches that cover a waveform of so many samples: at least one."""
    return 1 + max(0, -(-(length - size) // hop))


class Teacher:
    """YAMNet in evaluation.

    Attributes:
        sha256: Of the weights' file.
        config: What ``config.json`` says.
    """

    def __init__(self, folder: Path) -> None:
        file = folder / "model.safetensors"
        self.sha256 = sha256(file)
        self.config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        self._weights = {name: value.float() for name, value in load_file(file).items()}
        for name, value in self._weights.items():
            if value.dim() == 4:
                self._weights[name] = value.contiguous(memory_format=torch.channels_last)
        front = self.config["frontend"]
        self._window = torch.hann_window(front["window_samples"], periodic=True)
        self._hop, self._fft, self._offset = front["hop_samples"], front["fft_size"], front["log_offset"]
        self._frames, self._size = front["patch_frames"], front["patch_samples"]

    def log_mel(self, patches: Tensor) -> Tensor:
        """Turn patches of samples (N, 15600) into (N, 1, 96, 64)."""
        frames = patches.unfold(1, len(self._window), self._hop) * self._window
        spectrum = torch.fft.rfft(frames, self._fft).abs()
        return torch.log(spectrum @ self._weights["frontend.mel_matrix"] + self._offset)[:, None]

    def _convolved(self, x: Tensor, name: str, stride: int, groups: int) -> Tensor:
        weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        if weight.shape[-1] == 1:
            return torch.relu_(functional.conv2d(x, weight, bias))
        if stride == 1:
            return torch.relu_(functional.conv2d(x, weight, bias, padding=1, groups=groups))
        return torch.relu_(functional.conv2d(functional.pad(x, (0, 1, 0, 1)), weight, bias, stride=2, groups=groups))

    @torch.inference_mode()
    def network(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """Return the 1,024 features and 521 scores (between 0 and 1) of patches of log-mel."""
        x = mel.contiguous(memory_format=torch.channels_last)
        for layer in self.config["layers"]:
            for name in layer["params"]:
                groups = x.shape[1] if name.endswith("depthwise") else 1
                x = self._convolved(x, name, layer["stride"], groups)
        features = x.mean((2, 3))
        logits = functional.linear(features, self._weights["classifier.weight"], self._weights["classifier.bias"])
        return features, logits.sigmoid()

    def patches(self, samples: np.ndarray, hop: int = PATCH_HOP) -> Tensor:
        """Cut a waveform into overlapping patches (N, 15600)."""
        count = patches_of(len(samples), hop, self._size)
        wanted = self._size + (count - 1) * hop
        whole = torch.from_numpy(np.pad(samples.astype(np.float32), (0, max(0, wanted - len(samples)))))
        return whole.unfold(0, self._size, hop)

    @torch.inference_mode()
    def __call__(self, waveforms: list[np.ndarray], hop: int = PATCH_HOP) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Hear several waveforms.

        Args:
            waveforms: Samples at 16 kHz within -1 and 1.
            hop: Samples from one patch to the next.

        Returns:
            Features (P, 1024), scores (P, 521), and the number of patches of each waveform.
        """
        parts = [self.patches(each, hop) for each in waveforms]
        features, scores = [], []
        for part in torch.cat(parts).split(BATCH):
            found = self.network(self.log_mel(part))
            features.append(found[0])
            scores.append(found[1])
        return torch.cat(features).numpy(), torch.cat(scores).numpy(), np.array([len(each) for each in parts])
