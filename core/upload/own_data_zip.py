"""Unpacking a stranger's zip: only images and one table, under checked names, within limits.

All that is wrong with its table of contents is found before a byte is unpacked, and while it is
unpacked every byte is counted, whatever the table of contents says. Zips within it stay shut.
"""

from __future__ import annotations

import re
import shutil
import stat
import unicodedata
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from core.datasets.files import SUFFIXES
from core.errors import InputError
from core.study.progress import Advance
from core.upload.names import shown_name
from core.upload.uploads import SPARE_DISK
from core.wording.amounts import size

MAX_FILES = 200_000
MAX_BYTES = 20 * 2**30
MAX_FILE_BYTES = 300 * 2**20
MAX_RATIO = 100  # of bytes unpacked to packed; honest images come near 10
RATIO_COUNTS_FROM = 10 * 2**20
MAX_PART_BYTES = 200
MAX_DEPTH = 8
MAX_DIRECTORY_BYTES = 100 * 2**20
PIECE = 2**20
# Names without a suffix, DICOM's UIDs ("1.2.840.10008.5") and Siemens' .IMA.
SUFFIXLESS = re.compile(r"(^[^.]+|\.[0-9]+|\.ima)$")
# Of PNG, JPEG and TIFF (either byte order).
BEGINNINGS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0", b"MM\0*")
# What Windows opens as a device, whatever the suffix.
DEVICES = {"con", "prn", "aux", "nul", "conin$", "conout$"}
DEVICES |= {f"{kind}{number}" for kind in ("com", "lpt") for number in (*range(10), "¹", "²", "³")}
HIDDEN = re.compile(r"(^|/)(__MACOSX/|\._|\.DS_Store$|Thumbs\.db$|desktop\.ini$)")
DAMAGE = (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, NotImplementedError)


@dataclass(frozen=True)
class Contents:
    """What is worth unpacking; `n_skipped` other files stay where they are."""

    images: tuple[zipfile.ZipInfo, ...]
    table: zipfile.ZipInfo
    n_skipped: int
    n_bytes: int


def contents(archive: zipfile.ZipFile, name: str, packed: int) -> Contents:
    """Check a zip's table of contents. `packed`: the file's own size in bytes.

    Raises InputError, in one sentence, for the first thing that an honest zip does not have.
    """
    if any(not one.filename for one in archive.infolist()):
        raise InputError(f"{name} holds a file without a name.")
    for one in archive.infolist():  # some programs of Windows divide folders by backslashes
        one.filename = one.filename.replace("\\", "/")
    members = [one for one in archive.infolist() if not one.is_dir()]
    if len(archive.infolist()) > MAX_FILES:
        raise InputError(f"{name} holds {len(archive.infolist()):,} files; at most {MAX_FILES:,}.")
    seen: dict[str, str] = {}
    for one in members:
        _check_name(one, name)
        _check_kind(one, name)
        alike = unicodedata.normalize("NFKC", one.filename).casefold()
        if alike in seen:
            raise InputError(
                f"{name} holds two files of one name ({_shown(one)} and {shown_name(seen[alike])})."
            )
        seen[alike] = one.filename
    _check_sizes(members, name, packed)
    wanted = [one for one in members if not HIDDEN.search(one.filename)]
    tables = [one for one in wanted if one.filename.lower().endswith(".csv")]
    images = [one for one in wanted if _is_image(archive, one)]
    if not images:
        raise InputError(
            f"{name} holds no images; known are {', '.join(SUFFIXES)}, and files of other names "
            "that begin as DICOM, PNG, JPEG or TIFF do."
        )
    if len(tables) != 1:
        which = ", ".join(_shown(one) for one in tables[:4]) or "none"
        raise InputError(
            f"{name} has to hold one .csv beside its images, with an image and its classes on each "
            f"row; it holds {which}."
        )
    return Contents(
        tuple(images), tables[0], len(members) - len(images) - 1, sum(o.file_size for o in members)
    )


def _is_image(archive: zipfile.ZipFile, one: zipfile.ZipInfo) -> bool:
    """By its suffix, else by how it begins: archives of hospitals write names without one."""
    name = one.filename.lower().rpartition("/")[2]
    if name.endswith(SUFFIXES):
        return True
    if not SUFFIXLESS.search(name) or name == "dicomdir":  # DICOM's own table of contents
        return False
    try:
        with archive.open(one) as file:
            begin = file.read(132)
    except DAMAGE:
        return False
    return begin[128:] == b"DICM" or begin.startswith(BEGINNINGS)


