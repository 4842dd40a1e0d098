"""X-rays of further kinds: to one grey as they are meant, or refused with what the file is."""

from __future__ import annotations

import io
import struct
import zlib

import imagecodecs
import numpy as np
import pydicom
import pytest
import tifffile
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.uid import RLELossless

from core.pictures.images import read_grey
from core.pictures.samples import BadImage
from tests.dicoms import write_dicom
from tests.pictures.test_odd_dicom import own_cache  # noqa: F401
from tests.renderings import assert_shown, linear, stretched

RAMP = np.arange(4096, dtype=np.uint16).reshape(64, 64)
GREY = (RAMP // 16).astype(np.uint8)
WINDOW = {"BitsStored": 12, "WindowCenter": 2000, "WindowWidth": 1500}
SHOWN = linear(RAMP.astype(float), 2000, 1500)


@pytest.mark.parametrize("shift", [0, 2, 4])
def test_run_lengths_keep_pixels_wherever_they_lie_in_their_words(tmp_path, shift):
    """High bits of 11, 13 and 15; other bits are filled, as by overlays."""
    unused = 0xFFFF & ~(0x0FFF << shift)
    path = write_dicom(
        tmp_path / "x.dcm", (RAMP << shift) | np.uint16(unused), HighBit=11 + shift, **WINDOW
    )
    data = pydicom.dcmread(path)
    data.compress(RLELossless)
    data.save_as(path)
    assert_shown(path, SHOWN)


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_voi_luts_of_fewer_than_16_bits(tmp_path, bits):
    path = write_dicom(tmp_path / "x.dcm", RAMP, BitsStored=12)
    data, item = pydicom.dcmread(path), Dataset()
    item.LUTDescriptor, curve = [4096, 0, bits], np.sqrt(RAMP.ravel() / 4095)
    item["LUTDescriptor"].VR = "US"
    item.LUTData = np.round(curve * (2**bits - 1)).astype(np.uint16).tobytes()
    item["LUTData"].VR = "OW"
    data.VOILUTSequence = [item]
    data.save_as(path)
    assert_shown(path, curve.reshape(64, 64))


def test_signed_bytes_of_tiff_are_in_order(tmp_path):
    signed = (GREY.astype(int) - 128).astype(np.int8)
    tifffile.imwrite(tmp_path / "x.tif", signed)
    assert_shown(tmp_path / "x.tif", stretched(signed.astype(float)))


def chunked(png: bytes, kind: bytes, body: bytes) -> bytes:
    at = png.index(b"IDAT") - 4
    sum_of = struct.pack(">I", zlib.crc32(kind + body))
    return png[:at] + struct.pack(">I", len(body)) + kind + body + sum_of + png[at:]


def png_of(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (chunked(png_of(Image.fromarray(RAMP)), b"tRNS", struct.pack(">H", 5)), RAMP / 4095),
        (chunked(png_of(Image.fromarray(GREY)), b"gAMA", struct.pack(">I", 100000)), GREY / 255),
        (b"P5 64 64 4095\n" + RAMP.astype(">u2").tobytes(), RAMP / 4095),
        (b"P2 64 64 255\n" + " ".join(map(str, GREY.ravel())).encode(), GREY / 255),
        (b"Pf\n64 64\n-1.0\n" + RAMP[::-1].astype("<f4").tobytes(), RAMP / 4095),
        (imagecodecs.jpeg2k_encode(RAMP, reversible=True, level=0, bitspersample=12), RAMP / 4095),
        (imagecodecs.ljpeg_encode(GREY), GREY / 255),
    ],
)
def test_rarer_pictures(tmp_path, content, expected):
    (tmp_path / "x").write_bytes(content)
    assert_shown(tmp_path / "x", expected)


def without_preamble() -> bytes:
    buffer = io.BytesIO()
    data = Dataset()
    data.Modality, data.Rows = "DX", 64
    pydicom.dcmwrite(buffer, data, implicit_vr=True, little_endian=True)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty; copy or download it again"),
        (b"<html>Sign in</html>" + bytes(200), "text such as HTML"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "`git lfs pull` fetches"),
        (b"\x93NUMPY\x01\x00" + bytes(200), "an array of numpy; save it as a 16-bit PNG or TIFF"),
        (struct.pack("<i", 348) + bytes(344), "NIfTI-1, a volume"),
        (b"\x1f\x8b" + bytes(200), "packed with gzip"),
        (b"\0\0\0\x18ftypheic" + bytes(200), "it is HEIC; save it as PNG"),
        (b"%PDF-1.4" + bytes(200), "it is a PDF"),
        (imagecodecs.jpegls_encode(RAMP), "a JPEG of a kind that is not read outside DICOM"),
        (without_preamble(), "it may be DICOM without its first 132 bytes"),
        (b"nothing in particular", "no image in a known format"),
    ],
)
def test_what_is_no_picture_is_named(tmp_path, content, reason):
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(BadImage, match=reason):
        read_grey(tmp_path / "x.png")
