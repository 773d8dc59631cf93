"""Subgroups on the screen: a table for each column, the worst subgroup first, and what may be said of it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headstart.evaluation import Slices, Subgroup

MOST = 20  # subgroups; --json has all


def slice_lines(slices: "Sequence[Slices]") -> list[str]:
    """Show the scores of subgroups.

    Args:
        slices: The subgroups of each column.

    Returns:
        Lines of text; none where no column was asked for.
    """
    return [line for each in slices for line in _table(each)]


def _table(slices: "Slices") -> list[str]:
    from headstart.evaluation import greater_is_better, metric_name

    sign = 1 if greater_is_better(slices.metric) else -1
    ordered = sorted(
        slices.subgroups, key=lambda group: (group.few, group.value is None, sign * (group.value or 0.0), group.name)
    )
    shown = ordered[:MOST]
    width = max(len(name) for name in (slices.column, *(group.name for group in shown)))
    lines = ["", f"{slices.column:<{width}}  {'n':>6}  {metric_name(slices.metric)}"]
    lines += [f"{group.name:<{width}}  {group.n:>6,}  {_score(group)}" for group in shown]
    if len(ordered) > MOST:
        lines.append(f"... and {len(ordered) - MOST:,} more; --json lists them all.")
    return [*lines, slices.sentence]


def _score(group: "Subgroup") -> str:
    from headstart.evaluation import FEW

    mark = f"  (fewer than {FEW} items: too few)" if group.few else ""
    if group.value is None or group.interval is None:
        return f"not defined{mark}"
    return f"{group.value:.3f} [{group.interval.low:.3f}, {group.interval.high:.3f}]{mark}"
