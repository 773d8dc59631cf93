"""Pictures of any kind to pixels: Pillow's formats, TIFF, DICOM, arrays."""

from headstart.runtime.pictures._dicom import PREAMBLE, check_keyword, hashed_value, is_dicom, is_dicom_file
from headstart.runtime.pictures._images import (
    IMAGE_SUFFIXES,
    ImageFacts,
    check_picture,
    describe_image,
    read_image,
    read_images,
    read_pixels,
    wide_pixels,
)
from headstart.runtime.pictures._resizing import Pixels, Planes, read_resized, resizer, stack_pixels
from headstart.runtime.pictures._scaling import RGB, PixelScale, Sample, name_of, name_of_channels, ranges_of

__all__ = [
    "IMAGE_SUFFIXES",
    "PREAMBLE",
    "RGB",
    "ImageFacts",
    "PixelScale",
    "Pixels",
    "Planes",
    "Sample",
    "check_keyword",
    "check_picture",
    "describe_image",
    "hashed_value",
    "is_dicom",
    "is_dicom_file",
    "name_of",
    "name_of_channels",
    "ranges_of",
    "read_image",
    "read_images",
    "read_pixels",
    "read_resized",
    "resizer",
    "stack_pixels",
    "wide_pixels",
]
