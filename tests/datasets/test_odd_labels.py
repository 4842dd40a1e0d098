"""Tables as spreadsheets and hospitals write them: read as they are meant, or refused in words."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.datasets import load_labels
from core.errors import InputError
from core.study.labels import Labels
from core.study.settings import TableSettings
from tests.datasets.test_datasets import put_images

N = 20


def frame(**others: list) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "path": [f"{n:03}.png" for n in range(N)],
            "patient_id": [f"p{n // 2}" for n in range(N)],
            "Mass": [n % 2 for n in range(N)],
            "Hernia": [int(n % 4 == 0) for n in range(N)],
        }
    ).assign(**others)


def csv(**others: list) -> bytes:
    return frame(**others).to_csv(index=False).encode()


def loaded(folder: Path, content: bytes, name: str = "labels.csv", **options: object) -> Labels:
    (folder / name).write_bytes(content)
    put_images(folder / "x", *(f"{n:03}.png" for n in range(N)))
    settings = {"kind": "table", "images": folder / "x", "labels": folder / name} | options
    return load_labels(TableSettings(**settings))


def mass(labels: Labels) -> tuple[int, int, int]:
    """Positives, negatives, uncertain."""
    column = labels.table["Mass"]
    return int((column == 1).sum()), int((column == 0).sum()), int(column.isna().sum())


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["Yes", "No"], (10, 10, 0)),
        (["y", "N"], (10, 10, 0)),
        (["T", "F"], (10, 10, 0)),
        (["present", "absent"], (10, 10, 0)),
        (["POS", "neg"], (10, 10, 0)),
        (["positive", "negative", "uncertain", "negative"], (5, 10, 5)),
        (["1", "Equivocal", "0", ""], (5, 5, 10)),
        (["1", "NULL", "0", "0"], (5, 10, 5)),
        (["1", "None", "0", "0"], (5, 10, 5)),
        (["1", "#N/A", "0", "0"], (5, 10, 5)),
        (["0.0", "-1.0", "1.0", "nan"], (5, 5, 10)),
        ([" 1", "0 "], (10, 10, 0)),
        (["1e0", "0."], (10, 10, 0)),
    ],
)
def test_labels_in_words_and_numbers(tmp_path, cells, expected):
    labels = loaded(tmp_path, csv(Mass=cells * (N // len(cells))))
    assert labels.class_names == ("Mass", "Hernia")
    assert mass(labels) == expected
    assert mass(loaded(tmp_path, csv(Mass=cells * (N // len(cells))), class_columns=("Mass",))) == (
        expected
    )


@pytest.mark.parametrize("mark", ["?", "-", "99", "-9", "-2", "n.d."])
def test_a_mark_for_not_known_does_not_take_a_class_out_of_the_study(tmp_path, mark):
    """A quarter of the rows, which is no rare mistake."""
    with pytest.raises(InputError, match=f"'Mass' holds labels, but '{mark.replace('?', '.')}' in"):
        loaded(tmp_path, csv(Mass=["1", mark, "0", "0"] * 5))


@pytest.mark.parametrize(
    "others",
    [
        {"Sex": [0, 1] * 10}, {"Patient Gender": ["0", "1"] * 10}, {"Follow-up #": [0, 1] * 10},
        {"is_frontal": [1] * N}, {"weight": ["1,200.5"] * N}, {"score": [0.1, 0.9] * 10},
        {"date": ["2020-01-01"] * N}, {"Edema": [None] * N}, {"share": ["10%", "90%"] * 10},
    ],
)  # fmt: skip
def test_what_is_no_class_is_said(tmp_path, others, caplog):
    labels = loaded(tmp_path, csv(**others))
    assert labels.class_names == ("Mass", "Hernia")
    assert labels.attributes == tuple(others)
    assert f"kept as further columns, no classes: {next(iter(others))}" in caplog.text


def tsv() -> str:
    return frame().to_csv(index=False, sep="\t")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("labels.csv", b"sep=;\r\n" + frame().to_csv(index=False, sep=";").encode()),
        ("labels.csv", b'"sep=|"\n' + frame().to_csv(index=False, sep="|").encode()),
        ("labels.csv", frame().to_csv(index=False, sep="|").encode()),
        ("labels.csv", gzip.compress(csv())),
        ("labels.csv", csv() + b",,,\r\n,,,\r\n"),
        ("labels.csv", csv().replace(b"\n", b"\n\n")),
        ("labels.csv", csv().replace(b"\n", b"\r")),
        ("labels.tsv", tsv().encode("utf-16")),
        ("labels.txt", tsv().encode("utf-8-sig")),
        ("labels.csv", csv().replace(b"Mass", b"  Mass\xc2\xa0")),
        ("labels.csv", csv().replace(b"Mass", b"\xe2\x80\x8bMass")),
        ("labels.csv", csv().replace(b"Mass", b'"Mass\n"')),
    ],
)
def test_files_however_they_were_saved(tmp_path, name, content):
    labels = loaded(tmp_path, content, name)
    assert labels.class_names == ("Mass", "Hernia")
    assert mass(labels) == (10, 10, 0)
    assert len(labels.table) == N


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1", "0", "", "None"], (5, 5, 10)),
        (pd.Categorical(["yes", "no"] * 10), (10, 10, 0)),
        (pd.array([True, False, None, True] * 5, "boolean"), (10, 5, 5)),
        (pd.array([1, 0, None, -1] * 5, "Int8"), (5, 5, 10)),
    ],
)
def test_labels_in_parquet(tmp_path, cells, expected):
    content = io.BytesIO()
    frame(Mass=cells * 5 if isinstance(cells, list) else cells).to_parquet(content)
    assert mass(loaded(tmp_path, content.getvalue(), "labels.parquet")) == expected


def test_a_byte_of_255_is_no_label(tmp_path):
    content = io.BytesIO()
    frame(Mass=np.array([1, 0, 255, 0] * 5, np.uint8)).to_parquet(content)
    with pytest.raises(InputError, match="'Mass' holds labels, but '255' in row 3"):
        loaded(tmp_path, content.getvalue(), "labels.parquet")


@pytest.mark.parametrize("cell", ["{'Mass': 1, 'Hernia': 0}", "[{'name': 'Mass'}]", '{"Mass":1}'])
def test_records_are_no_names(tmp_path, cell):
    """Of {'Mass': 1, 'Hernia': 0} both names would be taken for findings."""
    table = frame()[["path"]].assign(labels=[cell, "[]"] * 10)
    with pytest.raises(InputError, match="'labels' holds records, such as"):
        loaded(tmp_path, table.to_csv(index=False).encode())


@pytest.mark.parametrize(
    "written",
    [
        "{:08}_{}00.png", "p10/p1000{:04}/s{}/a.jpg", "p1000{:04}/s{}/a.jpg",
        "p1000{:04}_s{}_a.jpg",
        "images/id_01234567-89ab-cdef-0123-{:012}/Study_{}.x/a.png",
    ],
)  # fmt: skip
def test_patients_are_known_by_published_names_of_images(tmp_path, written, caplog):
    paths = [written.format(n // 2, n % 2) for n in range(N)]
    put_images(tmp_path / "x", *paths)
    table = frame(path=paths).drop(columns="patient_id")
    patients = loaded(tmp_path, table.to_csv(index=False).encode()).table["patient_id"]
    assert patients.nunique() == N // 2
    assert (patients.iloc[::2].tolist() == patients.iloc[1::2].tolist()) is True
    assert "patients are taken from the paths" in caplog.text


def test_names_as_macos_takes_them_apart_are_found(tmp_path):
    put_images(tmp_path / "x", *(f"Ro\u0308ntgen{n}.png" for n in range(N)))
    rows = loaded(tmp_path, csv(path=[f"R\u00f6ntgen{n}.png" for n in range(N)])).table
    assert rows["path"].tolist() == [f"Ro\u0308ntgen{n}.png" for n in range(N)]


def test_parquet_is_known_by_its_content(tmp_path):
    content = io.BytesIO()
    frame().to_parquet(content)
    assert mass(loaded(tmp_path, content.getvalue())) == (10, 10, 0)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (frame().to_json(orient="records").encode(), "is JSON, no table. Save it as CSV"),
        (frame().to_json(orient="records", lines=True).encode(), "is JSON, no table"),
        (b"PK\x03\x04" + bytes(100), "a zip file or an Excel workbook, no table"),
        (b"\xd0\xcf\x11\xe0" + bytes(100), "an Excel workbook, no table"),
        (b"<!DOCTYPE html><table></table>", "is HTML or XML, no table"),
        (tsv().encode("utf-16-le"), "zero bytes, as UTF-16 does. Save it as CSV UTF-8"),
        (csv().replace(b"Hernia", b"Mass"), "has the column 'Mass' twice"),
        (csv() + b"Total,,10,5\n", "'Mass' holds labels, but '10' in row 21"),
        (csv() + b",,10,5\n", r"an image without a path \(row 21\)"),
        (csv(path=["000.png"] * 2 + [f"{n:03}.png" for n in range(2, N)]), "occurs more than once"),
        (csv(path=[f"https://x.org/{n:03}.png" for n in range(N)]), "is absolute or leads out"),
    ],
)
def test_what_is_no_table_of_labels_is_refused_in_words(tmp_path, content, reason):
    with pytest.raises(InputError, match=reason):
        loaded(tmp_path, content)


def test_rows_that_end_early_are_said(tmp_path, caplog):
    labels = loaded(tmp_path, csv().replace(b"003.png,p1,1,0", b"003.png,p1"))
    assert mass(labels) == (9, 10, 1)
    assert "rows with fewer fields than the header: 1, the first in line 5" in caplog.text


@pytest.mark.parametrize("cell", ["Mass|No Finding", "No Finding|Mass"])
def test_no_finding_beside_a_finding_is_said(tmp_path, caplog, cell):
    table = frame()[["path", "patient_id"]].assign(**{"Finding Labels": [cell, "No Finding"] * 10})
    loaded(tmp_path, table.to_csv(index=False).encode())
    assert "10 images have 'No Finding' beside another finding, such as '000.png'" in caplog.text


def test_joined_names_are_not_passed_over_for_one_other_column_of_1_and_0(tmp_path, caplog):
    table = frame()[["path", "patient_id"]].assign(
        **{"Finding Labels": ["Mass|Hernia", "No Finding"] * 10, "Reviewed": [0, 1] * 10}
    )
    labels = loaded(tmp_path, table.to_csv(index=False).encode())
    assert labels.class_names == ("Hernia", "Mass", "No Finding")
    both = frame(**{"Finding Labels": ["Mass", ""] * 10})
    assert loaded(tmp_path, both.to_csv(index=False).encode()).class_names == ("Mass", "Hernia")
    assert "the names in 'Finding Labels' are not used" in caplog.text


def test_classes_alike_but_for_case_are_said(tmp_path, caplog):
    table = frame()[["path"]].assign(labels=["mass|Mass", "hernia"] * 10)
    loaded(tmp_path, table.to_csv(index=False).encode())
    assert "'Mass' and 'mass' are two classes; they differ only in case" in caplog.text


def test_a_split_is_known_by_what_its_column_holds(tmp_path, caplog):
    splits = ["Train"] * 12 + ["Val"] * 4 + ["Test"] * 4
    rows = loaded(tmp_path, csv(dataset=splits)).table
    assert rows["split"].value_counts().to_dict() == {"train": 12, "validation": 4, "test": 4}
    assert "the split is taken from the column 'dataset'" in caplog.text
    # Folds are numbers, and only trainings know which of them is for testing.
    assert loaded(tmp_path, csv(fold=[0, 1, 2, 3] * 5)).attributes == ("fold",)


def test_a_patient_written_as_a_whole_number_and_as_a_float_is_one(tmp_path):
    ids = [f"{n // 2}" + ".0" * (n % 2) for n in range(N)]
    assert loaded(tmp_path, csv(patient_id=ids)).table["patient_id"].tolist() == [
        str(n // 2) for n in range(N)
    ]
    # Where all are written alike they stay as they are: so do the splits of studies that exist.
    floats = [f"{n // 2}.0" for n in range(N)]
    assert loaded(tmp_path, csv(patient_id=floats)).table["patient_id"].tolist() == floats
    zeros = [f"{n // 2:04}" for n in range(N)]
    assert loaded(tmp_path, csv(patient_id=zeros)).table["patient_id"].tolist() == zeros


@pytest.mark.parametrize("change", ["{:03}.dcm", "{:03}", "old/{:03}.png", "{:03}.PNG"])
def test_images_under_another_name_are_found_and_said(tmp_path, change, caplog):
    given = [change.format(n) for n in range(N)]
    rows = loaded(tmp_path, csv(path=given)).table
    assert rows["path"].tolist() == [f"{n:03}.png" for n in range(N)]
    assert rows["image_id"].tolist() == given
    assert ("such as '000.png' for" in caplog.text) == (change != "{:03}.PNG")


def test_a_dicom_uid_has_no_suffix_to_be_left_out(tmp_path):
    """1.2.840.7 is not there: 1.2.840.5 is another image."""
    (tmp_path / "x").mkdir()
    for number in range(N - 1):
        (tmp_path / "x" / f"1.2.840.{number}").touch()
    paths = [f"1.2.840.{n}" for n in range(1, N + 1)]
    with pytest.raises(InputError, match=r"1\.2\.840\.19 \(and 1 more\)"):
        loaded(tmp_path, csv(path=paths))


def test_a_class_of_mostly_blanks_is_said(tmp_path, caplog):
    cells = (["1", "0"] + [""] * 8) * 2
    assert mass(loaded(tmp_path, csv(Mass=cells))) == (2, 2, 16)
    assert "16 of 20 rows of 'Mass' are blank, and taken as uncertain" in caplog.text
    caplog.clear()
    assert mass(loaded(tmp_path, csv(Mass=cells), blank="negative")) == (2, 18, 0)
    assert "are blank" not in caplog.text


def test_none_among_joined_names_is_no_class(tmp_path):
    table = frame()[["path"]].assign(findings=["Mass,Hernia", "None", "nan", "Mass, none"] * 5)
    labels = loaded(tmp_path, table.to_csv(index=False).encode())
    assert labels.class_names == ("Hernia", "Mass")
    assert mass(labels) == (10, 10, 0)
