"""However a DICOM file codes its picture, it is shown as the standard says; a damaged one is named.

What must be seen is worked out from pydicom's own functions, pixel by pixel, or on paper.
"""

from __future__ import annotations

import contextlib
import random
import time
import zlib
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels import apply_modality_lut, apply_voi_lut
from pydicom.uid import (
    JPEG2000,
    MPEG2MPML,
    DeflatedExplicitVRLittleEndian,
    JPEGLossless,
    RLELossless,
)

from core.pictures.dicom import FIELDS, PLUGINS, coded_size
from core.pictures.images import is_dicom, read_grey, read_samples, stored_size
from core.pictures.samples import MAX_PIXELS, BadImage, Window
from tests.dicoms import write_dicom

RAMP = np.arange(4096, dtype=np.uint16).reshape(64, 64)
GREY = np.arange(0, 240, dtype=np.uint8).reshape(12, 20)


def example(name: str) -> Path:
    found = get_testdata_file(name, download=False)
    assert found, f"{name} does not ship with pydicom"
    return Path(str(found))


def windowed(path: Path) -> np.ndarray:
    """8-bit grey by pydicom's functions on every pixel."""
    data = pydicom.dcmread(path)
    real = apply_modality_lut(data.pixel_array, data)
    if "WindowCenter" in data:
        shown = apply_voi_lut(real, data).astype(float)
        slope, intercept = (
            float(data.get("RescaleSlope", 1)),
            float(data.get("RescaleIntercept", 0)),
        )
        bottom = -(2 ** (data.BitsStored - 1)) if data.PixelRepresentation else 0
        low, high = (slope * v + intercept for v in (bottom, bottom + 2**data.BitsStored - 1))
    else:
        shown, low, high = real.astype(float), real.min(), real.max()
    share = (shown - low) / (high - low)
    share = 1 - share if data.PhotometricInterpretation == "MONOCHROME1" else share
    return np.rint(255 * share).astype(np.uint8)


@pytest.mark.parametrize(
    "name",
    [
        "dicomdirtests/77654033/CR1/6154",  # CR, MONOCHROME1, 12 bits, rescaled
        "dicomdirtests/77654033/CT2/17106",
        "CT_small.dcm",  # 16 bits, signed
        "MR_small.dcm",
        "MR_small_bigendian.dcm",
        "MR_small_RLE.dcm",
        "MR_small_jpeg_ls_lossless.dcm",
        "MR_small_jp2klossless.dcm",
        "693_J2KI.dcm",  # 14 bits in JPEG 2000, a window
        "J2K_pixelrep_mismatch.dcm",
        "JPEG2000.dcm",
        "JPEGLSNearLossless_16.dcm",
        "examples_overlay.dcm",
    ],
)
def test_pydicoms_grey_files_show_what_pydicom_computes(name):
    path = example(name)
    grey = read_grey(path)
    np.testing.assert_array_equal(grey, windowed(path))
    assert stored_size(path) == grey.shape[::-1]
    samples = read_samples(path).values
    assert samples.shape == grey.shape
    # Full depth: as many different samples as there are stored values; padding is one with black.
    data = pydicom.dcmread(path)
    n_values = len(np.unique(data.pixel_array))
    assert len(np.unique(samples)) in (n_values, n_values - ("PixelPaddingValue" in data))


@pytest.mark.parametrize(
    ("coded", "plain"),
    [
        ("SC_rgb_rle.dcm", "SC_rgb_gdcm_KY.dcm"),
        ("SC_rgb_jpeg_gdcm.dcm", "SC_rgb_rle.dcm"),  # JPEG lossless
        ("SC_rgb_rle_16bit.dcm", "SC_rgb_rle.dcm"),
    ],
)
def test_lossless_colour_becomes_the_same_luma_however_it_is_coded(coded, plain):
    np.testing.assert_array_equal(read_grey(example(coded)), read_grey(example(plain)))


