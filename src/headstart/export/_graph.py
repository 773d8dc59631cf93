"""An adapted model as one graph: what its items become goes in, features and probabilities come out.

Of pictures the graph takes pixels from 0 to 255 and normalises them itself; of texts token numbers; of recordings what
their windows are described by. Everything after that is inside: the network, the pooling of windows, words or frames,
and the head. Only reading a file, resizing (which ONNX does otherwise than Pillow) and tokenising stay outside.
"""

import contextlib
import io
import logging
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from headstart.backbones import Backbone, Batch, Words
from headstart.export._base import translated
from headstart.linear import FrameModel, KNearest, LinearModel, shrunk_frequencies
from headstart.model import AdaptedModel

OPSET: Final = 18
NAMES: Final = ("features", "outputs")


class LinearHead(nn.Module):
    """`LinearModel` as a module: features (n, D) to outputs (n, K)."""

    def __init__(self, head: LinearModel) -> None:
        super().__init__()
        self.weights, self.bias = nn.Parameter(torch.tensor(head.weights)), nn.Parameter(torch.tensor(head.bias))
        self.link = head.link

    def forward(self, features: Tensor) -> Tensor:
        """Map features to probabilities or values."""
        scores = functional.linear(features, self.weights, self.bias)
        if self.link == "softmax":
            return torch.softmax(scores, dim=1)
        return torch.sigmoid(scores) if self.link == "sigmoid" else scores


class NearestHead(nn.Module):
    """`KNearest` as a module: features (n, D) to outputs (n, K)."""

    targets: Tensor
    rows: Tensor
    prior: Tensor

    def __init__(self, head: KNearest) -> None:
        super().__init__()
        kept, prior, self.k, self.votes = head.labels, np.zeros(1), head.k, head.k + 1
        if head.link == "softmax":
            kept, prior = np.eye(head.n_classes)[head.labels], np.full(head.n_classes, 1.0 / head.n_classes)
        elif head.link == "sigmoid":
            prior = shrunk_frequencies(head.labels)
        else:
            kept, self.votes = head.labels[:, None], head.k
        self.register_buffer("targets", torch.tensor(kept, dtype=torch.float32))
        self.register_buffer("prior", torch.tensor(prior, dtype=torch.float32))
        self.register_buffer("rows", torch.tensor(head.features))

    def forward(self, features: Tensor) -> Tensor:
        """Let the nearest rows vote."""
        lengths = features.norm(dim=1, keepdim=True)
        unit = features / torch.where(lengths > 0, lengths, torch.ones_like(lengths))
        similarity, nearest = torch.topk(unit @ self.rows.T, self.k, dim=1)
        votes = 1.0 / (1.01 - similarity.clamp(-1, 1))
        votes = votes * (self.k / votes.sum(dim=1, keepdim=True))
        return ((votes[..., None] * self.targets[nearest]).sum(dim=1) + self.prior) / self.votes


class FrameHead(nn.Module):
    """`FrameModel` as a module: the frames (T, D) of one recording to log probabilities (T, K)."""

    mean: Tensor
    scale: Tensor

    def __init__(self, head: FrameModel) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(head.mean))
        self.register_buffer("scale", torch.tensor(head.scale))
        self.kernels = nn.Parameter(torch.tensor(np.transpose(head.weights, (2, 1, 0)).copy()))
        self.bias, self.reach = nn.Parameter(torch.tensor(head.bias)), head.seen // 2

    def forward(self, frames: Tensor) -> Tensor:
        """Score every frame by itself and its neighbours; beyond the ends they count as their mean."""
        rows = ((frames - self.mean) / self.scale).T[None]
        scores = functional.conv1d(rows, self.kernels, self.bias, padding=self.reach)[0].T
        return torch.log_softmax(scores, dim=1)


