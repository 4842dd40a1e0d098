"""What kind of file somebody brought, by its first bytes and a torch archive's table of contents.

Nothing here reads more than it needs, and nothing is unpacked: that comes after, in a child.
"""

from __future__ import annotations

import os
import re
import stat
import zipfile
from pathlib import Path
from typing import BinaryIO

from core.errors import InputError

MAX_BYTES = 2 * 2**30
MAX_MEMBERS = 20_000
MAX_NAME = 300
MAX_PICKLE_BYTES = 32 * 2**20
MAX_HEADER_BYTES = 32 * 2**20
ALLOWED = "Allowed are .safetensors files, what torch.save made of a state_dict, and ONNX networks."

SUFFIXES = (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".tar", ".pkl")

# Of transformers' names for one network in several files.
PART = re.compile(r"-\d{5}-of-(\d{5})\.")

# First bytes of what people confuse with a checkpoint.
KNOWN = {
    b"\xff\xd8\xff": "a JPEG image",
    b"\x89PNG": "a PNG image",
    b"GIF8": "a GIF image",
    b"%PDF": "a PDF",
    b"\x1f\x8b": "a gzip file",
    b"BZh": "a bzip2 file",
    b"\xfd7zXZ": "an xz file",
    b"7z\xbc\xaf": "a 7-Zip archive",
    b"Rar!": "a RAR archive",
    b"\x89HDF": "an HDF5 file, such as Keras writes,",
    b"GGUF": "a GGUF file of a language model",
    b"PAR1": "a Parquet table",
    b"\x7fELF": "a program",
    b"#!": "a script",
    b"\x93NUMPY": "a NumPy array",
    b"SQLite": "an SQLite database",
}

# ModelProto of onnx.proto: ir_version (field 1), then one of the other fields.
ONNX = re.compile(rb"\x08[\x01-\x3f][\x12\x1a\x22\x28\x32\x3a\x42]")


