import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom.pixels import apply_windowing
from pydicom.uid import HTJ2KLossless, JPEG2000Lossless, JPEGLSLossless, RLELossless

from headstart.data import PixelScale, describe_image, inspect, learn_scale, load, read_image, read_pixels
from headstart.data.dataset import Dataset
from headstart.errors import DataError, OptionError
from headstart.runtime.pictures._dicom import INVERTED, RESCALED, WINDOWED, hashed_value, windowed
from headstart.runtime.pictures._images import kept
from headstart.runtime.pictures._opening import FIRST_FRAME, GRAY
from tests.dicoms import SECRETS, sequence_item, write_dicom

BYTES = np.random.default_rng(0).integers(0, 256, (40, 50), dtype=np.uint8)
TWELVE = np.random.default_rng(1).integers(0, 4096, (40, 50), dtype=np.uint16)
FULL = {"WindowCenter": 128, "WindowWidth": 256}


def lut(descriptor, values):
    table = sequence_item(ModalityLUTType="US")
    table.add_new("LUTDescriptor", "US", descriptor)
    table.add_new("LUTData", "US", values.tolist())
    return table


def gray(item, scale=None):
    return np.asarray(read_image(item, scale))[..., 0]


def test_an_8_bit_dicom_file_is_an_8_bit_picture(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", BYTES)
    assert np.array_equal(gray(path), BYTES)
    assert isinstance(read_pixels(path, PixelScale({})), Image.Image)
    facts = describe_image(path)
    assert (facts.size, facts.mode, facts.format) == ((50, 40), "MONOCHROME2 8 bits", "DICOM")
    assert (facts.conversions, facts.kind) == ((GRAY,), "uint8")


def test_white_is_zero_is_inverted_and_told(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", 255 - BYTES, photometric="MONOCHROME1")
    assert np.array_equal(gray(path), BYTES)
    assert INVERTED in describe_image(path).conversions
    deep = write_dicom(tmp_path / "b.dcm", 4095 - TWELVE, bits=12, photometric="MONOCHROME1")
    plain = write_dicom(tmp_path / "c.dcm", TWELVE, bits=12)
    scale = PixelScale({"DICOM": (0.0, 4095.0)})
    np.testing.assert_allclose(read_pixels(deep, scale), read_pixels(plain, scale), atol=1e-6)


def test_slope_and_intercept_come_before_the_range_and_are_told(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", TWELVE, bits=12, RescaleSlope="2", RescaleIntercept="-1024")
    assert describe_image(path).conversions == (RESCALED, kept("DICOM"), GRAY)
    values = read_pixels(path, PixelScale({"DICOM": (-1024.0, 2 * 4095 - 1024.0)}))
    np.testing.assert_allclose(values[..., 0], TWELVE / 4095, atol=1e-6)
    signed = write_dicom(tmp_path / "b.dcm", (TWELVE.astype(np.int16) - 2048), bits=12)
    shifted = read_pixels(signed, PixelScale({"DICOM": (-2048.0, 2047.0)}))
    np.testing.assert_allclose(shifted, values, atol=1e-6)


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_windows_agree_with_pydicom(function):
    header = sequence_item(
        PhotometricInterpretation="MONOCHROME2", BitsStored=12, PixelRepresentation=0, WindowCenter=700.5,
        WindowWidth=900, VOILUTFunction=function,
    )  # fmt: skip
    expected = apply_windowing(TWELVE.copy(), header) / 4095
    np.testing.assert_allclose(windowed(TWELVE, 700.5, 900, function), expected, atol=1e-6)


def test_a_window_of_width_one_makes_black_and_white_and_an_impossible_one_is_none():
    assert windowed(np.array([9.0, 10.0]), 10, 1, "LINEAR").tolist() == [0, 1]
    assert windowed(TWELVE, 10, 0, "LINEAR") is None
    assert windowed(TWELVE, 10, -1, "SIGMOID") is None
    assert windowed(TWELVE, 10, 10, "CURVED") is None


def test_the_file_s_window_is_used_where_all_files_have_one(tmp_path):
    several = {"WindowCenter": [128, 4000], "WindowWidth": [256, 10]}  # the first is taken
    path = write_dicom(
        tmp_path / "a.dcm", BYTES.astype(np.uint16) * 2 + 100, RescaleSlope=0.5, RescaleIntercept=-50, **several
    )
    assert np.array_equal(gray(path), BYTES)
    assert WINDOWED in describe_image(path).conversions
    bare = write_dicom(tmp_path / "b.dcm", TWELVE, bits=12)
    of_both = Dataset("image", (path, bare), ("a", "b"))
    assert learn_scale(of_both.take([0])) == PixelScale({"DICOM": "window"})
    assert learn_scale(of_both).ranges["DICOM"] != "window"
    with pytest.raises(DataError, match=r"b\.dcm: expected a DICOM file with a window, as all .* found none. Write W"):
        read_pixels(bare, PixelScale({"DICOM": "window"}))


def test_a_window_table_is_applied(tmp_path):
    table = lut([4096, 0, 8], np.arange(4096) // 16)
    path = write_dicom(tmp_path / "a.dcm", TWELVE, bits=12, VOILUTSequence=[table])
    assert np.array_equal(gray(path), TWELVE // 16)


def test_a_modality_table_is_applied(tmp_path):
    table = lut([256, 0, 16], np.arange(256) * 3 + 7)
    path = write_dicom(tmp_path / "a.dcm", BYTES, ModalityLUTSequence=[table])
    values = read_pixels(path, PixelScale({"DICOM": (0.0, 1000.0)}))
    np.testing.assert_allclose(values[..., 0], (BYTES * 3.0 + 7) / 1000, atol=1e-6)


def test_the_first_frame_is_taken_with_its_own_rescaling(tmp_path):
    shared = sequence_item(
        PixelValueTransformationSequence=[sequence_item(RescaleSlope=2, RescaleIntercept=1, RescaleType="US")],
        FrameVOILUTSequence=[sequence_item(WindowCenter=256.5, WindowWidth=511)],
    )
    frames = np.stack([BYTES, 255 - BYTES])
    path = write_dicom(tmp_path / "a.dcm", frames, NumberOfFrames=2, SharedFunctionalGroupsSequence=[shared])
    assert np.abs(gray(path).astype(int) - BYTES).max() <= 1
    assert {FIRST_FRAME, RESCALED, WINDOWED} <= set(describe_image(path).conversions)


def test_colours_and_palettes_become_rgb(tmp_path):
    photo = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    assert np.array_equal(np.asarray(read_image(write_dicom(tmp_path / "a.dcm", photo))), photo)
    ycbcr = np.asarray(Image.fromarray(photo).convert("YCbCr"))
    path = write_dicom(tmp_path / "b.dcm", ycbcr, photometric="YBR_FULL")
    assert np.abs(np.asarray(read_image(path)).astype(int) - photo).max() <= 3
    ramp = (np.arange(256) * 257).astype(np.uint16)
    tables = {}
    for colour, values in {"Red": ramp, "Green": ramp[::-1], "Blue": ramp}.items():
        tables[f"{colour}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        tables[f"{colour}PaletteColorLookupTableData"] = values.tobytes()
    path = write_dicom(tmp_path / "c.dcm", BYTES, photometric="PALETTE COLOR", **tables)
    assert np.array_equal(np.asarray(read_image(path)), np.stack([BYTES, 255 - BYTES, BYTES], axis=-1))
    assert "DICOM colours to RGB" in describe_image(path).conversions


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless], ids=["rle", "jpeg2000"])
def test_compressed_pixels_are_read_where_they_can_be(tmp_path, syntax):
    path = write_dicom(tmp_path / "a.dcm", BYTES)
    header = pydicom.dcmread(path)
    if syntax == RLELossless:
        header.compress(syntax)
    else:
        import io

        from pydicom.encaps import encapsulate

        stream = io.BytesIO()
        Image.fromarray(BYTES).save(stream, "JPEG2000", irreversible=False)
        header.PixelData = encapsulate([stream.getvalue()])
        header["PixelData"].VR = "OB"
        header.file_meta.TransferSyntaxUID = syntax
    header.save_as(path)
    assert np.array_equal(gray(path), BYTES)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"leave_out": ("PixelData",)}, "expected a DICOM picture, found a file without pixels. Remove it."),
        ({"leave_out": ("Rows",)}, "expected a number above 0 as the DICOM element Rows, found nothing"),
        ({"Rows": 0}, "as the DICOM element Rows, found 0"),
        ({"Rows": 41}, r"expected 4,100 bytes of DICOM pixels, found 4,000: the file is cut off"),
        ({"Rows": 20_000, "Columns": 20_000}, r"expected at most .* pixels, found 20,000 x 20,000 \(a decompression"),
        ({"BitsAllocated": 13}, r"expected DICOM pixels, found broken data \(ValueError\). Replace"),
        ({"BitsStored": 99}, r"expected DICOM pixels, found broken data \(\w+\)"),
        ({"SamplesPerPixel": 2}, r"expected (8,000 bytes of DICOM pixels|DICOM pixels, found broken)"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, r"expected DICOM pixels, found broken data \(\w+\)"),
        ({"syntax": JPEGLSLossless, "encapsulated": True}, r"JPEG-LS Lossless .* \(1\.2\.840.*\)\. Install .*pyjpegls"),
        ({"syntax": HTJ2KLossless, "encapsulated": True}, r"found the transfer syntax High-Thr.*pip install pylibjpeg"),
        ({"syntax": "1.2.3.4", "encapsulated": True}, r"found an unknown one \(1\.2\.3\.4\). Convert the file to Expl"),
        ({"VOILUTSequence": [sequence_item(LUTDescriptor=[4, 0, 8])]}, "expected a DICOM window table, found broken"),
        (
            {"ModalityLUTSequence": [sequence_item(ModalityLUTType="US")]},
            "expected a DICOM modality table, found broken",
        ),
    ],
    ids=str,
)
def test_what_is_broken_is_named_with_its_path(tmp_path, change, message):
    path = tmp_path / "a.dcm"
    if "encapsulated" in change:
        from pydicom.encaps import encapsulate

        syntax = change["syntax"]
        write_dicom(path, TWELVE, bits=12)
        header = pydicom.dcmread(path)
        header.PixelData = encapsulate([b"\xff\xd8\xff\xf7" + b"\0" * 40])
        header["PixelData"].VR = "OB"
        header.file_meta.TransferSyntaxUID = syntax
        header.save_as(path, implicit_vr=False, little_endian=True, enforce_file_format=False)
    else:
        write_dicom(path, TWELVE, bits=12, **change)
    for function in (describe_image, read_image):
        with pytest.raises(DataError, match=message) as caught:
            function(path)
        assert str(caught.value).startswith(str(path))
        assert not any(secret in str(caught.value) for secret in SECRETS)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.floats(0, 1), flips=st.lists(st.tuples(st.floats(0, 1), st.integers(1, 255)), max_size=8))