@pytest.mark.parametrize(
    "name",
    [
        "SC_rgb_jpeg_dcmtk.dcm",  # JPEG baseline, YBR
        "SC_ybr_full_422_uncompressed.dcm",
        "SC_rgb_jls_lossy_line.dcm",
        "SC_rgb_dcmtk_+eb+cy+s2.dcm",
    ],
)
def test_lossy_colour_is_near_the_lossless_one(name):
    difference = read_grey(example(name)).astype(int) - read_grey(example("SC_rgb_rle.dcm"))
    assert np.abs(difference).mean() < 4


def test_12_bit_jpeg_has_its_12_bits():
    samples = read_samples(example("JPGExtended.dcm"))
    assert samples.values.dtype == np.uint16
    assert (samples.values.shape, samples.values.max()) == ((1024, 256), 264)


def test_deflated_and_palette_files_are_read():
    assert read_grey(example("image_dfl.dcm")).shape == (512, 512)
    palette = read_grey(example("examples_palette.dcm"))
    assert palette.shape == (350, 800)
    assert palette.max() == 255


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("examples_ybr_color.dcm", "30 frames; only single images"),
        ("SC_rgb_rle_2frame.dcm", "2 frames"),
        ("rtdose_1frame.dcm", "32 bits a sample"),
        ("liver_1frame.dcm", "1 bits a sample"),
        ("test-SR.dcm", "holds no image"),
        ("meta_missing_tsyntax.dcm", "transfer syntax"),
        ("MR_truncated.dcm", "truncated"),
        ("JPEG2000-embedded-sequence-delimiter.dcm", "another size than it claims"),
    ],
)
def test_what_is_not_one_whole_picture_is_refused_with_the_reason(name, reason):
    with pytest.raises(BadImage, match=reason):
        read_grey(example(name))


# Windows, worked out on paper


