"""Reading one image file, DICOM or not, as 8-bit grey, or as samples of its full depth."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from core.pictures.deep import DeepTiff, deep_tiff, read_deep_colour, read_tiff, refuse_long_chunks
from core.pictures.framing import Framing
from core.pictures.other_kinds import other_kind
from core.pictures.ranges import range_of_blocks, shown_range
from core.pictures.samples import (
    BLOCK_ROWS,
    FULL,
    JPEG_SCAN,
    MAX_PIXELS,
    NEAR,
    BadImage,
    Samples,
    Window,
    blocks,
    refuse_many_scans,
    refuse_too_large,
)

# Only formats that hold pictures: Pillow would also hand EPS files to an outside interpreter.
FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP", "PPM", "JPEG2000")
KNOWN = ", ".join(("DICOM", *FORMATS))
DEEP_MODES = ("I", "F")
TAKEN_AS_RGB = ("P", "PA", "CMYK", "HSV", "LAB", "RGBX")
# What a DICOM file holds after its first 128 bytes, whatever its name.
DICOM_MARK = b"DICM"
# What Pillow raises for damaged files, beside OSError.
DAMAGE = (
    *(SyntaxError, ValueError, TypeError, EOFError, LookupError, AttributeError, ArithmeticError),
    *(struct.error, zlib.error),
)


def read_grey(
    path: Path,
    size: int | None = None,
    repairs: set[str] | None = None,
    framing: Framing | None = None,
) -> np.ndarray:
    """The image as uint8 grey: (size, size), or (height, width) as stored where size is None.

    - Colour becomes luma by ITU-R BT.601, as in Pillow. Alpha is dropped, not laid over black:
      NIH's RGBA files carry their picture in RGB.
    - Images deeper than 8 bits, colours too, are stretched so that their darkest value is 0 and
      their lightest 255: detectors fill 10 to 14 of 16 bits, and a fixed division would leave them
      nearly black. A few pixels far from all others do not count: `core.pictures.ranges`. A
      constant image becomes 0.
    - DICOM, known by its content, is shown as its own windows say; see `core.pictures.dicom`.
    - The EXIF orientation is applied, so that the model sees what a viewer shows.
    - Of a phone's JPEG the first picture is read; smaller copies beside it are left out.
    - Resizing does not keep the aspect, as in the paper. It is Pillow's antialiased bilinear filter
      on the 8-bit image, equal to torchvision's `Resize((size, size))` on a PIL image. With a
      `framing` the square is cut out of the middle.

    What was repaired or left out is added to `repairs`, as keys of `core.pictures.repairs`.
    Raises BadImage where the file is missing, no picture, damaged, larger than MAX_PIXELS, or has
    more than one frame.
    """
    repairs = set() if repairs is None else repairs
    if is_dicom(path):
        from core.pictures import dicom  # pydicom takes 0.15 s to import, and few have DICOM

        grey = Image.fromarray(dicom.read_grey(path, repairs))
    else:
        with _opened(path, repairs) as image:
            grey = _to_grey(path, image, repairs)
    if size is not None and framing is not None:
        grey = framing.of(grey, size)
    elif size is not None and grey.size != (size, size):
        grey = grey.resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(grey)


def read_samples(path: Path, repairs: set[str] | None = None) -> Samples:
    """The image in its full depth: uint8, or uint16 whose darkest value is 0.

    32-bit integers of a wider range, and floats, are scaled to 16 bits, over the range that
    `read_grey` shows. Raises BadImage.
    """
    repairs = set() if repairs is None else repairs
    if is_dicom(path):
        from core.pictures import dicom

        return dicom.read_samples(path, repairs)
    with _opened(path, repairs) as image:
        if isinstance(image, Image.Image) and not image.mode.startswith(DEEP_MODES):
            return _samples(np.asarray(_to_grey(path, image, repairs)), 0.0, 255.0)
        shown, low, high, whole = _limits(path, image, repairs)
        if not whole or high - low > 65535:
            slope = (shown[1] - shown[0]) / 65535 or 1.0
            values = _stretch(image, *shown, 65535.0, np.uint16)
            return _samples(values, shown[0], 65535.0, slope=slope)
        near = () if shown == (low, high) else (shown,)
        return _samples(_stretch(image, low, high, high - low, np.uint16), low, high - low, *near)


def _samples(
    values: np.ndarray, lowest: float, top: float, *near: tuple[float, float], slope: float = 1.0
) -> Samples:
    """Samples from 0 to `top`, the lowest of which stands for `lowest`; `near`: what to show at
    first, where that is not all."""
    about = Samples(values, (), slope, lowest)
    windows = [Window(NEAR, (low + high) / 2, high - low) for low, high in near]
    return about._replace(windows=(*windows, about.window(FULL, 0.0, max(top, 1.0))))


def pixel_aspect(path: Path) -> float:
    """A pixel's height divided by its width, from the header. Raises BadImage."""
    if is_dicom(path):
        from core.pictures import dicom

        return dicom.read_geometry(path).aspect
    return 1.0


