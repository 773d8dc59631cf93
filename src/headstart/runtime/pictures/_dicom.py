"""DICOM files: pixels with the modality's rescaling and the file's window, and a value of the header to group by.

The only file that imports pydicom. Decisions:

* Of the header, only what says how pixels are stored and shown is read, and one element where groups are asked for.
  Nothing of it gets into a message: what pydicom says of an odd value may quote it. A value to group by is replaced by
  a short hash, so that no name or number of a patient is kept. A hash of a short number can be found by trying all;
  the files themselves, and their names, are the user's to protect.
* The modality's rescaling (slope and intercept, or table) gives the values. The first window (center and width, or
  table) shows them; whether it is used, or one range for all files, is decided for the whole data set.
* An 8-bit picture without rescaling or window is an 8-bit picture like any other.
* The first frame of several is taken. YBR and palettes become RGB. Pixels are not resampled where they are not square,
  and overlays are not drawn.
* pydicom warns about odd values; warning filters are shared by all threads, so they are set once while any is reading.
"""

import hashlib
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from headstart.errors import DataError, OptionError
from headstart.runtime.pictures._wide import DICOM, FIRST_FRAME, INVERTED, REPLACE, WidePixels, wide

if TYPE_CHECKING:
    from pydicom import Dataset as Header

DICOM_SUFFIXES: Final = frozenset({".dcm", ".dicom"})
_DEFLATED: Final = b"1.2.840.10008.1.2.1.99"  # the transfer syntax
PREAMBLE: Final = 132  # bytes, of which the last four are DICM
RESCALED: Final = "DICOM rescale slope and intercept applied"
WINDOWED: Final = "DICOM with a window, which is applied where every file has one"
TO_RGB: Final = "DICOM colours to RGB"

_PIXELS: Final = (
    "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames", "Rows", "Columns",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelData", "FloatPixelData",
    "DoubleFloatPixelData", "ExtendedOffsetTable", "ExtendedOffsetTableLengths", "RescaleSlope", "RescaleIntercept",
    "ModalityLUTSequence", "WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence",
    "RedPaletteColorLookupTableDescriptor", "GreenPaletteColorLookupTableDescriptor",
    "BluePaletteColorLookupTableDescriptor", "RedPaletteColorLookupTableData", "GreenPaletteColorLookupTableData",
    "BluePaletteColorLookupTableData", "SegmentedRedPaletteColorLookupTableData",
    "SegmentedGreenPaletteColorLookupTableData", "SegmentedBluePaletteColorLookupTableData",
    "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
)  # fmt: skip
_SHOWN_BY: Final = ("PixelValueTransformationSequence", "FrameVOILUTSequence")  # of files with several frames
_lock = threading.Lock()
_reading = 0
_filters: Any = None


def is_dicom(prefix: bytes) -> bool:
    """Say by its first 132 bytes whether a file is DICOM."""
    return prefix[PREAMBLE - 4 : PREAMBLE] == b"DICM"


def is_dicom_file(path: Path) -> bool:
    """Say by its name, or where that has no end by its first bytes, whether a file is DICOM."""
    if path.suffix:
        return path.suffix.lower() in DICOM_SUFFIXES
    try:
        with path.open("rb") as file:
            return is_dicom(file.read(PREAMBLE))
    except OSError:
        return False


def check_not_deflated(content: bytes) -> None:
    """Refuse a DICOM file that is compressed as a whole: pydicom would decompress it whatever it grows to.

    Args:
        content: The file.

    Raises:
        DataError: It is.
    """
    if is_dicom(content[:PREAMBLE]) and _DEFLATED in content:
        found = "expected DICOM that is not deflated as a whole, found one that is"
        raise DataError(found, fix="Convert the file to Explicit VR Little Endian.")


def read_dicom(file: IO[bytes], *, most: int | None) -> WidePixels:
    """Read the first frame of a DICOM file.

    Args:
        file: Opened, at its beginning.
        most: How many pixels are allowed, or None for any number.

    Returns:
        Its values. Those of 8 bits without rescaling and window are of kind ``uint8``.

    Raises:
        DataError: It has no pixels, too many, some that cannot be decoded here, or is broken; without its name.
    """
    header = _header(file, _PIXELS)
    with _reading_of("a DICOM file"):
        _check_header(header, most)
        stored = _decoded(header)
        return _photograph(header, stored) if stored.ndim == 3 else _measured(header, stored)


