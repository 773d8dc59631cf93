"""Pictures and pages for reports; every plot is drawn here."""

from headstart.report._audit import ShownItem, ShownPair, write_audit
from headstart.report._clips import beginning, spectrogram_bytes, wav_bytes
from headstart.report._curves import plot_curve
from headstart.report._entities import TaggedText, write_entities
from headstart.report._excerpts import HeardRecording, KeptClip
from headstart.report._rankings import plot_ranking
from headstart.report._robustness import plot_robustness
from headstart.report._tables import Table
from headstart.report._thumbnails import thumbnail
from headstart.report._transcripts import worst_clips, write_transcripts
from headstart.report.model import ModelRecord, trust_lines, write_model_report

__all__ = [
    "HeardRecording",
    "KeptClip",
    "ModelRecord",
    "ShownItem",
    "ShownPair",
    "Table",
    "TaggedText",
    "beginning",
    "plot_curve",
    "plot_ranking",
    "plot_robustness",
    "spectrogram_bytes",
    "thumbnail",
    "trust_lines",
    "wav_bytes",
    "worst_clips",
    "write_audit",
    "write_entities",
    "write_model_report",
    "write_transcripts",
]
