"""The page about a classifier's confidence: is it calibrated, and what do thresholds cost. It shows no example.

One HTML file that needs nothing else and runs no script. All names are escaped, because they are the user's.
"""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Final

from headstart.report._drawing import COLOURS, GREY, INK, picture
from headstart.report._page import page_head, write_page

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SIZE: Final = 4.6  # inches, each way, of a panel
_STYLE: Final = """
h2 { font-size: 1.1rem; margin: 1.6rem 0 .3rem; }
img { max-width: 100%; height: auto; }
dt { font-weight: 600; }
dd { margin: 0 0 .5rem; }
"""


@dataclass(frozen=True)
class Reliability:
    """Items of like confidence: how sure, how many of them right, and between what and what that share lies."""

    confidence: float
    accuracy: float
    interval: tuple[float, float]
    n: int


@dataclass(frozen=True)
class PrecisionRecall:
    """The precision-recall curve of a class that is looked for, and how frequent it is."""

    name: str
    recall: Sequence[float]
    precision: Sequence[float]
    share: float


def write_confidence(
    bins: Sequence[Reliability],
    path: Path,
    *,
    title: str,
    facts: Sequence[tuple[str, str]],
    curve: PrecisionRecall | None = None,
) -> None:
    """Write the page.

    Args:
        bins: By rising confidence.
        path: The file to write.
        title: What stands above the page.
        facts: Names and sentences.
        curve: Of two classes.

    Raises:
        MissingExtraError: matplotlib is missing or broken.
        OptionError: The file cannot be written.
    """
    drawn = picture(lambda: _figure(bins, curve))
    write_page("\n".join(_page(drawn, bins, title=title, facts=facts, curve=curve)) + "\n", path)


def _page(
    drawn: bytes,
    bins: Sequence[Reliability],
    *,
    title: str,
    facts: Sequence[tuple[str, str]],
    curve: PrecisionRecall | None,
) -> Iterator[str]:
    yield from page_head(title, _STYLE, ())
    about = "Share of right answers by confidence" + ("" if curve is None else ", and precision by recall")
    yield f'<img alt="{about}" src="data:image/png;base64,{base64.b64encode(drawn).decode()}">'
    yield (
        "<p>Points on the line mean what they say; below it answers are less often right than they claim. "
        f"Each point stands for about {round(sum(each.n for each in bins) / len(bins))} items, "
        "its bar for a 95 % interval.</p><dl>"
    )
    for name, text in facts:
        yield (f"<dt>{escape(name)}</dt>" if name else "") + f"<dd>{escape(text)}</dd>"
    yield "</dl></body></html>"


def _figure(bins: Sequence[Reliability], curve: PrecisionRecall | None) -> "Figure":
    from matplotlib.figure import Figure

    panels = 1 if curve is None else 2
    figure = Figure(figsize=(_SIZE * panels, _SIZE), layout="constrained")
    axes = figure.subplots(1, panels, squeeze=False)[0]
    _reliability(axes[0], bins)
    if curve is not None:
        _precision_recall(axes[1], curve)
    for one in axes:
        one.set_xlim(0 if one is not axes[0] else min(0.95, 0.98 * min(each.confidence for each in bins)), 1.01)
        one.set_ylim(0, 1.02)
    return figure


def _reliability(axes: "Axes", bins: Sequence[Reliability]) -> None:
    at, right = [each.confidence for each in bins], [each.accuracy for each in bins]
    below = [max(0.0, each.accuracy - each.interval[0]) for each in bins]
    above = [max(0.0, each.interval[1] - each.accuracy) for each in bins]
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1)
    axes.errorbar(at, right, yerr=[below, above], color=COLOURS[0], marker="o", linewidth=1.2, elinewidth=1)
    axes.set_xlabel("confidence of the answer")
    axes.set_ylabel("share of right answers")
    axes.set_title("Does confidence mean what it says?", fontsize=12, fontweight="bold", color=INK)


def _precision_recall(axes: "Axes", curve: PrecisionRecall) -> None:
    axes.axhline(curve.share, color=GREY, linewidth=1)
    axes.annotate("share of the class", (0.02, curve.share), va="bottom", fontsize=8, color=GREY)
    axes.plot(curve.recall, curve.precision, color=COLOURS[1], drawstyle="steps-post")
    axes.set_xlabel(f"recall of {curve.name}")
    axes.set_ylabel("precision")
    axes.set_title("What finding more of them costs", fontsize=12, fontweight="bold", color=INK)
