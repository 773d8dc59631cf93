"""What `headstart adapt` and `headstart check --target` show."""

import math
import shlex
from typing import TYPE_CHECKING

import click

from headstart.cli._render import row

if TYPE_CHECKING:
    from headstart.pipeline import AdaptResult, Compared, CompareResult

MOST_NAMED = 5


def adapt_text(result: "AdaptResult") -> str:
    """Describe a finished adaptation on one screen.

    Args:
        result: What `headstart.adapt` returned.

    Returns:
        Lines of text.
    """
    decision, model = result.decision, shlex.quote(str(result.folder))
    lines = [""]
    if decision.refused:
        lines += [click.style("Not adapted: the model is that of the source.", fg="yellow", bold=True), ""]
    lines.append(row("Chosen", click.style(decision.chosen.name, bold=True) + f" on {result.backbone}"))
    lines.append(row("Why", decision.reason))
    lines += compared_lines(result.compared)
    lines.append(row("Looked at", "modularity of the answers, probability that it is above none's, answers changed"))
    for each in result.adapted.candidates:
        mark = "*" if each is decision.chosen else " "
        lines.append(
            row(
                "",
                f"{mark} {each.name:22} {each.modularity:7.3f} {each.better:6.2f} {result.adapted.changed(each):6.0%}",
            )
        )
    if decision.chosen is result.adapted.candidates[0]:
        lines.append(row("Better", "another network may do more: headstart rank SOURCE, then --backbone NAME"))
    lines += [
        *_label_lines(result),
        row("Time", f"{result.seconds:.1f} s, frozen passes {result.feature_seconds:.1f} s of them"),
        row("Model", click.style(str(result.folder), bold=True)),
        row("Try it", f"headstart predict {model} INPUT"),
        row("", f"headstart evaluate {model} LABELLED"),
        row("Look", f"{model}/report.html: both domains before and after, and all of this"),
    ]
    return "\n".join(lines)


def _label_lines(result: "AdaptResult") -> list[str]:
    """Say what labels of the target told, or how to come by some."""
    asked = result.adapted.asked
    if asked is not None:
        gain = ""
        if asked.gain is not None:
            value, low, high = asked.gain
            gain = f"; accuracy on the target by estimate {value:+.3f} [{low:+.3f}, {high:+.3f}]"
        told = f"{asked.n} given; {asked.rival} against the head as it is: {asked.better} better, {asked.worse} worse"
        return [row("Labels", told + gain)]
    lines = [row("Not known", "how right it is on the target: label some and run the second command below")]
    if result.asked is not None:
        table = shlex.quote(str(result.asked))
        lines.append(
            row("Ask", f"fill in {table}, and repeat the command with --labelled {table} --overwrite, without --ask")
        )
    return lines


def compared_text(result: "CompareResult", source: str, target: str) -> str:
    """Describe how far a target lies from a source, on one screen.

    Args:
        result: What `headstart.compare` returned.
        source: What was compared.
        target: With what.

    Returns:
        Lines of text.
    """
    lines = [row("Features", result.backbone), *compared_lines(result.compared)]
    given = f"{shlex.quote(source)} --target {shlex.quote(target)}"
    if result.compared.gap.within_noise:
        return "\n".join([*lines, f"Nothing to adapt to: headstart fit {shlex.quote(source)} -o MODEL"])
    return "\n".join([*lines, f"Ready to adapt: headstart adapt {given} -o MODEL"])


def compared_lines(compared: "Compared") -> list[str]:
    """Describe how far apart two domains lie.

    Args:
        compared: The figures.

    Returns:
        Lines of text.
    """
    gap, (n_source, n_target) = compared.gap, compared.n
    told = "cannot be told apart" if gap.within_noise else "differ"
    lines = [
        row("Domains", f"{n_source:,} examples of the source, {n_target:,} of the target; they {told}"),
        row(
            "Gap",
            f"a classifier of domains has AUC {gap.auc:.3f} [{gap.interval.low:.3f}, {gap.interval.high:.3f}] (0.5: no "
            f"gap); kernel two-sample test p {gap.mmd_p:.3f}",
        ),
        row("Unlike", _unlike(compared)),
        row("Classes", "share in the source, estimated in the target (right only where classes look alike), moved by"),
    ]
    for name, (source, target, low, high) in compared.shares.items():
        shift = compared.shifts[name]
        moved = "" if math.isnan(shift) else f"  {shift:.2f} of its spread"
        lines.append(row("", f"{name:22} {source:6.3f}  {target:6.3f} [{low:.3f}, {high:.3f}]{moved}"))
    return lines


def _unlike(compared: "Compared") -> str:
    n, most = len(compared.unlike), ", ".join(compared.unlike[:MOST_NAMED])
    if not n:
        return "no example of the target is like nothing in the source"
    more = ", ..." if n > MOST_NAMED else ""
    return f"{n:,} of the target ({n / compared.n[1]:.0%}) are like nothing in the source: {most}{more}"
