"""How a DICOM image lies in space: thumbnail, model's picture and viewer show it the same way
round, a square as a square, and in the file's own units and words."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset

from core.pictures.images import read_grey, read_samples, stored_size
from core.pictures.thumbnails import picture, pixels
from tests.dicoms import write_dicom
from tests.pictures.test_odd_dicom import lut
from tests.renderings import assert_shown, in_viewer, linear, sigmoid

RAMP = np.arange(4096, dtype=np.uint16).reshape(64, 64)
TWELVE = {"BitsStored": 12}
# Four corners, one grey each: what turns them is seen.
CORNERS = np.array([[10, 20, 30], [40, 50, 60]], np.uint8)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path / "cache"))


def told(path: Path) -> dict:
    return json.loads(pixels(path)[1]["X-Xray"])


def thumbnail(path: Path) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(picture(path, 1024))))


# The way round


@pytest.mark.parametrize(
    ("stated", "expected", "letters"),
    [
        (["L", "F"], CORNERS, ("L", "F")),
        (["R", "F"], CORNERS[:, ::-1], ("L", "F")),  # seen from behind
        (["R", "H"], CORNERS[::-1, ::-1], ("L", "F")),
        (["L", "H"], CORNERS[::-1], ("L", "F")),
        (["F", "L"], CORNERS.T, ("L", "F")),
        (["F", "R"], np.rot90(CORNERS, -1), ("L", "F")),  # feet on the right: clockwise
        (["H", "L"], np.rot90(CORNERS), ("L", "F")),
        (["H", "R"], CORNERS[::-1, ::-1].T, ("L", "F")),
        (["LF", "FR"], CORNERS, ("L", "F")),  # a little oblique
        (["R", "P"], CORNERS[:, ::-1], ("L", "P")),  # a slice
        (["A", "F"], CORNERS, ("A", "F")),  # from the side, either way
        (["P", "F"], CORNERS, ("P", "F")),
        (["P", "H"], CORNERS[::-1, ::-1], ("A", "F")),  # upside down: turned, not mirrored
        (["F", "A"], np.rot90(CORNERS, -1), ("P", "F")),  # lying
        (["X", "F"], CORNERS, ("", "")),
        (["L"], CORNERS, ("", "")),
        (["L", "R"], CORNERS, ("", "")),
    ],
)
def test_a_picture_is_shown_the_usual_way_round(tmp_path, stated, expected, letters):
    """A frontal view has the patient's left on the right, and the head is up."""
    path = write_dicom(tmp_path / "a.dcm", CORNERS, PatientOrientation=stated)
    turned = [] if np.array_equal(expected, CORNERS) else ["orientation"]
    assert_shown(path, expected / 255, *turned)
    assert stored_size(path) == expected.shape[::-1]
    assert (told(path)["right"], told(path)["down"]) == letters


def test_direction_cosines_say_it_where_letters_do_not(tmp_path):
    path = write_dicom(
        tmp_path / "a.dcm", CORNERS, ImageOrientationPatient=[-1, 0, 0, 0, 0.1, -0.99]
    )
    assert_shown(path, CORNERS[:, ::-1] / 255, "orientation")
    assert (told(path)["right"], told(path)["down"]) == ("L", "F")


# The size of pixels


def test_a_square_of_pixels_twice_as_wide_as_high_is_square(tmp_path):
    """20 rows by 10 columns of 1 x 2 mm: 20 mm each way."""
    phantom = np.zeros((60, 30), np.uint8)
    phantom[20:40, 10:20] = 255
    path = write_dicom(tmp_path / "a.dcm", phantom, PixelSpacing=[1, 2])
    shown = thumbnail(path)
    assert shown.shape == (60, 60)
    white = np.argwhere(shown > 127)
    assert (np.ptp(white, axis=0) + 1).tolist() == [20, 20]
    assert told(path)["spacing"] == [1, 2]
    # What the model and the viewer get are the pixels themselves.
    np.testing.assert_array_equal(read_grey(path), phantom)
    np.testing.assert_array_equal(in_viewer(path), phantom)


