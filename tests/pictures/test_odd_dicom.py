"""DICOM files as vendors write them: greys equal a plain rendering by the standard to one grey, in
the model's picture, the thumbnail and the viewer, and what is repaired is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

from core.pictures.images import read_grey
from core.pictures.samples import BadImage
from tests.dicoms import write_dicom
from tests.renderings import assert_shown, linear, linear_exact, sigmoid, stretched

CASES = Path(__file__).parents[3] / "shared" / "cases"
here = pytest.mark.skipif(not CASES.is_dir(), reason="the reported files are not at ../shared")
RAMP = np.arange(4096, dtype=np.uint16).reshape(64, 64)
TWELVE = {"BitsStored": 12}


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path / "cache"))


def lut(entries: np.ndarray, bits: int, first: int = 0, vr: str = "OW", n: int | None = None):
    """A sequence item; bytes lie as they are, other entries as 16-bit words."""
    item = Dataset()
    n = len(entries) if n is None else n
    item.add(DataElement("LUTDescriptor", "US", [n % 65536, first % 65536, bits]))
    content = np.asarray(entries).tobytes()
    content += b"\0" * (len(content) % 2)
    value = content if vr in ("OW", "OB") else np.frombuffer(content, "<u2").tolist()
    item.add(DataElement("LUTData", vr, value))
    return item


def written_as(path: Path, name: str, vr: str, value: object) -> Path:
    """The field as another type than the standard's."""
    data = pydicom.dcmread(path)
    if name in data:
        del data[name]
    data.add(DataElement(pydicom.tag.Tag(name), vr, value))
    data.save_as(path)
    return path


# Lookup tables

CURVES = {
    "root": np.sqrt(np.arange(4096) / 4095),
    "square": (np.arange(4096) / 4095) ** 2,
    "falling": 1 - np.arange(4096) / 4095,
    "s": sigmoid(np.arange(4096), 2048, 1200) / sigmoid(np.array(4095), 2048, 1200),
    "steps": np.repeat(np.arange(16) / 15, 256),
}


@pytest.mark.parametrize("vr", ["OW", "US", "OB"])
@pytest.mark.parametrize("name", CURVES)
def test_voi_luts_of_one_byte_an_entry(tmp_path, name, vr):
    curve = np.rint(255 * CURVES[name]).astype(np.uint8)
    item = lut(curve, 8, vr=vr)
    path = write_dicom(tmp_path / "a.dcm", RAMP, VOILUTSequence=[item], **TWELVE)
    assert_shown(path, curve[RAMP] / 255)


def test_an_odd_number_of_one_byte_entries_and_signed_first_value(tmp_path):
    curve = np.rint(np.linspace(0, 255, 2001)).astype(np.uint8)
    pixels = (RAMP.astype(np.int16) - 2048).astype(np.int16)
    path = write_dicom(
        tmp_path / "a.dcm", pixels, VOILUTSequence=[lut(curve, 8, first=-1000)], **TWELVE
    )
    assert_shown(path, curve[np.clip(pixels.astype(int) + 1000, 0, 2000)] / 255)


def test_one_byte_entries_in_big_endian_words(tmp_path):
    curve = np.rint(255 * CURVES["root"]).astype(np.uint8)
    path = write_dicom(tmp_path / "a.dcm", RAMP, VOILUTSequence=[lut(curve, 8)], **TWELVE)
    data = pydicom.dcmread(path)
    data.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    data.PixelData = RAMP.astype(">u2").tobytes()
    data["PixelData"].VR = "OW"
    swapped = curve.view("<u2").astype(">u2").tobytes()
    data.VOILUTSequence = [lut(np.frombuffer(swapped, np.uint8), 8)]
    anew = Dataset()
    anew.update({element.tag: element for element in data})
    anew.file_meta = data.file_meta
    anew.save_as(path, enforce_file_format=True)
    assert_shown(path, curve[RAMP] / 255)


