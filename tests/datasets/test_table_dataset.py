"""Any table a person has becomes labels, or is refused with the cell at fault."""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd
import pytest

from core.datasets import load_labels
from core.errors import InputError
from core.study.labels import SPLITS
from core.study.settings import TableSettings
from tests.datasets.test_datasets import assert_patients_whole, put_images


def table_of(folder: Path, table: pd.DataFrame | dict, suffix: str = "csv", **options):
    table = pd.DataFrame(table)
    path = folder / f"labels.{suffix}"
    folder.mkdir(exist_ok=True)
    if suffix == "parquet":
        table.to_parquet(path)
    else:
        table.to_csv(path, index=False)
    names = table[options.get("image_column", "path")]
    put_images(folder, *(name for name in names if ".." not in name and name[0] != "/"))
    return TableSettings(kind="table", images=folder, labels=path, **options)


SIX = {"path": [f"a/{number}.png" for number in range(6)]}


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_table_with_everything(tmp_path, suffix):
    settings = table_of(
        tmp_path,
        {
            "file": SIX["path"],
            "person": ["007", "007", "8", "9", "10", "11"],
            "part": ["train", "Training", "val", "Valid ", "TEST", "testing"],
            "Mass": [1, 0, -1, None, 1, 0],
            "age": [40, 41, 50, 60, 70, 80],
            "ward": ["A", "A", "B", None, "7", "C"],
        },
        suffix,
        image_column="file",
        patient_column="person",
        split_column="part",
        class_columns=("Mass",),
    )
    labels = load_labels(settings)
    table = labels.table
    assert table["image_id"].tolist() == table["path"].tolist() == SIX["path"]
    assert table["patient_id"].tolist() == ["007", "007", "8", "9", "10", "11"]
    assert table["split"].tolist() == ["train"] * 2 + ["validation"] * 2 + ["test"] * 2
    assert table["Mass"].fillna(9).tolist() == [1, 0, 9, 9, 1, 0]  # -1 and blank are uncertain
    assert labels.attributes == ("age", "ward")
    assert table["age"].sum() == 341


def test_classes_of_a_table_are_guessed_and_said(tmp_path, caplog):
    settings = table_of(
        tmp_path, SIX | {"Mass": [1, 0, -1, None, 1, 0], "age": [1, 0, 1, 0, 1, 2], "x": [None] * 6}
    )
    with caplog.at_level(logging.WARNING):
        labels = load_labels(settings)
    assert labels.class_names == ("Mass",)
    assert caplog.messages[0].endswith("taken as classes: Mass")
    with pytest.raises(InputError, match=r"class_columns.*Its columns: path, age"):
        load_labels(table_of(tmp_path, SIX | {"age": range(6)}))
    with pytest.raises(InputError, match=r"lacks the column\(s\) Nodule"):
        load_labels(table_of(tmp_path, SIX, class_columns=("Nodule",)))


def test_joined_names_become_sorted_classes(tmp_path):
    findings = ["Nodule|Mass", "Mass", "No Finding", "Nodule", " Mass | Nodule ", "No Finding"]
    settings = table_of(tmp_path, SIX | {"labels": findings}, joined_column="labels")
    labels = load_labels(settings)
    assert labels.class_names == ("Mass", "No Finding", "Nodule")
    assert labels.table["Mass"].tolist() == [1, 1, 0, 0, 1, 0]
    assert load_labels(settings.model_copy(update={"class_columns": ("Nodule",)})).class_names == (
        "Nodule",
    )
    with pytest.raises(InputError, match=r"no image has the class 'Hernia'.*there are: Mass"):
        load_labels(settings.model_copy(update={"class_columns": ("Hernia",)}))
    findings[3] = None
    with pytest.raises(InputError, match=r"'a/3\.png' has an empty 'labels'"):
        load_labels(table_of(tmp_path, SIX | {"labels": findings}, joined_column="labels"))


def test_an_empty_joined_cell_names_no_finding(tmp_path):
    findings = ["Mass", None, "Mass", None, "Mass", "Nodule"]
    labels = load_labels(table_of(tmp_path, SIX | {"f": findings}, joined_column="f"))
    assert labels.table["Mass"].tolist() == [1, 0, 1, 0, 1, 0]


def test_without_patients_each_image_is_its_own(tmp_path):
    labels = load_labels(table_of(tmp_path, SIX | {"Mass": [0, 1] * 3}))
    assert labels.table["patient_id"].tolist() == SIX["path"]
    assert set(labels.table["split"]) == set(SPLITS)


def test_columns_with_our_own_names_are_what_they_say(tmp_path):
    ours = {"patient_id": list("aabbcd"), "split": ["train"] * 4 + ["validation", "test"]}
    labels = load_labels(table_of(tmp_path, SIX | {"Mass": [0, 1] * 3} | ours))
    assert labels.table["patient_id"].tolist() == list("aabbcd")
    assert labels.table["split"].tolist() == ours["split"]
    assert labels.attributes == ()


