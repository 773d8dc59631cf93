"""A graph with weights of 8 bits: a quarter of the size, faster where the processor has the instructions for it.

Of texts the multiplications and the table of tokens are quantised, and activations as they come. Of pictures and sounds
convolutions and multiplications are, with ranges of activations measured on items. Weights keep to 7 bits, because the
sums of products overflow on processors without instructions of their own for 8.
"""

import contextlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from headstart.data import Modality
from headstart.export._base import translated
from headstart.runtime.readers import Feed

DYNAMIC: Final = ("MatMul", "Gemm", "Gather")
STATIC: Final = ("Conv", "MatMul", "Gemm")


def quantise(graph: Path, feeds: Sequence[Feed], *, modality: Modality) -> None:
    """Replace a graph by one of 8 bits.

    Args:
        graph: The file.
        feeds: Inputs by which the range of activations is measured, of pictures and sounds.
        modality: What the items are.

    Raises:
        MissingExtraError: onnx is not installed.
        BackboneError: onnxruntime cannot quantise it.
    """
    before, after = graph.with_name("prepared.onnx"), graph.with_name("quantised.onnx")
    what = "onnxruntime cannot quantise the graph"
    try:
        with translated(what, where=str(graph), missing="onnx", fix="Leave --int8 out."), _quietly():
            if modality == "text":
                _dynamic(graph, after)
            else:
                _static(graph, before, after, feeds)
        after.replace(graph)
    finally:
        before.unlink(missing_ok=True)
        after.unlink(missing_ok=True)


def _dynamic(graph: Path, after: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    options: dict[str, Any] = {"weight_type": QuantType.QInt8, "per_channel": True, "reduce_range": True}
    quantize_dynamic(graph, after, op_types_to_quantize=list(DYNAMIC), **options)


def _static(graph: Path, before: Path, after: Path, feeds: Sequence[Feed]) -> None:
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Feeds(CalibrationDataReader):  # type: ignore[misc]  # it carries no types
        def __init__(self) -> None:
            self._rest: Iterator[Feed] = iter(feeds)

        def get_next(self) -> Feed | None:
            """Return the next inputs, or None at the end."""
            return next(self._rest, None)

    quant_pre_process(str(graph), str(before), skip_symbolic_shape=True)
    options: dict[str, Any] = {"weight_type": QuantType.QInt8, "activation_type": QuantType.QUInt8}
    options |= {"per_channel": True, "reduce_range": True, "quant_format": QuantFormat.QDQ}
    quantize_static(str(before), str(after), Feeds(), op_types_to_quantize=list(STATIC), **options)


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Keep onnxruntime's advice to itself."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(disabled)
