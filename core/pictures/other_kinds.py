"""Files that are no picture which is read, by how they begin: what they are, and what to do."""

from __future__ import annotations

import struct
from pathlib import Path

LEAST_DICOM = 8
MAGIC = (
    (b"\x93NUMPY", "it is an array of numpy; save it as a 16-bit PNG or TIFF"),
    (b"\x1f\x8b", "it is packed with gzip (perhaps NIfTI, a volume); unpack it first"),
    (b"PK\x03\x04", "it is a zip file; unpack it"),
    (b"%PDF", "it is a PDF; save its image as PNG or DICOM"),
    (b"version https://git-lfs", "it only points at the image, which `git lfs pull` fetches"),
    (b"\xff\x0a", "it is JPEG XL; save it as PNG"),
    (b"\xff\xd8", "it is a JPEG of a kind that is not read outside DICOM, such as 12 bits or "
     "JPEG-LS; save it as a 16-bit PNG"),
    (b"\x89HDF", "it is HDF5, which may hold many arrays; save each image as a 16-bit PNG or TIFF"),
)  # fmt: skip
BOXES = {b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIC", b"avif": "AVIF", b"jxl ": "JPEG XL"}
NIFTI = {348: "NIfTI-1", 540: "NIfTI-2"}
# Groups with which a DICOM file begins when its first 132 bytes are missing.
DICOM_GROUPS = (0x0002, 0x0008)


def other_kind(path: Path) -> str | None:
    """What a file is that no reader knows, and what to do; None where nothing can be said."""
    with open(path, "rb") as file:
        begin = file.read(32)
    if not begin:
        return "it is empty; copy or download it again"
    known = next((reason for mark, reason in MAGIC if begin.startswith(mark)), None)
    if known is not None:
        return known
    if begin[4:8] == b"ftyp" and begin[8:12] in BOXES:
        return f"it is {BOXES[begin[8:12]]}; save it as PNG"
    if begin.lstrip()[:1] == b"<":
        return "it is text such as HTML, perhaps a page to sign in; download the image again"
    if len(begin) < LEAST_DICOM:
        return None
    number = struct.unpack_from("<i", begin)[0]
    if number in NIFTI:
        return f"it is {NIFTI[number]}, a volume; save one image of it as a 16-bit PNG or TIFF"
    group, element = struct.unpack_from("<HH", begin)
    if group in DICOM_GROUPS and element < 0x0100:
        return (
            "it may be DICOM without its first 132 bytes. With pydicom: "
            "dcmread(path, force=True), state file_meta.TransferSyntaxUID if it is missing, and "
            "save_as(path, enforce_file_format=True)"
        )
    return None