def opened(path: Path, name: str) -> zipfile.ZipFile:
    """Raises InputError for what is no zip, or one whose table of contents is far too long."""
    with open(path, "rb") as file:
        if file.read(4) not in (b"PK\x03\x04", b"PK\x05\x06"):
            raise InputError(f"{name} is no zip file. Allowed is a .zip of images and one .csv.")
        file.seek(max(0, path.stat().st_size - 65_600))
        tail = file.read()
    end = tail.rfind(b"PK\x05\x06")
    if end < 0 or end + 22 > len(tail):
        raise InputError(f"{name} is cut off: its table of contents is missing.")
    if int.from_bytes(tail[end + 12 : end + 16], "little") > MAX_DIRECTORY_BYTES:
        wide = tail.rfind(b"PK\x06\x06", 0, end)
        length = int.from_bytes(tail[wide + 40 : wide + 48], "little") if wide >= 0 else None
        if length is None or length > MAX_DIRECTORY_BYTES:
            raise InputError(f"{name} has a table of contents too long to be read.")
    try:
        return zipfile.ZipFile(path)
    except (*DAMAGE, UnicodeDecodeError) as error:
        raise InputError(f"{name} is damaged or cut off.") from error


def unpack(
    archive: zipfile.ZipFile,
    found: Contents,
    folder: Path,
    name: str,
    tell: Advance,
) -> None:
    """Write the images below `folder`/images by their own checked names, the table as given.csv."""
    if found.n_bytes + SPARE_DISK > shutil.disk_usage(folder).free:
        raise InputError(
            f"Unpacked, {name} has {size(found.n_bytes)}, for which the disk has no room."
        )
    _write(archive, found.table, folder / "given.csv", name)
    for number, one in enumerate(found.images):
        target = folder / "images" / one.filename
        target.parent.mkdir(parents=True, exist_ok=True)
        _write(archive, one, target, name)
        tell(number + 1, len(found.images))


def _write(archive: zipfile.ZipFile, one: zipfile.ZipInfo, target: Path, name: str) -> None:
    written = 0
    try:
        with archive.open(one) as source, open(target, "xb") as file:
            while piece := source.read(PIECE):
                written += len(piece)
                if written > one.file_size:
                    raise InputError(f"{name}: {_shown(one)} is larger than the zip says.")
                file.write(piece)
    except DAMAGE as error:
        raise InputError(f"{name}: {_shown(one)} is damaged and cannot be unpacked.") from error


def _check_name(one: zipfile.ZipInfo, name: str) -> None:
    # What the file itself says: zipfile cuts a name at NUL.
    given = one.orig_filename.replace("\\", "/")
    parts = given.split("/")
    escapes = given.startswith("/") or ".." in parts or "." in parts
    if escapes or re.match(r"[A-Za-z]:", given) or "" in parts:
        raise InputError(f"{name} holds a path that leads out of it ({_shown(one)}).")
    # NFKC turns look-alikes, such as a full-width slash or a one-dot leader, into what they fake.
    folded = unicodedata.normalize("NFKC", given).replace("\\", "/")
    if folded.count("/") != given.count("/") or ".." in folded.split("/"):
        raise InputError(f"{name} holds a path that leads out of it ({_shown(one)}).")
    strange = any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn") for c in given)
    if strange or any(c in '<>:"|?*' for c in given):
        raise InputError(f"{name} holds a name with forbidden characters ({_shown(one)}).")
    for part in parts:
        if part.partition(".")[0].strip().casefold() in DEVICES or part != part.strip(" "):
            raise InputError(f"{name} holds a name that stands for a device ({_shown(one)}).")
        if part.endswith(".") or len(part.encode()) > MAX_PART_BYTES:
            raise InputError(f"{name} holds a name that not every disk can keep ({_shown(one)}).")
    if len(parts) > MAX_DEPTH:
        raise InputError(f"{name} holds folders {len(parts)} deep; at most {MAX_DEPTH}.")


def _check_kind(one: zipfile.ZipInfo, name: str) -> None:
    mode = one.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise InputError(f"{name} holds a link or another special file ({_shown(one)}).")
    if one.flag_bits & 1:
        raise InputError(f"{name} is encrypted. Pack it again without a password.")
    if one.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise InputError(f"{name} is packed in an unusual way; allowed are stored and deflated.")


def _check_sizes(members: list[zipfile.ZipInfo], name: str, packed: int) -> None:
    whole = sum(one.file_size for one in members)
    if whole > MAX_BYTES:
        raise InputError(f"Unpacked, {name} has {size(whole)}; at most {size(MAX_BYTES)}.")
    if sum(one.compress_size for one in members) > packed:
        raise InputError(f"{name} holds files that lie over each other, as zip bombs do.")
    if whole > RATIO_COUNTS_FROM and whole > MAX_RATIO * packed:
        raise InputError(
            f"{name} would grow {whole // max(packed, 1):,}-fold, as zip bombs do and images don't."
        )
    for one in members:
        if one.file_size > MAX_FILE_BYTES:
            raise InputError(f"{name}: {_shown(one)} would have {size(one.file_size)}.")
        if one.file_size > RATIO_COUNTS_FROM and one.file_size > MAX_RATIO * one.compress_size:
            raise InputError(f"{name}: {_shown(one)} would grow as zip bombs do.")


def _shown(one: zipfile.ZipInfo) -> str:
    text = "".join(c if c.isprintable() else "?" for c in one.orig_filename)
    return repr(text if len(text) <= 60 else f"{text[:40]}...{text[-15:]}")
