"""DICOM files of every transfer syntax that is read: header, tags, and what codes the pixels."""

from __future__ import annotations

import random
import struct
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
from pydicom import uid
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from core.pictures.images import is_dicom, read_grey, read_samples, stored_size
from core.pictures.samples import BadImage
from tests.dicoms import write_dicom
from tests.fuzz.mutations import damaged, odd_number

# Of pydicom's own, those of a few kilobytes; together with what is made here, every syntax.
NAMES = (
    *("MR_small.dcm", "MR_small_bigendian.dcm", "MR_small_implicit.dcm", "image_dfl.dcm"),
    *("MR_small_RLE.dcm", "SC_rgb_rle.dcm", "SC_rgb_rle_16bit.dcm", "SC_rgb_small_odd.dcm"),
    *("MR_small_jpeg_ls_lossless.dcm", "SC_rgb_jls_lossy_line.dcm", "SC_rgb_jls_lossy_sample.dcm"),
    *("JPEGLSNearLossless_08.dcm", "JPEGLSNearLossless_16.dcm", "SC_rgb_jpeg_gdcm.dcm"),
    *("SC_rgb_jpeg_dcmtk.dcm", "SC_rgb_dcmtk_+eb+cy+s2.dcm", "SC_rgb_small_odd_jpeg.dcm"),
    *("JPGExtended.dcm", "JPEG-lossy.dcm", "MR_small_jp2klossless.dcm", "JPEG2000.dcm"),
    *("693_J2KI.dcm", "GDCMJ2K_TextGBR.dcm", "SC_rgb_dcmtk_+eb+cr.dcm"),
)
# (group, element) of fields that decide how pixels are read.
TAGS = (
    *((0x28, 0x2), (0x28, 0x4), (0x28, 0x6), (0x28, 0x8), (0x28, 0x10), (0x28, 0x11)),
    *((0x28, 0x100), (0x28, 0x101), (0x28, 0x102), (0x28, 0x103), (0x28, 0x120), (0x28, 0x121)),
    *((0x28, 0x1050), (0x28, 0x1051), (0x28, 0x1052), (0x28, 0x1053), (0x28, 0x1056)),
    *((0x28, 0x1101), (0x28, 0x1201), (0x28, 0x3000), (0x28, 0x3010), (0x7FE0, 0x10), (2, 0x10)),
)
PHOTOMETRIC = (
    *(b"MONOCHROME1", b"MONOCHROME2", b"RGB", b"PALETTE COLOR", b"YBR_FULL", b"YBR_FULL_422"),
    *(b"YBR_ICT", b"YBR_RCT", b"YBR_PARTIAL_420", b"HSV", b"", b"\xff\xfe"),
)
# Markers of JPEG, JPEG-LS and JPEG 2000, and the items of encapsulated pixels.
TOKENS = (
    *(b"\xff" + bytes([code]) for code in (0xC0, 0xC1, 0xC2, 0xC3, 0xC4, 0xC9, 0xDA, 0xDB, 0xDD)),
    *(b"\xff" + bytes([code]) for code in (0xD0, 0xD8, 0xD9, 0xE0, 0xEE, 0xF7, 0xF8, 0xFE, 0xFF)),
    *(b"\xff\x4f", b"\xff\x51", b"\xff\x52", b"\xff\x53", b"\xff\x5c", b"\xff\x90", b"\xff\x93"),
    *(b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0", b"\xff\xff\xff\xff", b"\xfe\xff\x0d\xe0"),
)
SIDES = (0, 1, 2, 7, 255, 4000, 8900, 20_000, 65535)


class Dicoms:
    refusals = (BadImage,)

    def __init__(self, folder: Path) -> None:
        self.path = folder / "image"
        self.seeds = [_example(name) for name in NAMES] + _made(folder)

    def make(self, rng: random.Random) -> Path:
        data = rng.choice(self.seeds)
        what = rng.random()
        if what < 0.35:
            data = _odd_pixels(rng, data)
        elif what < 0.65:
            data = _odd_tags(rng, data)
        elif what < 0.75:
            data = _odd_size(rng, data)
        if what > 0.7:
            data = _body(rng, data, self.seeds)
        self.path.write_bytes(data)
        return self.path

    def read(self, path: Path) -> None:
        """Header, picture and samples, each as a page asks for it; the first refusal counts."""
        if not is_dicom(path):
            raise BadImage(path, "it is no DICOM file")
        width, height = stored_size(path)
        grey = read_grey(path)
        assert grey.shape == (height, width)
        assert grey.dtype == np.uint8
        samples = read_samples(path).values
        assert samples.shape == grey.shape


class JpegLs(Dicoms):
    """One damaged JPEG-LS file after another: CharLS took 6 to 14 s for some of them."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.seeds = [_example("SC_rgb_jls_lossy_line.dcm")]

    def make(self, rng: random.Random) -> Path:
        data = bytearray(self.seeds[0])
        begin = data.rindex(b"\xff\xda")
        for _ in range(rng.choice((1, 1, 2, 4, 12))):
            data[rng.randrange(begin, len(data))] = rng.randrange(256)
        self.path.write_bytes(data)
        return self.path


def _example(name: str) -> bytes:
    return Path(str(get_testdata_file(name, download=False))).read_bytes()


def _made(folder: Path) -> list[bytes]:
    """Syntaxes and fields that pydicom's examples lack."""
    path = folder / "made"
    grey = (np.arange(48 * 40, dtype=np.uint16).reshape(48, 40) * 2).astype(np.uint16)
    lut = Dataset()
    lut.LUTDescriptor, lut.LUTData = [4096, 0, 8], [number // 16 for number in range(4096)]
    lut["LUTDescriptor"].VR = lut["LUTData"].VR = "US"
    packed = Dataset()
    packed.LUTDescriptor, packed.LUTData = [4096, 0, 8], bytes(range(256)) * 16
    packed["LUTDescriptor"].VR, packed["LUTData"].VR = "US", "OW"
    windows = {"WindowCenter": [500, 900], "WindowWidth": [1000, 7], "VOILUTFunction": "SIGMOID"}
    made = [
        write_dicom(path, grey, BitsStored=12, VOILUTSequence=[lut]).read_bytes(),
        write_dicom(path, grey, PixelPaddingValue=3, RescaleSlope=2, RescaleIntercept=-9,
                    PhotometricInterpretation="MONOCHROME1", **windows).read_bytes(),
        write_dicom(path, grey.astype(np.int16) - 900).read_bytes(),
        write_dicom(path, grey, VOILUTSequence=[packed], ModalityLUTSequence=[packed]).read_bytes(),
        write_dicom(path, grey, PhotometricInterpretation=None, SamplesPerPixel=None,
                    RescaleSlope=0, PixelPaddingValue=65535, WindowCenter=[9, 1],
                    WindowWidth=[0, 1], VOILUTFunction="sigmoid").read_bytes(),
    ]  # fmt: skip
    for syntax, frame in (
        (uid.JPEGLossless, imagecodecs.jpeg8_encode(grey, lossless=True, bitspersample=16)),
        (uid.JPEGLosslessSV1, imagecodecs.jpeg8_encode(grey, lossless=True, bitspersample=16)),
        (uid.JPEGLSLossless, imagecodecs.jpegls_encode(grey)),
        (uid.JPEG2000, imagecodecs.jpeg2k_encode(grey, codecformat="j2k", level=30)),
        (uid.HTJ2KLossless, imagecodecs.htj2k_encode(grey)),
        (uid.HTJ2KLosslessRPCL, imagecodecs.htj2k_encode(grey)),
        (uid.HTJ2K, imagecodecs.htj2k_encode(grey)),
    ):
        data = pydicom.dcmread(write_dicom(path, grey))
        data.file_meta.TransferSyntaxUID = syntax
        data.PixelData = encapsulate([bytes(frame)])
        data["PixelData"].is_undefined_length = True
        data.save_as(path)
        made.append(path.read_bytes())
    path.unlink()
    return made


def _pixels_at(data: bytes) -> int:
    at = data.rfind(b"\xe0\x7f\x10\x00")
    return max(at, 132)


def _odd_pixels(rng: random.Random, data: bytes) -> bytes:
    """Damage behind the header alone: to frames, their markers and items."""
    at = _pixels_at(data)
    return data[:at] + damaged(rng, data[at:], (), TOKENS)


def _odd_tags(rng: random.Random, data: bytes) -> bytes:
    """The values, lengths and types of the fields that say how pixels are read."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        group, element = rng.choice(TAGS)
        order = rng.choice(("<", "<", "<", ">"))
        at = out.find(struct.pack(f"{order}HH", group, element), 132)
        if at < 0:
            continue
        where = at + rng.choice((4, 4, 6, 8, 8, 8, 12))
        what = rng.randrange(5)
        if what == 0:
            out[where : where + 2] = rng.choice((b"US", b"SQ", b"UN", b"DS", b"OB", b"OW", b"\0\0"))
        elif what == 1:
            out[where : where + 4] = struct.pack("<I", odd_number(rng) % 2**32)
        elif what == 2:
            size = rng.choice((1, 8, 16, 12, 2, 3, 32, 65535, 0))
            out[where : where + 2] = struct.pack(f"{order}H", size)
        elif what == 3:
            text = rng.choice(
                (*PHOTOMETRIC, b"1e999", b"nan", b"-1", b"1\\2\\3", b"9" * 16, b"1,5", b"AUTO")
            )
            out[where : where + len(text)] = text
        else:
            piece = out[at : at + rng.choice((8, 12, 40))]
            out[at:at] = piece * rng.choice((1, 2, 50))
    return bytes(out)


def _odd_size(rng: random.Random, data: bytes) -> bytes:
    """Rows and columns that are not so, in the header and in the frame's own alike."""
    rows, columns = rng.choice(SIDES), rng.choice(SIDES)
    out = bytearray(data)
    begin = _pixels_at(data)
    for order in ("<", ">"):
        for element, number in ((0x10, rows), (0x11, columns)):
            tag = out.find(struct.pack(f"{order}HH", 0x28, element), 132)
            if tag >= 0:
                out[tag + 8 : tag + 10] = struct.pack(f"{order}H", number)
    at = begin
    while (at := out.find(b"\xff", at + 1)) >= 0 and at + 20 < len(out):
        if out[at + 1] in (0xC0, 0xC1, 0xC2, 0xC3, 0xF7):
            out[at + 5 : at + 9] = struct.pack(">HH", rows, columns)
            break
        if out[at + 1] == 0x51:
            out[at + 6 : at + 14] = struct.pack(">II", columns, rows)
            if rng.random() < 0.7:  # one tile
                out[at + 22 : at + 30] = struct.pack(">II", columns, rows)
            break
    return bytes(out)


def _body(rng: random.Random, data: bytes, seeds: list[bytes]) -> bytes:
    """Anything behind the mark; of a deflated file now and then within what is deflated."""
    if uid.DeflatedExplicitVRLittleEndian.encode() in data[:400] and rng.random() < 0.7:
        begin = 144 + int.from_bytes(data[140:144], "little")
        inner = zlib.decompress(data[begin:], -15)
        packer = zlib.compressobj(1, zlib.DEFLATED, -15)
        changed = damaged(rng, _odd_tags(rng, inner), (), TOKENS)
        return data[:begin] + packer.compress(changed) + packer.flush()
    return data[:132] + damaged(rng, data[132:], seeds, TOKENS)
