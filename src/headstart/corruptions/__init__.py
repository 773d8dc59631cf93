"""Natural corruptions: what happens to pictures, texts and recordings outside the data they were collected in.

    for corruption in corruptions_for("image"):
        worse = corruption(opened(item, "image"), severity=2, seed=0)

Every corruption is a pure function from item to item at three severities. What it draws at random depends on the item's
content, the corruption and the seed, not on the severity, nor on which other items there are or in which order: a
higher severity is the same mishap, only worse.
"""

from typing import Final

from headstart.corruptions._base import SEVERITIES, Corruption, opened
from headstart.corruptions._images import IMAGE_CORRUPTIONS
from headstart.corruptions._sounds import SOUND_CORRUPTIONS
from headstart.corruptions._texts import DOCUMENT_CORRUPTIONS, TEXT_CORRUPTIONS
from headstart.data import Modality
from headstart.tasks import Kind

__all__ = ["SEVERITIES", "Corruption", "corruptions_for", "opened", "refused_for"]

_BY_MODALITY: Final = {"image": IMAGE_CORRUPTIONS, "text": TEXT_CORRUPTIONS, "audio": SOUND_CORRUPTIONS}


def corruptions_for(modality: Modality, kind: Kind = "classification") -> tuple[Corruption, ...]:
    """Return the corruptions that make sense for a task, always the same ones in the same order.

    Args:
        modality: What the items are.
        kind: What is predicted. For ``tagging`` only those that leave every character in its place.

    Returns:
        The corruptions.
    """
    return DOCUMENT_CORRUPTIONS if kind == "tagging" else _BY_MODALITY[modality]


def refused_for(modality: Modality, kind: Kind) -> tuple[str, ...]:
    """Return the names of the corruptions of a modality that a kind of task does not allow.

    Args:
        modality: What the items are.
        kind: What is predicted.

    Returns:
        Names; those that move characters, for tagging, because the marked entities would move with them.
    """
    kept = {each.name for each in corruptions_for(modality, kind)}
    return tuple(each.name for each in _BY_MODALITY[modality] if each.name not in kept)