def test_train_gives_the_validation_a_table_lacks(tmp_path):
    split = {"split": ["train"] * 4 + ["test"] * 2, "patient_id": list("aabbcd")}
    labels = load_labels(table_of(tmp_path, SIX | {"Mass": [0, 1] * 3} | split))
    counts = labels.table["split"].value_counts()
    assert counts.to_dict() == {"train": 2, "validation": 2, "test": 2}
    assert_patients_whole(labels.table["patient_id"], labels.table["split"])


def test_all_images_may_be_for_testing(tmp_path):
    listed = load_labels(table_of(tmp_path, SIX | {"Mass": [0, 1] * 3, "split": ["test"] * 6}))
    assert set(listed.table["split"]) == {"test"}
    shares = {"validation_share": 0, "test_share": 1}
    drawn = load_labels(table_of(tmp_path, SIX | {"Mass": [0, 1] * 3}, **shares))
    assert set(drawn.table["split"]) == {"test"}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"split": ["train"] * 5 + ["holdout"]}, "'holdout'; allowed: train, training"),
        ({"split": ["train"] * 5 + [None]}, "a blank; allowed"),
        ({"split": ["train"] * 6}, "no image is in the test split"),
        ({"split": ["train"] * 4 + ["val", "test"], "patient_id": list("aabbca")}, "patient a has"),
        ({"patient_id": ["a", "b", "c", "d", "e", None]}, r"'a/5\.png' has no patient_id"),
        ({"Mass": [0, 1, 0, 1, 0, 2]}, "no column holds only"),
        ({"path": [*SIX["path"][:5], "../secret.png"]}, r"'\.\./secret\.png' is absolute or leads"),
        ({"path": [*SIX["path"][:5], "/etc/passwd"]}, "'/etc/passwd' is absolute or leads"),
        ({"path": [*SIX["path"][:5], SIX["path"][0]]}, "occurs more than once"),
    ],
)
def test_what_a_table_may_not_hold(tmp_path, columns, message):
    with pytest.raises(InputError, match=message):
        load_labels(table_of(tmp_path, SIX | {"Mass": [0, 1] * 3} | columns))


@pytest.mark.parametrize("path", ["C:\\x\\a.png", "a\\..\\..\\b.png", "..", "\\\\server\\a.png"])
def test_paths_from_windows_cannot_escape_either(tmp_path, path):
    settings = table_of(tmp_path, SIX | {"Mass": [0, 1] * 3})
    text = settings.labels.read_text().replace("a/5.png", path)
    settings.labels.write_text(text)
    with pytest.raises(InputError, match="absolute or leads out"):
        load_labels(settings)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_tables_are_read_as_excel_writes_them(tmp_path, encoding, delimiter):
    """By Windows' code page and with the semicolons of countries whose decimals have a comma."""
    put_images(tmp_path, *SIX["path"])
    decimal = "," if delimiter == ";" else "."
    table = pd.DataFrame(SIX | {"Übersicht": [1.0, 0.0] * 3, "ward": ["Köln; 1, 2"] * 6})
    path = tmp_path / "labels.csv"
    table.to_csv(path, index=False, sep=delimiter, decimal=decimal, encoding=encoding)
    labels = load_labels(TableSettings(kind="table", images=tmp_path, labels=path))
    assert labels.class_names == ("Übersicht",)
    assert labels.table["Übersicht"].tolist() == [1, 0] * 3
    assert labels.table["ward"].unique().tolist() == ["Köln; 1, 2"]


def test_long_rows_are_refused_with_semicolons_too(tmp_path):
    put_images(tmp_path, *SIX["path"])
    path = tmp_path / "labels.csv"
    path.write_text("path;Mass;ward\n" + "".join(f"{one};1;a;b\n" for one in SIX["path"][:3]))
    with pytest.raises(InputError, match=r"line 2 .* has 4 fields, and the header names 3"):
        load_labels(TableSettings(kind="table", images=tmp_path, labels=path))


def test_images_are_found_however_their_suffix_is_written(tmp_path):
    put_images(tmp_path, *(path.replace(".png", ".PNG") for path in SIX["path"]))
    table = pd.DataFrame(SIX | {"Mass": [1, 0] * 3})
    table.to_csv(tmp_path / "labels.csv", index=False)
    settings = TableSettings(kind="table", images=tmp_path, labels=tmp_path / "labels.csv")
    labels = load_labels(settings)
    assert labels.table["path"].tolist() == [f"a/{number}.PNG" for number in range(6)]
    assert labels.table["image_id"].tolist() == SIX["path"]
