"""What examples lent by another data set were worth, on one line."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headstart.search import SourceUse

HELPED = {
    True: "helped: better than the target only, beyond noise",
    False: "did not help: the target only is better, beyond noise",
    None: "not shown to help: the difference to the target only is within noise",
}
NOT_MEASURED = "not measured against the target only"


def source_line(use: "SourceUse") -> str:
    """Say whether a source helped, and what the model was trained on.

    Args:
        use: What it was worth.

    Returns:
        A line.
    """
    helped = NOT_MEASURED if use.other is None else HELPED[use.helped]
    return f"{helped}. The model is trained on {use.shipped} ({use.why})"


def other_name(use: "SourceUse") -> str:
    """Name what the model is compared with.

    Args:
        use: What the source was worth.

    Returns:
        A name.
    """
    return "source and target" if use.shipped == "target only" else "target only"
