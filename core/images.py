"""Reading one image file as 8-bit grey, whatever mode it was saved in."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from core.errors import InputError

# Only formats that hold pictures: Pillow would also hand EPS files to an outside interpreter.
FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP", "PPM", "JPEG2000")
# A chest X-ray has 1 to 15 million pixels; a few bytes can claim to be far more.
MAX_PIXELS = 80_000_000
DEEP_MODES = ("I", "F")
TAKEN_AS_RGB = ("P", "PA", "CMYK", "HSV", "LAB", "RGBX")
# What Pillow raises for damaged files, beside OSError.
DAMAGE = (SyntaxError, ValueError, TypeError, EOFError, IndexError, struct.error, zlib.error)


class BadImage(InputError):  # noqa: N818, reads as what it names
    """An image file that cannot be used; `path` and `reason` say which and why."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"The image {path} cannot be used: {reason}.")
        self.path, self.reason = Path(path), reason

    def __reduce__(self) -> tuple:
        return BadImage, (self.path, self.reason)


def read_grey(path: Path, size: int | None = None) -> np.ndarray:
    """The image as uint8 grey: (size, size), or (height, width) as stored where size is None.

    - Colour becomes luma by ITU-R BT.601, as in Pillow. Alpha is dropped, not laid over black:
      NIH's RGBA files carry their picture in RGB.
    - Images deeper than 8 bits are stretched so that their darkest value is 0 and their lightest
      255: detectors fill 10 to 14 of 16 bits, and a fixed division would leave them nearly black.
      A constant image becomes 0.
    - The EXIF orientation is applied, so that the model sees what a viewer shows.
    - Resizing does not keep the aspect, as in the paper. It is Pillow's antialiased bilinear filter
      on the 8-bit image, equal to torchvision's `Resize((size, size))` on a PIL image.

    Raises BadImage where the file is missing, no picture, damaged, larger than MAX_PIXELS, or has
    more than one frame.
    """
    with _opened(path) as image:
        grey = _to_grey(path, ImageOps.exif_transpose(image))
    if size is not None and grey.size != (size, size):
        grey = grey.resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(grey)


def stored_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels as stored, read from the header. Raises BadImage."""
    with _opened(path) as image:
        return image.size


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
        raise BadImage(path, f"it is no image in a known format ({', '.join(FORMATS)})") from error
    except Image.DecompressionBombError as error:
        raise BadImage(path, f"it claims more than {MAX_PIXELS:,} pixels") from error
    except OSError as error:
        raise BadImage(path, error.strerror or f"it is damaged ({error})") from error
    except DAMAGE as error:
        raise BadImage(path, f"it is damaged ({error})") from error


def _refuse_unusable(path: Path, image: Image.Image) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise BadImage(
            path, f"it claims {width:,} x {height:,} pixels; allowed are {MAX_PIXELS:,} in all"
        )
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        raise BadImage(path, f"it holds {frames} frames; only single images are read")


def _to_grey(path: Path, image: Image.Image) -> Image.Image:
    if image.mode.startswith(DEEP_MODES):
        return Image.fromarray(_stretch(path, np.asarray(image)))
    if image.mode in TAKEN_AS_RGB:
        image = image.convert("RGB")
    return image.convert("L")


def _stretch(path: Path, values: np.ndarray) -> np.ndarray:
    if not np.isfinite(values).all():
        raise BadImage(path, "it holds values that are not finite")
    values = values.astype(np.float64)
    low, high = values.min(), values.max()
    if high == low:
        return np.zeros(values.shape, np.uint8)
    return np.rint((values - low) * (255 / (high - low))).astype(np.uint8)
