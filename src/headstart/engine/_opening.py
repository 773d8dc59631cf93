"""Which engine runs a command."""

from typing import Literal

from headstart.engine._base import Engine
from headstart.engine._local import LocalEngine
from headstart.errors import MissingExtraError, OptionError

EngineName = Literal["local", "ray"]


def open_engine(
    name: EngineName = "local",
    *,
    address: str | None = None,
    workers: int | None = None,
    processors: int = 1,
    gpus: float = 0.0,
) -> Engine:
    """Return an engine, to be closed after use.

    Args:
        name: ``local`` for this process, ``ray`` for a cluster.
        address: Of the cluster; None takes ``RAY_ADDRESS``, or starts one on this machine.
        workers: How many workers; by default as many as there is room for.
        processors: Of each worker.
        gpus: Of each worker.

    Returns:
        The engine.

    Raises:
        OptionError: Options of a cluster without one, or there is no such cluster, no room in it, or other versions.
        MissingExtraError: Ray is not installed.
    """
    if name == "local":
        if address is not None or workers is not None or gpus:
            problem = "--ray-address, --workers and --worker-gpus are of a cluster"
            raise OptionError(problem, fix="Add --engine ray, or leave them out.")
        return LocalEngine()
    try:
        from headstart.engine._ray import RayEngine
    except ImportError as error:
        problem = f"{error.name or 'ray'} is not installed"
        raise MissingExtraError(problem, where="--engine ray", fix="Type: pip install 'headstart[cluster]'") from error
    return RayEngine(address, workers=workers, processors=processors, gpus=gpus)
