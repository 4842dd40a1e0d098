"""Predictions made elsewhere: published pickles, opcode by opcode, and Parquet and CSV tables."""

from __future__ import annotations

import pickle
import pickletools
import random
import struct
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd

from core.datasets.classes import class_list
from core.errors import InputError
from core.importing.files import prediction_files
from core.importing.pickle_child import ALLOWED
from core.importing.pickles import read_pickled_frame
from core.importing.predictions import TestSplit, read_probabilities
from core.study.labels import Labels
from tests.fuzz.cells import Table, as_csv, as_parquet, odd_table
from tests.fuzz.mutations import damaged, odd_number
from tests.importing.given import FILES

NAMES = (
    *sorted(ALLOWED),
    *(("os", "system"), ("builtins", "eval"), ("posix", "system"), ("", ""), ("numpy", "load")),
)
OPCODES = tuple(bytes([code]) for code in range(256) if chr(code) in pickletools.code2op)

# What is said where the process that reads pickles was ended: of a damaged file that is no answer.
DIED = "takes longer, or more memory"


class Predictions:
    refusals = (InputError,)

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pickles = [path.read_bytes() for path in sorted((FILES / "forms").glob("*.pkl"))]
        self.pieces = [list(_pieces(data)) for data in self.pickles]
        test, self.table = _test_split(self.pickles[0], folder)
        self.classes = test.class_names
        self.test = replace(test, array_classes=self.classes)
        forms = _further_forms(self.table, self.classes)
        self.pickles += forms["pkl"]
        self.pieces += [list(_pieces(data)) for data in forms["pkl"]]
        self.arrays = {"npy": forms["npy"], "npz": forms["npz"]}

    def make(self, rng: random.Random) -> Path:
        for old in self.folder.iterdir():
            old.unlink()
        kind = rng.choice(("pkl", "pkl", "pkl", "parquet", "csv", "npy", "npz"))
        if kind == "pkl":
            data = self._pickle(rng)
        elif kind in self.arrays:
            data = damaged(rng, rng.choice(self.arrays[kind]), self.pickles)
        elif kind == "parquet":
            data = as_parquet(rng, odd_table(rng, self.table), self.classes, self.pickles)
        else:
            data = as_csv(rng, odd_table(rng, self.table), self.pickles)
        stem = f"mimic-cxr-lt_resnet50_seed-{rng.choice(('0', '1'))}_prune-"
        path = self.folder / f"{stem}{rng.choice(('0', '0', '0', '0.0', '0.5'))}.{kind}"
        path.write_bytes(data)
        return path

    def _pickle(self, rng: random.Random) -> bytes:
        if rng.random() < 0.3:
            return damaged(rng, rng.choice(self.pickles), self.pickles, OPCODES)
        pieces = list(rng.choice(self.pieces))
        for _ in range(rng.choice((1, 1, 1, 2, 4, 12))):
            at, other = rng.randrange(len(pieces)), rng.randrange(len(pieces))
            what = rng.randrange(8)
            if what == 0:
                del pieces[at : at + rng.choice((1, 1, 4, 40))]
            elif what == 1:
                pieces[at:at] = pieces[at : at + 5] * rng.choice((1, 3, 500))
            elif what == 2:
                pieces[at], pieces[other] = pieces[other], pieces[at]
            elif what == 3:
                pieces[at] = _odd_push(rng)
            elif what == 4:
                pieces.insert(at, rng.choice(OPCODES))
            elif what == 5:
                pieces[at] = _name(rng)
            elif what == 6:
                pieces[at:] = rng.choice(self.pieces)[at:]
            else:
                pieces[at] = damaged(rng, pieces[at]) or b"."
        return b"".join(pieces)

    def read(self, path: Path) -> None:
        for file in prediction_files(self.folder, "mimic-cxr-lt"):
            try:
                probabilities = read_probabilities(file.path, self.test)
            except InputError as error:
                if DIED in str(error):
                    raise AssertionError from error
                raise
            assert probabilities.shape == (len(self.test.rows), len(self.classes))
            assert np.isfinite(probabilities).all()


def _pieces(data: bytes) -> list[bytes]:
    """A pickle cut between its opcodes."""
    starts = [at for _, _, at in pickletools.genops(data) if at is not None]
    return [data[a:b] for a, b in zip(starts, [*starts[1:], len(data)], strict=True)]


def _further_forms(table: Table, classes: tuple[str, ...]) -> dict[str, list[bytes]]:
    """Whole files of the forms beside DataFrames: arrays, columns by name, rows."""
    values = np.random.default_rng(0).random((len(table["image_id"]), len(classes)))
    named = {"image_id": list(table["image_id"])} | dict(zip(classes, values.T, strict=True))
    rows = [dict(zip(classes, map(float, row), strict=True)) for row in values]
    array, archive, packed = BytesIO(), BytesIO(), BytesIO()
    np.save(array, values)
    images = np.array(table["image_id"])
    np.savez(archive, y=values, classes=np.array(classes), image_ids=images)
    np.savez_compressed(packed, y=values)
    return {
        "pkl": [pickle.dumps(held) for held in (values, named, rows, values.tolist())],
        "npy": [array.getvalue()],
        "npz": [archive.getvalue(), packed.getvalue()],
    }


def _odd_push(rng: random.Random) -> bytes:
    number = odd_number(rng)
    return rng.choice(
        (
            pickle.BININT + struct.pack("<I", number % 2**32),
            pickle.LONG1 + b"\xff" + b"\x7f" * 255,
            pickle.LONG1 + b"\x00",
            pickle.BINFLOAT + struct.pack(">d", rng.choice((float("nan"), float("inf"), 1e308))),
            pickle.BINBYTES8 + struct.pack("<Q", number % 2**64),
            pickle.BINUNICODE8 + struct.pack("<Q", number % 2**64),
            pickle.BINBYTES + struct.pack("<I", 5) + b"abcde",
            pickle.SHORT_BINUNICODE + b"\x02f8",
            *(
                pickle.EMPTY_TUPLE,
                pickle.EMPTY_LIST,
                pickle.EMPTY_DICT,
                pickle.NONE,
                pickle.NEWTRUE,
            ),
            pickle.BINGET + bytes([rng.randrange(256)]),
            pickle.LONG_BINPUT + struct.pack("<I", number % 2**32),
            pickle.FRAME + struct.pack("<Q", number % 2**64),
        )
    )


def _name(rng: random.Random) -> bytes:
    module, name = rng.choice(NAMES)
    return pickle.GLOBAL + f"{module}\n{name}\n".encode()


def _test_split(pickled: bytes, folder: Path) -> tuple[TestSplit, Table]:
    """The rows that the seeds are of, as `labels` of them have it, and the same as a table."""
    path = folder / "seed.pkl"
    path.write_bytes(pickled)
    classes = class_list("mimic-cxr-lt")
    frame = read_pickled_frame(path, 12, len(classes))
    numbers = range(len(frame))
    columns = {
        "image_id": [f"image-{number}.png" for number in numbers],
        "patient_id": [str(number) for number in numbers],
        "path": [f"image-{number}.png" for number in numbers],
        "split": ["test"] * len(frame),
    }
    for name in classes:
        columns[name] = [int(name in text.split("|")) for text in frame["label"]]
    test = TestSplit.of(Labels(pd.DataFrame(columns), classes))
    table = {"image_id": columns["image_id"], "label": list(frame["label"])}
    table |= {name: [f"{value:.5f}" for value in frame[name]] for name in classes}
    return test, table