def test_a_modality_lut_of_one_byte_an_entry(tmp_path):
    curve = np.rint(255 * CURVES["square"]).astype(np.uint8)
    item = lut(curve, 8)
    item.ModalityLUTType = "US"
    path = write_dicom(
        tmp_path / "a.dcm", RAMP, ModalityLUTSequence=[item], WindowCenter=100, WindowWidth=150,
        **TWELVE,
    )  # fmt: skip
    assert_shown(path, linear(curve[RAMP].astype(float), 100, 150))


@pytest.mark.parametrize("pair", [(16, 12), (10, 12), (8, 12), (12, 16), (16, 10), (14, 8)])
def test_voi_luts_whose_declared_depth_is_wrong(tmp_path, pair):
    declared, used = pair
    curve = np.rint((2**used - 1) * CURVES["root"]).astype(np.uint16)
    item = lut(curve, declared)
    path = write_dicom(tmp_path / "a.dcm", RAMP, VOILUTSequence=[item], **TWELVE)
    assert_shown(path, curve[RAMP] / (2**used - 1), "lut_depth")


def test_a_curve_that_ends_below_white_is_followed(tmp_path):
    """At 60 and at 30 % of its declared depth, which is right: the standard's greys."""
    for share in (0.6, 0.3):
        curve = np.rint(4095 * share * CURVES["s"]).astype(np.uint16)
        path = write_dicom(tmp_path / "a.dcm", RAMP, VOILUTSequence=[lut(curve, 12)], **TWELVE)
        assert_shown(path, curve[RAMP] / 4095)


def test_a_curve_that_starts_above_black_is_followed_in_the_viewer_too(tmp_path):
    curve = np.rint(np.linspace(800, 3000, 4096)).astype(np.uint16)
    path = write_dicom(tmp_path / "a.dcm", RAMP, VOILUTSequence=[lut(curve, 12)], **TWELVE)
    assert_shown(path, curve[RAMP] / 4095)


def test_a_lut_without_entries_leaves_the_window(tmp_path):
    window = {"WindowCenter": 1000, "WindowWidth": 800}
    for item in (Dataset(), lut(np.zeros(0, np.uint16), 12), lut(np.zeros(9, np.uint16), 12)):
        path = write_dicom(tmp_path / "a.dcm", RAMP, VOILUTSequence=[item], **TWELVE, **window)
        assert_shown(path, linear(RAMP.astype(float), 1000, 800), "voi_lut")


# Rescale


@pytest.mark.parametrize(
    ("slope", "intercept", "taken", "repairs"),
    [
        ("0", "0", (1, 0), ["slope"]),
        ("0.0", "-1024", (1, -1024), ["slope"]),
        ("0", None, (1, 0), ["slope", "intercept"]),
        (None, "-1024", (1, -1024), ["slope"]),
        ("2", None, (2, 0), ["intercept"]),
        ("1,5", "-10,25", (1.5, -10.25), ["number"]),
        ("AUTO", "0", (1, 0), ["slope", "number"]),
        ("1", "NONE", (1, 0), ["intercept", "number"]),
        ("-1", "4095", (-1, 4095), []),
        ("1e-1", "5.", (0.1, 5), []),
    ],
)
def test_rescale_slopes_and_intercepts(tmp_path, slope, intercept, taken, repairs):
    real = RAMP.astype(float) * taken[0] + taken[1]
    center, width = float(real.mean()), float(np.ptp(real) / 2)
    path = write_dicom(tmp_path / "a.dcm", RAMP, WindowCenter=center, WindowWidth=width, **TWELVE)
    for name, text in (("RescaleSlope", slope), ("RescaleIntercept", intercept)):
        if text is not None:
            as_text(path, name, text)
    stated = pydicom.dcmread(path)
    expected = linear(real.astype(float), float(stated.WindowCenter), float(stated.WindowWidth))
    assert_shown(path, expected, *repairs)


