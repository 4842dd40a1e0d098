"""The bytes of X-rays for the browser: thumbnails, whole images, and samples of full depth.

Thumbnails are made once and kept on disk, as PNG: without loss, with checksums that show damage.
Measured on 1,024 x 1,024 images: reading 10 ms, shrinking to 256 pixels 2.6 ms, PNG 1.8 ms and
32 kB; WebP of quality 90 would take 3.7 ms and 7 kB, JPEG of quality 95 0.2 ms and 16 kB, both off
by up to 12 and 8 of 256 greys: most of the time is reading, so there is little to gain. 10,000
thumbnails are 320 MB.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import os
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from threading import Lock

import numpy as np
from PIL import Image, ImageDraw

from core.pictures.images import pixel_aspect, read_grey, read_samples
from core.pictures.samples import MAX_PIXELS, Samples, Window, histogram
from core.study import paths, store

# Raise when the same file gives another picture than before.
DRAWING_VERSION = 3
# All thumbnails together; the oldest go first.
MOST_DISK_BYTES = 2 * 10**9
MOST_MEMORY_BYTES = 64 * 10**6
# After eviction the folder is this full, so that not every new thumbnail evicts one.
KEPT_SHARE = 0.9
# What share of the samples lies below each end; of chest X-rays the air is the darker part.
PERCENTILES = {
    "Middle 98 %": (1.0, 99.0),
    "Darker part (lungs)": (1.0, 60.0),
    "Lighter part (mediastinum, bones)": (40.0, 99.5),
}


class ByteCache:
    """The bytes used last, up to `most` in all; anything larger than an eighth is not kept."""

    def __init__(self, most: int) -> None:
        self._most, self._size, self._lock = most, 0, Lock()
        self._kept: OrderedDict[str, bytes] = OrderedDict()

    @property
    def size(self) -> int:
        return self._size

    def get(self, key: str) -> bytes | None:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def put(self, key: str, value: bytes) -> None:
        if len(value) > self._most // 8:
            return
        with self._lock:
            self._size += len(value) - len(self._kept.pop(key, b""))
            self._kept[key] = value
            while self._size > self._most:
                self._size -= len(self._kept.popitem(last=False)[1])

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()
            self._size = 0


IN_MEMORY = ByteCache(MOST_MEMORY_BYTES)


def picture(path: Path, size: int | None) -> bytes:
    """A greyscale PNG of at most `size` pixels a side, never enlarged, or as stored for None.

    Kept in memory, and with a size on disk, until the file changes; a damaged thumbnail is made
    again. Raises BadImage, or OSError where there is no such file.
    """
    key = _key(path, size)
    png = IN_MEMORY.get(key)
    if png is None:
        png = _thumbnail(path, size, key) if size else _png(_square_pixels(path))
        IN_MEMORY.put(key, png)
    return png


def pixels(path: Path) -> tuple[bytes, dict[str, str]]:
    """The samples of `read_samples` row by row, then its curves one after the other, 16-bit ones
    little-endian; and the header X-Xray, JSON with the fields of `core.pictures.samples.Samples`:

    - width, height (of the samples) and bits (8 or 16), of the samples
    - slope, intercept, units, padding: what value a sample stands for
    - windows: name, center, width, function, curve; the first shows what `read_grey` does. Added
      are some between percentiles of what is neither wholly black nor white.
    - curves: how many entries each has
    - spacing, measured, right, down: of `core.pictures.samples.Geometry`

    Raises BadImage, or OSError where there is no such file.
    """
    samples = read_samples(path)
    height, width = samples.values.shape
    windows = [*samples.windows, *_presets(samples)]
    about = {
        "width": width,
        "height": height,
        "bits": 8 * samples.values.itemsize,
        "slope": samples.slope,
        "intercept": samples.intercept,
        "units": samples.units,
        "padding": samples.padding,
        "windows": [one._asdict() for one in windows],
        "curves": [len(curve) for curve in samples.curves],
        **samples.geometry._asdict(),
    }
    parts = (samples.values, *samples.curves)
    content = b"".join(
        np.ascontiguousarray(one, one.dtype.newbyteorder("<")).tobytes() for one in parts
    )
    return content, {"X-Xray": json.dumps(about)}


@lru_cache(maxsize=1)
def placeholder() -> bytes:
    """The PNG shown in place of an image that cannot be read."""
    image = Image.new("L", (256, 256), 40)
    draw, text = ImageDraw.Draw(image), "This image\ncannot be read"
    draw.text((128, 128), text, fill=230, anchor="mm", align="center", font_size=22)
    return _png(image)


def evict(folder: Path | None = None, most: int = MOST_DISK_BYTES) -> None:
    """Remove the oldest thumbnails where all together exceed `most` bytes."""
    files = []
    for shelf in os.scandir(folder or paths.thumbnails_dir()):
        for file in os.scandir(shelf.path) if shelf.is_dir() else ():
            with suppress(FileNotFoundError):  # another process evicts as well
                status = file.stat()
                files.append((status.st_mtime_ns, status.st_size, file.path))
    total = sum(size for _, size, _ in files)
    if total <= most:
        return
    for _, size, path in sorted(files):
        with suppress(OSError):
            Path(path).unlink()
        total -= size
        if total <= KEPT_SHARE * most:
            return


def forget(images: Iterable[Path], sizes: Iterable[int]) -> None:
    """Delete the thumbnails, of these sizes, of images that will be deleted next."""
    for path, size in itertools.product(images, sizes):
        with suppress(OSError):
            paths.thumbnail_path(_key(path, size)).unlink(missing_ok=True)


def _key(path: Path, size: int | None) -> str:
    status = path.stat()
    parts = (str(path.resolve()), status.st_mtime_ns, status.st_size, size, DRAWING_VERSION)
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _thumbnail(path: Path, size: int, key: str) -> bytes:
    kept = paths.thumbnail_path(key)
    png = _read_whole(kept)
    if png is None:
        image = _square_pixels(path)
        image.thumbnail((size, size), Image.Resampling.LANCZOS)
        png = _png(image)
        with suppress(OSError):  # a cache that may not be written only makes the next call slower
            with store.whole_file(kept) as temporary:
                temporary.write_bytes(png)
            if key[2:4] == "00":  # one in 256, whichever process makes it: looking takes a while
                evict()
    return png


def _square_pixels(path: Path) -> Image.Image:
    """In the proportions of what was imaged. The coarser side of pixels that are not square is
    enlarged, so that nothing is lost, or in a very large image the finer one reduced."""
    image, aspect = Image.fromarray(read_grey(path)), pixel_aspect(path)
    if aspect == 1:
        return image
    wider, higher = max(1.0, 1 / aspect), max(1.0, aspect)
    if image.width * wider * image.height * higher > MAX_PIXELS:
        wider, higher = 1 / higher, 1 / wider
    size = max(1, round(image.width * wider)), max(1, round(image.height * higher))
    return image.resize(size, Image.Resampling.BILINEAR)


def _read_whole(path: Path) -> bytes | None:
    """A PNG whose checksums hold, else None."""
    try:
        png = path.read_bytes()
        with Image.open(io.BytesIO(png), formats=("PNG",)) as image:
            image.verify()
    except (OSError, SyntaxError, ValueError):
        return None
    return png


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _presets(samples: Samples) -> list[Window]:
    values = samples.values
    counts = histogram(values, int(values.max()) + 1)
    counts[0] = counts[-1] = 0  # collimation, markers, what is burnt out
    if samples.padding and len(counts) > 1:
        counts[1] = 0
    below, windows = counts.cumsum(), []
    for name, ends in PERCENTILES.items():
        low, high = (int(np.searchsorted(below, share / 100 * below[-1])) for share in ends)
        if low < high:
            windows.append(samples.window(name, low, high))
    return windows
