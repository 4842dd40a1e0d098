"""Reading one image file, DICOM or not, as 8-bit grey, or as samples of its full depth."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from core.errors import InputError

# Only formats that hold pictures: Pillow would also hand EPS files to an outside interpreter.
FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP", "PPM", "JPEG2000")
KNOWN = ", ".join(("DICOM", *FORMATS))
# A chest X-ray has 1 to 15 million pixels; a few bytes can claim to be far more.
MAX_PIXELS = 80_000_000
# Pixels times scans of a JPEG: each scan goes over all of them, and a file may have thousands.
MAX_SCANNED = 20 * MAX_PIXELS
JPEG_SCAN = b"\xff\xda"
DEEP_MODES = ("I", "F")
TAKEN_AS_RGB = ("P", "PA", "CMYK", "HSV", "LAB", "RGBX")
# What a DICOM file holds after its first 128 bytes, whatever its name.
DICOM_MARK = b"DICM"
# Worked on at a time, so that a large image takes little more memory than itself.
BLOCK_ROWS = 256
# What Pillow raises for damaged files, beside OSError.
DAMAGE = (
    *(SyntaxError, ValueError, TypeError, EOFError, LookupError, AttributeError, ArithmeticError),
    *(struct.error, zlib.error),
)


class BadImage(InputError):  # noqa: N818, reads as what it names
    """An image file that cannot be used; `path` and `reason` say which and why."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"The image {path} cannot be used: {reason}.")
        self.path, self.reason = Path(path), reason

    def __reduce__(self) -> tuple:
        return BadImage, (self.path, self.reason)


class Window(NamedTuple):
    """Black up to center - width / 2, white from center + width / 2, in units of the samples."""

    name: str
    center: float
    width: float


class Samples(NamedTuple):
    """(height, width) uint8 or uint16, 0 is black; the windows that the file itself names."""

    values: np.ndarray
    windows: tuple[Window, ...] = ()


def read_grey(path: Path, size: int | None = None) -> np.ndarray:
    """The image as uint8 grey: (size, size), or (height, width) as stored where size is None.

    - Colour becomes luma by ITU-R BT.601, as in Pillow. Alpha is dropped, not laid over black:
      NIH's RGBA files carry their picture in RGB.
    - Images deeper than 8 bits are stretched so that their darkest value is 0 and their lightest
      255: detectors fill 10 to 14 of 16 bits, and a fixed division would leave them nearly black.
      A constant image becomes 0.
    - DICOM, known by its content, is shown as its own windows say; see `core.pictures.dicom`.
    - The EXIF orientation is applied, so that the model sees what a viewer shows.
    - Resizing does not keep the aspect, as in the paper. It is Pillow's antialiased bilinear filter
      on the 8-bit image, equal to torchvision's `Resize((size, size))` on a PIL image.

    Raises BadImage where the file is missing, no picture, damaged, larger than MAX_PIXELS, or has
    more than one frame.
    """
    if is_dicom(path):
        from core.pictures import dicom  # pydicom is loaded by those who have DICOM

        grey = Image.fromarray(dicom.read_grey(path))
    else:
        with _opened(path) as image:
            ImageOps.exif_transpose(image, in_place=True)
            grey = _to_grey(path, image)
    if size is not None and grey.size != (size, size):
        grey = grey.resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(grey)


def read_samples(path: Path) -> Samples:
    """The image in its full depth: uint8, or uint16 whose darkest value is 0.

    32-bit integers of a wider range, and floats, are scaled to 16 bits. Raises BadImage.
    """
    if is_dicom(path):
        from core.pictures import dicom

        return dicom.read_samples(path)
    with _opened(path) as image:
        ImageOps.exif_transpose(image, in_place=True)
        if not image.mode.startswith(DEEP_MODES):
            return Samples(np.asarray(_to_grey(path, image)))
        low, high, whole = _limits(path, image)
        top = high - low if whole and high - low <= 65535 else 65535.0
        return Samples(_stretch(image, low, high, top, np.uint16))