def stored_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels as shown, read from the header. Raises BadImage."""
    if is_dicom(path):
        from core.pictures import dicom

        return dicom.stored_size(path)
    with _damage_named(path):
        if tiff := deep_tiff(path):
            _refuse_unusable_tiff(path, tiff)
            return tiff.width, tiff.height
        with Image.open(path, formats=FORMATS) as image:
            _refuse_unusable(path, image)
            return image.size


def stored_bits(path: Path) -> int:
    """How many bits a sample of the file has, by its header. Raises BadImage."""
    if is_dicom(path):
        from core.pictures import dicom

        return dicom.stored_bits(path)
    with _damage_named(path):
        with open(path, "rb") as file:
            head = file.read(26)
        if head.startswith(b"\x89PNG") and len(head) == 26:
            return max(8, head[24])  # fewer bits are shades, or places in a palette
        if tiff := deep_tiff(path):
            return tiff.itemsize * 8
        with Image.open(path, formats=FORMATS) as image:
            return {"I": 32, "F": 32}.get(image.mode, 16 if image.mode.startswith("I;16") else 8)


def is_dicom(path: Path) -> bool:
    """By content: DICOM files often have no suffix, or any. False where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(132)[128:] == DICOM_MARK
    except OSError:
        return False


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    """Whatever is wrong with the image, now or while it is decoded, is a BadImage."""
    try:
        yield
    except BadImage:
        raise
    except FileNotFoundError as error:
        raise BadImage(path, "there is no such file") from error
    except UnidentifiedImageError as error:
        unknown = f"it is no image in a known format ({KNOWN})"
        raise BadImage(path, other_kind(path) or unknown) from error
    except Image.DecompressionBombError as error:
        raise BadImage(path, f"it claims more than {MAX_PIXELS:,} pixels") from error
    except OSError as error:
        raise BadImage(path, error.strerror or f"it is damaged ({error})") from error
    except DAMAGE as error:
        raise BadImage(path, f"it is damaged ({error})") from error


@contextmanager
def _opened(path: Path, repairs: set[str]) -> Iterator[Image.Image | np.ndarray]:
    """The image as it is looked at: a (height, width) array where Pillow would drop its depth."""
    with _damage_named(path):
        if tiff := deep_tiff(path):
            _refuse_unusable_tiff(path, tiff)
            yield read_tiff(path, tiff)
            return
        with Image.open(path, formats=FORMATS) as image:
            _refuse_unusable(path, image)
            if image.format == "MPO":
                repairs.add("preview")
            if _is_deep_jpeg_2000(path, image):
                repairs.add("depth")
            deep = read_deep_colour(path, image)
            if deep is None:
                ImageOps.exif_transpose(image, in_place=True)
            yield image if deep is None else deep