def test_a_window_is_black_below_white_above_and_even_between(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", RAMP, BitsStored=12, WindowCenter=2048, WindowWidth=1025)
    grey = read_grey(path).ravel()
    # LINEAR: from 2047.5 - 512 to 2047.5 + 512.
    assert grey[1535] == 0
    assert grey[2560] == 255
    assert grey[2047] in (127, 128)
    samples = read_samples(path)
    np.testing.assert_array_equal(samples.values, RAMP)
    # In the file's own numbers, with which the viewer's formula is the standard's.
    assert samples.windows[0] == Window("File window 1", 2048, 1025, "LINEAR")


def test_the_first_of_several_windows_is_shown_and_all_are_told(tmp_path):
    path = write_dicom(
        tmp_path / "a.dcm", RAMP, BitsStored=12, WindowCenter=[512, 3000], WindowWidth=[1024, 100],
        VOILUTFunction="LINEAR_EXACT",
    )  # fmt: skip
    grey = read_grey(path).ravel()
    assert (grey[0], grey[512], grey[1024:].min()) == (0, 128, 255)
    assert [w[1:3] for w in read_samples(path).windows[:-1]] == [(512, 1024), (3000, 100)]


def test_a_sigmoid_window_is_half_grey_at_its_centre(tmp_path):
    path = write_dicom(
        tmp_path / "a.dcm", RAMP, BitsStored=12, WindowCenter=1000, WindowWidth=400,
        VOILUTFunction="SIGMOID",
    )  # fmt: skip
    grey = read_grey(path).ravel()
    assert (grey[0], grey[1000], grey[4095]) == (0, 128, 255)
    assert grey[1100] == round(255 / (1 + np.exp(-1)))


def test_monochrome1_is_turned_in_picture_samples_and_windows(tmp_path):
    fields = {"BitsStored": 12, "WindowCenter": 1000.5, "WindowWidth": 501}
    as_2 = write_dicom(tmp_path / "2.dcm", RAMP, **fields)
    as_1 = write_dicom(tmp_path / "1.dcm", RAMP, PhotometricInterpretation="MONOCHROME1", **fields)
    # 127.5 is rounded to the even number in both.
    np.testing.assert_allclose(read_grey(as_1), 255 - read_grey(as_2).astype(int), atol=1)
    samples = read_samples(as_1)
    np.testing.assert_array_equal(samples.values, 4095 - RAMP)
    assert samples.windows[0][1:3] == (1000.5, 501), "in the file's own units"
    # The darkest sample stands for the highest value.
    assert (samples.slope, samples.intercept) == (-1, 4095)


def test_rescaled_values_meet_the_window_in_their_own_units(tmp_path):
    """Stored 1024 is 0 HU; the window of 0 +- 100 HU shows 924 to 1124, twice as steep a slope
    half of that."""
    for slope, half in ((1, 100), (2, 50)):
        path = write_dicom(
            tmp_path / "a.dcm", RAMP, BitsStored=12, WindowCenter=0, WindowWidth=200,
            VOILUTFunction="LINEAR_EXACT", RescaleSlope=slope, RescaleIntercept=-1024 * slope,
        )  # fmt: skip
        grey = read_grey(path).ravel()
        assert (grey[1024 - half], grey[1024], grey[1024 + half]) == (0, 128, 255)
        samples = read_samples(path)
        assert samples.windows[0][1:3] == (0, 200)
        assert (samples.slope, samples.intercept) == (slope, -1024 * slope)


def test_a_falling_rescale_turns_the_picture(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", RAMP, RescaleSlope=-1, RescaleIntercept=0)
    np.testing.assert_array_equal(read_samples(path).values, 4095 - RAMP)
    assert read_grey(path)[0, 0] == 255


def test_signed_pixels_keep_their_order(tmp_path):
    signed = (RAMP.astype(np.int16) - 2048).astype(np.int16)
    path = write_dicom(tmp_path / "a.dcm", signed, WindowCenter=-1000, WindowWidth=201)
    np.testing.assert_array_equal(read_samples(path).values, RAMP)
    grey = read_grey(path).ravel()
    assert (grey[2048 - 1101], grey[2048 - 900]) == (0, 255)


def test_bits_beyond_those_stored_are_no_pixels(tmp_path):
    """An overlay in the four highest bits, as old files have it; and samples in the high bits."""
    path = write_dicom(tmp_path / "a.dcm", RAMP | 0xF000, BitsStored=12)
    np.testing.assert_array_equal(read_samples(path).values, RAMP)
    path = write_dicom(tmp_path / "b.dcm", RAMP << 4, BitsStored=12, HighBit=15)
    np.testing.assert_array_equal(read_samples(path).values, RAMP)


def test_without_a_window_depth_is_stretched_and_8_bits_stay(tmp_path):
    deep = write_dicom(tmp_path / "a.dcm", np.array([[1000, 1010], [1020, 5080]], np.uint16))
    np.testing.assert_array_equal(read_grey(deep), [[0, 1], [1, 255]])
    flat = write_dicom(tmp_path / "b.dcm", GREY)
    np.testing.assert_array_equal(read_grey(flat), GREY)
    np.testing.assert_array_equal(read_samples(flat).values, GREY)
    constant = write_dicom(tmp_path / "c.dcm", np.full((4, 4), 700, np.uint16))
    assert not read_grey(constant).any()


@pytest.mark.parametrize("width", [0, -5])
def test_a_window_that_is_none_is_not_taken(tmp_path, width):
    path = write_dicom(tmp_path / "a.dcm", RAMP, BitsStored=12, WindowCenter=9, WindowWidth=width)
    assert (read_grey(path).min(), read_grey(path).max()) == (0, 255)
    assert [window.name for window in read_samples(path).windows] == ["Full range"]


def test_padding_is_black_and_widens_no_range(tmp_path):
    pixels = np.array([[100, 200], [300, 60000]], np.uint16)
    for photometric, expected in (
        ("MONOCHROME2", [[0, 128], [255, 0]]),
        ("MONOCHROME1", [[255, 128], [0, 0]]),
    ):
        path = write_dicom(
            tmp_path / "a.dcm", pixels, PixelPaddingValue=60000,
            PhotometricInterpretation=photometric,
        )  # fmt: skip
        grey = read_grey(path).astype(int)
        assert np.abs(grey - expected).max() <= 1
        samples = read_samples(path)
        assert samples.padding
        assert samples.values.tolist()[1][1] == 0, "kept for what is no image"
        assert (samples.values.min(), samples.values.max()) == (0, 201)


def test_a_voi_lut_is_followed_also_where_it_is_longer_than_its_output_is_wide(tmp_path):
    """4,096 entries of 8 bits: a square root, as detectors have it."""
    curve = np.rint(255 * np.sqrt(np.arange(4096) / 4095)).astype(int)
    item = Dataset()
    item.LUTDescriptor, item.LUTData = [4096, 0, 8], curve.tolist()
    item["LUTDescriptor"].VR = item["LUTData"].VR = "US"
    path = write_dicom(tmp_path / "a.dcm", RAMP, BitsStored=12, VOILUTSequence=[item])
    np.testing.assert_array_equal(read_grey(path).ravel(), curve)
    samples = read_samples(path)
    np.testing.assert_array_equal(samples.values, RAMP)
    np.testing.assert_array_equal(samples.curves[0], curve)
    assert samples.windows[0] == Window("File VOI LUT 1", 127.5, 255, "LINEAR_EXACT", curve=0)


def test_a_modality_lut_is_followed(tmp_path):
    item = Dataset()
    item.LUTDescriptor, item.LUTData = [4, 0, 16], [0, 10, 1000, 5000]
    item["LUTDescriptor"].VR = item["LUTData"].VR = "US"
    item.ModalityLUTType = "US"
    pixels = np.array([[0, 1], [2, 3]], np.uint16)
    path = write_dicom(tmp_path / "a.dcm", pixels, ModalityLUTSequence=[item])
    np.testing.assert_array_equal(read_samples(path).values, [[0, 10], [1000, 5000]])
    np.testing.assert_array_equal(read_grey(path), [[0, 1], [51, 255]])


# What a file may not do


def test_it_is_known_by_its_content_not_by_its_name(tmp_path):
    path = write_dicom(tmp_path / "image.png", GREY)
    assert is_dicom(path)
    np.testing.assert_array_equal(read_grey(path), GREY)
    assert not is_dicom(tmp_path / "gone")


def test_no_field_that_says_who_it_is_is_read():
    identifying = (
        "Patient",
        "Name",
        "Date",
        "Birth",
        "Physician",
        "Institution",
        "Accession",
        "ID",
    )
    for field in set(FIELDS) - {"PatientOrientation", "ImageOrientationPatient"}:
        assert not any(word in field.replace("UID", "") for word in identifying), field


def test_huge_claims_are_refused_from_the_header(tmp_path):
    side = 9_000
    assert side**2 > MAX_PIXELS
    path = write_dicom(tmp_path / "a.dcm", RAMP, Rows=side, Columns=side)
    for read in (read_grey, read_samples, stored_size):
        with pytest.raises(BadImage, match="claims 9,000 x 9,000 pixels"):
            read(path)
    path = write_dicom(tmp_path / "b.dcm", RAMP, NumberOfFrames=2_000_000)
    with pytest.raises(BadImage, match="2,000,000 frames"):
        read_grey(path)


def test_a_compressed_frame_may_not_be_larger_than_it_claims():
    for name in ("JPEG2000.dcm", "MR_small_jpeg_ls_lossless.dcm", "SC_rgb_jpeg_gdcm.dcm"):
        data = pydicom.dcmread(example(name))
        frame = next(generate_frames(data.PixelData, number_of_frames=1))
        assert coded_size(frame) == (data.Rows, data.Columns, data.SamplesPerPixel)
    assert coded_size(b"\1" + b"\0" * 70) is None  # RLE


@pytest.mark.parametrize("name", ["JPEG2000.dcm", "MR_small_jpeg_ls_lossless.dcm"])
def test_a_frame_of_another_size_is_refused_before_it_is_decoded(tmp_path, name):
    data = pydicom.dcmread(example(name))
    data.Rows, data.Columns = 8, 8
    data.save_as(tmp_path / "a.dcm")
    with pytest.raises(BadImage, match="another size"):
        read_grey(tmp_path / "a.dcm")


def test_rle_unfolds_no_further_than_the_picture(tmp_path):
    segment = b"\x81\x00" * 500_000  # 64 MB of zeros
    frame = np.array([1, 64, *[0] * 14], "<u4").tobytes() + segment
    path = write_dicom(tmp_path / "a.dcm", GREY)
    data = pydicom.dcmread(path)
    data.file_meta.TransferSyntaxUID = RLELossless
    data.PixelData = encapsulate([frame])
    data["PixelData"].is_undefined_length = True
    data.save_as(path)
    with pytest.raises(BadImage, match="damaged"):
        read_grey(path)


def test_a_deflated_bomb_is_refused(tmp_path, monkeypatch):
    path = write_dicom(tmp_path / "a.dcm", np.zeros((2000, 2000), np.uint8))
    data = pydicom.dcmread(path)
    data.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    data.save_as(path)
    assert read_grey(path).shape == (2000, 2000)
    assert path.stat().st_size < 10_000
    monkeypatch.setattr("core.pictures.dicom.MAX_INFLATED", 3_000_000)
    with pytest.raises(BadImage, match="unfolds to more than 3 MB"):
        read_grey(path)


def test_pixels_that_are_missing_encrypted_or_coded_unknown_are_named(tmp_path):
    with pytest.raises(BadImage, match="holds no pixels"):
        read_grey(write_dicom(tmp_path / "a.dcm", GREY, PixelData=None))
    hidden = {"PixelData": None, "Rows": None, "EncryptedAttributesSequence": [Dataset()]}
    with pytest.raises(BadImage, match="encrypted"):
        read_grey(write_dicom(tmp_path / "b.dcm", GREY, **hidden))
    path = write_dicom(tmp_path / "c.dcm", GREY)
    data = pydicom.dcmread(path)
    data.file_meta.TransferSyntaxUID = MPEG2MPML
    data.PixelData = encapsulate([b"film"])
    data["PixelData"].is_undefined_length = True
    data.save_as(path)
    with pytest.raises(BadImage, match="MPEG2"):
        read_grey(path)


def test_every_compressed_syntax_has_a_decoder():
    from pydicom.pixels import get_decoder

    assert {JPEG2000, JPEGLossless, RLELossless} < set(PLUGINS)
    for syntax, plugin in PLUGINS.items():
        assert plugin in get_decoder(syntax).available_plugins, syntax.name


BROKEN = (
    "dicomdirtests/77654033/CR1/6154",
    "MR_small_RLE.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
    "MR_small_jp2klossless.dcm",
    "SC_rgb_jpeg_gdcm.dcm",
    "SC_rgb_jpeg_dcmtk.dcm",
    "JPGExtended.dcm",
    "image_dfl.dcm",
)


@pytest.mark.parametrize("name", BROKEN)
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(seed=st.integers(0, 2**32), flips=st.integers(0, 20), cut=st.booleans())
def test_a_broken_file_is_a_picture_or_a_bad_image_and_soon(tmp_path, name, seed, flips, cut):
    rng = random.Random(seed)
    content = bytearray(example(name).read_bytes())
    for _ in range(flips):
        content[rng.randrange(132, len(content))] = rng.randrange(256)
    path = tmp_path / "broken.dcm"
    path.write_bytes(content[: rng.randrange(132, len(content))] if cut else content)
    begun = time.process_time()
    for read in (stored_size, read_grey, read_samples):
        with contextlib.suppress(BadImage):
            read(path)
    assert time.process_time() - begun < 5


def test_deflated_rubbish_is_damaged(tmp_path):
    path = tmp_path / "a.dcm"
    content = example("image_dfl.dcm").read_bytes()
    path.write_bytes(content[:400] + zlib.compress(b"no dicom"))
    with pytest.raises(BadImage):
        read_grey(path)