def stored_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels as stored, read from the header. Raises BadImage."""
    if is_dicom(path):
        from core.pictures import dicom

        return dicom.stored_size(path)
    with _opened(path) as image:
        return image.size


def is_dicom(path: Path) -> bool:
    """By content: DICOM files often have no suffix, or any. False where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(132)[128:] == DICOM_MARK
    except OSError:
        return False


def looked_up(table: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """table[codes] of (height, width) codes; at once numpy would make 64-bit indices of all."""
    values = np.empty(codes.shape, table.dtype)
    for rows in blocks(codes):
        values[rows] = table[codes[rows]]
    return values


def histogram(codes: np.ndarray, n_codes: int) -> np.ndarray:
    """How often each of 0 .. n_codes - 1 occurs in (height, width) codes."""
    counts = np.zeros(n_codes, np.int64)
    for rows in blocks(codes):
        counts += np.bincount(codes[rows].ravel(), minlength=n_codes)
    return counts


def blocks(values: np.ndarray) -> Iterator[slice]:
    return (slice(row, row + BLOCK_ROWS) for row in range(0, len(values), BLOCK_ROWS))


def refuse_too_large(path: Path, width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise BadImage(
            path, f"it claims {width:,} x {height:,} pixels; allowed are {MAX_PIXELS:,} in all"
        )


def refuse_many_scans(path: Path, n_pixels: int, n_scans: int) -> None:
    if n_pixels * n_scans > MAX_SCANNED:
        raise BadImage(path, f"it has {n_scans:,} scans, which would take too long to decode")


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """The open image; whatever is wrong with it, now or while it is decoded, is a BadImage."""
    try:
        with Image.open(path, formats=FORMATS) as image:
            _refuse_unusable(path, image)
            yield image
    except BadImage:
        raise
    except FileNotFoundError as error:
        raise BadImage(path, "there is no such file") from error
    except UnidentifiedImageError as error:
        raise BadImage(path, f"it is no image in a known format ({KNOWN})") from error
    except Image.DecompressionBombError as error:
        raise BadImage(path, f"it claims more than {MAX_PIXELS:,} pixels") from error
    except OSError as error:
        raise BadImage(path, error.strerror or f"it is damaged ({error})") from error
    except DAMAGE as error:
        raise BadImage(path, f"it is damaged ({error})") from error


def _refuse_unusable(path: Path, image: Image.Image) -> None:
    refuse_too_large(path, *image.size)
    if image.format == "JPEG":
        pixels = image.width * image.height
        refuse_many_scans(path, pixels, path.read_bytes().count(JPEG_SCAN))
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        raise BadImage(path, f"it holds {frames} frames; only single images are read")


def _to_grey(path: Path, image: Image.Image) -> Image.Image:
    if image.mode.startswith(DEEP_MODES):
        low, high, _ = _limits(path, image)
        return Image.fromarray(_stretch(image, low, high, 255.0, np.uint8))
    if image.mode in TAKEN_AS_RGB:
        image = image.convert("RGB")
    return image.convert("L")


def _deep_blocks(image: Image.Image) -> Iterator[tuple[slice, np.ndarray]]:
    """Some rows at a time as numbers: all at once, Pillow would copy the image three times."""
    for top in range(0, image.height, BLOCK_ROWS):
        rows = image.crop((0, top, image.width, min(top + BLOCK_ROWS, image.height)))
        yield slice(top, top + BLOCK_ROWS), np.asarray(rows)


def _limits(path: Path, image: Image.Image) -> tuple[float, float, bool]:
    """The smallest and largest value, and whether all are integers."""
    low, high, whole = np.inf, -np.inf, True
    for _, values in _deep_blocks(image):
        if not np.isfinite(values).all():
            raise BadImage(path, "it holds values that are not finite")
        low, high = min(low, float(values.min())), max(high, float(values.max()))
        whole = whole and values.dtype.kind in "iu"
    return low, high, whole


def _stretch(
    image: Image.Image, low: float, high: float, top: float, dtype: type[np.generic]
) -> np.ndarray:
    """low..high to 0..top; a constant image becomes 0."""
    stretched = np.zeros((image.height, image.width), dtype)
    if high > low:
        for rows, values in _deep_blocks(image):
            stretched[rows] = np.rint((values.astype(np.float64) - low) * (top / (high - low)))
    return stretched