def _refuse_unusable(path: Path, image: Image.Image) -> None:
    refuse_too_large(path, *image.size)
    if image.format == "PNG":
        refuse_long_chunks(path)
    if image.format in ("JPEG", "MPO"):
        pixels = image.width * image.height
        refuse_many_scans(path, pixels, path.read_bytes().count(JPEG_SCAN))
    frames = getattr(image, "n_frames", 1)
    # MPO is a phone's JPEG: the picture, then smaller copies of it or a map of its depth.
    if frames > 1 and image.format != "MPO":
        raise BadImage(path, f"it holds {frames} frames; only single images are read")


def _refuse_unusable_tiff(path: Path, tiff: DeepTiff) -> None:
    refuse_too_large(path, tiff.width, tiff.height)
    if tiff.several:
        raise BadImage(path, "it holds several frames; only single images are read")


def _is_deep_jpeg_2000(path: Path, image: Image.Image) -> bool:
    """Whether Pillow drops the lower bits of the colours."""
    if image.format != "JPEG2000" or image.mode.startswith((*DEEP_MODES, "L")):
        return False
    with open(path, "rb") as file:
        head = file.read(4096)
    at = head.find(b"\xff\x4f\xff\x51") + 42  # the depth of the first component, less one
    return at > 42 and at < len(head) and (head[at] & 0x7F) + 1 > 8


def _to_grey(path: Path, image: Image.Image | np.ndarray, repairs: set[str]) -> Image.Image:
    if isinstance(image, np.ndarray) or image.mode.startswith(DEEP_MODES):
        (low, high), *_ = _limits(path, image, repairs)
        return Image.fromarray(_stretch(image, low, high, 255.0, np.uint8))
    if image.mode in TAKEN_AS_RGB:
        image = image.convert("RGB")
    return image.convert("L")


def _deep_blocks(image: Image.Image | np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Some rows at a time as numbers: all at once, Pillow would copy the image three times."""
    if isinstance(image, np.ndarray):
        yield from ((rows, image[rows]) for rows in blocks(image))
        return
    for top in range(0, image.height, BLOCK_ROWS):
        rows = image.crop((0, top, image.width, min(top + BLOCK_ROWS, image.height)))
        yield slice(top, top + BLOCK_ROWS), np.asarray(rows)


def _shape(image: Image.Image | np.ndarray) -> tuple[int, ...]:
    return image.shape if isinstance(image, np.ndarray) else (image.height, image.width)


def _limits(
    path: Path, image: Image.Image | np.ndarray, repairs: set[str]
) -> tuple[tuple[float, float], float, float, bool]:
    """The range to show, the smallest and the largest value, and whether all are integers."""
    kind = next(_deep_blocks(image))[1].dtype
    if (kind.kind, kind.itemsize) == ("u", 2):
        counts = np.zeros(2**16, np.int64)
        for _, block in _deep_blocks(image):
            counts += np.bincount(block.ravel(), minlength=2**16)
        values = np.flatnonzero(counts)
        shown, low, high = shown_range(values, counts[values]), values[0], values[-1]
    else:
        n_pixels = int(np.prod(_shape(image)))
        pieces = (block for _, block in _deep_blocks(image))
        *near, low, high = range_of_blocks(pieces, n_pixels)
        shown = near[0], near[1]
        if not np.isfinite(high - low):
            raise BadImage(
                path,
                "it holds values that are not finite, such as NaN; replace them and save it again",
            )
    if shown != (low, high):
        repairs.add("far_pixels")
    return shown, float(low), float(high), kind.kind in "iu"


def _stretch(
    image: Image.Image | np.ndarray, low: float, high: float, top: float, dtype: type[np.generic]
) -> np.ndarray:
    """low..high to 0..top, what lies beyond to the ends; a constant image becomes 0."""
    stretched = np.zeros(_shape(image), dtype)
    if high > low:
        for rows, values in _deep_blocks(image):
            scaled = (values.astype(np.float64) - low) * (top / (high - low))
            stretched[rows] = np.rint(np.clip(scaled, 0, top))
    return stretched
