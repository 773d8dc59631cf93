"""Pretrained networks as chains of named blocks, from any of the supported libraries.

Names are loaded on first use, so that the catalogue and the spelling of names cost no deep-learning import.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headstart.backbones._augment import Flips, augmented
    from headstart.backbones._base import Backbone, Block, Prepared, Preparer, View
    from headstart.backbones._batch import Batch, Words, interleave
    from headstart.backbones._catalogue import Candidate, catalogue, find
    from headstart.backbones._frames import frame_backbone, frame_places
    from headstart.backbones._load import candidates, card_of, licence_of, load, locate, rebuild
    from headstart.backbones._long import LongSound, ReadsLong
    from headstart.backbones._lora import Lora, with_lora
    from headstart.backbones._names import parse_name
    from headstart.backbones._packs import Limits, Packed, add_pack, write_pack
    from headstart.backbones._pictures import picture_backbone
    from headstart.backbones._scratch import from_scratch
    from headstart.backbones._source_head import SourceHead
    from headstart.backbones._tensors import hash_state, read_tensors, write_tensors
    from headstart.backbones._texts import CountsTokens, TokenCounts
    from headstart.backbones._words import word_backbone
    from headstart.backbones._written import write_folder

_HOMES = {
    "_augment": ("Flips", "augmented"),
    "_base": ("Backbone", "Block", "Prepared", "Preparer", "View"),
    "_batch": ("Batch", "Words", "interleave"),
    "_catalogue": ("Candidate", "catalogue", "find"),
    "_frames": ("frame_backbone", "frame_places"),
    "_load": ("candidates", "card_of", "licence_of", "load", "locate", "rebuild"),
    "_long": ("LongSound", "ReadsLong"),
    "_lora": ("Lora", "with_lora"),
    "_names": ("parse_name",),
    "_packs": ("Limits", "Packed", "add_pack", "write_pack"),
    "_pictures": ("picture_backbone",),
    "_scratch": ("from_scratch",),
    "_source_head": ("SourceHead",),
    "_tensors": ("hash_state", "read_tensors", "write_tensors"),
    "_texts": ("CountsTokens", "TokenCounts"),
    "_words": ("word_backbone",),
    "_written": ("write_folder",),
}

__all__ = [
    "Backbone",
    "Batch",
    "Block",
    "Candidate",
    "CountsTokens",
    "Flips",
    "Limits",
    "LongSound",
    "Lora",
    "Packed",
    "Prepared",
    "Preparer",
    "ReadsLong",
    "SourceHead",
    "TokenCounts",
    "View",
    "Words",
    "add_pack",
    "augmented",
    "candidates",
    "card_of",
    "catalogue",
    "find",
    "frame_backbone",
    "frame_places",
    "from_scratch",
    "hash_state",
    "interleave",
    "licence_of",
    "load",
    "locate",
    "parse_name",
    "picture_backbone",
    "read_tensors",
    "rebuild",
    "with_lora",
    "word_backbone",
    "write_folder",
    "write_pack",
    "write_tensors",
]


def __getattr__(name: str) -> object:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"headstart.backbones.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