def test_damage_anywhere_is_a_fault_with_the_path_or_a_picture(tmp_path, cut, flips):
    path = write_dicom(tmp_path / "a.dcm", TWELVE, bits=12, RescaleSlope=2, **FULL)
    data = bytearray(path.read_bytes()[: 132 + int(cut * 5000)])
    for where, mask in flips:
        data[132 + int(where * (min(len(data), 1000) - 133)) if len(data) > 133 else -1] ^= mask
    path.write_bytes(data)
    said = ""
    try:
        assert describe_image(path).format == "DICOM"
        assert read_image(path).mode == "RGB"
    except DataError as error:
        said = str(error)
    assert not said or said.startswith(str(path))
    assert not any(secret in said for secret in SECRETS)


def test_odd_values_neither_warn_nor_stop(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", BYTES)
    data = path.read_bytes().replace(b"19700101", b"not-date").replace(b"PAT-4711", b"PAT\\4711")
    path.write_bytes(data + b"\0" * 6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with ThreadPoolExecutor(4) as pool:
            assert all(np.array_equal(found, BYTES) for found in pool.map(gray, [path] * 16))
        assert len(hashed_value(path, "PatientBirthDate")) == 12
        with pytest.raises(UserWarning, match="ours"):  # the caller's filters are as they were
            warnings.warn("ours", UserWarning, stacklevel=1)


def patients(folder, n=12, **elements):
    for i in range(n):
        place = folder / ("ill" if i % 2 else "well")
        place.mkdir(parents=True, exist_ok=True)
        write_dicom(place / f"{i}.dcm", np.roll(BYTES, i), **{"PatientID": f"P-{i // 3}", **elements})
    return folder


def test_groups_are_hashes_of_an_element_and_nothing_else_is_kept(tmp_path):
    dataset = load(patients(tmp_path / "scans"), group="dicom:PatientID")
    assert len(set(dataset.groups)) == 4
    assert all(len(group) == 12 and int(group, 16) >= 0 for group in dataset.groups)
    assert dataset.groups[0] == hashed_value(tmp_path / "scans/ill/1.dcm", "PatientID")
    assert not any("P-" in group for group in dataset.groups)
    rows = [f"{path.relative_to(tmp_path / 'scans')},{path.parent.name}" for path in dataset.items]
    table = tmp_path / "scans" / "manifest.csv"
    table.write_text("path,label\n" + "\n".join(rows))
    assert load(table, group="dicom:PatientID").groups == dataset.groups


def test_a_missing_element_is_a_fault_of_its_file(tmp_path):
    folder = patients(tmp_path / "scans")
    write_dicom(folder / "ill" / "1.dcm", BYTES, leave_out=("PatientID",))
    Image.fromarray(BYTES).save(folder / "ill" / "x.png")
    with pytest.raises(DataError, match=r"ill/1\.dcm: expected a value of PatientID in the DICOM header, found none"):
        load(folder, group="dicom:PatientID")
    found = inspect(folder, group="dicom:PatientID")
    said = " ".join(f"{finding.where} {finding.found}" for finding in found.findings)
    assert "ill/x.png expected a DICOM file, found one of another kind" in said


def test_a_group_that_cannot_be_is_refused(tmp_path):
    folder = patients(tmp_path / "scans")
    with pytest.raises(OptionError, match=r"--group: DICOM has no element called 'Patient'. Write dicom:PatientID"):
        load(folder, group="dicom:Patient")
    (tmp_path / "t.csv").write_text("text,label\na,b\n")
    with pytest.raises(
        OptionError, match="--group dicom: needs pictures|--group dicom: needs files, and this data is a"
    ):
        load(tmp_path / "t.csv", group="dicom:PatientID")
    with pytest.raises(DataError, match=r"expected a DICOM file, found no such file or directory. Check the path"):
        hashed_value(tmp_path / "none.dcm", "PatientID")


def test_files_without_an_ending_are_known_by_their_preamble(tmp_path):
    folder = patients(tmp_path / "scans", n=4)
    (folder / "ill" / "1.dcm").rename(folder / "ill" / "IM0001")
    (folder / "ill" / "3.dcm").rename(folder / "ill" / "1.2.840.10008.77")
    (folder / "ill" / "DICOMDIR").write_text("no picture")
    dataset = load(folder)
    assert sorted(path.name for path in dataset.items) == ["0.dcm", "1.2.840.10008.77", "2.dcm", "IM0001"]


def suggestions(source, **options) -> list[str]:
    return [finding.found for finding in inspect(source, **options).findings if finding.kind == "possible-groups"]


def test_patients_with_several_pictures_are_suggested_as_groups_and_not_named(tmp_path):
    folder = patients(tmp_path / "scans")
    (found,) = suggestions(folder)
    n = len(list(folder.rglob("*.dcm")))
    assert found.startswith(f"PatientID of the DICOM headers ({-(-n // 3)} patients of {n} pictures) may say whose")
    assert "--group dicom:PatientID keeps" in found
    assert "P-" not in found
    assert suggestions(folder, group="dicom:PatientID") == []


def test_patients_are_not_suggested_where_each_has_one_picture_or_some_are_unknown(tmp_path):
    folder = patients(tmp_path / "scans")
    write_dicom(folder / "ill" / "1.dcm", BYTES, leave_out=("PatientID",))
    assert suggestions(folder) == []
    single = tmp_path / "single"
    for i in range(8):
        place = single / ("ill" if i % 2 else "well")
        place.mkdir(parents=True, exist_ok=True)
        write_dicom(place / f"{i}.dcm", np.roll(BYTES, i), PatientID=f"P-{i}")
    assert suggestions(single) == []
    (single / "ill" / "1.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 40)
    assert suggestions(single) == []
