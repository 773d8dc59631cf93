"""Small data sets that come with the package; each folder holds a card with its origin, licence and limits."""

from importlib.resources import files
from pathlib import Path


def messages() -> Path:
    """Return the folder of the text set: messages to a town's service desk in six topics, with a held-out part."""
    return Path(str(files("headstart.examples") / "messages"))