def as_text(path: Path, name: str, text: str) -> Path:
    """A text that pydicom would not write: a placeholder of its length is replaced in the file."""
    n = len(text) + len(text) % 2
    placeholder = "8" * n
    written_as(path, name, "DS", placeholder)
    content = path.read_bytes()
    begin = b"DS" + n.to_bytes(2, "little")
    assert content.count(begin + placeholder.encode()) == 1
    path.write_bytes(content.replace(begin + placeholder.encode(), begin + text.ljust(n).encode()))
    return path


# Numbers and windows


@pytest.mark.parametrize(
    ("center", "width", "taken", "repairs"),
    [
        ("2048,5", "1024,0", (2048.5, 1024), ["number"]),
        ("2.048,5", "1,024.0", (2048.5, 1024), ["number"]),
        ("1000 HU", "800 px", (1000, 800), ["number"]),
        ("1000\\2000", "800\\AUTO", (1000, 800), ["number", "window"]),
        ("AUTO\\2000", "800\\500", (2000, 500), ["number", "window"]),
        ("AUTO", "AUTO", None, ["number", "window"]),
        ("2048\\1000", "1024\\0", (2048, 1024), ["window"]),
        ("2048\\1000", "0\\500", (1000, 500), ["window"]),
        ("2048\\1000\\9", "1024\\500", (2048, 1024), ["window"]),
        ("2048", "-100", None, ["window"]),
        ("2048", "nan", None, ["number", "window"]),
        ("2048.5", "1", (2048.5, 1), []),
        (" 2048", "1024 ", (2048, 1024), []),
    ],
)
def test_windows_as_they_are_written(tmp_path, center, width, taken, repairs):
    path = write_dicom(tmp_path / "a.dcm", RAMP, **TWELVE)
    as_text(path, "WindowCenter", center)
    as_text(path, "WindowWidth", width)
    x = RAMP.astype(float)
    assert_shown(path, linear(x, *taken) if taken else stretched(x), *repairs)


@pytest.mark.parametrize(
    ("name", "function", "repairs"),
    [
        ("SIGMOID", sigmoid, []),
        ("sigmoid", sigmoid, []),
        ("SAMPLED_SIGMOID", sigmoid, ["function"]),
        ("SIGMOID_NORM", sigmoid, ["function"]),
        ("linear", linear, []),
        ("Linear_Exact", linear_exact, []),
        ("LINEAR EXACT", linear_exact, []),
        ("LINEAR\\LINEAR", linear, []),
        ("LOG", linear, ["function"]),
        ("", linear, []),
    ],
)
@pytest.mark.parametrize("photometric", ["MONOCHROME2", "MONOCHROME1"])
@pytest.mark.parametrize("window", [(2048, 1024), (300, 4000), (3900, 64)])
def test_voi_functions_however_they_are_named(
    tmp_path, name, function, repairs, photometric, window
):
    path = write_dicom(
        tmp_path / "a.dcm", RAMP, WindowCenter=window[0], WindowWidth=window[1],
        VOILUTFunction=name, PhotometricInterpretation=photometric, **TWELVE,
    )  # fmt: skip
    shown = function(RAMP.astype(float), *window)
    assert_shown(path, 1 - shown if photometric == "MONOCHROME1" else shown, *repairs)


# Padding

SIGNED = np.random.default_rng(0).integers(-1000, 3000, (64, 64)).astype(np.int16)
BESIDE = np.indices((64, 64)).sum(axis=0) < 20


