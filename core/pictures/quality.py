"""How good the test images are, by measures of scikit-image, once per image and kept.

Measured on a copy of at most SIDE pixels a side, about what the models see, so that images stored
at different sizes compare. An image is measured again only where its file has changed.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

from core.errors import InputError
from core.pictures.images import read_grey
from core.pictures.samples import BadImage
from core.pictures.xrays import image_path
from core.study import paths, store
from core.study.progress import Advance

SIDE = 256
CHUNK = 512  # images measured between two writes
THREADS = 2
# Raise when the same image gives other measures than before.
VERSION = "2"


class Measure(NamedTuple):
    name: str  # as on screen
    meaning: str


# In the order they are shown. Greys are 0 (black) to 1 (white).
MEASURES = {
    "blur": Measure("Blur", "0 sharp to 1 wholly blurred (Crete et al. 2007, blur_effect)"),
    "brightness": Measure("Brightness", "mean grey, 0 black to 1 white"),
    "contrast": Measure("Contrast", "standard deviation of grey"),
    "entropy": Measure("Entropy", "bits of information in the grey histogram"),
    "black_share": Measure("Black share", "share of pixels that are wholly black"),
    "white_share": Measure("White share", "share of pixels that are wholly white"),
}


def measure(grey: np.ndarray) -> dict[str, float]:
    """MEASURES of a (height, width) uint8 image."""
    from skimage.measure import blur_effect, shannon_entropy  # a second; for who measures

    image = Image.fromarray(grey)
    image.thumbnail((SIDE, SIDE), Image.Resampling.BILINEAR)
    small = np.asarray(image)
    # Both sides of at least three pixels, or there is no neighbour to compare with.
    blur = blur_effect(small) if min(small.shape) > 2 and small.min() < small.max() else np.nan
    return {
        "blur": float(blur),
        "brightness": float(small.mean() / 255),
        "contrast": float(small.std() / 255),
        "entropy": float(shannon_entropy(small)),
        "black_share": float((small == 0).mean()),
        "white_share": float((small == 255).mean()),
    }


def image_quality(folder: Path, advance: Advance | None = None) -> pd.DataFrame:
    """image_id and MEASURES of every test image, in test-set order; missing where unreadable.

    Kept in the study's folder every CHUNK images, so that a stopped run goes on where it was.
    `advance(done, total)` counts images. Raises InputError for a study without images.
    """
    config = store.read_config(folder)
    if paths.images_dir(config.dataset) is None:
        raise InputError(f"{config.study.name} was imported without images, so none is measured.")
    files = _files(folder)
    known = _known(folder, files)
    todo = files[~files["image_id"].isin(known["image_id"])]
    with ThreadPoolExecutor(THREADS) as pool:
        for start in range(0, len(todo), CHUNK):
            if advance:
                advance(len(known), len(files))
            chunk = todo.iloc[start : start + CHUNK]
            measured = pd.DataFrame(list(pool.map(_measured, chunk["file"])), index=chunk.index)
            rows = pd.concat([chunk.drop(columns="file"), measured], axis=1)
            known = rows if known.empty else pd.concat([known, rows], ignore_index=True)
            with suppress(OSError):  # a cache that may not be written only makes it slower
                store.write_kept(known, paths.image_quality_path(folder), VERSION)
    if advance:
        advance(len(files), len(files))
    return _in_order(known, files)


def kept_quality(folder: Path) -> pd.DataFrame | None:
    """`image_quality` where every test image has been measured and no file has changed, or None."""
    if not paths.image_quality_path(folder).exists():
        return None
    files = _files(folder)
    known = _known(folder, files)
    return _in_order(known, files) if len(known) == len(files) else None


def _files(folder: Path) -> pd.DataFrame:
    """image_id, file, and modified (ns; -1 for no such file) and n_bytes of the test images."""
    config, image_ids = store.read_config(folder), store.read_labels(folder).split("test")
    rows = []
    for image_id in image_ids["image_id"]:
        path = image_path(folder, config, image_id)
        try:
            status = path.stat() if path else None
        except OSError:
            status = None
        state = (status.st_mtime_ns, status.st_size) if status else (-1, -1)
        rows.append((image_id, path, *state))
    return pd.DataFrame(rows, columns=["image_id", "file", "modified", "n_bytes"])


def _known(folder: Path, files: pd.DataFrame) -> pd.DataFrame:
    """What has been measured of these very files."""
    kept = store.read_kept(paths.image_quality_path(folder), VERSION)
    columns = ["image_id", "modified", "n_bytes"]
    if kept is None:
        return pd.DataFrame(columns=[*columns, *MEASURES])
    return kept.merge(files[columns], on=columns)


def _in_order(known: pd.DataFrame, files: pd.DataFrame) -> pd.DataFrame:
    return files[["image_id"]].merge(known[["image_id", *MEASURES]], on="image_id", how="left")


def _measured(path: Path | None) -> dict[str, float]:
    try:
        return measure(read_grey(path)) if path else dict.fromkeys(MEASURES, np.nan)
    except BadImage:
        return dict.fromkeys(MEASURES, np.nan)
