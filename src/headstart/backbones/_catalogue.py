"""The catalogue of known candidates, from ``catalog.toml``. Imports no deep-learning library, so listing is instant.

A field that is not known for sure is left out of the file and is None here.
"""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, final

from headstart.data import Modality


@final
@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One pretrained network that is known to be good.

    Attributes:
        name: Its full name, for ``--backbone``.
        modality: What its items are.
        source: Where it comes from: a Python package that is installed, ours included, or the hub.
        default: Whether it is tried when no backbone is named.
        parameters_millions: Parameters, classifier included, in millions.
        megabytes: Size of the weights in float32, in 10^6 bytes.
        gmacs: Multiply-adds of one forward pass, in 10^9, for one item of the size that ``at`` states.
        at: Such as ``224 px`` or ``128 tokens``.
        pretraining: The data it was pretrained on.
        domain: What kind of items that data holds, in words that candidates share, such as ``natural photographs``.
        licence: Licence of the weights, as their publisher states it.
        prior: A published quality number; comparable only between candidates of one ``prior_source``.
        prior_source: What the number is and who published it.
        sha256: Hash of the weights file.
    """

    name: str
    modality: Modality
    source: Literal["package", "hub"]
    default: bool = False
    parameters_millions: float | None = None
    megabytes: float | None = None
    gmacs: float | None = None
    at: str | None = None
    pretraining: str | None = None
    domain: str | None = None
    licence: str | None = None
    prior: float | None = None
    prior_source: str | None = None
    sha256: str | None = None


@cache
def catalogue() -> tuple[Candidate, ...]:
    """Return every known candidate, in the order of the file."""
    text = files("headstart.backbones").joinpath("catalog.toml").read_text(encoding="utf-8")
    return tuple(Candidate(**entry) for entry in tomllib.loads(text)["candidate"])


def find(name: str) -> Candidate | None:
    """Return what is known of a backbone; of one that is cut off, what is known of the whole network.

    Args:
        name: Its full name.

    Returns:
        Its entry, or None.
    """
    whole = name.partition("#")[0]
    return next((known for known in catalogue() if known.name == whole), None)


def pinned(name: str) -> str | None:
    """Return the SHA-256 that the weights file of a backbone must have, where the catalogue knows it.

    Args:
        name: Its full name, as the catalogue writes it.

    Returns:
        The hash in hexadecimal digits, or None.
    """
    known = find(name)
    return None if known is None else known.sha256
