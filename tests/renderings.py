"""What an X-ray must look like, computed plainly: pydicom's and tifffile's numbers, numpy, and the
formulas of DICOM PS3.3 C.11 and TIFF 6. Nothing of the product is used."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from core.pictures.images import read_grey, read_samples
from core.pictures.thumbnails import picture, pixels


def linear(x: np.ndarray, center: float, width: float) -> np.ndarray:
    """C.11.2.1.2.1, 0 to 1."""
    shown = (x - (center - 0.5)) / (width - 1) + 0.5 if width > 1 else np.full(x.shape, 0.5)
    shown = np.where(x <= center - 0.5 - (width - 1) / 2, 0, shown)
    return np.where(x > center - 0.5 + (width - 1) / 2, 1, shown)


def linear_exact(x: np.ndarray, center: float, width: float) -> np.ndarray:
    """C.11.2.1.3.2."""
    return np.clip((x - center) / width + 0.5, 0, 1)


def sigmoid(x: np.ndarray, center: float, width: float) -> np.ndarray:
    """C.11.2.1.3.1."""
    return 1 / (1 + np.exp(-4 * (x - center) / width))


def stretched(x: np.ndarray, there: np.ndarray | None = None) -> np.ndarray:
    there = np.ones(x.shape, bool) if there is None else there
    low, high = float(x[there].min()), float(x[there].max())
    return np.where(there, np.clip((x - low) / (high - low), 0, 1), 0)


def in_viewer(path: Path, at: int = 0) -> np.ndarray:
    """The greys that the viewer's script draws with the window `at`, at first 0, from the bytes
    and the header it is sent."""
    content, headers = pixels(path)
    about = json.loads(headers["X-Xray"])
    n_bytes = about["width"] * about["height"] * about["bits"] // 8
    kind = {8: "u1", 16: "<u2"}[about["bits"]]
    samples = np.frombuffer(content[:n_bytes], kind).reshape(about["height"], about["width"])
    window = about["windows"][at]
    values = samples * about["slope"] + about["intercept"]
    if window["curve"] is not None:
        words = np.frombuffer(content[n_bytes:], "<u2")
        begin = sum(about["curves"][: window["curve"]])
        values = words[begin : begin + about["curves"][window["curve"]]][samples].astype(float)
    function = {"LINEAR": linear, "LINEAR_EXACT": linear_exact, "SIGMOID": sigmoid}
    shown = function[window["function"]](values, window["center"], window["width"])
    shown = 1 - shown if about["slope"] < 0 else shown
    return 255 * (np.where(samples == 0, 0, shown) if about["padding"] else shown)


def assert_shown(path: Path, expected: np.ndarray, *repairs: str) -> None:
    """Model's picture, thumbnail and viewer are `expected` (0 to 1) to one grey of 255, and
    exactly `repairs` are told."""
    import io

    from PIL import Image

    told: set[str] = set()
    grey = read_grey(path, repairs=told)
    thumbnail = np.asarray(Image.open(io.BytesIO(picture(path, 1024))))
    for name, shown in (("model", grey), ("thumbnail", thumbnail), ("viewer", in_viewer(path))):
        off = np.abs(shown.astype(float) - 255 * expected)
        assert off.max() <= 1, f"{name} of {path.name} is off by {off.max():.1f} greys"
    assert told == set(repairs)
    told_by_samples: set[str] = set()
    read_samples(path, told_by_samples)
    assert told_by_samples == told
