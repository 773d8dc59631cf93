"""Labelled data: reading it, checking it, splitting it. Needs no network and no torch.

    dataset = load("photos/")
    plan = plan_split(dataset, seed=0)
    train = dataset.take(plan.train)

`load` stops at the first thing that is wrong (or leaves it out on request), `inspect` reports everything it finds.
"""

from headstart.data._writing import check_table_name, write_table
from headstart.data.checks import Finding, Inspection, inspect, warnings_about
from headstart.data.dataset import Dataset, Item, LeftOut, Modality, Part, hash_item
from headstart.data.images import IMAGE_SUFFIXES, ImageFacts, describe_image, read_image
from headstart.data.readers import load, load_items
from headstart.data.splits import FOLDS, Fold, Indices, Plan, inner_folds, make_folds, plan_split, united_groups

__all__ = [
    "FOLDS",
    "IMAGE_SUFFIXES",
    "Dataset",
    "Finding",
    "Fold",
    "ImageFacts",
    "Indices",
    "Inspection",
    "Item",
    "LeftOut",
    "Modality",
    "Part",
    "Plan",
    "check_table_name",
    "describe_image",
    "hash_item",
    "inner_folds",
    "inspect",
    "load",
    "load_items",
    "make_folds",
    "plan_split",
    "read_image",
    "united_groups",
    "warnings_about",
    "write_table",
]
