"""The fields that say how pixels lie: those that are missing or odd get their usual values."""

from __future__ import annotations

from pathlib import Path

from pydicom import uid
from pydicom.dataset import Dataset

from core.pictures.dicom_numbers import whole_number, word
from core.pictures.samples import BadImage

# Whole numbers that must be there (DICOM PS3.3 C.7.6.3), or have a usual value.
NUMBERS = (
    *("Rows", "Columns", "SamplesPerPixel", "BitsAllocated", "BitsStored", "HighBit"),
    *("PixelRepresentation", "PlanarConfiguration", "NumberOfFrames"),
)
COMPLETED = (*NUMBERS, "PhotometricInterpretation")
PHOTOMETRIC = (
    *("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "YBR_FULL", "YBR_FULL_422"),
    *("YBR_PARTIAL_422", "YBR_PARTIAL_420", "YBR_ICT", "YBR_RCT", "HSV", "ARGB", "CMYK"),
)
GREY = ("MONOCHROME1", "MONOCHROME2")


def complete(path: Path, header: Dataset, repairs: set[str]) -> None:
    """Set COMPLETED in `header` to values that fit; raises BadImage where none is to be had."""
    found = {name: whole_number(header, name, repairs) for name in NUMBERS}
    if not (found["Rows"] and found["Columns"]):
        hidden = "EncryptedAttributesSequence" in header
        raise BadImage(path, "it is encrypted" if hidden else "this DICOM file holds no image")
    frames = found["NumberOfFrames"] or 1
    if frames != 1:
        raise BadImage(path, f"it holds {frames:,} frames; only single images are read")
    photometric = _photometric(header, found["SamplesPerPixel"])
    if photometric != header.get("PhotometricInterpretation"):
        repairs.add("field")
    defaults = {
        "SamplesPerPixel": 1 if photometric in (*GREY, "PALETTE COLOR") else 3,
        "BitsAllocated": _bits_allocated(found),
        "PixelRepresentation": 0,
    }
    for name, usual in defaults.items():
        if found[name] is None and usual is not None:
            found[name] = usual
            repairs.add("field")
    allocated = found["BitsAllocated"]
    if allocated not in (8, 16):
        raise BadImage(path, f"it has {allocated} bits a sample; 8 and 16 are read")
    stored, high = found["BitsStored"], found["HighBit"]
    if stored is None:
        stored = allocated if high is None else high + 1
    high = stored - 1 if high is None else high
    if None in (found["BitsStored"], found["HighBit"]):
        repairs.add("field")
    if not 0 < stored <= high + 1 <= allocated:
        raise BadImage(path, "its bits stored and high bit do not fit its bits allocated")
    found |= {"BitsStored": stored, "HighBit": high}
    if (found["SamplesPerPixel"] or 1) > 1 and found["PlanarConfiguration"] is None:
        found["PlanarConfiguration"] = 0
        repairs.add("field")
    for name, number in found.items():
        if number is not None:
            _set(path, header, name, number)
    header.PhotometricInterpretation = photometric


def _set(path: Path, header: Dataset, name: str, number: int) -> None:
    if not 0 <= number < 2**16:
        raise BadImage(path, f"its {name} is {number}, which no picture has")
    if name in header:
        del header[name]  # it may be of another type
    setattr(header, name, number)


def _bits_allocated(found: dict[str, int | None]) -> int | None:
    known = found["BitsStored"] or ((found["HighBit"] or 0) + 1 if found["HighBit"] else None)
    return None if known is None else 8 if known <= 8 else 16


def _photometric(header: Dataset, n_samples: int | None) -> str:
    """By its name, however it is spelt; for an unknown one, what the pixels usually are."""
    stated = word(header, "PhotometricInterpretation")
    plain = stated.replace(" ", "").replace("_", "").replace("-", "")
    for name in PHOTOMETRIC:
        if plain == name.replace(" ", "").replace("_", ""):
            return name
    if n_samples in (None, 1):
        return "MONOCHROME2"
    if header.file_meta.TransferSyntaxUID in (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit):
        return "YBR_FULL_422"
    return stated or "RGB"
