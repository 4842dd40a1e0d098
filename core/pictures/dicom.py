"""Reading one DICOM file: its pixels and what it says of showing them; no other field is read.

DICOM PS3.3 C.7.6.3 (pixels). What the fields say of showing them stands in
`core.pictures.dicom_greys`, how odd fields are read in `core.pictures.dicom_fields`.
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
from pydicom.pixels import get_decoder

from core.pictures import dicom_decoders
from core.pictures.deep import turned
from core.pictures.dicom_fields import COMPLETED, complete
from core.pictures.dicom_frames import coded_size
from core.pictures.dicom_geometry import SWAPS_SIDES, lying
from core.pictures.dicom_greys import grey_table, luma, sample_table
from core.pictures.samples import (
    JPEG_SCAN,
    MAX_PIXELS,
    BadImage,
    Geometry,
    Samples,
    looked_up,
    refuse_many_scans,
    refuse_too_large,
)

NATIVE = (uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian)
OURS = "prunescope"  # core/pictures/dicom_decoders.py: imagecodecs, CharLS and OpenJPEG
# What each compressed transfer syntax is decoded with.
PLUGINS = {uid.JPEGBaseline8Bit: "pillow"} | dict.fromkeys(
    dicom_decoders.DECODER_DEPENDENCIES, OURS
)
# Compressed, but with every bit of the words, wherever the pixels lie in them.
WHOLE_WORDS = (uid.RLELossless,)
# Only these leave the file. None says who the patient is.
SIZE_FIELDS = ("Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "BitsAllocated")
FIELDS = (
    *SIZE_FIELDS, "BitsStored", "HighBit", "PixelRepresentation", "PlanarConfiguration",
    "PhotometricInterpretation", "PixelPaddingValue", "PixelPaddingRangeLimit",
    "ModalityLUTSequence", "RescaleSlope", "RescaleIntercept",
    "RescaleType", "Modality",
    "VOILUTSequence", "WindowCenter", "WindowWidth", "VOILUTFunction",
    "WindowCenterWidthExplanation", "PresentationLUTShape",
    "PatientOrientation", "ImageOrientationPatient", "PixelSpacing", "ImagerPixelSpacing",
    "PixelSpacingCalibrationType", "NominalScannedPixelSpacing", "PixelAspectRatio",
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

# pydicom tells of every odd value in a file: that is the file's business, and would fill the log.
config.settings.reading_validation_mode = config.IGNORE
warnings.filterwarnings("ignore", module=r"pydicom\.")
logging.getLogger("pydicom").setLevel(logging.CRITICAL)
for _function, (_, _syntaxes) in dicom_decoders.DECODERS.items():
    for _syntax in _syntaxes:
        get_decoder(_syntax).add_plugin(OURS, (dicom_decoders.__name__, _function))


def read_grey(path: Path, repairs: set[str] | None = None) -> np.ndarray:
    """(height, width) uint8, as a viewer first shows it: 0 is black.

    The modality LUT or rescale, then the first VOI LUT or else the first window, then MONOCHROME1
    is inverted, and the picture turned as `core.pictures.dicom_geometry` says. Without a window,
    8-bit images are as stored, and deeper ones are stretched over the values that occur. Padding is
    black and widens no range. Colour becomes luma. What was repaired is added to `repairs`, as keys
    of `core.pictures.repairs`.

    Raises BadImage: no pixels, several frames, more than MAX_PIXELS, encrypted, a transfer syntax
    or depth that is not read, truncated, damaged.
    """
    with _damage_named(path):
        repairs = set() if repairs is None else repairs
        header, codes = _decoded(path, repairs)
        _, turn = lying(header, repairs)
        grey = looked_up(grey_table(header, codes, repairs), codes)
        return np.ascontiguousarray(turned(grey, turn))


def read_samples(path: Path, repairs: set[str] | None = None) -> Samples:
    """Full depth for a viewer: uint8, or uint16 whose smallest value is 0; black is 0.

    Values are those after the modality LUT up to scale and offset, so nothing of the stored depth
    is lost. The first window shows what `read_grey` does. Raises BadImage.
    """
    with _damage_named(path):
        repairs = set() if repairs is None else repairs
        header, codes = _decoded(path, repairs)
        geometry, turn = lying(header, repairs)
        table, about = sample_table(header, codes, repairs)
        values = np.ascontiguousarray(turned(looked_up(table, codes), turn))
        return about._replace(values=values, geometry=geometry)


def stored_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels as it is shown, from the header. Raises BadImage."""
    with _damage_named(path):
        header = _header(path, set())
        _, turn = lying(header, set())
        size = header.Columns, header.Rows
        return size[::-1] if turn in SWAPS_SIDES else size


