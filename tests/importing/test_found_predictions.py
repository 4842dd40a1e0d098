"""Predictions in the forms in which people save them: the right numbers, or a sentence that says
what is wrong and what to do."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.errors import InputError
from core.importing.predictions import TestSplit, read_probabilities, remarks

CLASSES = ("Hernia", "Mass", "index")
N = 12
RANDOM = np.random.default_rng(1)
TRUTH = RANDOM.integers(0, 2, (N, 3))
VALUES = RANDOM.random((N, 3)).round(4)
IMAGES = [f"{n:08d}_000.png" for n in range(N)]
ROWS = pd.DataFrame({"image_id": IMAGES, "path": [f"p1/{name}" for name in IMAGES]}).join(
    pd.DataFrame(TRUTH, columns=list(CLASSES))
)
TEST = TestSplit(ROWS, CLASSES, array_classes=CLASSES)
TABLE = pd.DataFrame(VALUES, columns=list(CLASSES)).assign(image_id=IMAGES)
JOINED = ["|".join(np.array(CLASSES)[row == 1]) for row in TRUTH]
LABELLED = TABLE.drop(columns="image_id").assign(label=JOINED)
SHUFFLED = np.random.default_rng(2).permutation(N)
COLUMNS = dict(zip(CLASSES, VALUES.T, strict=True))
NIH = "Image Index"
Write = Callable[[Path], object]


def as_csv(change: Callable[[pd.DataFrame], pd.DataFrame] = lambda t: t, **form: object) -> Write:
    return lambda path: change(TABLE.copy()).to_csv(path, index=False, **form)


def as_pickle(held: object, protocol: int = 5) -> Write:
    return lambda path: path.write_bytes(pickle.dumps(held, protocol))


def as_npz(**arrays: object) -> Write:
    return lambda path: np.savez(path, **arrays)


def named(change: Callable[[pd.Series], pd.Series]) -> Write:
    return as_csv(lambda t: t.assign(image_id=change(t["image_id"])))


def read(write: Write, ending: str, folder: Path, test: TestSplit = TEST) -> np.ndarray:
    path = folder / f"table_resnet50_seed-0_prune-0.{ending}"
    write(path)
    return read_probabilities(path, test)


RIGHT: dict[str, tuple[str, Write]] = {
    "semicolons and decimal commas": ("csv", as_csv(sep=";", decimal=",")),
    "semicolons and decimal points": ("csv", as_csv(sep=";")),
    "tabs and decimal commas": ("csv", as_csv(sep="\t", decimal=",")),
    "quoted decimal commas": ("csv", as_csv(decimal=",")),
    "Excel's Unicode text": ("csv", as_csv(encoding="utf-16", sep="\t")),
    "blanks about the header": ("csv", as_csv(lambda t: t.rename(columns=lambda c: f" {c} "))),
    "blanks about images": ("csv", named(lambda ids: " " + ids + " ")),
    "images below a folder": ("csv", named(lambda ids: "images/" + ids)),
    "images of Windows": ("csv", named(lambda ids: "C:\\x\\" + ids)),
    "images as PNG": ("csv", named(lambda ids: ids.str.upper())),
    "Excel's first line": (
        "csv",
        lambda path: path.write_text("sep=;\n" + TABLE.to_csv(index=False, sep=";")),
    ),
    "images as jpg": ("csv", named(lambda ids: ids.str.replace("png", "jpg"))),
    "images without suffix": ("csv", named(lambda ids: ids.str[:-4])),
    "images in any order": ("csv", as_csv(lambda t: t.iloc[SHUFFLED])),
    "NIH's name of images": (
        "csv",
        as_csv(lambda t: t.rename(columns={"image_id": "Image Index"})),
    ),
    "classes in another order, and more": ("csv", as_csv(lambda t: t[t.columns[::-1]].assign(x=2))),
    "half precision": (
        "parquet",
        lambda path: TABLE.astype(dict.fromkeys(CLASSES, "f2")).to_parquet(path),
    ),
    "frame of images and labels in another order": (
        "pkl",
        as_pickle(TABLE.assign(label=JOINED).iloc[SHUFFLED]),
    ),
    "frame without labels": ("pkl", as_pickle(TABLE, 2)),
    "frame whose rows are images": (
        "pickle",
        as_pickle(TABLE.drop(columns="index").set_index("image_id").iloc[SHUFFLED]),
    ),
    "frame whose rows are only numbered": ("pkl", as_pickle(LABELLED.iloc[::-1][::-1], 3)),
    "bare array": ("pkl", as_pickle(VALUES, 4)),
    "columns by name": ("pkl", as_pickle({"image_id": IMAGES, **COLUMNS})),
    "rows by name": ("pkl", as_pickle(TABLE.to_dict("records"))),
    "scalars of numpy": ("pkl", as_pickle({"id": IMAGES} | {c: [*v] for c, v in COLUMNS.items()})),
    "list of rows": ("pkl", as_pickle(VALUES.tolist(), 0)),
    "array of Fortran, large end first": (
        "npy",
        lambda path: np.save(path, np.asfortranarray(VALUES).astype(">f8")),
    ),
    "an array": ("npz", as_npz(y=VALUES)),
    "an array beside the labels": ("npz", as_npz(y=VALUES, y_true=TRUTH)),
    "arrays with classes and images": (
        "npz",
        as_npz(
            y=VALUES[SHUFFLED][:, ::-1],
            classes=np.array(CLASSES[::-1]),
            image_ids=np.array(IMAGES)[SHUFFLED],
        ),
    ),
    "an array of each class": ("npz", as_npz(image_id=np.array(IMAGES), **COLUMNS)),
}


@pytest.mark.parametrize("form", RIGHT)
def test_the_right_numbers_are_read(form: str, tmp_path: Path) -> None:
    ending, write = RIGHT[form]
    if form == "frame whose rows are images":  # a class of that name would take its place
        test = TestSplit(ROWS.drop(columns="index"), CLASSES[:2])
        assert np.array_equal(read(write, ending, tmp_path, test), VALUES[:, :2])
        return
    rounding = 1e-3 if form == "half precision" else 0
    np.testing.assert_allclose(read(write, ending, tmp_path), VALUES, atol=rounding, rtol=0)


def test_a_value_a_little_outside_is_a_probability(tmp_path: Path) -> None:
    values = [1.0000001, -1e-9, *VALUES[2:, 1]]
    found = read(as_csv(lambda t: t.assign(Mass=values)), "csv", tmp_path)
    assert found[:, 1].tolist() == [1, 0, *VALUES[2:, 1]]


def written(save: Callable[..., None], *array: np.ndarray, **arrays: np.ndarray) -> bytes:
    file = BytesIO()
    save(file, *array, **arrays)
    return file.getvalue()


def scaled(by: float, shift: float = 0.0) -> Write:
    return as_csv(lambda t: t.assign(**{c: t[c] * by + shift for c in CLASSES}))


WRONG: dict[str, tuple[str, Write, str]] = {
    "class twice": (
        "csv",
        lambda path: TABLE.set_axis([*CLASSES[:2], "Mass", "image_id"], axis=1).to_csv(path),
        "has the column 'Mass' twice",
    ),
    "a row per image and class": (
        "csv",
        as_csv(lambda t: t.melt("image_id", var_name="class", value_name="p")),
        "one column per class and one row per image, but here is 'class'",
    ),
    "sparsity in the columns": (
        "csv",
        as_csv(lambda t: t.rename(columns={c: f"{c}_0.5" for c in CLASSES})),
        "save one file per sparsity: rename 'Hernia_0.5'",
    ),
    "small letters": (
        "csv",
        as_csv(lambda t: t.rename(columns=str.lower)),
        "compared letter by letter: write 'hernia'",
    ),
    "blank": ("csv", as_csv(lambda t: t.replace(VALUES[3, 1], np.nan)), "is missing .blank or NaN"),
    "percent": ("csv", scaled(100), "if these are percent, divide by 100"),
    "percent signs": (
        "csv",
        as_csv(lambda t: t.assign(Mass=t["Mass"].astype(str) + "%")),
        "'Mass' holds '0.*%', not numbers",
    ),
    "logits": ("csv", scaled(20, -10), "if these are logits, import them with --logits"),
    "logits far below 0": ("csv", scaled(1, -9), "if these are logits, import them with --logits"),
    "true and false": (
        "csv",
        as_csv(lambda t: t.assign(Mass=t["Mass"] > 0.5)),
        "'Mass' holds true and false, which are decisions",
    ),
    "other images": ("csv", named(lambda ids: "9" + ids), r"12 of 12 are missing\). Its first is"),
    "image twice": (
        "csv",
        as_csv(lambda t: pd.concat([t, t[:1]])),
        "image_id '00000000_000.png' occurs more than once",
    ),
    "frame without images and labels": (
        "pkl",
        as_pickle(LABELLED.drop(columns="label")),
        "needs one of the columns image_id, id, path; or, of a DataFrame, label",
    ),
    "columns by name, without images": ("pkl", as_pickle(COLUMNS), "names no images"),
    "columns of other lengths": (
        "pkl",
        as_pickle(COLUMNS | {"Mass": VALUES[1:, 1]}),
        "its columns are not equally long",
    ),
    "rows of other lengths": ("pkl", as_pickle([[0.1, 0.2, 0.3], [0.1, 0.2]]), "something else"),
    "rows named differently": ("pkl", as_pickle([{"a": 1}, {"b": 1}]), "are not all named alike"),
    "an array in a column": ("pkl", as_pickle({"a": [VALUES]}), "neither number nor text"),
    "objects in an archive": ("npz", as_npz(y=VALUES.astype(object)), "it holds Python objects"),
    "objects": ("npy", lambda p: np.save(p, VALUES.astype(object)), "it holds Python objects"),
    "two arrays": ("npz", as_npz(a=VALUES, b=VALUES), "holds the arrays a, b, of which 2 have two"),
    "three dimensions": ("npy", lambda p: np.save(p, VALUES[None]), "rows? of the test|of shape"),
    "turned": ("npy", lambda p: np.save(p, VALUES.T), r"shape \(3, 12\); expected \(12, 3\)"),
    "an array cut off": (
        "npy",
        lambda p: (np.save(p, VALUES), p.write_bytes(p.read_bytes()[:-8])),
        r"holds 280 bytes for an array of shape \(12, 3\)",
    ),
    "an archive under another name": (
        "npy",
        lambda p: p.write_bytes(written(np.savez, y=VALUES)),
        "not a readable array of numbers",
    ),
    "labels alone, in a table": (
        "csv",
        lambda p: LABELLED.to_csv(p, index=False),
        "names no images",
    ),
    "an image without a name": ("csv", named(lambda ids: ids.where(ids.index > 0)), "1 of 12 are"),
    "a damaged first line": (
        "npy",
        lambda p: p.write_bytes(written(np.save, VALUES).replace(b"': (12", 6 * b"\xff")),
        "its first line is damaged",
    ),
    "no archive": ("npz", lambda p: p.write_bytes(b"PK\x03\x04"), "not a readable array"),
}


@pytest.mark.parametrize("form", WRONG)
def test_what_is_wrong_and_what_to_do_is_said(form: str, tmp_path: Path) -> None:
    ending, write, words = WRONG[form]
    with pytest.raises(InputError, match=words):
        read(write, ending, tmp_path)


def test_a_class_stated_twice_is_refused(tmp_path: Path) -> None:
    twice = TestSplit(ROWS, CLASSES, array_classes=("Mass", "Hernia", "Mass"))
    with pytest.raises(InputError, match="names the class 'Mass' twice"):
        read(lambda path: np.save(path, VALUES), "npy", tmp_path, twice)


def test_an_archive_that_unfolds_to_gigabytes_is_not_unfolded(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unfolds to more than"):
        read(lambda p: np.savez_compressed(p, y=np.zeros((4_000_000, 3))), "npz", tmp_path)


def test_a_locked_archive_is_refused(tmp_path: Path) -> None:
    locked = bytearray(written(np.savez, y=VALUES))
    locked[6] |= 1  # the flag of an encrypted member, here and in the list at the end
    locked[locked.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(InputError, match=r"not a readable array of numbers: .*encrypted"):
        read(lambda path: path.write_bytes(locked), "npz", tmp_path)


def test_decisions_and_softmax_are_remarked_upon() -> None:
    softmax = np.exp(VALUES) / np.exp(VALUES).sum(axis=1, keepdims=True)
    assert "decisions rather than probabilities" in remarks((VALUES > 0.5).astype(float))[0]
    assert "add up to 1, as after a softmax" in remarks(softmax)[0]
    assert remarks(VALUES) == []
