"""Safetensors files. The only file that imports safetensors."""

import errno
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from headstart.errors import BackboneError


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read every tensor of a safetensors file as it is stored.

    Args:
        path: The file.

    Returns:
        Tensors by name.

    Raises:
        BackboneError: The file is missing or incomplete.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, OSError) as error:
        raise BackboneError(
            f"not a complete safetensors file ({error})", where=str(path), fix="Copy or download it again."
        ) from error


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors to a safetensors file; each gets memory of its own.

    Args:
        path: The file.
        tensors: Tensors by name.

    Raises:
        OSError: The disk is full or not writable.
    """
    own = {name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()}
    path.touch()  # the library makes its files readable by their owner alone; others are made as the user has set
    mode = path.stat().st_mode
    try:
        save_file(own, path)
        path.chmod(mode)
    except SafetensorError as error:
        # The library puts the operating system's error number into its text and nowhere else.
        number = re.search(r"os error (\d+)", str(error))
        raise OSError(int(number[1]) if number else errno.EIO, str(error)) from error