def check_keyword(keyword: str) -> None:
    """Check that DICOM knows an element by this name.

    Args:
        keyword: Such as ``PatientID``.

    Raises:
        OptionError: It does not.
    """
    from pydicom.datadict import tag_for_keyword

    if tag_for_keyword(keyword) is None:
        fix = "Write dicom:PatientID, dicom:StudyInstanceUID or another keyword of the standard."
        raise OptionError(f"--group: DICOM has no element called {keyword!r}", fix=fix)


def hashed_value(path: Path, keyword: str) -> str | None:
    """Read one element of a file's header and hash it.

    Args:
        path: A DICOM file.
        keyword: The element's name.

    Returns:
        12 hexadecimal digits; None where the element is missing or empty.

    Raises:
        DataError: The file cannot be read, or is not DICOM; without its name.
    """
    try:
        with path.open("rb") as file:
            if not is_dicom(file.read(PREAMBLE)):
                raise DataError("expected a DICOM file, found one of another kind", fix="Use filename:REGEX.")
            file.seek(0)
            value = _value(_header(file, (keyword,), pixels=False), keyword)
    except OSError as error:
        found = (error.strerror or type(error).__name__).lower()
        raise DataError(f"expected a DICOM file, found {found}", fix="Check the path and its permissions.") from error
    text = " ".join(str(value).split()) if value is not None else ""
    salted = f"headstart group {keyword} {text}".encode("utf-8", "surrogatepass")
    return hashlib.sha256(salted).hexdigest()[:12] if text else None


@contextmanager
def _quietly() -> Iterator[None]:
    """Silence pydicom's warnings while any thread reads, and no other warnings."""
    global _reading, _filters
    with _lock:
        if not _reading:
            _filters = warnings.catch_warnings()
            _filters.__enter__()
            warnings.filterwarnings("ignore", module=r"pydicom")
        _reading += 1
    try:
        yield
    finally:
        with _lock:
            _reading -= 1
            if not _reading:
                _filters.__exit__(None, None, None)


@contextmanager
def _reading_of(what: str) -> Iterator[None]:
    """Let pydicom read, and say what is broken in none of its words, which may quote the header.

    Its exceptions have no common base, and odd bytes bring forth any. From None: a traceback would quote it too.
    """
    try:
        with _quietly():
            yield
    except DataError:
        raise
    except Exception as error:  # noqa: BLE001
        problem = f"expected {what}, found broken data ({type(error).__name__})"
        raise DataError(problem, fix=REPLACE) from None


def _header(file: IO[bytes], keywords: tuple[str, ...], *, pixels: bool = True) -> "Header":
    try:
        from pydicom import dcmread
    except ImportError as error:  # an exported model may do without
        problem = "a DICOM file is read with pydicom, which is not installed"
        raise DataError(problem, fix="Type: pip install pydicom") from error
    with _reading_of("a DICOM header"):
        return dcmread(file, stop_before_pixels=not pixels, specific_tags=list(keywords))


def _value(header: "Header", keyword: str, default: Any = None) -> Any:
    """Return an element's value, or the first of several; nothing where it is missing, empty or cannot be read."""
    try:
        with _reading_of(keyword):
            value = getattr(header, keyword, None)
            if value is None or isinstance(value, str | bytes | int | float):
                return default if value in (None, "") else value
            several = hasattr(value, "__len__") and hasattr(value, "__getitem__") and not hasattr(value, "components")
            return (value[0] if len(value) else default) if several else value
    except DataError:
        return default


def _number(header: "Header", keyword: str) -> float | None:
    try:
        value = _value(header, keyword)
        number = None if value is None else float(value)
    except (ValueError, TypeError):
        return None
    return number if number is not None and np.isfinite(number) else None


