"""Predictions as pandas 3 pickles them, and as floats are rounded."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.errors import InputError
from core.importing.pickles import read_pickled_frame
from core.importing.predictions import TestSplit, read_probabilities
from core.study.labels import Labels

CASES = Path(__file__).parents[3] / "shared" / "cases"
here = pytest.mark.skipif(not CASES.is_dir(), reason="the reported files are not at ../shared")
CLASSES = ("Mass", "Hernia")


def predicted(n: int = 40) -> pd.DataFrame:
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.random((n, 2), dtype=np.float32), columns=list(CLASSES))
    names = ["Mass|Hernia", "Mass", "", "Hernie é"]
    frame["label"] = [names[at % 4] for at in range(n)]
    return frame


FORMS = {
    "as it is": lambda frame: frame,
    "objects": lambda frame: frame.astype({"label": object}),
    "objects and object columns": lambda frame: frame.astype({"label": object}).set_axis(
        frame.columns.astype(object), axis=1
    ),
    "with a missing text": lambda frame: frame.assign(
        label=frame["label"].where(frame.index % 3 > 0)
    ),
    "a slice": lambda frame: frame.iloc[5:],
    "two joined": lambda frame: pd.concat([frame, frame], ignore_index=True),
    "rows named by text": lambda frame: frame.set_axis([f"{n}.png" for n in frame.index]),
    "string[pyarrow]": lambda frame: frame.astype({"label": "string[pyarrow]"}),
    "doubles": lambda frame: frame.astype({"Mass": float}),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_todays_frames_are_read_to_the_last_bit(tmp_path, form, protocol):
    frame = FORMS[form](predicted())
    frame.to_pickle(tmp_path / "a.pkl", protocol=protocol)
    found = read_pickled_frame(tmp_path / "a.pkl", len(frame), 2)
    named = ["index"] if form == "rows named by text" else []
    assert list(found.columns) == ["Mass", "Hernia", "label", *named]
    assert not named or found["index"].tolist() == frame.index.tolist()
    for name in CLASSES:
        assert found[name].dtype == frame[name].dtype
        assert found[name].tolist() == frame[name].tolist()
    assert found["label"].fillna("?").tolist() == frame["label"].fillna("?").astype(str).tolist()


@here
@pytest.mark.parametrize("name", ["table_resnet50_seed-0_prune-0.pkl", "object label+cols.pkl"])
def test_the_reported_frames_are_read(name):
    path = CASES / "40-pandas3-pickle" / name
    found, expected = read_pickled_frame(path, 100, 3), pd.read_pickle(path)
    assert found.astype(object).to_numpy().tolist() == expected.astype(object).to_numpy().tolist()


def with_other_offsets(offsets: list[int]) -> bytes:
    """A frame of today's pandas whose first offsets are others; bytes keep their lengths."""
    data = pickle.dumps(predicted(), protocol=5)
    real = np.cumsum([0, *(len(text.encode()) for text in predicted()["label"])]).astype("<i8")
    assert real.tobytes() in data
    other = real.copy()
    other[: len(offsets)] = offsets
    return data.replace(real.tobytes(), other.tobytes())


@pytest.mark.parametrize("offsets", [[-1], [0, 2**40], [11, 5], [0, -(2**62)]])
def test_texts_that_lie_elsewhere_are_refused(tmp_path, offsets):
    (tmp_path / "a.pkl").write_bytes(with_other_offsets(offsets))
    with pytest.raises(InputError, match="damaged column of text"):
        read_pickled_frame(tmp_path / "a.pkl", 40, 2)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        (b"large_string", b"large_binary"), (b"type_for_alias", b"__init_subclas"),
        (b"py_buffer", b"input_str"), (b"_restore_array", b"memory_map_fil"),
        (b"ArrowStringArray", b"ArrowStringArrax"),
    ],
)  # fmt: skip
def test_other_names_of_arrow_are_refused(tmp_path, name, other):
    data = pickle.dumps(predicted(), protocol=5)
    assert name in data
    assert len(name) == len(other)
    (tmp_path / "a.pkl").write_bytes(data.replace(name, other))
    with pytest.raises(InputError, match="is refused"):
        read_pickled_frame(tmp_path / "a.pkl", 40, 2)


# Rounding


def imported(folder: Path, value: float, dtype: str, ending: str) -> np.ndarray:
    ids = ["a.png", "b.png"]
    rows = {"image_id": ids, "patient_id": ids, "path": ids, "split": "test", "Mass": [1, 0]}
    labels = Labels(pd.DataFrame(rows), ("Mass",))
    frame = pd.DataFrame({"image_id": ids, "Mass": np.array([value, 0.5], dtype)})
    path = folder / f"a.{ending}"
    frame.to_parquet(path) if ending == "parquet" else frame.to_csv(path, index=False)
    return read_probabilities(path, TestSplit.of(labels))


@pytest.mark.parametrize("ending", ["csv", "parquet"])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("value", [1.0000001, 1.0000002, 1.000001, -1e-9, -1e-7, 1 + 2**-23])
def test_a_value_rounded_to_just_outside_is_a_probability(tmp_path, value, dtype, ending):
    assert imported(tmp_path, value, dtype, ending)[0, 0] == (1 if value > 0.5 else 0)


@pytest.mark.parametrize("value", [1.001, -0.001, 2.0, float("inf"), float("nan")])
def test_what_is_no_probability_is_refused_with_its_value(tmp_path, value):
    with pytest.raises(InputError, match="a probability is between 0 and 1") as refused:
        imported(tmp_path, value, "f8", "csv")
    said = "missing (blank or NaN)" if np.isnan(value) else f"{value:.9g}"
    assert f"is {said};" in str(refused.value)


@here
def test_the_reported_rounding_is_a_probability(tmp_path):
    frame = pd.read_csv(CASES / "41-rounding-above-one" / "1.0000001.csv")
    assert imported(tmp_path, frame["Mass"].max(), "f8", "csv")[0, 0] == 1


def test_rows_longer_than_the_header_are_refused(tmp_path):
    ids = ["a.png", "b.png"]
    rows = {"image_id": ids, "patient_id": ids, "path": ids, "split": "test", "Mass": [1, 0]}
    test = TestSplit.of(Labels(pd.DataFrame(rows), ("Mass",)))
    path = tmp_path / "a.csv"
    path.write_text("image_id,Mass\na.png,0,5\nb.png,0,25\n")
    with pytest.raises(InputError, match=r"line 2 .* has 3 fields, and the header names 2"):
        read_probabilities(path, test)
