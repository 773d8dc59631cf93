"""What predicting needs and nothing else: numpy, no torch; the library uses it, and exported models carry a copy.

So an exported model answers by the same code as the one it was made from. Nothing of Headstart is imported but
`headstart.errors`, of which the copy has one too.
"""

from headstart.runtime._aligned import OVERLAP, Numbers, Places, WordPooling, place_words
from headstart.runtime._answers import Promises, answer_rows, prediction_sets, span_row, transcript_row
from headstart.runtime._characters import CharacterModel
from headstart.runtime._ctc import SpokenWord, TimedWord, align, ctc_loss, frames_needed, timed_words
from headstart.runtime._decoders import Beam, Decoder, Greedy, decoder_from, greedy
from headstart.runtime._documents import Borders, Document, split_words
from headstart.runtime._framing import Framing
from headstart.runtime._heard import BLANK, Heard, character_numbers
from headstart.runtime._items import Encoded, Item, Kind, Modality, Sound
from headstart.runtime._novelty import Normal, Novelty
from headstart.runtime._tags import best_tags, decode_entities
from headstart.runtime._windows import Joined, join_places, join_windows

__all__ = [
    "BLANK",
    "OVERLAP",
    "Beam",
    "Borders",
    "CharacterModel",
    "Decoder",
    "Document",
    "Encoded",
    "Framing",
    "Greedy",
    "Heard",
    "Item",
    "Joined",
    "Kind",
    "Modality",
    "Normal",
    "Novelty",
    "Numbers",
    "Places",
    "Promises",
    "Sound",
    "SpokenWord",
    "TimedWord",
    "WordPooling",
    "align",
    "answer_rows",
    "best_tags",
    "character_numbers",
    "ctc_loss",
    "decode_entities",
    "decoder_from",
    "frames_needed",
    "greedy",
    "join_places",
    "join_windows",
    "place_words",
    "prediction_sets",
    "span_row",
    "split_words",
    "timed_words",
    "transcript_row",
]
