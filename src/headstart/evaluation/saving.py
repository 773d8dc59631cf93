"""How many labels the head start saved: where two learning curves reach the same score."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, final

import numpy as np
import numpy.typing as npt

from headstart.evaluation._names import metric_name
from headstart.evaluation.curves import CurvePoint, by_size, metric_of, monotone, replicates
from headstart.evaluation.intervals import Interval

__all__ = ["LabelSaving", "label_saving", "sentence"]

Floats: TypeAlias = npt.NDArray[np.float64]

_LEVEL: Final = 0.95
_SAME: Final = 1e-12


@final
@dataclass(frozen=True)
class LabelSaving:
    """How many times fewer labels transfer needs for the same score.

    Attributes:
        factor: N / n; below 1 where transfer needs more labels.
        interval: 95 % interval of the factor; a high end of infinity and a low end of 0 stand for no bound.
        n: Labels with which transfer reaches ``level``.
        N: Labels with which scratch reaches it.
        level: The score: what the arm that ends lower reaches with all its labels.
        bound: ``at least`` where transfer is there at its smallest size already, so that n may be smaller; ``at most``
            where scratch is.
    """

    factor: float
    interval: Interval
    n: float
    N: float
    level: float
    bound: Literal["exact", "at least", "at most"]

    @property
    def lower_bound(self) -> bool:
        """Whether the true factor may be larger than could be measured."""
        return self.bound == "at least"


def label_saving(
    transfer: Sequence[CurvePoint], scratch: Sequence[CurvePoint], *, metric: str, seed: int
) -> LabelSaving:
    """Compare with how many labels two arms reach the same score.

    The means of each arm are made monotone (isotonic regression) and joined by straight lines in log n; no form of
    curve is assumed and nothing is extrapolated. Where transfer ends higher, N is all that scratch has and n the fewest
    with which transfer reaches what scratch reaches in the end. Where it ends lower, transfer did not help with all its
    labels, and the roles are swapped: n is all it has and N the fewest with which scratch reaches what transfer reaches
    in the end, so the factor is at most 1 where both have as many. Where both end alike, both are the fewest. So better
    scores of transfer never lower the factor.

    Args:
        transfer: Points of one arm.
        scratch: Points of the other.
        metric: What they were scored by.
        seed: Decides the replicates.

    Returns:
        The factor, with the interval of the same for replicates of the points.
    """
    found, arms = metric_of(metric), (by_size(transfer), by_size(scratch))
    sign = 1 if found.greater_is_better else -1
    n, other_n = (np.array([point.n for point in arm], dtype=np.float64) for arm in arms)
    pairs = zip(*(monotone(sign * replicates(arm, found.bounds, seed)) for arm in arms), strict=True)
    rows = [_meet(n, ours, other_n, theirs) for ours, theirs in pairs]
    first, again = rows[0], rows[1:]
    low = np.quantile([row.lowest for row in again], (1 - _LEVEL) / 2, method="lower")
    high = np.quantile([row.highest for row in again], (1 + _LEVEL) / 2, method="higher")
    interval = Interval(float(low), float(high), f"{len(again)} replicates")
    return LabelSaving(first.N / first.n, interval, first.n, first.N, sign * first.level, first.bound)


@dataclass(frozen=True)
class _Meeting:
    """Where two curves reach one level."""

    n: float
    N: float
    level: float
    open_n: bool  # n may be smaller
    open_other: bool

    @property
    def lowest(self) -> float:
        return 0.0 if self.open_other else self.N / self.n

    @property
    def highest(self) -> float:
        return float("inf") if self.open_n else self.N / self.n

    @property
    def bound(self) -> Literal["exact", "at least", "at most"]:
        if self.open_n == self.open_other:
            return "exact"
        return "at least" if self.open_n else "at most"


def _meet(n: Floats, ours: Floats, other_n: Floats, theirs: Floats) -> _Meeting:
    level = float(min(ours[-1], theirs[-1]))
    own, open_own = _fewest(n, ours, level)
    other, open_other = _fewest(other_n, theirs, level)
    if ours[-1] > theirs[-1] + _SAME:
        other, open_other = float(other_n[-1]), False
    elif ours[-1] < theirs[-1] - _SAME:
        own, open_own = float(n[-1]), False
    return _Meeting(own, other, level, open_own, open_other)


def _fewest(n: Floats, values: Floats, level: float) -> tuple[float, bool]:
    """The fewest labels at which a rising curve reaches a level, and whether it is there from the start."""
    at = int(np.argmax(values >= level - _SAME))
    if at == 0:
        return float(n[0]), True
    share = min((level - values[at - 1]) / (values[at] - values[at - 1]), 1.0)
    return float(n[at - 1] * (n[at] / n[at - 1]) ** share), False


def sentence(saving: LabelSaving, metric: str, *, unit: str = "labels") -> str:
    """Say a label saving in plain words.

    Args:
        saving: What `label_saving` found.
        metric: What was scored.
        unit: What was counted, in the plural.

    Returns:
        One or two sentences.
    """
    level = f"{written_score(saving.level)} {metric_name(metric)}"
    n, N = f"{saving.n:.0f} {unit}", f"{saving.N:.0f} {unit} from scratch"
    low, high = saving.interval.low, saving.interval.high
    if high < 1:
        already = " already" if saving.bound == "at most" else ""
        least = "at least " if saving.bound == "at most" else ""
        ends = _range(saving.n * low, saving.n * high)
        return (
            f"Transfer did not help: {N}{already} reach what transfer reaches with {n} ({level}; {ends}): "
            f"{least}{written_times(1 / saving.factor)} times fewer from scratch."
        )
    if low <= 1:
        return (
            f"No saving of {unit} is shown: transfer needs {n} for what {N} reach ({level}), "
            f"but the difference is within the noise ({_range(low, high, written_times)} times as many from scratch)."
        )
    if saving.bound == "at least":
        most = saving.N / low  # of what the interval says nothing where it ends at the fewest tried
        ends = f"; interval up to {most:.0f}" if round(most) > round(saving.n) else ""
        return (
            f"Transfer already reaches what {N} reach ({level}) with {n}, the fewest tried{ends}: "
            f"at least {written_times(saving.factor)} times fewer."
        )
    ends = _range(saving.N / high, saving.N / low)
    return f"Transfer reaches what {N} reach ({level}) with {n} ({ends}): {written_times(saving.factor)} times fewer."


def written_score(value: float) -> str:
    """Return a score for a reader: two decimals, or three digits of what they would hide."""
    if 0.095 <= abs(value) < 10 or value == 0:
        return f"{value:.2f}"
    return np.format_float_positional(float(f"{value:.3g}"), trim="-")


def written_times(factor: float) -> str:
    """Return a factor for a reader: two digits or all before the point."""
    return f"{factor:.0f}" if factor >= 9.95 else f"{factor:.1f}".removesuffix(".0")


def _range(low: float, high: float, write: Any = "{:.0f}".format) -> str:
    if low > 0 and np.isfinite(high):
        return f"interval {write(low)} to {write(high)}"
    return f"interval up to {write(high)}" if np.isfinite(high) else f"interval from {write(low)}"
