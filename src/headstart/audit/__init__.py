"""What a look at features, predictions and files finds in data, as functions on arrays; nothing here reads or saves.

Near-duplicates with thresholds that the data itself gives, labels that are probably wrong, items like no other,
classes that are told by what an item does not show, and how much a random split flatters. `headstart.pipeline.audit`
puts them together.
"""

from headstart.audit._duplicates import Copies, NearDuplicates, near_duplicates, united
from headstart.audit._groups import Flattery, flattery
from headstart.audit._labels import LabelErrors, label_errors
from headstart.audit._metadata import Leak, told_by_properties
from headstart.audit._outliers import outliers
from headstart.audit._properties import Property, properties
from headstart.audit._signatures import altered, comparable, signatures

__all__ = [
    "Copies",
    "Flattery",
    "LabelErrors",
    "Leak",
    "NearDuplicates",
    "Property",
    "altered",
    "comparable",
    "flattery",
    "label_errors",
    "near_duplicates",
    "outliers",
    "properties",
    "signatures",
    "told_by_properties",
    "united",
]
