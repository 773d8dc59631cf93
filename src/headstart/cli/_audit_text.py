"""What people read of an audit: the findings of `check`, and the figures behind those that it adds."""

from typing import TYPE_CHECKING

from headstart.cli._render import inspection_text, row

if TYPE_CHECKING:
    from headstart.audit import Flattery, NearDuplicates
    from headstart.pipeline import AuditResult


def audit_text(found: "AuditResult", source: str, *, asked: str = "") -> str:
    """Describe what `headstart check --deep` found.

    Args:
        found: What `headstart.pipeline.audit` returned.
        source: What was looked at.
        asked: Options of how it is read, which the next command needs too.

    Returns:
        Lines of text.
    """
    lines = [row("Features", found.backbone)] if found.backbone else []
    if found.duplicates is not None:
        lines.append(row("Duplicates", _pairs(found.duplicates)))
    if found.flattery is not None:
        lines += _scores(found.flattery)
    lines += [row("Not seen", each) for each in found.unseen]
    if found.backbone:
        lines.append(row("Time", f"{found.seconds:.1f} s"))
    return inspection_text(found.inspection, source, more=lines, asked=asked)


def _pairs(found: "NearDuplicates") -> str:
    sure = "; different items lie as near, so only the sure ones are listed" if found.overlap else ""
    return (
        f"{len(found.pairs)} near-duplicate pairs, nearer than {found.limit:.3f}; of altered copies made to set that "
        f"limit {found.found:.0%} are found{sure}"
    )


def _scores(found: "Flattery") -> list[str]:
    seeds = [f"{random:.3f} / {grouped:.3f}" for random, grouped in found.seeds.tolist()]
    return [
        row("Splits", f"random {found.random:.3f}, groups together {found.grouped:.3f} (accuracy of a probe)"),
        row("", f"seed by seed, random / groups: {', '.join(seeds)}"),
    ]
