"""Small data sets that come with the package; each folder holds a card with its origin, licence and limits."""

from importlib.resources import files
from pathlib import Path
from typing import Final

SIDE: Final = 32  # pixels of a picture
INK: Final = 24  # pixels of the digit in its middle, which has 8 in the source
OTHER_HANDS: Final = 1157  # the row at which the last five of fourteen forms begin


def messages() -> Path:
    """Return the folder of the text set: messages to a town's service desk in six topics, with a held-out part."""
    return _folder("messages")


def words() -> Path:
    """Return the folder of the audio set: spoken command words, with a held-out part by other voices."""
    return _folder("words")


def digits(folder: Path, *, per_class: int = 20, test_per_class: int = 50) -> Path:
    """Write scikit-learn's handwritten digits as pictures, with a held-out part by other people.

    Args:
        folder: Where ``train/DIGIT/*.png`` and ``test/DIGIT/*.png`` go; writing again changes nothing.
        per_class: How many of each digit train, at most.
        test_per_class: How many of each digit are held out, at most.

    Returns:
        The folder.
    """
    import numpy as np
    from PIL import Image
    from sklearn.datasets import load_digits

    scans, labels = load_digits(return_X_y=True)
    ink = np.round(scans.reshape(-1, 8, 8) * 255 / 16).astype(np.uint8)
    for part, rows, most in (
        ("train", np.arange(OTHER_HANDS), per_class),
        ("test", np.arange(OTHER_HANDS, len(ink)), test_per_class),
    ):
        for digit in range(10):
            (folder / part / str(digit)).mkdir(parents=True, exist_ok=True)
            own = rows[labels[rows] == digit]
            # Evenly over the rows, so that everybody who wrote is in it.
            for row in own[np.linspace(0, len(own) - 1, min(most, len(own))).round().astype(int)]:
                digit_alone = Image.fromarray(255 - ink[row]).resize((INK, INK), Image.Resampling.BICUBIC)
                picture = Image.new("L", (SIDE, SIDE), "white")
                picture.paste(digit_alone, ((SIDE - INK) // 2, (SIDE - INK) // 2))
                picture.save(folder / part / str(digit) / f"{row:04d}.png")
    return folder


def _folder(name: str) -> Path:
    return Path(str(files("headstart.examples") / name))
