"""Images deeper than 8 bits whose depth Pillow drops, or which it does not know.

Pillow reads 16-bit grey, but of 16-bit colours and grey with alpha the upper byte only, and of TIFF
not every kind: no big-endian white-is-zero, no half or double floats. TIFF of 16 bits and more is
decoded by libtiff (which Pillow uses as well) through imagecodecs; PNG and PPM by Pillow, whose
second look at the file gives the lower bytes.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import BinaryIO, NamedTuple

import imagecodecs
import numpy as np
from PIL import Image, ImageFile

# Of a decoded TIFF: 16-bit colour of as many pixels as are allowed anywhere.
MAX_BYTES = 6 * 80_000_000
DEEP_PNG = ("RGB;16B", "RGBA;16B", "LA;16B")
TIFF_MARKS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
WIDTH, HEIGHT, BITS, PHOTOMETRIC, ORIENTATION, SAMPLES, FORMAT = WANTED = (
    256, 257, 258, 262, 274, 277, 339
)  # fmt: skip
NUMBERS = {1: "B", 3: "H", 4: "I", 16: "Q"}  # a TIFF's types of whole numbers
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB = 0, 1, 2
SIGNED = 2  # a format of samples
MOST_SAMPLES = 8
MOST_ENTRIES = 4096
ROWS = 256  # worked on at a time


class DeepTiff(NamedTuple):
    """What the first directory says of a TIFF that Pillow does not read in full."""

    width: int
    height: int
    photometric: int
    n_samples: int
    itemsize: int
    orientation: int
    several: bool  # more images follow


def deep_tiff(path: Path) -> DeepTiff | None:
    """Of a TIFF of 16, 32 or 64 bits, or of 8 with a sign, in grey or RGB, with or without alpha;
    None for other files.

    Raises ValueError or struct.error for a damaged directory.
    """
    with open(path, "rb") as file:
        begin = file.read(16)
        if begin[:4] not in TIFF_MARKS:
            return None
        order, big = ("<" if begin[:1] == b"I" else ">"), b"+" in begin[:4]
        file.seek(struct.unpack_from(f"{order}Q", begin, 8)[0] if big
                  else struct.unpack_from(f"{order}I", begin, 4)[0])  # fmt: skip
        first = file.tell()
        tags, after = _directory(file, order, big)
        # Beyond the end, or back to itself, is no image, which Pillow passes over as well.
        several = after not in (0, first) and after < os.fstat(file.fileno()).st_size
    bits, n_samples = tags.get(BITS, (1,)), tags.get(SAMPLES, (1,))[0]
    photometric = tags.get(PHOTOMETRIC, (BLACK_IS_ZERO,))[0]
    # Pillow takes the sign of 8 bits for a bit like the others.
    known = (8, 16, 32, 64) if tags.get(FORMAT, (1,))[0] == SIGNED else (16, 32, 64)
    if bits[0] not in known or len(set(bits)) > 1 or not 1 <= n_samples <= MOST_SAMPLES:
        return None
    if photometric not in (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB):
        return None
    if photometric == RGB and n_samples < 3:
        return None
    if not tags.get(WIDTH, (0,))[0] or not tags.get(HEIGHT, (0,))[0]:
        raise ValueError("a TIFF without width or height")
    return DeepTiff(
        tags[WIDTH][0],
        tags[HEIGHT][0],
        photometric,
        n_samples,
        bits[0] // 8,
        tags.get(ORIENTATION, (1,))[0],
        several,
    )


def _directory(file: BinaryIO, order: str, big: bool) -> tuple[dict[int, tuple[int, ...]], int]:
    """The numbers of WANTED in the directory where `file` stands, and where the next one is."""
    counted, entry = (f"{order}Q", f"{order}HHQ8s") if big else (f"{order}H", f"{order}HHI4s")
    (n_entries,) = struct.unpack(counted, file.read(struct.calcsize(counted)))
    if n_entries > MOST_ENTRIES:
        raise ValueError(f"a TIFF directory of {n_entries} entries")
    size = struct.calcsize(entry)
    content = file.read(n_entries * size)
    following = f"{order}{'Q' if big else 'I'}"
    after = file.read(struct.calcsize(following)).ljust(8, b"\0")
    tags: dict[int, tuple[int, ...]] = {}
    for tag, kind, count, value in struct.iter_unpack(entry, content):
        if tag not in WANTED or kind not in NUMBERS or not 1 <= count <= MOST_SAMPLES:
            continue
        if tag in tags:  # libtiff may take the other one
            raise ValueError(f"TIFF tag {tag} is there twice")
        numbers = f"{order}{count}{NUMBERS[kind]}"
        if struct.calcsize(numbers) > len(value):
            file.seek(struct.unpack(following, value)[0])
            value = file.read(struct.calcsize(numbers))
        tags[tag] = struct.unpack_from(numbers, value)
    return tags, int(struct.unpack_from(following, after)[0])


def read_tiff(path: Path, header: DeepTiff) -> np.ndarray:
    """(height, width) numbers of a TIFF, darker ones lower; colours as luma, without alpha.

    Raises ValueError where it is damaged or larger than MAX_BYTES.
    """
    shape = (header.height, header.width)
    if header.height * header.width * header.n_samples * header.itemsize > MAX_BYTES:
        raise ValueError(f"it holds more than {MAX_BYTES // 10**6} MB")
    try:
        values = imagecodecs.tiff_decode(path.read_bytes())
    except RuntimeError as error:  # imagecodecs' own
        raise ValueError(str(error)[:200]) from error
    if values.dtype.kind not in "iuf" or values.size != np.prod(shape) * header.n_samples:
        raise ValueError("it decodes to another size than it claims")
    if header.n_samples > 1 and values.shape == (header.n_samples, *shape):  # plane by plane
        values = np.moveaxis(values, 0, 2)
    values = values.reshape(*shape, header.n_samples)
    grey = luma(values) if header.photometric == RGB else np.ascontiguousarray(values[:, :, 0])
    if header.photometric == WHITE_IS_ZERO:
        np.negative(grey, out=grey) if grey.dtype.kind == "f" else np.invert(grey, out=grey)
    return turned(grey, header.orientation)


def read_deep_colour(path: Path, image: ImageFile.ImageFile) -> np.ndarray | None:
    """(height, width) uint16 luma of a 16-bit PNG or PPM with colours or alpha, the latter left
    out; None for other images. `image` is open and not loaded yet."""
    tile = image.tile[0] if len(image.tile) == 1 else None
    if tile is None:
        return None
    if image.format == "PPM" and image.mode == "RGB" and tile.codec_name == "ppm":
        if not isinstance(tile.args, tuple) or tile.args[1] <= 255:
            return None
        with open(path, "rb") as file:
            file.seek(tile.offset)
            content = file.read(image.width * image.height * 6)
        if len(content) < image.width * image.height * 6:
            raise ValueError("image file is truncated")
        return luma(np.frombuffer(content, ">u2").reshape(image.height, image.width, 3))
    if image.format != "PNG" or tile.args not in DEEP_PNG:
        return None
    if tile.args == "LA;16B":  # four bytes a pixel, as RGBA has: grey, then alpha
        image.tile = [tile._replace(args="RGBA")]
        both = np.asarray(image)
        return turned(_joined(both[:, :, 0], both[:, :, 1]), _orientation(image))
    upper = np.asarray(image)
    with Image.open(path, formats=("PNG",)) as again:
        again.tile = [again.tile[0]._replace(args=tile.args.replace("16B", "16L"))]
        lower = np.asarray(again)
    colours = np.empty((image.height, image.width), np.uint16)
    for top in range(0, image.height, ROWS):
        rows = slice(top, top + ROWS)
        colours[rows] = luma(_joined(upper[rows, :, :3], lower[rows, :, :3]))
    return turned(colours, _orientation(image))


def refuse_long_chunks(path: Path) -> None:
    """Pillow asks for as much memory as the last chunk of pixels claims to be long."""
    n_bytes, at = path.stat().st_size, 8
    with open(path, "rb") as file:
        while at + 8 <= n_bytes:
            file.seek(at)
            length, name = struct.unpack(">I4s", file.read(8))
            if name == b"IEND":  # what follows is nobody's
                return
            if length > n_bytes:
                part = name.decode("ascii", "replace")
                raise ValueError(f"truncated: its part {part} is to have {length:,} bytes")
            at += 12 + length


def luma(colours: np.ndarray) -> np.ndarray:
    """(height, width, 3 or more) to (height, width) of the same type, by ITU-R BT.601: integers
    rounded as Pillow does."""
    grey = np.empty(colours.shape[:2], colours.dtype.newbyteorder("="))
    for top in range(0, len(colours), ROWS):
        rows = colours[top : top + ROWS]
        if colours.dtype.kind == "u" and colours.itemsize <= 2:
            red, green, blue = (rows[:, :, at].astype(np.uint32) for at in range(3))
            grey[top : top + ROWS] = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16
        else:
            red, green, blue = (rows[:, :, at].astype(float) for at in range(3))
            mixed = (red * 19595 + green * 38470 + blue * 7471) / 65536
            grey[top : top + ROWS] = mixed if colours.dtype.kind == "f" else np.rint(mixed)
    return grey


def turned(values: np.ndarray, orientation: int) -> np.ndarray:
    """As EXIF's and TIFF's orientation says, 1 to 8; any other number turns nothing."""
    return {
        2: lambda: values[:, ::-1],
        3: lambda: values[::-1, ::-1],
        4: lambda: values[::-1],
        5: lambda: values.T,
        6: lambda: np.rot90(values, -1),
        7: lambda: values[::-1, ::-1].T,
        8: lambda: np.rot90(values),
    }.get(orientation, lambda: values)()


def _joined(upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
    return (upper.astype(np.uint16) << 8) | lower


def _orientation(image: Image.Image) -> int:
    return image.getexif().get(0x0112, 1)
