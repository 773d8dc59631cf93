"""An exported model reads pictures without pydicom and tifffile, which few of them need."""

import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from headstart.errors import DataError
from headstart.runtime.pictures import read_image
from tests.dicoms import write_dicom


def test_a_dicom_file_without_pydicom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_dicom(tmp_path / "a.dcm", np.zeros((8, 8), np.uint16))
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(DataError, match="pydicom, which is not installed. Type: pip install pydicom"):
        read_image(path)


def test_a_rare_tiff_without_tifffile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((8, 8, 3), np.float32), photometric="rgb")
    monkeypatch.setitem(sys.modules, "tifffile", None)
    with pytest.raises(DataError, match="tifffile, which is not installed. Type: pip install tifffile"):
        read_image(path)
