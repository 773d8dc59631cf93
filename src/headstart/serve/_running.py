"""Putting a server together and running it to its end."""

from collections.abc import Callable
from importlib import import_module
from typing import Final

from headstart.errors import MissingExtraError
from headstart.serve._access import Access, Address, read_token
from headstart.serve._limits import Limits
from headstart.serve._served import Served

__all__ = ["Access", "Address", "read_token", "run"]

BATCH: Final = 16
STOP_WITHIN: Final = 30.0  # seconds
_NEEDED: Final = {"fastapi", "starlette", "uvicorn", "python_multipart", "multipart", "prometheus_client", "pydantic"}


def check_installed() -> None:
    """Check that what a server needs is there.

    Raises:
        MissingExtraError: It is not.
    """
    try:
        import_module("headstart.serve._server")
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in _NEEDED:
            raise
        fix = "Type: pip install 'headstart[serve]'"
        raise MissingExtraError(f"a server needs {error.name}, which is not installed", fix=fix) from error


def run(
    served: Callable[[], Served],
    *,
    address: Address,
    access: Access,
    limits: Limits,
    batch: int = BATCH,
    stop_within: float = STOP_WITHIN,
    ready: Callable[[Served, str], None],
) -> None:
    """Serve a model until SIGTERM or SIGINT.

    Args:
        served: Opens the model, once the address is taken.
        address: Where to listen.
        access: Who may ask.
        limits: How much may be asked.
        batch: How many items the model answers at once.
        stop_within: Seconds for what was accepted before the signal; what takes longer is answered with 503.
        ready: Told of the model and the server's URL once it listens.

    Raises:
        MissingExtraError: What a server needs is not installed.
        OptionError: The address cannot be taken.
    """
    check_installed()
    from headstart.serve._server import Server

    bound = address.bind()
    with bound:
        model = served()
        server = Server(model, access=access, limits=limits, batch=batch)
        server.run(bound, stop_within=stop_within, ready=lambda url: ready(model, url))
