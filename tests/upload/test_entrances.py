"""One table of labels means the same whichever way it comes in."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from core.actions import looking
from core.datasets import load_labels
from core.errors import InputError
from core.importing import study as importing
from core.importing.files import prediction_files
from core.importing.predictions import TestSplit
from core.study.config import parse_config, read_config
from core.study.labels import Labels
from core.upload import own_data, own_data_child
from core.upload.own_data import Columns

N = 24
Files = dict[str, bytes]


def frame(**others: Any) -> pd.DataFrame:
    """Two images a patient; every second image has a mass."""
    return pd.DataFrame(
        {
            "path": [f"x{n:02}.png" for n in range(N)],
            "patient_id": [f"p{n // 2}" for n in range(N)],
            "Mass": [n % 2 for n in range(N)],
            "Hernia": [int(n % 3 == 0) for n in range(N)],
        }
    ).assign(**others)


def csv(table: pd.DataFrame, encoding: str = "utf-8", **how: Any) -> bytes:
    return table.to_csv(index=False, **how).encode(encoding)


def named(**names: str) -> pd.DataFrame:
    return frame().rename(columns=names)


def without_patients(paths: list[str] | None = None) -> pd.DataFrame:
    table = frame().drop(columns="patient_id")
    return table.assign(path=paths) if paths else table


FOLDERS = [f"patient{n // 2:05}/study1/x{n:02}.png" for n in range(N)]
PLAIN = [f"x{n:02}.png" for n in range(N)]
PAIRS, ALONE = N // 2, N

# The table, the images, and how many patients there are.
LAYOUTS: dict[str, tuple[bytes, list[str], int]] = {
    "plain": (csv(frame()), PLAIN, PAIRS),
    "Patient ID": (csv(named(patient_id="Patient ID", path="Image Index")), PLAIN, PAIRS),
    "subject_id": (csv(named(patient_id="subject_id", path="dicom_id")), PLAIN, PAIRS),
    "PatientID": (csv(named(patient_id="PatientID", path="ImageID")), PLAIN, PAIRS),
    "patient in path": (csv(without_patients(FOLDERS)), FOLDERS, PAIRS),
    "patient in path, flat folder": (csv(without_patients(FOLDERS)), PLAIN, PAIRS),
    "patient in folders": (csv(without_patients()), FOLDERS, PAIRS),
    "no patients": (csv(without_patients()), PLAIN, ALONE),
    "blanks": (
        csv(frame(patient_id=[f" p{n // 2}" + " " * (n % 2) for n in range(N)],
                  path=[f" {path} " for path in PLAIN])), PLAIN, PAIRS,
    ),
    "1 and 1.0": (
        csv(frame(patient_id=[f"{n // 2}" + ".0" * (n % 2) for n in range(N)])), PLAIN, PAIRS
    ),
    "dot": (csv(frame(path=[f"./{path}" for path in PLAIN])), PLAIN, PAIRS),
    "capitals": (csv(frame(path=[path.upper() for path in PLAIN])), PLAIN, PAIRS),
    "no suffix": (csv(frame(path=[path[:-4] for path in PLAIN])), PLAIN, PAIRS),
    "dcm for png": (csv(frame(path=[path[:-4] + ".dcm" for path in PLAIN])), PLAIN, PAIRS),
    "backslashes": (
        csv(frame(path=[f"a\\{path}" for path in PLAIN])), [f"a/{path}" for path in PLAIN], PAIRS
    ),
    "another first folder": (
        csv(frame(path=[f"old/a/{path}" for path in PLAIN])), [f"a/{path}" for path in PLAIN], PAIRS
    ),
    "one folder deeper": (csv(frame()), [f"zip/a/{path}" for path in PLAIN], PAIRS),
    "semicolons and cp1252": (
        csv(frame(Ort="Köln"), "cp1252", sep=";"), PLAIN, PAIRS
    ),
    "sep=": (b"sep=;\r\n" + csv(frame(), sep=";"), PLAIN, PAIRS),
    "byte order mark": (csv(frame(), "utf-8-sig"), PLAIN, PAIRS),
    "UTF-16": (csv(frame(), "utf-16", sep="\t"), PLAIN, PAIRS),
    "empty rows of Excel": (csv(frame()) + b",,,\r\n,,,\r\n", PLAIN, PAIRS),
    "words": (csv(frame(Mass=["negative", "Positive"] * PAIRS)), PLAIN, PAIRS),
    "yes and no": (csv(frame(Mass=["no", "Yes"] * PAIRS)), PLAIN, PAIRS),
    "joined": (
        csv(frame()[["path", "patient_id"]].assign(**{"Finding Labels": [
            "|".join(name for name, there in (("Mass", n % 2), ("Hernia", n % 3 == 0)) if there)
            for n in range(N)]}, Sex=[n % 2 for n in range(N)])), PLAIN, PAIRS,
    ),
}  # fmt: skip


def from_study_file(table: bytes, images: list[str], folder: Path) -> Labels:
    """`run`, and `analyze --dataset` a study file."""
    (folder / "labels.csv").write_bytes(table)
    settings = {"kind": "table", "labels": str(folder / "labels.csv")}
    settings |= {"images": str(put(images, folder / "images"))}
    raw = {"study": {"name": "s"}, "dataset": settings, "model": {"architecture": "resnet18"}}
    config = parse_config(raw, "test")
    labels = load_labels(config.dataset)
    seen = looking.look_at_study(config).facts
    assert (seen["n_images"], seen["n_patients"]) == (N, labels.table["patient_id"].nunique())
    return labels


def from_zip(table: bytes, images: list[str], folder: Path) -> Labels:
    unpacked = folder / "unpacked"
    put(images, unpacked / "images")
    (unpacked / "given.csv").write_bytes(table)
    report = own_data_child._report(unpacked, "labels.csv", images, [], Columns(), 0, 0)
    assert (report.n_missing, report.n_unused) == (0, 0)
    (unpacked / "study.toml").write_text(
        own_data._study_file("own", "own.zip", unpacked, report, Columns())
    )
    labels = load_labels(read_config(unpacked / "study.toml").dataset)
    assert report.n_patients == labels.table["patient_id"].nunique()
    return labels


def from_predictions(table: bytes, images: list[str], folder: Path) -> Labels:
    (folder / "labels.csv").write_bytes(table)
    probabilities = pd.DataFrame({"image_id": ["a"], "Mass": [0.5], "Hernia": [0.5]})
    probabilities.to_csv(folder / "table_net_seed-0_prune-0.csv", index=False)
    files = prediction_files(folder, "table")
    shown = put(images, folder / "images")
    config = importing._config(files, folder / "labels.csv", "table", "s", shown, False, ())
    return importing._read_labels(config, lambda done, total: None)


def put(images: list[str], folder: Path) -> Path:
    for name in images:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


ENTRANCES: dict[str, Callable[[bytes, list[str], Path], Labels]] = {
    "study file": from_study_file,
    "zip": from_zip,
    "predictions": from_predictions,
}


@pytest.mark.parametrize("entrance", ENTRANCES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_table_means_the_same_by_every_entrance(tmp_path, layout, entrance, caplog):
    table, images, n_patients = LAYOUTS[layout]
    labels = ENTRANCES[entrance](table, images, tmp_path)
    rows = labels.table
    assert set(labels.class_names) == {"Mass", "Hernia"}
    assert rows["path"].tolist() == images
    assert rows["Mass"].tolist() == [n % 2 for n in range(N)]
    assert rows["Hernia"].tolist() == [int(n % 3 == 0) for n in range(N)]
    patients = rows["patient_id"]
    assert patients.nunique() == n_patients
    together = np.repeat(np.arange(n_patients), N // n_patients)
    assert (patients.groupby(together).nunique() == 1).all()
    assert rows.groupby("patient_id")["split"].nunique().eq(1).all()
    assert ("counts as its own patient" in caplog.text) == (n_patients == N)


@pytest.mark.parametrize("entrance", ENTRANCES)
@pytest.mark.parametrize("again", ["x00.png", "./x00.png", "X00.PNG"])
def test_one_image_on_two_rows_is_refused_by_every_entrance(tmp_path, entrance, again):
    twice = frame(path=["x00.png", again, *PLAIN[2:]])
    with pytest.raises(InputError, match=r"'x00.png'.* occurs more than once"):
        ENTRANCES[entrance](csv(twice), PLAIN, tmp_path)


def test_a_parquet_index_is_a_column_by_both_entrances_that_take_one(tmp_path):
    content = io.BytesIO()
    frame().set_index("patient_id").to_parquet(content)
    for name in ("study file", "predictions"):
        folder = tmp_path / name
        folder.mkdir()
        rows = ENTRANCES[name](content.getvalue(), PLAIN, folder).table
        assert rows["patient_id"].tolist() == frame()["patient_id"].tolist()


@pytest.mark.parametrize("written", ["./{}", " {} ", "{}.PNG"])
def test_predictions_name_images_as_the_labels_mean_them(tmp_path, written):
    labels = from_predictions(csv(frame(split="test")), PLAIN, tmp_path)
    test = TestSplit.of(labels)
    given = pd.Series([written.format(name).replace(".png.PNG", ".PNG") for name in PLAIN[::-1]])
    assert test.row_of(given, tmp_path, "id").tolist() == list(range(N))[::-1]
    with pytest.raises(InputError, match=r"lacks image 'x23.png'"):
        test.row_of(given[1:], tmp_path, "id")
