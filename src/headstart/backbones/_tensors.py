"""Weights by name: safetensors files, and hashes. The only file that imports safetensors."""

import errno
import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

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


def write_tensors(path: Path, tensors: Mapping[str, Tensor], *, metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors to a safetensors file; each gets memory of its own.

    Args:
        path: The file.
        tensors: Tensors by name.
        metadata: What else its head is to say; transformers wants to read there that PyTorch wrote it.

    Raises:
        OSError: The disk is full or not writable.
    """
    own = {name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()}
    path.touch()  # the library makes its files readable by their owner alone; others are made as the user has set
    mode = path.stat().st_mode
    try:
        save_file(own, path, metadata=None if metadata is None else dict(metadata))
        path.chmod(mode)
    except SafetensorError as error:
        # The library puts the operating system's error number into its text and nowhere else.
        number = re.search(r"os error (\d+)", str(error))
        raise OSError(int(number[1]) if number else errno.EIO, str(error)) from error


def hash_state(state: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of a state dict's content, independent of file format and order.

    Args:
        state: Tensors by name.

    Returns:
        64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def tensors_of(modules: Iterable[nn.Module]) -> set[int]:
    """Identify every parameter and buffer that these modules hold."""
    return {id(tensor) for module in modules for part in (module.parameters(), module.buffers()) for tensor in part}