def _check_header(header: "Header", most: int | None) -> None:
    """Refuse what has no pixels, too many, or some that nothing here can decode."""
    if not any(name in header for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        raise DataError("expected a DICOM picture, found a file without pixels", fix="Remove it.")
    sizes = {name: _number(header, name) for name in ("Rows", "Columns", "BitsAllocated", "SamplesPerPixel")}
    wrong = next((name for name, size in sizes.items() if size is None or size < 1), None)
    if wrong:
        found = "nothing" if sizes[wrong] is None else f"{sizes[wrong]:g}"
        raise DataError(f"expected a number above 0 as the DICOM element {wrong}, found {found}", fix=REPLACE)
    rows, columns, bits, samples = (int(size or 0) for size in sizes.values())
    if most is not None and rows * columns > most:
        raise DataError(
            f"expected at most {most:,} pixels, found {columns:,} x {rows:,} (a decompression bomb?)",
            fix="Scale the image down or remove it.",
        )
    syntax = header.file_meta.get("TransferSyntaxUID")
    if syntax is None:
        raise DataError("expected a transfer syntax in the DICOM header, found none", fix=REPLACE)
    _check_decodable(syntax)
    needed = rows * columns * samples * bits // 8
    if not syntax.is_compressed and "PixelData" in header and len(header.PixelData) < needed:
        raise DataError(
            f"expected {needed:,} bytes of DICOM pixels, found {len(header.PixelData):,}: the file is cut off",
            fix=REPLACE,
        )


def _check_decodable(syntax: Any) -> None:
    from pydicom.pixels.decoders.base import get_decoder

    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        name = syntax.name if syntax.is_transfer_syntax else "an unknown one"
        raise DataError(
            f"expected DICOM pixels in a transfer syntax that can be decoded, found {name} ({syntax})",
            fix="Convert the file to Explicit VR Little Endian.",
        ) from None
    if not decoder.is_available:
        needs = "; or ".join(each.partition(" - requires ")[2] or each for each in decoder.missing_dependencies)
        raise DataError(
            f"expected DICOM pixels that can be decoded here, found the transfer syntax {syntax.name} ({syntax})",
            fix=f"Install {needs}. For most: pip install pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg.",
        )


def _decoded(header: "Header") -> NDArray[Any]:
    """Decode the first frame: (H, W), or (H, W, 3) of colours."""
    from pydicom.pixels.processing import apply_color_lut
    from pydicom.pixels.utils import pixel_array

    with _reading_of("DICOM pixels"):
        stored: NDArray[Any] = pixel_array(header, index=0)
        if header.PhotometricInterpretation == "PALETTE COLOR":
            stored = apply_color_lut(stored, header)
    if stored.ndim == 3 and stored.shape[2] != 3:
        found = f"expected a gray or RGB picture, found {stored.shape[2]} samples a pixel"
        raise DataError(found, fix="Convert it to gray or RGB.")
    return stored


def _photograph(header: "Header", stored: NDArray[Any]) -> WidePixels:
    """Return colours, which have no rescaling and no window."""
    photometric = str(_value(header, "PhotometricInterpretation"))
    more = () if photometric == "RGB" else (TO_RGB,)
    mode = f"{photometric} {_bits(header)} bits"
    return wide(stored, mode, "DICOM", conversions=(*more, *_frames(header)))


def _measured(header: "Header", stored: NDArray[Any]) -> WidePixels:
    """Return gray values after rescaling, and as the file's window shows them."""
    values, rescaled = _rescaled(header, stored)
    shown = _shown(header, values)
    inverted = _value(header, "PhotometricInterpretation") == "MONOCHROME1"
    conversions = {
        RESCALED: rescaled,
        WINDOWED: shown is not None,
        INVERTED: inverted,
        **dict.fromkeys(_frames(header), True),
    }
    said = tuple(what for what, applies in conversions.items() if applies)
    mode = f"{_value(header, 'PhotometricInterpretation')} {_bits(header)} bits"
    if stored.dtype == np.uint8 and _bits(header) == 8 and not rescaled and shown is None:
        return wide(stored, mode, "DICOM", inverted=inverted, conversions=said)
    pixels = wide(values, mode, "DICOM", shown=shown, inverted=inverted, conversions=said)
    return WidePixels(**{**vars(pixels), "kind": DICOM, "nominal": _nominal(header, stored)})


def _frames(header: "Header") -> tuple[str, ...]:
    return (FIRST_FRAME,) if (_number(header, "NumberOfFrames") or 1) > 1 else ()


def _bits(header: "Header") -> int:
    return int(_number(header, "BitsStored") or _number(header, "BitsAllocated") or 0)


def _parts(header: "Header") -> Iterator["Header"]:
    """Yield where rescaling and window may stand: the header, and the groups of the first frame."""
    yield header
    for sequence in ("PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"):
        groups = _value(header, sequence)
        for name in _SHOWN_BY if groups is not None else ():
            part = _value(groups, name)
            if part is not None:
                yield part


def _rescaled(header: "Header", stored: NDArray[Any]) -> tuple[NDArray[Any], bool]:
    """Apply the modality's table, or slope and intercept; and say whether that changed anything."""
    if stored.dtype.kind == "f":
        return stored, False
    table = _value(header, "ModalityLUTSequence")
    if table is not None:
        with _reading_of("a DICOM modality table"):
            return _lookup(table, stored)[0], True
    slope, intercept = _slope(header)
    return stored * slope + intercept, (slope, intercept) != (1.0, 0.0)


def _slope(header: "Header") -> tuple[float, float]:
    for part in _parts(header):
        slope = _number(part, "RescaleSlope")
        if slope:
            return slope, _number(part, "RescaleIntercept") or 0.0
    return 1.0, 0.0


def _nominal(header: "Header", stored: NDArray[Any]) -> tuple[float, float] | None:
    """Return what the stored bits can hold, rescaled."""
    if stored.dtype.kind == "f" or _value(header, "ModalityLUTSequence") is not None:
        return None
    bits, signed = _bits(header), bool(_number(header, "PixelRepresentation"))
    least, largest = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    slope, intercept = _slope(header)
    ends = sorted((least * slope + intercept, largest * slope + intercept))
    return ends[0], ends[1]


def _shown(header: "Header", values: NDArray[Any]) -> NDArray[np.float32] | None:
    """Show values in the file's first window, (H, W, 1) in [0, 1]; None where it has none that makes sense."""
    for part in _parts(header):
        center, width = _number(part, "WindowCenter"), _number(part, "WindowWidth")
        if center is not None and width is not None:
            window = windowed(values, center, width, str(_value(part, "VOILUTFunction", "LINEAR")).upper())
            if window is not None:
                return window[..., None]
    table = _value(header, "VOILUTSequence")
    if table is None:
        return None
    with _reading_of("a DICOM window table"):
        found, bits = _lookup(table, values)
        return np.asarray((found / (2.0**bits - 1)).clip(0, 1), dtype=np.float32)[..., None]


def _lookup(table: "Header", values: NDArray[Any]) -> tuple[NDArray[Any], int]:
    """Map values through a table of the header (PS3.3 C.11.1.1); the largest entry is of so many bits.

    pydicom's own (version 3.0) wraps values above 255 around where entries have 8 bits.
    """
    entries, first, bits = (int(each) for each in table.LUTDescriptor)
    first -= 2**16 * (first >= 2**15 and float(values.min()) < 0)  # may be written without its sign
    data = table.LUTData
    if isinstance(data, bytes):
        data = np.frombuffer(data, dtype="u1" if bits <= 8 and len(data) < 2 * (entries or 2**16) else "<u2")
    listed = np.asarray(data, dtype=np.int64)[: entries or 2**16]
    index = np.rint(values).astype(np.int64) - first
    return listed[index.clip(0, len(listed) - 1)], bits


def windowed(values: NDArray[Any], center: float, width: float, function: str) -> NDArray[np.float32] | None:
    """Map values to [0, 1] as DICOM PS3.3 C.11.2.1.2 and C.11.2.1.3 say.

    Args:
        values: Any shape.
        center: Window Center.
        width: Window Width.
        function: ``LINEAR``, ``LINEAR_EXACT`` or ``SIGMOID``.

    Returns:
        The same shape; None where the standard allows no such window.
    """
    least = 1 if function == "LINEAR" else np.nextafter(0, 1)
    if width < least or function not in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        return None
    x = np.asarray(values, dtype=np.float64)
    if function == "SIGMOID":
        return np.asarray(1 / (1 + np.exp(np.clip(-4 * (x - center) / width, -700, 700))), dtype=np.float32)
    if function == "LINEAR":
        center, width = center - 0.5, width - 1
    if width == 0:  # every value is black or white
        return np.asarray(x > center, dtype=np.float32)
    return np.asarray(np.clip((x - center) / width + 0.5, 0, 1), dtype=np.float32)
