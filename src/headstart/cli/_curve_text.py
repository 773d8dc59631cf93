"""A learning curve on one screen: a table of scores by arm, and what it says."""

from typing import TYPE_CHECKING

import click

from headstart.cli._render import LABEL, _form, _value, row

if TYPE_CHECKING:
    from headstart.pipeline import CurveResult


def curve_text(result: "CurveResult") -> str:
    """Describe a learning curve: a table of scores by number of labels and arm, and what it says.

    Args:
        result: What `headstart.curve` returned.

    Returns:
        Lines of text.
    """
    from headstart.evaluation import metric_name

    points = [point for arm in result.points.values() for point in arm]
    form = _form(result.metric, max(abs(point.value) for point in points))
    columns = {
        arm: {point.n: _value(point.value, point.interval, form) for point in found}
        for arm, found in result.points.items()
    }
    wide = {arm: max(len(arm), *map(len, found.values())) for arm, found in columns.items()}
    first = max(8, len(result.unit))
    lines = ["", f"{result.unit:>{first}}  " + "  ".join(f"{arm:<{wide[arm]}}" for arm in columns)]
    for n in sorted({point.n for point in points}):
        values = "  ".join(f"{found.get(n, ''):<{wide[arm]}}" for arm, found in columns.items())
        lines.append(f"{n:>{first},}  {values}")
    seeds, where = len(points[0].values), "of the test part" if result.how == "test" else "held out once"
    more = f"More {result.unit.split()[-1]}"
    lines += [
        "",
        row("Score", f"{metric_name(result.metric)}, mean of {seeds} seeds, on {result.n_test:,} examples {where}"),
        row("Saving", click.style(result.sentence, fg="green", bold=True)),
        row(more if len(more) < LABEL else "More", result.next_sentence),
        row("Time", f"{result.seconds:.1f} s with {result.backbone}"),
    ]
    if result.late > 0:
        lines.append(row("Note", f"The budget was exceeded by {result.late:.1f} s."))
    return "\n".join([*lines, *([] if result.picture is None else [row("Picture", str(result.picture))])])
