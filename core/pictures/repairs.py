"""What is repaired or left out so that an odd file shows its picture: kinds, and how to count them.

Readers add the keys of REPAIRS to a set that the caller passes; a study counts its images by key.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

# In the order in which they are shown, after "3 images:".
REPAIRS = {
    "number": "a number is written with a comma or with words; read as far as possible",
    "field": "a required DICOM field is missing or misspelt; its usual value is taken",
    "slope": "the rescale slope is 0, missing or no number; 1 is taken",
    "intercept": "the rescale intercept is missing or no number; 0 is taken",
    "modality_lut": "the modality LUT has another length than it states, or cannot be used",
    "voi_lut": "the VOI LUT has another length than it states, or cannot be used",
    "lut_depth": "the VOI LUT states a wrong depth; scaled to its entries",
    "window": "a window has no usable center and width; left out",
    "function": "the VOI LUT function is unknown; read as SIGMOID if named so, else as LINEAR",
    "padding": "the padding value has another sign than the pixels; read by its bits",
    "orientation": "the file says that it is stored turned or mirrored; shown the usual way round",
    "far_pixels": "a few pixels are far brighter or darker than all others; not stretched over",
    "preview": "the file holds more pictures, such as previews; the first is read",
    "depth": "JPEG 2000 colours are deeper than 8 bits; only their upper 8 bits are read",
}


def counted(found: Iterable[tuple[str, Iterable[str]]]) -> list[dict[str, Any]]:
    """(image_id, keys) of every image -> repair, n_images and the first image_id, as REPAIRS are
    ordered."""
    counts: dict[str, dict[str, Any]] = {}
    for image_id, keys in found:
        for key in keys:
            one = counts.setdefault(key, {"repair": key, "n_images": 0, "first": image_id})
            one["n_images"] += 1
    return [counts[key] for key in REPAIRS if key in counts]


def sentences(repairs: Iterable[dict[str, Any]], with_names: bool = True) -> list[str]:
    """`counted` in words, one sentence a kind; with_names: with the first image's name."""
    return [
        f"{one['n_images']:,} {'image' if one['n_images'] == 1 else 'images'}: "
        f"{REPAIRS.get(one['repair'], one['repair'])}"
        + (f" (first: {one['first']})." if with_names else ".")
        for one in repairs
    ]