class Whole(nn.Module):
    """A backbone, the view of it that a head reads, and that head."""

    def __init__(self, model: AdaptedModel) -> None:
        super().__init__()
        self.backbone, self.view = model.backbone, model.view
        self.network = model.backbone.network  # so that its weights are found
        self.head = head_module(model.head)

    def judged(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return features and outputs."""
        views = self.view != "last"
        features = self.backbone.forward_views(batch)[self.view] if views else self.backbone.forward(batch)
        return features, self.head(features)


class PictureGraph(Whole):
    """Takes ``pixels`` (N, H, W, C)."""

    mean: Tensor
    std: Tensor

    def __init__(self, model: AdaptedModel) -> None:
        super().__init__(model)
        for name in ("mean", "std"):
            values = torch.tensor(model.backbone.preparer.settings[name]).mul(255)[:, None, None]
            self.register_buffer(name, values)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Normalise and judge."""
        values = pixels.permute(0, 3, 1, 2).float()
        return self.judged(Batch((values - self.mean) / self.std))


class WindowGraph(Whole):
    """Takes the windows of whole items: ``values`` (W, T, ...), ``real`` (W, T), ``owner`` (W,)."""

    def forward(self, values: Tensor, real: Tensor, owner: Tensor) -> tuple[Tensor, Tensor]:
        """Judge items."""
        return self.judged(Batch(values, real, owner))


class PlaceGraph(Whole):
    """Takes windows and where in them words or frames are: ``values``, ``real``, ``places`` (K, 3)."""

    def forward(self, values: Tensor, real: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        """Judge every word or frame."""
        count = int(places[:, 2].max()) + 1
        torch._check(count > 0)
        return self.judged(Batch(values, real, words=Words(places, count)))


def head_module(head: LinearModel | KNearest | FrameModel) -> nn.Module:
    """Return a head as a module."""
    if isinstance(head, FrameModel):
        return FrameHead(head)
    return NearestHead(head) if isinstance(head, KNearest) else LinearHead(head)


@final
@dataclass(frozen=True)
class Inputs:
    """What a graph takes.

    Attributes:
        graph: The kind of graph.
        names: Of its inputs.
        axes: Per input, the names of the axes whose length varies, by their number.
    """

    graph: Callable[[AdaptedModel], Whole]
    names: tuple[str, ...]
    axes: tuple[dict[int, str], ...]


def inputs_of(backbone: Backbone, *, fixed: bool) -> Inputs:
    """Return what the graph of a network takes; all its windows may have one fixed length."""
    if backbone.modality == "image":
        return Inputs(PictureGraph, ("pixels",), ({0: "items"},))
    first = "tokens" if backbone.modality == "text" else "frames"
    windows: dict[int, str] = {0: "windows"} if fixed else {0: "windows", 1: "length"}
    if backbone.one_row:
        return Inputs(WindowGraph, (first, "real", "owner"), (windows, windows, {0: "windows"}))
    return Inputs(PlaceGraph, (first, "real", "places"), (windows, windows, {0: "rows"}))


def write_graph(model: AdaptedModel, path: Path, example: Sequence[NDArray[Any]], *, fixed: bool) -> None:
    """Write the graph of a model.

    Args:
        model: On the CPU.
        path: The file to write.
        example: One of each input, in the order of `inputs_of`; axes that vary have 2 or more.
        fixed: Whether all windows have one length.

    Raises:
        MissingExtraError: onnx or onnxscript is not installed.
        BackboneError: PyTorch cannot write this network as a graph.
    """
    taken = inputs_of(model.backbone, fixed=fixed)
    graph = taken.graph(model).eval()
    tensors = tuple(torch.from_numpy(each) for each in example)
    lengths = {name: torch.export.Dim(name) for axes in taken.axes for name in axes.values()}
    shapes = tuple({axis: lengths[name] for axis, name in axes.items()} for axes in taken.axes)
    what = f"PyTorch {torch.__version__} cannot write it as an ONNX graph"
    fix = "Update torch and onnxscript, or serve the model folder itself."
    with translated(what, where=model.backbone.name, missing="onnxscript", fix=fix), _quietly(), torch.no_grad():
        found = torch.onnx.export(
            graph, tensors, dynamo=True, dynamic_shapes=shapes, input_names=list(taken.names),
            output_names=list(NAMES), opset_version=OPSET, verbose=False,
        )  # fmt: skip
        assert found is not None, "the exporter returns what it made"
        found.save(str(path), external_data=False)


@contextlib.contextmanager
def _quietly() -> Any:
    """Keep to itself what the exporter tells of its attempts; what fails is raised."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
