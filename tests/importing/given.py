"""Prediction files for the tests, written with today's pandas as simply as can be."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd

from tests.importing.opcodes import a_range, index, inner

FILES = Path(__file__).parent / "files"


def published(folder: Path) -> Path:
    """A copy of the NIH-CXR-LT files of make_files.py: two seeds, three sparsities, labels."""
    folder.mkdir(parents=True)
    for path in FILES.glob("*nih-cxr-lt*"):
        shutil.copy(path, folder)
    return folder


def prediction(folder: Path, seed: int = 0, prune: str = "0", ending: str = "pkl") -> Path:
    return folder / f"nih-cxr-lt_resnet50_seed-{seed}_prune-{prune}.{ending}"


def copy_to_seed(folder: Path, seed: int, other: int, prune: str = "0") -> None:
    """Make the other seed's file of one seed's, with probabilities a little below: no seed of a
    real study has those of another."""
    from core.importing.pickles import read_pickled_frame

    frame = read_pickled_frame(prediction(folder, seed, prune), 90, 20)
    numbers = frame.select_dtypes("number").columns
    frame[numbers] *= np.float32(0.999)
    write_pickle(frame, prediction(folder, other, prune))


def write_pickle(frame: pd.DataFrame, path: Path) -> None:
    """A pickle of pandas 1.x form, whatever pandas runs the tests."""
    path.write_bytes(pickled(frame))


def pickled(frame: pd.DataFrame) -> bytes:
    """Protocol 2, put together by hand: numbers as one block, all else as another."""
    numeric = [name for name in frame if frame[name].dtype.kind == "f"]
    other = [name for name in frame if name not in numeric]
    places = {name: place for place, name in enumerate(frame.columns)}
    blocks = b""
    for names, values in (
        (numeric, frame[numeric].to_numpy().T),
        (other, frame[other].astype(object).to_numpy().T),
    ):
        if names:
            place = np.array([places[name] for name in names])
            blocks += b"cpandas._libs.internals\n_unpickle_block\n("
            blocks += inner(np.ascontiguousarray(values)) + inner(place) + b"K\x02tR"
    return (
        b"\x80\x02cpandas.core.frame\nDataFrame\n)\x81}X\x04\x00\x00\x00_mgr"
        b"cpandas.core.internals.managers\nBlockManager\n((" + blocks + b"t]("
        + index(list(frame.columns)) + a_range(len(frame)) + b"etRsb."
    )  # fmt: skip
