"""Which processor a network runs on."""

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
