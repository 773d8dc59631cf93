"""The names of backbones: ``scheme:target``, and the right spelling for a wrong one. Imports nothing heavy."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, final, get_args

from headstart.backbones._catalogue import catalogue
from headstart.errors import BackboneError

Scheme = Literal["timm", "hf", "dir", "starter", "toy"]


@final
@dataclass(frozen=True)
class Address:
    """Where a backbone comes from.

    Attributes:
        scheme: Which kind of place.
        target: The name within that place.
        revision: Branch, tag or commit of a hub repository, or None for its default.
        after: The cut point after which the network is cut off, or None for the whole.
    """

    scheme: Scheme
    target: str
    revision: str | None = None
    after: str | None = None

    @property
    def name(self) -> str:
        """The full name of the whole network."""
        return f"{self.scheme}:{self.target}" + (f"@{self.revision}" if self.revision else "")


def parse_name(name: str) -> Address:
    """Split a backbone's name into scheme, target and revision.

    Args:
        name: ``timm:ARCH.TAG``, ``hf:org/model@revision``, ``dir:PATH``, ``starter:NAME`` or
            ``toy:image|text|audio``; with ``#CUT`` behind it, the network cut off after that block. A folder whose name
            has a ``#`` is that folder.

    Returns:
        The parts.

    Raises:
        BackboneError: The scheme is missing or unknown, so that the name could mean several things.
    """
    scheme, colon, target = name.partition(":")
    after = None
    if "#" in target and not (scheme == "dir" and Path(target).expanduser().is_dir()):
        target, _, after = target.rpartition("#")
    if not colon or scheme not in get_args(Scheme) or not target:
        raise BackboneError(
            f"{name!r} is not the full name of a backbone", fix=f"Write one of: {', '.join(_spellings(name))}."
        )
    revision = None
    if scheme == "hf" and "@" in target:
        target, _, revision = target.rpartition("@")
    return Address(cast(Scheme, scheme), target, revision or None, after or None)


def _spellings(name: str) -> list[str]:
    """List what a bare name may have meant, most likely first."""
    bare = name.rpartition(":")[2] or "NAME"
    if bare.startswith((".", "/", "~")) or "\\" in bare:
        return [f"dir:{bare}"]
    known = [known.name for known in catalogue() if bare.lower() in _short_forms(known.name)]
    if Path(bare).is_dir():
        known.append(f"dir:{bare}")
    if bare.count("/") == 1:
        return list(dict.fromkeys([*known, f"hf:{bare}", f"dir:{bare}"]))
    if bare.count("/") > 1:
        return [f"dir:{bare}"]
    return list(dict.fromkeys([*known, f"timm:{bare if '.' in bare else bare + '.TAG'}", f"hf:{bare}", f"dir:{bare}"]))


def _short_forms(name: str) -> set[str]:
    """Return the ways in which people shorten a full name."""
    target = name.partition(":")[2].lower()
    return {target, target.partition(".")[0], target.rpartition("/")[2]}
