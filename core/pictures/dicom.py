"""Reading one DICOM file: its pixels and what it says of showing them; no other field is read.

DICOM PS3.3 C.7.6.3 (pixels), C.11.1 and C.11.2 (modality and VOI). Every step after decoding maps a
stored value to a shown one, so each is worked out on a table of the at most 65,536 stored values,
in full precision, and the image is looked up in it once: little memory, nothing rounded twice.
"""

from __future__ import annotations

import logging
import os
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader, BytesIO, FileIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pydicom
from pydicom import config, uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import generate_frames
from pydicom.filereader import read_dataset, read_preamble
from pydicom.multival import MultiValue
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_windowing, get_decoder

from core.pictures.dicom_frames import coded_size
from core.pictures.images import (
    JPEG_SCAN,
    MAX_PIXELS,
    BadImage,
    Samples,
    Window,
    histogram,
    looked_up,
    refuse_many_scans,
    refuse_too_large,
)

NATIVE = (uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian)
OURS = "prunescope"  # core/pictures/dicom_decoders.py: imagecodecs, CharLS and OpenJPEG
# What each compressed transfer syntax is decoded with.
PLUGINS = {
    uid.JPEGBaseline8Bit: "pillow",
    uid.JPEGExtended12Bit: OURS,
    uid.JPEGLossless: OURS,
    uid.JPEGLosslessSV1: OURS,
    uid.JPEGLSLossless: OURS,
    uid.JPEGLSNearLossless: OURS,
    uid.JPEG2000Lossless: OURS,
    uid.JPEG2000: OURS,
    uid.HTJ2KLossless: OURS,
    uid.HTJ2KLosslessRPCL: OURS,
    uid.HTJ2K: OURS,
    uid.RLELossless: OURS,
}
# The others of OURS are JPEG.
FUNCTIONS = {uid.RLELossless: "decode_rle"}
FUNCTIONS |= dict.fromkeys((uid.JPEGLSLossless, uid.JPEGLSNearLossless), "decode_jpeg_ls")
FUNCTIONS |= dict.fromkeys((uid.JPEG2000Lossless, uid.JPEG2000), "decode_jpeg_2000")
FUNCTIONS |= dict.fromkeys(
    (uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K), "decode_jpeg_2000"
)
# Only these leave the file. None says who the patient is.
SIZE_FIELDS = ("Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "BitsAllocated")
FIELDS = (
    *SIZE_FIELDS, "BitsStored", "HighBit", "PixelRepresentation", "PlanarConfiguration",
    "PhotometricInterpretation", "PixelPaddingValue", "PixelPaddingRangeLimit",
    "ModalityLUTSequence", "RescaleSlope", "RescaleIntercept",
    "VOILUTSequence", "WindowCenter", "WindowWidth", "VOILUTFunction",
    "RedPaletteColorLookupTableDescriptor", "GreenPaletteColorLookupTableDescriptor",
    "BluePaletteColorLookupTableDescriptor", "RedPaletteColorLookupTableData",
    "GreenPaletteColorLookupTableData", "BluePaletteColorLookupTableData",
    "SegmentedRedPaletteColorLookupTableData", "SegmentedGreenPaletteColorLookupTableData",
    "SegmentedBluePaletteColorLookupTableData", "PaletteColorLookupTableUID",
    "EncryptedAttributesSequence",
)  # fmt: skip
# MAX_PIXELS of 16-bit colour; 16-bit grey is 160 MB.
MAX_BYTES = 6 * MAX_PIXELS + 2**20
# A deflated file unfolds up to a thousandfold: no more of it than 16-bit grey needs.
MAX_INFLATED = 2 * MAX_PIXELS + 2**20
META_BEGINS = 144  # the group of fields before the data set, behind its own length
GREY = ("MONOCHROME1", "MONOCHROME2")
FAR = 1e12  # beyond every window: what shows there is black, or white

# pydicom tells of every odd value in a file: that is the file's business, and would fill the log.
config.settings.reading_validation_mode = config.IGNORE
warnings.filterwarnings("ignore", module=r"pydicom\.")
logging.getLogger("pydicom").setLevel(logging.CRITICAL)
for _syntax, _plugin in PLUGINS.items():
    if _plugin == OURS:
        _function = FUNCTIONS.get(_syntax, "decode_jpeg")
        get_decoder(_syntax).add_plugin(OURS, ("core.pictures.dicom_decoders", _function))


def read_grey(path: Path) -> np.ndarray:
    """(height, width) uint8, as a viewer first shows it: 0 is black.

    The modality LUT or rescale, then the first VOI LUT or else the first window, then MONOCHROME1
    is inverted. Without one of these, 8-bit images are as stored, and deeper ones are stretched
    over the values that occur. Padding is black and widens no range. Colour becomes luma.

    Raises BadImage: no pixels, several frames, more than MAX_PIXELS, encrypted, a transfer syntax
    or depth that is not read, truncated, damaged.
    """
    with _damage_named(path):
        header, codes = _decoded(path)
        return looked_up(_grey_table(header, codes), codes)


def read_samples(path: Path) -> Samples:
    """Full depth for a viewer: uint8, or uint16 whose smallest value is 0; black is 0.

    Values are those after the modality LUT up to scale and offset, so nothing of the stored depth
    is lost; where a file has a VOI LUT, a curve no window can replace, those after it. The windows
    are the file's own, in units of the samples. Raises BadImage.
    """
    with _damage_named(path):
        header, codes = _decoded(path)
        table, windows = _sample_table(header, codes)
        return Samples(looked_up(table, codes), tuple(windows))


def stored_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels, from the header alone. Raises BadImage."""
    with _damage_named(path):
        header = _header(path)
        return header.Columns, header.Rows


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    try:
        yield
    except BadImage:
        raise
    except FileNotFoundError as error:
        raise BadImage(path, "there is no such file") from error
    except Exception as error:  # of a damaged file pydicom and its decoders raise anything
        # Their words may quote the file: the reason is ours, theirs stay in the traceback.
        raise BadImage(path, f"this DICOM file is damaged ({type(error).__name__})") from error


# The file


class _Bounded(BufferedReader):
    """A file of which nobody can ask for more than there is: Python would first make room for it,
    and a field's length in a DICOM file can say 4 GB."""

    def __init__(self, path: Path) -> None:
        super().__init__(FileIO(path))
        self._size = os.fstat(self.fileno()).st_size

    def read(self, size: int | None = -1) -> bytes:
        left = max(0, self._size - self.tell())
        return super().read(left if size is None or size < 0 else min(size, left))


def _header(path: Path) -> Dataset:
    """The fields of FIELDS but not the pixels; refuses from them what is never read."""
    with _Bounded(path) as file:
        header = _dataset(path, file, with_pixels=False)
    syntax = header.file_meta.get("TransferSyntaxUID")
    if syntax not in (*NATIVE, *PLUGINS, uid.DeflatedExplicitVRLittleEndian):
        name = getattr(syntax, "name", None) or "none"
        raise BadImage(path, f"its transfer syntax ({name[:80]}) is not one that is read")
    if not (header.get("Rows") and header.get("Columns")):
        hidden = "EncryptedAttributesSequence" in header
        raise BadImage(path, "it is encrypted" if hidden else "this DICOM file holds no image")
    refuse_too_large(path, int(header.Columns), int(header.Rows))
    frames = int(header.get("NumberOfFrames") or 1)
    if frames != 1:
        raise BadImage(path, f"it holds {frames:,} frames; only single images are read")
    if header.get("BitsAllocated") not in (8, 16):
        depth = header.get("BitsAllocated")
        raise BadImage(path, f"it has {depth} bits a sample; 8 and 16 are read")
    stored, high = header.get("BitsStored"), header.get("HighBit")
    header.BitsStored = header.BitsAllocated if stored is None else int(stored)
    header.HighBit = header.BitsStored - 1 if high is None else int(high)
    header.PixelRepresentation = int(header.get("PixelRepresentation") or 0)
    if not 0 < header.BitsStored <= header.HighBit + 1 <= header.BitsAllocated:
        raise BadImage(path, "its bits stored and high bit do not fit its bits allocated")
    return header


def _dataset(path: Path, file: BinaryIO, with_pixels: bool) -> Dataset:
    fields = [pydicom.tag.Tag(name) for name in FIELDS + ("PixelData",) * with_pixels]
    read_preamble(file, False)
    meta = FileMetaDataset(read_dataset(file, False, True, stop_when=_behind_meta))
    if meta.get("TransferSyntaxUID") != uid.DeflatedExplicitVRLittleEndian:
        file.seek(0)
        return pydicom.dcmread(file, stop_before_pixels=not with_pixels, specific_tags=fields)
    file.seek(META_BEGINS + int(meta.FileMetaInformationGroupLength))
    inflated = zlib.decompressobj(-zlib.MAX_WBITS)
    content = inflated.decompress(file.read(MAX_INFLATED), MAX_INFLATED)
    if inflated.unconsumed_tail:
        raise BadImage(path, f"it unfolds to more than {MAX_INFLATED // 10**6} MB")
    data = read_dataset(BytesIO(content), False, True, specific_tags=[*fields])
    data.file_meta = meta
    data.set_original_encoding(False, True, None)
    return data


def _behind_meta(tag: int, vr: str | None, length: int) -> bool:
    return tag >> 16 != 2


def _decoded(path: Path) -> tuple[Dataset, np.ndarray]:
    """The header, and (height, width) uint8 or uint16 codes: the bits as stored, or luma."""
    header = _header(path)
    if path.stat().st_size > MAX_BYTES:
        raise BadImage(path, f"the file is larger than {MAX_BYTES // 10**6} MB")
    with _Bounded(path) as file:
        data = _dataset(path, file, with_pixels=True)
    if "PixelData" not in data or not data.PixelData:
        raise BadImage(path, "this DICOM file holds no pixels")
    for name in ("BitsStored", "HighBit", "PixelRepresentation"):
        setattr(data, name, getattr(header, name))
    data.NumberOfFrames = 1
    syntax = data.file_meta.TransferSyntaxUID
    if syntax == uid.DeflatedExplicitVRLittleEndian:
        syntax = data.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    if syntax in PLUGINS:
        _refuse_other_size(path, header, data.PixelData)
        pixels, told = get_decoder(syntax).as_array(data, decoding_plugin=PLUGINS[syntax])
    else:
        needed = header.Rows * header.Columns * int(data.SamplesPerPixel) * data.BitsAllocated // 8
        if data.get("PhotometricInterpretation") == "YBR_FULL_422":
            needed = needed // 3 * 2
        if len(data.PixelData) < needed:
            raise BadImage(path, "it is truncated: it holds fewer pixels than it claims")
        as_stored: Any = {"view_only": True, "correct_unused_bits": False}
        pixels, told = get_decoder(syntax).as_array(data, **as_stored)
    del data.PixelData
    data.PhotometricInterpretation = str(told["photometric_interpretation"])
    data.BitsAllocated = 8 * pixels.dtype.itemsize
    data.PixelRepresentation = int(pixels.dtype.kind == "i")
    if pixels.dtype.itemsize > 2:
        raise BadImage(path, f"it decodes to {data.BitsAllocated} bits a sample")
    data.BitsStored = min(data.BitsStored, data.BitsAllocated)
    data.HighBit = data.BitsStored - 1 if syntax in PLUGINS else header.HighBit
    codes = _luma(pixels) if pixels.ndim == 3 else _as_unsigned(pixels)
    if codes.shape != (header.Rows, header.Columns):
        raise BadImage(path, "it decodes to another size than it claims")
    return data, codes


def _refuse_other_size(path: Path, header: Dataset, encoded: bytes) -> None:
    """A frame that claims another size than the header: decoders would make room for it."""
    frame = next(generate_frames(encoded, number_of_frames=1))
    if frame[:2] == b"\xff\xd8":
        refuse_many_scans(path, int(header.Rows) * int(header.Columns), frame.count(JPEG_SCAN))
    coded = coded_size(frame)
    claimed = (header.Rows, header.Columns, int(header.get("SamplesPerPixel") or 1))
    if coded is not None and coded != claimed:
        raise BadImage(path, "its compressed pixels have another size than it claims")


def _as_unsigned(pixels: np.ndarray) -> np.ndarray:
    """The bits of integers in this machine's byte order, as unsigned codes."""
    unsigned = pixels.view(pixels.dtype.str.replace("i", "u"))
    return unsigned.astype(unsigned.dtype.newbyteorder("="), copy=False)


def _luma(colour: np.ndarray) -> np.ndarray:
    """(height, width, 3) unsigned to luma by ITU-R BT.601, rounded as Pillow does."""
    if colour.dtype.kind != "u" or colour.shape[2] != 3:
        raise ValueError("colours that are signed, or not three")
    grey = np.empty(colour.shape[:2], colour.dtype)
    for row in range(0, len(colour), 64):
        red, green, blue = np.moveaxis(colour[row : row + 64].astype(np.uint32), 2, 0)
        grey[row : row + 64] = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16
    return grey


# From stored to shown values, on tables


def _grey_table(header: Dataset, codes: np.ndarray) -> np.ndarray:
    stored, padding = _stored_values(header), _padding(header)
    real, shown = _modality(header, stored), None
    if header.PhotometricInterpretation in GREY:
        shown = _voi(header, real)
    if shown is None and _as_stored(header):
        shown = real / 255
    if shown is None:
        low, high = _range(real, codes, padding)
        shown = (real - low) / ((high - low) or 1.0)
    if header.PhotometricInterpretation == "MONOCHROME1":
        shown = 1 - shown
    table = np.rint(255 * np.clip(shown, 0, 1)).astype(np.uint8)
    table[padding] = 0
    return table


def _sample_table(header: Dataset, codes: np.ndarray) -> tuple[np.ndarray, list[Window]]:
    values, padding = _stored_values(header).astype(float), _padding(header)
    slope, intercept, as_stored = 1.0, 0.0, _as_stored(header)
    curve = None
    if header.PhotometricInterpretation in GREY:
        if header.get("VOILUTSequence"):
            curve = _voi_lut(header, _modality(header, values))
        if curve is not None:
            values, as_stored = curve, False
        elif header.get("ModalityLUTSequence"):
            values, as_stored = _modality(header, values).astype(float), False
        elif _rescale(header):
            slope, intercept = _rescale(header) or (1.0, 0.0)
            values = values if slope > 0 else -values
    low, high = (0.0, 255.0) if as_stored else _range(values, codes, padding)
    top = min(high - low, 65535.0)
    samples = np.clip(np.rint(values - low), 0, top)
    windows = []
    for number, (center, width) in enumerate([] if curve is not None else _windows(header), 1):
        scaled = (center - intercept) / abs(slope) - low
        windows.append(Window(f"File window {number}", scaled, width / abs(slope)))
    if header.PhotometricInterpretation == "MONOCHROME1":
        samples = top - samples
        windows = [Window(w.name, top - w.center, w.width) for w in windows]
    samples[padding] = 0
    return samples.astype(np.uint8 if codes.itemsize == 1 and top < 256 else np.uint16), windows


def _stored_values(header: Dataset) -> np.ndarray:
    """int64 (codes,): the number each bit pattern stands for, bits beyond those stored left out."""
    bits = header.BitsAllocated
    codes = np.arange(2**bits, dtype=f"u{bits // 8}")
    if header.PhotometricInterpretation not in GREY:
        return codes.astype(np.int64)  # luma, or an index into a palette
    top = codes << (bits - 1 - header.HighBit)
    signed = top.view(f"i{bits // 8}") if header.PixelRepresentation else top
    return (signed >> (bits - header.BitsStored)).astype(np.int64)


def _padding(header: Dataset) -> np.ndarray:
    """(codes,) bool: what stands for no image there. PS3.3 C.7.5.1.1.2."""
    stored, value = _stored_values(header), header.get("PixelPaddingValue")
    if not isinstance(value, int) or header.PhotometricInterpretation not in GREY:
        return np.zeros(len(stored), bool)
    limit = header.get("PixelPaddingRangeLimit")
    ends = sorted((value, limit if isinstance(limit, int) else value))
    return (stored >= ends[0]) & (stored <= ends[1])


def _modality(header: Dataset, stored: np.ndarray) -> np.ndarray:
    if header.PhotometricInterpretation == "PALETTE COLOR":
        colours = apply_color_lut(stored.astype(f"u{header.BitsAllocated // 8}"), header)
        return _luma(colours[None])[0].astype(np.int64) >> (8 * (colours.itemsize - 1))
    if header.PhotometricInterpretation not in GREY:
        return stored
    if header.get("ModalityLUTSequence"):
        return apply_modality_lut(stored.astype(np.int64), header).astype(np.int64)
    if rescale := _rescale(header):
        return stored * rescale[0] + rescale[1]
    return stored


def _rescale(header: Dataset) -> tuple[float, float] | None:
    slope, intercept = header.get("RescaleSlope"), header.get("RescaleIntercept")
    if slope is None or intercept is None or not np.isfinite([slope, intercept]).all():
        return None
    return (float(slope), float(intercept)) if slope else None


def _as_stored(header: Dataset) -> bool:
    """Whether every value from black 0 to white 255 is there already."""
    plain = not header.get("ModalityLUTSequence") and _rescale(header) in (None, (1.0, 0.0))
    palette = header.PhotometricInterpretation == "PALETTE COLOR"
    unsigned_8 = header.BitsStored == 8 and not header.PixelRepresentation
    return palette or (plain and unsigned_8 and header.BitsAllocated == 8)


def _voi(header: Dataset, real: np.ndarray) -> np.ndarray | None:
    """0 (black) to 1 (white) by the first VOI LUT, else the first window, or None."""
    if header.get("VOILUTSequence") and (curve := _voi_lut(header, real)) is not None:
        return curve / (2 ** int(header.VOILUTSequence[0].LUTDescriptor[2]) - 1)
    if not _windows(header):
        return None
    with np.errstate(over="ignore"):  # far below a sigmoid is 0
        shown = apply_windowing(np.append(real, [-FAR, FAR]), header)
    return (shown[:-2] - shown[-2]) / (shown[-1] - shown[-2])


def _voi_lut(header: Dataset, real: np.ndarray) -> np.ndarray | None:
    """The first VOI LUT's output; None where it is none. PS3.3 C.11.2.1.1.

    Not pydicom's `apply_voi`, whose index has the width of the output: a curve of 4,096 entries
    of 8 bits comes out folded.
    """
    item = header.VOILUTSequence[0]
    if "LUTDescriptor" not in item or "LUTData" not in item:
        return None
    entries, first, bits = (int(number) for number in item.LUTDescriptor)
    first -= 2**16 if first >= 2**15 and real.min() < 0 else 0  # signed, read as unsigned
    data = item.LUTData
    if isinstance(data, bytes):
        little = header.file_meta.TransferSyntaxUID != uid.ExplicitVRBigEndian
        data = np.frombuffer(data, "<u2" if little else ">u2")
    curve = np.asarray(data, float)[: entries or 2**16]
    at = np.clip(np.rint(real).astype(np.int64) - first, 0, len(curve) - 1)
    return np.clip(curve[at], 0, 2**bits - 1) if 1 <= bits <= 16 else None


def _windows(header: Dataset) -> list[tuple[float, float]]:
    """(center, width) of the file, in its values after the modality LUT: black up to
    center - width / 2, white from center + width / 2. PS3.3 C.11.2.1.2 and C.11.2.1.3."""
    centers, widths = (_numbers(header.get(name)) for name in ("WindowCenter", "WindowWidth"))
    function = header.get("VOILUTFunction") or "LINEAR"
    if function not in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        return []
    pairs = list(zip(centers, widths, strict=False))
    if any(width < 1 if function == "LINEAR" else width <= 0 for _, width in pairs):
        return []
    if function == "LINEAR":
        return [(center - 0.5, max(width - 1, 0.5)) for center, width in pairs]
    return pairs


def _numbers(value: object) -> list[float]:
    if value is None or value == "":
        return []
    several = value if isinstance(value, list | MultiValue) else [value]
    numbers = [float(str(number)) for number in several]
    return numbers if np.isfinite(numbers).all() else []


def _range(values: np.ndarray, codes: np.ndarray, padding: np.ndarray) -> tuple[float, float]:
    """Smallest and largest of the values that occur in the image; padding only if nothing else."""
    there = histogram(codes, len(values)) > 0
    if (there & ~padding).any():
        there &= ~padding
    return float(values[there].min()), float(values[there].max())