@pytest.mark.parametrize(
    ("pixels", "padded", "vr", "value", "fields", "repairs"),
    [
        (SIGNED, -2000, "US", 63536, {}, ["padding"]),
        (SIGNED, -2000, "SS", -2000, {}, []),
        (SIGNED, -1024, "US", 64512, {"BitsStored": 12}, ["padding"]),
        ((SIGNED + 1000).astype(np.uint16), 65535, "SS", -1, {}, ["padding"]),
        ((SIGNED + 1000).astype(np.uint16), 63536, "SS", -2000, {}, ["padding"]),
        ((SIGNED + 1000).astype(np.uint16), 4095, "SS", -1, {"BitsStored": 12}, ["padding"]),
        ((SIGNED + 1000).astype(np.uint16), 0xF830, "US", 0xF830, {"BitsStored": 12}, ["padding"]),
        (SIGNED, -2000, "IS", "-2000", {}, []),
        (SIGNED, -2000, "DS", "63536.0", {}, ["padding"]),
    ],
)
@pytest.mark.parametrize("photometric", ["MONOCHROME2", "MONOCHROME1"])
@pytest.mark.parametrize("window", [None, (500, 6000)])
def test_padding_of_another_sign_or_type(
    tmp_path, pixels, padded, vr, value, fields, repairs, photometric, window
):
    values = pixels // 2 if fields else pixels  # within 12 bits
    values = np.where(BESIDE, padded, values).astype(pixels.dtype)
    if window:
        fields = fields | {"WindowCenter": window[0], "WindowWidth": window[1]}
    path = write_dicom(tmp_path / "a.dcm", values, PhotometricInterpretation=photometric, **fields)
    written_as(path, "PixelPaddingValue", vr, value)
    x = values.astype(float)
    shown = linear(x, *window) if window else stretched(x, ~BESIDE)
    shown = 1 - shown if photometric == "MONOCHROME1" else shown
    assert_shown(path, np.where(BESIDE, 0, shown), *repairs)


def test_a_range_of_padding_of_another_sign(tmp_path):
    values = np.where(BESIDE, -2000 + np.indices((64, 64))[0], SIGNED).astype(np.int16)
    path = write_dicom(tmp_path / "a.dcm", values)
    written_as(path, "PixelPaddingValue", "US", 63536)
    written_as(path, "PixelPaddingRangeLimit", "US", 63600)
    assert_shown(path, np.where(BESIDE, 0, stretched(values.astype(float), ~BESIDE)), "padding")


def test_a_padding_value_that_no_pixel_can_have_makes_no_hole(tmp_path):
    """-2000 in 12 unsigned bits would be 2096, in the middle of the picture."""
    path = write_dicom(tmp_path / "a.dcm", RAMP, **TWELVE)
    written_as(path, "PixelPaddingValue", "SS", -2000)
    assert_shown(path, stretched(RAMP.astype(float)), "padding")


# Missing and misspelt fields


@pytest.mark.parametrize(
    "missing",
    [
        *("PhotometricInterpretation", "SamplesPerPixel", "BitsStored", "HighBit"),
        *("PixelRepresentation", "BitsAllocated"),
    ],
)
def test_a_missing_field_has_its_usual_value(tmp_path, missing):
    values = (RAMP * 16).astype(np.uint16)
    fields = {"WindowCenter": 30000, "WindowWidth": 40000}
    path = write_dicom(tmp_path / "a.dcm", values, **fields)
    data = pydicom.dcmread(path)
    delattr(data, missing)
    data.save_as(path)
    assert_shown(path, linear(values.astype(float), 30000, 40000), "field")


def test_several_missing_fields_and_names_in_other_spelling(tmp_path):
    for name, taken in (("monochrome1", "1"), ("MONOCHROME_2", "2"), ("GREY", "2"), ("", "2")):
        path = write_dicom(tmp_path / "a.dcm", RAMP, PhotometricInterpretation=name, **TWELVE)
        data = pydicom.dcmread(path)
        del data.SamplesPerPixel, data.PixelRepresentation
        data.save_as(path)
        shown = stretched(RAMP.astype(float))
        assert_shown(path, 1 - shown if taken == "1" else shown, "field")


def test_colour_without_its_planar_configuration(tmp_path):
    colours = np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    path = write_dicom(tmp_path / "a.dcm", colours, PlanarConfiguration=None)
    luma = colours @ np.array([0.299, 0.587, 0.114]) / 255
    assert_shown(path, luma, "field")