def stored_bits(path: Path) -> int:
    """How many bits a sample has, by what the header says. Raises BadImage."""
    with _damage_named(path):
        header = _header(path, set())
        return int(header.get("BitsStored") or header.get("BitsAllocated") or 8)


def read_geometry(path: Path) -> Geometry:
    """From the header. Raises BadImage."""
    with _damage_named(path):
        return lying(_header(path, set()), set())[0]


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


def _header(path: Path, repairs: set[str]) -> Dataset:
    """The fields of FIELDS but not the pixels; refuses from them what is never read."""
    with _Bounded(path) as file:
        header = _dataset(path, file, with_pixels=False)
    syntax = header.file_meta.get("TransferSyntaxUID")
    if syntax not in (*NATIVE, *PLUGINS, uid.DeflatedExplicitVRLittleEndian):
        name = getattr(syntax, "name", None) or "none"
        raise BadImage(path, f"its transfer syntax ({name[:80]}) is not one that is read")
    complete(path, header, repairs)
    refuse_too_large(path, int(header.Columns), int(header.Rows))
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


def _decoded(path: Path, repairs: set[str]) -> tuple[Dataset, np.ndarray]:
    """The header, and (height, width) uint8 or uint16 codes: the bits as stored, or luma."""
    header = _header(path, repairs)
    if path.stat().st_size > MAX_BYTES:
        raise BadImage(path, f"the file is larger than {MAX_BYTES // 10**6} MB")
    with _Bounded(path) as file:
        data = _dataset(path, file, with_pixels=True)
    if "PixelData" not in data or not data.PixelData:
        raise BadImage(path, "this DICOM file holds no pixels")
    for name in COMPLETED:
        if name in header:
            setattr(data, name, getattr(header, name))
    data.NumberOfFrames = 1
    syntax = data.file_meta.TransferSyntaxUID
    if syntax == uid.DeflatedExplicitVRLittleEndian:
        syntax = data.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    as_stored: Any = {"view_only": True, "correct_unused_bits": False}
    if syntax in PLUGINS:
        _refuse_other_size(path, header, data.PixelData)
        options: Any = as_stored if syntax in WHOLE_WORDS else {}
        pixels, told = get_decoder(syntax).as_array(
            data, decoding_plugin=PLUGINS[syntax], **options
        )
    else:
        needed = header.Rows * header.Columns * int(data.SamplesPerPixel) * data.BitsAllocated // 8
        if data.get("PhotometricInterpretation") == "YBR_FULL_422":
            needed = needed // 3 * 2
        if len(data.PixelData) < needed:
            raise BadImage(path, "it is truncated: it holds fewer pixels than it claims")
        pixels, told = get_decoder(syntax).as_array(data, **as_stored)
    del data.PixelData
    data.PhotometricInterpretation = str(told["photometric_interpretation"])
    data.BitsAllocated = 8 * pixels.dtype.itemsize
    data.PixelRepresentation = int(pixels.dtype.kind == "i")
    if pixels.dtype.itemsize > 2:
        raise BadImage(path, f"it decodes to {data.BitsAllocated} bits a sample")
    data.BitsStored = min(data.BitsStored, data.BitsAllocated)
    samples_only = syntax in PLUGINS and syntax not in WHOLE_WORDS
    data.HighBit = data.BitsStored - 1 if samples_only else header.HighBit
    codes = luma(pixels) if pixels.ndim == 3 else _as_unsigned(pixels)
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
