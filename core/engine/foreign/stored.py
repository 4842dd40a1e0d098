"""Files that torch.save wrote: what they say, and the values of the tensors one asks for.

The description is read by `pickled`; values are bytes at a place in the file, which are only read
for the tensors that are wanted. Two layouts: a zip archive (torch 1.6 and later), and one pickle
after another with the values at the end (before, and `_use_new_zipfile_serialization=False`).
"""

from __future__ import annotations

import io
import mmap
import struct
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from core.checkpoints.formats import check_archive
from core.engine.foreign.pickle_names import Storage, Stored
from core.engine.foreign.pickled import Damaged, read_pickle

MAGIC = 0x1950A86A20F9469CFC6C  # torch.serialization.MAGIC_NUMBER
DTYPES: dict[str, torch.dtype] = {
    name: dtype for name, dtype in vars(torch).items() if isinstance(dtype, torch.dtype)
}


class SavedFile:
    """`loaded` is what was saved, with `Stored` in place of tensors."""

    def __init__(self, path: Path) -> None:
        with open(path, "rb") as file:
            # Private: torch wants memory it may write to, and nothing is written back.
            self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        self._at: dict[str, tuple[int, int]] = {}  # of each storage: where it begins, its bytes
        self._big_endian = False
        self._read: dict[tuple[str, str], torch.Tensor] = {}
        self.loaded: Any = None

    def values(self, tensors: Iterable[Stored]) -> list[torch.Tensor]:
        """Views of storages that are read once each. Raises Damaged where the file holds less than
        a tensor says; `odd` ones have no values."""
        return [self._tensor(tensor) for tensor in tensors]

    def n_values(self, tensor: Stored) -> int:
        """How many values of its type the file holds for it."""
        _, length = self._at.get(tensor.storage.key, (0, 0))
        return length // DTYPES[tensor.dtype].itemsize

    def _tensor(self, tensor: Stored) -> torch.Tensor:
        dtype, storage = DTYPES[tensor.dtype], tensor.storage
        if not tensor.numel():
            return torch.empty(tensor.shape, dtype=dtype)
        values = self._storage(storage, tensor.dtype)
        start = tensor.offset + storage.start
        reach = sum((side - 1) * step for side, step in zip(tensor.shape, tensor.strides))  # noqa: B905
        if start + reach >= len(values):
            raise Damaged("a tensor reaches beyond its storage")
        return values.as_strided(tensor.shape, tensor.strides, start)

    def _storage(self, storage: Storage, dtype: str) -> torch.Tensor:
        key = (storage.key, dtype)
        if key not in self._read:
            if storage.key not in self._at:
                raise Damaged("the values of a tensor are missing")
            start, length = self._at[storage.key]
            size = DTYPES[dtype].itemsize
            data = bytearray(self._bytes[start : start + length - length % size])
            if self._big_endian and size > 1:
                data = _swapped(data, DTYPES[dtype])
            self._read[key] = (
                torch.frombuffer(data, dtype=DTYPES[dtype])
                if data
                else torch.empty(0, dtype=DTYPES[dtype])
            )
        return self._read[key]


class ArchiveFile(SavedFile):
    """Raises InputError where the zip is none that torch.save writes."""

    def __init__(self, path: Path) -> None:
        check_archive(path)
        super().__init__(path)
        with zipfile.ZipFile(path) as archive:
            members = {member.filename: member for member in archive.infolist()}
        place = {name: self._place(member) for name, member in members.items()}
        pickle = next(n for n in members if n.count("/") == 1 and n.endswith("data.pkl"))
        root = pickle.removesuffix("data.pkl")
        self._at = {
            name.removeprefix(f"{root}data/"): where
            for name, where in place.items()
            if name.startswith(f"{root}data/")
        }
        start, length = place.get(f"{root}byteorder", (0, 0))
        self._big_endian = self._bytes[start : start + length] == b"big"
        start, length = place[pickle]
        self.loaded = read_pickle(io.BytesIO(self._bytes[start : start + length]))

    def _place(self, member: zipfile.ZipInfo) -> tuple[int, int]:
        """Where an uncompressed member's bytes begin, and how many they are (APPNOTE 4.3.7)."""
        start = member.header_offset
        header = self._bytes[start : start + 30]
        if len(header) < 30 or header[:4] != b"PK\x03\x04":
            raise Damaged("a member is not where the table of contents says")
        name, extra = struct.unpack("<HH", header[26:30])
        start += 30 + name + extra
        if start + member.file_size > len(self._bytes):
            raise Damaged("a member reaches beyond the file")
        return start, member.file_size


class OldFile(SavedFile):
    """Three pickles that say how it was written, what was saved, the order of the storages, and
    each of them after its number of values."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        file: Any = self._bytes
        first = read_pickle(file)
        if first != MAGIC:  # pickle.dump, or something else
            self.loaded = first
            return
        read_pickle(file)
        read_pickle(file)  # sizes and byte order of that machine; the values are little-endian
        kinds: dict[str, str] = {}
        self.loaded = read_pickle(file, kinds)
        keys = read_pickle(file)
        for key in keys if isinstance(keys, list) else []:
            start = file.tell()
            size = DTYPES.get(kinds.get(str(key), ""), torch.uint8).itemsize
            header = self._bytes[start : start + 8]
            if str(key) not in kinds or len(header) < 8:
                break  # what comes after cannot be found; a tensor that needs it says so
            n = int.from_bytes(header, "little")
            if start + 8 + n * size > len(self._bytes):
                raise Damaged("it ends within a tensor")
            self._at[str(key)] = start + 8, n * size
            file.seek(start + 8 + n * size)


def _swapped(data: bytearray, dtype: torch.dtype) -> bytearray:
    size = dtype.itemsize // 2 if dtype.is_complex else dtype.itemsize
    parts = (data[start::size] for start in reversed(range(size)))
    swapped = bytearray(len(data))
    for place, part in enumerate(parts):
        swapped[place::size] = part
    return swapped
