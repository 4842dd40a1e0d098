"""How a DICOM image lies in space: how large its pixels are, and where its rows and columns run.

PS3.3 C.7.6.1.1.1 (patient orientation), C.7.6.2.1.1 (image orientation), 10.7.1 (pixel spacing,
and where it was measured), C.7.6.3.1.7 (pixel aspect ratio).
"""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset

from core.pictures.dicom_numbers import numbers, texts, word
from core.pictures.samples import Geometry

# Left, right; head, feet; anterior, posterior.
OPPOSITE = dict(zip("LRHFAP", "RLFHPA", strict=True))
# Towards which letters the picture's right side and its foot lie once it is turned as EXIF's
# orientation says (`core.pictures.deep.turned`); `-` is the opposite letter.
TURNS = {
    1: ("right", "down"), 2: ("-right", "down"), 3: ("-right", "-down"), 4: ("right", "-down"),
    5: ("down", "right"), 6: ("-down", "right"), 7: ("-down", "-right"), 8: ("down", "-right"),
}  # fmt: skip
SWAPS_SIDES = (5, 6, 7, 8)
UNMIRRORED = (1, 3, 6, 8)
# From the front, with the patient's left on the right; a slice, from the feet.
USUAL = (("L", "F"), ("L", "P"))
MOST_ASPECT = 8.0  # beyond it, a pixel's sides are a mistake


def lying(header: Dataset, repairs: set[str]) -> tuple[Geometry, int]:
    """The geometry of the picture as it is shown, and how it is turned for that: a frontal view
    with the patient's left on the right, and whatever has a head with the head up.

    The turn is EXIF's orientation, 1 to 8, 1 for none.
    """
    spacing, measured = _spacing(header, repairs)
    right, down = _directions(header)
    turn = _turn(right, down)
    if turn != 1:
        repairs.add("orientation")
    if turn in SWAPS_SIDES and spacing:
        spacing = spacing[::-1]
    return Geometry(spacing, measured, *_turned_letters(right, down, turn)), turn


def _spacing(header: Dataset, repairs: set[str]) -> tuple[tuple[float, float] | None, str]:
    """Millimetres from row to row and from column to column, and where they are millimetres."""
    found = {
        name: _pair(numbers(header, name, repairs))
        for name in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
    }
    plain, imager = found["PixelSpacing"], found["ImagerPixelSpacing"]
    if plain and (plain != imager or word(header, "PixelSpacingCalibrationType")):
        return plain, "patient"
    if imager:
        return imager, "detector"
    if film := found["NominalScannedPixelSpacing"]:
        return film, "film"
    return _pair(numbers(header, "PixelAspectRatio", repairs)), ""


def _pair(found: list[float]) -> tuple[float, float] | None:
    pair = (found[0], found[1]) if len(found) > 1 else (np.nan, np.nan)
    if not (np.isfinite(pair).all() and min(pair) > 0 and max(pair) <= MOST_ASPECT * min(pair)):
        return None
    return pair


def _directions(header: Dataset) -> tuple[str, str]:
    """The letters towards which rows and columns run; two empty ones where it is not known."""
    letters = [text.upper()[:1] for text in texts(header, "PatientOrientation")[:2]]
    if not any(letters):
        cosines = numbers(header, "ImageOrientationPatient", set())
        if len(cosines) >= 6 and np.isfinite(cosines[:6]).all():
            letters = [_towards(cosines[:3]), _towards(cosines[3:6])]
    if len(letters) != 2 or not all(letter in OPPOSITE for letter in letters):
        return "", ""
    right, down = letters
    return ("", "") if right in (down, OPPOSITE[down]) else (right, down)


def _towards(cosines: list[float]) -> str:
    axis = int(np.argmax(np.abs(cosines)))
    return "LPH"[axis] if cosines[axis] > 0 else "RAF"[axis]


def _turn(right: str, down: str) -> int:
    if not right:
        return 1
    for usual in USUAL:
        for turn in TURNS:
            if _turned_letters(right, down, turn) == usual:
                return turn
    # From the side: the head up, never mirrored.
    upright = (turn for turn in UNMIRRORED if _turned_letters(right, down, turn)[1] == "F")
    return next(upright, 1)


def _turned_letters(right: str, down: str, turn: int) -> tuple[str, str]:
    known = {"right": right, "down": down}
    known |= {f"-{name}": OPPOSITE.get(letter, "") for name, letter in known.items()}
    across, along = TURNS[turn]
    return known[across], known[along]
