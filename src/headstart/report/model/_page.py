"""The report of a model: one HTML file with all of it, that opens nothing else and runs no script."""

from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Final

from headstart.report._entities import MARKS
from headstart.report._page import page_head, write_page
from headstart.report._transcripts import CLIPS
from headstart.report.model._choice import candidates, curve, ladder
from headstart.report.model._confidence import confidence
from headstart.report.model._data import asked, data
from headstart.report.model._errors import errors
from headstart.report.model._html import Section, part
from headstart.report.model._making import again, cost, frozen, licences
from headstart.report.model._maps import domains, feature_maps, ways
from headstart.report.model._record import ModelRecord
from headstart.report.model._scores import by_class, confusion, scores
from headstart.report.model._style import STYLE
from headstart.report.model._summary import summary

_DARK: Final = """
@media (prefers-color-scheme: dark) { .time img, .item .spectrogram { filter: invert(.88); } }
article { border-top: 1px solid var(--line); padding: .8rem 0; } article h3 { margin: 0 0 .3rem; font-size: .9rem; }
article audio { display: block; width: 100%; height: 2.4rem; margin: .3rem 0; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; max-width: none; } .item + .item { margin-top: .7rem; }
.items .item { margin-top: 0; }
"""


def write_model_report(record: ModelRecord, path: Path) -> None:
    """Write the report of a model.

    Args:
        record: What is known of it; what is not known is left out or said to be missing.
        path: The file to write.

    Raises:
        OptionError: The file cannot be written.
    """
    write_page("\n".join(_page(record)) + "\n", path)


def _page(record: ModelRecord) -> Iterator[str]:
    yield from page_head(record.name, STYLE + MARKS + CLIPS + _DARK, ())
    yield f'<p class="lead">{escape(_lead(record))}</p><main>'
    yield from summary(record)
    found = [section for section in _sections(record) if section.lines]
    links = "".join(f'<li><a href="#{each.name}">{escape(each.title)}</a></li>' for each in found)
    yield f'<nav aria-label="Sections"><ol>{links}</ol></nav>'
    for section in found:
        yield f'<section id="{section.name}"><h2>{escape(section.title)}</h2>'
        yield from section.lines
        yield "</section>"
    yield "</main></body></html>"


def _lead(record: ModelRecord) -> str:
    made = part(record.kept, "made").get("date")
    task = str(record.evaluation.get("task") or record.kind).replace("-", " ")
    return f"Report of a model for {task}, made {f'on {made} ' if made else ''}with Headstart {record.version}."


def _sections(record: ModelRecord) -> Iterator[Section]:
    """Yield the parts in their order; those without lines have nothing to say."""
    chosen = ways if record.adapted else candidates
    yield Section("asked", "What was asked", [*asked(record)])
    yield Section("data", "Data and its problems", [*data(record)])
    yield Section("candidates", "Ways to adapt" if record.adapted else "Candidates", [*chosen(record)])
    yield Section("ladder", "Ladder", [*ladder(record)])
    if record.adapted:
        yield Section("domains", "Both domains", [*domains(record)])
    yield Section("scores", "Final scores", [*scores(record)])
    yield Section("curve", "Learning curve", [*curve(record)])
    yield Section("confusion", "What is taken for what", [*confusion(record)])
    yield Section("classes", "By class", [*by_class(record)])
    yield Section("calibration", "Calibration", [*confidence(part(record.evaluation, "trust"))])
    yield Section("errors", "Unlike the source" if record.adapted else "Worst errors", [*errors(record)])
    yield Section("map", "Map of the features", [*feature_maps(record)])
    yield Section("frozen", "Frozen and trained", [*frozen(record)])
    yield Section("licences", "Licences", [*licences(record)])
    yield Section("cost", "Cost", [*cost(record)])
    yield Section("again", "Make and use it again", [*again(record)])
