"""The decoded-image cache: each image file is read and decoded once, for all runs and sparsities.

Images lie in shards of SHARD_IMAGES as uint8 (n, size, size), in the order of the labels. A shard
`shard=0003.npy` counts only with its `shard=0003.json`, written after it, which holds a digest of
the files it was made from (names, sizes, times), their ids, the images that could not be read, and
what was repaired in others.
So a killed decode goes on at the next missing shard, and a changed image or a truncated shard makes
only that shard again.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from core.errors import InputError, WorkError
from core.pictures.framing import Framing
from core.pictures.images import read_grey
from core.pictures.repairs import counted
from core.pictures.samples import BadImage
from core.study import store
from core.study.labels import SPLITS, Labels
from core.study.progress import Advance

SHARD_IMAGES = 4096
# Decoded together before they are written: what bounds the memory.
BATCH_IMAGES = 256
# Raise when the same file gives other pixels than before.
DECODER_VERSION = 4
ABANDONED_AFTER_SECONDS = 3600


@dataclass(frozen=True)
class Pixels:
    """Decoded images on disk. A row is the position of an image in `image_ids`, the images that
    could be read, in the order of the labels: the rows of `without_skipped(labels, pixels).table`.

    `positions` says where each row lies on disk; `skipped` lists image_id and reason; `repairs`
    counts images by what had to be repaired in them, see `core.pictures.repairs.counted`.
    """

    folder: Path
    image_size: int
    image_ids: pd.Index
    positions: np.ndarray
    skipped: list[dict[str, str]]
    digest: str  # of the decoded pixels, wherever their files lie
    repairs: list[dict[str, Any]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.image_ids)

    def rows(self, image_ids: pd.Series | list[str]) -> np.ndarray:
        """int64 rows of some images. Raises InputError that names one that is not there."""
        wanted = pd.Index(image_ids)
        rows = self.image_ids.get_indexer(wanted)
        if (rows < 0).any():
            raise InputError(
                f"Image {wanted[int(np.argmax(rows < 0))]!r} is not among the {len(self):,} images "
                f"decoded in {self.folder}."
            )
        return rows.astype(np.int64)

    def read(self, rows: np.ndarray) -> np.ndarray:
        """(len(rows), size, size) uint8, in the order of `rows`."""
        rows = np.asarray(rows, dtype=np.int64)
        if len(rows) and (rows.min() < 0 or rows.max() >= len(self)):
            raise IndexError(f"rows {rows.min()} to {rows.max()} of {len(self)} images")
        images = np.empty((len(rows), self.image_size, self.image_size), np.uint8)
        shards, offsets = np.divmod(self.positions[rows], SHARD_IMAGES)
        for shard in np.unique(shards):
            here = shards == shard
            images[here] = self._shards[shard][offsets[here]]
        return images

    @cached_property
    def _shards(self) -> list[np.ndarray]:
        n_shards = 1 + int(self.positions.max()) // SHARD_IMAGES
        return [np.load(shard_path(self.folder, shard), mmap_mode="r") for shard in range(n_shards)]

    def __getstate__(self) -> dict[str, Any]:
        # Another process opens the files itself; their content is not sent along.
        return {name: value for name, value in self.__dict__.items() if name != "_shards"}


def shard_path(folder: Path, shard: int) -> Path:
    return folder / f"shard={shard:04d}.npy"


def decode(
    labels: Labels,
    base: Path,
    image_size: int,
    folder: Path,
    on_bad_image: Literal["fail", "skip"] = "fail",
    advance: Advance | None = None,
    framing: Framing | None = None,
) -> Pixels:
    """Decode what is not yet in `folder`; image paths are relative to `base`.

    `advance(done, total)` counts images. With "fail", raises InputError naming a missing image at
    once, or a broken one after all are decoded, so that one attempt counts them all and nothing is
    decoded twice. With "skip" they are in `Pixels.skipped`. Without any image: InputError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(folder)
    ids, paths = labels.table["image_id"].tolist(), labels.table["path"].tolist()
    states = [_file_state(base / path) for path in paths]
    missing = [
        {"image_id": image_id, "reason": state}
        for image_id, state in zip(ids, states, strict=True)
        if isinstance(state, str)
    ]
    if on_bad_image == "fail":
        _refuse(missing, len(ids), base)
    there = [row for row, state in enumerate(states) if not isinstance(state, str)]
    broken, repaired, contents, done = [], [], [], 0
    with ThreadPoolExecutor(_n_threads()) as pool:
        for shard, start in enumerate(range(0, len(there), SHARD_IMAGES)):
            rows = there[start : start + SHARD_IMAGES]
            files = [(ids[row], paths[row], *states[row]) for row in rows]
            record = _record(folder, shard, files, base, image_size)
            if record is None:
                report = _counter(advance, done, len(there))
                record = _decode_shard(
                    folder, shard, files, base, image_size, pool, report, framing
                )
            broken += record["skipped"]
            repaired += record["repaired"]
            contents.append(record["pixels"])
            done += len(rows)
            if advance:
                advance(done, len(there))
    _remove_beyond(folder, -(-len(there) // SHARD_IMAGES))
    if on_bad_image == "fail":
        _refuse(broken, len(ids), base)
    skipped = missing + broken
    if len(skipped) == len(ids):
        raise InputError(
            f"None of the {len(ids):,} images below {base} can be used; the first, {ids[0]}: "
            f"{skipped[0]['reason']}."
        )
    bad = {item["image_id"] for item in broken}
    positions = [position for position, row in enumerate(there) if ids[row] not in bad]
    kept = pd.Index([ids[there[position]] for position in positions])
    digest = hashlib.sha256("".join(contents).encode()).hexdigest()
    at, repairs = np.array(positions, np.int64), counted(repaired)
    pixels = Pixels(folder, image_size, kept, at, skipped, digest, repairs)
    _ = pixels._shards  # open now: another decode may replace the files, not what is open
    return pixels


def without_skipped(labels: Labels, pixels: Pixels) -> Labels:
    """The labels without the images that could not be read; row numbers then equal those of
    `pixels`. Raises InputError where a split loses its last image."""
    if not pixels.skipped:
        return labels
    table = labels.table[labels.table["image_id"].isin(pixels.image_ids)]
    for split in SPLITS:
        if (labels.table["split"] == split).any() and not (table["split"] == split).any():
            raise InputError(
                f"No image of the {split} split can be read; {len(pixels.skipped):,} images are "
                f"skipped, the first is {pixels.skipped[0]['image_id']}: "
                f"{pixels.skipped[0]['reason']}."
            )
    return Labels(table, labels.class_names)


def refuse_many_skipped(pixels: Pixels, n_images: int, share: float) -> None:
    """Raises InputError where more than `share` of the images were left out."""
    n = len(pixels.skipped)
    if n > share * n_images:
        first = pixels.skipped[0]
        raise InputError(
            f"{n:,} of {n_images:,} images cannot be used, and dataset.bad_image_share allows "
            f"{share:.2%}. The first is {first['image_id']}: {first['reason']}. Replace such "
            "images, or allow more."
        )


def _file_state(path: Path) -> tuple[int, int] | str:
    """(bytes, modification time in ns), or the reason why there is no such file."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return "there is no such file"
    except OSError as error:
        return error.strerror or str(error)
    return status.st_size, status.st_mtime_ns


def _refuse(bad: list[dict[str, str]], n_images: int, base: Path) -> None:
    if bad:
        more = (
            f" {len(bad) - 1:,} more of {n_images:,} cannot be used either." if len(bad) > 1 else ""
        )
        raise InputError(
            f"The image {bad[0]['image_id']} below {base} cannot be used: {bad[0]['reason']}."
            f'{more} Replace such images, or set dataset.on_bad_image = "skip" to leave them out.'
        )


def _record(
    folder: Path, shard: int, files: list[tuple], base: Path, image_size: int
) -> dict[str, Any] | None:
    """The record of a shard that is whole and made from `files`, else None.

    What could not be read is tried again: a drive or a permission may have come back.
    """
    record = store.read_json(_record_path(folder, shard))
    if not isinstance(record, dict) or record.get("digest") != _digest(files, image_size):
        return None
    path, shape = shard_path(folder, shard), (len(files), image_size, image_size)
    try:
        images = np.load(path, mmap_mode="r")
        whole = images.offset + images.nbytes == path.stat().st_size
    except (OSError, ValueError, EOFError):
        return None
    if not whole or images.shape != shape or images.dtype != np.uint8:
        return None
    bad = {item["image_id"] for item in record["skipped"]}
    again = (base / file[1] for file in files if file[0] in bad)
    return None if any(_readable(path) for path in again) else record


def _readable(path: Path) -> bool:
    try:
        read_grey(path)
    except BadImage:
        return False
    return True


def _record_path(folder: Path, shard: int) -> Path:
    return shard_path(folder, shard).with_suffix(".json")


def _digest(files: list[tuple], image_size: int) -> str:
    return hashlib.sha256(repr((DECODER_VERSION, image_size, files)).encode()).hexdigest()


def _decode_shard(
    folder: Path,
    shard: int,
    files: list[tuple],
    base: Path,
    image_size: int,
    pool: ThreadPoolExecutor,
    report: Callable[[int], None],
    framing: Framing | None,
) -> dict[str, Any]:
    # The record of an older shard must not come to stand beside the new one.
    _record_path(folder, shard).unlink(missing_ok=True)
    skipped: list[dict[str, str]] = []
    repaired: list[tuple[str, list[str]]] = []
    content = hashlib.sha256()

    def read(file: tuple) -> tuple[np.ndarray | BadImage, set[str]]:
        repairs: set[str] = set()
        try:
            return read_grey(base / file[1], image_size, repairs, framing), repairs
        except BadImage as error:
            return error, set()

    def batches() -> Iterator[np.ndarray]:
        for start in range(0, len(files), BATCH_IMAGES):
            batch = files[start : start + BATCH_IMAGES]
            images = np.zeros((len(batch), image_size, image_size), np.uint8)
            read_ones = zip(batch, pool.map(read, batch), strict=True)
            for row, (file, (image, repairs)) in enumerate(read_ones):
                if repairs:
                    repaired.append((file[0], sorted(repairs)))
                if isinstance(image, BadImage):
                    skipped.append({"image_id": file[0], "reason": image.reason})
                else:
                    images[row] = image
            content.update(images.tobytes())
            yield images
            report(start + len(batch))

    path = shard_path(folder, shard)
    try:
        _write_array(path, (len(files), image_size, image_size), batches())
    except OSError as error:
        raise WorkError(f"Cannot write {path}: {error.strerror or error}.") from error
    record = {
        "digest": _digest(files, image_size),
        "image_ids": [file[0] for file in files],
        "pixels": content.hexdigest(),
        "skipped": skipped,
        "repaired": repaired,
    }
    store.write_json(record, _record_path(folder, shard))
    return record


def _write_array(path: Path, shape: tuple[int, ...], batches: Iterator[np.ndarray]) -> None:
    """Write a uint8 .npy of `shape` piece by piece, whole or not at all."""
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    with store.whole_file(path) as temporary, open(temporary, "wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for images in batches:
            file.write(images.tobytes())


def _counter(advance: Advance | None, before: int, total: int) -> Callable[[int], None]:
    """A report of images done within a shard, counted on from the shards before."""
    return lambda done: advance(before + done, total) if advance else None


def _n_threads() -> int:
    """Two a processor: while one waits for the disk, another decodes."""
    return min(32, 2 * (os.cpu_count() or 1))


def _remove_abandoned(folder: Path) -> None:
    """Remove what a killed decode left; one still at work has written to its file recently."""
    for path in folder.glob(".*.tmp"):
        if time.time() - path.stat().st_mtime > ABANDONED_AFTER_SECONDS:
            path.unlink(missing_ok=True)


def _remove_beyond(folder: Path, n_shards: int) -> None:
    """Remove shards of a time when there were more images."""
    for path in folder.glob("shard=*.*"):
        if path.stem.removeprefix("shard=").isdigit() and int(path.stem[6:]) >= n_shards:
            path.unlink(missing_ok=True)