def test_implicit_files_and_numbers_in_other_types(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", RAMP, **TWELVE)
    written_as(path, "WindowCenter", "FD", 1000.0)
    written_as(path, "WindowWidth", "FL", 500.0)
    written_as(path, "BitsStored", "IS", "12")
    assert_shown(path, linear(RAMP.astype(float), 1000, 500))
    path = write_dicom(
        tmp_path / "b.dcm", SIGNED, WindowCenter=1000, WindowWidth=500, PixelPaddingValue=-1000
    )
    data = pydicom.dcmread(path)
    data.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    data.save_as(path, implicit_vr=True, little_endian=True)
    assert_shown(path, linear(SIGNED.astype(float), 1000, 500))


def test_what_cannot_be_guessed_is_refused_with_a_reason(tmp_path):
    for fields, reason in (
        ({"BitsAllocated": 12}, "12 bits a sample"),
        ({"Rows": None}, "holds no image"),
        ({"BitsStored": 17}, "do not fit"),
    ):
        with pytest.raises(BadImage, match=reason):
            read_grey(write_dicom(tmp_path / "a.dcm", RAMP, **fields))


# Far pixels


@pytest.mark.parametrize("far", [(65535,), (65535, 60000, 0), (0,) * 12])
@pytest.mark.parametrize("photometric", ["MONOCHROME2", "MONOCHROME1"])
def test_hot_and_dead_pixels_do_not_flatten_the_picture(tmp_path, far, photometric):
    values = (30000 + RAMP // 4).astype(np.uint16)
    values.ravel()[50 : 50 + len(far)] = far
    near = (values > 20000) & (values < 50000)
    path = write_dicom(tmp_path / "a.dcm", values, PhotometricInterpretation=photometric)
    x = np.clip(values.astype(float), values[near].min(), values[near].max())
    shown = stretched(x)
    assert_shown(path, 1 - shown if photometric == "MONOCHROME1" else shown, "far_pixels")


# The reported files


def plain(path: Path) -> np.ndarray:
    """Of the reported files: pydicom's pixels, then what each README calls right."""
    data = pydicom.dcmread(path)
    x = data.pixel_array.astype(float)
    if "VOILUTSequence" in data:
        item = data.VOILUTSequence[0]
        content = item.LUTData if isinstance(item.LUTData, bytes) else np.array(
            item.LUTData, "<u2"
        ).tobytes()  # fmt: skip
        n = item.LUTDescriptor[0]
        curve = np.frombuffer(content, "u1" if len(content) == n else "<u2")
        return curve[x.astype(int)] / (2 ** int(curve.max()).bit_length() - 1)
    if "WindowCenter" not in data:
        there = x != int(data.get("PixelPaddingValue", 0)) - 2**16
        return stretched(x, there)
    center, width = (np.atleast_1d(data[name].value)[0] for name in ("WindowCenter", "WindowWidth"))
    by_name = sigmoid if "SIGMOID" in str(data.get("VOILUTFunction", "")) else linear
    return by_name(x, float(center), float(width))


REPORTED = {
    "01-voi-lut-8bit-packed/voilut_8bit_packed_OW.dcm": [],
    "01-voi-lut-8bit-packed/voilut_8bit_packed_US.dcm": [],
    "02-voi-lut-depth-declared-wrong/voilut_10declared_12used.dcm": ["lut_depth"],
    "02-voi-lut-depth-declared-wrong/voilut_16declared_12used.dcm": ["lut_depth"],
    "03-rescale-slope-zero/slope_zero.dcm": ["slope"],
    "04-padding-vr/pad_US_for_signed.dcm": ["padding"],
    "06-second-window-zero/voifun_lower.dcm": [],
    "06-second-window-zero/voifun_sampled.dcm": ["function"],
    "06-second-window-zero/win_second_zero.dcm": ["window"],
    "07-sigmoid-viewer/sigmoid.dcm": [],
}


@here
@pytest.mark.parametrize("name", REPORTED)
def test_reported_files_show_what_is_right(name):
    assert_shown(CASES / name, plain(CASES / name), *REPORTED[name])
