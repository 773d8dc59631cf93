"""Which processor a network runs on, which number types it computes natively, and when it is done."""

import time

from headstart.errors import OptionError


def pick_device(name: str = "auto") -> str:
    """Choose the device for networks.

    Args:
        name: ``auto`` (a CUDA device, else Apple's, else the CPU) or a torch device name.

    Returns:
        A name torch understands.

    Raises:
        OptionError: The device asked for is not on this machine.
    """
    import torch

    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return next(kind for kind in ("cuda", "mps", "cpu") if available[kind])
    if not available.get(name.split(":")[0], False):
        here = ", ".join(kind for kind, there in available.items() if there)
        raise OptionError(f"device {name!r} is not available on this machine", fix=f"Choose one of: auto, {here}.")
    return name


def computes_bfloat16(device: str) -> bool:
    """Tell whether a device multiplies bfloat16 natively, so that training in it is faster than in float32.

    Args:
        device: A torch device type, such as ``cpu``.

    Returns:
        True for CUDA devices of compute capability 8 and for processors with AVX512-BF16 or AMX; elsewhere False,
        because emulated bfloat16 is slower.
    """
    import torch

    if device == "cuda":
        return torch.cuda.get_device_capability()[0] >= 8
    if device != "cpu":
        return False
    # torch has no public name for this yet; where the private one is missing, float32 is right and only slower.
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(bool(getattr(torch.cpu, name, bool)()) for name in names)


def device_time(device: str) -> float:
    """Read the clock once a device has done what it was given; a kernel only launched has taken no time yet.

    Args:
        device: A torch device name; a processor is never behind.

    Returns:
        Seconds, as `time.perf_counter` counts them.
    """
    import torch

    kind = device.split(":")[0]
    if kind == "cuda":
        torch.cuda.synchronize(device)
    elif kind == "mps":
        torch.mps.synchronize()
    return time.perf_counter()