def format_of(path: Path) -> str:
    """ "safetensors", "torch archive", "torch file of old" (without a zip around it) or "onnx".

    Raises InputError for anything else, in one sentence. A link is followed; what it leads to has
    to be a plain file.
    """
    with _opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        start = file.read(512)
    name = shown(path.name)
    part = PART.search(path.name)
    if path.name.endswith(".index.json") or (part and int(part[1]) > 1):
        raise InputError(
            f"{name} is part of a network in several files. Save it as one: "
            'save_pretrained(folder, max_shard_size="10GB").'
        )
    if not size:
        raise InputError(f"{name} is empty (0 bytes).")
    if size > MAX_BYTES:
        raise InputError(
            f"{name} has {size / 2**30:.1f} GiB; at most {MAX_BYTES / 2**30:.0f} GiB are read."
        )
    if start[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return "torch archive"
    if start[257:262] == b"ustar":
        raise InputError(f"{name} is a tar archive. Unpack it, or save the state_dict again.")
    for magic, what in KNOWN.items():
        if start.startswith(magic):
            raise InputError(f"{name} is {what} and no checkpoint. {ALLOWED}")
    if start[:1] == b"\x80" and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "torch file of old"
    if start[8:9] == b"{":
        _check_header_length(start, size, name)
        return "safetensors"
    named_so = path.suffix.lower() == ".onnx" and not _is_text(start)
    if ONNX.match(start) or named_so:  # protobuf leaves the order of fields free
        return "onnx"
    kind = "text" if _is_text(start) else "of no known kind"
    raise InputError(f"{name} is {kind} and no checkpoint. {ALLOWED}")


def weights_in(place: Path) -> Path:
    """The file itself, or the one of weights in a folder such as `save_pretrained` writes.

    Raises InputError for a folder with none, several, or one network in several files.
    """
    if not place.is_dir():
        return place
    name = shown(place.name)
    if parts := sorted(place.glob("*.index.json")):
        raise InputError(
            f"{name} holds a network in several files ({parts[0].name}). Save it as one: "
            'save_pretrained(folder, max_shard_size="10GB").'
        )
    files = {path.name: path for path in sorted(place.iterdir()) if path.suffix in SUFFIXES}
    for usual in ("model.safetensors", "pytorch_model.bin"):
        if usual in files:
            return files[usual]
    if len(files) != 1:
        known = ", ".join(map(shown, list(files)[:4]))
        what = f"{len(files)} files of weights ({known})" if files else "no file of weights"
        raise InputError(f"{name} is a folder with {what}. Give the checkpoint file itself.")
    return next(iter(files.values()))


def shown(name: str) -> str:
    """A file's name for a sentence: printable and short."""
    clean = "".join(character if character.isprintable() else "?" for character in name)
    return clean if len(clean) <= 80 else f"{clean[:60]}...{clean[-15:]}"


def _opened(path: Path) -> BinaryIO:
    name = shown(path.name)
    try:
        # Without waiting: a named pipe would otherwise keep us until somebody writes to it.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0))
    except OSError as error:
        raise InputError(f"Cannot read {name}: {error.strerror}.") from error
    except ValueError as error:
        raise InputError(f"Cannot read {name}: {error}.") from error
    mode = os.fstat(handle).st_mode
    if not stat.S_ISREG(mode):
        os.close(handle)
        what = "a folder" if stat.S_ISDIR(mode) else "no plain file (a pipe, socket or device)"
        raise InputError(f"{name} is {what}. Give the checkpoint file itself.")
    return os.fdopen(handle, "rb")


def _check_header_length(start: bytes, size: int, name: str) -> None:
    length = int.from_bytes(start[:8], "little")
    if length + 8 > size:
        raise InputError(
            f"{name} looks like safetensors, but says its header has {length:,} bytes where the "
            f"file has {size:,}: it is cut off or damaged."
        )
    if length > MAX_HEADER_BYTES:
        raise InputError(
            f"{name}: a safetensors header of {length:,} bytes is refused; weights need less than "
            f"{MAX_HEADER_BYTES:,}."
        )


def _is_text(start: bytes) -> bool:
    try:
        start[:500].decode("utf-8")
    except UnicodeDecodeError as error:
        if error.reason != "unexpected end of data":  # a character cut in two
            return False
    return b"\0" not in start


def check_archive(path: Path) -> None:
    """Raise InputError where a zip file is not one that torch.save writes.

    torch.save stores its members uncompressed, each once, so an honest archive never holds more
    than the file's own size: that is the whole defence against zip bombs.
    """
    size = path.stat().st_size
    name = shown(path.name)
    damaged = f"{name} starts like a torch archive but is cut off or damaged"
    _check_count(path, size, name, damaged)
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, UnicodeDecodeError, EOFError) as error:
        raise InputError(f"{damaged}.") from error
    names = [member.filename for member in members]
    for member in names:
        parts = member.split("/")
        if member.startswith(("/", "\\")) or ".." in parts or "\\" in member or "\0" in member:
            raise InputError(f"{name} holds a path that leads out of it ({shown(member)}).")
        if len(member) > MAX_NAME:
            raise InputError(f"{name} holds a name of {len(member)} characters.")
    if len(set(names)) < len(names):
        raise InputError(f"{name} holds a member twice.")
    pickles = [m for m in members if m.filename.count("/") == 1 and m.filename.endswith("data.pkl")]
    if any("/code/" in member or member.endswith("constants.pkl") for member in names):
        raise InputError(
            f"{name} is a TorchScript program, not weights. Save model.state_dict() instead."
        )
    if len(pickles) != 1:
        raise InputError(f"{name} is a zip file, but none that torch.save has made. {ALLOWED}")
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise InputError(
            f"{name} is compressed, as torch.save never does. Unpacked it would have "
            f"{sum(member.file_size for member in members):,} bytes; it is not unpacked here."
        )
    if sum(member.file_size for member in members) > size:
        raise InputError(f"{name} says it holds more bytes than the file has ({size:,}).")
    if pickles[0].file_size > MAX_PICKLE_BYTES:
        raise InputError(
            f"{name} describes its tensors in {pickles[0].file_size:,} bytes; weights need less "
            f"than {MAX_PICKLE_BYTES:,}."
        )


def _check_count(path: Path, size: int, name: str, damaged: str) -> None:
    """Refuse a table of contents too long to be read, before it is."""
    with open(path, "rb") as file:
        file.seek(max(0, size - 65_600))
        tail = file.read()
    end = tail.rfind(b"PK\x05\x06")
    if end < 0 or end + 22 > len(tail):
        raise InputError(f"{damaged}: its table of contents is missing.")
    count = int.from_bytes(tail[end + 10 : end + 12], "little")
    length = int.from_bytes(tail[end + 12 : end + 16], "little")
    wide = tail.rfind(b"PK\x06\x06", 0, end)
    if wide >= 0 and wide + 48 <= len(tail):
        count = int.from_bytes(tail[wide + 32 : wide + 40], "little")
        length = int.from_bytes(tail[wide + 40 : wide + 48], "little")
    if count > MAX_MEMBERS or length > 400 * MAX_MEMBERS:
        raise InputError(
            f"{name} holds {count:,} members; weights need fewer than {MAX_MEMBERS:,}."
        )
