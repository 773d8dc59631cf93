"""Pretrained networks as chains of named blocks, from any of the supported libraries.

Names are loaded on first use, so that the catalogue and the spelling of names cost no deep-learning import.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headstart.backbones._adapters import Adapters, read_adapters, write_adapters
    from headstart.backbones._archive import Limits
    from headstart.backbones._augment import Flips, augmented
    from headstart.backbones._base import Backbone, Block, Prepared, Preparer, View
    from headstart.backbones._batch import Batch, Words, interleave, pool_words
    from headstart.backbones._catalogue import Candidate, catalogue, find
    from headstart.backbones._frames import frame_backbone, frame_places
    from headstart.backbones._load import candidates, card_of, known_licence, licence_of, load, locate, rebuild
    from headstart.backbones._long import LongSound, ReadsLong
    from headstart.backbones._lora import Lora, with_lora
    from headstart.backbones._names import parse_name
    from headstart.backbones._packs import Packed, add_pack, write_pack
    from headstart.backbones._pictures import picture_backbone
    from headstart.backbones._scratch import from_scratch
    from headstart.backbones._source_head import SourceHead
    from headstart.backbones._tensors import hash_state, read_tensors, write_tensors
    from headstart.backbones._texts import CountsTokens, TokenCounts
    from headstart.backbones._timm_folder import read_timm_folder, write_timm_folder
    from headstart.backbones._transformers import load_tokenizer, load_with_head, mel_arrays, save_with_head
    from headstart.backbones._transformers_heads import (
        LinearHead,
        sequence_classifier,
        token_classifier,
        write_tokenizer,
    )
    from headstart.backbones._words import word_backbone
    from headstart.backbones._written import write_folder

_HOMES = {
    "_adapters": ("Adapters", "read_adapters", "write_adapters"),
    "_archive": ("Limits",),
    "_augment": ("Flips", "augmented"),
    "_base": ("Backbone", "Block", "Prepared", "Preparer", "View"),
    "_batch": ("Batch", "Words", "interleave", "pool_words"),
    "_catalogue": ("Candidate", "catalogue", "find"),
    "_frames": ("frame_backbone", "frame_places"),
    "_load": ("candidates", "card_of", "known_licence", "licence_of", "load", "locate", "rebuild"),
    "_long": ("LongSound", "ReadsLong"),
    "_lora": ("Lora", "with_lora"),
    "_names": ("parse_name",),
    "_packs": ("Packed", "add_pack", "write_pack"),
    "_pictures": ("picture_backbone",),
    "_scratch": ("from_scratch",),
    "_source_head": ("SourceHead",),
    "_tensors": ("hash_state", "read_tensors", "write_tensors"),
    "_texts": ("CountsTokens", "TokenCounts"),
    "_timm_folder": ("read_timm_folder", "write_timm_folder"),
    "_transformers": ("load_tokenizer", "load_with_head", "mel_arrays", "save_with_head"),
    "_transformers_heads": ("LinearHead", "sequence_classifier", "token_classifier", "write_tokenizer"),
    "_words": ("word_backbone",),
    "_written": ("write_folder",),
}

__all__ = [
    "Adapters",
    "Backbone",
    "Batch",
    "Block",
    "Candidate",
    "CountsTokens",
    "Flips",
    "Limits",
    "LinearHead",
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
    "known_licence",
    "licence_of",
    "load",
    "load_tokenizer",
    "load_with_head",
    "locate",
    "mel_arrays",
    "parse_name",
    "picture_backbone",
    "pool_words",
    "read_adapters",
    "read_tensors",
    "read_timm_folder",
    "rebuild",
    "save_with_head",
    "sequence_classifier",
    "token_classifier",
    "with_lora",
    "word_backbone",
    "write_adapters",
    "write_folder",
    "write_pack",
    "write_tensors",
    "write_timm_folder",
    "write_tokenizer",
]


def __getattr__(name: str) -> object:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"headstart.backbones.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