def test_pixels_higher_than_wide_are_shown_so(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", np.zeros((30, 60), np.uint8), PixelAspectRatio=[2, 1])
    assert thumbnail(path).shape == (60, 60)
    assert told(path)["measured"] == "", "how large they are is not known"


def test_a_turned_pictures_pixels_are_turned_as_well(tmp_path):
    path = write_dicom(
        tmp_path / "a.dcm", np.zeros((60, 30), np.uint8), PixelSpacing=[1, 2],
        PatientOrientation=["F", "L"],
    )  # fmt: skip
    assert told(path)["spacing"] == [2, 1]
    assert thumbnail(path).shape == (60, 60)


@pytest.mark.parametrize(
    ("fields", "spacing", "measured"),
    [
        ({"PixelSpacing": [0.2, 0.2]}, [0.2, 0.2], "patient"),
        ({"ImagerPixelSpacing": [0.1, 0.1]}, [0.1, 0.1], "detector"),
        # The same number twice is no calibration, PS3.3 10.7.1.3.
        ({"PixelSpacing": [0.1, 0.1], "ImagerPixelSpacing": [0.1, 0.1]}, [0.1, 0.1], "detector"),
        ({"PixelSpacing": [0.09, 0.09], "ImagerPixelSpacing": [0.1, 0.1]}, [0.09] * 2, "patient"),
        (
            {
                "PixelSpacing": [0.1, 0.1],
                "ImagerPixelSpacing": [0.1, 0.1],
                "PixelSpacingCalibrationType": "FIDUCIAL",
            },
            [0.1, 0.1],
            "patient",
        ),
        ({"NominalScannedPixelSpacing": [0.3, 0.3]}, [0.3, 0.3], "film"),
        ({"PixelSpacing": [0, 0.1]}, None, ""),
        ({"PixelSpacing": [0.001, 100]}, None, ""),
        ({}, None, ""),
    ],
)
def test_where_millimetres_were_measured_is_told(tmp_path, fields, spacing, measured):
    path = write_dicom(tmp_path / "a.dcm", RAMP, **fields, **TWELVE)
    assert (told(path)["spacing"], told(path)["measured"]) == (spacing, measured)


# Units and words


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_a_window_is_told_in_the_files_own_units(tmp_path, photometric):
    """W 100 L 40 HU, and not W 99 L 4035 of the stored values."""
    path = write_dicom(
        tmp_path / "a.dcm", RAMP, RescaleSlope=1, RescaleIntercept=-1024, RescaleType="HU",
        WindowCenter=40, WindowWidth=100, PhotometricInterpretation=photometric, **TWELVE,
    )  # fmt: skip
    about = told(path)
    assert (about["windows"][0]["width"], about["windows"][0]["center"]) == (100, 40)
    assert about["units"] == "HU"
    samples = read_samples(path).values.astype(int)
    np.testing.assert_array_equal(
        samples * about["slope"] + about["intercept"], RAMP.astype(int) - 1024
    )


def test_windows_and_curves_keep_the_names_of_the_file(tmp_path):
    curves = [np.rint(255 * (np.arange(4096) / 4095) ** power).astype(np.uint8) for power in (1, 2)]
    items = [lut(curve, 8) for curve in curves]
    items[0].LUTExplanation, items[1].LUTExplanation = "NORMAL", "HARDER"
    path = write_dicom(
        tmp_path / "a.dcm", RAMP, VOILUTSequence=items, WindowCenter=[2000, 700],
        WindowWidth=[4000, 300], VOILUTFunction="SIGMOID",
        WindowCenterWidthExplanation=["LUNG", "Bücken"], SpecificCharacterSet="ISO_IR 100",
        **TWELVE,
    )  # fmt: skip
    names = [window["name"] for window in told(path)["windows"]]
    assert names[:5] == ["NORMAL", "HARDER", "LUNG", "Bücken", "Full range"]
    for at, expected in enumerate(
        [
            curves[0][RAMP] / 255,
            curves[1][RAMP] / 255,
            sigmoid(RAMP.astype(float), 2000, 4000),
            sigmoid(RAMP.astype(float), 700, 300),
        ]
    ):
        assert np.abs(in_viewer(path, at) - 255 * expected).max() <= 1, names[at]


def test_names_in_a_file_do_not_swell_the_header(tmp_path):
    """A proxy in between takes 8 kB or so."""
    curve = np.arange(256, dtype=np.uint8)
    items = [lut(curve, 8) for _ in range(50)]
    for item in items:
        item.LUTExplanation = "x" * 5000
    path = write_dicom(
        tmp_path / "a.dcm", RAMP, VOILUTSequence=items, WindowCenter=[2000.5] * 50,
        WindowWidth=[4000.5] * 50, WindowCenterWidthExplanation=["ü" * 64] * 50, **TWELVE,
    )  # fmt: skip
    assert len(pixels(path)[1]["X-Xray"]) < 8000


def test_padding_is_black_in_every_window(tmp_path):
    """Also in one that begins far below the darkest value."""
    padded = RAMP.astype(np.int16)
    padded[:4] = -2000
    path = write_dicom(
        tmp_path / "a.dcm", padded, PixelPaddingValue=-2000, WindowCenter=[2000, -500],
        WindowWidth=[1000, 8000], BitsStored=16,
    )  # fmt: skip
    for at in range(len(told(path)["windows"])):
        assert not in_viewer(path, at)[:4].any()
    shown = linear(padded.astype(float), -500, 8000)
    np.testing.assert_allclose(in_viewer(path, 1)[4:], 255 * shown[4:], atol=1)


def test_an_inverse_presentation_is_inverted_once(tmp_path):
    shown = linear(RAMP.astype(float), 2000, 1000)
    for photometric, shape, inverted in (
        ("MONOCHROME1", "INVERSE", True),
        ("MONOCHROME1", None, True),
        ("MONOCHROME2", "INVERSE", True),
        ("MONOCHROME2", "IDENTITY", False),
    ):
        stated = {"PresentationLUTShape": shape} if shape else {}
        path = write_dicom(
            tmp_path / "a.dcm", RAMP, WindowCenter=2000, WindowWidth=1000,
            PhotometricInterpretation=photometric, **stated, **TWELVE,
        )  # fmt: skip
        assert_shown(path, 1 - shown if inverted else shown)


def test_a_curve_is_followed_where_pixels_fill_a_part_of_it(tmp_path):
    """Of 16 bits, with values far above those that occur."""
    some = (RAMP % 100 + 100).astype(np.uint16)
    curve = np.rint(65535 * np.sqrt(np.arange(65536) / 65535)).astype(np.uint16)
    item: Dataset = lut(curve, 16)
    for photometric in ("MONOCHROME1", "MONOCHROME2"):
        path = write_dicom(
            tmp_path / "a.dcm", some, VOILUTSequence=[item], PhotometricInterpretation=photometric
        )
        shown = curve[some] / 65535
        assert_shown(path, 1 - shown if photometric == "MONOCHROME1" else shown)
