"""Who may ask: where the server listens, under which names, and the token."""

import hashlib
import hmac
import ipaddress
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from headstart.errors import OptionError

TOKEN_VARIABLE: Final = "HEADSTART_TOKEN"
SHORTEST_TOKEN: Final = 16  # characters
LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "::1")
_MAKE_ONE: Final = "Make one: python3 -c 'import secrets; print(secrets.token_urlsafe())'"


@final
@dataclass(frozen=True)
class Access:
    """Who may ask.

    Attributes:
        token: What requests must carry; None asks for none. Not shown where the value is.
        hosts: Names under which the server may be addressed; None allows any. A page of another site that has its own
            name lead here (DNS rebinding) is refused by it.
    """

    token: str | None = None
    hosts: frozenset[str] | None = None

    def __repr__(self) -> str:
        """Leave the token out."""
        return f"Access(token={'...' if self.token else None}, hosts={self.hosts})"

    @staticmethod
    def at(host: str, *, token: str | None, open_to_all: bool = False, names: Sequence[str] = ()) -> "Access":
        """Decide who may ask a server that listens at an address.

        Args:
            host: The address.
            token: What requests must carry, if anything.
            open_to_all: Whether others than this machine may ask without a token.
            names: Further names under which it is addressed, such as that of a proxy before it.

        Returns:
            The decision.

        Raises:
            OptionError: Others could ask, and there is no token.
        """
        if is_loopback(host):
            return Access(token, frozenset(name.lower() for name in (*LOOPBACK_NAMES, host, *names)))
        if token is None and not open_to_all:
            found = f"--host {host} lets other machines ask, and there is no token"
            raise OptionError(found, fix=f"Add --token-file FILE or set {TOKEN_VARIABLE}, or say --no-token.")
        return Access(token, frozenset(name.lower() for name in (host, *names)) if names else None)

    def knows_host(self, header: str) -> bool:
        """Say whether a request addresses the server by one of its names."""
        return self.hosts is None or host_of(header) in self.hosts

    def knows_token(self, header: bytes) -> bool:
        """Compare what a request carries with the token, in a time that tells nothing of it."""
        if self.token is None:
            return True
        scheme, _, given = header.partition(b" ")
        digests = [hashlib.sha256(value).digest() for value in (given.strip(), self.token.encode())]
        return hmac.compare_digest(*digests) and scheme.lower() == b"bearer"


@final
@dataclass(frozen=True)
class Address:
    """Where a server listens.

    Attributes:
        host: A name or number.
        port: 0 takes any that is free.
    """

    host: str = "127.0.0.1"
    port: int = 8000

    def bind(self) -> socket.socket:
        """Take the address, before a model is loaded for nothing.

        Returns:
            A socket that does not listen yet.

        Raises:
            OptionError: It is taken, or not of this machine.
        """
        try:
            family, kind, protocol, _, where = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)[0]
            bound = socket.socket(family, kind, protocol)
            try:
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                bound.bind(where)
            except OSError:
                bound.close()
                raise
        except OSError as error:
            found = f"cannot listen at {self.host}:{self.port} ({(error.strerror or str(error)).lower()})"
            raise OptionError(found, fix="Choose another --port or --host; --port 0 takes any that is free.") from error
        return bound


def is_loopback(host: str) -> bool:
    """Say whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def host_of(header: str) -> str:
    """Return the name in a ``Host`` header, without the port and the brackets of IPv6."""
    name = header.strip().lower()
    if name.startswith("["):
        return name[1:].partition("]")[0]
    return name.partition(":")[0]


def read_token(file: Path | None) -> str | None:
    """Return the token: from a file, else from the environment, never from a command line that others can list.

    Args:
        file: Holds it, on a line of its own.

    Returns:
        The token; None where there is none.

    Raises:
        OptionError: The file cannot be read, or what it holds is no token.
    """
    if file is None:
        text, where = os.environ.get(TOKEN_VARIABLE), TOKEN_VARIABLE
    else:
        try:
            text, where = file.read_text(encoding="ascii"), str(file)
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not plain ASCII"
            raise OptionError(f"the token cannot be read ({reason})", where=str(file), fix=_MAKE_ONE) from error
    if text is None:
        return None
    token = text.strip()
    if len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        found = f"expected a token of {SHORTEST_TOKEN} or more letters, digits and signs, found {len(token)} characters"
        raise OptionError(found, where=where, fix=_MAKE_ONE)
    return token
