"""Recordings to samples of one rate."""

from headstart.runtime.recordings._sounds import (
    SOUND_SUFFIXES,
    UNREAD_SUFFIXES,
    USUAL_RATE,
    SoundFacts,
    read_sound,
    sound_blocks,
    sound_facts,
    sound_rate,
)
from headstart.runtime.recordings._spans import (
    Span,
    cut,
    cut_overlapping,
    even_spans,
    filled,
    overlapping_spans,
)
from headstart.runtime.recordings._spectra import Describe, describing, levelled

__all__ = [
    "SOUND_SUFFIXES",
    "UNREAD_SUFFIXES",
    "USUAL_RATE",
    "Describe",
    "SoundFacts",
    "Span",
    "cut",
    "cut_overlapping",
    "describing",
    "even_spans",
    "filled",
    "levelled",
    "overlapping_spans",
    "read_sound",
    "sound_blocks",
    "sound_facts",
    "sound_rate",
]
