"""DICOM files made for tests."""

from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

SECRETS = ("Doe^Jane", "PAT-4711", "19700101", "St Elsewhere")


def write_dicom(
    path: Path,
    stored: np.ndarray,
    *,
    bits: int | None = None,
    photometric: str | None = None,
    syntax: str = ExplicitVRLittleEndian,
    leave_out: tuple[str, ...] = (),
    **elements: Any,
) -> Path:
    """Write (H, W), (H, W, 3), or with ``NumberOfFrames`` (N, H, W) pixels of 8 or 16 bits."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["headstart", path.name])
    meta.TransferSyntaxUID = syntax
    header = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    header.SOPClassUID, header.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    header.PatientName, header.PatientID, header.PatientBirthDate, header.InstitutionName = SECRETS
    frames = "NumberOfFrames" in elements
    colours = stored.ndim == 3 and not frames
    height, width = stored.shape[1:] if frames else stored.shape[:2]
    header.Rows, header.Columns, header.SamplesPerPixel = height, width, 3 if colours else 1
    header.PhotometricInterpretation = photometric or ("RGB" if colours else "MONOCHROME2")
    if colours:
        header.PlanarConfiguration = 0
    header.BitsAllocated = 8 * stored.dtype.itemsize
    header.BitsStored = bits or header.BitsAllocated
    header.HighBit = header.BitsStored - 1
    header.PixelRepresentation = int(stored.dtype.kind == "i")
    header.PixelData = stored.tobytes()
    for name, value in elements.items():
        setattr(header, name, value)
    for name in leave_out:
        del header[name]
    header.save_as(path, enforce_file_format=True)
    return path


def sequence_item(**elements: Any) -> Dataset:
    """Return a data set to stand in a sequence."""
    item = Dataset()
    for name, value in elements.items():
        setattr(item, name, value)
    return item
