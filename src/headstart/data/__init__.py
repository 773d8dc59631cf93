"""Labelled data: reading it, checking it, splitting it. Needs no network and no torch.

    dataset = load("photos/")
    plan = plan_split(dataset, seed=0)
    train = dataset.take(plan.train)

`load` stops at the first thing that is wrong (or leaves it out on request), `inspect` reports everything it finds.
"""

from headstart.data._findings import Finding, Severity
from headstart.data._inputs import load_items
from headstart.data._learning import learn_scale
from headstart.data._lending import lend, without_copies
from headstart.data._lists import Form, read_entities, read_texts
from headstart.data._sides import given_sides, may_train
from headstart.data._sources import check_source
from headstart.data._stratify import types_present
from headstart.data._tables import TABLE_SUFFIXES, read_table
from headstart.data._writing import check_table_name, write_table
from headstart.data.checks import UNEQUAL, Inspection, inspect, inspect_and_keep, warnings_about
from headstart.data.dataset import Dataset, LeftOut, Part, hash_item
from headstart.data.readers import load
from headstart.data.splits import FOLDS, Fold, Indices, Plan, inner_folds, make_folds, plan_split, united_groups
from headstart.runtime import Document, Encoded, Item, Modality, Sound, split_words
from headstart.runtime.pictures import (
    IMAGE_SUFFIXES,
    ImageFacts,
    PixelScale,
    check_picture,
    describe_image,
    is_dicom_file,
    name_of,
    read_image,
    read_images,
    read_pixels,
)
from headstart.runtime.recordings import SOUND_SUFFIXES, SoundFacts, read_sound, sound_blocks, sound_facts, sound_rate

__all__ = [
    "FOLDS",
    "IMAGE_SUFFIXES",
    "SOUND_SUFFIXES",
    "TABLE_SUFFIXES",
    "UNEQUAL",
    "Dataset",
    "Document",
    "Encoded",
    "Finding",
    "Fold",
    "Form",
    "ImageFacts",
    "Indices",
    "Inspection",
    "Item",
    "LeftOut",
    "Modality",
    "Part",
    "PixelScale",
    "Plan",
    "Severity",
    "Sound",
    "SoundFacts",
    "check_picture",
    "check_source",
    "check_table_name",
    "describe_image",
    "given_sides",
    "hash_item",
    "inner_folds",
    "inspect",
    "inspect_and_keep",
    "is_dicom_file",
    "learn_scale",
    "lend",
    "load",
    "load_items",
    "make_folds",
    "may_train",
    "name_of",
    "plan_split",
    "read_entities",
    "read_image",
    "read_images",
    "read_pixels",
    "read_sound",
    "read_table",
    "read_texts",
    "sound_blocks",
    "sound_facts",
    "sound_rate",
    "split_words",
    "types_present",
    "united_groups",
    "warnings_about",
    "without_copies",
    "write_table",
]
